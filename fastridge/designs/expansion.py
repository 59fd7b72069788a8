"""A loss summed over dense rows, with its gradient and Hessian, in one pass on our own threads.

Blocks of rows that fit the cache are multiplied by the coefficients, and, with the derivatives of
their losses, by each other: X is read from memory once.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from fastridge._kernels import combine as _combine
from fastridge._kernels import gram as _gram
from fastridge._kernels import smooth_losses as _losses
from fastridge.runtime.threads import call_once_over, run_slices, taken
from fastridge.statistics.accumulate import (
    Bound,
    CentredProducts,
    gram_and_moments,
    is_native,
    kernel_rows,
    split_borders,
)

_BLOCK_VALUES = 1 << 16  # of X: 512 kB, in the second-level cache
_BLOCKS_AT_ONCE = 4  # in the third-level cache
_LEAST_BLOCK = 256  # rows: no fewer than a tile has
_SLICE_VALUES = 1 << 22  # about 10 ms
_THREADED_VALUES = 1 << 18
_CHUNKS_PER_THREAD = 4
_LEAST_SQUARE = 1e-24  # of a column in single precision: below it, small products are lost
_MOST_LOST = 100.0  # of a column's square, by its distance from the centre


class RowLosses(Protocol):
    """Losses of rows, as `fastridge.losses.smooth.LossOfRows`."""

    offset: np.ndarray | None

    @property
    def expand(self) -> Callable[..., tuple[float, float]]:
        """Return the sums of losses and derivatives of some rows; set the derivatives of each."""

    @property
    def expand_dense(self) -> Callable[..., tuple[float, float]]:
        """Return the same for contiguous rows of X."""


class ClassLosses(Protocol):
    """Multinomial losses of rows, as `fastridge.losses.multinomial.ClassesOfRows`."""

    offset: np.ndarray | None
    n_classes: int

    @property
    def fused(self) -> bool:
        """Return whether `expand_dense` can be called."""

    @property
    def expand(self) -> Callable[..., float]:
        """Return the sum of the losses of some rows; set their derivatives."""

    @property
    def expand_dense(self) -> Callable[..., float]:
        """Return the same for contiguous rows of X, and add up their derivatives."""


class Expansion(NamedTuple):
    """A loss summed over rows at one point, with its derivatives.

    Attributes
    ----------
    value : float
        Sum of the losses.
    eta : ndarray of shape (n_samples,)
        Linear predictors.
    total : float
        Derivative with respect to the intercept.
    gradient : ndarray of shape (n_features,)
        Derivatives with respect to the coefficients of the columns about a centre.
    products : CentredProducts or None
        Of the columns, with the curvatures as weights, about their own means.
    single : bool
        Whether the squares and products of columns were summed in single precision.
    """

    value: float
    eta: np.ndarray
    total: float
    gradient: np.ndarray
    products: CentredProducts | None
    single: bool = False


class ClassExpansion(NamedTuple):
    """A multinomial loss summed over rows at one point, with its derivatives.

    Attributes
    ----------
    value : float
        Sum of the losses.
    eta : ndarray of shape (n_classes, n_samples)
        Linear predictors.
    totals : ndarray of shape (n_classes,)
        Derivatives with respect to the intercepts.
    gradient : ndarray of shape (n_classes, n_features)
        Derivatives with respect to the coefficients of the columns about a centre.
    """

    value: float
    eta: np.ndarray
    totals: np.ndarray
    gradient: np.ndarray


class _Blocks:
    """Blocks of rows whose losses are expanded at one point."""

    def __init__(
        self,
        X: np.ndarray,
        loss: RowLosses,
        weight: np.ndarray | None,
        point: tuple[np.ndarray, np.ndarray, float],
    ) -> None:
        self.X, self.loss, self.weight = X, loss, weight
        self.centre, self.coef, self.intercept = point
        first = kernel_rows(X, 0, 1)
        self.fused = first.strides[1] == first.itemsize
        self.step = max(_LEAST_BLOCK, _BLOCK_VALUES // X.shape[1])
        self.eta = np.empty(X.shape[0])
        self._sums: dict[int, tuple[float, float]] = {}

    def expand(
        self, begin: int, end: int, gradient: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield rows, some at a time, with the derivatives and curvatures of their losses.

        A gradient is added to here if rows are contiguous.
        """
        blocks = 1
        if self.fused:  # one call of a kernel for several blocks
            blocks = _BLOCKS_AT_ONCE if gradient is None or not is_native(self.X) else end - begin
        step = blocks * self.step
        for first in range(begin, end, step):
            rows = slice(first, min(first + step, end))
            x, eta = kernel_rows(self.X, rows.start, rows.stop), self.eta[rows]
            derivative, curvature = np.empty((2, len(eta)))
            self._sums[first] = self._expand(x, rows, eta, derivative, curvature, gradient)
            yield x, derivative, curvature

    def _expand(
        self,
        x: np.ndarray,
        rows: slice,
        eta: np.ndarray,
        derivative: np.ndarray,
        curvature: np.ndarray,
        gradient: np.ndarray | None,
    ) -> tuple[float, float]:
        loss = self.loss
        if self.fused:
            point, outputs = (self.centre, self.coef, self.intercept), (eta, derivative, curvature)
            return loss.expand_dense(x, point, self.weight, rows, self.step, outputs, gradient)
        _combine.combine_columns(x, self.centre, self.coef, self.intercept, eta)
        if loss.offset is not None:
            eta += loss.offset[rows]
        return loss.expand(eta, self.weight, derivative, curvature, rows)

    def sums(self) -> tuple[float, float]:
        """Return the sums of losses and derivatives, added in the order of the rows."""
        value = total = 0.0
        for first in sorted(self._sums):
            value += self._sums[first][0]
            total += self._sums[first][1]
        return value, total


