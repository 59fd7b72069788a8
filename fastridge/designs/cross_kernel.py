"""The kernel values between all rows and some of them, for products that never store them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import gram as _gram
from fastridge._kernels import kernel_matrix as _kernel
from fastridge._typing import Matrix
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import (
    nanoseconds,
    over_rows,
    packed_rows,
    readable,
    shift_of,
    square_lengths,
    values_of_products,
)
from fastridge.statistics.accumulate import on_cache_lines

_BLOCK_VALUES = 1 << 20


class CrossKernel:
    """The matrix C = k(X, others), of which blocks of rows are made when they are needed.

    Parameters
    ----------
    kernel : Kernel
        Not a function.
    X : ndarray or sparse matrix of shape (n_rows, n_features)
        C itself if the kernel is precomputed.
    others : ndarray or sparse matrix of shape (n_columns, n_features)
        Ignored if the kernel is precomputed.
    """

    def __init__(self, kernel: Kernel, X: Matrix, others: Matrix, n_threads: int) -> None:
        self._kernel, self._n_threads = kernel, n_threads
        given = kernel.name == "precomputed"
        self.shape = X.shape[0], X.shape[1] if given else others.shape[0]
        self._n_features = X.shape[1]
        self._rows: Any = X
        self._packed = None
        if sp.issparse(X) and kernel.is_of_products:
            self._rows, others = (sp.csr_array(A).astype(np.float64) for A in (X, others))
            self._columns, self._squares = others.T.tocsr(), square_lengths(others)
        elif not given:
            X, others = (
                readable(A if isinstance(A, np.ndarray) else A.toarray()) for A in (X, others)
            )
            shift = shift_of(kernel, others)
            self._packed = packed_rows(kernel, X, shift), packed_rows(kernel, others, shift)

    def blocks(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield the borders of some rows, and their values."""
        n, m = self.shape
        panel = _gram.panel_width()
        step = max(1, _BLOCK_VALUES // (m * panel)) * panel
        for begin in range(0, n, step):
            end = min(begin + step, n)
            yield begin, end, self.block(begin, end)

    def block(self, begin: int, end: int) -> np.ndarray:
        """Return the values of some rows; `begin` is a multiple of the panel width."""
        if self._packed is not None:
            left, right = self._packed
            height = end - begin + _gram.panel_width()
            out = on_cache_lines(height, _gram.padded_columns(self.shape[1]))
            _kernel.block(self._kernel.compiled(), left, right, out, begin, end)
            return out[: end - begin, : self.shape[1]]
        if self._kernel.name == "precomputed":
            return np.asarray(self._rows[begin:end], dtype=np.float64)
        rows = self._rows[begin:end]
        values = (rows @ self._columns).toarray()
        return values_of_products(self._kernel, values, square_lengths(rows), self._squares)

    def whole(self) -> np.ndarray:
        """Return C."""
        return np.concatenate([block for _, _, block in self.blocks()])

    def normal_products(
        self, vectors: np.ndarray, weight: np.ndarray, targets: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``C'diag(weight)(t - C v)`` for vectors v and targets t, or for t = 0.

        All have a row for each vector.
        """
        vectors = np.ascontiguousarray(vectors)
        given = np.empty((0, 0)) if targets is None else np.ascontiguousarray(targets)
        if self._packed is None:
            sums = np.zeros(vectors.shape)
            for begin, end, block in self.blocks():
                left = (0.0 if targets is None else given[:, begin:end]) - vectors @ block.T
                sums += (left * weight[begin:end]) @ block
            return sums
        left, right = self._packed
        compiled = self._kernel.compiled()
        padded = _gram.padded_columns(self.shape[1])

        def add(begin: int, end: int, sums_out: np.ndarray) -> None:
            work = on_cache_lines(_gram.panel_width(), padded)
            _kernel.multiply_twice(
                compiled, left, right, vectors, given, weight, work, sums_out, begin, end
            )

        n, m = self.shape
        ns = nanoseconds(self._kernel, self._n_features) + 0.5 * len(vectors)
        return over_rows(add, n, m, ns, self._n_threads, vectors.shape)


def kernel_columns(kernel: Kernel, X: Matrix, index: np.ndarray, n_threads: int) -> CrossKernel:
    """Return the columns of the kernel matrix of X that these rows make."""
    rows = X[:, index] if kernel.name == "precomputed" else X
    return CrossKernel(kernel, rows, X[index], n_threads)
