"""Logistic regression on rows that are read several times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    remember_scan,
    sample_of,
    scan_design,
    share_of,
)
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.separation import Separation
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
    shift : float, or ndarray of shape (n_classes,)
        Subtracted from the offsets.
    """

    classes: np.ndarray
    factors: np.ndarray | None
    features: np.ndarray | None
    shift: Any

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
        X, K = kept_columns(batch.X, self.features), len(self.classes)
        offset = None
        if batch.offset is not None:
            wanted = codes.shape if K == 2 else (len(codes), K)
            if batch.offset.shape != wanted:
                shape = "(n_samples,)" if K == 2 else f"(n_samples, {K})"
                raise ValueError(
                    f"offset of {K} classes must have shape {shape}, got a batch of shape "
                    f"{batch.offset.shape}."
                )
            offset = batch.offset - self.shift
        if K > 2:
            return LossRows(X, weight, ClassesOfRows(codes, K, offset))
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
) -> tuple[np.ndarray, np.ndarray, smooth_models.Rows, NewtonResult, Separation | None]:
    """Return the classes of a scan, the weight of each, penalties, minimum and separation."""
    design = scan_design(model, rows, y, sample_weight, (offset, None))
    if rows.has_exposure:
        raise ValueError("exposure needs a log link: give an offset instead.")
    passes = passes_of(model, design, checkpoint, checkpoint_every)
    sample = sample_of(design)
    n_threads = resolve_threads(design.threads_for(design.first))
    how = passes, sample, share_of(design, sample), n_threads
    found = fit_passes(model, *how, penalty, labels=partial(_labels_of_scan, design))
    remember_scan(model, design)
    return found


def fit_passes(
    model: Any,
    passes: Passes,
    sample: Sample,
    share: float,
    n_threads: int,
    penalty: tuple[float, float],
    *,
    labels: Callable[[], Labels],
) -> tuple[np.ndarray, np.ndarray, smooth_models.Rows, NewtonResult, Separation | None]:
    """Return what `fit_logistic_scan` returns, for rows that passes read.

    `labels` reads all rows for their labels, which is done where a sample does not tell them.
    """
    found = _noted(passes.note, sample.y)
    known = found is not None or sample.complete
    if found is None:
        found = labels_of(sample.y, sample.weight)
        if not known and (model.class_weight == "balanced" or _are_few(found, sample.offset)):
            found, known = labels(), True
            passes.restart(_note(found))
    fit = partial(minimum, model, passes, sample, share, n_threads, penalty)
    try:
        held = fit(found)
    except UnknownLabelError:
        if known:
            raise
        found = labels()
        passes.restart(_note(found))
        held = fit(found)
    model.n_passes_ += passes.note is not None
    return found.labels, *held


def _labels_of_scan(design: ScanDesign) -> Labels:
    """Return the labels of all rows, from a pass over them."""
    return merged(
        labels_of(batch.y, batch.weight) for batch in design.batches(0) if batch.y is not None
    )


def _are_few(found: Labels, offset: np.ndarray | None) -> bool:
    """Return whether there must be more classes than a sample has, or more with weight."""
    if np.count_nonzero(found.totals) < 2:
        return True
    return offset is not None and offset.ndim > 1 and offset.shape[1] > len(found.labels)


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
    penalty: tuple[float, float],
    found: Labels,
) -> tuple[np.ndarray, smooth_models.Rows, NewtonResult, Separation | None]:
    """Return the weight of each class, penalties, minimum and separation of rows that are read."""
    classes, totals = found
    check_classes(model, classes)
    factors = factors_of_classes(model, classes, totals)
    shift: Any = 0.0
    weighted = sample.weight is None or bool(sample.weight.any())
    if sample.offset is not None and model.fit_intercept and weighted:
        shift = np.average(sample.offset, axis=0, weights=sample.weight)
    features = features_of(model, sample.X.shape[1])
    family = Family(
        Logistic(),
        len(classes),
        _Encode(classes, factors, features, shift),
        partial(smooth_models.summed, model, penalty[0]),
        _check,
        shift,
        penalty[1],
    )
    fit = StreamedFit(model, family, passes, sample, share, n_threads)
    held, result = fit.minimum()
    if len(classes) > 2:
        result = smooth_models.sum_to_zero(result, held.free, bool(model.fit_intercept))
    return fit.totals.of_classes, held, result, fit.separation


def _check(totals: Totals) -> None:
    if np.count_nonzero(totals.of_classes) < 2:
        raise ValueError(
            "only rows of one class have weight: LogisticRegression needs at least two, so "
            "correct sample_weight or class_weight."
        )
