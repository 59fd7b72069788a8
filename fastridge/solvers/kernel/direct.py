"""Kernel ridge by one factorisation of the kernel matrix, in the memory of that matrix.

minimise  sum_i v_i (y_i - f(x_i))^2 + alpha |f|^2,  f(x) = sum_i c_i k(x, x_i)

With S = diag(v)^1/2 the coefficients are c = S (S K S + alpha I)^-1 S y.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from fastridge._kernels import eliminate as _kernel
from fastridge._kernels import gram as _gram
from fastridge.designs.kernel_matrix import KernelMatrix
from fastridge.runtime.threads import call_lapack, call_once_over
from fastridge.solvers.direct.blocked_cholesky import factor_negated
from fastridge.solvers.kernel.result import KernelResult
from fastridge.statistics.accumulate import on_cache_lines

_REFINED = 1e-8  # reciprocal condition number below which a solution is refined once
_FEW_FACTORS = 6  # alphas of targets up to which each has a factor of its own
_EPS = float(np.finfo(float).eps)

SINGULAR = (
    "the kernel matrix plus alpha is singular to rounding: of all solutions the one with the least "
    "dual coefficients is returned. Increase alpha{}."
)
INDEFINITE = (
    "the kernel matrix is not positive semidefinite (its eigenvalues are between {:.3g} and "
    "{:.3g}): what is returned solves (K + alpha I) c = y, but minimises nothing. Use a positive "
    "semidefinite kernel, or an alpha above {:.3g}."
)


class NotFiniteKernelError(ValueError):
    """The kernel matrix has values that are not finite."""


def check_finite_sums(sums: np.ndarray) -> None:
    """Raise NotFiniteKernelError if the sums of a kernel matrix are not finite."""
    if not np.isfinite(sums).all():
        raise NotFiniteKernelError(
            "the kernel matrix holds NaN or infinity although all values of X are finite: rescale "
            "X, or change gamma, coef0 or degree."
        )


def solve_kernel(
    matrix: KernelMatrix,
    Y: np.ndarray,
    alpha: np.ndarray,
    weight: np.ndarray | None,
    solver: str,
    n_threads: int,
) -> KernelResult:
    """Return the dual coefficients of each target.

    Parameters
    ----------
    matrix : KernelMatrix
    Y : ndarray of shape (n_targets, n_rows)
    alpha : ndarray of shape (n_targets,)
    weight : ndarray of shape (n_rows,) or None
        Above 0.
    solver : {"auto", "cholesky", "eigh"}
    """
    root = np.ones(matrix.n_rows) if weight is None else np.sqrt(weight)
    alphas = np.unique(alpha)
    if solver == "eigh" or (solver == "auto" and len(alphas) > _FEW_FACTORS):
        return _by_eigenvectors(matrix, Y, alpha, root, n_threads)
    coef, rcond, warning = np.empty(Y.shape), 1.0, None
    for one in alphas:
        targets = np.flatnonzero(alpha == one)
        solved = _by_cholesky(matrix, Y[targets], float(one), root, n_threads)
        if solved is None:
            return _by_eigenvectors(matrix, Y, alpha, root, n_threads)
        coef[targets] = solved.dual_coef
        rcond, warning = min(rcond, solved.rcond or 0.0), warning or solved.warning
    return KernelResult(coef, "cholesky", rcond, "solved", warning, _once(Y))


def _by_cholesky(
    matrix: KernelMatrix, Y: np.ndarray, alpha: float, root: np.ndarray, n_threads: int
) -> KernelResult | None:
    """Return the coefficients for one alpha, or None where the matrix has no factor."""
    n, panel = matrix.n_rows, _gram.panel_width()
    diagonal = root * root * matrix.diagonal()
    check_finite_sums(diagonal)
    if not (diagonal + alpha > 0.0).all():
        return None
    # To a unit diagonal by powers of two, so that units affect no decision.
    scale = np.exp2(np.round(-0.5 * np.log2(diagonal + alpha)))
    negated = on_cache_lines(n + panel, _gram.padded_columns(n) + panel)
    penalty = alpha * scale * scale
    factor = root * scale
    sums = matrix.write_upper(negated, factor, -1.0, -penalty, n_threads)
    check_finite_sums(sums)
    warning = degenerate(matrix, sums, factor, penalty)
    rcond = factor_negated(negated, n, float(sums.max()), n_threads)
    if rcond <= n * _EPS:
        return None

    def solve(right: np.ndarray) -> np.ndarray:
        call_once_over(n * n * len(right), _kernel.solve_eliminated, negated, scale, right)
        return right

    targets = root * Y
    coef = solve(targets.copy())
    if rcond < _REFINED:
        coef += solve(targets - penalised_products(matrix, coef, alpha, root, n_threads))
    return KernelResult(coef * root, "cholesky", rcond, warning=warning)


def penalised_products(
    matrix: KernelMatrix, vectors: np.ndarray, alpha: Any, root: np.ndarray, n_threads: int
) -> np.ndarray:
    """Return ``vectors (S K S + alpha I)``, without the matrix."""
    return root * matrix.multiplied(root * vectors, n_threads) + alpha * vectors


def degenerate(
    matrix: KernelMatrix, sums: np.ndarray, factor: np.ndarray, penalty: np.ndarray
) -> str | None:
    """Return a warning if a kernel of distances takes all rows for equal, or for infinitely far.

    `sums` are the absolute sums of the rows of diag(factor) K diag(factor) + diag(penalty).
    """
    if matrix.n_rows < 2 or matrix.kernel.name not in ("rbf", "laplacian", "chi2"):
        return None
    total, others = factor.sum(), sums - penalty - factor * factor
    if (others <= 1e-12 * factor * (total - factor)).all():
        return (
            "the kernel is zero between all rows, so that predictions for new rows will be zero: "
            "decrease gamma."
        )
    if (others >= (1.0 - 1e-9) * factor * (total - factor)).all():
        return (
            "the kernel is the same between all rows, so that all predictions are: increase gamma."
        )
    return None


def eigenvectors(
    matrix: KernelMatrix, root: np.ndarray, n_threads: int, call: Callable[..., Any] | None = None
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Return eigenvalues and eigenvectors of S K S, and a warning about the kernel."""
    A, warning = square_matrix(matrix, root, n_threads)
    values, vectors = call_lapack(
        len(A), scipy.linalg.eigh, A.T, lower=True, overwrite_a=True, check_finite=False,
        driver="evd",
    )  # fmt: skip
    return values, vectors, warning


