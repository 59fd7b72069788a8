"""Coefficients that are free at the minimum, solved for as Ridge would without a bound.

The conditions of the minimum hold to rounding where coefficients along directions of small spread
are still wrong by the square of the condition number. Ridge refines such coefficients by the rows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastridge.designs.ridge_problem import RidgeProblem, Solution
from fastridge.runtime.threads import call_once_over
from fastridge.statistics.accumulate import CentredProducts

Solver = Callable[[RidgeProblem], Solution]


def free_coef(problem: RidgeProblem, solve: Solver, k: int, columns: np.ndarray) -> np.ndarray:
    """The k-th target's coefficients of `columns`, where all others are zero; NaN if not found."""
    y = problem.y
    assert y is not None
    size = problem.X.nnz if problem.sparse else problem.shape[0] * len(columns)
    part = RidgeProblem(
        call_once_over(4 * size, _columns_of, problem.X, columns),
        y if y.ndim == 1 else np.ascontiguousarray(y[:, k]),
        problem.weight,
        problem.alphas[k if len(problem.alphas) > 1 else 0][None],
        fit_intercept=problem.fit_intercept,
        factors=problem.scale[columns],
        n_threads=problem.n_threads,
        estimator=problem.estimator,
    )
    if problem.has_products:
        part.given_products = _part_of(problem.products, k, columns)
    solution = solve(part)
    if solution.not_converged:
        return np.full(len(columns), np.nan)
    found: np.ndarray = solution.coef[0]
    return found


def _columns_of(X: Any, columns: np.ndarray) -> Any:
    return X[:, columns]


def _part_of(products: CentredProducts, k: int, columns: np.ndarray) -> CentredProducts:
    return products._replace(
        x_mean=products.x_mean[columns],
        y_mean=products.y_mean[k : k + 1],
        upper=np.ascontiguousarray(products.upper[np.ix_(columns, columns)]),
        xy=np.ascontiguousarray(products.xy[columns, k : k + 1]),
        yy=products.yy[k : k + 1],
    )
