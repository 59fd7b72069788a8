"""Fits to rows that a scan reads: statistics batch by batch, with checkpoints."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastridge._typing import PathLike
from fastridge.data.batches import Batch, ScanError
from fastridge.data.scan import Scan
from fastridge.io.checkpoint import Checkpoint, check_checkpoint
from fastridge.runtime.threads import resolve_threads
from fastridge.statistics.fold_statistics import (
    consecutive_parts,
    fold_bounds,
    fold_ids,
    rows_by_fold,
)
from fastridge.statistics.gram_statistics import GramStatistics

_KIND = "checkpoint of statistics"
_READING_BOUND = 256
"""Features below which reading takes as long as the products do, and needs cores of its own."""
_ARRAYS = ("x_mean", "y_mean", "upper", "xy", "yy")


class Accumulation:
    """Statistics of a scan's rows, of all of them or a fold each, and how far it has come.

    Parameters
    ----------
    rows : Scan
    n_folds : int or None
        None for all rows together. Rows of a scan without folds of its own go to consecutive
        folds, as scikit-learn's KFold makes them, where their number is known, else row i goes to
        fold ``i % n_folds``.
    checkpoint : path, optional
        File to go on from where it exists, and to write every `checkpoint_every` rows.
    checkpoint_every : int, optional
    n_threads : int or None
    """

    def __init__(
        self,
        rows: Scan,
        n_folds: int | None,
        checkpoint: PathLike | None,
        checkpoint_every: int | None,
        n_threads: int | None,
    ) -> None:
        resolve_threads(n_threads)
        self.rows, self.n_folds, self.n_threads = rows, n_folds, n_threads
        self._given_threads = n_threads
        path, every = check_checkpoint(checkpoint, checkpoint_every)
        self.checkpoint: Checkpoint | None = None
        if path is not None:
            identity = {"rows": rows.identity(), "n_folds": n_folds}
            self.checkpoint = Checkpoint(path, _KIND, identity, every, "rows or folds")
        self.folds: list[GramStatistics] = []
        self.n_batches = self.n_rows = 0
        self.complete = False

    def run(self) -> list[GramStatistics]:
        """Read all rows; the statistics of all of them, or one a fold.

        What a failure or Ctrl-C leaves is in the checkpoint, and in `folds`.
        """
        self._resume()
        if self.complete:
            return self.folds
        batches = self.rows.batches(self.n_batches)
        try:
            for batch in batches:
                self._add(batch)
                if self.checkpoint is not None and self.checkpoint.due(self.n_rows):
                    self._save()
            self.complete = True
        finally:
            batches.close()  # type: ignore[attr-defined]
            if self.n_batches:
                self._save()
        if not self.folds:
            raise ScanError("the scan gave no rows: at least one is needed.")
        for stats in self.folds:
            stats.n_threads = self._given_threads
        return self.folds

    def _add(self, batch: Batch) -> None:
        if batch.y is None:
            raise ScanError("these rows have no target: give scan(..., target=...).")
        if self.n_threads is None and self.rows.decodes and batch.X.shape[1] < _READING_BOUND:
            self.n_threads = max(1, resolve_threads(None) // 2)
        changed: dict[int, GramStatistics] = {}
        for fold, part in self._parts(batch):
            stats = self._empty()
            if fold < len(self.folds):  # `update` makes new sums and leaves these
                stats._products, stats.y_ndim = self.folds[fold]._products, self.folds[fold].y_ndim
            weight = None if batch.weight is None else batch.weight[part]
            if weight is None or weight.any() or stats._products is not None:
                stats.update(batch.X[part], batch.y[part], weight)
            changed[fold] = stats
        # all or nothing of a batch, whenever Ctrl-C comes
        folds = list(self.folds)
        while len(folds) <= max(changed, default=-1):
            folds.append(self._empty())
        for fold, stats in changed.items():
            folds[fold] = stats
        self.folds, self.n_batches, self.n_rows = (
            folds,
            self.n_batches + 1,
            self.n_rows + batch.X.shape[0],
        )

    def _empty(self) -> GramStatistics:
        return GramStatistics(
            feature_names=self.rows.feature_names,
            target_names=self.rows.target_names,
            n_threads=self.n_threads,
        )

    def _parts(self, batch: Batch) -> Iterator[tuple[int, np.ndarray | slice]]:
        """Each fold with its rows of a batch, as a slice where they are consecutive."""
        n = batch.X.shape[0]
        if self.n_folds is None:
            yield 0, slice(0, n)
            return
        total = self.rows.n_rows
        if batch.fold is not None:
            yield from rows_by_fold(batch.fold)
        elif total is None:
            yield from rows_by_fold(fold_ids(None, n, self.n_rows, self.n_folds))
        else:
            yield from consecutive_parts(self.n_rows, n, fold_bounds(total, self.n_folds))

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        arrays, entries = {}, []
        for k, stats in enumerate(self.folds):
            held = stats._products
            entry: dict[str, Any] = {"n_samples": None, "y_ndim": stats.y_ndim}
            if held is not None:
                entry["n_samples"] = int(held.n_samples)
                entry["sum_weights"] = float(held.sum_weights).hex()
                arrays.update({f"{name}_{k}": getattr(held, name) for name in _ARRAYS})
                arrays[f"upper_{k}"] = np.triu(held.upper)
            entries.append(entry)
        meta = {
            "n_batches": self.n_batches,
            "n_rows": self.n_rows,
            "complete": self.complete,
            "folds": entries,
        }
        self.checkpoint.write(meta, arrays, self.n_rows)

    def _resume(self) -> None:
        kept_before = None if self.checkpoint is None else self.checkpoint.read()
        if self.checkpoint is None or kept_before is None:
            return
        meta, arrays = kept_before
        from fastridge.statistics.accumulate import CentredProducts

        for k, entry in enumerate(meta["folds"]):
            stats = self._empty()
            stats.y_ndim = int(entry["y_ndim"])
            if entry["n_samples"] is not None:
                kept: dict[str, Any] = {name: arrays[f"{name}_{k}"] for name in _ARRAYS}
                stats._products = CentredProducts(
                    int(entry["n_samples"]),
                    float.fromhex(entry["sum_weights"]),
                    **kept,
                )
            self.folds.append(stats)
        self.n_batches, self.n_rows = int(meta["n_batches"]), int(meta["n_rows"])
        self.checkpoint.saved, self.complete = self.n_rows, bool(meta["complete"])


def refuse_checkpoint(checkpoint: object, checkpoint_every: object) -> None:
    """ValueError where a checkpoint is asked for of rows in memory."""
    if checkpoint is not None or checkpoint_every is not None:
        raise ValueError(
            "checkpoint and checkpoint_every are offered where X is a fastridge.scan; these rows "
            "are in memory."
        )


def statistics_of(
    rows: Scan,
    y: object,
    sample_weight: object,
    *,
    n_folds: int | None,
    checkpoint: PathLike | None,
    checkpoint_every: int | None,
    n_threads: int | None,
) -> list[GramStatistics]:
    """What `Accumulation` makes of a scan, given to `fit` in place of X.

    A ScanError on the way has what was reached as its `statistics`.
    """
    if y is not None or sample_weight is not None:
        raise ValueError(
            "X is a scan, which has its own target and weights: give scan(..., target=, weights=) "
            "and neither y nor sample_weight here."
        )
    accumulation = Accumulation(rows, n_folds, checkpoint, checkpoint_every, n_threads)
    try:
        return accumulation.run()
    except ScanError as error:
        error.statistics = accumulation.folds
        raise
