"""Conjugate gradients on the normal equations of several targets at once.

The iteration updates the residual of the rows as well as that of the normal equations (Björck,
"Numerical Methods for Least Squares Problems", 1996, algorithm 7.4.1), which loses fewer digits
than multiplying by X'X. Its scalars are those of the Lanczos process: the eigenvalues of the
tridiagonal matrix

    T_kk = 1 / a_k + b_{k-1} / a_{k-1},     T_{k,k+1} = b_k^1/2 / a_k

lie between those of the system and tend to them (Golub and Meurant, "Matrices, Moments and
Quadrature", 2010, chapter 6).
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, eigvalsh_tridiagonal

from fastridge.solvers.iterative.equilibrated import Equilibrated

_EPS = float(np.finfo(float).eps)
_ROUNDING = 8.0 * _EPS
_RESTARTS = 3
_LOST = 1e8  # a residual, relative to that of zero, that only rounding gives


@dataclass
class Found:
    """Solutions of every vector of an `Equilibrated` problem.

    Attributes
    ----------
    V : ndarray of shape (n_features, n_vectors)
    n_iter : ndarray of shape (n_vectors,)
    residual : ndarray of shape (n_vectors,)
        Norm of the gradient of coef * d, relative to that at zero.
    rcond : ndarray of shape (n_vectors,)
        Estimate of the reciprocal condition number of what was solved.
    error : ndarray of shape (n_vectors,)
        Estimate of the relative error of the solution.
    """

    V: np.ndarray
    n_iter: np.ndarray
    residual: np.ndarray
    rcond: np.ndarray
    error: np.ndarray

    def with_columns(self, other: "Found", some: np.ndarray) -> "Found":
        """Return what was found, with the vectors `some` as in another, and all steps counted."""
        return Found(
            np.where(some, other.V, self.V),
            self.n_iter + other.n_iter,
            np.where(some, other.residual, self.residual),
            np.where(some, other.rcond, self.rcond),
            np.where(some, other.error, self.error),
        )


def normal_equations(
    scaled: Equilibrated, tol: float, limit: int, accuracy: float = np.inf
) -> Found:
    """Solve until the residual is below `tol`, and the estimated error below `accuracy`.

    It ends earlier where rounding leaves nothing to win, or after `limit` steps.
    """
    p, t = scaled.design.shape[1], scaled.Y.shape[1]
    found = Found(np.zeros((p, t)), np.zeros(t, np.intc), np.zeros(t), np.ones(t), np.zeros(t))
    right = np.linalg.norm(scaled.by_unit(scaled.backward(scaled.Y)), axis=0)
    some = np.flatnonzero(right > 0.0)
    extremes = np.array([scaled.most_of_least(), np.zeros(t)])
    for _ in range(_RESTARTS):
        if not len(some):
            break
        before = found.n_iter.copy()
        _iterate(scaled, found, some, right, extremes, tol, limit, accuracy)
        # the updated residual drifts: compute it from scratch
        residual = scaled.Y[:, some] - scaled.forward(found.V[:, some], some)
        gradient = scaled.normal_gradient(residual, found.V[:, some], some)
        by_unit = np.linalg.norm(scaled.by_unit(gradient, some), axis=0)
        found.residual[some] = by_unit / right[some]
        size = np.linalg.norm(found.V[:, some], axis=0)
        least, most = extremes[:, some]
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.linalg.norm(gradient, axis=0) / (least * size)
            found.error[some] = np.where(size > 0.0, error, 0.0)
            found.rcond[some] = np.where(most > 0.0, np.minimum(least / most, 1.0), 1.0)
        right_now = (found.residual[some] <= 2.0 * tol) & (found.error[some] <= 2.0 * accuracy)
        spent = (found.n_iter[some] >= limit) | (found.n_iter[some] == before[some])
        some = some[~(right_now | spent)]
    lost = ~(found.residual < _LOST)
    found.V[:, lost], found.error[lost] = 0.0, np.inf
    return found


def _iterate(
    scaled: Equilibrated,
    found: Found,
    some: np.ndarray,
    right: np.ndarray,
    extremes: np.ndarray,
    tol: float,
    limit: int,
    accuracy: float,
) -> None:
    """Iterate from `found.V`; write the result there, and to `extremes`."""
    V = found.V[:, some]
    residual = scaled.Y[:, some]
    if V.any():
        residual -= scaled.forward(V, some)
    gradient = scaled.normal_gradient(residual, V, some)
    direction = gradient.copy()
    square = (gradient**2).sum(axis=0)
    steps: list[np.ndarray] = []
    ratios: list[np.ndarray] = []
    started, check, early = some, 1, 1
    while True:
        over = (square == 0.0) | (found.n_iter[some] >= limit)
        norm = np.linalg.norm(scaled.by_unit(gradient, some), axis=0)
        reached = norm <= tol * right[some]
        ended = over | reached if np.isinf(accuracy) else over
        if steps and (ended.any() or len(steps) >= (early if reached.any() else check)):
            check = max(len(steps) + 10, int(1.2 * len(steps)))
            early = max(len(steps) + 2, int(1.05 * len(steps)))
            columns = np.searchsorted(started, some)
            _update_extremes(extremes, some, np.array(steps), np.array(ratios), columns)
            size, length = np.linalg.norm(V, axis=0), np.sqrt(square)
            least, most = extremes[:, some]
            # the rounding of a gradient with such terms
            lost = length <= _ROUNDING * (most * size + np.sqrt(most))
            ended |= lost | (reached & (length <= accuracy * least * size))
        if ended.any():
            found.V[:, some[ended]] = V[:, ended]
            stay = ~ended
            some = some[stay]
            if not len(some):
                return
            V, residual, direction = V[:, stay], residual[:, stay], direction[:, stay]
            gradient, square = gradient[:, stay], square[stay]
        product = scaled.forward(direction, some)
        curvature = (product**2).sum(axis=0) + scaled.penalised(direction, some)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0.0)
        V += step * direction
        residual -= step * product
        gradient = scaled.normal_gradient(residual, V, some)
        new = (gradient**2).sum(axis=0)
        ratio = np.where(step > 0.0, new / square, 0.0)
        direction *= ratio
        direction += gradient
        square = np.where(step > 0.0, new, 0.0)
        found.n_iter[some] += 1
        for kept, values in ((steps, step), (ratios, ratio)):
            row = np.zeros(len(started))
            row[np.searchsorted(started, some)] = values
            kept.append(row)


def _update_extremes(
    extremes: np.ndarray,
    some: np.ndarray,
    steps: np.ndarray,
    ratios: np.ndarray,
    columns: np.ndarray,
) -> None:
    """Lower `extremes[0]` and raise `extremes[1]` to the ends of the Lanczos matrices."""
    for vector, column in zip(some, columns, strict=True):
        a, b = steps[:, column], ratios[:, column]
        stop = len(a) if a.all() else int(np.argmin(a))
        if not stop:
            continue
        a, b = a[:stop], b[: stop - 1]
        diagonal = 1.0 / a
        diagonal[1:] += b / a[:-1]
        off_diagonal = np.sqrt(b) / a[:-1]
        if stop == 1:
            least = most = float(diagonal[0])
        else:
            try:
                ends = [
                    eigvalsh_tridiagonal(diagonal, off_diagonal, select="i", select_range=(k, k))[0]
                    for k in (0, stop - 1)
                ]
            except (LinAlgError, ValueError):
                continue
            least, most = float(ends[0]), float(ends[1])
        # rounding may bring it below zero
        least = max(least, _EPS * most)
        extremes[0, vector] = min(extremes[0, vector], least)
        extremes[1, vector] = max(extremes[1, vector], most)
