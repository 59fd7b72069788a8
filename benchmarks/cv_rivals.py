"""Adapters of the task `cv`: how each rival chooses the penalty, and returns its choice.

An adapter's `cv` takes a problem and a thread count and returns the call to be timed, as in
`rivals.py`; `chosen` and `scores` read the answer. All use the mean squared error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import GRAM_PASS, Problem
from .rivals import BoleyEM, Call, Fastridge, Himalaya, ScikitLearn

_SCORING = "neg_mean_squared_error"
# scikit-learn refits for each fold and alpha, so a case of this size takes it minutes
_MOST_REFIT_ROWS = 500_000
# himalaya maps training rows to test rows with one matrix per alpha
_MOST_HIMALAYA_BYTES = 1 << 30


class FastridgeCV(Fastridge):
    """`fastridge.RidgeCV`."""

    def cv(self, problem: Problem, threads: int) -> Call | None:
        """Return a call that chooses the penalty and fits."""
        case = problem.case
        model = self._library.RidgeCV(
            problem.alphas,
            cv=case.folds or None,
            scoring=_SCORING if case.method == "kfold" else None,
            alpha_per_target=case.n_targets > 1,
            method=case.method,
            standardize=case.method == "em",
            n_threads=threads,
        )
        return lambda: model.fit(problem.X, problem.y)

    def chosen(self, answer: Any) -> np.ndarray:
        """Return the chosen penalty of each target, (t,)."""
        return np.atleast_1d(answer.alpha_)

    def scores(self, answer: Any, problem: Problem) -> np.ndarray:
        """Return the mean score of each alpha and target, (a, t); NaN if the rival keeps none."""
        return answer.mean_scores_.reshape(len(problem.alphas), -1)


def _best_only(alphas: np.ndarray, chosen: np.ndarray, best: Any) -> np.ndarray:
    """Return scores (a, t) of a rival that returns only the best, NaN elsewhere."""
    scores = np.full((len(alphas), len(chosen)), np.nan)
    nearest = np.abs(np.log(alphas)[:, None] - np.log(chosen)).argmin(axis=0)
    scores[nearest, np.arange(len(chosen))] = best
    return scores


class GramPass(FastridgeCV):
    """One pass of `GramStatistics.from_data`, our minimum cost of reading the data."""

    name = GRAM_PASS
    note = "GramStatistics.from_data alone, without a choice"

    def cv(self, problem: Problem, threads: int) -> Call | None:
        if problem.case.goal.against != GRAM_PASS:
            return None
        return self.gram(problem, threads)

    def chosen(self, answer: Any) -> np.ndarray:
        return np.full(1, np.nan)

    def scores(self, answer: Any, problem: Problem) -> np.ndarray:
        return np.full((len(problem.alphas), 1), np.nan)


class ScikitLearnCV(ScikitLearn):
    """`sklearn.linear_model.RidgeCV` with its defaults, and the folds and score of the case."""

    note = ""

    def cv(self, problem: Problem, threads: int) -> Call | None:
        case = problem.case
        supported = case.n_targets == 1 and case.method in ("loo", "kfold")
        if not supported or case.n_samples > _MOST_REFIT_ROWS:
            return None
        folds = case.method == "kfold"
        model = self._library.RidgeCV(
            problem.alphas, cv=case.folds if folds else None, scoring=_SCORING if folds else None
        )
        return lambda: model.fit(problem.X, problem.y)

    def chosen(self, answer: Any) -> np.ndarray:
        return np.atleast_1d(answer.alpha_)

    def scores(self, answer: Any, problem: Problem) -> np.ndarray:
        return _best_only(problem.alphas, self.chosen(answer), answer.best_score_)


class HimalayaCV(Himalaya):
    """`himalaya.ridge.RidgeCV` on the NumPy backend: one alpha per target, one SVD per fold."""

    note = "choice by RidgeCV(solver='svd')"

    def cv(self, problem: Problem, threads: int) -> Call | None:
        case = problem.case
        if case.method != "kfold":
            return None
        test = case.n_samples // case.folds
        if 8 * len(problem.alphas) * test * (case.n_samples - test) > _MOST_HIMALAYA_BYTES:
            return None
        from sklearn.model_selection import KFold

        model = self._ridge.RidgeCV(alphas=problem.alphas, fit_intercept=True, cv=KFold(case.folds))
        y = problem.y.reshape(case.n_samples, -1)
        return lambda: model.fit(problem.X, y)

    def chosen(self, answer: Any) -> np.ndarray:
        return np.atleast_1d(answer.best_alphas_)

    def scores(self, answer: Any, problem: Problem) -> np.ndarray:
        return _best_only(problem.alphas, self.chosen(answer), answer.cv_scores_)


class BoleyEMCV(BoleyEM):
    """RidgeEM, whose `normalize=True` is our `standardize=True`."""

    note = "choice with normalize=True"

    def cv(self, problem: Problem, threads: int) -> Call | None:
        if problem.case.method != "em":
            return None
        model = self._library.RidgeEM(normalize=True)
        return lambda: model.fit(problem.X, problem.y)

    def chosen(self, answer: Any) -> np.ndarray:
        return np.atleast_1d(answer.alpha_)


CV_ADAPTERS = (FastridgeCV, GramPass, ScikitLearnCV, HimalayaCV, BoleyEMCV)
