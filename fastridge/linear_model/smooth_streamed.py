"""Logistic regression and generalized linear models on rows that are read several times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix, PathLike
from fastridge._validation import check_finite
from fastridge.data.batches import Batch, ScanError
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.designs.design import Design
from fastridge.designs.passes import Passes, ScanPasses
from fastridge.designs.scanned import ScanDesign
from fastridge.io.checkpoint import Checkpoint, check_checkpoint
from fastridge.linear_model import smooth_models
from fastridge.linear_model.encoded_tables import remember_encoding
from fastridge.linear_model.options import check_factors
from fastridge.linear_model.streamed import refuse_targets
from fastridge.losses.smooth import LossOfRows, SmoothLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.streamed import (
    Start,
    StreamedProblem,
    StreamedRows,
    minimise_streamed,
    start_of_sample,
)
from fastridge.solvers.newton.streamed_sums import Encode, SumsOfBatch, Totals

_KIND = "checkpoint of Newton's method"
MOST_FEATURES = 10_000
"""Features of rows that are read several times: more have no Hessian in memory."""
_SAMPLED_ROWS = 1_000_000
_SAMPLED_VALUES = 1 << 23  # 64 MB
_MOST_SAMPLED_VALUES = 1 << 25
_ROWS_PER_FEATURE = 50
_LEAST_ROWS_PER_FEATURE = 5
_SEED = 0
_UNKNOWN_SHARE = 1.0 / 16.0  # of the rows that a sample has, where their number is unknown


class TargetError(ValueError):
    """A target that is not in the range of the family.

    Attributes
    ----------
    row : int
        Among the rows of a batch.
    value : float
    """

    def __init__(self, row: int, value: float, wanted: str) -> None:
        self.row, self.value, self.wanted = row, value, wanted
        super().__init__(f"targets must be {wanted}, got {value:g}")


class Sample(NamedTuple):
    """Some rows in memory."""

    X: Matrix
    y: np.ndarray
    weight: np.ndarray | None
    offset: np.ndarray | None
    complete: bool  # whether these are all rows


class Family(NamedTuple):
    """What a model makes of rows.

    Attributes
    ----------
    loss : SmoothLoss
    encode : callable
        Makes rows for Newton's method of a batch; its offsets are about `shift`.
    strength : callable
        The strength of the penalty, of the sum of all weights.
    check : callable
        Raises ValueError if the totals do not suit the model.
    shift : float
    """

    loss: SmoothLoss
    encode: Encode
    strength: Callable[[float], float]
    check: Callable[[Totals], None]
    shift: float


def scan_design(
    model: Any, rows: Scan, y: object, sample_weight: object, terms: tuple[object, object]
) -> ScanDesign:
    """Return the design of a scan, which has targets, weights, offset and exposure of its own."""
    refuse_targets(y, sample_weight)
    if terms[0] is not None or terms[1] is not None:
        raise ValueError(
            "X is a scan, which has its own offset and exposure: give scan(..., offset=, "
            "exposure=)."
        )
    labels = hasattr(model, "class_weight")
    design = ScanDesign(rows, n_threads=model.n_threads, labels=labels, takes_offset=True)
    check_features(design.first.X.shape[1])
    return design


def check_features(n_features: int) -> None:
    """Raise ValueError if there are too many features for a Hessian."""
    if n_features > MOST_FEATURES:
        raise ValueError(
            f"rows that are read several times may have at most {MOST_FEATURES} features, got "
            f"{n_features}: use SGDClassifier or SGDRegressor, or rows in memory."
        )


def refuse_l1(l1_ratio: float) -> None:
    """Raise ValueError if the penalty has an L1 norm."""
    if l1_ratio > 0.0:
        raise ValueError(
            f"l1_ratio={l1_ratio:g} is supported only for rows in memory: set it to 0, or give an "
            "array or a sparse matrix."
        )


def sample_of(design: ScanDesign) -> Sample:
    """Return some rows, of blocks in random order where the source can be read in one."""
    parts: list[Batch] = []
    n_rows = n_values = 0
    p = design.first.X.shape[1]
    complete = True
    batches = design.batches(0, _SEED)
    try:
        for batch in batches:
            left = _SAMPLED_ROWS - n_rows
            some = slice(0, left)
            kept: Any = (None if part is None else part[some].copy() for part in batch)
            parts.append(Batch(*kept))
            n_rows += len(parts[-1].y)  # type: ignore[arg-type]
            n_values += int(batch.X.size)  # of a sparse matrix, the stored values
            enough = n_values >= _SAMPLED_VALUES and n_rows >= _ROWS_PER_FEATURE * p
            if enough or n_rows >= _SAMPLED_ROWS or n_values >= _MOST_SAMPLED_VALUES:
                complete = n_rows == design.scan.n_rows
                break
    finally:
        batches.close()
    X, y, weight, _, offset = (_stacked(values) for values in zip(*parts, strict=True))
    return Sample(X, y, weight, offset, complete)


def _stacked(parts: tuple[Any, ...]) -> Any:
    if parts[0] is None:
        return None
    return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)


def passes_of(
    model: BaseEstimator, design: ScanDesign, checkpoint: PathLike | None, every: int | None
) -> ScanPasses:
    """Return the passes over a scan, which resume from a checkpoint."""
    path, every = check_checkpoint(checkpoint, every)
    if path is None:
        return ScanPasses(design)
    parameters = {name: repr(value) for name, value in sorted(model.get_params().items())}
    parameters.pop("verbose")
    parameters.pop("n_threads")
    identity = {
        "rows": design.scan.identity(),
        "model": type(model).__name__,
        "parameters": parameters,
    }
    return ScanPasses(design, Checkpoint(path, _KIND, identity, every, "rows or parameters"))


class StreamedFit:
    """A fit to rows that are read several times.

    Parameters
    ----------
    model : estimator
    family : Family
    passes : Passes
    sample : Sample
    share : float
        Of all rows, what the sample has.
    n_threads : int
        For the sums of a batch.

    Attributes
    ----------
    kept : Kept
    totals : Totals
        Of all rows, once they have been read.
    """

    totals: Totals

    def __init__(
        self,
        model: Any,
        family: Family,
        passes: Passes,
        sample: Sample,
        share: float,
        n_threads: int,
    ) -> None:
        self._model, self._family, self._passes = model, family, passes
        self._sample, self._share, self._n_threads = sample, share, n_threads
        p = sample.X.shape[1]
        self._factors, self.kept = factors_of(model, p)

    def minimum(self) -> tuple[smooth_models.Rows, NewtonResult]:
        """Return the penalties, and what Newton's method finds."""
        model, family = self._model, self._family
        sample = family.encode(
            Batch(self._sample.X, self._sample.y, self._sample.weight, None, self._sample.offset)
        )
        check_finite(sample.X, "X")
        n_threads, intercept = self._n_threads, bool(model.fit_intercept)
        design: Design | None = None
        if sample.weight is None or sample.weight.any():
            design = design_of(sample.X, sample.weight, intercept, resolve_threads(model.n_threads))
        pilot = np.zeros(sample.X.shape[1]) if design is None else design.pilot
        work = SumsOfBatch(family.encode, pilot, n_threads, bool(model.standardize))
        rows = StreamedRows(self._passes, work, intercept)
        problem = StreamedProblem(rows, family.loss, self._penalty_of)
        begin: Start | None = None
        held: Any = rows
        warm = smooth_models.start_from(
            model, smooth_models.Rows(held, np.empty(0), None, self.kept), 2
        )
        if warm is None and model.max_iter == 0:
            warm = Weights(np.zeros(len(pilot)), 0.0)
        if warm is not None:
            about = warm.intercept + family.shift + float(pilot @ warm.coef)
            begin = Start(Weights(warm.coef, about))
        elif design is not None:
            begin = self._start(design, sample.loss)

        def solve(_: None, *, l1: None, tol: float, max_iter: int) -> NewtonResult:
            return minimise_streamed(problem, begin, tol=tol, max_iter=max_iter)

        nothing = np.zeros((1, 1))
        result = smooth_models.minimum(model, nothing, solve, None, None)
        model.n_passes_ = self._passes.n_passes
        self.totals = rows.totals
        result = result._replace(intercept=result.intercept - family.shift)
        return smooth_models.Rows(held, problem.penalty, None, self.kept), result

    def _start(self, design: Design, loss: LossOfRows) -> Start | None:
        """Return where a sample ends; None if it has too few rows."""
        if design.n_counted < _LEAST_ROWS_PER_FEATURE * design.shape[1]:
            return None
        total = design.sum_weights / self._share
        penalty = self._family.strength(total) * self._share * self._scale(design.standard_squares)
        with np.errstate(all="ignore"):
            return start_of_sample(SmoothProblem(design, loss, penalty))

    def _penalty_of(self, totals: Totals) -> np.ndarray:
        self._family.check(totals)
        intercept = bool(self._model.fit_intercept)
        squares = totals.standard_squares(intercept) if self._model.standardize else None
        strength = self._family.strength(totals.sum_weights)
        return strength * self._scale(squares)

    def _scale(self, squares: np.ndarray | None) -> np.ndarray:
        if not self._model.standardize:
            squares = None
        p = self._sample.X.shape[1] if self.kept.excluded is None else len(self.kept.features)
        return L2Penalty(factors=self._factors).scale(max(p, 1), squares)


