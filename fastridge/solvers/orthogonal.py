"""Orthogonal factorisations: QR of X by blocks of rows, SVD, and eigenvectors of the Gram.

QR of X by blocks (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and
sequential QR and LU factorizations", SIAM J. Sci. Comput. 34, 2012) squares no condition
number and needs O(p^2) memory: the triangle so far is factored together with the next rows.
"""

import numpy as np
import scipy.linalg

from fastridge._threads import call_lapack
from fastridge.solvers.cholesky import alpha_groups
from fastridge.solvers.problem import RidgeProblem, Solution
from fastridge.solvers.refine import refine

_EPS = float(np.finfo(float).eps)


def triangle(problem: RidgeProblem) -> tuple[np.ndarray, np.ndarray]:
    """R and C with R'R = X'WX and R'C = X'WY, centred, from an orthogonal reduction."""
    n, p = problem.shape
    problem.check_range()
    x_centre, y_centre = problem.centre
    Y, t = problem.Y, len(y_centre)
    step = max(4 * (p + t), (1 << 17) // (p + t), 64)
    factor = np.empty((0, p + t))
    for begin in range(0, n, step):
        end = min(begin + step, n)
        rows = problem.X[begin:end]
        block = np.empty((len(factor) + end - begin, p + t))
        block[: len(factor)] = factor
        new = block[len(factor) :]
        new[:, :p] = rows.toarray() if problem.sparse else rows
        new[:, :p] -= x_centre
        new[:, p:] = Y[begin:end] - y_centre
        if problem.weight is not None:
            new *= np.sqrt(problem.weight[begin:end])[:, None]
        factor = call_lapack(p + t, np.linalg.qr, block, mode="r")
    rank = min(p, len(factor))
    return factor[:rank, :p], factor[:rank, p:]


def solve_qr(problem: RidgeProblem) -> Solution:
    """QR of X, then of its triangle stacked on the root of the penalty.

    Where that has not full rank, the minimum-norm solution by the SVD.
    """
    R, C = triangle(problem)
    p = R.shape[1]
    coef = np.empty((C.shape[1], p))
    worst, solver = 1.0, "qr"
    for alpha, targets in alpha_groups(problem.alphas):
        penalty = alpha * problem.scale
        stacked = np.vstack([R, np.diag(np.sqrt(penalty))]) if penalty.any() else R
        length = np.sqrt((stacked**2).sum(axis=0))
        rcond = 0.0
        if len(stacked) >= p and length.all():
            Q, T = call_lapack(p, np.linalg.qr, stacked / length)
            rcond = _triangle_rcond(T)
        if rcond > p * _EPS:
            factor = _Triangle(T, length)
            coef[targets] = factor.solve_orthogonal(Q[: len(R)].T @ C[:, targets])
            refine(problem, factor, penalty, coef, targets)
        else:
            coef[targets], rcond = _minimum_norm(R, C[:, targets], penalty)
            solver = "svd"
        worst = min(worst, rcond)
    return Solution(coef, solver, worst)


class _Triangle:
    """T with X'WX + diag(penalty) = L T'T L, L the lengths of the columns."""

    def __init__(self, T: np.ndarray, length: np.ndarray) -> None:
        self._T = T
        self._length = length

    def solve_orthogonal(self, right: np.ndarray) -> np.ndarray:
        """Rows of L^-1 T^-1 right."""
        solved = scipy.linalg.solve_triangular(self._T, right, check_finite=False)
        return (solved / self._length[:, None]).T

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """L^-1 T^-1 T'^-1 L^-1 applied to every row."""
        right = (rows / self._length).T
        half = scipy.linalg.solve_triangular(self._T, right, trans="T", check_finite=False)
        return self.solve_orthogonal(half)


def _triangle_rcond(T: np.ndarray) -> float:
    """Reciprocal condition number 1 / (|T|_1 |T^-1|_1)."""
    if not np.diagonal(T).all():
        return 0.0
    inverse = scipy.linalg.solve_triangular(T, np.eye(len(T)), check_finite=False)
    condition = float(np.linalg.norm(T, 1) * np.linalg.norm(inverse, 1))
    return 1.0 / condition if np.isfinite(condition) else 0.0


def _minimum_norm(R: np.ndarray, C: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, float]:
    """Least squares on R stacked on the root of the penalty, of least norm."""
    stacked = np.vstack([R, np.diag(np.sqrt(penalty))]) if penalty.any() else R
    right = np.vstack([C, np.zeros((len(stacked) - len(R), C.shape[1]))])
    cut = max(stacked.shape) * _EPS
    coef, _, rank, values = call_lapack(R.shape[1], np.linalg.lstsq, stacked, right, rcond=cut)
    return coef.T, float(values[rank - 1] / values[0]) if rank else 0.0


def solve_svd(problem: RidgeProblem) -> Solution:
    """coef = S^-1/2 V diag(s / (s^2 + alpha)) U' y from the SVD of Xc S^-1/2."""
    n, p = problem.shape
    if problem.sparse:
        raise ValueError(
            "solver='svd' does not support sparse X, which it would make dense: use 'auto', "
            "'cholesky', 'eigh', 'qr', 'lsqr', 'sparse_cg' or 'gd'."
        )
    scale = problem.scale
    if not (scale > 0.0).all():
        R, C = triangle(problem)
        coef = np.empty((C.shape[1], p))
        worst = 1.0
        for alpha, targets in alpha_groups(problem.alphas):
            coef[targets], rcond = _minimum_norm(R, C[:, targets], alpha * scale)
            worst = min(worst, rcond)
        return Solution(coef, "svd", worst)
    root = np.sqrt(scale)
    if n >= p:
        R, C = triangle(problem)
        U, s, Vt = call_lapack(p, np.linalg.svd, R / root, full_matrices=False)
        loadings = U.T @ C
    else:
        problem.check_range()
        Z = np.array(problem.X, dtype=float)
        Z -= problem.centre[0]
        Yc = problem.Y - problem.centre[1]
        if problem.weight is not None:
            Z *= np.sqrt(problem.weight)[:, None]
            Yc = Yc * np.sqrt(problem.weight)[:, None]
        Z /= root
        U, s, Vt = call_lapack(n, np.linalg.svd, Z, full_matrices=False)
        loadings = U.T @ Yc
    kept = s > max(n, p) * _EPS * (s[0] if len(s) else 0.0)
    s, loadings, Vt = s[kept], loadings[kept], Vt[kept]
    coef = ((s[:, None] / (s[:, None] ** 2 + problem.alphas)) * loadings).T @ Vt / root
    smallest = float(problem.alphas.min())
    if not len(s):
        return Solution(coef, "svd", 0.0)
    rcond = np.sqrt((s[-1] ** 2 + smallest) / (s[0] ** 2 + smallest))
    return Solution(coef, "svd", float(rcond))


def solve_eigh(problem: RidgeProblem) -> Solution:
    """coef = S^-1/2 V diag(1 / (l + alpha)) V' S^-1/2 X'y from eigenvectors of the Gram.

    With more features than samples the eigenvectors are those of the samples' Gram. Directions
    below the rounding of the Gram are left out, which gives the least norm.
    """
    from fastridge.solvers.spectrum import spectrum_of

    alphas = problem.alphas
    spectrum = spectrum_of(problem, float(alphas.min()), "eigh")
    denominator = spectrum.values + np.unique(alphas)[:, None]
    top = denominator.max(axis=1, initial=0.0)
    rcond = 0.0
    if top.all():
        kept = denominator > max(problem.shape) * _EPS * top[:, None]
        rcond = float((np.where(kept, denominator, np.inf).min(axis=1) / top).min())
    alphas = np.broadcast_to(alphas, (problem.n_targets,))
    return Solution(spectrum.coef(alphas), "eigh", rcond)