def expand_rows(
    X: np.ndarray,
    loss: RowLosses,
    weight: np.ndarray | None,
    point: tuple[np.ndarray, np.ndarray, float],
    n_threads: int,
    *,
    second: bool,
    unit: np.ndarray | None = None,
) -> Expansion:
    """Expand the loss of dense rows at a point: the centre of X, coefficients and intercept.

    The Hessian is accumulated if `second`; in single precision, if that keeps enough, where `unit`
    holds factors of the columns by which they are of the same size.
    """
    blocks = _Blocks(X, loss, weight, point)
    if X.size < _THREADED_VALUES:
        n_threads = 1
    if not second:
        gradient = _gradient(blocks, n_threads)
        value, total = blocks.sums()
        return Expansion(value, blocks.eta, total, gradient, None)
    if unit is not None:
        made = _with_products(blocks, n_threads, unit)
        if made is not None:
            return made
    made = _with_products(blocks, n_threads)
    assert made is not None
    return made


def _with_products(
    blocks: _Blocks, n_threads: int, unit: np.ndarray | None = None
) -> Expansion | None:
    """Expand the loss with its Hessian, in single precision if the columns have units.

    None if that loses too much.
    """
    X = blocks.X
    n, p = X.shape
    shift = np.append(blocks.centre, 0.0)

    def bind(begin: int, end: int) -> Bound:
        def accumulate(tile: np.ndarray, gram: np.ndarray, moments: np.ndarray, *ends: int) -> None:
            for x, derivative, curvature in blocks.expand(begin, end):
                _losses.newton_rows(derivative, curvature)
                if unit is not None:
                    _gram.accumulate_single(
                        x, derivative, shift, curvature, unit, tile, gram, moments
                    )
                    continue
                _gram.accumulate_gram(
                    x, derivative[:, None], shift, curvature, tile, gram, moments, *ends
                )

        return accumulate

    gram, moments = gram_and_moments(bind, X.shape, 1, n_threads, not is_native(X), unit)
    gradient, xy = moments[1, :p].copy(), moments[1, :p].reshape(p, 1)
    upper, offset = gram[:p, :p], np.empty(p + 1)
    if unit is not None:
        squares = upper.diagonal() * unit**2
        if not (squares > _LEAST_SQUARE).all() or not (squares < 1.0 / _LEAST_SQUARE).all():
            return None
    lost, least = call_once_over(
        p * p, _gram.centre_gram, upper, xy, moments[0], moments[1, p : p + 1], offset
    )
    if unit is not None and not lost < _MOST_LOST:
        return None
    mean, weights = blocks.centre + offset[:p], float(moments[0, -1])
    products = CentredProducts(
        n, weights, mean, offset[p:], upper, xy, moments[1, p : p + 1], least
    )
    value, total = blocks.sums()
    return Expansion(value, blocks.eta, total, gradient, products, unit is not None)


