"""Kernel matrices of rows, written once where they are factored, or multiplied in blocks.

Dense rows are packed once in float64, and compiled code makes blocks of the matrix from them
(`_kernels/pairwise`). Other kernel matrices come row by row: of sparse rows, of functions, and
those that are given.
"""

from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from fastridge._kernels import gram as _gram
from fastridge._kernels import kernel_matrix as _kernel
from fastridge._typing import Matrix
from fastridge.designs.kernel_functions import Kernel, inverse_lengths
from fastridge.runtime.threads import run_slices
from fastridge.statistics.accumulate import is_native, on_cache_lines, pilot_rows, written_zeros

_SLICE_NS = 8e6  # of one call on one core
_NS_OF_VALUE, _NS_OF_FEATURE = 2.0, 0.05  # for an entry, and for each feature in it
_NS_OF_DISTANCE = 0.3  # for each feature if it is no product
_FEATURES = 256  # packed at a time if a tile of all would be large
_BLOCK_VALUES = 1 << 20  # of a kernel matrix that comes row by row
_THREADED_NS = 1e6
_NO_SCALE = np.empty(0)

Fill = Callable[[np.ndarray, int, int], None]


class KernelMatrix:
    """The kernel matrix K of rows. Subclasses say where its blocks come from.

    Attributes
    ----------
    kernel : Kernel
    n_rows : int
    """

    kernel: Kernel
    n_rows: int

    def diagonal(self) -> np.ndarray:
        """Return the diagonal of K."""
        raise NotImplementedError

    def write_upper(
        self,
        upper_out: np.ndarray,
        scale: np.ndarray,
        sign: float,
        diagonal: np.ndarray,
        n_threads: int,
    ) -> np.ndarray:
        """Write ``sign diag(scale) K diag(scale) + diag(diagonal)`` on and above the diagonal.

        `upper_out` has rows and columns for `panel_width` more. Return the absolute sums of the
        rows of the whole symmetric matrix; they are finite if all values are.
        """
        raise NotImplementedError

    def multiplied(self, vectors: np.ndarray, n_threads: int) -> np.ndarray:
        """Return ``vectors K``, for vectors of shape (n_vectors, n_rows)."""
        raise NotImplementedError


