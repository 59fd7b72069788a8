"""RidgeCV: its parameters, attributes, inputs of every kind, and what it refuses."""

import pickle
import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import RidgeCV as SklearnRidgeCV
from sklearn.model_selection import KFold, PredefinedSplit
from versions import as_newest_sklearn

import fastridge
from fastridge import GramStatistics, Ridge, RidgeCV

METHODS = ["loo", "gcv", "kfold", "em", "marginal_likelihood"]


def data(n=60, p=5, seed=0, noise=3.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 2.0
    return X, X @ rng.standard_normal(p) + noise * rng.standard_normal(n)


# --- parameters ----------------------------------------------------------------------------------


@as_newest_sklearn
def test_parameters_and_defaults_are_those_of_sklearn():
    ours, theirs = RidgeCV().get_params(), SklearnRidgeCV().get_params()
    theirs.pop("store_cv_values", None)  # deprecated in 1.5, gone in 1.7
    assert {name: ours[name] for name in theirs} == theirs
    added = {"method", "selection", "standardize", "penalty_factors", "n_threads"}
    assert set(ours) - set(theirs) == added


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "lasso"}, ["method", "'loo'", "'em'", "lasso"]),
        ({"selection": "best"}, ["selection", "'1se'", "best"]),
        ({"gcv_mode": "qr"}, ["gcv_mode", "'svd'", "qr"]),
        ({"alphas": "many"}, ["alphas", "'auto'", "many"]),
        ({"alphas": []}, ["alphas"]),
        ({"alphas": [[1.0]]}, ["alphas"]),
        ({"alphas": None}, ["alphas"]),
        ({"alphas": [1.0, np.nan]}, ["alphas[1]"]),
        ({"alphas": [1.0, np.inf]}, ["alphas[1]"]),
        ({"alphas": [1.0, 0.0]}, ["alphas[1]", "> 0"]),
        ({"fit_intercept": "yes"}, ["fit_intercept"]),
        ({"standardize": 1}, ["standardize"]),
        ({"store_cv_results": None}, ["store_cv_results"]),
        ({"n_threads": 0}, ["n_threads"]),
        ({"scoring": "accurate"}, ["scoring", "accurate"]),
        ({"penalty_factors": [1.0]}, ["penalty_factors", "(5,)"]),
        ({"cv": 1}, ["n_splits"]),
        ({"cv": 61}, ["n_splits=61"]),
        ({"cv": [(np.arange(3), np.arange(99, 101))]}, ["row 100", "60"]),
        ({"cv": [(np.arange(3), np.arange(0))]}, ["cv", "test rows"]),
        ({"cv": []}, ["cv", "no splits"]),
        ({"cv": [(np.arange(3.0), np.arange(3, 5))]}, ["cv", "float64"]),
        ({"cv": 3, "method": "gcv"}, ["gcv", "cv=None"]),
        ({"cv": 3, "store_cv_results": True}, ["cv!=None", "store_cv_results"]),
        ({"method": "em", "store_cv_results": True}, ["store_cv_results"]),
        ({"method": "gcv", "scoring": "r2"}, ["scoring=None"]),
        ({"method": "em", "selection": "1se"}, ["1se", "standard error"]),
        ({"scoring": "explained_variance", "selection": "1se"}, ["1se", "explained_variance"]),
    ],
)
def test_settings_that_are_not_supported_are_named(settings, words):
    X, y = data()
    with pytest.raises(ValueError, match=re.escape(words[0])) as error:
        RidgeCV(**settings).fit(X, y)
    for word in words:
        assert word in str(error.value)


def test_unknown_fit_parameters_are_refused():
    X, y = data()
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        RidgeCV().fit(X, y, colour="red")


