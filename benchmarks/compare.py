"""Run one case: time the rivals in turns, measure their answers, and judge the goal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .accuracy import GramReference, Reference
from .cases import FASTRIDGE, FASTRIDGE64, GRAM_PASS, Case, Goal, Problem, make_problem
from .clock import Contestant, alternate
from .cv_accuracy import CvErrors
from .machine import Limits, thread_settings
from .rivals import Rival

# largest ratio of our error to that of a rival at which our answer counts as no less exact: both
# vary by rounding from run to run
_SAME_ERROR = 3.0


@dataclass
class Row:
    """A rival in the table of a case: seconds by thread setting, and errors of its answer."""

    rival: str
    by_threads: dict[int, float] = field(default_factory=dict)
    own_threads: bool = False
    rounds: int = 0
    residual: float = float("nan")
    coef_error: float = float("nan")
    # for a choice of the penalty: the fraction of targets with the reference's alpha
    same_alpha: float = float("nan")
    # the best settings of the rival, in words
    setting: str = ""

    @property
    def seconds(self) -> float:
        """Return the median seconds at the rival's best setting; NaN if nothing is timed."""
        return min(self.by_threads.values(), default=float("nan"))


@dataclass
class Verdict:
    """A goal and the value that was measured for it."""

    title: str
    goal: Goal
    value: float
    exact: bool = True
    remark: str = ""

    @property
    def must(self) -> bool:
        """Return whether the must is met with an answer no less exact than the rival's."""
        return self.exact and self.goal.reached(self.value, self.goal.must)

    @property
    def aim(self) -> bool:
        """Return whether the aim is met with an answer no less exact than the rival's."""
        return self.exact and self.goal.reached(self.value, self.goal.aim)


@dataclass
class CaseResult:
    """The rows of a case, fastest first, and why some rivals have none."""

    case: Case
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def row(self, rival: str) -> Row | None:
        """Return the row of the rival."""
        return next((row for row in self.rows if row.rival == rival), None)

    def judge(self, limits: Limits) -> Verdict | None:
        """Judge the goal of the case; return None if the rival of the goal has no row."""
        case, goal = self.case, self.case.goal
        ours = self.row(FASTRIDGE)
        if ours is None:
            reason = self.failures.get(FASTRIDGE, "gave no answer")
            return Verdict(case.title, goal, float("nan"), exact=False, remark=reason)
        if case.task == "accuracy":
            return Verdict(case.title, goal, ours.coef_error)
        if case.task == "gram":
            n, p = case.n_samples, case.n_features
            # each row is read once; X'X is symmetric, so half of 2 n p^2, and X'y is 2 n p
            bound = limits.lower_bound(8.0 * n * (p + 1), n * p * (p + 1) + 2.0 * n * p)
            exact = not less_exact(ours.coef_error, 0.0, case.exact_within)
            return Verdict(case.title, goal, bound / ours.seconds, exact)
        rival = self.row(goal.against)
        if rival is None:
            return None
        if case.task == "cv":
            return self._judge_choice(ours, rival)
        # float32 data is to give float64's accuracy, so nobody's error excuses ours there
        theirs = 0.0 if goal.against == FASTRIDGE64 else rival.coef_error
        exact = not less_exact(ours.coef_error, theirs, case.exact_within)
        speedup = rival.seconds / ours.seconds
        return Verdict(case.title, goal, speedup, exact, remark=self._nearest(ours))

    def _judge_choice(self, ours: Row, rival: Row) -> Verdict:
        """Compare a choice with the reference only: no rival's error excuses ours."""
        case, goal = self.case, self.case.goal
        within = not less_exact(ours.coef_error, 0.0, case.exact_within)
        value = ours.seconds / rival.seconds if goal.lower else rival.seconds / ours.seconds
        exact = within and ours.same_alpha == 1.0
        remark = "" if goal.against == GRAM_PASS else self._nearest(ours)
        if ours.same_alpha != 1.0:
            remark = "another alpha than the reference's"
        return Verdict(case.title, goal, value, exact, remark)

    def _nearest(self, ours: Row) -> str:
        """Return the fastest rival that is no less exact than ours, and its time over ours."""
        within = self.case.exact_within
        for row in self.rows:
            ranked = row.rival not in (FASTRIDGE, FASTRIDGE64, GRAM_PASS)
            if ranked and not less_exact(row.coef_error, ours.coef_error, within):
                return f"fastest rival as exact: {row.rival}, {row.seconds / ours.seconds:.2g}"
        return "no rival is as exact"


