"""Cut and join chunks of rows, as they are read, into batches of the requested size."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike

from fastridge._kernels import interleave, sgd_order
from fastridge._typing import Matrix
from fastridge.data.batches import Batch
from fastridge.runtime.buffers import Buffers
from fastridge.runtime.prefetch import prefetched

B = TypeVar("B")
#: Rows as consecutive ones, or by their indices.
Where: TypeAlias = slice | np.ndarray
_VECTORS = "y", "weight", "fold", "offset"
MIXED_BLOCKS = 4
"""Blocks of rows that are read at once where blocks come in random order."""


class Features(ABC):
    """Rows whose features are computed when they are written into a batch; its length is theirs."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def write(self, features_out: np.ndarray, begin: int, end: int, where: Where) -> None:
        """Write rows `begin` to `end` into zeros of shape (n_features, n_rows), at `where`."""


class Chunk(NamedTuple):
    """Consecutive rows as a source reads them.

    Attributes
    ----------
    n_rows : int
    X : ndarray or CSR matrix of shape (n_rows, n_features), list of ndarray of shape (n_rows,), \
            or Features
        A list holds columns.
    y, weight, fold, offset : ndarray or None
    """

    n_rows: int
    X: Matrix | list[np.ndarray] | Features
    y: np.ndarray | None = None
    weight: np.ndarray | None = None
    fold: np.ndarray | None = None
    offset: np.ndarray | None = None


class Span(NamedTuple):
    """Rows `begin` to `end` of a chunk."""

    chunk: Chunk
    begin: int
    end: int


def in_batches(chunks: Iterable[Chunk], n_rows: int, drop: int = 0) -> Iterator[list[Span]]:
    """Yield the rows in their order, `n_rows` at a time; the first `drop` are left out.

    Where batches end depends on the numbers of rows only, not on how they came in chunks.
    """
    spans: list[Span] = []
    wanted = n_rows
    for chunk in chunks:
        begin = min(drop, chunk.n_rows)
        drop -= begin
        while begin < chunk.n_rows:
            end = min(begin + wanted, chunk.n_rows)
            spans.append(Span(chunk, begin, end))
            wanted -= end - begin
            begin = end
            if not wanted:
                yield spans
                spans, wanted = [], n_rows
    if spans:
        yield spans


def mixed(
    blocks: Sequence[B],
    seed: int,
    read: Callable[[B], Iterable[Chunk]],
    n_rows: int,
    skip: int = 0,
    prefetch: bool = False,
) -> Generator[list[Span], None, None]:
    """Yield the rows of blocks in random order, several blocks at a time.

    Each batch has about as many rows of each of the blocks that are being read.

    Parameters
    ----------
    blocks : sequence
    seed : int
        Of the order of the blocks.
    read : callable
        Returns the chunks of a block.
    n_rows : int
        Most rows of a batch.
    skip : int, default=0
        Number of batches to leave out at the beginning.
    prefetch : bool, default=False
        Whether threads prefetch, one for each of the blocks that are being read.
    """
    order = np.arange(len(blocks), dtype=np.intp)
    sgd_order.permute(order, np.array([seed], dtype=np.uint64), 0, max(0, len(blocks) - 1))
    n_streams = min(MIXED_BLOCKS, n_rows)

    def stream(number: int) -> Generator[list[Span], None, None]:
        own = [blocks[k] for k in order[number::n_streams].tolist()]
        yield from in_batches(chain.from_iterable(map(read, own)), n_rows)

    streams = [stream(number) for number in range(n_streams)]
    if prefetch:
        streams = [prefetched(own, 1) for own in streams]
    try:
        while streams:
            held = [(own, next(own, None)) for own in streams]
            streams = [own for own, spans in held if spans is not None]
            for batch in _evenly([spans for _, spans in held if spans is not None], n_rows):
                if skip:
                    skip -= 1
                else:
                    yield batch
    finally:
        for own in streams:
            own.close()