@pytest.mark.parametrize("method", METHODS)
def test_attributes(method):
    X, y = data()
    alphas = [0.1, 1.0, 100.0, 10.0]
    model = RidgeCV(alphas, method=method).fit(X, y)
    assert model.method_ == method
    assert isinstance(model.alpha_, float)
    assert isinstance(model.best_score_, float)
    if method == "em":
        assert model.alphas_ is None
        assert model.mean_scores_ is None
    else:
        assert_array_equal(model.alphas_, alphas)
        assert model.mean_scores_.shape == model.standard_errors_.shape == (4,)
        assert model.alpha_ == alphas[np.argmax(model.mean_scores_)]
        assert model.best_score_ == model.mean_scores_.max()
        assert np.isnan(model.standard_errors_).all() == (method not in ("loo", "kfold"))
    assert hasattr(model, "fold_scores_") == (method == "kfold")
    again = Ridge(model.alpha_).fit(X, y)
    assert_allclose(model.coef_, again.coef_, rtol=1e-9)
    assert_allclose(model.intercept_, again.intercept_, rtol=1e-9)
    assert_allclose(model.predict(X), again.predict(X), rtol=1e-9)
    assert model.n_features_in_ == 5
    assert 0.0 < model.rcond_ <= 1.0


def test_one_standard_error():
    X, y = data(noise=10.0)
    alphas = np.logspace(-2, 4, 40)
    for settings in [{}, {"cv": 5}, {"cv": 5, "scoring": "neg_mean_absolute_error"}]:
        least = RidgeCV(alphas, **settings).fit(X, y)
        model = RidgeCV(alphas, selection="1se", **settings).fit(X, y)
        best = np.argmax(model.mean_scores_)
        bound = model.mean_scores_[best] - model.standard_errors_[best]
        assert model.alpha_ == alphas[model.mean_scores_ >= bound].max()
        assert model.alpha_ == model.alpha_1se_ == least.alpha_1se_
        assert model.alpha_min_ == least.alpha_
        assert model.alpha_ > model.alpha_min_


def test_automatic_alphas():
    X, y = data(200, 8)
    for method in ["loo", "gcv", "kfold", "marginal_likelihood"]:
        model = RidgeCV("auto", method=method).fit(X, y)
        values = np.linalg.eigvalsh(np.cov(X.T, bias=True) * len(X))
        assert len(model.alphas_) == 100
        assert_allclose(model.alphas_[0], 1e-6 * X.var(axis=0).min() * len(X), rtol=1e-9)
        assert_allclose(model.alphas_[-1], 10.0 * values[-1], rtol=1e-9)


def test_a_choice_at_the_edge_of_the_automatic_grid_is_told():
    X, y = data(60, 5, noise=0.0)
    with pytest.warns(UserWarning, match="smallest that alphas='auto' tried"):
        RidgeCV("auto").fit(X, y)
    rng = np.random.default_rng(1)
    with pytest.warns(UserWarning, match="largest that alphas='auto' tried"):
        RidgeCV("auto", cv=3).fit(rng.standard_normal((30, 20)), rng.standard_normal(30))
    RidgeCV([1e-9, 1.0]).fit(X, y)  # a grid of the user's own is the user's own


def test_folds_of_one_row_have_no_r2():
    X, y = data(6, 2)
    with pytest.warns(UndefinedMetricWarning, match="neg_mean_squared_error"):
        model = RidgeCV(cv=6).fit(X, y)
    assert model.alpha_ == 0.1  # the first, as in scikit-learn
    assert np.isfinite(RidgeCV(cv=6, scoring="neg_mean_squared_error").fit(X, y).best_score_)


def test_scorers_that_take_no_weights_are_told():
    X, y = data()
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 60)

    def scorer(estimator, X, y):
        return -np.abs(estimator.predict(X) - y).mean()

    with pytest.warns(UserWarning, match="does not take sample_weight"):
        RidgeCV(scoring=scorer).fit(X, y, sample_weight=weight)


def test_refitting_forgets():
    X, y = data()
    model = RidgeCV(cv=3).fit(X, y)
    model.set_params(cv=None, store_cv_results=True).fit(X, y)
    assert not hasattr(model, "fold_scores_")
    assert model.cv_results_.shape == (60, 3)
    model.set_params(store_cv_results=False).fit(X, y)
    assert not hasattr(model, "cv_results_")


# --- inputs --------------------------------------------------------------------------------------