class PackedKernel(KernelMatrix):
    """The kernel matrix of dense rows."""

    def __init__(self, kernel: Kernel, X: np.ndarray) -> None:
        self.kernel, self.n_rows = kernel, X.shape[0]
        self._X = readable(X)
        self._shift = shift_of(kernel, self._X)
        self._squares: np.ndarray | None = None
        self._packed: _kernel.PackedRows | None = None

    def rows(self) -> "_kernel.PackedRows":
        """Return the packed rows of all features."""
        if self._packed is None:
            self._packed = packed_rows(self.kernel, self._X, self._shift)
        return self._packed

    def diagonal(self) -> np.ndarray:
        return values_of_rows(self.kernel, self._square_lengths())

    def _square_lengths(self) -> np.ndarray:
        if self._squares is None:
            with np.errstate(over="ignore"):
                self._squares = np.einsum("ij,ij->i", self._X, self._X, dtype=np.float64)
        return self._squares

    def write_upper(
        self,
        upper_out: np.ndarray,
        scale: np.ndarray,
        sign: float,
        diagonal: np.ndarray,
        n_threads: int,
    ) -> np.ndarray:
        n, p = self._X.shape
        factor = scale
        if self.kernel.is_normalised:
            factor = scale * inverse_lengths(self._square_lengths())
        padded = _gram.padded_columns(n)
        left, right = (np.zeros(padded) for _ in range(2))
        left[:n], right[:n] = sign * factor, factor
        compiled = self.kernel.compiled()
        chunk = p if p <= max(_FEATURES, n // 2) else _FEATURES
        squares = written_zeros(1, padded)[0]
        sums = np.zeros(n)
        for start in range(0, p, chunk):
            part = slice(start, min(start + chunk, p))
            tile = written_zeros(padded, part.stop - start)
            rows, others = (_kernel.PackedRows(n, tile, squares, s) for s in (left, right))
            pack(rows, self._X[:, part], self._shift[part])

            fill = partial(
                _kernel.fill_upper, compiled, rows, others, start == 0, part.stop == p, diagonal,
                upper_out,
            )  # fmt: skip

            def add(begin: int, end: int, out: np.ndarray, fill: Fill = fill) -> None:
                fill(out, begin, end)

            ns = nanoseconds(self.kernel, part.stop - start)
            sums += over_rows(add, n, n // 2, ns, n_threads, (n,))
        return sums

    def multiplied(self, vectors: np.ndarray, n_threads: int) -> np.ndarray:
        rows, compiled = self.rows(), self.kernel.compiled()
        padded = _gram.padded_columns(self.n_rows)
        vectors = np.ascontiguousarray(vectors)

        def add(begin: int, end: int, sums_out: np.ndarray) -> None:
            work = on_cache_lines(_gram.panel_width(), padded)
            _kernel.multiply_symmetric(compiled, rows, vectors, work, sums_out, begin, end)

        ns = nanoseconds(self.kernel, self._X.shape[1]) + len(vectors)
        return over_rows(add, self.n_rows, self.n_rows // 2, ns, n_threads, vectors.shape)


def nanoseconds(kernel: Kernel, n_features: int) -> float:
    """Return about how long one entry of the kernel matrix takes."""
    each = _NS_OF_FEATURE if kernel.is_of_products else _NS_OF_DISTANCE
    return _NS_OF_VALUE + each * n_features


def readable(X: np.ndarray) -> np.ndarray:
    """Return rows that compiled code can read, in float32 or float64: `X` itself if possible."""
    return X if is_native(X) else np.asarray(X, dtype=np.float64)


def shift_of(kernel: Kernel, X: np.ndarray) -> np.ndarray:
    """Return what to subtract from rows, so that their squares cancel little in distances.

    It is the median of some rows, which outliers do not move.
    """
    if not kernel.is_radial:
        return np.zeros(X.shape[1])
    return np.median(np.asarray(X[pilot_rows(X.shape[0])], dtype=np.float64), axis=0)


def pack(rows: "_kernel.PackedRows", X: np.ndarray, shift: np.ndarray) -> None:
    """Pack some features of all rows, slice by slice."""
    panel = _gram.panel_width()
    step = max(1, (1 << 21) // (panel * X.shape[1])) * panel
    for begin in range(0, X.shape[0], step):
        rows.pack(X, shift, begin, min(begin + step, X.shape[0]))


def packed_rows(kernel: Kernel, X: np.ndarray, shift: np.ndarray) -> "_kernel.PackedRows":
    """Return packed rows, with the factors that the kernel itself demands."""
    n, p = X.shape
    padded = _gram.padded_columns(n)
    squares, tile = np.zeros(padded), written_zeros(padded, p)
    rows = _kernel.PackedRows(n, tile, squares, _NO_SCALE)
    pack(rows, X, shift)
    if kernel.is_normalised:
        return _kernel.PackedRows(n, tile, squares, inverse_lengths(squares))
    return rows


def over_rows(
    add: Callable[[int, int, np.ndarray], None],
    n_rows: int,
    n_values: int,
    ns_of_value: float,
    n_threads: int,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Return the sums that ``add(begin, end, sums_out)`` makes of all rows, in threads.

    A row takes `n_values` values. Which thread takes which rows is fixed.
    """
    panel = _gram.panel_width()
    ns_of_row = max(n_values, 1) * ns_of_value
    if n_rows * ns_of_row < _THREADED_NS:
        n_threads = 1
    step = max(1, int(_SLICE_NS / (ns_of_row * panel))) * panel
    if n_threads > 1:
        step = min(step, max(1, n_rows // (8 * n_threads * panel)) * panel)
    sums = [np.zeros(shape) for _ in range(n_threads)]

    def job(k: int) -> Iterator[None]:
        for begin in range(k * step, n_rows, n_threads * step):
            add(begin, min(begin + step, n_rows), sums[k])
            yield

    run_slices([job(k) for k in range(n_threads)])
    for other in sums[1:]:
        sums[0] += other
    return sums[0]


class RowwiseKernel(KernelMatrix):
    """A kernel matrix that comes in blocks of rows, which begin with their diagonal.

    ``_block(begin, end)`` has the columns from `begin` on.
    """

    def _block(self, begin: int, end: int) -> np.ndarray:
        raise NotImplementedError

    def _blocks(self) -> Iterator[tuple[int, int, np.ndarray]]:
        begin = 0
        while begin < self.n_rows:
            rows = max(1, _BLOCK_VALUES // (self.n_rows - begin))
            end = min(begin + rows, self.n_rows)
            yield begin, end, self._block(begin, end)
            begin = end

    def write_upper(
        self,
        upper_out: np.ndarray,
        scale: np.ndarray,
        sign: float,
        diagonal: np.ndarray,
        n_threads: int,
    ) -> np.ndarray:
        n, sums = self.n_rows, np.zeros(self.n_rows)
        for begin, end, block in self._blocks():
            out = upper_out[begin:end, begin:n]
            np.multiply(block, scale[begin:], out=out)
            out *= sign * scale[begin:end, None]
            at = np.arange(end - begin)
            out[at, at] += diagonal[begin:end]
            lengths = np.triu(np.abs(out))
            sums[begin:] += lengths.sum(axis=0)
            sums[begin:end] += lengths.sum(axis=1) - lengths[at, at]
        return sums

    def multiplied(self, vectors: np.ndarray, n_threads: int) -> np.ndarray:
        products = np.zeros(vectors.shape)
        for begin, end, block in self._blocks():
            upper = np.triu(block)
            products[:, begin:end] += vectors[:, begin:] @ upper.T
            at = np.arange(end - begin)
            upper[at, at] = 0.0
            products[:, begin:] += vectors[:, begin:end] @ upper
        return products


class GivenKernel(RowwiseKernel):
    """A kernel matrix that is given: its upper triangle counts."""

    def __init__(self, kernel: Kernel, K: np.ndarray) -> None:
        self.kernel, self.n_rows, self._K = kernel, K.shape[0], K

    def diagonal(self) -> np.ndarray:
        return np.array(self._K.diagonal(), dtype=np.float64)

    def _block(self, begin: int, end: int) -> np.ndarray:
        return np.asarray(self._K[begin:end, begin:], dtype=np.float64)

    def asymmetry(self) -> float:
        """Return the largest difference of two entries that should be equal, relative to K."""
        largest, most = 0.0, 0.0
        for begin, end, block in self._blocks():
            other = np.asarray(self._K[begin:, begin:end], dtype=np.float64).T
            largest = max(largest, float(np.abs(block - other).max()))
            most = max(most, float(np.abs(block).max()))
        return largest / most if most > 0.0 else 0.0


class SharedKernel(RowwiseKernel):
    """Kernel matrices for several gammas, from inner products or distances that they share."""

    def __init__(self, source: KernelMatrix, n_threads: int) -> None:
        n, panel = source.n_rows, _gram.panel_width()
        self.kernel, self.n_rows = source.kernel._replace(raw=False), n
        self._shared = on_cache_lines(n + panel, _gram.padded_columns(n) + panel)
        source.write_upper(self._shared, np.ones(n), 1.0, np.zeros(n), n_threads)

    def at(self, gamma: float) -> "SharedKernel":
        """Return the kernel matrix for one gamma."""
        other = copy(self)
        other.kernel = self.kernel._replace(gamma=gamma)
        return other

    def diagonal(self) -> np.ndarray:
        values = self._shared.diagonal()[: self.n_rows].reshape(1, -1).copy()
        self.kernel.compiled().values(values)
        return values[0]

    def _block(self, begin: int, end: int) -> np.ndarray:
        block = self._shared[begin:end, begin : self.n_rows].copy()
        self.kernel.compiled().values(block)
        return block


class SparseKernel(RowwiseKernel):
    """The kernel matrix of sparse rows."""

    def __init__(self, kernel: Kernel, X: Any) -> None:
        self.kernel, self.n_rows, self._X = kernel, X.shape[0], X.tocsr().astype(np.float64)
        self._columns = self._X.T.tocsr()
        self._squares = square_lengths(self._X)

    def diagonal(self) -> np.ndarray:
        return values_of_rows(self.kernel, self._squares)

    def _block(self, begin: int, end: int) -> np.ndarray:
        products = (self._X[begin:end] @ self._columns[:, begin:]).toarray()
        return values_of_products(
            self.kernel, products, self._squares[begin:end], self._squares[begin:]
        )


class FunctionKernel(RowwiseKernel):
    """The kernel matrix of a function of two rows, which is called for each pair once."""

    def __init__(self, kernel: Kernel, X: Matrix) -> None:
        self.kernel, self.n_rows, self._X = kernel, X.shape[0], X

    def diagonal(self) -> np.ndarray:
        call = function_of(self.kernel)
        return np.array([call(row, row) for row in each_row(self._X)], dtype=np.float64)

    def _block(self, begin: int, end: int) -> np.ndarray:
        call = function_of(self.kernel)
        block = np.zeros((end - begin, self.n_rows - begin))
        rows = list(each_row(self._X[begin:end]))
        for j, other in enumerate(each_row(self._X[begin:])):
            for i, row in enumerate(rows[: j + 1]):
                block[i, j] = call(row, other)
        return block


def function_of(kernel: Kernel) -> Callable[[Any, Any], float]:
    """Return the function of a kernel, with its parameters."""
    function, parameters = kernel.function, kernel.parameters
    assert function is not None

    def call(a: Any, b: Any) -> float:
        value = function(a, b, **parameters)
        try:
            return float(np.asarray(value).reshape(()))
        except (TypeError, ValueError):
            raise ValueError(
                f"the kernel function returned {value!r} for two rows: it must return a number."
            ) from None

    return call


def each_row(X: Matrix) -> Iterator[Any]:
    """Yield rows: vectors, or sparse matrices of one row."""
    if isinstance(X, np.ndarray):
        yield from X
    else:
        for k in range(X.shape[0]):
            yield X[[k]]


def square_lengths(X: Any) -> np.ndarray:
    """Return the squared lengths of sparse rows."""
    return np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).ravel()


def values_of_products(
    kernel: Kernel, products: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Return kernel values from inner products of rows and their squared lengths, in place."""
    if kernel.name == "rbf":
        products *= -2.0
        products += left[:, None]
        products += right
        np.maximum(products, 0.0, out=products)
    if not kernel.raw:
        kernel.compiled().values(products)
    if kernel.is_normalised:
        products *= inverse_lengths(left)[:, None] * inverse_lengths(right)
    return products


def values_of_rows(kernel: Kernel, squares: np.ndarray) -> np.ndarray:
    """Return the kernel values of rows with themselves, from their squared lengths."""
    if not kernel.is_of_products or kernel.name == "rbf":
        return np.full(len(squares), 0.0 if kernel.name == "additive_chi2" else 1.0)
    if kernel.is_normalised:
        return (squares > 0.0).astype(np.float64)
    values = squares[None, :].copy()
    kernel.compiled().values(values)
    return values[0]
