"""Pieces of rows as they are read, cut and put together as batches of the wanted number of rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import interleave, sgd_order
from fastridge.data.batches import Batch
from fastridge.runtime.buffers import Buffers
from fastridge.runtime.prefetch import prefetch

B = TypeVar("B")
MIXED_BLOCKS = 4
"""Blocks of rows that are read at once where blocks come in random order."""


class Piece(NamedTuple):
    """Consecutive rows as a source reads them.

    Attributes
    ----------
    n_rows : int
    X : list of ndarray of shape (n_rows,), ndarray or CSR matrix of shape (n_rows, n_features)
        A list holds columns.
    y, weight, fold : ndarray or None
    """

    n_rows: int
    X: Any
    y: np.ndarray | None = None
    weight: np.ndarray | None = None
    fold: np.ndarray | None = None


class Share(NamedTuple):
    """Rows `begin` to `end` of a piece."""

    piece: Piece
    begin: int
    end: int


def in_batches(pieces: Iterable[Piece], n_rows: int, drop: int = 0) -> Iterator[list[Share]]:
    """The rows in their order, so many at a time but for the last; the first `drop` are left out.

    Where batches end depends on the numbers of rows only, not on how they came in pieces.
    """
    shares: list[Share] = []
    wanted = n_rows
    for piece in pieces:
        begin = min(drop, piece.n_rows)
        drop -= begin
        while begin < piece.n_rows:
            end = min(begin + wanted, piece.n_rows)
            shares.append(Share(piece, begin, end))
            wanted -= end - begin
            begin = end
            if not wanted:
                yield shares
                shares, wanted = [], n_rows
    if shares:
        yield shares


def mixed(
    blocks: Sequence[B],
    seed: int,
    read: Callable[[B], Iterable[Piece]],
    n_rows: int,
    skip: int = 0,
    ahead: bool = False,
) -> Iterator[list[Share]]:
    """Rows of the blocks, which come in random order and some at a time, at most so many at once.

    Each batch has about as many rows of each of the blocks that are being read. The first `skip`
    batches are left out. Threads read `ahead`, one for each of those blocks.
    """
    order = np.arange(len(blocks), dtype=np.intp)
    sgd_order.permute(order, np.array([seed], dtype=np.uint64), 0, max(0, len(blocks) - 1))
    n_lanes = min(MIXED_BLOCKS, n_rows)

    def lane(number: int) -> Iterator[list[Share]]:
        mine = [blocks[k] for k in order[number::n_lanes].tolist()]
        yield from in_batches(chain.from_iterable(map(read, mine)), n_rows)

    lanes = [lane(number) for number in range(n_lanes)]
    if ahead:
        lanes = [prefetch(own, 1) for own in lanes]
    try:
        while lanes:
            held = [(own, next(own, None)) for own in lanes]
            lanes = [own for own, shares in held if shares is not None]
            for batch in _dealt([shares for _, shares in held if shares is not None], n_rows):
                if skip:
                    skip -= 1
                else:
                    yield batch
    finally:
        for own in lanes:
            own.close()  # type: ignore[attr-defined]


def _dealt(hands: list[list[Share]], n_rows: int) -> Iterator[list[Share]]:
    """As few batches of at most `n_rows` as can be, each with its part of every list of shares."""
    sizes = [sum(share.end - share.begin for share in shares) for shares in hands]
    n_batches = -(-sum(sizes) // n_rows)
    while True:
        borders = [[size * k // n_batches for k in range(n_batches + 1)] for size in sizes]
        largest = max((sum(b[k + 1] - b[k] for b in borders) for k in range(n_batches)), default=0)
        if largest <= n_rows:
            break
        n_batches += 1
    for k in range(n_batches):
        batch = [
            share
            for shares, border in zip(hands, borders, strict=True)
            for share in _between(shares, border[k], border[k + 1])
        ]
        if batch:
            yield batch


def _between(shares: list[Share], begin: int, end: int) -> Iterator[Share]:
    at = 0
    for piece, first, last in shares:
        low, high = max(begin - at, 0), min(end - at, last - first)
        if low < high:
            yield Share(piece, first + low, first + high)
        at += last - first


def joined(shares: list[Share], dtype: Any, row_major: bool, buffers: Buffers) -> Batch:
    """Shares as one batch; columns become X of `dtype`, rows of arrays stay views where they can.

    X is made in memory of `buffers`, by columns, or by rows where `row_major`.
    """
    piece, begin, end = shares[0]
    n_rows = sum(share.end - share.begin for share in shares)
    X: Any
    if isinstance(piece.X, list):
        X = _from_columns(shares, n_rows, dtype, row_major, buffers)
    elif len(shares) == 1:
        X = piece.X[begin:end]
    elif sp.issparse(piece.X):
        X = sp.vstack([part.X[low:high] for part, low, high in shares], format="csr")
    else:
        X = np.concatenate([part.X[low:high] for part, low, high in shares])
    return Batch(X, *(_part(shares, k) for k in (2, 3, 4)))


def _part(shares: list[Share], place: int) -> Any:
    """y, weight or fold of a batch."""
    piece, begin, end = shares[0]
    if piece[place] is None:
        return None
    if len(shares) == 1:
        return piece[place][begin:end]  # type: ignore[index]
    return np.concatenate([part[place][low:high] for part, low, high in shares])  # type: ignore[index]


def _from_columns(
    shares: list[Share], n_rows: int, dtype: Any, row_major: bool, buffers: Buffers
) -> np.ndarray:
    n_features, first = len(shares[0].piece.X), 0
    shape = (n_rows, n_features) if row_major else (n_features, n_rows)
    made = buffers.array(shape, dtype)
    for piece, begin, end in shares:
        columns, last = piece.X, first + end - begin
        if row_major:
            _interleave(columns, begin, end, made[first:last])
        else:
            for place, column in enumerate(columns):
                made[place, first:last] = column[begin:end]
        first = last
    return made if row_major else made.T


def _interleave(columns: list[np.ndarray], begin: int, end: int, rows_out: np.ndarray) -> None:
    dtype = rows_out.dtype
    if not all(c.dtype == dtype and c.flags.c_contiguous and c.flags.aligned for c in columns):
        columns = [np.require(column[begin:end], dtype, ["C", "A"]) for column in columns]
        begin, end = 0, end - begin
    interleave.interleave(columns, begin, end, rows_out)