def memmapped(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


KINDS = {
    "F": lambda X, _: np.asfortranarray(X),
    "strided": lambda X, _: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda X, _: X[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": lambda X, _: X.astype(">f8"),
    "memmap": memmapped,
    "list": lambda X, _: X.tolist(),
    "csr": lambda X, _: scipy.sparse.csr_array(X),
    "csc": lambda X, _: scipy.sparse.csc_array(X),
    "coo": lambda X, _: scipy.sparse.coo_array(X),
}


def read_only(X, _):
    X = X.copy()
    X.flags.writeable = False
    return X


def wide_indices(X, _):
    X = scipy.sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


KINDS |= {"read-only": read_only, "int64 indices": wide_indices}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(60, 5), (20, 30)])
@pytest.mark.parametrize("cv", [None, 4, KFold(3, shuffle=True, random_state=0)])
def test_every_layout_gives_the_same(kind, shape, cv, tmp_path):
    X, y = data(*shape)
    expected = RidgeCV(cv=cv).fit(X, y)
    given = KINDS[kind](X, tmp_path)
    before = given.copy() if hasattr(given, "copy") else None
    model = RidgeCV(cv=cv).fit(given, y)
    assert model.alpha_ == expected.alpha_
    assert_allclose(model.mean_scores_, expected.mean_scores_, rtol=1e-9)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8, atol=1e-12)
    if isinstance(before, np.ndarray):
        assert_array_equal(given, before)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8, bool])
@pytest.mark.parametrize("cv", [None, 4])
def test_other_dtypes(dtype, cv):
    rng = np.random.default_rng(0)
    X = (rng.random((50, 4)) * 5).astype(dtype)
    y = X.astype(float) @ rng.standard_normal(4) + rng.standard_normal(50)
    model = RidgeCV(cv=cv, store_cv_results=cv is None).fit(X, y)
    exact = RidgeCV(cv=cv).fit(X.astype(float), y)
    assert_allclose(model.mean_scores_, exact.mean_scores_, rtol=1e-10)
    expected = np.float32 if dtype == np.float32 else np.float64
    assert model.coef_.dtype == expected
    if cv is None:
        assert model.cv_results_.dtype == expected


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["X", "y"])
@pytest.mark.parametrize("shape", [(60, 5), (20, 30)])
def test_not_finite(method, bad, where, shape):
    X, y = data(*shape)
    (X if where == "X" else y)[3] = bad
    with pytest.raises(ValueError, match=f"{where} contains|{where} .*(NaN|infinity)"):
        RidgeCV(method=method).fit(X, y)


def test_malformed_data():
    X, y = data()
    for bad, target in [(X[:0], y[:0]), (X, y[:-1]), (X[:, :0], y), (X[0], y)]:
        with pytest.raises(ValueError, match="0 sample|0 feature|inconsistent|Expected 2D"):
            RidgeCV().fit(bad, target)
    with pytest.raises(ValueError, match="n_samples=1"):
        RidgeCV().fit(X[:1], y[:1])
    for weight in [np.full(60, -1.0), np.zeros(60), np.ones(59), np.full(60, np.nan)]:
        with pytest.raises(ValueError, match="sample_weight|weights"):
            RidgeCV().fit(X, y, sample_weight=weight)
    broken = scipy.sparse.csr_array(X)
    broken.indices = broken.indices.copy()
    broken.indices[-1] = 77
    with pytest.raises(ValueError, match="malformed"):
        RidgeCV().fit(broken, y)


@pytest.mark.parametrize("method", METHODS)
def test_smallest_data(method):
    X, y = data(12, 1)
    assert np.isfinite(RidgeCV(method=method).fit(X, y).coef_).all()
    X = np.hstack([X, np.full((12, 1), 4.0), X])
    model = RidgeCV(method=method).fit(X, y)
    assert_allclose(model.coef_[1], 0.0, atol=1e-12)
    assert_allclose(model.coef_[0], model.coef_[2], rtol=1e-8)


def test_two_rows():
    X, y = data(2, 3)
    model = RidgeCV(store_cv_results=True).fit(X, y)
    assert_allclose(model.cv_results_, (y[0] - y[1]) ** 2)  # each predicts the other


def test_weights_in_a_split_that_are_all_zero():
    X, y = data(20, 3)
    weight = np.ones(20)
    weight[:10] = 0.0
    with pytest.raises(ValueError, match="sample_weight is zero for all"):
        RidgeCV(cv=2).fit(X, y, sample_weight=weight)


def test_data_frame():
    import pandas as pd

    X, y = data()
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = RidgeCV(cv=3).fit(frame, pd.Series(y))
    assert_array_equal(model.feature_names_in_, list("abcde"))
    assert_allclose(model.coef_, RidgeCV(cv=3).fit(X, y).coef_)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("edcba")])


