"""Every value that scikit-learn's class accepts is accepted, and the others are refused alike.

The values are made from scikit-learn's own constraints: some of each kind that it accepts for a
parameter, and some that it refuses. Both classes are fitted with each of them.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as theirs
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import KFold, LeaveOneOut, PredefinedSplit, ShuffleSplit
from sklearn.utils._param_validation import (
    Hidden,
    Interval,
    InvalidParameterError,
    StrOptions,
    make_constraint,
)
from versions import as_newest_sklearn

import fastridge as ours

DEPRECATIONS = (FutureWarning, DeprecationWarning)

CLASSES = [
    "Ridge",
    "RidgeCV",
    "RidgeClassifierCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "SGDRegressor",
    "SGDClassifier",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "GammaRegressor",
    "TweedieRegressor",
]
FUNCTIONS = ["enet_path", "lasso_path"]

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
Y = X @ [1.0, -2.0, 0.0, 0.5] + 0.3 * rng.normal(size=40)
LABELS = (Y > 0.0).astype(int) + (Y > 1.5)
CENTRED = X - X.mean(axis=0)

ARRAYS = {
    "alpha": [[0.5], (2.0,), np.array([3]), np.float32([0.5]), pd.Series([0.5]), range(1, 2)],
    "Cs": [[0.1, 1.0], (1, 2), np.array([3, 1]), np.float32([0.5]), pd.Series([0.5]), [np.inf]],
    "l1_ratios": [[0.0], (0,), np.zeros(1), [0, 0.0], pd.Series([0.0])],
    "alphas": [
        [0.1, 1.0],
        (1, 2),
        np.array([3, 1, 2]),
        np.float32([0.5, 2.0]),
        pd.Series([0.5, 1.0]),
        range(1, 4),
        np.logspace(-2, 1, 5),
        [0.5],
    ],
    "l1_ratio": [[0.5], (0.5, 1), np.array([1]), np.float32([0.25, 0.5]), pd.Series([0.5, 0.9])],
    "precompute": [
        CENTRED.T @ CENTRED,
        (CENTRED.T @ CENTRED).tolist(),
        pd.DataFrame(CENTRED.T @ CENTRED),
    ],
    "Xy": [CENTRED.T @ Y, (CENTRED.T @ Y).tolist()],
    "coef_init": [np.zeros(4), [0.0] * 4, np.ones(4, dtype=np.float32), pd.Series([1, 2, 3, 4])],
    "X": [X.tolist(), pd.DataFrame(X), X.astype(np.float32), np.asfortranarray(X), X.astype(int)],
    "y": [Y.tolist(), pd.Series(Y), Y.astype(np.float32), Y.astype(int)],
}


def splits():
    return list(KFold(3).split(X))


def score(model, X, y):
    return -np.abs(model.predict(X) - y).mean()


def numbers(interval):
    kinds = [int, np.int64, np.int32, np.uint8, bool]
    if interval.type.__name__ == "Real":
        kinds += [float, np.float64, np.float32]
    values = {(kind, kind(value)): None for value in (0, 0.01, 0.5, 1, 2) for kind in kinds}
    return [value for _, value in values if interval.is_satisfied_by(value)]


def values_of(constraint, name):
    """Return functions that make values of a kind."""
    if isinstance(constraint, Hidden):
        constraint = constraint.constraint
    if isinstance(constraint, Interval):
        return numbers(constraint)
    if isinstance(constraint, StrOptions):
        words = sorted(constraint.options)
        if name == "scoring":
            kept = ("r2", "accuracy", "neg_log_loss", "warn")
            words = [word for word in words if word.startswith("neg_mean") or word in kept]
        return [*words, np.str_(words[0])]
    if constraint is callable:
        return [score, make_scorer(mean_absolute_error, greater_is_better=False)]
    if constraint is dict:
        return [{}, {0: 2.0}, {0: 1, 1: 3, 2: 0.5}, {np.int64(1): 2}]
    if isinstance(constraint, type):
        return [1, 2, -1, np.int64(1)]
    if constraint == "cv_object":
        return [
            3,
            np.int64(4),
            None,
            KFold(3),
            ShuffleSplit(2, random_state=0),
            LeaveOneOut(),
            PredefinedSplit(np.arange(40) % 3),
            splits(),
            tuple(splits()),
            "iterator",
        ]
    return {
        "boolean": [True, False, np.True_, np.False_],
        "verbose": [0, 1, 2, True, np.int64(0), np.True_],
        "random_state": [None, 0, np.int64(7), np.random.RandomState(0)],
        "array-like": ARRAYS.get(name, []),
        None: [None],
    }.get(constraint, [])


REFUSED = [
    None,
    -1,
    -0.5,
    0,
    0.0,
    1.5,
    2,
    1e400,
    float("nan"),
    "no",
    b"no",
    [],
    {},
    object,
    1j,
    True,
    "auto",
    "l2",
    np.array([]),
    [-1.0],
    [[1.0, 2.0]],
    (0.5, "a"),
    {1, 2},
]


def parameters(name):
    kind = getattr(theirs, name)
    return getattr(kind, "_skl_parameter_constraints", None) or kind._parameter_constraints


def accepted_cases():
    for name in (*CLASSES, *FUNCTIONS):
        for parameter, constraints in parameters(name).items():
            for constraint in constraints:
                for k, value in enumerate(values_of(constraint, parameter)):
                    kind = type(value).__name__
                    yield pytest.param(name, parameter, value, id=f"{name}-{parameter}-{kind}{k}")


def refused_cases():
    for name in (*CLASSES, *FUNCTIONS):
        for parameter, constraints in parameters(name).items():
            for k, value in enumerate(REFUSED):
                if parameter not in ("X", "y") and not any(
                    make_constraint(c).is_satisfied_by(value) for c in constraints
                ):
                    yield pytest.param(name, parameter, value, id=f"{name}-{parameter}-{k}")


def options_for(name, parameter, value):
    options = {
        parameter: iter(splits()) if isinstance(value, str) and value == "iterator" else value
    }
    if name.startswith("SGD"):
        options.setdefault("random_state", 0)
        options.setdefault("max_iter", 20)
        if parameter == "learning_rate" and str(value) in ("pa1", "pa2"):
            options["loss"] = "hinge" if name == "SGDClassifier" else "epsilon_insensitive"
    if parameter == "solver" and str(value) == "lbfgs" and name in ("Ridge", "RidgeClassifier"):
        options["positive"] = True
    if parameter in ("precompute", "Xy") and name in FUNCTIONS:
        options.setdefault("precompute", CENTRED.T @ CENTRED)
    if name == "LogisticRegressionCV":
        options.setdefault("Cs", 2)
    if name in ("LassoCV", "ElasticNetCV", "LogisticRegressionCV"):
        options.setdefault("cv", 2)
    if name in ("LassoCV", "ElasticNetCV"):
        options.setdefault("alphas", 5 if parameter == "eps" else [0.1, 1.0])
    if name in FUNCTIONS:
        options.setdefault("n_alphas", 5)
    if parameter == "l1_ratio" and name == "enet_path":
        options["alphas"] = [0.1, 1.0]
    return options


def outcome(module, name, options):
    """The fitted model or what a function gives, or the exception; and the warnings."""
    classifies = "Classifier" in name or name.startswith("Logistic")
    target = LABELS if classifies else Y
    if name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"):
        target = np.exp(0.1 * Y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if name in FUNCTIONS:
                rest = {"X": CENTRED, "y": Y, **options}
                result = getattr(module, name)(rest.pop("X"), rest.pop("y"), **rest)
            else:
                result = getattr(module, name)(**options).fit(X, target)
        except Exception as error:  # noqa: BLE001  all of them are compared
            result = error
    return result, {w.category for w in caught if issubclass(w.category, DEPRECATIONS)}


@as_newest_sklearn
@pytest.mark.parametrize(("name", "parameter", "value"), accepted_cases())
def test_value_that_sklearn_accepts_is_accepted(name, parameter, value):
    wanted, wanted_warnings = outcome(theirs, name, options_for(name, parameter, value))
    found, found_warnings = outcome(ours, name, options_for(name, parameter, value))
    if not isinstance(wanted, Exception):  # theirs fails with some that it says it accepts
        assert not isinstance(found, Exception), found
        assert found_warnings == wanted_warnings


ADDED = {
    ("RidgeCV", "alphas", "auto"),
    ("RidgeClassifierCV", "alphas", "auto"),
    ("LassoCV", "alphas", None),
    ("LassoCV", "max_iter", None),
    ("ElasticNetCV", "alphas", None),
    ("ElasticNetCV", "max_iter", None),
    ("SGDRegressor", "learning_rate", "auto"),
    ("SGDClassifier", "learning_rate", "auto"),
}
"""Values that only our classes accept."""


@as_newest_sklearn
@pytest.mark.parametrize(("name", "parameter", "value"), refused_cases())
def test_value_that_sklearn_refuses_is_refused_in_its_words(name, parameter, value):
    options = options_for(name, parameter, value)
    wanted, _ = outcome(theirs, name, options)
    assert isinstance(wanted, InvalidParameterError)
    found, _ = outcome(ours, name, options)
    if isinstance(value, str | None) and (name, parameter, value) in ADDED:
        assert not isinstance(found, Exception), found
        return
    assert isinstance(found, InvalidParameterError), found
    if parameter == "scoring":
        assert str(found).endswith(f"Got {value!r} instead.")
    else:
        start = f"The {parameter!r} parameter of {name} must be "
        assert str(wanted).startswith(start)
        assert str(found).startswith(start)


def test_parameters_of_subclasses_with_other_signatures_are_checked():
    class One(ours.Ridge):
        def __init__(self, alpha=2.0):
            super().__init__(alpha=alpha)

    class No(ours.Ridge):
        def __init__(self):
            super().__init__()

    class Wrong(ours.Ridge):
        def __init__(self, fit_intercept="no", tol=-3):
            super().__init__(fit_intercept=fit_intercept, tol=tol)

    X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]
    np.testing.assert_allclose(One().fit(X, y).coef_, [0.5])
    np.testing.assert_allclose(No().fit(X, y).coef_, [2.0 / 3.0])
    with pytest.raises(InvalidParameterError, match="fit_intercept"):
        Wrong().fit(X, y)
