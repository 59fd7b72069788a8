"""Online learning: the step of a lone row, in a few microseconds."""

from math import isfinite
from typing import Any

import numpy as np

from fastridge._kernels import sgd
from fastridge.linear_model.sgd_inputs import FLOATS, refuse_not_finite
from fastridge.solvers.sgd.epochs import divergence
from fastridge.solvers.sgd.plan import FIGURES, TRACKED, Plan

_FIRST = np.zeros(1, dtype=np.intp)
_EMPTY = np.empty(0)
_NOTHING = {dtype: np.empty((0, 0), dtype) for dtype in FLOATS}
_T, _INTERCEPT, _SCALE = (FIGURES[name] for name in ("t", "intercept", "scale"))


def take_one_row(model: Any, plan: Plan, X: Any, target: np.ndarray, weight: Any) -> bool:
    """Take the step of a lone row where nothing is kept beside weights; whether it was taken.

    What the call before made is used again, which for few features is most of the time.
    """
    known = model.__dict__
    coef: Any = known.get("coef_")
    held = known.get("_online")
    if type(X) is not np.ndarray or X.dtype != coef.dtype or not X.flags.c_contiguous:
        return False
    if held is None or held[0] is not plan or held[1] is not coef:
        plain = plan.kernel == "plain" and plan.n_beside == 0 and plan.n_threads == 1
        if not plain or model.standardize or type(coef) is not np.ndarray or coef.size < 1:
            return False
        flat = coef.reshape(-1) if coef.flags.c_contiguous and coef.flags.writeable else None
        if flat is None or len(flat) != X.shape[1] or len(known["intercept_"]) != 1:
            return False
        choices = plan.choices.copy()
        choices[TRACKED] = 0
        known.pop("_carried", None)
        held = model._online = (plan, coef, flat, plan.figures(False, 1.0), choices)
    elif X.shape[1] != len(held[2]):
        return False
    _, _, flat, figures, choices = held
    intercept = known["intercept_"]
    figures[_T], figures[_INTERCEPT] = known["t_"], intercept[0]
    before = flat.copy()
    given = _EMPTY if weight is None else weight
    done = sgd.descend_rows(X, _FIRST, target, given, flat, _NOTHING[X.dtype], figures, choices)
    square = sgd.finish(flat, _NOTHING[X.dtype], figures, choices)
    if not done or not isfinite(square + figures[_INTERCEPT]):
        flat[:] = before
        figures[_SCALE] = 1.0
        refuse_not_finite(X, model)
        raise divergence(plan, 1)
    intercept[0] = figures[_INTERCEPT]
    model.t_ = float(figures[_T])
    model.n_iter_ = 1
    return True
