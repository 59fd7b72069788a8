"""Logistic regression on rows that are read several times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fastridge._typing import PathLike
from fastridge.data.batches import Batch
from fastridge.data.scan import Scan
from fastridge.designs.passes import Passes
from fastridge.designs.scanned import ScanDesign
from fastridge.linear_model import smooth_models
from fastridge.linear_model.logistic_options import (
    check_classes,
    factors_of_classes,
)
from fastridge.linear_model.sgd_inputs import classes_and_codes
from fastridge.linear_model.smooth_streamed import (
    Family,
    Sample,
    StreamedFit,
    features_of,
    kept_columns,
    one_column,
    passes_of,
    refuse_l1,
    remember_scan,
    sample_of,
    scan_design,
    share_of,
)
from fastridge.losses.logistic import Logistic
from fastridge.losses.smooth import LossOfRows
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.streamed_sums import LossRows, Totals


class UnknownLabelError(ValueError):
    """A label that no row of the sample has."""

    def __init__(self, label: object) -> None:
        super().__init__(f"label {label!r} is not among the classes.")


class Labels(NamedTuple):
    """The labels of rows, in increasing order, and the sums of the weights of each."""

    labels: np.ndarray
    totals: np.ndarray


def labels_of(y: np.ndarray, weight: np.ndarray | None) -> Labels:
    """Return the labels of some rows."""
    labels, codes = classes_and_codes(one_column(y))
    return Labels(labels, np.bincount(codes, weight, len(labels)))


def merged(parts: Iterable[Labels]) -> Labels:
    """Return the labels of all parts together."""
    labels, totals = map(np.concatenate, zip(*parts, strict=True))
    classes, codes = np.unique(labels, return_inverse=True)
    return Labels(classes, np.bincount(codes, totals, len(classes)))


@dataclass(frozen=True)
class _Encode:
    """Makes rows for Newton's method of a batch.

    Attributes
    ----------
    classes : ndarray
    factors : ndarray or None
        Of the weights of each class.
    features : ndarray or None
        Those that are kept.
    shift : float
        Subtracted from the offsets.
    """

    classes: np.ndarray
    factors: np.ndarray | None
    features: np.ndarray | None
    shift: float

    def __call__(self, batch: Batch) -> LossRows:
        assert batch.y is not None
        y, weight = one_column(batch.y), batch.weight
        codes = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if unknown.any():
            raise UnknownLabelError(y[int(np.argmax(unknown))])
        if self.factors is not None:
            each = self.factors[codes]
            weight = each if weight is None else weight * each
        offset = None
        if batch.offset is not None:
            if batch.offset.ndim > 1:
                raise ValueError("offset of a scan of two classes must have one dimension.")
            offset = batch.offset - self.shift
        X = kept_columns(batch.X, self.features)
        return LossRows(X, weight, LossOfRows(Logistic(), 2.0 * codes - 1.0, offset))


def fit_logistic_scan(
    model: Any,
    rows: Scan,
    y: object,
    sample_weight: object,
    offset: object,
    penalty: tuple[float, float],
    checkpoint: PathLike | None,
    checkpoint_every: int | None,
) -> tuple[np.ndarray, np.ndarray, smooth_models.Rows, NewtonResult]:
    """Return the classes of a scan, the weight of each, the penalties and the minimum."""
    strength = penalty[0]
    refuse_l1(strength * penalty[1])
    design = scan_design(model, rows, y, sample_weight, (offset, None))
    if rows.has_exposure:
        raise ValueError("exposure needs a log link: give an offset instead.")
    passes = passes_of(model, design, checkpoint, checkpoint_every)
    sample = sample_of(design)
    found = _noted(passes.note, sample.y)
    if found is None:
        found = labels_of(sample.y, sample.weight)
        known = sample.complete
        if not known and (model.class_weight == "balanced" or np.count_nonzero(found.totals) < 2):
            found, known = _labels_of_scan(design), True
            passes.restart(_note(found))
    else:
        known = True
    n_threads = resolve_threads(design.threads_for(design.first))
    fit = partial(minimum, model, passes, sample, share_of(design, sample), n_threads, strength)
    try:
        held = fit(found, known=known)
    except UnknownLabelError:
        if known:
            raise
        found = _labels_of_scan(design)
        passes.restart(_note(found))
        held = fit(found, known=True)
    model.n_passes_ += passes.note is not None
    remember_scan(model, design)
    return found.labels, *held


def _labels_of_scan(design: ScanDesign) -> Labels:
    """Return the labels of all rows, from a pass over them."""
    return merged(
        labels_of(batch.y, batch.weight) for batch in design.batches(0) if batch.y is not None
    )


def _note(found: Labels) -> list[list[Any]]:
    return [found.labels.tolist(), found.totals.tolist()]


def _noted(note: Any, y: np.ndarray) -> Labels | None:
    """Invert `_note`."""
    if note is None:
        return None
    labels = np.array(note[0], dtype=object if y.dtype == object else None)
    return Labels(labels, np.array(note[1]))


def minimum(
    model: Any,
    passes: Passes,
    sample: Sample,
    share: float,
    n_threads: int,
    strength: float,
    found: Labels,
    *,
    known: bool,
) -> tuple[np.ndarray, smooth_models.Rows, NewtonResult]:
    """Return the weight of each class, the penalties, and the minimum for rows that passes read.

    `known` says that `found` has the labels of all rows.
    """
    classes, totals = found
    check_classes(model, classes)
    if len(classes) > 2:
        raise ValueError(
            f"{len(classes)} classes are supported only for rows in memory: give an array, or use "
            "SGDClassifier(loss='log_loss')."
        )
    factors = factors_of_classes(model, classes, totals)
    shift = 0.0
    weighted = sample.weight is None or bool(sample.weight.any())
    if sample.offset is not None and model.fit_intercept and weighted:
        shift = float(np.average(sample.offset, weights=sample.weight))
    features = features_of(model, sample.X.shape[1])
    family = Family(
        Logistic(),
        _Encode(classes, factors, features, shift),
        lambda total: strength,
        _check,
        shift,
    )
    fit = StreamedFit(model, family, passes, sample, share, n_threads)
    held, result = fit.minimum()
    return fit.totals.of_signs, held, result


def _check(totals: Totals) -> None:
    if not totals.of_signs.all():
        raise ValueError(
            "only rows of one class have weight: LogisticRegression needs at least two, so "
            "correct sample_weight or class_weight."
        )