def less_exact(ours: float, theirs: float, exact_within: float) -> bool:
    """Return whether our error is above rounding and the rival's; NaN counts as an error."""
    if np.isnan(ours):
        return True
    return bool(ours > exact_within and not ours <= _SAME_ERROR * theirs)


def run_case(case: Case, rivals: list[Rival], *, rounds: int, slow_seconds: float) -> CaseResult:
    """Time every rival that supports the task of the case and measure its answer."""
    problem = make_problem(case)
    measure = errors_of(problem)
    result = CaseResult(case)
    contestants = offers(problem, rivals, result)
    keep = frozenset({FASTRIDGE, case.goal.against})
    rounds = 1 if case.task == "accuracy" else rounds
    timed = alternate(contestants, rounds=rounds, slow_seconds=slow_seconds, keep=keep)
    fill_rows(result, rivals, contestants, timed, measure)
    return result


def fill_rows(
    result: CaseResult,
    rivals: list[Any],
    contestants: list[Contestant],
    timed: list[Contestant],
    measure: Any,
) -> None:
    """Make a row for each rival that was timed, and keep the errors of the others."""
    for contestant in contestants:
        if contestant.error:
            result.failures[contestant.name] = without_paths(contestant.error)
    for rival in rivals:
        settings = [one for one in timed if one.name == rival.name]
        if not settings:
            continue
        best = min(settings, key=lambda one: one.median)
        row = Row(rival.name, rounds=len(best.seconds), own_threads=not rival.follows_threads)
        row.setting = best.setting
        if result.case.task != "accuracy":
            row.by_threads = {one.threads: one.median for one in settings}
        measure.fill(row, rival, best.answer)
        result.rows.append(row)
    # accuracy cases have no seconds, so they are ranked by error
    result.rows.sort(key=lambda row: row.seconds if row.by_threads else row.coef_error)


def errors_of(problem: Problem) -> CoefErrors | GramErrors | CvErrors:
    """Return the measure of the answers to the problem's task."""
    measures = {"gram": GramErrors, "cv": CvErrors}
    return measures.get(problem.case.task, CoefErrors)(problem)


class CoefErrors:
    """Errors of the answers to a fit, a prediction or a path."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._reference = Reference(problem)

    def fill(self, row: Row, rival: Rival, answer: Any) -> None:
        """Set the row's errors from the rival's answer."""
        problem, reference = self._problem, self._reference
        if problem.case.task == "predict":
            row.coef_error = reference.prediction_error(answer, problem.X[:1], problem.alpha)
            return
        if problem.case.task == "path":
            coefs = rival.path_coefs(answer, problem)
            pairs = [
                (coef[None], alpha)
                for coef, alpha in zip(coefs, problem.sampled_alphas, strict=True)
            ]
        else:
            pairs = [(rival.coef(answer), rival.alpha(answer, problem))]
        row.residual = max(reference.residual(*pair) for pair in pairs)
        row.coef_error = max(reference.coef_error(*pair) for pair in pairs)


class GramErrors:
    """Errors of a centred X'X."""

    def __init__(self, problem: Problem) -> None:
        self._reference = GramReference(problem.X)

    def fill(self, row: Row, rival: Rival, answer: Any) -> None:
        """Set the row's error from the rival's answer."""
        row.coef_error = self._reference.error(rival.gram_matrix(answer))


def without_paths(message: str) -> str:
    """Return the beginning of a message, without paths."""
    return re.sub(r"(?:[A-Za-z]:)?(?:[\\/][\w.\-]+){2,}", "...", message)[:120]


def offers(problem: Problem, rivals: list[Any], result: CaseResult) -> list[Contestant]:
    """Return the contestants of the rivals for the problem's task, at each thread setting."""
    task = "fit" if problem.case.task == "accuracy" else problem.case.task
    contestants = []
    for rival in rivals:
        # all cores first, so that a slow rival is tried at its probably better setting
        settings = thread_settings()[::-1]
        for threads in settings if rival.follows_threads else settings[:1]:
            try:
                made = getattr(rival, task)(problem, threads)
            except Exception as error:  # a rival may fail with any exception
                result.failures[rival.name] = without_paths(f"{type(error).__name__}: {error}")
                continue
            if made is not None:
                call, scale = made if isinstance(made, tuple) else (made, 1.0)
                contestants.append(Contestant(rival.name, threads, call, scale))
    return contestants
