"""The order of rows in an epoch: as they are stored, all permuted, or a block shuffle.

Rows of weight zero are excluded: they enter no step, count or sum.
"""

from collections.abc import Iterator

import numpy as np

from fastridge._kernels import sgd_order
from fastridge.solvers.sgd.settings import Plan, Rows

POOL = 64
"""Blocks whose rows a block shuffle mixes."""

_EMPTY = np.empty(0, dtype=np.intp)


def seed_of(*position: int) -> int:
    """Return the seed of an order from the seed of the run, the epoch, and the batch if any."""
    return int(np.random.SeedSequence(position).generate_state(1)[0] >> 1)


def rows_with_weight(
    weight: np.ndarray | None, learned: np.ndarray | None = None
) -> np.ndarray | None:
    """Return the rows with weight among `learned` (None for all), or `learned` if all have it."""
    if weight is None or not len(weight) or weight.all():
        return learned
    if learned is not None:
        return learned[weight[learned] != 0.0]
    return np.flatnonzero(weight).astype(np.intp, copy=False)


def n_with_weight(y: np.ndarray, weight: np.ndarray | None) -> int:
    """Return the number of rows with weight."""
    return len(y) if weight is None else int(np.count_nonzero(weight))


class RowCount:
    """The number of rows of an epoch, for solver runs that order them by themselves."""

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows


class RowOrder(RowCount):
    """The rows `chosen` (None for all `n_rows`), in a new order in every epoch.

    `shuffle` is "block", "full" or "none"; `block_rows` neighbours stay together until their pool
    of blocks is mixed. An order depends on the seed, not on how many rows a slice takes.

    If one pool holds all blocks, the order is scikit-learn's for the same seed: the order of the
    rows `counted` (None for those `chosen`), without those that are not chosen.
    """

    def __init__(
        self,
        n_rows: int,
        chosen: np.ndarray | None,
        shuffle: str,
        seed: int,
        block_rows: int,
        slice_rows: int,
        counted: np.ndarray | None = None,
    ) -> None:
        self.chosen = _EMPTY if chosen is None else chosen
        super().__init__(n_rows if chosen is None else len(chosen))
        self.shuffle = shuffle if self.n_rows > 1 else "none"
        self.slice_rows = slice_rows
        self.state = np.array([seed], dtype=np.uint64)
        self.pool_state = np.array([seed + (1 << 32)], dtype=np.uint64)
        if self.shuffle == "full":
            self.order = np.arange(n_rows, dtype=np.intp) if chosen is None else chosen.copy()
        elif self.shuffle == "block":
            self.block_rows = block_rows
            n_blocks = -(-self.n_rows // block_rows)
            if n_blocks <= POOL:
                self._as_sklearn(n_rows, chosen, chosen if counted is None else counted, seed)
                return
            self.blocks = np.arange(n_blocks, dtype=np.intp)
            self.pools = max(1, slice_rows // (POOL * block_rows))  # of a slice
            most = min(self.pools * POOL, n_blocks)
            self.buffer = np.empty(most * block_rows, dtype=np.intp)

    def epoch(self) -> Iterator[np.ndarray]:
        """Yield the next order in slices; each is valid until the next one is requested."""
        if self.shuffle == "block":
            yield from self._blocks()
            return
        if self.shuffle == "sklearn":
            sgd_order.permute_as_sklearn(self.order, self.seed)
            order = self.order if self.is_chosen is None else self.order[self.is_chosen[self.order]]
            for begin in range(0, self.n_rows, self.slice_rows):
                yield order[begin : begin + self.slice_rows]
            return
        for begin in range(0, self.n_rows, self.slice_rows):
            end = min(begin + self.slice_rows, self.n_rows)
            if self.shuffle == "full":
                # A Fisher-Yates shuffle settles its entries one after the other.
                sgd_order.permute(self.order, self.state, begin, end)
                yield self.order[begin:end]
            elif len(self.chosen):
                yield self.chosen[begin:end]
            else:
                yield np.arange(begin, end, dtype=np.intp)

    def _as_sklearn(
        self, n_rows: int, chosen: np.ndarray | None, counted: np.ndarray | None, seed: int
    ) -> None:
        self.shuffle, self.seed = "sklearn", seed & 0xFFFFFFFF
        self.order = np.arange(n_rows, dtype=np.intp) if counted is None else counted.copy()
        self.is_chosen: np.ndarray | None = None
        if chosen is not None and len(chosen) < len(self.order):
            self.is_chosen = np.zeros(n_rows, dtype=bool)
            self.is_chosen[chosen] = True

    def _blocks(self) -> Iterator[np.ndarray]:
        step = self.pools * POOL
        for begin in range(0, len(self.blocks), step):
            end = min(begin + step, len(self.blocks))
            sgd_order.permute(self.blocks, self.state, begin, end)
            count = sgd_order.pool_rows(
                self.blocks[begin:end],
                self.block_rows,
                POOL,
                self.chosen,
                self.n_rows,
                self.buffer,
                self.pool_state,
            )
            for first in range(0, count, self.slice_rows):
                yield self.buffer[first : min(first + self.slice_rows, count)]


def row_order(plan: Plan, rows: Rows, chosen: np.ndarray | None, seed: int) -> RowOrder:
    """Return the order in which the kernels of a plan take the rows `chosen`, None for all."""
    return RowOrder(rows.n_rows, chosen, plan.shuffle, seed, rows.block_rows, rows.slice_rows)
