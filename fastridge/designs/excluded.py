"""Features that an infinite penalty factor excludes: ridge is fitted without their columns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._validation import check_finite
from fastridge.designs.ridge_problem import RidgeProblem
from fastridge.statistics.accumulate import CentredProducts
from fastridge.statistics.gram_statistics import GramStatistics

_CHECKED_VALUES = 1 << 17  # of X, copied at a time


class Kept:
    """The features that are not excluded.

    Parameters
    ----------
    factors : ndarray of shape (n_features,) or None
        Penalty factors; None excludes nothing, and everything is handed on as it is.

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
            kept = np.asarray(factors, dtype=np.float64)[self.features]
            self._factors = kept if len(kept) else np.ones(1)

    def problem(self, problem: RidgeProblem) -> RidgeProblem:
        """Return the problem of the kept features."""
        if self.excluded is None:
            return problem
        products = problem.given_products
        return replace(
            problem,
            X=None if problem.X is None else self._columns(problem.X, problem.estimator),
            factors=self._factors,
            given_products=None if products is None else self._products(products),
        )

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

    def _columns(self, X: Any, estimator: Any) -> Any:
        """Return the kept columns: a view where they are neighbours, otherwise a copy."""
        self._check_excluded(X, estimator)
        kept = self.features
        if not len(kept):
            nothing = np.zeros((X.shape[0], 1))
            return sp.csr_array(nothing) if sp.issparse(X) else nothing
        begin, end = int(kept[0]), int(kept[-1]) + 1
        return X[:, begin:end] if end - begin == len(kept) else X[:, kept]

    def _check_excluded(self, X: Any, estimator: Any) -> None:
        """ValueError where an excluded column is not finite, which no solver would see."""
        if sp.issparse(X):
            check_finite(X, "X", estimator)
            return
        assert self.excluded is not None
        excluded = np.flatnonzero(self.excluded)
        step = max(1, _CHECKED_VALUES // len(excluded))
        for begin in range(0, X.shape[0], step):
            check_finite(X[begin : begin + step, excluded], "X", estimator)

    def _products(self, held: CentredProducts) -> CentredProducts:
        kept = self.features
        if not len(kept):
            return held._replace(
                x_mean=np.zeros(1), upper=np.zeros((1, 1)), xy=np.zeros((1, held.xy.shape[1]))
            )
        return held._replace(
            x_mean=held.x_mean[kept],
            upper=np.ascontiguousarray(held.upper[np.ix_(kept, kept)]),
            xy=np.ascontiguousarray(held.xy[kept]),
        )
