"""Minimise over v >= 0 with as many unknowns as rows, if every column has a penalty.

With D the penalties, v = max(0, Z'u) / D at the minimum over u of the convex function

    f(u) = 1/2 |u|^2 - u'y + 1/2 sum_j max(0, Z_j'u)^2 / D_j

u is the residual. f is quadratic wherever the signs of Z'u stay, so Newton's steps with an exact
search along them end after finitely many (Li, Sun, Toh, SIAM J. Optim. 28, 2018). They begin with
large penalties, which are lowered step by step.
"""

import numpy as np

from fastridge.solvers.nonnegative.systems import RowSystem
from fastridge.solvers.nonnegative.triangle import TriangleSystem

_FIRST, _LOWER = 1e-2, 1e-2  # least penalty at first, and the factor that lowers it
_STEPS = 60  # for one penalty, after which the next is tried
_HALVINGS = 60


def start_by_dual(system: RowSystem | TriangleSystem, limit: int) -> tuple[np.ndarray, int]:
    """Return v for the penalties of `system`, not yet certified, and the number of steps."""
    least = float(system.shifted.min(initial=1.0))
    floor, n_iter = max(_FIRST, least), 0
    y = system.y
    u = y.copy()
    while True:
        D = np.maximum(system.shifted, floor)
        u, correlated, steps = _newton(system, u, D, limit - n_iter)
        n_iter += steps
        if floor <= least or n_iter >= limit:
            return np.maximum(correlated, 0.0) / D, n_iter
        floor = max(floor * _LOWER, least)


def _newton(
    system: RowSystem | TriangleSystem, u: np.ndarray, D: np.ndarray, limit: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return u and Z'u for the penalties D, and the number of steps."""
    y = system.y
    correlated = system.correlate(u)
    before, whole = None, False
    for step in range(min(limit, _STEPS)):
        free = correlated > 0.0
        if whole and before is not None and np.array_equal(free, before):
            return u, correlated, step
        before = free
        change = system.residual_of(np.flatnonzero(free), D) - u
        along = system.correlate(change)
        length = _search(u, change, y, correlated, along, D)
        whole = length == 1.0
        if length == 0.0:
            return u, correlated, step + 1
        u = u + length * change
        correlated = correlated + length * along
    return u, correlated, min(limit, _STEPS)


def _search(
    u: np.ndarray,
    change: np.ndarray,
    y: np.ndarray,
    correlated: np.ndarray,
    along: np.ndarray,
    D: np.ndarray,
) -> float:
    """Return the length in (0, 1] at which f is least along `change`."""
    weighted = along / D
    constant, linear = float((change * (u - y)).sum()), float((change * change).sum())

    def derivative(length: float) -> float:
        return (
            constant
            + length * linear
            + float(np.maximum(correlated + length * along, 0.0) @ weighted)
        )

    if derivative(1.0) <= 0.0:
        return 1.0
    low, high = 0.0, 1.0
    at_low, at_high = derivative(0.0), derivative(1.0)
    if at_low >= 0.0:  # rounding
        return 1.0 if abs(at_high) <= abs(at_low) else 0.0
    for _ in range(_HALVINGS):
        # regula falsi, every other time bisection
        for middle in (low - at_low * (high - low) / (at_high - at_low), 0.5 * (low + high)):
            if not low < middle < high:
                continue
            value = derivative(middle)
            if value <= 0.0:
                low, at_low = middle, value
            else:
                high, at_high = middle, value
        if high - low <= 1e-12 * high:
            break
    return high if low == 0.0 else low
