"""The centred Gram matrix and cross-products of dense rows, in one pass on our own threads.

Rows are packed tile by tile in float64, which includes shift, weights and conversion, and the
kernels of `fastridge._kernels` multiply the tiles. Narrow data are split by rows into chunks, each
with its own Gram matrix, and these are summed in a fixed order. Wide data are split by columns of
one shared Gram matrix.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from fastridge._kernels import combine as _combine
from fastridge._kernels import gram as _gram
from fastridge.runtime.threads import call_once_over, run_slices, taken

SLICE_FLOPS = 1.5e8  # about 10 ms on one core
_THREADED_FLOPS = 1.5e7  # below this one thread is faster than waking a second
_SLICE_SUMS = 1 << 22  # terms, about 10 ms if X is read across its memory order
_THREADED_SUMS = 1 << 24
_CHUNKS_PER_THREAD = 8  # of rows, at most
_CHUNK_BYTES = 4 << 20  # Gram matrices of all chunks together
_TINY_FLOPS = 1e5  # below this most of the time is spent outside the kernels
_LEAST_SINGLE = 32  # columns: with fewer, reading them takes longest
_OWN_GRAM_BYTES = 48 << 20  # Gram matrices of all threads together, if rows are split
_CONVERTED_VALUES = 1 << 18  # values converted at a time: small compared with the caches
_FILLED_VALUES = 1 << 22
_PILOT_ROWS = 64
_MAX_LOST = 1e4  # a pass whose shift costs more than these four digits is repeated
_MAX_PASSES = 4

_NO_WEIGHT = np.empty(0)
_DOUBLE = np.dtype(np.float64)
_PANEL = _gram.panel_width()


class CentredProducts(NamedTuple):
    """Weighted sums about the weighted means, the result of one pass.

    `upper` holds X'X on and above its diagonal; the values below it are arbitrary. The means are
    `shift` plus `sums` over the weights, as far as float64 holds them.
    """

    n_samples: int
    sum_weights: float
    x_mean: np.ndarray
    y_mean: np.ndarray
    upper: np.ndarray
    xy: np.ndarray
    yy: np.ndarray
    # The smallest diagonal value of X'X and diag(Y'Y); NaN if any value here is not finite.
    least_square: float = 1.0
    shift: np.ndarray | None = None  # of columns and targets, and their sums about it
    sums: np.ndarray | None = None

    def about(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of columns and targets, and what rounding took from them."""
        means = np.concatenate((self.x_mean, self.y_mean))
        if self.shift is None or self.sums is None:
            return means, np.zeros_like(means)
        return means, (self.shift - means) + self.sums / self.sum_weights

    def variances(self) -> np.ndarray:
        """Compute the variances of X's columns; zero where they are only rounding."""
        return variances(self.upper.diagonal().copy(), self.x_mean, self.sum_weights)

    def upper_about_zero(self) -> np.ndarray:
        """Compute X'X about zero instead of the means."""
        upper = np.outer(self.sum_weights * self.x_mean, self.x_mean)
        with np.errstate(invalid="ignore", over="ignore"):  # below the diagonal is anything
            upper += self.upper
        return upper

    def columns(self, index: np.ndarray) -> Self:
        """Return the products of some columns of X."""
        shift, sums = self.shift, self.sums
        if shift is not None and sums is not None:
            targets = np.arange(len(self.x_mean), len(shift))
            some = np.concatenate((np.arange(len(self.x_mean))[index], targets))
            shift, sums = shift[some], sums[some]
        return self._replace(
            x_mean=self.x_mean[index],
            upper=np.ascontiguousarray(self.upper[np.ix_(index, index)]),
            xy=np.ascontiguousarray(self.xy[index]),
            shift=shift,
            sums=sums,
        )

    def target(self, k: int) -> Self:
        """Return the products with one target."""
        some = slice(k, k + 1)
        xy = np.ascontiguousarray(self.xy[:, some])
        shift, sums = self.shift, self.sums
        if shift is not None and sums is not None:
            p = len(self.x_mean)
            shift, sums = (np.append(each[:p], each[p + k]) for each in (shift, sums))
        return self._replace(
            y_mean=self.y_mean[some], xy=xy, yy=self.yy[some], shift=shift, sums=sums
        )


