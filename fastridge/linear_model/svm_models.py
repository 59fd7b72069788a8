"""Code that linear support vector machines share: options, rows, and what a fit stores."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix
from fastridge._validation import (
    READ_IN_PLACE,
    check_finite,
    check_weight,
    dtype_of_rows,
    refuse_array_api,
)
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.designs.design import Design
from fastridge.linear_model.constraints import check_parameters
from fastridge.linear_model.few_nonzeros import without_zeros
from fastridge.linear_model.user_warnings import warn_user
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.runtime.threads import resolve_threads

SQUARED_TOL = 1e-2
"""The share of `tol` at which fits of squared losses stop."""

_DUALS = {
    ("hinge", "l2"): (True,),
    ("squared_hinge", "l1"): (False,),
    ("squared_hinge", "l2"): (False, True),
    ("epsilon_insensitive", "l2"): (True,),
    ("squared_epsilon_insensitive", "l2"): (False, True),
}
"""Values of `dual` that liblinear supports for a loss and a penalty."""

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class SVMRows(NamedTuple):
    """Validated rows with weight, and their targets or labels."""

    design: Design
    y: np.ndarray
    weight: np.ndarray


def check_options(model: Any) -> None:
    """Raise ValueError, with scikit-learn's message, if parameters exclude each other."""
    check_parameters(model)
    resolve_threads(model.n_threads)
    penalty = getattr(model, "penalty", "l2")
    if getattr(model, "multi_class", "ovr") == "crammer_singer":
        return
    duals = _DUALS.get((model.loss, penalty))
    if duals is None:
        _refuse(
            model,
            f"The combination of penalty='{penalty}' and loss='{model.loss}' is not supported",
        )
    if not isinstance(model.dual, str) and bool(model.dual) not in duals:
        _refuse(
            model,
            f"The combination of penalty='{penalty}' and loss='{model.loss}' are not supported "
            f"when dual={model.dual}",
        )


def _refuse(model: Any, why: str) -> NoReturn:
    penalty = getattr(model, "penalty", "l2")
    raise ValueError(
        f"Unsupported set of arguments: {why}, Parameters: penalty={penalty!r}, "
        f"loss={model.loss!r}, dual={model.dual!r}"
    )


def check_rows(model: Any, X: Any, y: Any, *, numeric: bool) -> tuple[Matrix, np.ndarray]:
    """Validate rows and targets or labels."""
    if isinstance(X, Scan):
        raise TypeError(
            f"X is a scan, and {type(model).__name__} reads rows in memory only: give an array or "
            "a sparse matrix, or fit SGDClassifier or SGDRegressor to the scan."
        )
    forget(model, "encoding_")
    refuse_array_api(X=X, y=y)
    refuse_malformed(X)
    X, y = validate_data(
        model,
        X,
        y,
        dtype=dtype_of_rows(X),
        accept_sparse=("csr", "csc"),
        y_numeric=numeric,
        **READ_IN_PLACE,
    )
    check_finite(X, "X", model)
    check_finite(y, "y", model)
    return in_canonical_form(X), y


def rows_with_weight(
    model: Any, X: Matrix, y: np.ndarray, sample_weight: ArrayLike | None
) -> SVMRows:
    """Return the rows whose weight is above zero, in a form that all solvers read."""
    weight = check_weight(sample_weight, X)
    if weight is not None and not weight.all():
        counted = np.flatnonzero(weight)
        X, y, weight = X[counted], y[counted], weight[counted]
    if weight is None:
        weight = np.ones(X.shape[0])
    if X.dtype not in _FLOATS or not X.dtype.isnative:
        X = X.astype(np.float64)
    if X.shape[0] > X.shape[1]:
        X = without_zeros(X)
    design = design_of(X, None, False, resolve_threads(model.n_threads)).by_rows()
    return SVMRows(design, y, model.C * weight)


def intercept_penalty(model: Any) -> float:
    """Return the penalty of the intercept: infinite if there is none, zero if it is free."""
    if not model.fit_intercept:
        return np.inf
    return 1.0 / float(model.intercept_scaling) ** 2 if model.penalize_intercept else 0.0


def generator(model: Any) -> Callable[[], np.random.Generator]:
    """Return a function that makes the source of the order of the rows."""

    def make() -> np.random.Generator:
        seed = check_random_state(model.random_state).randint(np.iinfo(np.int32).max)
        return np.random.default_rng(seed)

    return make


def solver_tol(model: Any) -> float:
    """Return the duality gap, over the objective, at which a fit stops."""
    share = SQUARED_TOL if model.loss.startswith("squared") else 1.0
    return share * float(model.tol)


def store(model: BaseEstimator, results: Sequence[Any]) -> None:
    """Set the attributes that describe fits of one or several classes; warn if one ended early."""
    for found in results:
        numbers = np.append(np.ravel(found.coef), np.ravel(found.intercept))
        if not np.isfinite(numbers).all() or not np.isfinite(found.objective):
            raise ValueError(
                "the objective overflows float64 although all values are finite: rescale X, for "
                "instance with sklearn.preprocessing.StandardScaler."
            )
    model.n_iter_ = max(int(found.n_iter) for found in results)
    model.dual_gap_ = float(max(found.gap for found in results))
    model.solver_ = results[0].solver
    failed = [found for found in results if found.not_converged is not None]
    model.status_ = "not converged" if failed else "converged"
    if model.verbose:
        objective = sum(found.objective for found in results)
        print(  # noqa: T201
            f"{type(model).__name__}: {model.solver_}, {model.n_iter_} iterations, objective "
            f"{objective:.9g}, duality gap {model.dual_gap_:.2e}"
        )
    if failed:
        warn_user(
            "Liblinear failed to converge, increase the number of iterations: "
            + str(failed[0].not_converged),
            ConvergenceWarning,
        )
