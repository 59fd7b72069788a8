"""Run SGD over rows that are read batch by batch, again in each epoch."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from math import isfinite
from typing import NamedTuple

import numpy as np

from fastridge._kernels.sgd_state import Settings
from fastridge.solvers.sgd.averaging import Taken, take_slices
from fastridge.solvers.sgd.epochs import ScoreOf, SolverRun
from fastridge.solvers.sgd.order import RowCount, row_order, rows_with_weight, seed_of
from fastridge.solvers.sgd.settings import Plan, Rows
from fastridge.solvers.sgd.state import Weights


class SolverBatch(NamedTuple):
    """A batch for the kernels: rows, targets of the model, weights or an empty array.

    `check_rows` raises if the rows are the reason that something is not finite.
    """

    rows: Rows
    y: np.ndarray
    weight: np.ndarray
    check_rows: Callable[[], None]

    def steps(self, plan: Plan, weights: Weights, settings: Settings, seed: int) -> Iterator[Taken]:
        """Take the steps of all rows in random order, slice by slice."""
        order = row_order(plan, self.rows, rows_with_weight(self.weight), seed)
        return take_slices(
            plan, self.rows, self.y, self.weight, weights, settings, order.epoch(), order.n_rows
        )


BatchesFrom = Callable[[int, int | None], Generator[SolverBatch, None, None]]


class ScannedRun(SolverRun):
    """A solver run that reads the rows again in every epoch, in a new order.

    The rows of a batch are permuted, and blocks of rows too if the data can be read in any order.

    Parameters
    ----------
    plan, weights : as of `SolverRun`
    batches : callable
        Takes a number of batches to skip and a seed; yields the other batches of an epoch, in the
        order of the seed, or as they are stored for None.
    first : SolverBatch
        An example of a batch.
    seed : int
    after_batch : callable
        Called with this run after each batch and each epoch, for checkpoints.
    score : callable, optional
        As of `SolverRun`.
    """

    def __init__(
        self,
        plan: Plan,
        batches: BatchesFrom,
        first: SolverBatch,
        weights: Weights,
        seed: int,
        after_batch: Callable[["ScannedRun", bool], None],
        score: ScoreOf | None = None,
    ) -> None:
        count = RowCount(1)  # the number of rows is known once an epoch is over
        super().__init__(plan, first.rows, _counted(first), None, weights, count, score)
        self.batches, self.seed, self.after_batch = batches, seed, after_batch
        self.n_seen = 0  # rows so far of the current epoch

    def after_epoch(self) -> None:
        """See `SolverRun`."""
        self.after_batch(self, True)

    def _epoch(self) -> Generator[None, None, bool]:
        """Take the slices of one epoch; return whether all steps were finite."""
        plan, weights = self.plan, self.weights
        if plan.auto and not self.n_batches:
            weights.restart_average()
        with closing(self.batches(self.n_batches, self._seed_of_epoch())) as batches:
            for batch in batches:
                self.rows = batch.rows
                self.settings = plan.settings(batch.rows.sparse)
                if not len(self.y):
                    self.y = _counted(batch)
                seed = seed_of(self.seed, self.n_iter, self.n_batches)
                for n_rows, complete in batch.steps(plan, weights, self.settings, seed):
                    if not complete:
                        batch.check_rows()
                        self.n_batches = self.n_seen = 0
                        return False
                    self.n_seen += n_rows
                    early = plan.on_divergence == "halve"
                    if early and self._is_beyond(weights.state.loss_sum / self.n_seen):
                        self.n_batches = self.n_seen = 0
                        return False
                    yield
                self.n_batches += 1
                self.after_batch(self, False)
        if not self.n_seen:
            raise ValueError("weights are zero for every row: at least one must be positive.")
        self.order.n_rows = self.n_seen
        self.n_batches = self.n_seen = 0
        square = weights.fold(self.settings)
        return isfinite(square + weights.intercept_sum)

    def _seed_of_epoch(self) -> int | None:
        return None if self.plan.shuffle == "none" else seed_of(self.seed, self.n_iter)

    def _judged(self, values: np.ndarray) -> np.ndarray:
        """See `SolverRun`; divergence is judged by the first batch."""
        return values


def _counted(batch: SolverBatch) -> np.ndarray:
    """Return the targets of the rows with weight."""
    chosen = rows_with_weight(batch.weight)
    return batch.y if chosen is None else batch.y[chosen]
