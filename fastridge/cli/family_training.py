"""The training rows of ``--family``: in memory, or read again in each pass where they are too many.

Of either, the same functions give the null model, the penalties to try, and fits to all rows or to
those outside a fold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastridge.cli.errors import CommandError
from fastridge.cli.families import Family, FamilyModel, derivatives, with_offset
from fastridge.cli.family_scores import FamilyScores
from fastridge.cli.fitting import Run
from fastridge.cli.labels import class_index, label_text
from fastridge.cli.progress import Stage
from fastridge.cli.rows import (
    BATCH_ROWS,
    Rows,
    held_rows,
    n_held_values,
    no_weight,
    read_rows,
)
from fastridge.data.batches import Batch, Reading
from fastridge.data.scan import Scan
from fastridge.data.splitting import HELD_OUT
from fastridge.linear_model.smooth_path import glm_path, logistic_path
from fastridge.runtime.memory import memory_size
from fastridge.solvers.sgd.standardisation import Standardisation

_MEMORY_SHARE = 0.5
"""Rows that take more than this part of the memory are read again in each pass."""
_TOL, _EXACT_TOL = 1e-6, 1e-8


class FamilyTraining(ABC):
    """Training rows of a family.

    Attributes
    ----------
    labels : ndarray or None
        Values of the target that are classes, in increasing order.
    folds : list of int
        Folds that have rows with weight.
    fold_weights : dict of int to float
        The sum of the weights of each.
    sum_weights : float
    moments : tuple of ndarray
        Means and variances of the features.
    null : ndarray
        Linear predictors of the null model.
    is_kept : bool
        Whether rows are in memory.
    """

    is_kept = False

    def __init__(self, family: Family, run: Run) -> None:
        self.family, self.run, self.args = family, run, run.args
        moments, totals = Standardisation(), _TargetTotals(family.classifies)
        for rows in self._see():
            moments.see(rows.X, rows.weight)
            totals.add(rows)
        if not totals.weight > 0.0:
            raise no_weight(self.args.weights)
        assert moments.moments is not None
        self.sum_weights = totals.weight
        self.mean, self.variance = moments.moments[0], moments.moments[1]
        self.fold_weights = totals.folds
        self.folds = sorted(totals.folds)
        self.labels: np.ndarray | None = None
        if family.classifies:
            self.labels = self._classes(totals)
        elif not totals.target > 0.0 and (family.power, family.link) != (0.0, "identity"):
            raise CommandError(
                f"the mean of the target {self.args.target!r} of {self.args.data} is "
                f"{totals.target / totals.weight:.3g} in the training rows, and must be above 0 "
                f"for --family {family.name} with --link {family.link}: choose others"
            )
        self.null = self._null(totals)

    def _classes(self, totals: _TargetTotals) -> np.ndarray:
        known = self.run.schema.encoder.classes
        values = np.array(sorted(totals.classes))
        fractions = values[values != np.floor(values)]
        if len(fractions):
            raise CommandError(
                f"--family {self.family.name} is for classes, and {self.args.target!r} holds "
                f"fractions such as {fractions[0]:g}: choose another family"
            )
        names = [label_text(v) if known is None else known[int(v)] for v in values.tolist()]
        self.family.check_classes(names, self.args.target, self.args.data)
        return values

    def _null(self, totals: _TargetTotals) -> np.ndarray:
        if self.args.offset is not None or self.args.exposure is not None:
            n_features = self.run.schema.encoder.n_features
            excluded = np.full(n_features, np.inf)
            model = self.family.free_model().set_params(penalty_factors=excluded)
            return np.ravel(self.fit(model).intercept_)
        if self.labels is None:
            mean = totals.target / totals.weight
            return np.array([self.family.loss.null_predictor(mean)])
        parts = np.array([totals.classes[value] for value in self.labels.tolist()])
        logits = np.log(parts / totals.weight)
        return np.array([logits[1] - logits[0]]) if len(parts) == 2 else logits

    def index(self, y: np.ndarray) -> np.ndarray:
        """Return the target as scores take it: itself, or the index of its class, or -1."""
        if self.labels is None:
            return y
        return class_index(self.labels, y)

    def scores(self) -> FamilyScores:
        """Return scores against the null model, of no rows yet."""
        return self.family.scores(self.null)

    def options(self, *, exact: bool = False) -> dict[str, Any]:
        """Return parameters of all estimators and paths, with the smaller `tol` if `exact`."""
        args = self.args
        tol = (_EXACT_TOL if exact else _TOL) if args.tol is None else args.tol
        given = {"standardize": args.standardize, "n_threads": args.n_threads}
        return given | {"tol": tol, "max_iter": args.max_iter or 100}

    def model(self, alpha: float, l1_ratio: float, without: int | None = None) -> FamilyModel:
        """Return an estimator of the rows outside a fold, with a penalty on their mean's scale."""
        options = self.options(exact=self.is_kept and not l1_ratio)
        return self.family.model(alpha, self.weight_without(without), l1_ratio, **options)

    def top(self) -> float:
        """Return the largest effect that a feature has on the loss at the null model.

        It is the least alpha of the lasso at which all coefficients are zero.
        """
        gradient: Any = 0.0
        for rows in self._see():
            index, eta = self.index(rows.y), with_offset(self.null, rows.offset, len(rows.y))
            derivative = derivatives(self.family, eta, index) * rows.weights[:, None]
            gradient += rows.X.T @ derivative - np.outer(self.mean, derivative.sum(axis=0))
        scale = np.sqrt(self.variance) if self.args.standardize else np.ones(len(self.mean))
        there = (scale > 0.0) & (self.variance > 0.0)
        largest = np.abs(gradient[there] / scale[there, None]).max(initial=0.0)
        return float(largest) / self.sum_weights

    def require_folds(self) -> None:
        """Raise CommandError if there are too few folds to choose a penalty."""
        if len(self.folds) < 2:
            n_rows = self.run.schema.counts.n_train
            raise CommandError(
                f"{n_rows} training rows are too few to choose the penalty: give --alpha"
            )

    @abstractmethod
    def _see(self) -> Iterator[Rows]:
        """Yield all rows."""

    def require_classes(self, y: np.ndarray) -> None:
        """Raise CommandError if rows outside a fold lack one of the classes."""
        assert self.labels is not None
        if len(np.unique(y)) < len(self.labels):
            raise CommandError(
                "a class has training rows in one fold only: give --alpha, or fewer --folds"
            )

    @abstractmethod
    def fit(self, model: FamilyModel, stage: Stage | None = None) -> FamilyModel:
        """Fit an estimator to all rows, and return it; a stage shows progress."""

    @abstractmethod
    def path(
        self, alphas: np.ndarray, l1_ratio: float, without: int | None, stage: Stage
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit at decreasing penalties to all rows but those of a fold.

        Returns coefficients of shape (n_alphas, n_outputs, n_features), and intercepts.
        """

    def weight_without(self, fold: int | None) -> float:
        """Return the sum of the weights outside a fold."""
        return self.sum_weights - (0.0 if fold is None else self.fold_weights[fold])

    @abstractmethod
    def of_fold(self, fold: int) -> Iterator[Rows]:
        """Yield the rows of a fold."""


class KeptFamilyRows(FamilyTraining):
    """Rows in memory."""

    is_kept = True

    def __init__(self, family: Family, run: Run, stage: Stage) -> None:
        rows = held_rows(run.task.rows, run.schema, stage.advance)
        if rows.weight is not None and not rows.weight.all():
            rows = rows.taken(rows.weight > 0.0)
        self._rows = rows
        self._last: tuple[int | None, Rows] = None, self._rows
        super().__init__(family, run)

    def _see(self) -> Iterator[Rows]:
        yield self._rows

    def fit(self, model: FamilyModel, stage: Stage | None = None) -> FamilyModel:
        rows = self._rows
        model.fit(rows.X, rows.y, sample_weight=rows.weight, offset=rows.offset)
        model.feature_names_in_ = np.asarray(self.run.schema.encoder.feature_names, dtype=object)
        return model

    def path(
        self, alphas: np.ndarray, l1_ratio: float, without: int | None, stage: Stage
    ) -> tuple[np.ndarray, np.ndarray]:
        if without != self._last[0]:
            self._last = None, self._rows
            if without is not None:
                self._last = without, self._rows.taken(~self._in_fold(without))
        rows, family = self._last[1], self.family
        given: dict[str, Any] = {
            "sample_weight": rows.weight,
            "offset": rows.offset,
            "l1_ratio": l1_ratio,
        }
        given |= self.options()
        if not family.classifies:
            given |= {"power": family.power, "link": family.link, "alphas": alphas}
            path = glm_path(rows.X, rows.y, family="tweedie", **given)
            return path.coefs[:, None], path.intercepts[:, None]
        self.require_classes(rows.y)
        with np.errstate(divide="ignore"):
            Cs = 1.0 / (alphas * self.weight_without(without))
        found = logistic_path(rows.X, rows.y, Cs=Cs, **given).coefs
        found = found.reshape(len(alphas), -1, found.shape[-1])
        return found[..., :-1], found[..., -1]

    def of_fold(self, fold: int) -> Iterator[Rows]:
        yield self._rows.taken(self._in_fold(fold))

    def _in_fold(self, fold: int) -> np.ndarray:
        assert self._rows.fold is not None
        return self._rows.fold == fold


class ReadFamilyRows(FamilyTraining):
    """Rows that are read in each pass."""

    def __init__(self, family: Family, run: Run, stage: Stage) -> None:
        self._stage = stage
        super().__init__(family, run)

    def _see(self) -> Iterator[Rows]:
        yield from read_rows(self.run.task.rows, "training", self._stage.advance)

    def fit(self, model: Any, stage: Stage | None = None) -> FamilyModel:
        progress, args = None if stage is None else stage.advance, self.args
        scan = _CountedRows(self.run.task.rows.rows_of("training", progress), None)
        kept = {}
        if stage is not None and args.checkpoint is not None:
            kept = {"checkpoint": args.checkpoint, "checkpoint_every": args.checkpoint_every}
        fitted: FamilyModel = model.fit(scan, **kept)
        return fitted

    def path(
        self, alphas: np.ndarray, l1_ratio: float, without: int | None, stage: Stage
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = self.run.task.rows.rows_of("training", stage.advance)
        scan = _CountedRows(rows, without)
        model: Any = None
        coefs, intercepts = [], []
        for alpha in alphas.tolist():
            at = self.model(alpha, l1_ratio, without)
            model = at if model is None else model.set_params(**at.get_params())
            model.set_params(warm_start=True).fit(scan)
            coefs.append(np.atleast_2d(model.coef_))
            intercepts.append(np.ravel(model.intercept_))
        if self.labels is not None:
            self.require_classes(model.classes_)
        return np.array(coefs), np.array(intercepts)

    def of_fold(self, fold: int) -> Iterator[Rows]:
        for rows in self._see():
            assert rows.fold is not None
            yield rows.taken(rows.fold == fold)


class _CountedRows(Scan):
    """The rows with weight of all folds, or of all but one."""

    def __init__(self, source: Any, without: int | None) -> None:
        super().__init__(source, BATCH_ROWS)
        self._without = without

    def _read(self, reading: Reading) -> Iterator[Batch]:
        for batch in super()._read(reading):
            assert batch.fold is not None
            there = batch.fold != (HELD_OUT if self._without is None else self._without)
            if batch.weight is not None:
                there &= batch.weight > 0.0
            parts = (None if part is None else part[there] for part in batch)
            yield Batch(*parts)


class _TargetTotals:
    """Sums over the target: of its values, or of the weights of each class."""

    def __init__(self, classifies: bool) -> None:
        self._classifies = classifies
        self.weight = self.target = 0.0
        self.classes: dict[float, float] = {}
        self.folds: dict[int, float] = {}

    def add(self, rows: Rows) -> None:
        weight = rows.weights
        self.weight += float(weight.sum())
        self.target += float(weight @ rows.y)
        if rows.fold is not None:
            for fold, total in enumerate(np.bincount(rows.fold, weight).tolist()):
                if total > 0.0:
                    self.folds[fold] = self.folds.get(fold, 0.0) + total
        if not self._classifies:
            return
        values, index = np.unique(rows.y, return_inverse=True)
        for value, total in zip(values.tolist(), np.bincount(index, weight), strict=True):
            if total > 0.0:
                self.classes[value] = self.classes.get(value, 0.0) + total


def read_family_rows(family: Family, run: Run, l1_ratios: Sequence[float]) -> FamilyTraining:
    """Return the training rows, in memory if they fit there."""
    task, counts = run.task, run.schema.counts
    n_bytes = 8 * n_held_values(task.rows, run.schema)
    fits = n_bytes <= _MEMORY_SHARE * memory_size()
    streams = run.args.checkpoint is not None or not fits
    if streams and family.name == "multinomial" and any(l1_ratios):
        what = "--family multinomial with --l1-ratio"
        if not fits:
            raise CommandError(
                f"{what} needs the rows in memory, and {counts.n_train:,} of "
                f"{run.schema.encoder.n_features:,} features take {1e-9 * n_bytes:.2g} GB: choose "
                "fewer --features or --max-categories"
            )
        run.notes.append(
            f"rows are kept in memory for {what}: --checkpoint keeps the columns alone"
        )
        streams = False
    with run.stages.stage("rows", counts.n_rows) as stage:
        if not streams:
            return KeptFamilyRows(family, run, stage)
        what = f"{n_bytes / 1e9:.2g} GB" if run.args.checkpoint is None else "checkpoints"
        run.notes.append(f"rows are read again in every pass ({what})")
        return ReadFamilyRows(family, run, stage)
