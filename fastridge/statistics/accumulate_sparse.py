"""The centred Gram matrix and cross-products of sparse rows, without a dense copy of X.

Products are summed about zero and centred at the end. If that cancels (for a column whose mean is
large compared with its standard deviation), the pass is repeated on dense tiles of rows.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import gram as _gram
from fastridge._kernels import sparse_gram as _sparse
from fastridge.runtime.threads import run_slices
from fastridge.statistics.accumulate import CentredProducts, centred_products
from fastridge.statistics.merge import merged

_SLICE_PRODUCTS = 4_000_000  # about 10 ms
_SLICE_ROWS = 1 << 14
_THREADED_PRODUCTS = 1_000_000
_OWN_GRAM_BYTES = 48 << 20
_BLOCK_ENTRIES = 1 << 18  # entries converted from CSC to CSR at a time
MOST_LOST = 1e6

_NO_WEIGHT = np.empty(0)


def sparse_centred_products(
    X: sp.csr_array | sp.csc_array, Y: np.ndarray, weight: np.ndarray | None, n_threads: int
) -> CentredProducts:
    """Compute `centred_products` of CSR or CSC rows with sorted, unique, valid indices."""
    n, p = X.shape
    t = Y.shape[1]
    counted = 0 if weight is None else int(np.argmax(weight > 0.0))
    y_shift = np.asarray(Y[counted], dtype=np.float64)
    shape = (p + 1, p + 1 + t)
    if X.format == "csr":
        n_jobs = _job_count(X, shape, n_threads)
        borders = balanced_rows(X.indptr, n_jobs)
    else:
        n_jobs, borders = 1, [0, n]
    grams = [np.zeros(shape) for _ in range(n_jobs)]
    squares = np.zeros((n_jobs, t))

    def accumulate(rows: sp.csr_array, k: int, begin: int, end: int, first: int) -> None:
        """Accumulate rows `begin:end` of `rows`, which begin at row `first` of X."""
        some = slice(first + begin, first + end)
        y = np.asarray(Y[some], dtype=np.float64) - y_shift
        w = _NO_WEIGHT if weight is None else weight[some]
        _sparse.accumulate_sparse_gram(
            rows.data, rows.indices, rows.indptr[begin : end + 1], y, w, grams[k], squares[k]
        )

    def csr_job(k: int) -> Iterator[None]:
        for begin, end in _row_slices(X.indptr, borders[k], borders[k + 1]):
            accumulate(X, k, begin, end, 0)
            yield

    def csc_job(k: int) -> Iterator[None]:
        for first, block in csr_blocks(X):
            for begin, end in _row_slices(block.indptr, 0, block.shape[0]):
                accumulate(block, k, begin, end, first)
                yield

    job: Callable[[int], Iterator[None]] = csr_job if X.format == "csr" else csc_job
    run_slices([job(k) for k in range(n_jobs)])
    for gram in grams[1:]:
        grams[0] += gram
    gram, yy = grams[0], squares.sum(axis=0)
    sums = np.concatenate((gram[:p, p], gram[p, p + 1 :], gram[p, p : p + 1]))
    upper, xy = gram[:p, :p], gram[:p, p + 1 :].copy()
    offset = np.empty(p + t)
    lost, least_square = _gram.centre_gram(upper, xy, sums, yy, offset)
    if lost > MOST_LOST:
        return _by_dense_tiles(X, Y, weight, n_threads)
    return CentredProducts(
        n, float(sums[-1]), offset[:p], offset[p:] + y_shift, upper, xy, yy, least_square,
        np.concatenate((np.zeros(p), y_shift)), sums[:-1],
    )  # fmt: skip


def _job_count(X: sp.csr_array, shape: tuple[int, int], n_threads: int) -> int:
    products = float(X.nnz) ** 2 / max(1, X.shape[0])
    if products < _THREADED_PRODUCTS:
        return 1
    return max(1, min(n_threads, _OWN_GRAM_BYTES // (8 * shape[0] * shape[1])))


def balanced_rows(indptr: np.ndarray, n_chunks: int) -> list[int]:
    """Return row borders with similar numbers of entries between them."""
    # of the same dtype, because searchsorted would copy indptr otherwise
    goals = [indptr.dtype.type(int(indptr[-1]) * k // n_chunks) for k in range(1, n_chunks)]
    return [0, *(int(np.searchsorted(indptr, g)) for g in goals), len(indptr) - 1]


def _row_slices(indptr: np.ndarray, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows whose products of pairs of entries take about one slice."""
    while begin < end:
        length = np.diff(indptr[begin : min(begin + _SLICE_ROWS, end) + 1]).astype(np.float64)
        work = np.cumsum(length * length + 16.0)
        stop = begin + max(1, int(np.searchsorted(work, _SLICE_PRODUCTS)))
        yield begin, min(stop, begin + len(work))
        begin = min(stop, begin + len(work))


