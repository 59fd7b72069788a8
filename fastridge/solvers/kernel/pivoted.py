"""Kernel ridge by conjugate gradients on all rows, with kernel values computed in every iteration.

The preconditioner is a partial Cholesky factor F of S K S plus alpha I. Its pivots are drawn with
probabilities proportional to what the factor leaves of the diagonal (Diaz, Epperly, Frangella,
Tropp and Webber, "Robust, randomized preconditioning for kernel ridge regression",
arXiv:2304.12465).
"""

import numpy as np
import scipy.linalg

from fastridge._typing import Matrix
from fastridge.designs.cross_kernel import kernel_columns
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import KernelMatrix
from fastridge.runtime.threads import call_lapack, product
from fastridge.solvers.kernel.conjugate_gradients import Solved, conjugate_gradients
from fastridge.solvers.kernel.direct import check_finite_sums, penalised_products

_BLOCK = 64  # pivots drawn at a time
_EPS = float(np.finfo(float).eps)


def partial_factor(
    kernel: Kernel,
    X: Matrix,
    matrix: KernelMatrix,
    root: np.ndarray,
    rank: int,
    rng: np.random.Generator,
    n_threads: int,
) -> np.ndarray:
    """Return F of shape (n, at most `rank`) with F F' near S K S."""
    n = matrix.n_rows
    left = root * root * matrix.diagonal()
    check_finite_sums(left)
    least = n * _EPS * float(left.max())
    F = np.empty((n, rank), order="F")
    done = 0
    while done < rank and left.max() > least:
        wanted = min(_BLOCK, rank - done, int(np.count_nonzero(left > least)))
        share = np.where(left > least, left, 0.0)
        pivots = rng.choice(n, wanted, replace=False, p=share / share.sum())
        columns = kernel_columns(kernel, X, pivots, n_threads).whole()
        columns *= root[:, None] * root[pivots]
        columns -= product(F[:, :done], F[pivots, :done].T)
        inner = columns[pivots]
        values, vectors = scipy.linalg.eigh(inner, check_finite=False)
        kept = values > least
        if not kept.any():
            break
        new = product(columns, vectors[:, kept] / np.sqrt(values[kept]))
        F[:, done : done + new.shape[1]] = new
        done += new.shape[1]
        left = np.maximum(left - np.einsum("ij,ij->i", new, new), 0.0)
        left[pivots] = 0.0
    return F[:, :done]


def solve_by_products(
    matrix: KernelMatrix,
    factor: np.ndarray,
    Y: np.ndarray,
    alpha: np.ndarray,
    root: np.ndarray,
    tol: float,
    max_iter: int,
    n_threads: int,
) -> Solved:
    """Return the dual coefficients of each target.

    Parameters
    ----------
    factor : ndarray of shape (n, rank)
        F of `partial_factor`.
    alpha : ndarray of shape (n_targets,)
        Above 0.
    """
    values, vectors = call_lapack(
        factor.shape[1], scipy.linalg.eigh, product(factor.T, factor), check_finite=False
    )
    penalty = alpha[:, None]

    def multiply(coef: np.ndarray) -> np.ndarray:
        return penalised_products(matrix, coef, penalty, root, n_threads)

    def precondition(residual: np.ndarray) -> np.ndarray:
        along = product(product(residual, factor), vectors)
        along /= np.maximum(values, 0.0) + penalty
        return (residual - product(product(along, vectors.T), factor.T)) / penalty

    solved = conjugate_gradients(multiply, precondition, root * Y, tol, max_iter)
    return solved._replace(solution=solved.solution * root)
