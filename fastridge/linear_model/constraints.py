"""Constraints of constructor parameters: those of scikit-learn's class, and our own.

An estimator states them as `_parameter_constraints`, in scikit-learn's form, so that a value is
accepted, or refused with the same exception and the same words, exactly as there. Their check
takes longer than a small fit, so plain values are accepted here first.
"""

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    Hidden,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = ["InvalidParameterError"]

Constraints = Mapping[str, list[Any]]

_POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_SHARE = Interval(Real, 0, 1, closed="both")
_COUNT = Interval(Integral, 1, None, closed="left")
_N_THREADS: list[Any] = [Integral, None]

RIDGE: Constraints = {
    "alpha": [_NOT_NEGATIVE, "array-like"],
    "fit_intercept": ["boolean"],
    "copy_X": ["boolean"],
    "max_iter": [_COUNT, None],
    "tol": [_NOT_NEGATIVE],
    "solver": [
        StrOptions(
            {
                "auto",
                "cholesky",
                "eigh",
                "svd",
                "qr",
                "lsqr",
                "sparse_cg",
                "gd",
                "sag",
                "saga",
                "lbfgs",
            }
        )
    ],
    "positive": ["boolean"],
    "random_state": ["random_state"],
    "alpha_scale": [StrOptions({"sum", "mean"})],
    "standardize": ["boolean"],
    "penalty_factors": ["array-like", None],
    "nesterov": ["boolean"],
    "n_threads": _N_THREADS,
}

RIDGE_CV: Constraints = {
    "alphas": ["array-like", _POSITIVE, StrOptions({"auto"})],
    "fit_intercept": ["boolean"],
    "scoring": [str, callable, None],
    "cv": ["cv_object"],
    "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
    "store_cv_results": ["boolean"],
    "alpha_per_target": ["boolean"],
    "method": [StrOptions({"loo", "gcv", "kfold", "em", "marginal_likelihood"})],
    "selection": [StrOptions({"min", "1se"})],
    "standardize": ["boolean"],
    "penalty_factors": ["array-like", None],
    "n_threads": _N_THREADS,
}

_CLASSES: Constraints = {
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "calibration": [StrOptions({"loo"}), None],
}

RIDGE_CLASSIFIER: Constraints = {**RIDGE, **_CLASSES}

RIDGE_CLASSIFIER_CV: Constraints = {
    **{name: RIDGE_CV[name] for name in RIDGE_CV if name not in ("gcv_mode", "alpha_per_target")},
    **_CLASSES,
}

_DESCENT: Constraints = {
    "fit_intercept": ["boolean"],
    "copy_X": ["boolean"],
    "max_iter": [_COUNT, None],
    "tol": [_NOT_NEGATIVE],
    "positive": ["boolean"],
    "random_state": ["random_state"],
    "penalty_factors": ["array-like", None],
    "standardize": ["boolean"],
    "n_threads": _N_THREADS,
}

LASSO: Constraints = {
    **_DESCENT,
    "alpha": [_NOT_NEGATIVE],
    "precompute": ["boolean", "array-like"],
    "warm_start": ["boolean"],
    "selection": [StrOptions({"cyclic", "random"})],
}

ELASTIC_NET: Constraints = {**LASSO, "l1_ratio": [_SHARE]}

LASSO_CV: Constraints = {
    **_DESCENT,
    "eps": [_POSITIVE],
    "alphas": [_COUNT, "array-like", None],
    "precompute": [StrOptions({"auto"}), "array-like", "boolean"],
    "cv": ["cv_object"],
    "verbose": ["verbose"],
    "n_jobs": [Integral, None],
    "selection": [StrOptions({"cyclic", "random", "min", "1se"})],
    "n_alphas": [_COUNT, None],
}

ELASTIC_NET_CV: Constraints = {**LASSO_CV, "l1_ratio": [_SHARE, "array-like"]}

_PATH: Constraints = {
    name: constraints
    for name, constraints in LASSO_CV.items()
    if name not in ("alphas", "cv", "n_alphas", "n_jobs", "selection")
}

_LASSO_PATH: Constraints = {
    **_PATH,
    "n_alphas": [_COUNT, Hidden(StrOptions({"deprecated"}))],
    "alphas": [_COUNT, "array-like", None, Hidden(StrOptions({"warn"}))],
    "Xy": ["array-like", None],
    "coef_init": ["array-like", None],
    "return_n_iter": ["boolean"],
    "check_input": ["boolean"],
    "return_certificate": ["boolean"],
}

_ENET_PATH: Constraints = {**_LASSO_PATH, "l1_ratio": [_SHARE]}