# --- threads, copies -----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"cv": 5}, {"method": "em"}])
def test_the_same_for_any_number_of_threads(settings):
    X, y = data(40_000, 20)
    one = RidgeCV(n_threads=1, **settings).fit(X, y)
    two = RidgeCV(n_threads=2, **settings).fit(X, y)
    assert_array_equal(RidgeCV(n_threads=2, **settings).fit(X, y).coef_, two.coef_)
    assert_allclose(one.coef_, two.coef_, rtol=1e-10)


def test_clone_and_pickle():
    X, y = data()
    model = RidgeCV(cv=3, selection="1se").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("settings", [{}, {"cv": 4}, {"method": "em"}, {"store_cv_results": True}])
def test_save_and_load(settings, tmp_path):
    X, y = data()
    model = RidgeCV(**settings).fit(X, y)
    fastridge.save(model, tmp_path / "model")
    again = fastridge.load(tmp_path / "model")
    assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_params() == model.get_params()
    assert again.alpha_ == model.alpha_
    assert again.method_ == model.method_


# --- rows in batches -----------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [0, 2])
def test_batches_choose_as_one_fit_at_any_moment(weighted, n_targets):
    rng = np.random.default_rng(0)
    X, y = data(90, 4)
    if n_targets:
        y = np.column_stack([y, y[::-1]])
    fold = rng.integers(0, 3, 90)
    weight = rng.uniform(0.2, 2.0, 90) if weighted else None
    alphas = np.logspace(-2, 4, 20)
    model = RidgeCV(alphas, method="kfold", standardize=True)
    for begin in range(0, 90, 30):
        some = slice(begin, begin + 30)
        w = None if weight is None else weight[some]
        model.partial_fit(X[some], y[some], w, fold=fold[some])
        seen = slice(0, begin + 30)
        whole = RidgeCV(alphas, cv=PredefinedSplit(fold[seen]), standardize=True)
        whole.fit(X[seen], y[seen], None if weight is None else weight[seen])
        assert model.alpha_ == whole.alpha_
        assert_allclose(model.fold_scores_, whole.fold_scores_, rtol=1e-9)
        assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
        assert model.statistics_.n_samples == begin + 30
    assert pickle.loads(pickle.dumps(model)).partial_fit(X, y).statistics_.n_samples == 180


def test_rows_are_dealt_to_folds_in_turn():
    X, y = data(50, 3)
    model = RidgeCV(cv=4)
    for some in [slice(0, 7), slice(7, 8), slice(8, 50)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            model.partial_fit(X[some], y[some])
    whole = RidgeCV(cv=PredefinedSplit(np.arange(50) % 4)).fit(X, y)
    assert_allclose(model.fold_scores_, whole.fold_scores_, rtol=1e-9)
    given = [GramStatistics.from_data(X[k::4], y[k::4]) for k in range(4)]
    again = RidgeCV(method="kfold").fit_statistics(given)
    assert_allclose(again.fold_scores_, whole.fold_scores_, rtol=1e-9)


def test_batches_that_cannot_be_used():
    X, y = data(20, 3)
    with pytest.raises(AttributeError, match="partial_fit"):
        RidgeCV().partial_fit(X, y)
    with pytest.raises(AttributeError, match="partial_fit"):
        RidgeCV(cv=3, scoring="max_error").partial_fit(X, y)
    with pytest.raises(ValueError, match="'kfold', 'gcv', 'em'"):
        RidgeCV().fit_statistics([GramStatistics.from_data(X, y)])
    with pytest.raises(TypeError, match="GramStatistics"):
        RidgeCV(cv=3).fit_statistics([X])
    with pytest.raises(ValueError, match="2 folds"):
        RidgeCV(cv=3).partial_fit(X, y, fold=1)
    with pytest.raises(ValueError, match="cv must be"):
        RidgeCV(cv=KFold(3)).partial_fit(X, y)
    for fold in [[0, 1], -1, 0.5, np.full(20, -1)]:
        with pytest.raises(ValueError, match="fold must be"):
            RidgeCV(cv=3).partial_fit(X, y, fold=fold)
    model = RidgeCV(cv=3).partial_fit(X, y)
    coef = model.coef_.copy()
    with pytest.raises(ValueError, match="2 features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full_like(X, np.nan), y)
    assert_array_equal(model.coef_, coef)
    assert model.statistics_.n_samples == 20
