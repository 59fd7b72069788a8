"""Coordinate descent on the dual, for many rows and many features.

Each epoch visits the rows in a new order. Rows that stay at a bound leave it; before the end all
rows are visited again. On the way the sum of each row's shortfall, found before its step, estimates
the gap for nothing; if it is small enough, a pass over all rows with fixed coefficients decides.

A free intercept adds ``1'beta = 0`` to the dual. Steps of the method of multipliers meet it: epochs
with a penalty of the distance from the last intercept, which then moves.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fastridge._kernels import dual_coordinate_descent as _kernel
from fastridge.designs.design import Design
from fastridge.solvers.svm.problem import MarginProblem, MarginResult
from fastridge.solvers.svm.spaces import linear_predictors

_SLICE_VALUES = 1 << 20
_NOTHING = np.empty(0)
_CHECK_AGAIN = 0.7  # of the estimate of the gap at the last pass that was not enough
_MOST_INTERCEPTS = 50


def minimise(
    problem: MarginProblem,
    epsilon: float,
    rng: np.random.Generator,
    *,
    tol: float,
    max_iter: int,
    start: np.ndarray | None = None,
) -> MarginResult:
    """Minimise until the gap is at most tol times the objective, from `start` of beta or zero."""
    run = _Run(problem, epsilon, rng, start)
    if not problem.has_free_intercept:
        return run.to_end(tol, max_iter)
    for _ in range(_MOST_INTERCEPTS):
        found = run.to_end(tol, max_iter)
        if run.is_balanced(found, tol) or found.not_converged is not None:
            break
        run.intercept += run.scale * float(run.beta.sum())
    return run.balanced(found)


class _Run:
    def __init__(
        self,
        problem: MarginProblem,
        epsilon: float,
        rng: np.random.Generator,
        start: np.ndarray | None,
    ) -> None:
        self.problem, self.epsilon, self.rng = problem, epsilon, rng
        design = problem.design.by_rows()
        self.design, n = design, design.shape[0]
        self.y = np.ascontiguousarray(problem.target)
        both = len(problem.q) == 2
        self.lower = -problem.upper[1] if both else np.ascontiguousarray(problem.lower[0])
        self.upper = np.ascontiguousarray(problem.upper[0])
        squares = row_squares(design)
        pi = problem.intercept_penalty
        self.scale = 0.0
        if pi < np.inf:
            self.scale = 1.0 / pi if pi > 0.0 else max(float(squares.mean()), 1e-300)
        self.ridge = _NOTHING if problem.curvature is None else 1.0 / problem.curvature
        self.curvature = squares + self.scale
        if len(self.ridge):
            self.curvature += self.ridge
        self.curvature = np.maximum(self.curvature, 1e-300)
        self.beta = np.zeros(n) if start is None else start.copy()
        self.order = np.arange(n, dtype=np.intp)
        self.intercept = 0.0 if pi > 0.0 else float(_first_intercept(self.y, problem))
        self.n_iter, self.kernel = 0, kernel_of(design, _kernel)
        self._renew()

    def _renew(self) -> None:
        """Compute the coefficients from beta, without the rounding of the steps."""
        self.coef = np.ascontiguousarray(self.design.correlate(self.beta[:, None])[0])
        if self.problem.intercept_penalty > 0.0:
            self.intercept = self.scale * float(self.beta.sum())

    def to_end(self, tol: float, max_iter: int) -> MarginResult:
        n = len(self.y)
        n_active, threshold, last_failed = n, np.inf, np.inf
        objective = np.inf
        while True:
            if self.n_iter >= max_iter:
                gap, objective = self._exact()
                word = None if gap <= tol * objective else not_converged(self.n_iter)
                return self._result(objective, gap, word)
            self.rng.shuffle(self.order[:n_active])
            kept, largest, estimate = self._epoch(n_active, threshold)
            self.n_iter += 1
            whole, n_active = n_active == n, kept
            threshold = largest if largest > 0.0 else np.inf
            if objective == np.inf:
                gap, objective = self._exact()
                if gap <= tol * objective:
                    return self._result(objective, gap, None)
                continue
            still = kept == 0 or largest == 0.0
            if still or estimate <= min(tol * objective, _CHECK_AGAIN * last_failed):
                self._renew()
                gap, objective = self._exact()
                if gap <= tol * objective or (whole and largest == 0.0):
                    return self._result(objective, gap, None)
                if whole:
                    last_failed = estimate
                n_active, threshold = n, np.inf

    def _epoch(self, n_active: int, threshold: float) -> tuple[int, float, float]:
        kept, largest, shortfall = 0, 0.0, 0.0
        step = rows_of_slice(self.design)
        rest = (self.y, self.lower, self.upper, self.curvature, self.ridge, self.epsilon, threshold)
        for begin in range(0, n_active, step):
            end, point = min(begin + step, n_active), (self.intercept, self.beta, self.coef)
            found = self.kernel(self.order, begin, end, kept, *rest, self.scale, *point)
            kept, self.intercept, violation, missing = found
            largest, shortfall = max(largest, violation), shortfall + missing
        return kept, largest, shortfall

    def _exact(self) -> tuple[float, float]:
        """Return the gap and the objective of the present coefficients."""
        problem = self.problem
        r = problem.residual(linear_predictors(self.design, self.coef, self.intercept))
        objective = problem.penalty_of(self.coef, self.intercept) + problem.loss(r)
        return problem.shortfall(r, self._z()), objective

    def _z(self) -> np.ndarray:
        if len(self.problem.q) == 1:
            return self.beta[None]
        return np.stack([np.maximum(self.beta, 0.0), np.maximum(-self.beta, 0.0)])

    def _result(self, objective: float, gap: float, warning: str | None) -> MarginResult:
        return MarginResult(
            self.coef.copy(), self.intercept, objective, gap, self.n_iter, "dual-cd", warning
        )

    def is_balanced(self, found: MarginResult, tol: float) -> bool:
        """Return whether beta moved to ``1'beta = 0`` is good enough."""
        new = self.balanced(found)
        return new.gap <= 2.0 * tol * new.objective

    def balanced(self, found: MarginResult) -> MarginResult:
        """Return the result of beta moved to where its sum is zero."""
        total = float(self.beta.sum())
        side = (self.beta > 0.0) == (total > 0.0)
        part = float(self.beta[side].sum())
        kept, coef = self.beta, self.coef
        if part != 0.0:
            self.beta = np.where(side, self.beta * (1.0 - total / part), self.beta)
        self._renew()
        gap, objective = self._exact()
        result = self._result(objective, gap, found.not_converged)
        self.beta, self.coef = kept, coef
        return result