def _evenly(blocks: list[list[Span]], n_rows: int) -> Iterator[list[Span]]:
    """Yield as few batches of at most `n_rows` as possible, each with rows of every block."""
    sizes = [sum(span.end - span.begin for span in spans) for spans in blocks]
    n_batches = -(-sum(sizes) // n_rows)
    while True:
        borders = [[size * k // n_batches for k in range(n_batches + 1)] for size in sizes]
        largest = max((sum(b[k + 1] - b[k] for b in borders) for k in range(n_batches)), default=0)
        if largest <= n_rows:
            break
        n_batches += 1
    for k in range(n_batches):
        batch = [
            span
            for spans, border in zip(blocks, borders, strict=True)
            for span in _between(spans, border[k], border[k + 1])
        ]
        if batch:
            yield batch


def _between(spans: list[Span], begin: int, end: int) -> Iterator[Span]:
    at = 0
    for chunk, first, last in spans:
        low, high = max(begin - at, 0), min(end - at, last - first)
        if low < high:
            yield Span(chunk, first + low, first + high)
        at += last - first


def joined(
    spans: list[Span],
    dtype: DTypeLike | None,
    row_major: bool,
    buffers: Buffers,
    *,
    by_fold: bool = False,
) -> Batch:
    """Return spans as one batch: columns become X of `dtype`, and arrays stay views if possible.

    X is made in memory of `buffers`, by columns, or by rows where `row_major`. With `by_fold`,
    dense rows are ordered by their folds, unless `row_major`.
    """
    y, weight, fold, offset = (_vector(spans, field) for field in _VECTORS)
    matrix = where = None
    if not isinstance(spans[0].chunk.X, (list, Features)):
        matrix = _matrix([chunk.X[begin:end] for chunk, begin, end in spans])  # type: ignore[index]
    if by_fold and fold is not None and not row_major and not sp.issparse(matrix):
        order = np.argsort(fold.astype(np.int16), kind="stable")
        where = np.empty_like(order)
        where[order] = np.arange(len(order))
        fold = fold[order]
        y, weight, offset, matrix = (
            None if part is None else part[order] for part in (y, weight, offset, matrix)
        )
    if matrix is None:
        matrix = _written(spans, dtype, row_major, buffers, where)
    return Batch(matrix, y, weight, fold, offset)


def _matrix(rows: list[Matrix]) -> Matrix:
    if len(rows) == 1:
        return rows[0]
    return sp.vstack(rows, format="csr") if sp.issparse(rows[0]) else np.concatenate(rows)


def _vector(spans: list[Span], field: str) -> np.ndarray | None:
    values = [getattr(chunk, field) for chunk, _, _ in spans]
    if values[0] is None:
        return None
    rows = [value[begin:end] for value, (_, begin, end) in zip(values, spans, strict=True)]
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def _written(
    spans: list[Span],
    dtype: DTypeLike | None,
    row_major: bool,
    buffers: Buffers,
    where: np.ndarray | None,
) -> np.ndarray:
    """Return X of spans of columns, or of features that are computed; row k is row ``where[k]``."""
    n_rows, n_features = sum(span.end - span.begin for span in spans), len(spans[0].chunk.X)
    made = buffers.array((n_rows, n_features) if row_major else (n_features, n_rows), dtype)
    by_columns = made.T if row_major else made
    if isinstance(spans[0].chunk.X, Features):
        made.fill(0.0)
    first = 0
    for chunk, begin, end in spans:
        columns, last = chunk.X, first + end - begin
        rows = slice(first, last) if where is None else where[first:last]
        if isinstance(columns, Features):
            columns.write(by_columns, begin, end, rows)
        elif row_major:
            assert isinstance(columns, list)
            _interleave(columns, begin, end, made[first:last])
        else:
            for k, column in enumerate(columns):
                made[k][rows] = column[begin:end]
        first = last
    return by_columns.T


def _interleave(columns: list[np.ndarray], begin: int, end: int, rows_out: np.ndarray) -> None:
    dtype = rows_out.dtype
    if not all(c.dtype == dtype and c.flags.c_contiguous and c.flags.aligned for c in columns):
        columns = [np.require(column[begin:end], dtype, ["C", "A"]) for column in columns]
        begin, end = 0, end - begin
    addresses = np.empty(len(columns), dtype=np.intp)
    if not interleave.interleave(columns, begin, end, rows_out, addresses):
        raise ValueError(f"rows {begin} to {end} of the columns do not fit {rows_out.shape}.")
