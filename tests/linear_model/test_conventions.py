"""Inputs as scikit-learn's users give them, and the messages for those that cannot be used."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose

import fastridge as ours
from fastridge import (
    ElasticNet,
    ElasticNetCV,
    GramStatistics,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
    enet_path,
    lasso_path,
    ridge_path,
)

SHAPES = [(30, 4), (8, 20)]
SOLVERS = ["auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"]
METHODS = ["loo", "gcv", "kfold", "em", "marginal_likelihood"]
REGRESSIONS = {
    **{f"Ridge {s}": lambda X, y, s=s: Ridge(solver=s, max_iter=9).fit(X, y) for s in SOLVERS},
    "Ridge positive": lambda X, y: Ridge(positive=True).fit(X, y),
    "Ridge without penalty": lambda X, y: Ridge(0.0).fit(X, y),
    "Ridge standardised": lambda X, y: Ridge(standardize=True).fit(X, y),
    "Ridge weighted": lambda X, y: Ridge().fit(X, y, np.ones(len(y))),
    "Ridge in parts": lambda X, y: Ridge().partial_fit(X, y),
    **{f"RidgeCV {m}": lambda X, y, m=m: RidgeCV(method=m).fit(X, y) for m in METHODS},
    **{
        f"RidgeCV {m} in parts": lambda X, y, m=m: RidgeCV(method=m).partial_fit(X, y)
        for m in METHODS[1:]
    },
    "RidgeCV scored": lambda X, y: RidgeCV(cv=2, scoring="neg_mean_absolute_error").fit(X, y),
    "RidgeCV svd": lambda X, y: RidgeCV(gcv_mode="svd").fit(X, y),
    "RidgeCV auto": lambda X, y: RidgeCV(alphas="auto", cv=2).fit(X, y),
    "Lasso": lambda X, y: Lasso(0.1).fit(X, y),
    "Lasso with an offset": lambda X, y: Lasso(0.1).fit(X, y, offset=np.ones(len(y))),
    "ElasticNet without L1": lambda X, y: ElasticNet(0.1, l1_ratio=0.0).fit(X, y),
    "ElasticNet in parts": lambda X, y: ElasticNet(0.1).partial_fit(X, y),
    "LassoCV": lambda X, y: LassoCV(cv=2).fit(X, y),
    "ElasticNetCV": lambda X, y: ElasticNetCV(cv=2).fit(X, y, offset=np.ones(len(y))),
    "SGDRegressor": lambda X, y: SGDRegressor(random_state=0).fit(X, y),
    "SGDRegressor auto": lambda X, y: SGDRegressor(random_state=0, learning_rate="auto").fit(X, y),
    "SGDRegressor standardised": lambda X, y: SGDRegressor(random_state=0, standardize=True).fit(
        X, y
    ),
    "SGDRegressor scored": lambda X, y: SGDRegressor(random_state=0).fit(X, y, X_val=X, y_val=y),
    "SGDRegressor in parts": lambda X, y: SGDRegressor(random_state=0).partial_fit(X, y),
    "TweedieRegressor": lambda X, y: TweedieRegressor().fit(X, y, offset=np.ones(len(y))),
    "TweedieRegressor with L1": lambda X, y: TweedieRegressor(alpha=0.1, l1_ratio=0.5).fit(X, y),
    "GramStatistics": GramStatistics.from_data,
    "ridge_path": lambda X, y: ridge_path(X, y, [1.0], return_loo=True),
    "enet_path": lambda X, y: enet_path(X, y, alphas=[0.1], offset=np.ones(len(y))),
    "lasso_path": lambda X, y: lasso_path(X, y, alphas=[0.1]),
}
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning"),
    pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning"),
]


def data(shape=(30, 4)):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    return X, np.round(X[:, 0] + rng.normal(size=shape[0]), 3)


def result(found):
    """The numbers of what a call gave."""
    if isinstance(found, GramStatistics):
        return found.xy
    if isinstance(found, tuple):
        return np.concatenate([np.ravel(part) for part in found])
    return found.coef_


# ---- targets that are text ----


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("call", REGRESSIONS)
def test_regression_of_numeric_strings_is_that_of_the_numbers(call, shape):
    if call.startswith("SGDRegressor") and "scored" not in call and shape == SHAPES[1]:
        pytest.skip("no other path than with many rows")
    X, y = data(shape)
    wanted = result(REGRESSIONS[call](X, y))
    for text in (y.astype(str), y.astype("S8"), y.astype(str).astype(object)):
        assert_allclose(result(REGRESSIONS[call](X, text)), wanted, rtol=1e-13)


def test_regression_of_other_strings_is_an_error():
    X, _ = data()
    for model in (Ridge(), RidgeCV(), Lasso(), LassoCV(), SGDRegressor(random_state=0)):
        for y in (np.full(len(X), "red"), np.full(len(X), "nan")):
            with pytest.raises(ValueError, match=r"red|y contains NaN"):
                model.fit(X, y)


def test_classes_of_numeric_strings_stay_strings():
    X, y = data()
    labels = np.where(y > 0.0, "1", "-1")
    model = SGDClassifier().fit(X, labels)
    assert model.classes_.tolist() == theirs.SGDClassifier().fit(X, labels).classes_.tolist()
    assert set(model.predict(X)) <= {"1", "-1"}


@pytest.mark.parametrize("per_target", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"store_cv_results": True}, {"scoring": "neg_mean_absolute_error"}]
)
def test_one_column_of_targets_has_attributes_of_sklearn(options, per_target):
    X, y = data()
    found, wanted = (
        package.RidgeCV(alpha_per_target=per_target, **options).fit(X, y[:, None])
        for package in (ours, theirs)
    )
    for name in ("alpha_", "best_score_", "coef_", "intercept_", "cv_results_"):
        if hasattr(wanted, name):
            assert np.shape(getattr(found, name)) == np.shape(getattr(wanted, name)), name
            assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-9, err_msg=name)


# ---- arrays of other libraries ----


class Foreign:
    """An array that follows the array API standard and can be converted."""

    def __init__(self, values):
        self.values = values
        self.shape, self.ndim, self.dtype = values.shape, values.ndim, values.dtype

    def __array_namespace__(self, api_version=None):
        return np

    def __array__(self, dtype=None, copy=None):
        return self.values

    def __len__(self):
        return len(self.values)


FITTED = [
    Ridge(),
    RidgeCV(),
    Lasso(),
    LassoCV(),
    SGDRegressor(random_state=0),
    SGDClassifier(),
    LogisticRegression(),
    LogisticRegressionCV(Cs=2, l1_ratios=(0,), scoring=None, use_legacy_attributes=False),
    TweedieRegressor(),
]


@pytest.mark.parametrize("call", REGRESSIONS)
def test_arrays_of_other_libraries_are_an_error(call):
    X, y = data()
    with pytest.raises(TypeError, match=r"X is a .*Foreign.*numpy\.asarray\(X\)"):
        REGRESSIONS[call](Foreign(X), y)
    with pytest.raises(TypeError, match=r"(y|y_val) is a .*Foreign"):
        REGRESSIONS[call](X, Foreign(y))


@pytest.mark.parametrize("model", FITTED, ids=repr)
def test_arrays_of_other_libraries_are_an_error_in_all_methods(model):
    X, y = data()
    if isinstance(model, SGDClassifier | LogisticRegression):
        y = y > 0.0
    with pytest.raises(TypeError, match="sample_weight is a"):
        model.fit(X, y, sample_weight=Foreign(np.ones(len(y))))
    model.fit(X, y)
    methods = (
        ["predict", "decision_function"]
        if isinstance(model, SGDClassifier | LogisticRegression)
        else ["predict"]
    )
    for method in methods:
        with pytest.raises(TypeError, match="X is a"):
            getattr(model, method)(Foreign(X))
    with pytest.raises(TypeError, match="X is a"):
        model.score(Foreign(X), y)
    if hasattr(model, "inference"):
        with pytest.raises(TypeError, match="X is a"):
            model.inference(Foreign(X), y)


def test_arrays_of_the_strict_library_are_an_error():
    xp = pytest.importorskip("array_api_strict")
    X, y = data()
    with pytest.raises(TypeError, match="array_api_strict"):
        Ridge().fit(xp.asarray(X), xp.asarray(y))


def test_tensors_are_an_error_where_they_would_not_be_converted(monkeypatch):
    X, y = data()

    class Tensor:
        __module__ = "torch"

        def __array__(self, dtype=None, copy=None):
            return X

    assert_allclose(Ridge().fit(Tensor(), y).coef_, Ridge().fit(X, y).coef_)
    monkeypatch.setattr(sklearn, "get_config", lambda: {"array_api_dispatch": True})
    with pytest.raises(TypeError, match=r"torch\.\S*Tensor"):
        Ridge().fit(Tensor(), y)


# ---- values that are not finite ----


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("call", REGRESSIONS)
def test_not_finite_is_named_with_assume_finite(call, shape):
    X, y = data(shape)
    bad_X, bad_y = X.copy(), y.copy()
    bad_X[1, 2] = bad_y[3] = np.nan
    infinite = np.where(np.isnan(bad_X), np.inf, bad_X)
    with sklearn.config_context(assume_finite=True):
        for rows, targets, words in (
            (bad_X, y, "X contains NaN"),
            (infinite, y, "X contains infinity"),
            (bad_X.astype(np.float32), y, "X contains NaN"),
            (X, bad_y, "y contains NaN"),
        ):
            with pytest.raises(ValueError, match=words):
                REGRESSIONS[call](rows, targets)
        if call not in ("Ridge svd", "RidgeCV svd"):
            for kind in (sp.csr_array, sp.csc_array):
                with pytest.raises(ValueError, match="X contains NaN"):
                    REGRESSIONS[call](kind(bad_X), y)
        assert sklearn.get_config()["assume_finite"]


@pytest.mark.parametrize("model", FITTED, ids=repr)
def test_not_finite_weights_are_named_with_assume_finite(model):
    X, y = data()
    if isinstance(model, SGDClassifier | LogisticRegression):
        y = y > 0.0
    weight = np.ones(len(y))
    weight[0] = np.nan
    with (
        sklearn.config_context(assume_finite=True),
        pytest.raises(ValueError, match="sample_weight contains NaN"),
    ):
        model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("options", [{}, {"learning_rate": "auto"}, {"standardize": True}])
def test_not_finite_of_a_classifier_is_named_with_assume_finite(options):
    X, y = data()
    X[1, 2] = np.nan
    with (
        sklearn.config_context(assume_finite=True),
        pytest.raises(ValueError, match="X contains NaN"),
    ):
        SGDClassifier(**options).fit(X, y > 0.0)
