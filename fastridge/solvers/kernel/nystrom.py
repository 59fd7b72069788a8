"""Kernel ridge on the kernel functions of some rows, the inducing rows.

minimise  sum_i v_i (y_i - f(x_i))^2 + alpha |f|^2,  f(x) = sum_j c_j k(x, z_j)

With C = k(X, Z) and K = k(Z, Z) = T'T the coefficients solve (C'VC + alpha K) c = C'Vy, by
conjugate gradients that compute C again in every iteration, block by block. The preconditioner of
Falkon takes C'VC from the inducing rows themselves (Rudi, Carratino and Rosasco, NeurIPS 2017;
Meanti et al., arXiv:2006.10350). Here it takes ten times as many rows, for which B = C T^-1 is made
once: B'VB deviates from that of all rows by a third then, and not by a factor, and seven iterations
do what thirty did. If these are all rows, the first iteration is the solution.
"""

import numpy as np
import scipy.linalg
import scipy.linalg.blas

from fastridge._typing import Matrix
from fastridge.designs.cross_kernel import CrossKernel, kernel_columns
from fastridge.designs.kernel_functions import Kernel
from fastridge.runtime.threads import call_interruptibly, call_lapack, product
from fastridge.solvers.kernel.conjugate_gradients import Solved, conjugate_gradients
from fastridge.solvers.kernel.direct import check_finite_sums

_SAMPLE = 10  # rows of the preconditioner for each inducing row
_JITTER = 1e-12  # of the diagonal, for the factor of the preconditioner


class InducingRows:
    """The normal equations of inducing rows, and their preconditioner.

    Parameters
    ----------
    index : ndarray of shape (n_components,)
        The inducing rows, a random sample.
    weight : ndarray of shape (n,)
    alpha : float
        Above 0.
    """

    def __init__(
        self,
        kernel: Kernel,
        X: Matrix,
        index: np.ndarray,
        weight: np.ndarray,
        alpha: float,
        rng: np.random.Generator,
        n_threads: int,
    ) -> None:
        self._cross = kernel_columns(kernel, X, index, n_threads)
        self._weight, self._alpha = weight, alpha
        given = kernel.name == "precomputed"
        rows = X[index][:, index] if given else X[index]
        self._K = CrossKernel(kernel, rows, rows, n_threads).whole()
        check_finite_sums(self._K.sum(axis=0))
        self._upper = self._factor_of_inner()
        sample, n = self._cross, len(weight)
        if _SAMPLE * len(index) < n:
            some = np.sort(rng.choice(n, _SAMPLE * len(index), replace=False))
            more = X[some][:, index] if given else X[some]
            sample, weight = CrossKernel(kernel, more, rows, n_threads), weight[some]
        self._outer = self._factor_of_sample(sample, weight)

    def _factor_of_inner(self) -> np.ndarray:
        """Return T with T'T = K, or near it where K is singular."""
        m = len(self._K)
        largest = float(np.abs(self._K.diagonal()).max()) or 1.0
        jitter = _JITTER * largest
        while jitter < largest:
            shifted = self._K + jitter * np.eye(m)
            try:
                upper: np.ndarray = call_lapack(
                    m, scipy.linalg.cholesky, shifted, check_finite=False
                )
            except np.linalg.LinAlgError:
                jitter *= 100.0
            else:
                return upper
        raise ValueError(
            "the kernel matrix of the inducing rows is not positive semidefinite, which "
            "solver='nystrom' needs: use solver='cholesky', or another kernel."
        )

    def _factor_of_sample(self, sample: CrossKernel, weight: np.ndarray) -> np.ndarray:
        """Return A with A'A near B'VB + alpha I, B = C T^-1, from a sample of rows."""
        m = len(self._K)
        inner = np.zeros((m, m), order="F")
        share = self._weight.sum() / weight.sum()
        for begin, end, block in sample.blocks():
            root = np.sqrt(share * weight[begin:end])
            inner = call_interruptibly(_add_squares, inner, self._upper, (block.T * root))
        inner.flat[:: m + 1] += self._alpha
        factor: np.ndarray = call_lapack(
            m, scipy.linalg.cholesky, inner, check_finite=False, overwrite_a=True
        )
        return factor

    def precondition(self, residual: np.ndarray) -> np.ndarray:
        """Return (T'A'AT)^-1 r for each row."""
        out = residual.T
        for factor, trans in (
            (self._upper, "T"), (self._outer, "T"), (self._outer, "N"), (self._upper, "N"),
        ):  # fmt: skip
            out = scipy.linalg.solve_triangular(factor, out, trans=trans, check_finite=False)
        return np.ascontiguousarray(out.T)

    def multiply(self, coef: np.ndarray) -> np.ndarray:
        """Return (C'VC + alpha K) c for each row."""
        products = self._alpha * product(coef, self._K)
        products -= self._cross.normal_products(coef, self._weight)
        return products

    def solve(self, Y: np.ndarray, tol: float, max_iter: int) -> Solved:
        """Return the coefficients of the inducing rows for each target."""
        zeros = np.zeros((len(Y), len(self._K)))
        right = self._cross.normal_products(zeros, self._weight, Y)
        return conjugate_gradients(self.multiply, self.precondition, right, tol, max_iter)


def _add_squares(inner: np.ndarray, upper: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the upper triangle of ``inner + Z Z'``, Z = T'^-1 columns."""
    Z = scipy.linalg.solve_triangular(upper, columns, trans="T", check_finite=False)
    added: np.ndarray = scipy.linalg.blas.dsyrk(1.0, Z, beta=1.0, c=inner, overwrite_c=1)
    return added
