"""Constructor parameters: stored, and checked where estimators share them."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from fastridge._typing import Folds
from fastridge.linear_model.constraints import check_parameters
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.solver_selection import check_solver
from fastridge.statistics.fold_statistics import N_FOLDS

_ALPHA_SCALES = ("sum", "mean")


def store_parameters(estimator: BaseEstimator, given: dict[str, object]) -> None:
    """Store what ``locals()`` of a constructor holds at its beginning."""
    del given["self"]
    for name, value in given.items():
        setattr(estimator, name, value)


def check_ridge_parameters(estimator: BaseEstimator) -> None:
    """Raise ValueError naming the first constructor parameter that is not supported."""
    check_parameters(estimator)
    check_solver(estimator.solver, bool(estimator.positive))
    resolve_threads(estimator.n_threads)


def check_flag(name: str, value: object) -> None:
    """Raise ValueError if a parameter is neither True nor False."""
    if value is not True and value is not False and not isinstance(value, np.bool_):
        raise ValueError(f"The {name!r} parameter must be True or False. Got {value!r} instead.")


def check_cv_parameters(estimator: BaseEstimator, rows: bool = True) -> str:
    """Return the method that `RidgeCV`'s parameters select.

    Raises ValueError if a parameter is not supported, or needs rows and `rows` is False.
    """
    check_parameters(estimator)
    resolve_threads(estimator.n_threads)
    method: str = estimator.method
    if estimator.cv is not None:
        if method not in ("loo", "kfold"):
            raise ValueError(
                f"method={method!r} makes no splits: leave cv=None, or use method='kfold'."
            )
        method = "kfold"
    if estimator.store_cv_results and method != "loo":
        why = "cv!=None" if estimator.cv is not None else f"method={method!r}"
        raise ValueError(
            f"{why} and store_cv_results=True are incompatible: only leave-one-out has a result "
            "for each row."
        )
    if method not in ("loo", "kfold"):
        if estimator.scoring is not None:
            raise ValueError(
                f"method={method!r} has a criterion of its own: leave scoring=None, or use "
                "method='loo' or 'kfold'."
            )
        if estimator.selection != "min":
            raise ValueError(
                f"selection='1se' needs a standard error, which method={method!r} has not: use "
                "method='loo' or 'kfold'."
            )
    if not rows:
        _check_without_rows(estimator, method)
    return method


def _check_without_rows(estimator: BaseEstimator, method: str) -> None:
    from fastridge.linear_model.scoring import FROM_SQUARES

    scoring = estimator.scoring
    if method == "loo":
        raise ValueError(
            "method='loo' needs the rows themselves: without them the methods are 'kfold', 'gcv', "
            "'em' and 'marginal_likelihood'."
        )
    n_folds_of(estimator.cv)
    if scoring is not None and scoring not in FROM_SQUARES:
        raise ValueError(
            f"scoring={scoring!r} needs predictions for the rows: without them the scores are "
            f"{', '.join(map(repr, FROM_SQUARES))}."
        )


def n_folds_of(cv: Folds | None) -> int:
    """Return the number of folds of rows that come in batches, or refuse a splitter."""
    if cv is None:
        return N_FOLDS
    if isinstance(cv, bool) or not isinstance(cv, Integral) or cv < 2:
        raise ValueError(
            f"cv must be None or a number of folds from 2 up where rows come in parts, got {cv!r}: "
            "give each row's fold instead."
        )
    return int(cv)


def given_alphas(alphas: Any, *, zero: bool) -> np.ndarray | None:
    """`alphas` of `RidgeCV` as float64 of shape (n_alphas,); None where they are "auto"."""
    from sklearn.utils import check_scalar

    if isinstance(alphas, str):
        if alphas == "auto":
            return None
        raise ValueError(f"The 'alphas' parameter must be 'auto' or numbers. Got {alphas!r}.")
    border = "left" if zero else "neither"
    if np.ndim(alphas) > 1 or not np.size(alphas) or alphas is None:
        raise ValueError(
            "The 'alphas' parameter must be 'auto', a number, or an array-like of shape "
            f"(n_alphas,). Got {alphas!r} instead."
        )
    if isinstance(alphas, np.ndarray) and alphas.ndim == 1 and alphas.dtype == np.float64:
        least = alphas.min()
        if np.isfinite(alphas.max()) and (least > 0.0 or (zero and least == 0.0)):
            return alphas.copy()
    many = np.ndim(alphas) == 1
    for k, alpha in enumerate(alphas if many else [alphas]):
        name = f"alphas[{k}]" if many and len(alphas) > 1 else "alphas"
        check_scalar(alpha, name, Real, min_val=0.0, include_boundaries=border)
        if not np.isfinite(alpha):
            raise ValueError(f"{name} == {alpha}, must be finite.")
    return np.atleast_1d(np.asarray(alphas, dtype=np.float64))


def check_alpha_scale(alpha_scale: object) -> None:
    """Raise ValueError if `alpha_scale` is not supported."""
    if not isinstance(alpha_scale, str) or alpha_scale not in _ALPHA_SCALES:
        raise ValueError(
            "The 'alpha_scale' parameter must be one of 'sum', 'mean'. "
            f"Got {alpha_scale!r} instead."
        )


def check_penalty_options(estimator: BaseEstimator, n_features: int, n_targets: int) -> L2Penalty:
    """Return the penalty that an estimator's parameters ask for."""
    alpha = estimator.alpha
    if type(alpha) is not float:
        alpha = _check_alpha(alpha, n_targets)
    elif not 0.0 <= alpha < np.inf:
        raise ValueError(
            f"The 'alpha' parameter must be finite and at least 0. Got {alpha!r} instead."
        )
    factors = estimator.penalty_factors
    if factors is not None:
        factors = check_factors(factors, n_features)
    return L2Penalty(
        np.array(alpha, ndmin=1), estimator.alpha_scale, estimator.standardize, factors
    )


def _check_alpha(alpha: ArrayLike, n_targets: int) -> np.ndarray:
    """`alpha` as float64 of shape (1,) or (n_targets,)."""
    try:
        values = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.size == 0:
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


def check_factors(factors: ArrayLike, n_features: int) -> np.ndarray:
    """Return penalty factors as float64 of shape (n_features,)."""
    values = np.asarray(factors, dtype=np.float64)
    if values.shape != (n_features,):
        raise ValueError(
            f"penalty_factors must have shape ({n_features},), one per feature, got {values.shape}."
        )
    if not (values >= 0.0).all():  # also NaN
        raise ValueError(
            "penalty_factors must be at least 0: 0 leaves a feature free, inf excludes it."
        )
    return values
