"""Generalized linear models on rows that are read several times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastridge._typing import PathLike
from fastridge.data.batches import Batch
from fastridge.data.scan import Scan
from fastridge.designs.passes import Passes
from fastridge.linear_model import smooth_models
from fastridge.linear_model.smooth_streamed import (
    Family,
    Sample,
    StreamedFit,
    TargetError,
    features_of,
    kept_columns,
    named,
    one_column,
    passes_of,
    remember_scan,
    sample_of,
    scan_design,
    share_of,
)
from fastridge.losses.smooth import LossOfRows, SmoothLoss
from fastridge.losses.tweedie import TweedieIdentity
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.separation import Separation
from fastridge.solvers.newton.streamed_sums import LossRows, Totals


@dataclass(frozen=True)
class _Encode:
    """Makes rows for Newton's method of a batch.

    Attributes
    ----------
    loss : SmoothLoss
    least : tuple of float and bool, or None
        The least target, and whether it is one itself.
    features : ndarray or None
        Those that are kept.
    shift : float
        Subtracted from the offsets.
    """

    loss: SmoothLoss
    least: tuple[float, bool] | None
    features: np.ndarray | None
    shift: float

    def __call__(self, batch: Batch) -> LossRows:
        assert batch.y is not None
        y = one_column(np.asarray(batch.y, dtype=np.float64))
        if self.least is not None:
            least, included = self.least
            outside = y < least if included else y <= least
            if outside.any():
                row = int(np.argmax(outside))
                wanted = f"{'at least' if included else 'above'} {least:g}"
                raise TargetError(row, float(y[row]), wanted)
        offset = None if batch.offset is None else one_column(batch.offset) - self.shift
        X = kept_columns(batch.X, self.features)
        return LossRows(X, batch.weight, LossOfRows(self.loss, y, offset))


def fit_glm_scan(
    model: Any,
    rows: Scan,
    y: object,
    sample_weight: object,
    terms: tuple[object, object],
    checkpoint: PathLike | None,
    checkpoint_every: int | None,
) -> tuple[smooth_models.Rows, NewtonResult, Separation | None]:
    """Return the penalties, the minimum and the separation of a scan."""
    design = scan_design(model, rows, y, sample_weight, terms)
    passes = passes_of(model, design, checkpoint, checkpoint_every)
    try:
        sample = sample_of(design)
        n_threads = resolve_threads(design.threads_for(design.first))
        found = minimum(
            model, passes, sample, share_of(design, sample), n_threads, exposed=rows.has_exposure
        )
    except TargetError as error:
        raise named(rows, error, model) from None
    remember_scan(model, design)
    return found


def minimum(
    model: Any,
    passes: Passes,
    sample: Sample,
    share: float,
    n_threads: int,
    *,
    exposed: bool,
) -> tuple[smooth_models.Rows, NewtonResult, Separation | None]:
    """Return the penalties, the minimum and the separation of rows that passes read."""
    loss = model._loss()
    if exposed and loss.link != "log":
        raise ValueError("exposure needs a log link: give an offset instead.")
    if not model.fit_intercept and isinstance(loss, TweedieIdentity):
        raise ValueError(
            "link='identity' with a power other than 0 needs predictors above 0 in every row "
            "to start from: use fit_intercept=True."
        )
    shift = 0.0
    weighted = sample.weight is None or bool(sample.weight.any())
    if sample.offset is not None and model.fit_intercept and weighted:
        shift = smooth_models.centre_of(loss, one_column(sample.offset), sample.weight)
    features = features_of(model, sample.X.shape[1])
    family = Family(
        loss,
        1,
        _Encode(loss, model._least_target(), features, shift),
        partial(smooth_models.summed, model, float(model.alpha)),
        partial(_check, model, loss),
        shift,
        float(model.l1_ratio),
    )
    fit = StreamedFit(model, family, passes, sample, share, n_threads)
    held, result = fit.minimum()
    return held, result, fit.separation


def _check(model: Any, loss: SmoothLoss, totals: Totals) -> None:
    smooth_models.check_mean(model, loss, totals.mean)
    smooth_models.check_size(model, abs(totals.mean))
