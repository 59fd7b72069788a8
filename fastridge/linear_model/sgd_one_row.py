"""Online learning: the step of a lone row, in a few microseconds."""

from math import isfinite
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastridge._kernels import sgd
from fastridge.linear_model.sgd_inputs import FLOATS, refuse_not_finite
from fastridge.solvers.sgd.epochs import divergence
from fastridge.solvers.sgd.settings import FIGURES, TRACKED, Plan

_FIRST = np.zeros(1, dtype=np.intp)
_EMPTY = np.empty(0)
_NOTHING = {dtype: np.empty((0, 0), dtype) for dtype in FLOATS}
_T, _INTERCEPT, _SCALE = (FIGURES[name] for name in ("t", "intercept", "scale"))


class OneRow:
    """What the step of a lone row needs, made once and used by the calls that follow.

    It holds for as long as the model has the same `plan` and the very array `coef`.
    """

    __slots__ = (
        "_choices", "_descend", "_figures", "_finish", "_flat", "_nothing", "_shape", "coef",
        "dtype", "plan",
    )  # fmt: skip

    def __init__(self, plan: Plan, coef: np.ndarray) -> None:
        self.plan, self.coef, self.dtype = plan, coef, coef.dtype
        self._flat = coef.reshape(-1)
        self._shape = (1, len(self._flat))
        self._figures = plan.figures(False, 1.0)
        self._choices = plan.choices.copy()
        self._choices[TRACKED] = 0
        self._nothing = _NOTHING[coef.dtype]
        kind = "float" if coef.dtype == np.float32 else "double"
        kernels: Any = sgd  # as their own functions, which saves looking at types
        self._descend, self._finish = kernels.descend_rows[kind], kernels.finish[kind]

    def fits(self, X: Any) -> bool:
        """Whether X is an array of one such row."""
        return (
            type(X) is np.ndarray
            and X.shape == self._shape
            and X.dtype is self.dtype
            and X.flags.c_contiguous
        )

    def take(
        self, known: dict[str, Any], X: np.ndarray, target: np.ndarray, weight: np.ndarray | None
    ) -> bool:
        """Take the step, from and to the attributes `known`; else leave them, and say False."""
        flat, figures, intercept = self._flat, self._figures, known["intercept_"]
        figures[_T], figures[_INTERCEPT] = known["t_"], intercept[0]
        before, nothing = flat.copy(), self._nothing
        done = self._descend(X, _FIRST, target, weight, flat, nothing, figures, self._choices)
        square = self._finish(flat, nothing, figures, self._choices)
        reached = figures.item(_INTERCEPT)
        if not done or not isfinite(square + reached):
            flat[:] = before
            figures[_SCALE] = 1.0
            return False
        intercept[0] = reached
        known["t_"] = figures.item(_T)
        known["n_iter_"] = 1
        return True


def take_known_row(known: dict[str, Any], X: Any, y: Any) -> bool:
    """Take the step of a lone row like the one before; False where there is anything new."""
    held = known.get("_online")
    return (
        held is not None
        and held.coef is known["coef_"]
        and held.fits(X)
        and type(y) is np.ndarray
        and y.shape == (1,)
        and y.dtype is FLOATS[0]
        and isfinite(y.item())
        and held.take(known, X, y, _EMPTY)
    )


def take_one_row(
    model: BaseEstimator, plan: Plan, X: Any, target: np.ndarray, weight: np.ndarray | None
) -> bool:
    """Take the step of a lone row where nothing is kept beside weights; whether it was taken."""
    known = model.__dict__
    coef: Any = known.get("coef_")
    if weight is not None and not weight.all():
        return False
    held = known.get("_online")
    if held is None or held.plan is not plan or held.coef is not coef:
        plain = plan.kernel == "plain" and plan.n_beside == 0 and plan.n_threads == 1
        if not plain or model.standardize or type(coef) is not np.ndarray or coef.size < 1:
            return False
        if "feature_names_in_" in known:
            return False
        usable = coef.flags.c_contiguous and coef.flags.writeable and coef.dtype in FLOATS
        if not usable or len(known["intercept_"]) != 1:
            return False
        known.pop("_carried", None)
        held = known["_online"] = OneRow(plan, coef)
    if not held.fits(X):
        return False
    if not held.take(known, X, target, _EMPTY if weight is None else weight):
        refuse_not_finite(X, model)
        raise divergence(plan, 1)
    return True
