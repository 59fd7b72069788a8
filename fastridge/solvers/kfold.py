"""Exact k-fold cross-validation of ridge from the statistics of each fold.

The rows outside a fold are the sum of the other folds' statistics, by prefix and suffix sums
(no subtraction), and the error inside it is a quadratic form in the fold's own:

    sum_i w_i (y_i - x_i coef - b)^2
        = yy - 2 coef xy + coef xx coef' + W (y_mean - x_mean coef' - b)^2
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastridge._accumulate import CentredProducts, symmetric
from fastridge.solvers.path import problem_of, solve_path
from fastridge.statistics import GramStatistics, merged


class KFoldPath(NamedTuple):
    """Validation errors of every alpha in every fold."""

    alphas: np.ndarray  # (n_alphas,)
    mse: np.ndarray  # (n_alphas, n_folds, n_targets)
    mean: np.ndarray  # (n_alphas,), over folds and targets
    standard_error: np.ndarray  # (n_alphas,), of the mean over folds
    best: int


def kfold_path(
    fold_stats: Sequence[GramStatistics],
    alphas: np.ndarray,
    *,
    fit_intercept: bool = True,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: np.ndarray | None = None,
) -> KFoldPath:
    """Mean squared error of ridge at every alpha in every fold, fitted on the other folds.

    Parameters
    ----------
    fold_stats : sequence of GramStatistics
        At least two, of disjoint rows; none empty.
    alphas : array-like of shape (n_alphas,)
    fit_intercept, alpha_scale, standardize, penalty_factors
        As for `fastridge.Ridge`; standardising is redone outside each fold.

    Returns
    -------
    KFoldPath
        `mean` weighs each fold alike, as scikit-learn does.

    Raises
    ------
    ValueError
        Where there are fewer than two folds, or one holds no rows.
    """
    empty = [k for k, stats in enumerate(fold_stats) if not stats.n_samples]
    if empty:
        raise ValueError(f"fold {empty[0]} is empty: use fewer folds, or more rows.")
    folds = [stats._held() for stats in fold_stats]
    if len(folds) < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, got {len(folds)}.")
    alphas = np.asarray(alphas, dtype=float)
    t = len(folds[0].y_mean)
    mse = np.empty((len(alphas), len(folds), t))
    for k, (fold, others) in enumerate(zip(folds, _all_but_one(folds), strict=True)):
        problem = problem_of(
            others,
            fit_intercept=fit_intercept,
            alpha_scale=alpha_scale,
            standardize=standardize,
            penalty_factors=penalty_factors,
        )
        path = solve_path(problem, alphas)
        mse[:, k] = squared_error(fold, path.coefs, path.intercepts) / fold.sum_weights
    per_fold = mse.mean(axis=2)
    mean = per_fold.mean(axis=1)
    spread = per_fold.std(axis=1, ddof=1) / np.sqrt(len(folds))
    return KFoldPath(alphas, mse, mean, spread, int(mean.argmin()))


def _all_but_one(folds: list[CentredProducts]) -> list[CentredProducts]:
    prefix, suffix = [folds[0]], [folds[-1]]
    for fold in folds[1:-1]:
        prefix.append(merged(prefix[-1], fold))
    for fold in folds[-2:0:-1]:
        suffix.append(merged(suffix[-1], fold))
    suffix.reverse()
    middle = [merged(a, b) for a, b in zip(prefix[:-1], suffix[1:], strict=True)]
    return [suffix[0], *middle, prefix[-1]]


def squared_error(fold: CentredProducts, coefs: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    """Weighted sum of squared errors on a fold's rows, of shape (n_alphas, n_targets)."""
    p = coefs.shape[2]
    G = symmetric(fold.upper)
    flat = coefs.reshape(-1, p)
    quadratic = ((flat @ G) * flat).sum(axis=1).reshape(coefs.shape[:2])
    linear = (coefs * fold.xy.T).sum(axis=2)
    shift = fold.y_mean - coefs @ fold.x_mean - intercepts
    return np.maximum(fold.yy - 2.0 * linear + quadratic, 0.0) + fold.sum_weights * shift**2