REGRESSION_LOSSES: Mapping[str, tuple[Any, ...]] = {
    "squared_error": ("squared_error",),
    "huber": ("huber", 0.1),
    "epsilon_insensitive": ("epsilon_insensitive", 0.1),
    "squared_epsilon_insensitive": ("squared_epsilon_insensitive", 0.1),
}
"""The losses for numbers, each with its default parameters: `loss_functions` of SGDRegressor."""

CLASSIFICATION_LOSSES: Mapping[str, tuple[Any, ...]] = {
    "hinge": ("hinge", 1.0),
    "squared_hinge": ("squared_hinge", 1.0),
    "perceptron": ("hinge", 0.0),
    "log_loss": ("log_loss",),
    "modified_huber": ("modified_huber",),
    **REGRESSION_LOSSES,
}
"""The same of SGDClassifier."""

SGD_REGRESSOR: Constraints = {
    "loss": [StrOptions(set(REGRESSION_LOSSES))],
    "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
    "alpha": [_NOT_NEGATIVE],
    "l1_ratio": [_SHARE, None],
    "fit_intercept": ["boolean"],
    "max_iter": [_COUNT],
    "tol": [_NOT_NEGATIVE, None],
    "shuffle": ["boolean", StrOptions({"block", "full"})],
    "verbose": ["verbose"],
    "epsilon": [_NOT_NEGATIVE],
    "random_state": ["random_state"],
    "learning_rate": [
        StrOptions({"constant", "optimal", "invscaling", "adaptive", "auto", "pa1", "pa2"})
    ],
    "eta0": [_POSITIVE],
    "power_t": [Interval(Real, None, None, closed="neither")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_COUNT],
    "warm_start": ["boolean"],
    "average": [_COUNT, "boolean"],
    "on_divergence": [StrOptions({"halve", "raise"})],
    "optimizer": [StrOptions({"sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"})],
    "decay": [StrOptions({"coupled", "decoupled"}), None],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "batch_size": [_COUNT],
    "n_threads": _N_THREADS,
    "standardize": ["boolean"],
}

SGD_CLASSIFIER: Constraints = {
    **SGD_REGRESSOR,
    "loss": [StrOptions(set(CLASSIFICATION_LOSSES))],
    "n_jobs": [Integral, None],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "multi_class": [StrOptions({"ovr", "multinomial"})],
}

_SMOOTH: Constraints = {
    "fit_intercept": ["boolean"],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "standardize": ["boolean"],
    "penalty_factors": ["array-like", None],
    "alpha_scale": [StrOptions({"sum", "mean"})],
    "n_threads": _N_THREADS,
}

LOGISTIC: Constraints = {
    **_SMOOTH,
    "penalty": [
        StrOptions({"l1", "l2", "elasticnet"}),
        None,
        Hidden(StrOptions({"deprecated"})),
    ],
    "C": [Interval(Real, 0, None, closed="right")],
    "l1_ratio": [_SHARE, None],
    "dual": ["boolean"],
    "tol": [_NOT_NEGATIVE],
    "intercept_scaling": [_POSITIVE],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "random_state": ["random_state"],
    "solver": [StrOptions({"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"})],
    "max_iter": [Interval(Integral, 0, None, closed="left")],
    "n_jobs": [None, Integral],
    "bias_reduction": [StrOptions({"firth"}), None],
}

LOGISTIC_CV: Constraints = {
    **{
        name: LOGISTIC[name]
        for name in LOGISTIC
        if name not in ("C", "l1_ratio", "warm_start", "bias_reduction")
    },
    "Cs": [_COUNT, "array-like"],
    "l1_ratios": ["array-like", None, Hidden(StrOptions({"warn"}))],
    "cv": ["cv_object", StrOptions({"alo"})],
    "scoring": [str, callable, None],
    "refit": ["boolean"],
    "penalty": [StrOptions({"l1", "l2", "elasticnet"}), Hidden(StrOptions({"deprecated"}))],
    "use_legacy_attributes": ["boolean", Hidden(StrOptions({"warn"}))],
    "selection": [StrOptions({"min", "1se"})],
}

GLM: Constraints = {
    **_SMOOTH,
    "alpha": [_NOT_NEGATIVE],
    "l1_ratio": [_SHARE],
    "solver": [StrOptions({"lbfgs", "newton-cholesky"})],
    "max_iter": [_COUNT],
    "tol": [_POSITIVE],
}

TWEEDIE: Constraints = {
    **GLM,
    "power": [Interval(Real, None, None, closed="neither")],
    "link": [StrOptions({"auto", "identity", "log"})],
}

