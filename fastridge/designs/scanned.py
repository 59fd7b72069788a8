"""Rows that a scan reads batch by batch, as one Gram matrix or one per fold, with checkpoints."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index, Matrix, PathLike
from fastridge._validation import check_weight
from fastridge.data.batches import Batch, ScanError
from fastridge.data.scan import Scan
from fastridge.designs.statistics import StreamedDesign
from fastridge.io.checkpoint import Checkpoint, check_checkpoint
from fastridge.runtime.sparse_indices import in_canonical_form
from fastridge.runtime.threads import resolve_threads
from fastridge.statistics.fold_statistics import (
    consecutive_parts,
    fold_bounds,
    fold_ids,
    rows_by_fold,
    with_rows,
)
from fastridge.statistics.gram_statistics import GramStatistics

_READING_BOUND = 256
"""Features below which reading takes as long as the Gram matrix does, and needs its own cores."""


class ScanDesign(StreamedDesign):
    """Rows of a scan.

    Parameters
    ----------
    rows : Scan
    n_folds : int or None
        None for all rows together. Rows of a scan without folds of its own go to consecutive
        folds, as scikit-learn's KFold makes them, where their number is known, otherwise row i goes
        to fold ``i % n_folds``.
    checkpoint : path, optional
        File to resume from if it exists, and to write every `checkpoint_every` rows.
    checkpoint_every : int, optional
    n_threads : int or None
    fit_intercept : bool, default=True
    labels : bool, default=False
        Whether targets are labels of any type.
    takes_offset : bool, default=False
        Whether the offset of the rows is used; otherwise one is an error.
    """

    def __init__(
        self,
        rows: Scan,
        n_folds: int | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
        n_threads: int | None = None,
        fit_intercept: bool = True,
        *,
        labels: bool = False,
        takes_offset: bool = False,
    ) -> None:
        if rows.has_offset and not takes_offset:
            raise ValueError(
                "these rows have an offset or an exposure, which only LogisticRegression and "
                "generalized linear models use: leave it out of scan."
            )
        self._labels = labels
        super().__init__(fit_intercept, resolve_threads(n_threads))
        self.scan, self.n_folds, self.asked_threads = rows, n_folds, n_threads
        path, every = check_checkpoint(checkpoint, checkpoint_every)
        self.checkpoint: Checkpoint | None = None
        if path is not None:
            identity = {"rows": rows.identity(), "n_folds": n_folds}
            kind = "checkpoint of statistics"
            self.checkpoint = Checkpoint(path, kind, identity, every, "rows or folds")

    @computed_once
    def folds(self) -> list[GramStatistics]:
        """Statistics of all rows, as a list of one, or those of each fold.

        After a failure or Ctrl-C those of the rows so far are in the checkpoint; a ScanError has
        them as its `statistics`.
        """
        reading = _Reading(self)
        try:
            return reading.to_end()
        except ScanError as error:
            error.statistics = reading.folds
            raise

    def threads_for(self, batch: Batch) -> int | None:
        """Return the number of threads for a batch; reading may need cores of its own."""
        n_threads = self.asked_threads
        if n_threads is None and self.scan.decodes and batch.X.shape[1] < _READING_BOUND:
            return max(1, resolve_threads(None) // 2)
        return n_threads

    # ---- rows that every epoch reads again from the start ----

    @computed_once
    def first(self) -> Batch:
        """The first batch: all others have its type of numbers and its number of columns."""
        if not self.scan.repeatable:
            raise ValueError(
                "these rows can be read only once, and every pass reads them: give a function "
                "that returns a new iterator, or use partial_fit of SGDClassifier or SGDRegressor."
            )
        first = next(self._checked(0, None, None), None)
        if first is None:
            raise ScanError("the scan gave no rows: at least one is needed.")
        return first

    def batches(self, skip: int, seed: int | None = None) -> Generator[Batch, None, None]:
        """Yield batches, without the first `skip`; X is float32 or float64, in any order, or CSR.

        With a seed they come in random order, as far as the source can.
        """
        return self._checked(skip, seed, self.first.X)

    def _checked(
        self, skip: int, seed: int | None, known: Matrix | None
    ) -> Generator[Batch, None, None]:
        batches = self.scan.batches(skip, seed=seed, row_major=True)
        try:
            for batch in batches:
                if batch.y is None:
                    raise ScanError("these rows have no target: give scan(..., target=...).")
                X = batch.X
                dtype = X.dtype if known is None else known.dtype
                X = X.astype(np.float32 if dtype == np.float32 else np.float64, copy=False)
                X = in_canonical_form(X, zeros=False)
                if known is not None and X.shape[1] != known.shape[1]:
                    raise ScanError(
                        f"a batch has {X.shape[1]} features, the first had {known.shape[1]}."
                    )
                y = np.asarray(batch.y)
                if not self._labels or y.dtype.kind == "f":
                    if not np.isfinite(np.add.reduce(y, axis=None, dtype=float)):
                        raise ScanError("the target holds NaN or infinity.")
                    y = np.asarray(y, dtype=float)
                weight = batch.weight
                if weight is not None:
                    weight = check_weight(weight, X, allow_zero=True)
                yield Batch(X, y, weight, None, batch.offset)
        finally:
            batches.close()


class _Reading:
    """Statistics of the rows that have been read so far."""

    def __init__(self, design: ScanDesign) -> None:
        self._design, self._scan, self._checkpoint = design, design.scan, design.checkpoint
        self.folds: list[GramStatistics] = []
        self._n_batches = self._n_rows = 0
        self._complete = False

    def to_end(self) -> list[GramStatistics]:
        """Read all rows from the checkpoint on, and return their statistics."""
        self._resume()
        if self._complete:
            return self.folds
        batches = self._scan.batches(self._n_batches, by_fold=True)
        try:
            for batch in batches:
                self._add(batch)
                if self._checkpoint is not None and self._checkpoint.due(self._n_rows):
                    self._save()
            self._complete = True
        finally:
            batches.close()
            if self._n_batches:
                self._save()
        if not self.folds:
            raise ScanError("the scan gave no rows: at least one is needed.")
        for stats in self.folds:
            stats.n_threads = self._design.asked_threads
        return self.folds

    def _add(self, batch: Batch) -> None:
        if batch.y is None:
            raise ScanError("these rows have no target: give scan(..., target=...).")
        n_threads = self._design.threads_for(batch)
        folds = with_rows(
            self.folds,
            self._rows_of_folds(batch),
            batch.X,
            batch.y,
            batch.weight,
            names=self._scan.feature_names,
            target_names=self._scan.target_names,
            n_threads=n_threads,
        )
        # All or nothing of a batch, whenever Ctrl-C comes.
        n_rows = self._n_rows + batch.X.shape[0]
        self.folds, self._n_batches, self._n_rows = folds, self._n_batches + 1, n_rows

    def _rows_of_folds(self, batch: Batch) -> Iterator[tuple[int, Index]]:
        """Yield each fold with its rows of a batch, as a slice if they are consecutive."""
        n, total, n_folds = batch.X.shape[0], self._scan.n_rows, self._design.n_folds
        if n_folds is None:
            yield 0, slice(0, n)
        elif batch.fold is not None:
            yield from rows_by_fold(batch.fold)
        elif total is None:
            yield from rows_by_fold(fold_ids(None, n, self._n_rows, n_folds))
        else:
            yield from consecutive_parts(self._n_rows, n, fold_bounds(total, n_folds))

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        archives = [stats._to_archive() for stats in self.folds]
        meta = {
            "n_batches": self._n_batches,
            "n_rows": self._n_rows,
            "complete": self._complete,
            "folds": [values for values, _ in archives],
        }
        arrays = {
            f"{name}_{k}": array
            for k, (_, arrays) in enumerate(archives)
            for name, array in arrays.items()
        }
        self._checkpoint.write(meta, arrays, self._n_rows)

    def _resume(self) -> None:
        kept = None if self._checkpoint is None else self._checkpoint.read()
        if self._checkpoint is None or kept is None:
            return
        meta, arrays = kept
        names, targets = self._scan.feature_names, self._scan.target_names
        for k, values in enumerate(meta["folds"]):
            stats, ending = GramStatistics(feature_names=names, target_names=targets), f"_{k}"
            own = {n.removesuffix(ending): a for n, a in arrays.items() if n.endswith(ending)}
            stats._from_archive(values, own)
            self.folds.append(stats)
        self._n_batches, self._n_rows = int(meta["n_batches"]), int(meta["n_rows"])
        self._checkpoint.saved, self._complete = self._n_rows, bool(meta["complete"])