def factors_of(model: Any, n_features: int) -> tuple[np.ndarray | None, Kept]:
    """Return the penalty factors of the features that are kept, and which these are."""
    factors = model.penalty_factors
    factors = None if factors is None else check_factors(factors, n_features)
    kept = Kept(factors)
    if factors is not None and kept.excluded is not None:
        factors = factors[kept.features] if len(kept.features) else None
    return factors, kept


def features_of(model: Any, n_features: int) -> np.ndarray | None:
    """Return the indices of the features that are kept; None for all."""
    kept = factors_of(model, n_features)[1]
    return None if kept.excluded is None else kept.features


def share_of(design: ScanDesign, sample: Sample) -> float:
    """Return the share of all rows that a sample has, or a guess."""
    if sample.complete:
        return 1.0
    n_rows = design.scan.n_rows
    return _UNKNOWN_SHARE if n_rows is None else sample.X.shape[0] / n_rows


def kept_columns(X: Matrix, features: np.ndarray | None) -> Matrix:
    """Return the columns that are not excluded; one of zeros where all are."""
    if features is None:
        return X
    if len(features):
        return X[:, features]
    zeros = np.zeros((X.shape[0], 1))
    return sp.csr_matrix(zeros) if sp.issparse(X) else zeros


def one_column(y: np.ndarray) -> np.ndarray:
    """Return targets in one dimension."""
    if y.ndim == 2:
        if y.shape[1] != 1:
            raise ValueError(f"the target must be one column, got {y.shape[1]}.")
        y = y[:, 0]
    return y


def named(rows: Scan, error: TargetError, model: BaseEstimator) -> ScanError:
    """Return the error for a target that is out of range, with file and line, or row."""

    def fits(text: str | None) -> bool:
        try:
            return text is not None and float(text) == error.value
        except ValueError:
            return False

    where = rows.position_of_target(fits)
    if where is None:
        n_rows = 0
        for batch in rows:
            assert batch.y is not None
            found = np.flatnonzero(np.ravel(batch.y) == error.value)
            if len(found):
                where = f"row {n_rows + int(found[0])}"
                break
            n_rows += batch.X.shape[0]
    return ScanError(
        f"{where}: the target is {error.value:g}, and targets of {type(model).__name__} must be "
        f"{error.wanted}."
    )


def remember_scan(model: Any, design: ScanDesign) -> None:
    """Set the attributes that tell the features of a scan."""
    model.n_features_in_ = design.first.X.shape[1]
    forget(model, "feature_names_in_")
    if design.scan.feature_names is not None:
        model.feature_names_in_ = np.array(design.scan.feature_names, dtype=object)
    remember_encoding(model, design.scan)
