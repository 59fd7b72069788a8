"""SGD over rows that a scan reads: several epochs, with checkpoints."""

import functools
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from fastridge._typing import PathLike, RowsLike
from fastridge._validation import check_weight
from fastridge.data.batches import Batch, ScanError
from fastridge.data.scan import Scan
from fastridge.io.checkpoint import Checkpoint, check_checkpoint
from fastridge.linear_model.sgd_classes import (
    ClassTargets,
    factors_of_counts,
    plan_for_classes,
    refuse_one_class,
)
from fastridge.linear_model.sgd_inputs import FLOATS, HeldOut, refuse_not_finite
from fastridge.linear_model.sgd_state import State, judge_by_start
from fastridge.runtime.sparse_indices import in_canonical_form
from fastridge.solvers.sgd.order import rows_with_weight
from fastridge.solvers.sgd.scanned_epochs import Part, PassesDescent
from fastridge.solvers.sgd.settings import Plan

_KIND = "checkpoint of a descent"
_NOTHING = np.empty(0)


class ScannedRows:
    """The batches of a scan as a model of SGD wants them: checked, in one type of numbers."""

    def __init__(self, rows: Scan, model: BaseEstimator) -> None:
        if not rows.repeatable:
            raise ValueError(
                "these rows can be read only once, and every epoch reads them: give a function "
                "that returns a new iterator, or use partial_fit."
            )
        self.rows, self.model = rows, model
        first = next(iter(self.batches(0)), None)
        if first is None:
            raise ScanError("the scan gave no rows: at least one is needed.")
        self.first: Any = first
        self.dtype = first.X.dtype

    def batches(self, skip: int, seed: int | None = None) -> Iterator[Any]:
        """Batches, without the first so many; X is float32 or float64, in any order, or CSR.

        With a seed they come in random order, as far as the source can.
        """
        known: Any = getattr(self, "first", None)
        batches = self.rows.batches(skip, seed=seed, row_major=True)
        try:
            for batch in batches:
                if batch.y is None:
                    raise ScanError("these rows have no target: give scan(..., target=...).")
                X = batch.X.to_numpy() if hasattr(batch.X, "iloc") else batch.X
                dtype = X.dtype if known is None else known.X.dtype
                X = X.astype(dtype if dtype in FLOATS else np.float64, copy=False)
                X = in_canonical_form(X, zeros=False)
                if known is not None and X.shape[1] != known.X.shape[1]:
                    raise ScanError(
                        f"a batch has {X.shape[1]} features, the first had {known.X.shape[1]}."
                    )
                if not np.isfinite(np.add.reduce(batch.y, axis=None, dtype=float)):
                    raise ScanError("the target holds NaN or infinity.")
                weight = batch.weight
                if weight is not None:
                    weight = check_weight(weight, X, allow_zero=True)
                yield Batch(X, np.asarray(batch.y, dtype=float), weight, None)
        finally:
            batches.close()  # type: ignore[attr-defined]

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """The labels and how many rows with weight have each, from a pass over the rows."""
        counts: dict[float, int] = {}
        for batch in self.batches(0):
            weight = np.ones(len(batch.y)) if batch.weight is None else batch.weight
            labels, codes = np.unique(batch.y, return_inverse=True)
            some = np.bincount(codes, weights=weight != 0.0)
            for label, count in zip(labels.tolist(), some.tolist(), strict=True):
                counts[label] = counts.get(label, 0) + int(count)
        labels = np.array(sorted(counts))
        return labels, np.array([counts[label] for label in labels.tolist()])


