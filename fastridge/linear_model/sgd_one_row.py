"""Online learning: the step of a single row, in a few microseconds."""

from math import isfinite
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastridge._kernels import sgd
from fastridge._kernels.attributes import forget
from fastridge.linear_model.sgd_inputs import FLOATS
from fastridge.solvers.sgd.epochs import ASTRAY, TINY
from fastridge.solvers.sgd.settings import Arrays, Plan

_FIRST = np.zeros(1, dtype=np.intp)
_UNIT_WEIGHT = np.empty(0)
_NO_ARRAYS: Arrays = {}


class OneRow:
    """The arrays of the step of a single row, created once and used by all later calls.

    It is valid as long as the model has the same `plan` and the same array `coef`.

    Parameters
    ----------
    plan : Plan
    known : dict
        The attributes of one model, of which `_reference_loss` is kept up to date.
    """

    __slots__ = (
        "_finish", "_flat", "_limit", "_reference", "_row", "_settings", "_shape", "_state",
        "_step", "_target", "classes", "coef", "dtype", "plan", "signs",
    )  # fmt: skip

    def __init__(self, plan: Plan, known: dict[str, Any]) -> None:
        coef, classes = known["coef_"], known.get("classes_")
        self.plan, self.coef, self.dtype = plan, coef, coef.dtype
        self._flat = coef.reshape(-1)
        self._shape = (1, len(self._flat))
        self._row, self._target = np.empty(self._shape, coef.dtype), np.empty(1)
        self._settings, self._state = plan.settings(False, sums=False), plan.initial_state(1.0)
        factor = known.get("_step_factor", [1.0])[0]
        self._state.step_factor, self._state.learning_rate = factor, factor * plan.eta0
        self._reference: list[float] = known["_reference_loss"]
        self._limit = ASTRAY * max(self._reference[0], TINY)
        kind = "float" if coef.dtype == np.float32 else "double"
        kernels: Any = sgd  # as their own functions, which saves looking at types
        self._step, self._finish = kernels.step_dense[kind], kernels.finish[kind]
        self.classes: list[Any] = [] if classes is None else classes.tolist()
        self.signs: dict[Any, float] = dict(zip(self.classes, (-1.0, 1.0), strict=False))

    def row_of(self, X: object) -> np.ndarray | None:
        """Return X as a contiguous row; None if it is anything else."""
        if type(X) is not np.ndarray:
            if type(X) is not list and type(X) is not tuple:
                return None
            try:
                X = np.asarray(X)
            except ValueError:  # rows of several lengths
                return None
        if X.shape != self._shape:
            return None
        if X.dtype is self.dtype and X.flags.c_contiguous and X.flags.aligned:
            row: np.ndarray = X
            return row
        if X.dtype not in FLOATS and (X.dtype.kind not in "biu" or self.dtype is not FLOATS[0]):
            return None
        self._row[:] = X
        return self._row

    def take(
        self, known: dict[str, Any], row: np.ndarray, target: float, weight: np.ndarray
    ) -> bool:
        """Take the step, from and to the attributes `known`; otherwise change nothing.

        Return False where the step is too long for the row, or something is not finite.
        """
        flat, state, settings = self._flat, self._state, self._settings
        intercept = known["intercept_"]
        state.t, state.intercept, self._target[0] = known["t_"], intercept[0], target
        state.loss_sum = 0.0
        before = flat.copy()
        done = self._step(
            row, False, _FIRST, self._target, weight, flat, _NO_ARRAYS, settings, state
        )
        square = self._finish(flat, _NO_ARRAYS, settings, state)
        if not done or not isfinite(square + state.intercept):
            flat[:] = before
            state.scale = 1.0
            return False
        square = target * target  # at least its null loss
        if square > self._reference[0]:
            self._reference[0], self._limit = square, ASTRAY * square
        if state.loss_after > self._limit and state.loss_after > state.loss_sum:
            flat[:] = before
            return False
        intercept[0] = state.intercept
        known["t_"] = state.t
        known["n_iter_"] = 1
        return True


def _only_item(y: Any) -> Any:
    """Return the item of y if it is an array, list or tuple of one; otherwise None."""
    kind = type(y)
    if kind is np.ndarray:
        return y.item() if y.shape == (1,) else None
    return y[0] if (kind is list or kind is tuple) and len(y) == 1 else None


def _number(y: object) -> float:
    """Return the target if y holds one number that needs no check; otherwise NaN."""
    item = _only_item(y)
    if type(item) is float:
        return item
    if isinstance(item, (int, np.integer, np.floating)) and not isinstance(item, bool):
        try:
            return float(item)
        except OverflowError:
            pass
    return np.nan


def take_known_row(known: dict[str, Any], X: object, y: object) -> bool:
    """Take the step of a lone row like the one before; False where there is anything new."""
    held = known.get("_online")
    if held is None or held.coef is not known.get("coef_"):
        return False
    target = _number(y)
    row = held.row_of(X) if isfinite(target) else None
    return row is not None and held.take(known, row, target, _UNIT_WEIGHT)


def take_known_class(known: dict[str, Any], X: object, y: object, classes: object) -> bool:
    """Do the same for a label of two classes."""
    held = known.get("_online")
    if held is None or held.coef is not known.get("coef_") or known["class_weight"] is not None:
        return False
    if classes is not None:
        given = classes.tolist() if type(classes) is np.ndarray else classes
        if type(given) is not list or given != held.classes:
            return False
    try:
        target = held.signs.get(_only_item(y))
    except TypeError:  # not a label
        return False
    row = None if target is None else held.row_of(X)
    return row is not None and held.take(known, row, target, _UNIT_WEIGHT)


def take_one_row(model: BaseEstimator, plan: Plan, X: Any, target: np.ndarray, weight: Any) -> bool:
    """Take the step of a lone row where no arrays are kept next to weights; whether it was taken.

    `weight` is None or an array of one.
    """
    known = model.__dict__
    coef: Any = known.get("coef_")
    if weight is not None and not weight.all():
        return False
    held = known.get("_online")
    if held is None or held.plan is not plan or held.coef is not coef:
        kept = plan.average_from or plan.penalty in ("l1", "elasticnet")
        plain = plan.kernel == "plain" and not kept and plan.n_threads == 1
        if not plain or model.standardize or type(coef) is not np.ndarray or coef.size < 1:
            return False
        if "feature_names_in_" in known or "_reference_loss" not in known:
            return False
        usable = coef.flags.c_contiguous and coef.flags.writeable and coef.dtype in FLOATS
        if not usable or len(known["intercept_"]) != 1:
            return False
        forget(model, "_carried")
        held = model._online = OneRow(plan, known)
    row = held.row_of(X)
    if row is None:
        return False
    return held.take(known, row, float(target[0]), _UNIT_WEIGHT if weight is None else weight)