def square_matrix(
    matrix: KernelMatrix, root: np.ndarray, n_threads: int
) -> tuple[np.ndarray, str | None]:
    """Return S K S without gaps between its rows, right on and above the diagonal."""
    n, panel = matrix.n_rows, _gram.panel_width()
    room = on_cache_lines(n + panel, _gram.padded_columns(n) + panel)
    sums = matrix.write_upper(room, root, 1.0, np.zeros(n), n_threads)
    check_finite_sums(sums)
    flat = room.reshape(-1)
    for row in range(1, n):
        flat[row * n + row : (row + 1) * n] = room[row, row:n].copy()
    return flat[: n * n].reshape(n, n), degenerate(matrix, sums, root, np.zeros(n))


def _by_eigenvectors(
    matrix: KernelMatrix, Y: np.ndarray, alpha: np.ndarray, root: np.ndarray, n_threads: int
) -> KernelResult:
    values, vectors, warning = eigenvectors(matrix, root, n_threads)
    along = (root * Y) @ vectors
    shifted = values + alpha[:, None]
    sizes, rounding = np.abs(shifted), len(values) * _EPS * np.abs(values).max()
    counted = sizes > rounding
    along = np.divide(along, shifted, out=np.zeros_like(along), where=counted)
    status = "solved" if counted.all() else "singular"
    if status == "singular":
        hint = ", or drop repeated rows" if matrix.kernel.name != "linear" else ""
        warning = SINGULAR.format(hint)
    if values.min() < -10.0 * rounding and not (shifted > 0.0).all():
        status = "indefinite"
        warning = INDEFINITE.format(values.min(), values.max(), -values.min())
    rcond = float((sizes.min(axis=1) / sizes.max(axis=1)).min()) if sizes.max() > 0.0 else 0.0
    return KernelResult(along @ vectors.T * root, "eigh", rcond, status, warning, _once(Y))


def _once(Y: np.ndarray) -> np.ndarray:
    return np.ones(len(Y), dtype=np.intc)
