"""Choosing C of a logistic regression: folds against scikit-learn, leave-one-out and one fit."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

import fastridge

from .cases import FASTRIDGE, SKLEARN, Goal
from .clock import SETTLE_SECONDS
from .compare import Verdict
from .glm_cases import CASES
from .report import Table, duration

NAME = "selection"
_SETTINGS = (
    ("lbfgs", 1e-4),
    ("newton-cholesky", 1e-4),
    ("newton-cholesky", 1e-8),
    ("newton-cholesky", 1e-10),
)
_LARGEST_ERROR = 1e-6  # of a log loss: settings beyond do not count, as in the other cases
_CS = np.logspace(-4.0, 4.0, 10)
_FOLDS = Goal("times faster", 8.0, 20.0, SKLEARN)
_LEAVE_ONE_OUT = Goal("times the time of one fit", 2.0, 1.3, FASTRIDGE, lower=True)


def _options(tol: float) -> dict[str, Any]:
    return {
        "Cs": _CS,
        "l1_ratios": (0.0,),
        "scoring": "neg_log_loss",
        "use_legacy_attributes": False,
        "tol": tol,
        "max_iter": 1000,
    }


def _contestants(X: np.ndarray, y: np.ndarray) -> dict[tuple[str, str], Callable[[], Any]]:
    from sklearn.linear_model import LogisticRegressionCV

    def ours(**more: Any) -> Callable[[], Any]:
        return lambda: fastridge.LogisticRegressionCV(**_options(1e-4) | more).fit(X, y)

    def theirs(solver: str, tol: float) -> Callable[[], Any]:
        model = LogisticRegressionCV(cv=5, solver=solver, n_jobs=2, **_options(tol))
        return lambda: model.fit(X, y)

    return {
        (FASTRIDGE, "5 folds"): ours(cv=5),
        (FASTRIDGE, 'cv="alo"'): ours(cv="alo"),
        (FASTRIDGE, "logistic_path, 10 Cs"): lambda: fastridge.logistic_path(X, y, Cs=_CS),
        (FASTRIDGE, "one fit"): lambda: fastridge.LogisticRegression().fit(X, y),
    } | {
        (SKLEARN, f"5 folds, {solver}, tol={tol:g}, 2 jobs"): theirs(solver, tol)
        for solver, tol in _SETTINGS
    }


def compare_selection(rounds: int, shrink: int) -> tuple[Table, list[Verdict]]:
    """Return the table of 10 Cs on one-hot columns, all taking turns, and the verdicts."""
    case = next(case for case in CASES if case.name == "one-hot")
    X, y = case.data(shrink)
    calls = _contestants(X, y)
    tight = fastridge.LogisticRegressionCV(cv=5, **_options(1e-9)).fit(X, y).scores_
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    errors: dict[tuple[str, str], float] = {}
    controller = ThreadpoolController()
    for turn in range(rounds + 1):
        for key in list(calls) if turn % 2 == 0 else list(calls)[::-1]:
            time.sleep(SETTLE_SECONDS)
            with controller.limit(limits=1, user_api="blas"):
                start = time.perf_counter()
                found = calls[key]()
                taken = time.perf_counter() - start
            if turn:
                seconds[key].append(taken)
            elif "folds" in key[1]:
                errors[key] = float(np.abs(found.scores_ - tight).max())
    median = {key: statistics.median(taken) for key, taken in seconds.items()}
    lines = [
        [*key, duration(median[key]), f"{errors[key]:.1e}" if key in errors else ""]
        for key in sorted(calls, key=lambda key: median[key])
    ]
    columns = ["library", "setting", "median", "largest error of a log loss"]
    counts = [k for k, error in errors.items() if error <= _LARGEST_ERROR and k[0] == SKLEARN]
    if not counts:  # at the least error
        counts = [min((k for k in errors if k[0] == SKLEARN), key=lambda k: errors[k])]
    rival = min(counts, key=lambda key: median[key])
    once = median[FASTRIDGE, "one fit"]
    return Table(f"Choosing C: {case.title}, 10 Cs", columns, lines), [
        Verdict(
            f"10 Cs x 5 folds, {case.title}",
            _FOLDS,
            median[rival] / median[FASTRIDGE, "5 folds"],
            remark=rival[1],
        ),
        Verdict("leave-one-out for 10 Cs", _LEAVE_ONE_OUT, median[FASTRIDGE, 'cv="alo"'] / once),
    ]