def csr_blocks(X: sp.csc_array) -> Iterator[tuple[int, sp.csr_array]]:
    """Yield (first row, rows as CSR) of a CSC matrix, a block of rows at a time."""
    n, p = X.shape
    cursor = X.indptr[:-1].copy()
    step = max(1, min(n, int(_BLOCK_ENTRIES * n / max(1, X.nnz))))
    room = 2 * _BLOCK_ENTRIES
    begin = 0
    while begin < n:
        end = min(begin + step, n)
        indptr = np.empty(end - begin + 1, dtype=X.indptr.dtype)
        while True:
            data = np.empty(room, dtype=X.data.dtype)
            indices = np.empty(room, dtype=X.indices.dtype)
            count = _sparse.csc_block_to_csr(
                X.data, X.indices, X.indptr, cursor, begin, end, data, indices, indptr
            )
            if count <= room:
                break
            room = count
        block = sp.csr_array(
            (data[:count], indices[:count], indptr), shape=(end - begin, p), copy=False
        )
        yield begin, block
        begin = end


def _by_dense_tiles(
    X: sp.csr_array | sp.csc_array, Y: np.ndarray, weight: np.ndarray | None, n_threads: int
) -> CentredProducts:
    total = None
    p = X.shape[1]
    blocks = csr_blocks(X) if X.format == "csc" else ((0, X) for _ in range(1))
    for first, block in blocks:
        step = max(1, (1 << 20) // p)
        for begin in range(0, block.shape[0], step):
            end = min(begin + step, block.shape[0])
            dense = np.empty((end - begin, p))
            _sparse.scatter_rows(block.data, block.indices, block.indptr, begin, dense)
            rows = slice(first + begin, first + end)
            w = None if weight is None else weight[rows]
            if w is not None and not w.any():
                continue
            products = centred_products(dense, Y[rows], w, n_threads)
            total = products if total is None else merged(total, products)
    assert total is not None
    return total._replace(n_samples=X.shape[0])


def correlated_columns(X: sp.csc_array, left: np.ndarray, n_threads: int) -> np.ndarray:
    """Compute left' X, of shape (n_vectors, n_features), for CSC X and C-ordered `left`."""
    assert X.format == "csc"
    p, work = X.shape[1], X.nnz * left.shape[1]
    out = np.empty((left.shape[1], p))
    if work < _THREADED_PRODUCTS:
        n_threads = 1
    borders = np.searchsorted(X.indptr, np.linspace(0, X.nnz, n_threads + 1)).clip(0, p)
    borders[0], borders[-1] = 0, p

    def job(begin: int, end: int) -> Iterator[None]:
        n_slices = 1 + work // _SLICE_PRODUCTS
        bounds = np.linspace(begin, end, n_slices + 1).astype(int)
        for first, last in pairwise(bounds.tolist()):
            _sparse.correlate_columns(X.data, X.indices, X.indptr, left, out, first, last)
            yield

    run_slices([job(*ends) for ends in pairwise(borders.tolist())])
    return out
