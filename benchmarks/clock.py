"""Timing of several contestants in one process, in turns."""

from __future__ import annotations

import gc
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import ThreadpoolController

# OpenBLAS workers spin for 2^28 cycles, some 105 ms, after a call. A contestant that started
# earlier would share the cores with the idle threads of the previous one.
SETTLE_SECONDS = 0.12
SHORTEST_BLOCK = 0.02


@dataclass
class Contestant:
    """A call to time, with BLAS limited to `threads`; `scale` multiplies its seconds.

    `own_seconds` reads the seconds from the answer of a call that times itself; `setting` describes
    the settings of the contestant.
    """

    name: str
    threads: int
    call: Callable[[], Any]
    scale: float = 1.0
    own_seconds: Callable[[Any], float] | None = None
    setting: str = ""
    answer: Any = None
    error: str = ""
    seconds: list[float] = field(default_factory=list)
    loops: int = 1

    @property
    def median(self) -> float:
        """Return the median seconds per call."""
        return statistics.median(self.seconds) * self.scale

    @property
    def fastest(self) -> float:
        """Return the fewest seconds per call."""
        return min(self.seconds) * self.scale


def _block(contestant: Contestant, controller: ThreadpoolController, settle: bool) -> float:
    """Return the seconds per call, averaged over one block of `loops` calls."""
    call = contestant.call
    if settle:
        time.sleep(SETTLE_SECONDS)
    with controller.limit(limits=contestant.threads, user_api="blas"):
        gc.disable()
        try:
            if contestant.own_seconds is not None:
                total = 0.0
                for _ in range(contestant.loops):
                    contestant.answer = call()
                    total += contestant.own_seconds(contestant.answer)
                return total / contestant.loops
            start = time.perf_counter()
            for _ in range(contestant.loops):
                contestant.answer = call()
            return (time.perf_counter() - start) / contestant.loops
        finally:
            gc.enable()


def _loops(seconds: float) -> int:
    """Return how many calls of these seconds make a block."""
    return max(1, int(SHORTEST_BLOCK / max(seconds, 1e-7)))


def alternate(
    contestants: list[Contestant], *, rounds: int, slow_seconds: float, keep: frozenset[str]
) -> list[Contestant]:
    """Time every contestant once per round, in an order that is reversed after each round.

    Each is called untimed first, which loads code and sets how many calls make a block. One that
    takes over `slow_seconds` and ten times the fastest, and is not named in `keep`, is timed at
    the better of its settings only: in three rounds, or in one if a call takes over four times
    `slow_seconds`. Over twenty times that, its later settings are not tried. A contestant that
    raises keeps the message in `error` and is skipped.
    """
    controller = ThreadpoolController()
    gc.collect()
    probes: dict[int, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _probe(contestants, controller, probes, slow_seconds, keep)
        active = [c for c in contestants if id(c) in probes]
        quickest = min(probes.values(), default=0.0)
        turns = {}
        for contestant in active:
            probe = probes[id(contestant)]
            contestant.loops = _loops(probe)
            if contestant.loops > 1:  # a single call is slower than one of many
                contestant.loops = _loops(_block(contestant, controller, settle=False))
            turns[id(contestant)] = rounds
            slow = probe > slow_seconds and probe > 10 * quickest
            if slow and contestant.name not in keep:
                best = min(probes[id(c)] for c in active if c.name == contestant.name)
                few = 1 if probe > 4 * slow_seconds else 3
                turns[id(contestant)] = min(few, rounds) if probe == best else 0
        for turn in range(rounds):
            for contestant in active if turn % 2 == 0 else active[::-1]:
                if turn < turns[id(contestant)]:
                    contestant.seconds.append(_block(contestant, controller, settle=True))
    return [c for c in active if c.seconds]


def _probe(
    contestants: list[Contestant],
    controller: ThreadpoolController,
    probes: dict[int, float],
    slow_seconds: float,
    keep: frozenset[str],
) -> None:
    """Call each contestant untimed and fill `probes` with the seconds, by id."""
    given_up = set()
    for contestant in contestants:
        if contestant.name in given_up:
            continue
        try:
            seconds = _block(contestant, controller, settle=False)
            if seconds < 0.2:
                seconds = _block(contestant, controller, settle=False)
        except Exception as error:  # a rival may fail with any exception
            contestant.error = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        probes[id(contestant)] = seconds
        slow = seconds > 20 * slow_seconds and seconds > 10 * min(probes.values())
        if slow and contestant.name not in keep:
            given_up.add(contestant.name)
