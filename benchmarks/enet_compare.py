"""Run one elastic-net case: find the loosest tolerance of each rival, then time them in turns.

At each thread setting a rival takes the fastest of its ways that attain the gap (`enet_search.py`).
A rival that does not attain the gap is listed with the gap it reached and does not count.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

from .cases import FASTRIDGE, Problem
from .clock import Contestant, alternate
from .compare import CaseResult, Row, Verdict, fill_rows, less_exact, offers, without_paths
from .enet_accuracy import ChoiceErrors, PathGap
from .enet_cases import FASTEST, LOOSER, EnetCase, make_enet_problem
from .enet_search import Attained, loosest, timed
from .machine import Limits, thread_settings

# the gap of the timed answer may differ by rounding from that of the search
_ROUNDING = 1.01
# a path that takes longer, in seconds, is timed in three rounds
_LONG = 2.0


@dataclass
class EnetResult(CaseResult):
    """The rows of a case, and the tight comparison of a cross-validation."""

    case: EnetCase
    tight: tuple[bool, float] | None = None

    def judge(self, limits: Limits) -> Verdict | None:
        """Judge the goal against the rival it names, or the fastest that attained the gap."""
        case, goal = self.case, self.case.goal
        ours = self.row(FASTRIDGE)
        if ours is None:
            reason = self.failures.get(FASTRIDGE, "gave no answer")
            return Verdict(case.title, goal, float("nan"), exact=False, remark=reason)
        if goal.against == FASTEST:
            within = [row for row in self.rows if row.coef_error <= _ROUNDING * case.gap]
            rival = next((row for row in within if row is not ours), None)
        else:
            rival = self.row(goal.against)
        if rival is None:
            return None
        value = ours.seconds / rival.seconds if goal.lower else rival.seconds / ours.seconds
        if case.task == "enet":
            goal = dataclasses.replace(goal, against=rival.rival)
            exact = ours.coef_error <= _ROUNDING * case.gap
            return Verdict(case.title, goal, value, exact, self._others(ours, rival))
        return self._judge_choice(value)

    def _others(self, ours: Row, rival: Row) -> str:
        if self.case.goal.against == LOOSER:
            return f"gap {ours.coef_error:.1e} and {rival.coef_error:.1e}"
        others = [row for row in self.rows if row is not ours and row is not rival]
        return ", ".join(f"{row.rival} {row.seconds / ours.seconds:.3g}" for row in others)

    def _judge_choice(self, value: float) -> Verdict:
        case = self.case
        if self.tight is None:
            return Verdict(case.title, case.goal, value, exact=False, remark="not compared")
        same, difference = self.tight
        exact = same and not less_exact(difference, 0.0, case.exact_within)
        choice = "the same choice" if same else "another choice"
        remark = f"at tight tolerances {choice}, errors within {difference:.1e}"
        return Verdict(case.title, case.goal, value, exact, remark)


def run_enet_case(
    case: EnetCase, rivals: list[Any], *, rounds: int, slow_seconds: float
) -> EnetResult:
    """Time every rival that supports the task at its tolerance and measure its answer."""
    problem = make_enet_problem(case)
    result = EnetResult(case)
    if case.ours_only:
        rivals = [rival for rival in rivals if rival.name in (FASTRIDGE, case.goal.against)]
    keep = {FASTRIDGE, case.goal.against}
    measure: PathGap | ChoiceErrors
    try:
        if case.task == "enet":
            measure = PathGap(problem)
            contestants, quickest, least = _set_up(problem, rivals, result)
            keep.add(quickest)
            rounds = min(rounds, 3) if _LONG < least < float("inf") else rounds
        else:
            measure = ChoiceErrors(problem)
            contestants = offers(problem, rivals, result)
        held = frozenset(keep)
        ran = alternate(contestants, rounds=rounds, slow_seconds=slow_seconds, keep=held)
        fill_rows(result, rivals, contestants, ran, measure)
    finally:
        for rival in rivals:
            if hasattr(rival, "close"):
                rival.close()
    if isinstance(measure, ChoiceErrors):
        result.tight = measure.tight
    return result


def _set_up(
    problem: Problem, rivals: list[Any], result: EnetResult
) -> tuple[list[Contestant], str, float]:
    """Return a contestant for each rival that attains the gap and each thread setting.

    Also return the fastest rival and its seconds.
    """
    contestants: list[Contestant] = []
    quickest, least = "", float("inf")
    for rival in rivals:
        try:
            found, failure = loosest(rival, problem, least)
            if failure:
                result.failures[rival.name] = failure
            if not found:
                continue
            settings = thread_settings()[::-1]
            for threads in settings if rival.follows_threads else settings[:1]:
                contestant, seconds = _best_way(rival, problem, found, threads)
                contestants.append(contestant)
                if seconds < least and rival.name != FASTRIDGE:
                    quickest, least = rival.name, seconds
        except Exception as error:  # a rival may fail with any exception
            result.failures[rival.name] = without_paths(f"{type(error).__name__}: {error}")
    return contestants, quickest, least


def _best_way(
    rival: Any, problem: Problem, found: dict[str, Attained], threads: int
) -> tuple[Contestant, float]:
    """Return the rival's fastest way at this number of threads, found by one call of each."""
    calls = {
        way: partial(rival.solver(problem, way, threads), attained.tolerance)
        for way, attained in found.items()
    }
    seconds = {way: timed(rival, call, threads)[1] for way, call in calls.items()}
    way = min(seconds, key=lambda one: seconds[one])
    setting = f"tol {found[way].tolerance:.0e}" + (f", {way}" if way else "")
    own = rival.seconds if rival.own_clock else None
    contestant = Contestant(rival.name, threads, calls[way], own_seconds=own, setting=setting)
    return contestant, seconds[way]
