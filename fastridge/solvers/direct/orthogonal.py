"""Solvers by orthogonal factorisations: QR of X, singular values, and eigenvectors of the Gram."""

import numpy as np
import scipy.linalg

from fastridge.runtime.threads import call_lapack
from fastridge.solvers.direct.cholesky import ACCURATE, Factor, alpha_groups
from fastridge.solvers.direct.primal_spectrum import spectrum_of_root
from fastridge.solvers.direct.refine import refine
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.direct.triangle import triangle
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result
from fastridge.statistics.accumulate import symmetric

_EPS = float(np.finfo(float).eps)
_SEEN = 1e-12  # a length, of columns of length one, that rounding leaves three digits of


def solve_qr(problem: Problem) -> Result:
    """Solve by QR of X, then of its triangle stacked on the root of the penalty.

    Where that has not full rank, the limit of ever smaller penalties by singular values.
    """
    R, C = triangle(problem)
    p = R.shape[1]
    coef = np.empty((C.shape[1], p))
    worst, solver = 1.0, "qr"
    spectrum = None
    for alpha, targets in alpha_groups(problem.alphas):
        Q, factor, rcond = _stacked(problem, R, alpha)
        worst = min(worst, rcond)
        if factor is not None and rcond > _least_rcond(R, alpha):
            coef[targets] = factor.solve_orthogonal(Q[: len(R)].T @ C[:, targets])
            steps = refine(problem, factor, problem.scale_at(alpha), coef, targets)
            if steps is not None or rcond >= ACCURATE:
                continue
        if spectrum is None:
            spectrum = spectrum_of_root(problem, R, C)
        coef[targets] = spectrum.coef(problem.alphas)[targets]
        solver = "svd"
    return Result(coef, problem.centre, solver, worst)


def _least_rcond(R: np.ndarray, alpha: float) -> float:
    """Return the reciprocal condition number below which singular values serve better.

    If only the penalty tells columns apart, it must be larger than the rounding of the triangle.
    """
    if len(R) < R.shape[1]:
        return ACCURATE
    return _SEEN if alpha > 0.0 else len(R) * _EPS


def _stacked(
    problem: Problem, R: np.ndarray, alpha: float
) -> tuple[np.ndarray, "_Triangle | None", float]:
    """Return QR of R stacked on the root of the penalty, with unit columns, and its condition."""
    p = R.shape[1]
    # in the units of the penalty, so that its squares do not overflow
    root = np.sqrt(np.where(problem.scale > 0.0, problem.scale, 1.0))
    stacked = R / root
    if alpha > 0.0:
        penalty = np.where(problem.scale > 0.0, np.sqrt(alpha), 0.0)
        stacked = np.vstack([stacked, np.diag(penalty)])
    length = np.sqrt((stacked**2).sum(axis=0))
    if len(stacked) < p or not length.all():
        return np.empty((0, 0)), None, 0.0
    Q, T = call_lapack(p, np.linalg.qr, stacked / length)
    return Q, _Triangle(T, length * root), _triangle_rcond(T)


class _Triangle:
    """T with X'WX + diag(penalty) = L T'T L, L the lengths of the columns."""

    def __init__(self, T: np.ndarray, length: np.ndarray) -> None:
        self._T = T
        self._length = length

    def solve_orthogonal(self, right: np.ndarray) -> np.ndarray:
        """Return L^-1 T^-1 right, in rows."""
        solved = scipy.linalg.solve_triangular(self._T, right, check_finite=False)
        return (solved / self._length[:, None]).T

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """Apply L^-1 T^-1 T'^-1 L^-1 to every row."""
        right = (rows / self._length).T
        half = scipy.linalg.solve_triangular(self._T, right, trans="T", check_finite=False)
        return self.solve_orthogonal(half)


def _triangle_rcond(T: np.ndarray) -> float:
    """Return the reciprocal condition number 1 / (|T|_1 |T^-1|_1)."""
    if not np.diagonal(T).all():
        return 0.0
    inverse = scipy.linalg.solve_triangular(T, np.eye(len(T)), check_finite=False)
    condition = float(np.linalg.norm(T, 1) * np.linalg.norm(inverse, 1))
    return 1.0 / condition if np.isfinite(condition) else 0.0


def solve_svd(problem: Problem) -> Result:
    """Compute coef = S^-1/2 V diag(s / (s^2 + alpha)) U' y from the SVD of Xc S^-1/2."""
    n, p = problem.design.shape
    if problem.design.sparse:
        raise ValueError(
            "solver='svd' does not support sparse X, which it would make dense: use 'auto', "
            "'cholesky', 'eigh', 'qr', 'lsqr', 'sparse_cg' or 'gd'."
        )
    least = float(problem.alphas.min())
    if n >= p:
        R, C = triangle(problem)
        spectrum = spectrum_of_root(problem, R, C)
        rcond = _stacked(problem, R, least)[2]
    else:
        spectrum = spectrum_of(problem, least, "svd")
        rcond = _rcond(spectrum, least)
    return Result(spectrum.coef(problem.alphas), problem.centre, "svd", rcond)


def solve_eigh(problem: Problem) -> Result:
    """Compute coef = S^-1/2 V diag(1 / (l + alpha)) V' S^-1/2 X'y from eigenvectors of the Gram.

    With more features than samples the eigenvectors are those of the samples' Gram. Directions
    below the rounding of the Gram with unit diagonal are left out, which gives the least norm.
    """
    least = float(problem.alphas.min())
    spectrum = spectrum_of(problem, least, "eigh")
    coef = spectrum.coef(problem.alphas)
    if spectrum.dual:
        rcond = _rcond(spectrum, least)
    else:
        penalty = problem.scale_at(least)
        held = spectrum.problem  # which holds the Gram
        factor = Factor(held.design.gram, penalty, held.design.n_threads)
        rcond = max(0.0, factor.rcond)
        if spectrum.solver == "eigh" and rcond > ACCURATE and least == problem.alphas.max():
            # Eigenvectors have fewer digits than the Gram if the penalties differ in their units.
            residual = held.xy.T - coef @ symmetric(held.design.gram) - coef * penalty
            correction = factor.solve(residual)
            if np.isfinite(correction).all():  # penalties near the largest number overflow
                coef += correction
    return Result(coef, spectrum.problem.centre, spectrum.solver, rcond)


def _rcond(spectrum: Spectrum, alpha: float) -> float:
    """Return the reciprocal condition number of a dual, with directions that are not spanned."""
    values = spectrum.values
    least, top = (float(values[k]) + alpha for k in (0, -1)) if len(values) else (0.0, 0.0)
    if not least > 0.0:
        return 0.0
    if spectrum.rcond is not None:
        return spectrum.rcond
    return float(np.sqrt(least / top)) if spectrum.solver == "svd" else least / top
