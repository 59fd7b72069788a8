"""Crammer and Singer's support vector machine, by coordinate descent on its dual.

1/2 sum_k |w_k|^2 + sum_i v_i max_k (x_i'w_k - x_i'w_{y_i} + [k != y_i])
"""

from typing import Any, NamedTuple

import numpy as np

from fastridge._kernels import crammer_singer as _kernel
from fastridge.designs.design import Design
from fastridge.solvers.svm.dual_coordinate_descent import (
    kernel_of,
    not_converged,
    row_squares,
    rows_of_slice,
)

_LEAST_CURVATURE = 1e-300
_CHECK_AGAIN = 0.7  # of the estimate of the gap at the last pass that was not enough


class ClassesResult(NamedTuple):
    """Coefficients of the classes, (n_classes, n_features), and how they were found."""

    coef: np.ndarray
    intercept: np.ndarray
    objective: float
    gap: float
    n_iter: int
    not_converged: str | None
    solver: str = "dual-cd"


def minimise(
    design: Design,
    codes: np.ndarray,
    n_classes: int,
    weight: np.ndarray,
    scale: float,
    rng: np.random.Generator,
    *,
    tol: float,
    max_iter: int,
) -> ClassesResult:
    """Minimise until the gap is at most tol times the objective.

    An intercept has the penalty 1 / `scale`; there is none if `scale` is zero.
    """
    design = design.by_rows()
    X: Any = design.X
    n, p = design.shape
    curvature = np.maximum(row_squares(design) + scale, _LEAST_CURVATURE)
    a, coef = np.zeros((n, n_classes)), np.zeros((p + 1, n_classes))
    order, work = np.arange(n, dtype=np.intp), np.empty((4, n_classes))
    step, kernel = rows_of_slice(design, n_classes), kernel_of(design, _kernel)
    rest = (codes, weight, curvature, scale, a, coef, work)
    objective, failed, n_iter, largest = np.inf, np.inf, 0, np.inf

    def exact() -> tuple[float, float]:
        """Return the gap and the objective of the present coefficients."""
        eta = np.asarray(X @ coef[:-1]) + coef[-1]
        own = eta[np.arange(n), codes]
        margins = eta - own[:, None] + 1.0
        margins[np.arange(n), codes] = 0.0
        losses = weight * margins.max(axis=1)
        penalty = 0.5 * float((coef[:-1] ** 2).sum())
        if scale > 0.0:
            penalty += 0.5 * float((coef[-1] ** 2).sum()) / scale
        missing = losses - a[np.arange(n), codes] + (a * eta).sum(axis=1)
        return float(missing.sum()), penalty + float(losses.sum())

    warning = None
    while True:
        gap = np.inf
        if n_iter < max_iter:
            rng.shuffle(order)
            largest = estimate = 0.0
            for begin in range(0, n, step):
                found = kernel(order, begin, min(begin + step, n), *rest)
                largest, estimate = max(largest, found[0]), estimate + found[1]
            n_iter += 1
        done = n_iter >= max_iter or largest == 0.0
        if done or objective == np.inf or estimate <= min(tol * objective, _CHECK_AGAIN * failed):
            gap, objective = exact()
            failed = estimate if n_iter > 1 else np.inf
        if gap <= tol * objective or done:
            break
    if gap > tol * objective and largest > 0.0:
        warning = not_converged(n_iter)
    return ClassesResult(coef[:-1].T.copy(), coef[-1].copy(), objective, gap, n_iter, warning)