def expand_classes(
    X: np.ndarray,
    loss: ClassLosses,
    weight: np.ndarray | None,
    point: tuple[np.ndarray, np.ndarray, np.ndarray],
    n_threads: int,
) -> ClassExpansion:
    """Expand the multinomial loss of dense rows at a point: centre, coefficients, intercepts."""
    centre, coef, intercept = (np.ascontiguousarray(part) for part in point)
    point = centre, coef, intercept
    (n, p), K = X.shape, loss.n_classes
    step = max(_LEAST_BLOCK, _BLOCK_VALUES // (p + K))
    if X.size * K < _THREADED_VALUES:
        n_threads = 1
    n_chunks = 1 if n_threads == 1 else _CHUNKS_PER_THREAD * n_threads
    eta, values = np.empty((K, n)), np.zeros(n_chunks)
    gradients, totals = np.zeros((n_chunks, K, p)), np.zeros((n_chunks, K))

    def expand_block(chunk: int, begin: int, end: int) -> None:
        rows = slice(begin, end)
        x, some = kernel_rows(X, begin, end), np.empty((K, end - begin))
        if x.strides[1] == x.itemsize:
            work = np.empty(4 * p)
            _combine.combine_columns_each(x, centre, coef, intercept, work, some)
        else:
            for k in range(K):
                _combine.combine_columns(x, centre, coef[k], intercept[k], some[k])
        if loss.offset is not None:
            some += loss.offset[rows].T
        derivative = np.empty_like(some)
        values[chunk] += loss.expand(some, weight, derivative, rows)
        _combine.combine_rows(x, centre, np.ascontiguousarray(derivative.T), gradients[chunk])
        totals[chunk] += derivative.sum(axis=1)
        eta[:, rows] = some

    first_row = kernel_rows(X, 0, 1)
    fused = first_row.strides[1] == first_row.itemsize and loss.fused

    def expand(chunk: int, begin: int, end: int) -> None:
        if not fused:
            for first in range(begin, end, step):
                expand_block(chunk, first, min(first + step, end))
            return
        for first in range(begin, end, end - begin if is_native(X) else step):
            rows = slice(first, end if is_native(X) else min(first + step, end))
            rooms = np.empty((2 * K, step)), np.empty(max(step, 4 * p))
            outputs = eta[:, rows], totals[chunk], gradients[chunk]
            x = kernel_rows(X, rows.start, rows.stop)
            values[chunk] += loss.expand_dense(x, point, weight, rows, rooms, outputs)

    _over_chunks(expand, n, step, max(1, _SLICE_VALUES // (p * K * step)), n_chunks, n_threads)
    return ClassExpansion(float(values.sum()), eta, totals.sum(axis=0), gradients.sum(axis=0))


def _gradient(blocks: _Blocks, n_threads: int) -> np.ndarray:
    n, p = blocks.X.shape
    n_chunks = 1 if n_threads == 1 else _CHUNKS_PER_THREAD * n_threads
    gradients = np.zeros((n_chunks, 1, p))

    def expand(chunk: int, begin: int, end: int) -> None:
        for x, derivative, _ in blocks.expand(begin, end, gradients[chunk, 0]):
            if not blocks.fused:
                _combine.combine_rows(x, blocks.centre, derivative[:, None], gradients[chunk])

    at_once = max(1, _SLICE_VALUES // (p * blocks.step))
    _over_chunks(expand, n, blocks.step, at_once, n_chunks, n_threads)
    gradient: np.ndarray = gradients.sum(axis=0)[0]
    return gradient


def _over_chunks(
    work: Callable[[int, int, int], None],
    n_rows: int,
    step: int,
    at_once: int,
    n_chunks: int,
    n_threads: int,
) -> None:
    """Call ``work(chunk, begin, end)`` for blocks of `step` rows, some at once, of chunks of rows.

    Threads take one chunk after the other.
    """
    borders = split_borders(n_rows, n_chunks, 1.0, step)
    chunks = deque((k, *border) for k, border in enumerate(pairwise(borders)))

    def job() -> Iterator[None]:
        for chunk, begin, end in taken(chunks):
            for row in range(begin, end, step * at_once):
                work(chunk, row, min(row + step * at_once, end))
                yield

    run_slices([job() for _ in range(n_threads)])
