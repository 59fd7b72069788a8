"""RidgeCV from batches of rows: the same as one fit to the rows so far, however they are cut."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit

import fastridge
from fastridge import GramStatistics, RidgeCV

ALPHAS = [1e-3, 1.0, 100.0]
PENALTIES = [
    {},
    {"standardize": True},
    {"penalty_factors": [0.0, 1.0, 2.0, 0.5]},
    {"fit_intercept": False},
]


def data(n=90, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.logspace(0, 1, p) + 3.0
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n)


def assert_same_choice(model, once, rtol=1e-8):
    assert_allclose(model.alpha_, once.alpha_, rtol=rtol)
    assert_allclose(model.coef_, once.coef_, rtol=rtol, atol=1e-10)
    assert_allclose(model.intercept_, once.intercept_, rtol=rtol, atol=1e-9)
    if once.mean_scores_ is not None:
        assert_allclose(model.mean_scores_, once.mean_scores_, rtol=rtol)
        assert_allclose(model.standard_errors_, once.standard_errors_, rtol=rtol)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("method", ["gcv", "em", "marginal_likelihood", "kfold"])
def test_any_method_at_any_moment(method, penalty):
    X, y = data()
    fold = np.arange(len(y)) % 5
    model = RidgeCV(ALPHAS, method=method, **penalty)
    for begin in range(0, len(y), 30):
        end = begin + 30
        model.partial_fit(X[begin:end], y[begin:end])
        once = clone(model)
        if method == "kfold":
            once.set_params(cv=PredefinedSplit(fold[:end]))
        assert_same_choice(model, once.fit(X[:end], y[:end]))


@given(cuts=st.lists(st.integers(1, 89), max_size=6, unique=True), seed=st.integers(0, 99))
def test_cuts_do_not_matter(cuts, seed):
    X, y = data(seed=seed)
    fold = np.random.default_rng(seed).permutation(np.arange(len(y)) % 4)
    scoring = "neg_mean_squared_error"  # R^2 is not defined on a fold of one row
    once = RidgeCV(ALPHAS, cv=PredefinedSplit(fold), scoring=scoring).fit(X, y)
    order = np.argsort(fold < 2, kind="stable") if seed % 2 else np.arange(len(y))
    # the first batch has at least one row of each fold
    first = np.unique(fold, return_index=True)[1]
    order = np.append(first, order[~np.isin(order, first)])
    model = RidgeCV(ALPHAS, cv=4, scoring=scoring)
    for rows in np.split(order, sorted({max(cut, 4) for cut in cuts})):
        model.partial_fit(X[rows], y[rows], fold=fold[rows])
    assert model.statistics_.n_samples == len(y)
    assert_same_choice(model, once)


@pytest.mark.parametrize(
    "kind", [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, np.asfortranarray]
)
def test_batches_of_every_kind(kind):
    X, y = data()
    model = RidgeCV(ALPHAS, cv=5).partial_fit(kind(X[:40]), y[:40])
    model.partial_fit(X[40:], y[40:])
    once = RidgeCV(ALPHAS, cv=PredefinedSplit(np.arange(len(y)) % 5)).fit(X, y)
    assert_same_choice(model, once)


def test_a_batch_without_weight_changes_nothing_but_the_count():
    X, y = data()
    model = RidgeCV(ALPHAS, cv=3).partial_fit(X[:60], y[:60])
    coef, alpha = model.coef_.copy(), model.alpha_
    model.partial_fit(X[60:], y[60:], np.zeros(30))
    assert_array_equal(model.coef_, coef)
    assert model.alpha_ == alpha


def test_a_refused_batch_leaves_the_model_as_it_was():
    X, y = data()
    model = RidgeCV(ALPHAS, cv=5).partial_fit(X[:33], y[:33])
    for bad in (np.full((7, 4), np.nan), np.ones((7, 3))):
        with pytest.raises(ValueError, match="NaN|features"):
            model.partial_fit(bad, y[:7])
    model.partial_fit(X[33:], y[33:])
    once = RidgeCV(ALPHAS, cv=PredefinedSplit(np.arange(len(y)) % 5)).fit(X, y)
    assert_same_choice(model, once)


@pytest.mark.parametrize("method", ["gcv", "em", "marginal_likelihood"])
def test_no_rows_at_all(method):
    X, y = data()
    model = RidgeCV(method=method)
    with pytest.raises(ValueError, match="sample_weight"):
        model.partial_fit(X, y, np.zeros(len(y)))
    with pytest.raises(ValueError, match="no fold has rows"):
        model.fit_statistics([GramStatistics()])
    assert model.partial_fit(X, y).statistics_.n_samples == len(y)


def test_statistics_of_folds_are_not_changed_by_later_batches():
    X, y = data()
    given_folds = [GramStatistics.from_data(X[k:60:3], y[k:60:3]) for k in range(3)]
    model = RidgeCV(ALPHAS, cv=3).fit_statistics(given_folds)
    model.partial_fit(X[60:], y[60:])
    assert [stats.n_samples for stats in given_folds] == [20, 20, 20]
    once = RidgeCV(ALPHAS, cv=PredefinedSplit(np.arange(len(y)) % 3)).fit(X, y)
    assert_same_choice(model, once)


def test_one_standard_error_from_batches():
    X, y = data()
    alphas = np.logspace(-3, 3, 13)
    model = RidgeCV(alphas, cv=5, selection="1se")
    for rows in np.split(np.arange(len(y)), 3):
        model.partial_fit(X[rows], y[rows])
    assert model.alpha_ == model.alpha_1se_ > model.alpha_min_
    fold = PredefinedSplit(np.arange(len(y)) % 5)
    assert_same_choice(model, RidgeCV(alphas, cv=fold, selection="1se").fit(X, y))


def test_a_loaded_model_predicts_the_same(tmp_path):
    X, y = data()
    model = RidgeCV(ALPHAS, cv=5).partial_fit(X, y)
    fastridge.save(model, tmp_path / "model")
    loaded = fastridge.load(tmp_path / "model")
    assert_array_equal(loaded.predict(X), model.predict(X))
