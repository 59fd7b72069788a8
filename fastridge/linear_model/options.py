"""Checks of the parameters that ridge estimators share."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from fastridge._threads import resolve_threads
from fastridge.solvers.ladder import check_solver

ALPHA_SCALES = ("sum", "mean")
_FLAGS = ("fit_intercept", "copy_X", "positive", "standardize", "nesterov")


def check_ridge_parameters(estimator: Any) -> None:
    """ValueError naming the first constructor parameter that is not offered."""
    for name in _FLAGS:
        value = getattr(estimator, name)
        if value is not True and value is not False and not isinstance(value, np.bool_):
            raise ValueError(
                f"The {name!r} parameter must be True or False. Got {value!r} instead."
            )
    check_solver(estimator.solver, bool(estimator.positive))
    tol, max_iter = estimator.tol, estimator.max_iter
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0.0 <= float(tol) < np.inf:
        raise ValueError(
            f"The 'tol' parameter must be a float in the range [0.0, inf). Got {tol!r} instead."
        )
    if max_iter is not None and (
        isinstance(max_iter, bool) or not isinstance(max_iter, Integral) or max_iter < 1
    ):
        raise ValueError(
            "The 'max_iter' parameter must be None or an int in the range [1, inf). "
            f"Got {max_iter!r} instead."
        )
    check_alpha_scale(estimator.alpha_scale)
    resolve_threads(estimator.n_threads)


def check_alpha_scale(alpha_scale: Any) -> None:
    """ValueError where `alpha_scale` is not offered."""
    if not isinstance(alpha_scale, str) or alpha_scale not in ALPHA_SCALES:
        raise ValueError(
            "The 'alpha_scale' parameter must be one of 'sum', 'mean'. "
            f"Got {alpha_scale!r} instead."
        )


def check_penalty_options(
    estimator: Any, n_features: int, n_targets: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """`alpha` as an array of one or n_targets values, and `penalty_factors` or None."""
    alpha = estimator.alpha
    if type(alpha) is not float:
        alpha = check_alpha(alpha, n_targets)
    elif not 0.0 <= alpha < np.inf:
        raise ValueError(
            f"The 'alpha' parameter must be finite and at least 0. Got {alpha!r} instead."
        )
    factors = estimator.penalty_factors
    return np.atleast_1d(alpha), None if factors is None else check_factors(factors, n_features)


def check_alpha(alpha: Any, n_targets: int) -> np.ndarray:
    """`alpha` as float64 of shape (1,) or (n_targets,)."""
    try:
        values = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if isinstance(alpha, (str, bool)) or alpha is None or values.size == 0 or values.ndim > 1:
        raise ValueError(
            "The 'alpha' parameter must be a float or an array-like of shape (n_targets,). "
            f"Got {alpha!r} instead."
        )
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise ValueError(
            f"The 'alpha' parameter must be finite and at least 0. Got {alpha!r} instead."
        )
    if values.size not in (1, n_targets):
        raise ValueError(
            "Number of targets and number of penalties do not correspond: "
            f"{values.size} != {n_targets}"
        )
    return values.reshape(-1)


def check_factors(factors: Any, n_features: int) -> np.ndarray:
    """Penalty factors as float64 of shape (n_features,)."""
    values = np.asarray(factors, dtype=np.float64)
    if values.shape != (n_features,):
        raise ValueError(
            f"penalty_factors must have shape ({n_features},), one a feature, got {values.shape}."
        )
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise ValueError("penalty_factors must be finite and at least 0: 0 leaves a feature free.")
    return values
