"""Progress bars on a terminal, and the seconds each stage took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastridge.cli.errors import require


class Stages:
    """Times the stages of a job and shows a bar for each on a terminal.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each stage that was finished, in order.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._visible = sys.stderr is not None and sys.stderr.isatty()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Time a ``with`` block; `total` is the number of rows it will go through."""
        started = time.perf_counter()
        with self._bar(name, total) as stage:
            yield stage
        self.seconds[name] = time.perf_counter() - started

    @contextmanager
    def _bar(self, name: str, total: int | None) -> Iterator[Stage]:
        if not self._visible:
            yield Stage(lambda _: None, lambda: None, lambda _: None)
            return
        progress = require("rich.progress", "cli")
        with progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:,} rows"),
            progress.TimeElapsedColumn(),
            console=require("rich.console", "cli").Console(stderr=True),
            transient=True,
        ) as bar:
            task = bar.add_task(name, total=total)
            yield Stage(
                lambda rows: bar.advance(task, rows),
                lambda: bar.reset(task, total=total),
                lambda text: bar.update(task, description=f"{name}, {text}"),
            )


class Stage:
    """One running stage.

    ``advance(rows)`` moves its bar, ``restart()`` sets it back, ``describe(text)`` writes there.
    """

    def __init__(
        self,
        advance: Callable[[int], None],
        restart: Callable[[], None],
        describe: Callable[[str], None],
    ) -> None:
        self.advance = advance
        self.restart = restart
        self.describe = describe
