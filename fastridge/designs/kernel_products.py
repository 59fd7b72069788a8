"""Products of vectors with the kernel values between two sets of rows, which are never stored."""

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import gram as _gram
from fastridge._kernels import kernel_matrix as _kernel
from fastridge._typing import Matrix
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import (
    each_row,
    function_of,
    nanoseconds,
    over_rows,
    packed_rows,
    readable,
    shift_of,
    square_lengths,
    values_of_products,
)
from fastridge.runtime.threads import product
from fastridge.statistics.accumulate import on_cache_lines

_ROWS = 1 << 14  # packed at a time
_BLOCK_VALUES = 1 << 20


def kernel_products(
    kernel: Kernel, X: Matrix, others: Matrix, vectors: np.ndarray, n_threads: int
) -> np.ndarray:
    """Return ``vectors k(X, others)'``, of shape (n_vectors, n_rows of X).

    Parameters
    ----------
    vectors : ndarray of shape (n_vectors, n_rows of others)
    """
    products = np.empty((len(vectors), X.shape[0]))
    vectors = np.ascontiguousarray(vectors, dtype=np.float64)
    if kernel.name == "callable":
        call, right = function_of(kernel), list(each_row(others))
        for i, row in enumerate(each_row(X)):
            values = np.array([call(row, other) for other in right], dtype=np.float64)
            products[:, i] = vectors @ values
    elif kernel.is_of_products and (sp.issparse(X) or sp.issparse(others)):
        _sparse(kernel, sp.csr_array(X), sp.csr_array(others), vectors, products)
    else:
        _packed(kernel, _dense(X), _dense(others), vectors, products, n_threads)
    return products


def _dense(X: Matrix) -> np.ndarray:
    return readable(X if isinstance(X, np.ndarray) else X.toarray())


def _sparse(
    kernel: Kernel,
    X: sp.csr_array,
    others: sp.csr_array,
    vectors: np.ndarray,
    products_out: np.ndarray,
) -> None:
    X, others = X.astype(np.float64), others.astype(np.float64)
    columns, squares = others.T.tocsr(), square_lengths(others)
    step = max(1, _BLOCK_VALUES // others.shape[0])
    for begin in range(0, X.shape[0], step):
        rows = X[begin : begin + step]
        values = (rows @ columns).toarray()
        values_of_products(kernel, values, square_lengths(rows), squares)
        products_out[:, begin : begin + step] = product(vectors, values.T)


def _packed(
    kernel: Kernel,
    X: np.ndarray,
    others: np.ndarray,
    vectors: np.ndarray,
    products_out: np.ndarray,
    n_threads: int,
) -> None:
    shift = shift_of(kernel, others)
    right, compiled = packed_rows(kernel, others, shift), kernel.compiled()
    n, p = others.shape
    for start in range(0, X.shape[0], _ROWS):
        left = packed_rows(kernel, X[start : start + _ROWS], shift)
        out = np.empty((len(vectors), left.n_rows))

        def multiply(begin: int, end: int, _: np.ndarray) -> None:
            work = on_cache_lines(_gram.panel_width(), _gram.padded_columns(n))
            _kernel.multiply(compiled, left, right, vectors, work, out, begin, end)  # noqa: B023

        ns = nanoseconds(kernel, p) + 0.5 * len(vectors)
        over_rows(multiply, left.n_rows, n, ns, n_threads, (0,))
        products_out[:, start : start + _ROWS] = out
