"""Ridge as a citizen of scikit-learn: parameters, cloning, names, predict, pickling, pipelines."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastridge import Ridge


def problem(n=40, p=4, t=None, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 1.0
    y = X @ rng.standard_normal((p,) if t is None else (p, t)) + 2.0
    return X.astype(dtype), (y + 0.3 * rng.standard_normal(y.shape)).astype(dtype)


def test_parameters_and_defaults_are_those_of_sklearn():
    theirs = inspect.signature(sklearn.linear_model.Ridge.__init__).parameters
    ours = inspect.signature(Ridge.__init__).parameters
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default
        assert ours[name].kind == parameter.kind
    added = {name: ours[name] for name in ours if name not in theirs}
    assert set(added) == {"alpha_scale", "standardize", "penalty_factors", "nesterov", "n_threads"}
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in added.values())


def test_methods_and_attributes_of_sklearn_are_there():
    X, y = problem()
    theirs = sklearn.linear_model.Ridge().fit(X, y)
    ours = Ridge().fit(X, y)
    for name in dir(theirs):
        if not name.startswith("_"):
            assert hasattr(ours, name), name
    assert is_regressor(ours)
    assert "self" in inspect.signature(Ridge.fit).parameters
    parameters = inspect.signature(Ridge.fit).parameters.values()
    shared = [each.name for each in parameters if each.kind != inspect.Parameter.KEYWORD_ONLY]
    assert shared == ["self", "X", "y", "sample_weight"]


def test_get_params_set_params_and_clone():
    params = {
        "alpha": [1.0, 2.0],
        "fit_intercept": False,
        "copy_X": False,
        "max_iter": 7,
        "tol": 1e-3,
        "solver": "lsqr",
        "positive": False,
        "random_state": 3,
        "alpha_scale": "mean",
        "standardize": True,
        "penalty_factors": np.ones(4),
        "nesterov": False,
        "n_threads": 2,
    }
    model = Ridge(**params)
    assert model.get_params() == params
    assert all(model.get_params()[name] is value for name, value in params.items())
    copy = clone(model)
    assert copy.get_params()["solver"] == "lsqr"
    assert copy.set_params(alpha=5.0) is copy
    assert copy.alpha == 5.0
    with pytest.raises(ValueError, match="Invalid parameter"):
        copy.set_params(beta=1.0)
    assert "alpha_scale='mean'" in repr(Ridge(alpha_scale="mean"))


def test_fit_does_not_change_parameters():
    X, y = problem(t=2)
    alpha, factors = [1.0, 2.0], [1.0, 0.0, 1.0, 2.0]
    model = Ridge(alpha=alpha, penalty_factors=factors)
    model.fit(X, y)
    assert model.alpha is alpha
    assert model.penalty_factors is factors
    assert model.solver == "auto"


def test_failed_fit_leaves_no_half_model():
    X, y = problem()
    model = Ridge()
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, y)
    assert not hasattr(model, "coef_")
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_refit_replaces_everything():
    X, y = problem()
    model = Ridge(solver="lsqr").fit(X, y)
    assert model.n_iter_[0] > 1
    model.set_params(solver="cholesky").fit(X[:, :2], y)
    assert model.n_features_in_ == 2
    assert model.coef_.shape == (2,)
    assert model.n_iter_.tolist() == [1]
    assert model.solver_ == "cholesky"


def test_feature_names():
    import pandas as pd

    X, y = problem()
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = Ridge().fit(frame, y)
    assert_array_equal(model.feature_names_in_, ["a", "b", "c", "d"])
    assert_allclose(model.predict(frame), model.predict(frame.iloc[::-1])[::-1])
    with pytest.raises(ValueError, match="(?i)feature names"):
        model.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("t", [None, 1, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_predict_one_row_and_many(t, dtype, fit_intercept):
    X, y = problem(300, 6, t, dtype)
    model = Ridge(fit_intercept=fit_intercept).fit(X, y)
    expected = X.astype(np.float64) @ model.coef_.astype(np.float64).T + model.intercept_
    assert model.predict(X).dtype == dtype
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    for given in [X, np.asfortranarray(X), X[::-1][::-1], scipy.sparse.csr_array(X)]:
        assert_allclose(
            model.predict(given), expected.reshape(model.predict(X).shape), rtol=rtol, atol=rtol
        )
    for i in [0, 7, 299]:
        row = model.predict(X[i : i + 1])
        assert row.shape == model.predict(X)[i : i + 1].shape
        assert_allclose(row, model.predict(X)[i : i + 1], rtol=rtol, atol=rtol)
        assert_allclose(model.predict([list(map(float, X[i]))]), row, rtol=1e-5)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.ones((3, 5)), "5 features.*4|4.*5"),
        (np.ones((1, 3)), "3 features.*4|4.*3"),
        (np.ones(4), "2D"),
        (np.ones((1, 4, 1)), "dim 3|2D"),
        (np.full((1, 4), np.nan), "NaN"),
        (np.full((5, 4), np.inf), "infinity"),
        (np.ones((0, 4)), "0 sample"),
        ([["a", "b", "c", "d"]], "string|str|convert"),
        (np.ones((1, 4)) + 1j, "(?i)complex"),
        (scipy.sparse.csr_array(np.full((2, 4), np.nan)), "NaN"),
        (scipy.sparse.csr_array(np.ones((2, 5))), "5 features.*4|4.*5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_predict_refuses(X, words):
    model = Ridge().fit(*problem())
    with pytest.raises(ValueError, match=words):
        model.predict(X)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int64", "bool", "float16", "float32", ">f8", "object"]
)
def test_predict_takes_other_dtypes_than_fit(dtype):
    model = Ridge().fit(*problem())
    X = np.array([[0, 1, 1, 0], [1, 0, 1, 1]])
    for rows in (X, X[:1]):
        assert_allclose(
            model.predict(rows.astype(dtype)), rows @ model.coef_ + model.intercept_, rtol=1e-6
        )


def test_predict_sees_coefficients_that_the_user_changed():
    X, y = problem()
    model = Ridge().fit(X, y)
    model.predict(X[:1])
    model.coef_ = np.ones(4)
    model.intercept_ = 1.0
    assert_allclose(model.predict(X[:1]), X[:1].sum(axis=1) + 1)
    model.coef_ *= 2
    assert_allclose(model.predict(X[:1]), 2 * X[:1].sum(axis=1) + 1)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        Ridge().predict([[1.0]])


def test_score_is_r2_with_weights():
    X, y = problem()
    weight = np.linspace(0.1, 2.0, 40)
    model = Ridge().fit(X, y)
    residual = y - model.predict(X)
    total = y - np.average(y, weights=weight)
    expected = 1 - weight @ residual**2 / (weight @ total**2)
    assert model.score(X, y, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_pickle(protocol, how):
    X, y = problem(t=2)
    model = getattr(Ridge(alpha=[1.0, 2.0]), how)(X, y)
    loaded = pickle.loads(pickle.dumps(model, protocol))
    assert_array_equal(loaded.coef_, model.coef_)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.solver_ == model.solver_
    if how == "partial_fit":
        assert_array_equal(loaded.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


def test_in_a_pipeline_and_a_search():
    X, y = problem(100)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0, 1e4]}, cv=3
    )
    search.fit(X, y)
    rival = GridSearchCV(
        make_pipeline(StandardScaler(), sklearn.linear_model.Ridge()),
        {"ridge__alpha": [0.1, 1.0, 1e4]},
        cv=3,
    ).fit(X, y)
    assert search.best_params_ == rival.best_params_
    assert_allclose(
        search.cv_results_["mean_test_score"], rival.cv_results_["mean_test_score"], rtol=1e-9
    )


@config_context(enable_metadata_routing=True)
def test_metadata_routing_of_weights():
    X, y = problem(60)
    weight = np.linspace(0.1, 2.0, 60)
    model = Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    rival = sklearn.linear_model.Ridge().set_fit_request(sample_weight=True)
    rival.set_score_request(sample_weight=True)
    scores = [
        cross_val_score(m, X, y, cv=3, params={"sample_weight": weight}) for m in (model, rival)
    ]
    assert_allclose(*scores, rtol=1e-9)


def test_tags():
    tags, theirs = Ridge().__sklearn_tags__(), sklearn.linear_model.Ridge().__sklearn_tags__()
    assert tags.input_tags.sparse
    assert tags.target_tags.multi_output
    assert tags.target_tags.required == theirs.target_tags.required
    assert tags.estimator_type == "regressor"
