"""Logistic regression and generalized linear models on rows that are read several times."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
from fastridge.linear_model.separated import FIRST_STEPS, separation_of_passes
from fastridge.linear_model.streamed import refuse_targets
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows, SmoothLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.separation import Separation
from fastridge.solvers.newton.streamed import (
    Start,
    StreamedObjective,
    StreamedProblem,
    StreamedRows,
    minimise_streamed,
    start_of_sample,
)
from fastridge.solvers.newton.streamed_classes import (
    StreamedClasses,
    minimise_streamed_classes,
    start_of_classes,
)
from fastridge.solvers.newton.streamed_l1 import StreamedL1Objective
from fastridge.solvers.newton.streamed_sums import Encode, SumsOfBatch, Totals

_KIND = "checkpoint of Newton's method"
MOST_FEATURES = 10_000
"""Features of rows that are read several times: more have no Hessian in memory."""
_SAMPLED_ROWS = 1_000_000
SAMPLED_VALUES = 1 << 23
"""Values of X in a sample: 64 MB."""
_MOST_SAMPLED_VALUES = 1 << 25
_ROWS_PER_FEATURE = 50
_LEAST_ROWS_PER_FEATURE = 5
_SEED = 0
UNKNOWN_SHARE = 1.0 / 16.0
"""Share of the rows that a sample has, where their number is unknown."""


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
        super().__init__(row, value, wanted)

    def __str__(self) -> str:
        return f"the target is {self.value:g}, and must be {self.wanted}"


class Sample(NamedTuple):
    """Some rows in memory."""

    X: Matrix
    y: np.ndarray
    weight: np.ndarray | None
    offset: np.ndarray | None
    complete: bool  # whether these are all rows


class Family(NamedTuple):
    """The loss and the penalty of a model, and how rows become those of its loss.

    Attributes
    ----------
    loss : SmoothLoss
    n_classes : int
        Above 2 where the loss is that of classes.
    encode : callable
        Makes rows for Newton's method of a batch; its offsets are about `shift`.
    strength : callable
        The strength of the penalty, of the sum of all weights.
    check : callable
        Raises ValueError if the totals do not suit the model.
    shift : float, or ndarray of shape (n_classes,)
    l1_ratio : float
        Share of the L1 norm in the penalty.
    """

    loss: SmoothLoss
    n_classes: int
    encode: Encode
    strength: Callable[[float], float]
    check: Callable[[Totals], None]
    shift: Any
    l1_ratio: float

    @property
    def has_l1(self) -> bool:
        """Return whether coefficients have an L1 penalty."""
        return self.l1_ratio > 0.0 and self.strength(1.0) > 0.0


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
            enough = n_values >= SAMPLED_VALUES and n_rows >= _ROWS_PER_FEATURE * p
            if enough or n_rows >= _SAMPLED_ROWS or n_values >= _MOST_SAMPLED_VALUES:
                complete = n_rows == design.scan.n_rows
                break
    finally:
        batches.close()
    X, y, weight, _, offset = (stacked(values) for values in zip(*parts, strict=True))
    return Sample(X, y, weight, offset, complete)


def rows_to_sample(n_features: int, n_rows: int) -> int:
    """Return the number of rows of a sample, `n_rows` unless these are too few or too many."""
    return min(max(n_rows, _ROWS_PER_FEATURE * n_features), _SAMPLED_ROWS)


def stacked(parts: tuple[Any, ...]) -> Any:
    """Return the rows of batches one after the other; None if they are."""
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
    separation : Separation or None
        Along which coefficients grow without bound, once the minimum was sought.
    """

    totals: Totals
    separation: Separation | None = None

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
        self._bounds = smooth_models.bounds_of(model, p, family.n_classes, self.kept)

    def minimum(self) -> tuple[smooth_models.Rows, NewtonResult]:
        """Return the penalties, and what Newton's method finds."""
        model, family = self._model, self._family
        sample = family.encode(
            Batch(self._sample.X, self._sample.y, self._sample.weight, None, self._sample.offset)
        )
        check_finite(sample.X, "X")
        n_threads, intercept = self._n_threads, bool(model.fit_intercept)
        weighted = sample.weight is None or bool(sample.weight.any())
        weight = sample.weight if weighted else None
        design = design_of(sample.X, weight, intercept, resolve_threads(model.n_threads))
        pilot = design.pilot
        work = SumsOfBatch(family.encode, pilot, intercept, n_threads, bool(model.standardize))
        rows: Any = StreamedRows(self._passes, work)
        held = smooth_models.Rows(rows, np.empty(0), None, self.kept, None, self._bounds)
        start = self._warm_start(held, pilot)
        enough = design.n_counted >= _LEAST_ROWS_PER_FEATURE * len(pilot)
        sampled = start is None and weighted and (enough or self._sample.complete)
        make: Callable[..., Callable[..., NewtonResult]] = self._solver
        if family.n_classes > 2:
            self._refuse_several()
            make = self._solver_of_classes
        solve = partial(make, rows, design, sample.loss)
        steps = int(model.max_iter)
        first = min(steps, FIRST_STEPS)
        result = self._fit(solve(start, sampled=sampled), first)
        held, self.separation = self._judged(held, result, work)
        if result.not_converged is not None and self.separation is None and first < steps:
            start = Weights(result.coef, result.intercept + result.coef @ pilot)
            result = self._fit(solve(start, sampled=False), steps - first)
            result = result._replace(n_iter=result.n_iter + first)
            held, self.separation = self._judged(held, result, work)
        model.n_passes_ = self._passes.n_passes
        return held, result._replace(intercept=result.intercept - family.shift)

    def _fit(self, solve: Callable[..., NewtonResult], max_iter: int) -> NewtonResult:
        """Return what a solver finds."""
        nothing = np.zeros((1, 1))
        l1 = nothing if self._family.has_l1 else None
        return smooth_models.minimum(self._model, nothing, solve, None, l1, max_iter)

    def _judged(
        self, held: smooth_models.Rows, result: NewtonResult, work: SumsOfBatch
    ) -> tuple[smooth_models.Rows, Separation | None]:
        """Return the penalties, and a direction along which coefficients grow if there is one."""
        self.totals = totals = held.design.totals  # type: ignore[attr-defined]
        l1 = self._l1_of(totals) if self._family.has_l1 else None
        held = held._replace(penalty=self._penalty_of(totals), l1=l1)
        found = separation_of_passes(self._passes, work, totals, held, result, self._family.loss)
        return held, found

    def _refuse_several(self) -> None:
        """Raise ValueError where penalties of several classes are supported in memory only."""
        what = None
        if self._family.has_l1:
            what, instead = f"l1_ratio={self._family.l1_ratio:g}", "set it to 0"
        elif self._bounds is not None:
            what, instead = "bounds", "leave them at None"
        if what is not None:
            raise ValueError(
                f"{what} with more than two classes is supported only for rows in memory: "
                f"{instead}, or give an array or a sparse matrix."
            )

    def _warm_start(self, held: smooth_models.Rows, pilot: np.ndarray) -> Weights | None:
        """Return the start of a warm start, or without any step, about the pilot."""
        model, family = self._model, self._family
        warm = smooth_models.start_from(model, held, family.n_classes)
        if warm is None and model.max_iter == 0:
            warm = smooth_models.zeros(held, family.n_classes)
        if warm is None:
            return None
        coef = warm.coef if self._bounds is None else np.clip(warm.coef, *self._bounds)
        return Weights(coef, warm.intercept + family.shift + coef @ pilot)

    def _solver(
        self,
        rows: StreamedRows,
        design: Design,
        loss: LossOfRows,
        start: Weights | None,
        *,
        sampled: bool,
    ) -> Callable[..., NewtonResult]:
        problem = StreamedProblem(rows, self._family.loss, self._penalty_of)
        objective, l1_of_sample = StreamedObjective(problem), None
        has_l1, bounds = self._family.has_l1, self._bounds
        if has_l1 or bounds is not None:
            objective = StreamedL1Objective(problem, self._l1_of if has_l1 else None, bounds)
        if has_l1:
            l1_of_sample = self._share * self._l1(
                design.sum_weights / self._share, design.standard_squares
            )
        begin = None if start is None else Start(start)
        if sampled:
            penalty = self._penalty_of_sample(design)
            begin = start_of_sample(SmoothProblem(design, loss, penalty), l1_of_sample, bounds)

        def solve(_: None, *, l1: np.ndarray | None, tol: float, max_iter: int) -> NewtonResult:
            return minimise_streamed(objective, begin, tol=tol, max_iter=max_iter)

        return solve

    def _solver_of_classes(
        self,
        rows: StreamedRows,
        design: Design,
        loss: ClassesOfRows,
        start: Weights | None,
        *,
        sampled: bool,
    ) -> Callable[..., NewtonResult]:
        K = self._family.n_classes
        objective = StreamedClasses(rows, K, self._penalty_of, design, loss)
        if sampled:
            start = start_of_classes(objective.sampled(self._penalty_of_sample(design)))

        def solve(_: None, *, l1: np.ndarray | None, tol: float, max_iter: int) -> NewtonResult:
            return minimise_streamed_classes(objective, start, tol=tol, max_iter=max_iter)

        return solve

    def _penalty_of_sample(self, design: Design) -> np.ndarray:
        """Return the part of the penalty that a sample has."""
        l2 = self._l2(design.sum_weights / self._share)
        return l2 * self._share * self._scale(design.standard_squares)

    def _l2(self, total: float) -> float:
        family = self._family
        return family.strength(total) * (1.0 - family.l1_ratio)

    def _l1(self, total: float, squares: np.ndarray | None) -> np.ndarray:
        """Return the L1 penalty of each feature, with the squares of the lengths of columns."""
        lengths = np.ones(max(self._n_kept, 1))
        if squares is not None and self._model.standardize:
            lengths = np.sqrt(squares)
        factors = 1.0 if self._factors is None else self._factors
        l1: np.ndarray = self._family.strength(total) * self._family.l1_ratio * lengths * factors
        return l1

    def _l1_of(self, totals: Totals) -> np.ndarray:
        return self._l1(totals.sum_weights, self._squares_of(totals))

    def _penalty_of(self, totals: Totals) -> np.ndarray:
        self._family.check(totals)
        return self._l2(totals.sum_weights) * self._scale(self._squares_of(totals))

    def _squares_of(self, totals: Totals) -> np.ndarray | None:
        if not self._model.standardize:
            return None
        return totals.squares_for(bool(self._model.fit_intercept))

    def _scale(self, squares: np.ndarray | None) -> np.ndarray:
        if not self._model.standardize:
            squares = None
        return L2Penalty(factors=self._factors).scale(max(self._n_kept, 1), squares)

    @property
    def _n_kept(self) -> int:
        kept = self.kept
        return self._sample.X.shape[1] if kept.excluded is None else len(kept.features)


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
    return UNKNOWN_SHARE if n_rows is None else sample.X.shape[0] / n_rows


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
