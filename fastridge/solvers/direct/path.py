"""Ridge at many alphas from one factorisation.

The equations stand in `spectrum`.
"""

from typing import NamedTuple

import numpy as np

from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import call_lapack
from fastridge.solvers.direct.spectrum import automatic_alphas
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import problem_of
from fastridge.statistics.accumulate import symmetric
from fastridge.statistics.gram_statistics import GramStatistics


class PathResult(NamedTuple):
    """Coefficients for every alpha; `spectrum` holds the penalised Gram's eigenvalues."""

    alphas: np.ndarray  # (n_alphas,)
    coefs: np.ndarray  # (n_alphas, n_targets, n_features)
    intercepts: np.ndarray  # (n_alphas, n_targets)
    spectrum: np.ndarray


def statistics_path(
    stats: GramStatistics,
    alphas: np.ndarray,
    *,
    fit_intercept: bool = True,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: np.ndarray | None = None,
) -> PathResult:
    """Return ridge coefficients at every alpha from statistics alone.

    Parameters
    ----------
    stats : GramStatistics
    alphas : array-like of shape (n_alphas,)
    fit_intercept, alpha_scale, standardize, penalty_factors
        As for `fastridge.Ridge`.

    Returns
    -------
    PathResult
    """
    penalty = L2Penalty(alpha_scale=alpha_scale, standardize=standardize, factors=penalty_factors)
    kept = Kept(penalty.factors)
    problem = kept.problem(problem_of(stats._held(), penalty, fit_intercept=fit_intercept))
    alphas = np.asarray(alphas, dtype=float)
    summed = problem.on_sums(alphas)
    spectrum = spectrum_of(problem, float(summed.min()))
    coefs = spectrum.coefs(summed)
    return PathResult(alphas, kept.coef(coefs), problem.intercept(coefs), spectrum.values)


def default_alphas(
    stats: GramStatistics,
    n_alphas: int | None = None,
    *,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: np.ndarray | None = None,
) -> np.ndarray:
    """Return increasing alphas from nearly no shrinkage to nearly all, by the spectrum of the Gram.

    They reach from 1e-6 of the least squared length of a column to 10 times the largest
    eigenvalue, evenly in the log. There are 100 unless told, more where units differ very much.
    """
    penalty = L2Penalty(standardize=standardize, factors=penalty_factors)
    problem = problem_of(stats._held(), penalty)
    keep = np.flatnonzero((problem.scale > 0.0) & (problem.scale < np.inf))
    root = np.sqrt(problem.scale[keep])
    G = symmetric(problem.design.gram)[np.ix_(keep, keep)] / root / root[:, None]
    top = call_lapack(len(G), np.linalg.eigvalsh, G)[-1] if len(keep) else 0.0
    scale = stats.sum_weights if alpha_scale == "mean" else 1.0
    return automatic_alphas(problem, float(top), n_alphas) / scale