_SVM: Constraints = {
    "dual": ["boolean", StrOptions({"auto"})],
    "tol": [_POSITIVE],
    "C": [_POSITIVE],
    "fit_intercept": ["boolean"],
    "intercept_scaling": [_POSITIVE],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
    "max_iter": [Interval(Integral, 0, None, closed="left")],
    "penalize_intercept": ["boolean"],
    "n_threads": _N_THREADS,
}

LINEAR_SVC: Constraints = {
    **_SVM,
    "penalty": [StrOptions({"l1", "l2"})],
    "loss": [StrOptions({"hinge", "squared_hinge"})],
    "multi_class": [StrOptions({"ovr", "crammer_singer"})],
    "class_weight": [None, dict, StrOptions({"balanced"})],
}

LINEAR_SVR: Constraints = {
    **_SVM,
    "epsilon": [Real],
    "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
}

_OF_FUNCTIONS: Mapping[str, Constraints] = {"enet_path": _ENET_PATH, "lasso_path": _LASSO_PATH}

Check = Callable[[Any], bool]


def check_parameters(estimator: Any) -> None:
    """Raise InvalidParameterError naming the first constructor parameter that is not supported."""
    kind: Any = type(estimator)
    names, defaults, checks = _checks_of_class(kind)
    values = [getattr(estimator, name, None) for name in names]
    if all(map(operator.is_, values, defaults)):
        return
    if not all(is_plain(value) for is_plain, value in zip(checks, values, strict=True)):
        estimator._validate_params()


def check_arguments(caller: str, given: Mapping[str, Any]) -> None:
    """Raise InvalidParameterError naming the first argument of a function that is not supported."""
    checks = _checks_of_function(caller)
    if all(checks[name](value) for name, value in given.items() if name in checks):
        return
    constraints = dict(_OF_FUNCTIONS[caller])
    validate_parameter_constraints(constraints, dict(given), caller_name=caller)


@functools.cache
def _checks_of_class(
    kind: Any,
) -> tuple[tuple[str, ...], tuple[object, ...], tuple[Check, ...]]:
    """Return the names of the parameters, their defaults and their checks.

    A default that is not accepted, as a subclass may have, is replaced by an object of its own.
    """
    constraints, parameters = kind._parameter_constraints, inspect.signature(kind).parameters
    names = tuple(name for name in parameters if name in constraints)
    checks = tuple(_quick_check(constraints[name]) for name in names)
    given = [parameters[name].default for name in names]
    defaults = [d if check(d) else object() for d, check in zip(given, checks, strict=True)]
    return names, tuple(defaults), checks


@functools.cache
def _checks_of_function(name: str) -> dict[str, Check]:
    return {name: _quick_check(some) for name, some in _OF_FUNCTIONS[name].items()}


def _quick_check(constraints: list[Any]) -> Check:
    """Return a function that says at once that a plain value is accepted."""
    kinds: set[type] = set()
    words: set[str] = set()
    whole = real = _NO_NUMBERS
    for given in constraints:
        constraint = given.constraint if isinstance(given, Hidden) else given
        if isinstance(constraint, StrOptions):
            words |= constraint.options
        elif isinstance(constraint, Interval):
            whole = _bounds(constraint)
            real = whole if constraint.type is Real else real
        elif constraint is None:
            kinds.add(type(None))
        elif constraint is Integral:
            kinds.add(int)
        elif isinstance(constraint, type):
            kinds.add(constraint)
        else:
            kinds |= _KINDS.get(constraint, set())
            whole = _WHOLE.get(constraint, whole)
    accepted = frozenset(kinds)
    low, high, ends = real
    least, most, borders = whole

    def is_plain(value: Any) -> bool:
        kind = type(value)
        if kind is float:
            return low < value < high or value in ends
        if kind is int and int not in accepted:
            return least < value < most or value in borders
        return kind in accepted or (kind is str and value in words)

    return is_plain


_Numbers = tuple[float, float, tuple[float, ...]]
_NO_NUMBERS: _Numbers = (0.0, 0.0, ())


def _bounds(interval: Interval) -> _Numbers:
    """Return an interval's bounds, and those of them that belong to it."""
    low = -np.inf if interval.left is None else float(interval.left)
    high = np.inf if interval.right is None else float(interval.right)
    closed = {"left": (low,), "right": (high,), "both": (low, high), "neither": ()}
    return low, high, closed[interval.closed]


_KINDS: dict[Any, set[type]] = {
    "boolean": {bool, np.bool_},
    "verbose": {bool, np.bool_},
    "array-like": {np.ndarray, list, tuple},
    "random_state": {type(None), np.random.RandomState},
    "cv_object": {type(None), list, tuple},
}
_WHOLE: dict[Any, _Numbers] = {
    "verbose": (-1, np.inf, ()),
    "random_state": (-1, 2**32, ()),
    "cv_object": (1, np.inf, ()),
}
