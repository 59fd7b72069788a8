"""Recover digits from X itself after a factorisation has lost some.

    coef += F^-1 (X'W(y - X coef - b) - penalty coef),   F = X'WX + diag(penalty) factored

These are corrected semi-normal equations (Bjorck, "Stability analysis of the method of
seminormal equations for linear least squares problems", Linear Algebra and its Applications
88/89, 1987). On small data residual and gradient are formed in twice the working precision
(Ogita, Rump, Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26, 2005), and what
remains is the rounding of the coefficients.
"""

import math
from typing import Protocol

import numpy as np

from fastridge._typing import Index
from fastridge.solvers.problem import Problem

_MAX_STEPS = 10
_EXTENDED_VALUES = 100_000  # the most values of X for which twice the precision is cheap
_EPS = float(np.finfo(float).eps)


class Solver(Protocol):
    """A factored X'WX + diag(penalty)."""

    def solve(self, rows: np.ndarray) -> np.ndarray: ...


def refine(
    problem: Problem, factor: Solver, penalty: np.ndarray, coef: np.ndarray, targets: Index
) -> int | None:
    """Correct `coef[targets]` in place; the number of steps, or None where they do not shrink."""
    n, p = problem.design.shape
    extended = n * p <= _EXTENDED_VALUES
    gradient = _extended_gradient if extended else _gradient
    last = np.inf
    # The lengths of the columns: a correction counts by how far it moves the fit.
    length = np.sqrt(penalty + problem.design.variances * problem.design.sum_weights)
    flat = problem.design.squares == 0.0  # whose gradient is rounding
    for step in range(1, _MAX_STEPS + 1):
        right = gradient(problem, coef[targets], targets)
        right[:, flat] = 0.0
        correction = factor.solve(right - penalty * coef[targets])
        size = np.abs(correction * length).max()
        whole = np.abs(coef[targets] * length).max()
        if not np.isfinite(size) or size > 0.5 * last:
            # No longer shrinking: at the level of rounding, or not converging at all.
            return step if last <= 1e-10 * whole else None
        coef[targets] += correction
        if size <= _EPS * whole:
            return step
        last = size
    return _MAX_STEPS


def _gradient(problem: Problem, coef: np.ndarray, targets: Index) -> np.ndarray:
    # X'W(y - X coef) about the centre
    residual = problem.residual(coef, targets)
    if problem.design.weight is not None:
        residual *= problem.design.weight[:, None]
    return problem.design.correlate(residual)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a + b as a rounded sum and its error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: np.ndarray, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return a * b as a rounded product and its error (Dekker, Veltkamp)."""
    product = a * b
    factor = 134217729.0  # 2^27 + 1
    a_high = factor * a - (factor * a - a)
    b_high = factor * b - (factor * b - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def _extended_gradient(problem: Problem, coef: np.ndarray, targets: Index) -> np.ndarray:
    """Compute `_gradient` with multiplications and sums in twice the working precision."""
    counted, weight = problem.design.counted, problem.design.weight
    X = np.asarray(problem.design.dense(counted), dtype=np.float64)
    mean = problem.design.centre
    weight = np.ones(len(X)) if weight is None else weight[counted]
    out = np.empty((len(coef), X.shape[1]))
    for k, y in enumerate(problem.loss.Y[counted][:, targets].T):
        high, low = y.copy(), np.zeros(len(y))
        for j, value in enumerate(coef[k]):
            product, error = _two_product(X[:, j], -value)
            high, rest = _two_sum(high, product)
            low += rest + error
        if problem.design.fit_intercept:
            # The intercept is free: the weighted residual has mean zero.
            shift = math.fsum([*(weight * high), *(weight * low)]) / problem.design.sum_weights
            high, rest = _two_sum(high, np.full(len(high), -shift))
            low += rest
        weighted, error = _two_product(weight, high)
        error += weight * low
        total = math.fsum([*weighted, *error])
        for j in range(X.shape[1]):
            product, rest = _two_product(X[:, j], weighted)
            rest += X[:, j] * error
            out[k, j] = math.fsum([*product, *rest, -mean[j] * total])
    return out
