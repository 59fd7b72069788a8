"""Code that logistic regression and the generalized linear models share: from rows to a minimum."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import metadata_routing

from fastridge._kernels.attributes import forget
from fastridge._typing import Float, Matrix
from fastridge._validation import check_finite
from fastridge.data.scan import Scan
from fastridge.designs import design_for_columns
from fastridge.designs.design import Design
from fastridge.linear_model.elastic_net_options import check_bounds
from fastridge.linear_model.options import check_factors
from fastridge.linear_model.user_warnings import warn_user
from fastridge.losses.smooth import SmoothLoss
from fastridge.losses.squared import Squared
from fastridge.penalties.elastic_net import Bounds
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import LEAST_PENALTY, NewtonResult

UNROUTED = dict.fromkeys(
    ["offset", "exposure", "checkpoint", "checkpoint_every"], metadata_routing.UNUSED
)
"""Arguments of `fit` that are not routed as metadata."""

_TOL_SHARE = 1e-2  # so that the default has at least five digits of every coefficient
_MOST_DIGITS = 300  # of a power of the targets
_OVERFLOWS = (
    "the objective overflows float64 although all values are finite: rescale X, for instance with "
    "sklearn.preprocessing.StandardScaler, or correct the offset."
)


class Rows(NamedTuple):
    """The rows of a fit, and penalties, factors and bounds of each feature that is not excluded."""

    design: Design
    penalty: np.ndarray
    l1: np.ndarray | None
    kept: Kept
    factors: np.ndarray | None = None
    bounds: Bounds | None = None

    @property
    def free(self) -> np.ndarray:
        """Mask of the features without a penalty, whose coefficients may grow without end."""
        free = self.penalty <= LEAST_PENALTY
        if self.bounds is not None:
            ends = np.isfinite(self.bounds[0]) & np.isfinite(self.bounds[1])
            free &= ~np.atleast_2d(ends).all(axis=0)
        return free if self.l1 is None else free & (self.l1 == 0.0)

    @property
    def moves_together(self) -> np.ndarray:
        """Mask of the features whose coefficients may move together in all classes."""
        free = self.free
        if self.bounds is not None:
            limited = np.isfinite(self.bounds[0]) | np.isfinite(self.bounds[1])
            free &= ~np.atleast_2d(limited).any(axis=0)
        return free

    def without_penalty(self) -> "Rows":
        """Return the rows with penalties of zero."""
        return self._replace(penalty=np.zeros_like(self.penalty), l1=None)

    @property
    def unbounded(self) -> bool:
        """Return whether a feature has no penalty."""
        return bool(self.free.any())


def refuse_scan(estimator: BaseEstimator, X: object, instead: str) -> None:
    """Raise TypeError if X is a scan."""
    if isinstance(X, Scan):
        raise TypeError(
            f"X is a scan, and {type(estimator).__name__} reads rows in memory only here: give an "
            f"array or a sparse matrix{instead}."
        )


def check_offset(offset: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return an offset as finite float64 of this shape."""
    if offset is None:
        return None
    try:
        values = np.array(offset, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"offset must be numbers of shape {shape}.") from None
    if values.shape != shape:
        raise ValueError(f"offset must have shape {shape}, got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("offset must be finite.")
    return values


def rows_of(
    estimator: Any,
    X: Matrix,
    weight: np.ndarray | None,
    strength: float,
    l1_ratio: float,
    n_classes: int = 2,
) -> Rows:
    """Return the design of validated rows, and the penalties of a feature times its factors."""
    forget(estimator, "n_passes_")
    factors = estimator.penalty_factors
    if factors is not None:
        factors = check_factors(factors, X.shape[1])
    kept = Kept(factors)
    bounds = bounds_of(estimator, X.shape[1], n_classes, kept)
    if kept.excluded is not None:
        check_finite(X, "X", estimator)
        if len(kept.features):
            X, factors = X[:, kept.features], factors[kept.features]
        else:
            X, factors = np.zeros((X.shape[0], 1)), None
    n_threads = resolve_threads(estimator.n_threads)
    with named_overflow(estimator, X):
        design = design_for_columns(X, weight, bool(estimator.fit_intercept), n_threads)
        l2, l1 = penalties_of(estimator, design, factors, l1_ratio)
    strength = summed(estimator, strength, design.sum_weights)
    if l1 is not None:
        l1 = strength * l1 if strength > 0.0 else None
    return Rows(design, strength * l2, l1, kept, factors, bounds)


def summed(estimator: Any, strength: float, sum_weights: float) -> float:
    """Return a strength on `alpha_scale` as that of a penalty on the sum of the losses."""
    return strength * sum_weights if estimator.alpha_scale == "mean" else strength


def bounds_of(estimator: Any, n_features: int, n_classes: int, kept: Kept) -> Bounds | None:
    """Return the bounds of the features that are kept, for each class if there are more than two.

    None where no coefficient has one.
    """
    bounds = check_bounds(estimator.bounds, False, n_features, n_classes)
    if bounds is None or not (np.isfinite(bounds[0]).any() or np.isfinite(bounds[1]).any()):
        return None
    if kept.excluded is None:
        return bounds
    if not len(kept.features):
        return None
    lower, upper = (np.ascontiguousarray(ends[..., kept.features]) for ends in bounds)
    return lower, upper


def penalties_of(
    estimator: Any, design: Design, factors: np.ndarray | None, l1_ratio: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the L2 and the L1 penalty of each column of a design at strength 1."""
    n_features = design.shape[1]
    squares = design.standard_squares if estimator.standardize else None
    l2 = (1.0 - l1_ratio) * L2Penalty(factors=factors).scale(n_features, squares)
    if not l1_ratio > 0.0:
        return l2, None
    lengths = np.ones(n_features) if squares is None else np.sqrt(squares)
    return l2, l1_ratio * (lengths if factors is None else lengths * factors)


def sum_to_zero(
    result: NewtonResult, free: np.ndarray | slice, fit_intercept: bool
) -> NewtonResult:
    """Return a result for classes whose intercepts and free coefficients add up to zero.

    Moving those of all classes together changes no probability.
    """
    intercept, coef = np.asarray(result.intercept), result.coef.copy()
    if fit_intercept:
        intercept = intercept - intercept.mean()
    coef[:, free] -= coef[:, free].mean(axis=0)
    return result._replace(coef=coef, intercept=intercept)


def centre_of(loss: SmoothLoss, terms: np.ndarray, weight: np.ndarray | None) -> float:
    """Return the mean of the offsets, or with a log link the logarithm of the mean exposure."""
    if loss.link != "log":
        return float(np.average(terms, weights=weight))
    largest = terms.max()
    return float(largest + np.log(np.average(np.exp(terms - largest), weights=weight)))


def check_mean(estimator: Any, loss: SmoothLoss, mean: float) -> None:
    """Raise ValueError if there is no intercept whose mean is that of the targets."""
    if estimator.fit_intercept and not isinstance(loss, Squared) and not mean > 0.0:
        raise ValueError(
            f"the mean of y is {mean:g}, and {type(estimator).__name__} needs it above 0 for an "
            "intercept: correct the targets or the weights."
        )


def check_size(estimator: Any, size: float) -> None:
    """Raise ValueError if deviances of targets of this mean size leave the range of float64."""
    power = float(getattr(estimator, "power", 1.0))
    if 1.0 <= power <= 2.0 or size == 0.0 or not np.isfinite(size):
        return
    if max(abs(1.0 - power), abs(2.0 - power)) * abs(np.log10(size)) > _MOST_DIGITS:
        raise ValueError(
            f"the targets are of the size {size:.1g}, where the deviance of power={power:g} leaves "
            f"the range of float64: divide y by a constant, such as {size:.1g}."
        )


def in_range(weight: np.ndarray | None) -> np.ndarray | None:
    """Return weights in a unit in which their squares are in the range of float64."""
    if weight is None or 1e-100 < (largest := weight.max()) < 1e100:
        return weight
    scaled: np.ndarray = np.ldexp(weight, -np.frexp(largest)[1])
    return scaled


class named_overflow:  # noqa: N801  used in a with statement
    """Have NaN, infinity and overflow in X raise a ValueError that names them."""

    def __init__(self, estimator: BaseEstimator, X: Matrix) -> None:
        self._estimator, self._X = estimator, X
        self._state = np.errstate(all="ignore")

    def __enter__(self) -> None:
        self._state.__enter__()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._state.__exit__(None, None, None)
        if isinstance(error, ValueError | ArithmeticError | np.linalg.LinAlgError):
            check_finite(self._X, "X", self._estimator)
        if isinstance(error, np.linalg.LinAlgError):
            raise ValueError(_OVERFLOWS) from None


def minimum(
    estimator: Any,
    X: Matrix,
    solve: Callable[..., NewtonResult],
    start: Weights | None,
    l1: np.ndarray | None,
    max_iter: int | None = None,
) -> NewtonResult:
    """Return what the solver finds, or raise ValueError with the reason why it is not finite.

    `max_iter` is that of the estimator if it is None.
    """
    tol = solver_tol(estimator)
    max_iter = int(estimator.max_iter) if max_iter is None else max_iter
    with named_overflow(estimator, X):
        result = solve(start, l1=l1, tol=tol, max_iter=max_iter)
        check_result(result)
    if estimator.verbose:
        print(  # noqa: T201
            f"{type(estimator).__name__}: {result.solver}, {result.n_iter} iterations, objective "
            f"{result.objective:.9g}, gradient norm {gradient_norm(result):.2e}"
        )
    return result


def solver_tol(estimator: Any) -> float:
    """Return the tolerance of an estimator for a solver."""
    return _TOL_SHARE * float(estimator.tol)


def check_result(result: NewtonResult) -> None:
    """Raise ValueError if a result is not finite."""
    numbers = [result.objective, result.decrement]
    finite = np.isfinite(numbers).all() and np.isfinite(result.coef).all()
    if not (finite and np.isfinite(result.intercept).all()):
        raise ValueError(_OVERFLOWS)


def gradient_norm(result: NewtonResult) -> float:
    """Return the norm of the gradient relative to the root of the objective; at most 1."""
    if result.decrement == 0.0:
        return 0.0
    return float(np.sqrt(result.decrement / max(abs(result.objective), result.decrement)))


def gap_of(estimator: Any, rows: Rows, result: NewtonResult) -> float | None:
    """Return the gap of a result on `alpha_scale`, or None."""
    if result.gap is None or estimator.alpha_scale == "sum":
        return result.gap
    return result.gap / float(rows.design.sum_weights)


def start_from(estimator: Any, rows: Rows, n_classes: int | None = None) -> Weights | None:
    """Return the weights of the last fit for a warm start; None without such."""
    if not estimator.warm_start or not hasattr(estimator, "coef_"):
        return None
    coef, intercept = estimator.coef_, estimator.intercept_
    coef = np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef, dtype=np.float64)
    several = n_classes is not None and n_classes > 2
    coef = coef if several else np.ravel(coef)
    n_features = rows.design.shape[1] if rows.kept.excluded is None else len(rows.kept.excluded)
    if coef.shape != ((n_classes, n_features) if several else (n_features,)):
        return None
    if rows.kept.excluded is not None:
        if not len(rows.kept.features):
            return None
        coef = np.ascontiguousarray(coef[..., rows.kept.features])
    intercept = np.array(intercept, dtype=np.float64)
    return Weights(coef, intercept if several else float(np.ravel(intercept)[0]))


def zeros(rows: Rows, n_classes: int) -> Weights:
    """Return weights of zero."""
    n_features = rows.design.shape[1]
    if n_classes == 2:
        return Weights(np.zeros(n_features), 0.0)
    return Weights(np.zeros((n_classes, n_features)), np.zeros(n_classes))


def store(estimator: Any, rows: Rows, result: NewtonResult, dtype: Float) -> None:
    """Set the fitted attributes of all; the intercept belongs to the rounded coefficients."""
    coef, intercept = result.coef, np.asarray(result.intercept)
    if dtype is np.float32:
        rounded = coef.astype(np.float32)
        if rows.bounds is not None:
            outside = (rounded < rows.bounds[0]) | (rounded > rows.bounds[1])
            rounded = np.where(outside, np.nextafter(rounded, np.float32(0.0)), rounded)
        if rows.design.fit_intercept:
            intercept = intercept + (coef - rounded) @ rows.design.mean
        coef = rounded
    estimator.coef_ = rows.kept.coef(coef)
    estimator.intercept_ = intercept.astype(dtype)
    estimator.solver_ = result.solver
    estimator.rcond_ = result.rcond
    estimator.gradient_norm_ = gradient_norm(result)


def warn_not_converged(text: str) -> None:
    """Warn the caller of `fit`."""
    warn_user(text, ConvergenceWarning)