def kernel_of(design: Design, kernels: Any) -> Callable[..., Any]:
    """Return the kernel for these rows, bound to them."""
    X: Any = design.X
    if design.sparse:
        return partial(kernels.descend_sparse, X.data, X.indices, X.indptr)
    return partial(kernels.descend_dense, X)


def rows_of_slice(design: Design, n_outputs: int = 1) -> int:
    """Return the number of rows between two checks for interrupts."""
    per_row = max(1, design.n_values // design.shape[0]) * n_outputs
    return max(1, _SLICE_VALUES // per_row)


def row_squares(design: Design) -> np.ndarray:
    """Return the squared lengths of the rows."""
    X: Any = design.X
    if design.sparse:
        squares, stored = np.zeros(X.shape[0]), np.flatnonzero(np.diff(X.indptr))
        if len(stored):
            values = X.data.astype(np.float64) ** 2
            squares[stored] = np.add.reduceat(values, X.indptr[stored])
        return squares
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def _first_intercept(y: np.ndarray, problem: MarginProblem) -> float:
    return 0.0 if problem.lower.min() == 0.0 == problem.upper.max() else float(np.median(y))


def not_converged(n_iter: int) -> str:
    """Return the warning of epochs that ended early."""
    return (
        f"coordinate descent stopped after {n_iter} epochs before it reached the tolerance: "
        "raise max_iter or tol."
    )
