"""Checks of the parameters that elastic-net estimators and path functions share."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar

from fastridge._typing import Matrix
from fastridge.linear_model.constraints import check_parameters
from fastridge.linear_model.options import check_factors
from fastridge.linear_model.user_warnings import warn_user
from fastridge.penalties.elastic_net import Bounds, alpha_grid
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem

_DEFAULT_SWEEPS = 1000
_LEAST_PLAIN = 1e-140  # the least size of values whose squares count
_CHECKED_VALUES = 1 << 17


def check_elastic_net_parameters(estimator: BaseEstimator) -> None:
    """Raise ValueError naming the first parameter of a single model that is not supported."""
    check_parameters(estimator)
    resolve_threads(estimator.n_threads)


def sweeps(max_iter: int | None) -> int:
    """Return `max_iter`, or its default."""
    return _DEFAULT_SWEEPS if max_iter is None else int(max_iter)


def check_bounds(bounds: Any, positive: bool, n_features: int, n_classes: int = 2) -> Bounds | None:
    """Return (lower, upper) as float64 of shape (n_features,), or None without bounds.

    With more than two classes the shape is (n_classes, n_features).
    """
    if bounds is None and not positive:
        return None
    shape: tuple[int, ...] = (n_features,) if n_classes <= 2 else (n_classes, n_features)
    lower, upper = np.full(shape, -np.inf), np.full(shape, np.inf)
    if bounds is not None:
        pair = isinstance(bounds, Sequence | np.ndarray) and not isinstance(bounds, str)
        if not pair or len(bounds) != 2:
            raise ValueError(
                f"bounds must be a pair (lower, upper), each a number or one per feature, got "
                f"{bounds!r}."
            )
        for name, value, out in zip(("lower", "upper"), bounds, (lower, upper), strict=True):
            try:
                given = np.asarray(value, dtype=np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"the {name} bounds must be numbers, got {value!r}.") from None
            if given.shape not in ((), (n_features,), shape):
                several = "" if n_classes <= 2 else f" or {shape}"
                raise ValueError(
                    f"the {name} bounds must be a number or have shape ({n_features},){several}, "
                    f"got {given.shape}."
                )
            out[:] = given
    if positive:
        np.maximum(lower, 0.0, out=lower)
    wrong = ~((lower <= 0.0) & (upper >= 0.0))  # also NaN
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0])
        raise ValueError(
            f"bounds must hold zero, as in glmnet: lower <= 0 <= upper, but those of feature "
            f"{at[-1]} are {lower[at]:g} and {upper[at]:g}."
        )
    return lower, upper


def check_penalty_factors(factors: ArrayLike | None, n_features: int) -> np.ndarray | None:
    """Return penalty factors as float64 of shape (n_features,); some may be infinite."""
    if factors is None:
        return None
    values = np.asarray(factors, dtype=np.float64)
    if values.shape == (n_features,) and not (values >= 0.0).all():
        raise ValueError(
            "penalty_factors must be at least 0, where 0 leaves a feature free and infinity leaves "
            f"it out; got {values[~(values >= 0.0)][0]:g}."
        )
    finite = check_factors(np.where(values == np.inf, 1.0, values), n_features)
    return np.where(values == np.inf, np.inf, finite)


def without_excluded(X: Matrix, factors: ArrayLike | None) -> Matrix:
    """`X`, or a copy with zeros for excluded features whose squares leave the range of float64."""
    if factors is None:
        return X
    values = np.asarray(factors, dtype=np.float64)
    if values.shape != (X.shape[1],) or not np.isinf(values).any():
        return X
    excluded = np.flatnonzero(np.isinf(values))
    largest = np.zeros(len(excluded))
    if not isinstance(X, np.ndarray):
        columns = X[:, excluded].tocsc()
        for j in np.flatnonzero(np.diff(columns.indptr)):
            stored = columns.data[columns.indptr[j] : columns.indptr[j + 1]]
            largest[j] = np.abs(stored).max()
    else:
        step = max(1, _CHECKED_VALUES // len(excluded))
        for begin in range(0, X.shape[0], step):
            largest = np.maximum(largest, np.abs(X[begin : begin + step, excluded]).max(axis=0))
    plain = (largest == 0.0) | ((largest > _LEAST_PLAIN) & (largest < 1.0 / _LEAST_PLAIN))
    zero = excluded[~plain & np.isfinite(largest)]
    if not len(zero):
        return X
    X = X.copy()
    if isinstance(X, np.ndarray):
        X[:, zero] = 0.0
    elif X.format == "csr":
        X.data[np.isin(X.indices, zero)] = 0.0
    else:
        for j in zero:
            X.data[X.indptr[j] : X.indptr[j + 1]] = 0.0
    return X


def without_offset(y: np.ndarray, offset: ArrayLike | None) -> np.ndarray:
    """`y` minus the offset."""
    if offset is None:
        return y
    values = np.asarray(offset, dtype=np.float64)
    if values.shape != y.shape and values.shape != (len(y),):
        raise ValueError(f"offset must have the shape of y, {y.shape}, got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("offset must be finite.")
    if values.ndim < y.ndim:
        values = values[:, None]
    difference: np.ndarray = y - values
    return difference


def check_precompute(precompute: Any, problem: Problem, *, auto: bool = False) -> None:
    """Raise ValueError if `precompute` is neither a flag nor X'X of the problem.

    The shape of X decides whether a Gram is computed. If one is given, its first row is compared
    with that of X'X about the means; a UserWarning says if it is about zero instead.
    """
    if isinstance(precompute, bool | np.bool_):
        return
    if auto and isinstance(precompute, str) and precompute == "auto":
        return
    supported = "'auto', True, False" if auto else "True, False"
    if isinstance(precompute, str) or precompute is None or np.ndim(precompute) == 0:
        raise ValueError(
            f"The 'precompute' parameter must be one of {supported}, or a Gram matrix. "
            f"Got {precompute!r} instead."
        )
    n_features = problem.design.shape[1]
    if np.shape(precompute) != (n_features, n_features):
        raise ValueError(
            f"precompute must have shape ({n_features}, {n_features}), got {np.shape(precompute)}."
        )
    row = np.asarray(precompute[0], dtype=np.float64)
    unit = np.zeros((1, n_features))
    unit[0, 0] = 1.0
    column = problem.design.predict(unit)
    if problem.design.weight is not None:
        column = column * problem.design.weight[:, None]
    n_samples = problem.design.shape[0]
    right = problem.design.correlate(column)[0] * (n_samples / problem.design.sum_weights)
    scale = 1e-4 * np.abs(right).max()
    if np.allclose(row, right, rtol=1e-4, atol=scale):
        return
    mean = problem.design.centre
    if np.allclose(row, right + n_samples * mean[0] * mean, rtol=1e-4, atol=scale):
        warn_user(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram "
            "matrix.",
            UserWarning,
        )
        return
    raise ValueError(
        "Gram matrix passed in via 'precompute' parameter did not pass validation: its first row "
        f"begins {row[:3]}, that of X'X {right[:3]}. Leave precompute=False."
    )


def warn_not_converged(worst: Point, tolerance: float, max_iter: int) -> None:
    """Say what did not converge, and what to do."""
    rounding = ""
    if worst.n_iter < max_iter:
        rounding = " That is as near as rounding allows: raise tol, or scale the features."
    warn_user(
        "Objective did not converge. You might want to increase the number of iterations, check "
        "the scale of the features or consider increasing regularisation. At "
        f"alpha={worst.alpha:.6g} the duality gap is {worst.dual_gap:.3e}, above the tolerance "
        f"{tolerance:.3e}, after {worst.n_iter} of max_iter={max_iter} iterations.{rounding}",
        ConvergenceWarning,
    )


def worst_of(points: Sequence[Point]) -> Point | None:
    """Return the point with the largest gap that did not converge, or None."""
    failed = [point for point in points if point.status == "not converged"]
    return max(failed, key=lambda point: point.dual_gap) if failed else None


def path_alphas(
    problem: ElasticNetProblem, alphas: int | ArrayLike | None, l1_ratio: float, eps: float
) -> np.ndarray:
    """Return decreasing alphas: those given, or an automatic grid of the given length."""
    if alphas is None:
        alphas = 100
    if isinstance(alphas, int | np.integer):
        if alphas < 1:
            raise ValueError(f"alphas must be at least 1 where it is a number, got {alphas}.")
        if l1_ratio == 0.0:
            raise ValueError(
                "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a "
                "grid by providing your estimator with the appropriate `alphas=` argument."
            )
        largest = problem.largest_alpha(l1_ratio)
        return alpha_grid(largest, eps, int(alphas), problem.least_alpha)
    return given_alphas(alphas)


def given_alphas(alphas: Any) -> np.ndarray:
    """Return alphas as decreasing float64. Raises ValueError if one is negative or not finite."""
    if isinstance(alphas, str) or np.ndim(alphas) != 1 or not np.size(alphas):
        raise ValueError(
            f"alphas must be a whole number or an array-like of shape (n_alphas,), got {alphas!r}."
        )
    for k, alpha in enumerate(alphas):
        check_scalar(alpha, f"alphas[{k}]", Real, min_val=0.0, include_boundaries="left")
    values = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]
    if not np.isfinite(values).all():
        raise ValueError("alphas must be finite.")
    return np.ascontiguousarray(values)