class Checkpoints:
    """Writes what a descent has reached, every so many rows and after each epoch."""

    def __init__(
        self,
        rows: Scan,
        model: BaseEstimator,
        held: HeldOut,
        checkpoint: PathLike | None,
        every: int | None,
    ) -> None:
        path, every = check_checkpoint(checkpoint, every)
        self.checkpoint: Checkpoint | None = None
        if path is None:
            return
        parameters = {name: repr(value) for name, value in sorted(model.get_params().items())}
        parameters.pop("verbose")
        identity = {
            "rows": rows.identity(),
            "model": type(model).__name__,
            "parameters": parameters,
            "validation": None if held.rows is None else _digest(held),
        }
        self.checkpoint = Checkpoint(path, _KIND, identity, every, "rows or parameters")

    def __call__(self, descent: PassesDescent, epoch: bool) -> None:
        if self.checkpoint is not None and (epoch or self.checkpoint.due(descent.n_seen)):
            self._save(self.checkpoint, descent)

    def _save(self, checkpoint: Checkpoint, descent: PassesDescent) -> None:
        weights = descent.weights
        nothing = descent.loss_of_nothing
        arrays = {
            "coef": weights.coef,
            "beside": weights.beside,
            "figures": weights.figures,
            "loss_curve": np.array(descent.loss_curve, dtype=float),
            "numbers": np.array(
                [
                    descent.best_objective,
                    descent.best_score,
                    np.nan if nothing is None else nothing,
                ],
                dtype=float,
            ),
        }
        for k, part in enumerate(descent.retreat or ()):
            arrays[f"retreat_{k}"] = part
        meta = {
            "seed": descent.seed,
            "n_iter": descent.n_iter,
            "n_parts": descent.n_parts,
            "n_seen": descent.n_seen,
            "halvings": descent.halvings,
            "converged": descent.converged,
            "idle": descent.idle,
        }
        checkpoint.write(meta, arrays, descent.n_seen)

    def resume(self, descent: PassesDescent) -> None:
        """Put a descent where the file says, if there is one."""
        kept = None if self.checkpoint is None else self.checkpoint.read()
        if self.checkpoint is None or kept is None:
            return
        meta, arrays = kept
        weights = descent.weights
        weights.restore((arrays["coef"], arrays["beside"], arrays["figures"]))
        if descent.retreat is not None:
            for k, part in enumerate(descent.retreat):
                part[...] = arrays[f"retreat_{k}"]
        descent.seed, descent.n_iter = int(meta["seed"]), int(meta["n_iter"])
        descent.n_parts, descent.n_seen = int(meta["n_parts"]), int(meta["n_seen"])
        descent.halvings, descent.converged = int(meta["halvings"]), bool(meta["converged"])
        descent.idle = int(meta["idle"])
        descent.loss_curve = arrays["loss_curve"].tolist()
        descent.best_objective, descent.best_score, nothing = arrays["numbers"].tolist()
        descent.loss_of_nothing = None if np.isnan(nothing) else nothing
        self.checkpoint.saved = descent.n_seen
        if not descent.n_parts:
            weights.fold(descent.choices)