def variances(squares: np.ndarray, mean: np.ndarray, sum_weights: float) -> np.ndarray:
    """Compute variances from centred sums of squares; zero where they are only rounding."""
    variance = squares / sum_weights
    tiny = 10.0 * np.finfo(float).eps * np.abs(mean)
    return np.where(np.sqrt(variance) <= tiny, 0.0, variance)


def is_native(A: np.ndarray) -> bool:
    """Return whether the kernels can read `A` in place."""
    return (
        (A.dtype == np.float64 or A.dtype == np.float32)
        and A.dtype.isnative
        and A.flags.aligned
        and A.strides[0] % A.itemsize == 0
        and A.strides[1] % A.itemsize == 0
    )


def kernel_rows(A: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Return rows of `A` for the kernels: in place, or a copy of them in float64."""
    rows = A[begin:end]
    return rows if is_native(rows) else np.asarray(rows, dtype=np.float64, order="C")


def kernel_columns(X: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Return columns of `X` as rows for the kernels, in place if possible."""
    return kernel_rows(X.T, begin, end)


def pilot_rows(n_samples: int) -> np.ndarray | slice:
    """Return indices of 64 rows across the data, without a period (a Weyl sequence)."""
    if n_samples <= _PILOT_ROWS:
        return slice(0, n_samples)
    golden = 0.6180339887498949
    return np.sort((np.arange(1, _PILOT_ROWS + 1) * golden % 1.0 * n_samples).astype(np.intp))


def pilot_mean(A: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    """Return the means of some rows: ``x_0 + mean(x_k - x_0)``, exact for constant columns."""
    some = np.asarray(A[rows], dtype=np.float64)
    return some[0] + np.add.reduce(some - some[0], axis=0) / len(some)


def split_borders(n: int, n_chunks: int, power: float, multiple: int) -> list[int]:
    """Return `n_chunks` + 1 borders from 0 to n, the k-th near n (k / n_chunks)^power."""
    borders = [round(n * (k / n_chunks) ** power / multiple) * multiple for k in range(n_chunks)]
    return [min(b, n) for b in borders] + [n]


def whole_lines(n: int) -> int:
    """Return the number of values in the odd number of whole cache lines that hold `n` values.

    Rows an even number of lines apart would share few cache sets.
    """
    return 8 * ((n + 7) // 8 | 1)


def on_cache_lines(rows: int, columns: int) -> np.ndarray:
    """Return an uninitialised array that begins on a cache line."""
    room = np.empty(rows * columns + 8)
    begin = -room.ctypes.data % 64 // 8
    return room[begin : begin + rows * columns].reshape(rows, columns)


def written_zeros(rows: int, columns: int) -> np.ndarray:
    """Return zeros that begin on a cache line, so that no vector of a panel straddles two.

    They are written here. A page that is read first, as after `np.zeros`, is mapped twice, and the
    second mapping stops every thread of the process.
    """
    out = on_cache_lines(rows, columns)
    step = max(1, _FILLED_VALUES // max(columns, 1))
    for row in range(0, rows, step):  # interrupts are handled between these steps
        out[row : row + step] = 0.0
    return out


def takes_single(shape: tuple[int, int], n_threads: int) -> bool:
    """Return whether products of rows of this shape can be, and are worth, summed in float32."""
    n, p = shape
    many = n * p * p >= _THREADED_FLOPS and p >= _LEAST_SINGLE
    return many and _gram.has_single() and 16 * n_threads * p * p <= _OWN_GRAM_BYTES


# accumulate(tile, gram, [moments,] pack_begin, col_begin, col_end): a kernel call for some rows
Bound = Callable[..., object]


def _run_tiles(
    bind: Callable[[int, int], Bound],
    n_rows: int,
    n_left: int,
    columns: int,
    n_threads: int,
    convert: bool,
    moments: np.ndarray | None = None,
) -> np.ndarray:
    """Compute Z'Z for all rows, where `bind(begin, end)` returns the kernel call for some of them.

    With `convert` it gets few rows at a time, because it copies them. The kernel is given one of
    `moments`, where there are any, for each chunk of the rows or columns. Return the first `n_left`
    rows of Z'Z, which are valid on and above the diagonal.
    """
    products = n_rows * columns * columns
    if products < _THREADED_FLOPS:
        n_threads = 1
    depth = 128 if columns <= 700 else 256
    padded = _gram.padded_columns(columns)
    panel = _gram.panel_width()
    if products < _TINY_FLOPS:
        gram, tile = np.zeros((n_left + panel, padded)), np.zeros((padded + 3, min(depth, n_rows)))
        bind(0, n_rows)(tile, gram, *(() if moments is None else moments[:1]), 0, 0, padded)
        return gram
    shape = (n_left + panel, whole_lines(padded))
    gram_bytes = 8 * shape[0] * shape[1]
    by_rows = n_threads == 1 or n_threads * gram_bytes <= _OWN_GRAM_BYTES
    # There are many small Gram matrices, and a free thread takes the next: cores differ in speed.
    n_chunks = n_threads
    if n_threads > 1 and by_rows:
        few = min(_CHUNK_BYTES // gram_bytes, int(products / _THREADED_FLOPS))
        n_chunks = max(n_threads, min(_CHUNKS_PER_THREAD * n_threads, few))
    grams = [np.empty((0, 0))] * n_chunks
    step = max(1, int(SLICE_FLOPS / (columns * columns * depth))) * depth
    if convert:
        step = min(step, max(1, _CONVERTED_VALUES // (columns * depth)) * depth)

    def moments_of(chunk: int) -> tuple[np.ndarray, ...]:
        return () if moments is None else (moments[chunk],)

    def rows_job(chunks: deque[tuple[int, int, int]]) -> Iterator[None]:
        tile = written_zeros(padded + 3, depth)
        for chunk, begin, end in taken(chunks):
            out = (tile, written_zeros(*shape), *moments_of(chunk))
            grams[chunk] = out[1]
            for row in range(begin, end, step):
                bind(row, min(row + step, end))(*out, 0, 0, padded)
                yield

    def columns_job(chunk: int, begin: int, end: int) -> Iterator[None]:
        out = (written_zeros(padded + 3, depth), grams[0], *moments_of(chunk))
        width = max(1, int(SLICE_FLOPS / (2.0 * depth * max(end, 1) * panel))) * panel
        for row in range(0, n_rows, depth):
            accumulate = bind(row, min(row + depth, n_rows))
            packed = 0
            for col in range(begin, end, width):
                accumulate(*out, packed, col, min(col + width, end))
                packed = min(col + width, end)
                yield

    if by_rows:
        borders = split_borders(n_rows, n_chunks, 1.0, depth)
        chunks = deque((k, *border) for k, border in enumerate(pairwise(borders)))
        run_slices([rows_job(chunks) for _ in range(n_threads)])
    else:
        grams = [written_zeros(*shape)]
        borders = split_borders(padded, n_threads, 0.5, panel)
        run_slices([columns_job(k, *border) for k, border in enumerate(pairwise(borders))])
    for gram in grams[1:]:
        grams[0] += gram
    return grams[0]


def outer_products(
    X: np.ndarray,
    column_mean: np.ndarray,
    column_scale: np.ndarray,
    n_threads: int,
    rows: slice | np.ndarray = slice(None),
) -> np.ndarray:
    """Compute K = Z Z', Z = (X[rows] - column_mean) * column_scale, on and above the diagonal."""
    p = X.shape[1]
    n = X.shape[0] if isinstance(rows, slice) else len(rows)

    def bind(begin: int, end: int) -> Bound:
        features = kernel_columns(X, begin, end)
        if not isinstance(rows, slice):
            features = features[:, rows]
        mean, scale = column_mean[begin:end], column_scale[begin:end]
        return partial(_gram.accumulate_outer, features, mean, scale)

    convert = not (is_native(X) and isinstance(rows, slice))
    return _run_tiles(bind, p, n, n, n_threads, convert)[:n, :n]


def symmetric(upper: np.ndarray) -> np.ndarray:
    """Return a new symmetric matrix with this upper triangle."""
    full = np.empty(upper.shape)
    _gram.mirror_upper(upper, full)
    return full


def combined_rows(X: np.ndarray, shift: np.ndarray, left: np.ndarray, n_threads: int) -> np.ndarray:
    """Compute left' (X - shift), (n_sums, n_features), for C-ordered `left` of few columns."""
    n, p = X.shape
    work = left.shape[1] * p
    if n * work < _THREADED_SUMS:
        n_threads = 1
    borders = split_borders(p, n_threads, 1.0, 8)
    sums = [np.zeros((left.shape[1], end - begin)) for begin, end in pairwise(borders)]

    def job(out: np.ndarray, begin: int, end: int) -> Iterator[None]:
        step = max(1, _SLICE_SUMS * n_threads // work)
        if not is_native(X):
            step = min(step, max(1, _CONVERTED_VALUES // p))
        for row in range(0, n if begin < end else 0, step):
            rows = kernel_rows(X[:, begin:end], row, min(row + step, n))
            _combine.combine_rows(rows, shift[begin:end], left[row : row + step], out)
            yield

    run_slices([job(s, *border) for s, border in zip(sums, pairwise(borders), strict=True)])
    return sums[0] if n_threads == 1 else np.concatenate(sums, axis=1)


def combined_columns(
    X: np.ndarray, shift: np.ndarray, coef: np.ndarray, n_threads: int
) -> np.ndarray:
    """Compute (X - shift) coef of one vector, (n_samples,)."""
    n, p = X.shape
    if X.size < _THREADED_SUMS:
        n_threads = 1
    out = np.empty(n)

    def job(begin: int, end: int) -> Iterator[None]:
        step = max(1, (_SLICE_SUMS if is_native(X) else _CONVERTED_VALUES) // p)
        for first in range(begin, end, step):
            last = min(first + step, end)
            _combine.combine_columns(kernel_rows(X, first, last), shift, coef, 0.0, out[first:last])
            yield

    run_slices([job(*border) for border in pairwise(split_borders(n, n_threads, 1.0, 8))])
    return out


def _bound_to(
    X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None, shift: np.ndarray
) -> Callable[[int, int], Bound]:
    """Return what binds `accumulate_gram` to some rows, Z = sqrt(weight) [X | Y] about `shift`."""

    def bind(begin: int, end: int) -> Bound:
        x, y = kernel_rows(X, begin, end), kernel_rows(Y, begin, end)
        root = _NO_WEIGHT if weight is None else np.sqrt(weight[begin:end])
        return partial(_gram.accumulate_gram, x, y, shift, root)

    return bind


def gram_and_moments(
    bind: Callable[[int, int], Bound],
    shape: tuple[int, int],
    n_targets: int,
    n_threads: int,
    convert: bool,
    unit: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `accumulate_gram`, bound to rows by `bind(begin, end)`, gives for all rows.

    These are Z'Z and the moments. A single target is not in Z: its cross-products with X are among
    the moments. `unit` holds factors of the columns of Z, by which Z'Z is divided.
    """
    (n, p), t = shape, n_targets
    left_out = _gram.extra_columns(p, t)
    n_chunks = 1 if n_threads == 1 else _CHUNKS_PER_THREAD * n_threads
    moments = np.zeros((n_chunks, 2 + left_out, p + t + 1))
    inside = p - left_out
    columns = inside + t if t > 1 else inside
    gram = _run_tiles(bind, n, inside, columns, n_threads, convert, moments)
    if unit is not None:
        gram[:inside, :inside] /= unit[:inside, None] * unit[:inside]
    total = moments[0] if n_threads == 1 else np.add.reduce(moments, axis=0)
    if left_out:
        inner = gram[:inside, :inside]
        gram = np.zeros((p, p))
        gram[:inside, :inside] = inner
        for k in range(left_out):
            gram[:inside, inside + k] = total[2 + k, :inside]
            gram[inside : inside + k + 1, inside + k] = total[2 : 3 + k, inside + k]
    return gram, total


def _products_of_few(
    X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
) -> CentredProducts | None:
    """`centred_products` of a few float64 rows in one kernel call; None where it is too little."""
    (n, p), t = X.shape, Y.shape[1]
    strides = X.strides[0] | X.strides[1] | Y.strides[0] | Y.strides[1]
    aligned = X.flags.aligned and Y.flags.aligned and strides % 8 == 0
    if not aligned or (p > _PANEL and _gram.extra_columns(p, t)):
        return None
    padded = _gram.padded_columns(p + t if t > 1 else p)
    tile, gram = np.zeros((padded + 3, n)), np.zeros((p + _PANEL, padded))
    vectors = np.zeros((4, p + t + 1))
    root, first = (_NO_WEIGHT, 0) if weight is None else (np.sqrt(weight), int(weight.argmax()))
    lost, least_square = _gram.centred_few(X, Y, root, first, tile, gram, vectors)
    if lost > _MAX_LOST:
        return None
    x_mean, y_mean, yy = vectors[1, :p], vectors[1, p:-1], vectors[3, p:-1]
    xy = vectors[3, :p, None] if t == 1 else gram[:p, p : p + t].copy()
    sum_weights = float(vectors[2, -1])
    return CentredProducts(
        n, sum_weights, x_mean, y_mean, gram[:p, :p], xy, yy, least_square,
        vectors[0, :-1], vectors[2, :-1],
    )  # fmt: skip


def centred_products(
    X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None, n_threads: int
) -> CentredProducts:
    """Compute the weighted Gram matrix and cross-products about the means, in one pass.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features, in any layout. dtypes other than native float32 and float64 are converted a
        few rows at a time.
    Y : ndarray of shape (n_samples, n_targets)
        Targets.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    n_threads : int
        Number of threads.

    Notes
    -----
    Products are summed about a pilot shift, the mean of 64 rows, and corrected by the small
    remaining mean (Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The
    American Statistician 37, 1983). If that mean is large compared with the standard deviation, the
    pass is repeated about it.
    """
    n, p = X.shape
    t = Y.shape[1]
    if n <= 2 * _PILOT_ROWS and X.dtype == Y.dtype == _DOUBLE and n * (p + t) ** 2 < _TINY_FLOPS:
        products = _products_of_few(X, Y, weight)
        if products is not None:
            return products
    shift = np.empty(p + t)
    if n <= 2 * _PILOT_ROWS:
        # Any row will do: W (x_0 - mean)^2 is at most n / weight_0 times the sum of squares.
        first = 0 if weight is None else weight.argmax()
        shift[:p], shift[p:] = X[first], Y[first]
    else:
        rows = pilot_rows(n)
        if weight is not None and not weight.all():
            # Rows of weight zero may hold any value.
            counted = np.flatnonzero(weight)
            rows = counted[pilot_rows(len(counted))]
        with np.errstate(all="ignore"):
            shift[:p] = pilot_mean(X, rows)
            shift[p:] = pilot_mean(Y, rows)
    convert = weight is not None or not (is_native(X) and is_native(Y))
    for attempt in range(_MAX_PASSES):
        bind = _bound_to(X, Y, weight, shift)
        gram, moments = gram_and_moments(bind, X.shape, t, n_threads, convert)
        upper = gram[:p, :p]
        xy = gram[:p, p : p + t].copy() if t > 1 else moments[1, :p].reshape(p, 1)
        yy = moments[1, p : p + t]
        sums = moments[0]
        sum_weights = float(sums[p + t])
        offset = np.empty(p + t)
        lost, least_square = call_once_over(
            p * (p + t), _gram.centre_gram, upper, xy, sums, yy, offset
        )
        if not lost > _MAX_LOST or attempt == _MAX_PASSES - 1:
            break
        # A column that is constant up to rounding always looks lost, and is not checked.
        diagonal = upper.diagonal()
        varying = diagonal > (n * np.finfo(float).eps * np.abs(shift[:p])) ** 2 * sum_weights
        if not (sum_weights * offset[:p] ** 2 > _MAX_LOST * diagonal)[varying].any():
            break
        shift += offset
    mean = shift + offset
    return CentredProducts(
        n, sum_weights, mean[:p], mean[p:], upper, xy, yy, least_square, shift, sums[: p + t]
    )
