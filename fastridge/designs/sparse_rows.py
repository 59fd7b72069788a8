"""Sums over CSR rows on our own threads: a loss with its derivatives, and weighted products."""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import sparse_products as _kernel
from fastridge.designs.expansion import RowLosses
from fastridge.runtime.threads import run_slices
from fastridge.statistics.accumulate_sparse import balanced_rows

_SLICE_VALUES = 1 << 21  # stored values: some 5 ms
_SLICE_ROWS = 1 << 16
_THREADED_VALUES = 1 << 16


class LossSums:
    """A loss summed over CSR rows at one point: `value`, `total` of derivatives, and `gradient`."""

    def __init__(
        self,
        X: sp.csr_matrix,
        loss: RowLosses,
        weight: np.ndarray | None,
        coef: np.ndarray,
        intercept: float,
        n_threads: int,
    ) -> None:
        self.eta = np.empty(X.shape[0])
        self.curvature = np.empty(X.shape[0])
        found: dict[int, tuple[float, float]] = {}

        def add(begin: int, end: int, sums: np.ndarray) -> None:
            rows, indptr = slice(begin, end), X.indptr[begin : end + 1]
            eta, derivative = self.eta[rows], np.empty(end - begin)
            _kernel.predict_rows(X.data, X.indices, indptr, coef, intercept, eta)
            if loss.offset is not None:
                eta += loss.offset[rows]
            found[begin] = loss.expand(eta, weight, derivative, self.curvature[rows], rows)
            _kernel.add_rows(X.data, X.indices, indptr, derivative, sums)

        self.gradient = _over_rows(X, add, n_threads)
        self.value, self.total = (sum(found[k][i] for k in sorted(found)) for i in (0, 1))


def weighted_products(
    X: sp.csr_matrix, weight: np.ndarray, coef: np.ndarray, intercept: float, n_threads: int
) -> tuple[np.ndarray, float]:
    """Return ``X'u`` and the sum of u, where ``u = weight (X coef + intercept)``."""
    factors = np.empty(X.shape[0])

    def add(begin: int, end: int, sums: np.ndarray) -> None:
        some, indptr = factors[begin:end], X.indptr[begin : end + 1]
        _kernel.predict_rows(X.data, X.indices, indptr, coef, intercept, some)
        some *= weight[begin:end]
        _kernel.add_rows(X.data, X.indices, indptr, some, sums)

    found = _over_rows(X, add, n_threads)
    return found, float(factors.sum())


def _over_rows(
    X: sp.csr_matrix, add: Callable[[int, int, np.ndarray], None], n_threads: int
) -> np.ndarray:
    """Return the sums of columns that ``add(begin, end, sums)`` makes of all rows."""
    if X.nnz < _THREADED_VALUES:
        n_threads = 1
    borders = balanced_rows(X.indptr, n_threads)
    sums = [np.zeros(X.shape[1]) for _ in range(n_threads)]

    def job(k: int) -> Iterator[None]:
        begin, last = borders[k], borders[k + 1]
        while begin < last:
            most = X.indptr[begin] + X.indptr.dtype.type(_SLICE_VALUES)
            stop = int(np.searchsorted(X.indptr[begin + 1 : last + 1], most, "right")) + begin
            end = min(max(stop, begin + 1), begin + _SLICE_ROWS, last)
            add(begin, end, sums[k])
            yield
            begin = end

    run_slices([job(k) for k in range(n_threads)])
    for other in sums[1:]:
        sums[0] += other
    return sums[0]
