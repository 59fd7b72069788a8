"""Checkpoints: a file that says how far a long computation has come, and of what data it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastridge.io.archive import read_archive, write_archive

__all__ = ["CHECKPOINT_ROWS", "Checkpoint", "CheckpointError", "check_checkpoint"]

CHECKPOINT_ROWS = 10_000_000
"""Rows from one checkpoint to the next, unless given."""


class CheckpointError(ValueError):
    """A checkpoint of other data or another computation.

    Attributes
    ----------
    difference : str
        The first thing in which the two differ.
    """

    difference: str = ""


class Checkpoint:
    """A file that a computation resumes from.

    Parameters
    ----------
    path : path
    kind : str
        What the archive is called; see `fastridge.io.archive`.
    identity : dict
        Plain values that tell this computation from others.
    every : int, default=CHECKPOINT_ROWS
        Rows from one checkpoint to the next.
    what : str, default="rows"
        What a checkpoint that does not fit is of, in the error.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from fastridge.io.checkpoint import Checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(os.path.join(folder, "c"), "example", {"n": 3})
    ...     print(checkpoint.read())
    ...     checkpoint.write({"done": 1}, {"x": np.ones(2)}, n_rows=50)
    ...     meta, arrays = checkpoint.read()
    None
    >>> meta["done"], arrays["x"].tolist()
    (1, [1.0, 1.0])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        kind: str,
        identity: Mapping[str, object],
        every: int = CHECKPOINT_ROWS,
        what: str = "rows",
    ) -> None:
        self.path, self.kind, self.identity = Path(path), kind, identity
        self.every, self.what = every, what
        self.saved = 0

    def due(self, n_rows: int) -> bool:
        """Return whether so many rows are enough for another checkpoint."""
        return n_rows - self.saved >= self.every

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return what was written, None where there is no file.

        Raises CheckpointError if it is of another computation, and ValueError if it is damaged.
        """
        if not self.path.exists():
            return None
        meta, arrays = read_archive(str(self.path), self.kind)
        if meta["identity"] != self.identity:
            found = _difference(meta["identity"], self.identity)
            error = CheckpointError(
                f"checkpoint={str(self.path)!r} is of other {self.what}: {found}. Delete the file, "
                "or name another."
            )
            error.difference = found
            raise error
        return meta, arrays

    def write(
        self, meta: Mapping[str, object], arrays: Mapping[str, np.ndarray], n_rows: int = 0
    ) -> None:
        """Write what has been reached after `n_rows` rows."""
        write_archive(self.path, self.kind, {"identity": self.identity, **meta}, arrays)
        self.saved = n_rows


def check_checkpoint(checkpoint: object, every: Any) -> tuple[Path | None, int]:
    """Return the file of checkpoints, if any, and how many rows come between two."""
    if checkpoint is None:
        if every is not None:
            raise ValueError("checkpoint_every needs checkpoint, the file to write.")
        return None, CHECKPOINT_ROWS
    if not isinstance(checkpoint, (str, os.PathLike)):
        raise ValueError(f"checkpoint must be a path, got {checkpoint!r}.")
    if every is None:
        return Path(checkpoint), CHECKPOINT_ROWS
    if isinstance(every, bool) or not hasattr(every, "__index__") or every < 1:
        raise ValueError(f"checkpoint_every must be a number of rows from 1 up, got {every!r}.")
    return Path(checkpoint), int(every)


def _difference(before: object, now: object) -> str:
    """Return the first thing in which two identities differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            if before.get(key) != now.get(key):
                inner = _difference(before.get(key), now.get(key))
                return f"{key}: {inner}" if not isinstance(now.get(key), dict) else inner
    return f"it has {_short(before)}, now there is {_short(now)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
