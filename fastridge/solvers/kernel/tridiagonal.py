"""A kernel matrix for every alpha, from one reduction: S K S = Q T Q' with T tridiagonal.

The reduction costs a third of eigenvectors, Q another 4/3 n^3; then T + alpha I is factored in O(n)
for each alpha, and the diagonal of (S K S + alpha I)^-1, which leave-one-out needs, is one pass
over Q for all alphas.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal, lapack

from fastridge._kernels import tridiagonal as _kernel
from fastridge.runtime.threads import call_lapack, product, run_slices

_SLICE_STEPS = 8e6  # of the recurrences of `inverse_diagonal`, some 10 ms
_ROWS = 32  # of Q, of a block of that kernel
_BLOCKING = 64  # of LAPACK


class Tridiagonal:
    """S K S of one kernel, for every alpha.

    Parameters
    ----------
    A : ndarray of shape (n, n)
        S K S on and above the diagonal, C-contiguous; it is overwritten.
    """

    def __init__(self, A: np.ndarray) -> None:
        n = self.n = len(A)
        if n > 1:
            reflectors, self.diagonal, self.below, self._tau, _ = call_lapack(
                n, lapack.dsytrd, A.T, lower=1, lwork=n * _BLOCKING, overwrite_a=1
            )
            self._reflectors = _below_first_row(reflectors)
        else:
            self.diagonal, self.below = A[0, :1].copy(), np.empty(0)
            self._reflectors, self._tau = np.empty((0, 0), order="F"), np.empty(0)
        self._inner: np.ndarray | None = None

    def ends(self) -> tuple[float, float]:
        """Return the least and the largest eigenvalue."""
        if self.n < 2:
            return float(self.diagonal[0]), float(self.diagonal[0])
        ends = [
            eigvalsh_tridiagonal(self.diagonal, self.below, select="i", select_range=(k, k))[0]
            for k in (0, self.n - 1)
        ]
        return float(ends[0]), float(ends[1])

    @property
    def inner(self) -> np.ndarray:
        """Q without its first row and column, which are those of the identity."""
        if self._inner is None:
            n = self.n
            self._inner, _, _ = call_lapack(
                n, lapack.dorgqr, self._reflectors, self._tau, lwork=n * _BLOCKING, overwrite_a=1
            )
            self._reflectors = np.empty((0, 0))
        return self._inner

    def rotated(self, Y: np.ndarray) -> np.ndarray:
        """Return ``Y Q``, for Y of shape (n_vectors, n)."""
        return self._multiplied(Y, "T")

    def rotated_back(self, Z: np.ndarray) -> np.ndarray:
        """Return ``Z Q'``, for Z of shape (n_vectors, n)."""
        return self._multiplied(Z, "N")

    def _multiplied(self, Y: np.ndarray, trans: str) -> np.ndarray:
        if self.n < 2:
            return Y.copy()
        if self._inner is not None:
            rest = product(Y[:, 1:], self._inner if trans == "T" else self._inner.T)
        else:
            vectors = np.asfortranarray(Y[:, 1:].T)
            rest = call_lapack(
                self.n, lapack.dormqr, "L", trans, self._reflectors, self._tau, vectors,
                lwork=max(1, len(Y)) * _BLOCKING, overwrite_c=1,
            )[0].T  # fmt: skip
        return np.concatenate((Y[:, :1], rest), axis=1)


class Shifted:
    """T + alpha I for several alphas, factored."""

    def __init__(self, system: Tridiagonal, alphas: np.ndarray) -> None:
        self._system = system
        self.alphas = np.ascontiguousarray(alphas)
        self._factors = np.empty((max(system.n - 1, 1), len(alphas)))
        self._pivots = np.empty((system.n, len(alphas)))
        with np.errstate(all="ignore"):
            _kernel.factor_tridiagonal(
                system.diagonal, system.below, self.alphas, self._factors, self._pivots
            )

    @property
    def definite(self) -> np.ndarray:
        """Which of the alphas leave a positive definite matrix."""
        return np.asarray((self._pivots > 0.0).all(axis=0))

    def log_determinants(self) -> np.ndarray:
        """Return log |T + alpha I|."""
        return np.log(self._pivots).sum(axis=0)

    def solved(self, rotated: np.ndarray) -> np.ndarray:
        """Return (T + alpha I)^-1 z for each row z, of shape (n_targets, n_alphas, n)."""
        out = np.empty((len(rotated), len(self.alphas), self._system.n))
        solutions = np.empty_like(self._pivots)
        for k, right in enumerate(np.ascontiguousarray(rotated)):
            _kernel.solve_tridiagonal(self._factors, self._pivots, right, solutions)
            out[k] = solutions.T
        return out

    def traces(self) -> np.ndarray:
        """Return the traces of the inverses."""
        return np.asarray(self._inverse_diagonal_of_T().sum(axis=0))

    def inverse_diagonals(self, n_threads: int) -> np.ndarray:
        """Return the diagonals of (S K S + alpha I)^-1, of shape (n_alphas, n)."""
        n, n_alphas = self._system.n, len(self.alphas)
        out = np.empty((n_alphas, n))
        out[:, 0] = self._inverse_diagonal_of_T()[0]
        if n < 2:
            return out
        basis = self._system.inner.T
        rest = np.empty((n_alphas, n - 1))
        # rows of Q but the first begin with 0, and so L^-1 q with a step of 0
        factors = np.ascontiguousarray(self._factors[1:]) if n > 2 else self._factors
        pivots = np.ascontiguousarray(self._pivots[1:])
        rows = max(1, int(_SLICE_STEPS / (n * n_alphas * _ROWS))) * _ROWS

        def job(k: int) -> Iterator[None]:
            own = np.empty((2, n_alphas, _ROWS))
            for begin in range(k * rows, n - 1, n_threads * rows):
                end = min(begin + rows, n - 1)
                _kernel.inverse_diagonal(basis, factors, pivots, own, rest, begin, end)
                yield

        run_slices([job(k) for k in range(n_threads)])
        out[:, 1:] = rest
        return out

    def _inverse_diagonal_of_T(self) -> np.ndarray:
        diagonal = np.empty_like(self._pivots)
        _kernel.inverse_traces(self._factors, self._pivots, diagonal)
        return diagonal


def _below_first_row(reflectors: np.ndarray) -> np.ndarray:
    """Return the columns but the last without their first rows, in the same memory."""
    n = len(reflectors)
    flat = reflectors.T.reshape(-1)
    for col in range(n - 1):
        flat[col * (n - 1) : (col + 1) * (n - 1)] = flat[col * n + 1 : (col + 1) * n].copy()
    return flat[: (n - 1) * (n - 1)].reshape(n - 1, n - 1).T
