"""Preconditioned conjugate gradients for several right sides, which share each product."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Operator = Callable[[np.ndarray], np.ndarray]

_RESTARTS = 2  # where the residual, computed again, is above the one carried along
_DRIFT = 3.0


class Solved(NamedTuple):
    """Solutions, the iterations, and the residuals left.

    Attributes
    ----------
    solution : ndarray of shape (n_vectors, n)
    n_iter : ndarray of shape (n_vectors,)
    residual : ndarray of shape (n_vectors,)
        The norm of the residual, in the metric of the preconditioner, relative to that of the
        right side. It is computed again from the solution.
    """

    solution: np.ndarray
    n_iter: np.ndarray
    residual: np.ndarray


def conjugate_gradients(
    multiply: Operator, precondition: Operator, right: np.ndarray, tol: float, max_iter: int
) -> Solved:
    """Solve A x = b for each row b of `right`, until ``r'P^-1 r <= tol^2 b'P^-1 b``.

    `multiply` returns A x and `precondition` P^-1 r, for every row of what they are given.
    """
    solution, n_iter = np.zeros_like(right), np.zeros(len(right), dtype=np.intc)
    residual = right.copy()
    first = _inner(right, precondition(right))
    for _ in range(1 + _RESTARTS):
        # an earlier run says what is left; most runs end here
        _run(multiply, precondition, residual, solution, n_iter, first, tol, max_iter)
        residual = right - multiply(solution)
        size = np.abs(_inner(residual, precondition(residual)))
        if (size <= (_DRIFT * tol) ** 2 * first).all() or (n_iter >= max_iter).any():
            break
    left = np.sqrt(np.divide(size, first, out=np.zeros_like(size), where=first > 0.0))
    return Solved(solution, n_iter, left)


def _run(
    multiply: Operator,
    precondition: Operator,
    residual: np.ndarray,
    solution: np.ndarray,
    n_iter: np.ndarray,
    first: np.ndarray,
    tol: float,
    max_iter: int,
) -> None:
    """Continue from a solution and its residual, both in place."""
    direction = precondition(residual)
    size = _inner(residual, direction)
    while True:
        active = (size > tol**2 * first) & (n_iter < max_iter)
        if not active.any():
            return
        product = multiply(direction)
        curvature = _inner(direction, product)
        active &= curvature > 0.0  # otherwise rounding is left, or an indefinite matrix
        if not active.any():
            return
        step = np.divide(size, curvature, out=np.zeros_like(size), where=active)
        solution += step[:, None] * direction
        residual -= step[:, None] * product
        n_iter += active
        z = precondition(residual)
        before, size = size, _inner(residual, z)
        ratio = np.divide(size, before, out=np.zeros_like(size), where=before > 0.0)
        direction = z + ratio[:, None] * direction


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("ij,ij->i", a, b))