def fit_scan(
    model: BaseEstimator,
    rows: Scan,
    y: object,
    sample_weight: object,
    scored: tuple[Any, Any],
    starts: tuple[ArrayLike | None, ArrayLike | None],
    checkpoint: PathLike | None,
    checkpoint_every: int | None,
) -> BaseEstimator:
    """`fit` of a model of SGD where X is a scan; `scored` are X_val and y_val.

    `starts` are coef_init and intercept_init.
    """
    plan: Plan = model._plan()
    if y is not None or sample_weight is not None:
        raise ValueError(
            "X is a scan, which has its own target and weights: give scan(..., target=, weights=) "
            "and neither y nor sample_weight here."
        )
    if model.early_stopping:
        raise ValueError(
            "early_stopping holds rows of X out, which is not offered for a scan: give X_val and "
            "y_val to fit, or set it to False."
        )
    scanned = ScannedRows(rows, model)
    p = scanned.first.X.shape[1]
    n_targets = 1 if scanned.first.y.ndim == 1 else scanned.first.y.shape[1]
    shape: tuple[int, ...] = (p,) if scanned.first.y.ndim == 1 else (n_targets, p)
    classes: np.ndarray | None = None
    factors: Any = None
    if model._classifies:
        if n_targets > 1:
            raise ValueError(f"classes must be in one column, got {n_targets} targets.")
        classes, counts = scanned.labels()
        refuse_one_class(classes)
        plan = plan_for_classes(plan, len(classes))
        shape = (1 if len(classes) == 2 else len(classes), p)
        factors = factors_of_counts(model.class_weight, classes, counts)
    state = _begin(model, shape, scanned.dtype, *starts)
    held = _held_out(model, rows, scanned.first, classes, *scored)
    if model.standardize:
        moments = None
        for batch in scanned.batches(0):
            standards = model._standards(batch.X, batch.weight, moments)
            moments = standards.moments
        state.enter(standards)

    def parts(k: int, skip: int, seed: int | None) -> Iterator[Part]:
        for batch in scanned.batches(skip, seed):
            yield part_of(k, batch)

    def part_of(k: int, batch: Any) -> Part:
        if classes is None:
            target, weight = batch.y if batch.y.ndim == 1 else batch.y[:, k], batch.weight
        else:
            codes = np.searchsorted(classes, batch.y)
            target, weight = ClassTargets(codes, factors, batch.weight, plan)[k]
        given = model._rows(batch.X, batch.weight, plan, len(state.intercept), state)
        return Part(
            given,
            np.ascontiguousarray(target, dtype=float),
            _NOTHING if weight is None else np.ascontiguousarray(weight),
            functools.partial(refuse_not_finite, batch.X, model),
        )

    weights = state.weights(plan, sp.issparse(scanned.first.X))
    checkpoints = Checkpoints(rows, model, held, checkpoint, checkpoint_every)
    if checkpoints.checkpoint is not None and len(weights) > 1:
        raise ValueError(
            f"checkpoint is offered for one target, two classes or the softmax, got {len(weights)} "
            "models: fit each by itself."
        )
    scores = model._scores(held, len(weights), state.standards, classes)
    seeds = model._seeds(len(weights) if model._classifies else 1)
    descents = [
        PassesDescent(
            plan,
            functools.partial(parts, k),
            part_of(k, scanned.first),
            own,
            int(seeds[k % len(seeds)]),
            checkpoints,
            score,
        )
        for k, (own, score) in enumerate(zip(weights, scores, strict=True))
    ]
    checkpoints.resume(descents[0])
    chosen = rows_with_weight(scanned.first.weight)
    if chosen is None or len(chosen):
        judge_by_start(plan, scanned.first.X, state, descents, chosen)
    model.n_features_in_ = p
    model.__dict__.pop("feature_names_in_", None)
    if classes is not None:
        model.classes_ = classes
    model._fit_descents(plan, state, descents, None, 1)
    if rows.feature_names is not None:
        model.feature_names_in_ = np.array(rows.feature_names, dtype=object)
    return model


def _begin(
    model: BaseEstimator,
    shape: tuple[int, ...],
    dtype: Any,
    coef_init: ArrayLike | None,
    intercept_init: ArrayLike | None,
) -> State:
    if model.warm_start and model.__dict__.get("coef_") is not None:
        coef_init = model._dense_coef() if coef_init is None else coef_init
        intercept_init = model.intercept_ if intercept_init is None else intercept_init
    state: State = model._begin(shape, dtype, coef_init, intercept_init)
    return state


def _held_out(
    model: BaseEstimator,
    rows: Scan,
    first: Batch,
    classes: np.ndarray | None,
    X_val: RowsLike | None,
    y_val: ArrayLike | None,
) -> HeldOut:
    """The rows whose score decides when to end, if any are given."""
    if X_val is None and y_val is None:
        return HeldOut(None, None, None, None)
    model.n_features_in_ = first.X.shape[1]
    model.__dict__.pop("feature_names_in_", None)
    if rows.feature_names is not None and hasattr(X_val, "columns"):
        model.feature_names_in_ = np.array(rows.feature_names, dtype=object)
    held: HeldOut = model._held_out(first.X, first.y, None, X_val, y_val, classes)
    return held


def _digest(held: HeldOut) -> str:
    """What tells these rows from others."""
    X = held.rows
    arrays = (X.data, X.indices, X.indptr, held.y) if sp.issparse(X) else (X, held.y)
    digest = hashlib.sha256(repr([(a.shape, str(a.dtype)) for a in arrays]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
