"""Search, outside the timing, of the loosest tolerance at which a library's path attains a gap.

The powers of ten are tried, loose ones first, and then five times the one found. If the system can
fork, a trial runs in a forked process, so that one that never ends can be stopped; otherwise it
runs to its own limit of iterations.
"""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log10
from typing import Any

from threadpoolctl import threadpool_limits

from .cases import FASTRIDGE, Problem
from .enet_accuracy import certified_gap

# a trial is stopped after the first number of seconds, or after the second number times the seconds
# of the fastest library that finished, but never before the third number of seconds
_PATIENCE = 90.0
_HOPELESS = 3.0
_SHORT = 5.0


@dataclass
class Attained:
    """A tolerance, its gap and its seconds, which are infinite if it was stopped."""

    tolerance: float
    gap: float
    seconds: float


def loosest(
    rival: Any, problem: Problem, quickest: float = float("inf")
) -> tuple[dict[str, Attained], str]:
    """Find the loosest tolerance that attains the gap for each way, or a message if none does.

    `quickest` is the time in seconds that another library takes.
    """
    case: Any = problem.case
    wanted = rival.gap_asked or case.gap
    found: dict[str, Attained] = {}
    failures = []
    for way in rival.ways(problem):
        # once outside a fork, so that code is loaded or compiled
        timed(rival, partial(rival.solver(problem, way, 1), 0.1), 1)
        closest = Attained(float("nan"), float("inf"), 0.0)
        for tolerance in _tolerances(rival.first_tolerance, rival.last_tolerance):
            limit = min(_PATIENCE, max(_SHORT, _HOPELESS * quickest))
            last = _trial(rival, problem, way, tolerance, limit)
            closest = min(closest, last, key=lambda one: one.gap)
            if last.gap <= wanted or last.seconds > limit:
                break
        if last.gap > wanted:
            failures.append(_failure(way, closest, last, limit))
            continue
        looser = _trial(rival, problem, way, float(f"{5 * last.tolerance:.0e}"), limit)
        found[way] = looser if looser.gap <= wanted else last
        quickest = min(quickest, found[way].seconds)
    return found, "" if found else "; ".join(failures)


def _failure(way: str, closest: Attained, last: Attained, limit: float) -> str:
    told = f"{way + ': ' if way else ''}did not attain the gap"
    if closest.gap < float("inf"):
        told += f", {closest.gap:.1e} at tol {closest.tolerance:.0e}"
    if last.seconds > limit:
        return f"{told}, over {limit:.0f} s at tol {last.tolerance:.0e}"
    return f"{told}, tried down to tol {last.tolerance:.0e}"


def _tolerances(first: float, last: float) -> list[float]:
    return [float(f"1e-{k}") for k in range(round(-log10(first)), round(-log10(last)) + 1)]


def _trial(rival: Any, problem: Problem, way: str, tolerance: float, limit: float) -> Attained:
    """Run one path with one thread, stopped after `limit` seconds."""

    def attain() -> tuple[float, float]:
        answer, seconds = timed(rival, partial(rival.solver(problem, way, 1), tolerance), 1)
        return certified_gap(problem, rival.coefs(answer)), seconds

    if rival.name == FASTRIDGE or "fork" not in multiprocessing.get_all_start_methods():
        return Attained(tolerance, *attain())
    return Attained(tolerance, *_forked(attain, rival, limit))


def _forked(attain: Callable[[], tuple[float, float]], rival: Any, limit: float) -> Any:
    """Run `attain` in a forked process; return infinities if it takes over `limit` seconds."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def tell() -> None:
        try:
            sender.send(attain())
        except Exception as error:  # passed on, whatever a rival raises
            sender.send(f"{type(error).__name__}: {error}")

    process = context.Process(target=tell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forking while there are idle threads
        process.start()
    sender.close()
    # the seconds of a path, and more for its inputs and its gap
    told = receiver.poll(1.2 * limit + _SHORT)
    try:
        answer = receiver.recv() if told else (float("inf"), float("inf"))
    except EOFError:
        answer = "the process ended without an answer"
    finally:
        if not told:
            process.kill()
            rival.close()
        process.join()
        receiver.close()
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return answer


def timed(rival: Any, call: Callable[[], Any], threads: int) -> tuple[Any, float]:
    """Return the answer and seconds of a call, with BLAS limited to `threads`."""
    with warnings.catch_warnings(), threadpool_limits(limits=threads, user_api="blas"):
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        answer = call()
        seconds = time.perf_counter() - start
    return answer, rival.seconds(answer) if rival.own_clock else seconds
