"""Features that an infinite penalty factor excludes: ridge is fitted without their columns."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix
from fastridge._validation import check_finite
from fastridge.designs import design_of
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.accumulate import CentredProducts
from fastridge.statistics.gram_statistics import GramStatistics

_CHECKED_VALUES = 1 << 17  # of X, copied at a time


class Kept:
    """The features that are not excluded.

    Parameters
    ----------
    factors : ndarray of shape (n_features,) or None
        Penalty factors; None excludes nothing, and everything is returned as it is.

    Notes
    -----
    Where no feature is kept, one column of zeros stands in for all of them, so that every solver
    and every way to choose alpha gives the model of the means.
    """

    def __init__(self, factors: np.ndarray | None) -> None:
        excluded = None if factors is None else np.isinf(np.asarray(factors, dtype=np.float64))
        self.excluded = excluded if excluded is not None and excluded.any() else None
        if self.excluded is not None:
            self.features = np.flatnonzero(~self.excluded)

    def problem(self, problem: Problem) -> Problem:
        """Return the problem of the kept features; raise ValueError if another is not finite."""
        if self.excluded is None:
            return problem
        design = problem.design
        if design.has_rows:
            self._check_excluded(design.X)
        if len(self.features):
            return problem.columns(self.features)
        penalty = problem.penalty.scaled_by(None)
        intercept, n_threads = design.fit_intercept, design.n_threads
        if design.statistics is not None:
            held = self._products(design.statistics)
            return problem_of(held, penalty, fit_intercept=intercept, n_threads=n_threads)
        zeros = np.zeros((design.shape[0], 1))
        X = sp.csr_array(zeros) if design.sparse else zeros
        nothing = design_of(X, design.weight, intercept, n_threads)
        return Problem(nothing, problem.loss, penalty)

    def statistics(self, folds: Sequence[GramStatistics]) -> list[GramStatistics]:
        """Return the statistics of the kept features, for each fold."""
        if self.excluded is None:
            return list(folds)
        return [
            GramStatistics._from_products(self._products(stats._held()), stats.y_ndim)
            for stats in folds
        ]

    def coef(self, coef: np.ndarray) -> np.ndarray:
        """Return coefficients of all features for those of the kept, along the last axis."""
        if self.excluded is None:
            return coef
        whole = np.zeros((*coef.shape[:-1], len(self.excluded)), dtype=coef.dtype)
        if len(self.features):
            whole[..., self.features] = coef
        return whole

    def _check_excluded(self, X: Matrix) -> None:
        """Raise ValueError if an excluded column, which no solver sees, is not finite."""
        if sp.issparse(X):
            check_finite(X, "X")
            return
        assert self.excluded is not None
        excluded = np.flatnonzero(self.excluded)
        step = max(1, _CHECKED_VALUES // len(excluded))
        for begin in range(0, X.shape[0], step):
            check_finite(X[begin : begin + step, excluded], "X")

    def _products(self, held: CentredProducts) -> CentredProducts:
        if len(self.features):
            return held.columns(self.features)
        return held._replace(
            x_mean=np.zeros(1),
            upper=np.zeros((1, 1)),
            xy=np.zeros((1, held.xy.shape[1])),
            shift=None,
            sums=None,
        )
