"""SGD over rows that a scan reads: several epochs, with checkpoints."""

import functools
import hashlib
from collections.abc import Generator, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from fastridge._kernels.attributes import forget
from fastridge._kernels.sgd_state import State as NumbersOfRun
from fastridge._typing import PathLike, RowsLike
from fastridge.data.batches import Batch
from fastridge.data.scan import Scan
from fastridge.designs.scanned import ScanDesign
from fastridge.io.checkpoint import Checkpoint, check_checkpoint
from fastridge.linear_model.sgd_classes import (
    ClassTargets,
    LabelCounts,
    count_labels,
    factors_of_counts,
    merged_counts,
    plan_for_classes,
    refuse_one_class,
)
from fastridge.linear_model.sgd_inputs import HeldOut, refuse_not_finite
from fastridge.linear_model.sgd_state import State, judge_by_start
from fastridge.linear_model.streamed import refuse_targets
from fastridge.solvers.sgd.epochs import SolverRun
from fastridge.solvers.sgd.order import rows_with_weight
from fastridge.solvers.sgd.scanned_epochs import ScannedRun, SolverBatch
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.state import STATE_FIELDS, Snapshot

_KIND = "checkpoint of an SGD run"
_NOTHING = np.empty(0)


class Targets(NamedTuple):
    """The targets of the solver runs of a model: columns of numbers, or classes.

    Attributes
    ----------
    plan : Plan
    n_targets : int or None
        None where y has one dimension.
    classes : ndarray or None
        The labels, in increasing order.
    factors : ndarray or None
        Factor of each class on the weights of its rows.
    """

    plan: Plan
    n_targets: int | None = None
    classes: np.ndarray | None = None
    factors: np.ndarray | None = None

    def shape(self, n_features: int) -> tuple[int, ...]:
        """Return the shape of the coefficients."""
        if self.classes is not None:
            return (1 if len(self.classes) == 2 else len(self.classes), n_features)
        return (n_features,) if self.n_targets is None else (self.n_targets, n_features)

    def of_run(
        self, k: int, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return targets and weights for run `k`; an empty array stands for weights of one."""
        if self.classes is None or self.factors is None:
            target = np.asarray(y, dtype=float)
            target = target if target.ndim == 1 else target[:, k]
        else:
            codes = np.searchsorted(self.classes, np.ravel(y))
            target, weight = ClassTargets(codes, self.factors, weight, self.plan)[k]
        given = _NOTHING if weight is None else np.ascontiguousarray(weight)
        return np.ascontiguousarray(target, dtype=float), given


def class_targets(model: Any, plan: Plan, counted: Iterable[LabelCounts]) -> Targets:
    """Return the targets of a classifier; `counted` are the labels of each batch of rows."""
    classes, counts = merged_counts(counted)
    refuse_one_class(classes)
    factors = factors_of_counts(model.class_weight, classes, counts)
    return Targets(plan_for_classes(plan, len(classes)), None, classes, factors)


class Checkpoints:
    """Writes what a solver run has reached, every `every` rows and after each epoch."""

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

    def __call__(self, run: ScannedRun, epoch: bool) -> None:
        if self.checkpoint is not None and (epoch or self.checkpoint.due(run.n_seen)):
            self._save(self.checkpoint, run)

    def _save(self, checkpoint: Checkpoint, run: ScannedRun) -> None:
        weights = run.weights
        null_loss = run.null_loss
        arrays = {
            **_arrays_of("weights", weights.snapshot()),
            "loss_curve": np.array(run.loss_curve, dtype=float),
            "numbers": np.array(
                [
                    run.best_objective,
                    run.best_score,
                    np.nan if null_loss is None else null_loss,
                ],
                dtype=float,
            ),
        }
        if run.retreat is not None:
            arrays |= _arrays_of("retreat", run.retreat)
        meta = {
            "seed": run.seed,
            "n_iter": run.n_iter,
            "n_batches": run.n_batches,
            "n_seen": run.n_seen,
            "halvings": run.halvings,
            "converged": run.converged,
            "idle": run.idle,
            "state_fields": list(STATE_FIELDS),
        }
        checkpoint.write(meta, arrays, run.n_seen)

    def resume(self, run: ScannedRun) -> None:
        """Put a solver run where the file says, if there is one."""
        kept = None if self.checkpoint is None else self.checkpoint.read()
        if self.checkpoint is None or kept is None:
            return
        meta, arrays = kept
        weights = run.weights
        weights.restore(_snapshot_from("weights", arrays, meta["state_fields"]))
        if run.retreat is not None:
            run.retreat = _snapshot_from("retreat", arrays, meta["state_fields"])
        run.seed, run.n_iter = int(meta["seed"]), int(meta["n_iter"])
        run.n_batches, run.n_seen = int(meta["n_batches"]), int(meta["n_seen"])
        run.halvings, run.converged = int(meta["halvings"]), bool(meta["converged"])
        run.idle = int(meta["idle"])
        run.loss_curve = arrays["loss_curve"].tolist()
        run.best_objective, run.best_score, null_loss = arrays["numbers"].tolist()
        run.null_loss = None if np.isnan(null_loss) else null_loss
        self.checkpoint.saved = run.n_seen
        if not run.n_batches:
            weights.fold(run.settings)


def _arrays_of(prefix: str, snapshot: Snapshot) -> dict[str, np.ndarray]:
    """Return a snapshot as arrays for an archive."""
    arrays = {f"{prefix}_array_{name}": array for name, array in snapshot.arrays.items()}
    numbers = [getattr(snapshot.state, name) for name in STATE_FIELDS]
    return {
        f"{prefix}_coef": snapshot.coef,
        f"{prefix}_state": np.array(numbers),
        **arrays,
    }


def _snapshot_from(prefix: str, arrays: dict[str, np.ndarray], fields: list[str]) -> Snapshot:
    """Invert `_arrays_of`, for numbers with these names."""
    state, of_arrays = NumbersOfRun(), f"{prefix}_array_"
    for name, value in zip(fields, arrays[f"{prefix}_state"].tolist(), strict=True):
        setattr(state, name, value)
    kept = {n.removeprefix(of_arrays): a for n, a in arrays.items() if n.startswith(of_arrays)}
    return Snapshot(arrays[f"{prefix}_coef"], kept, state)


def fit_scan(
    model: BaseEstimator,
    rows: Scan,
    y: object,
    sample_weight: object,
    scored: tuple[RowsLike | Scan | None, ArrayLike | None],
    starts: tuple[ArrayLike | None, ArrayLike | None],
    checkpoint: PathLike | None,
    checkpoint_every: int | None,
) -> BaseEstimator:
    """`fit` of a model of SGD where X is a scan; `scored` are X_val and y_val.

    `starts` are coef_init and intercept_init.
    """
    plan: Plan = model._plan()
    refuse_targets(y, sample_weight)
    if model.early_stopping:
        raise ValueError(
            "early_stopping holds rows of X out, which is not supported for a scan: give X_val and "
            "y_val to fit, or set it to False."
        )
    scanned = ScanDesign(rows)
    p = scanned.first.X.shape[1]
    y_shape = np.asarray(scanned.first.y).shape
    n_targets = None if len(y_shape) == 1 else y_shape[1]
    targets = Targets(plan, n_targets)
    if model._classifies:
        if n_targets is not None and n_targets > 1:
            raise ValueError(f"classes must be in one column, got {n_targets} targets.")
        targets = class_targets(
            model,
            plan,
            [count_labels(np.asarray(batch.y), batch.weight) for batch in scanned.batches(0)],
        )
    plan, classes = targets.plan, targets.classes
    state = _begin(model, targets.shape(p), scanned.first.X.dtype, *starts)
    held = _held_out(model, rows, scanned.first, classes, *scored)
    if model.standardize:
        moments = None
        for batch in scanned.batches(0):
            standardisation = model._standardisation(batch.X, batch.weight, moments)
            moments = standardisation.moments
        state.enter(standardisation)

    def batches(k: int, skip: int, seed: int | None) -> Generator[SolverBatch, None, None]:
        for batch in scanned.batches(skip, seed):
            yield batch_of_run(k, batch)

    def batch_of_run(k: int, batch: Batch) -> SolverBatch:
        assert batch.y is not None
        target, weight = targets.of_run(k, batch.y, batch.weight)
        given = model._rows(batch.X, batch.weight, plan, len(state.intercept), state)
        return SolverBatch(
            given,
            target,
            weight,
            functools.partial(refuse_not_finite, batch.X, model),
        )

    weights = state.weights(plan, sp.issparse(scanned.first.X))
    checkpoints = Checkpoints(rows, model, held, checkpoint, checkpoint_every)
    if checkpoints.checkpoint is not None and len(weights) > 1:
        raise ValueError(
            "checkpoint is supported only for one target, two classes or the softmax, got "
            f"{len(weights)} models: fit each by itself."
        )
    scores = model._scores(held, len(weights), state.standardisation)
    seeds = model._seeds(len(weights) if model._classifies else 1)
    runs = [
        ScannedRun(
            plan,
            functools.partial(batches, k),
            batch_of_run(k, scanned.first),
            own,
            int(seeds[k % len(seeds)]),
            checkpoints,
            score,
        )
        for k, (own, score) in enumerate(zip(weights, scores, strict=True))
    ]
    checkpoints.resume(runs[0])
    chosen = rows_with_weight(scanned.first.weight)
    if chosen is None or len(chosen):
        judge_by_start(plan, scanned.first.X, state, runs, chosen)
    return fit_runs(model, targets, state, runs, p, rows.feature_names)


def fit_runs(
    model: BaseEstimator,
    targets: Targets,
    state: State,
    runs: Sequence[SolverRun],
    n_features: int,
    names: list[str] | None,
) -> BaseEstimator:
    """Run the solver runs one after the other, and store the result in the model."""
    model.n_features_in_ = n_features
    forget(model, "feature_names_in_")
    if targets.classes is not None:
        model.classes_ = targets.classes
    model._fit_runs(targets.plan, state, runs, None, 1)
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def _begin(
    model: BaseEstimator,
    shape: tuple[int, ...],
    dtype: np.dtype,
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
    """Return the rows whose score decides when to stop, if any are given."""
    if X_val is None and y_val is None:
        return HeldOut(None, None, None, None)
    model.n_features_in_ = first.X.shape[1]
    forget(model, "feature_names_in_")
    if rows.feature_names is not None and hasattr(X_val, "columns"):
        model.feature_names_in_ = np.array(rows.feature_names, dtype=object)
    held: HeldOut = model._held_out(first.X, first.y, None, X_val, y_val, classes)
    return held


def _digest(held: HeldOut) -> str:
    """Return what tells these rows from others."""
    X = held.rows
    arrays = (X.data, X.indices, X.indptr, held.y) if sp.issparse(X) else (X, held.y)
    digest = hashlib.sha256(repr([(a.shape, str(a.dtype)) for a in arrays]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
