"""Ridge from statistics and in parts: fit_statistics and partial_fit equal one fit on all rows."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from reference import relative_error, ridge_by_lstsq
from sklearn.base import clone

from fastridge import GramStatistics, Ridge

OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "standardize": {"standardize": True},
    "mean": {"alpha_scale": "mean", "alpha": 0.1},
    "factors": {"penalty_factors": [0.0, 1.0, 2.0, 0.5]},
    "alpha 0": {"alpha": 0.0},
    "positive": {"positive": True},
    "eigh": {"solver": "eigh"},
    "cholesky": {"solver": "cholesky"},
}


def problem(n=60, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4)) + [1.0, -2.0, 10.0, 0.0]
    y = X @ rng.standard_normal((4,) if t is None else (4, t)) + 1.0
    return X, y + 0.3 * rng.standard_normal(y.shape), rng.uniform(0.2, 2.0, n)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("t", [None, 1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_statistics_equals_fit(options, t, weighted):
    X, y, weight = problem(t=t)
    weight = weight if weighted else None
    fitted = Ridge(**OPTIONS[options]).fit(X, y, sample_weight=weight)
    stats = GramStatistics.from_data(X, y, sample_weight=weight)
    before = stats.copy()
    model = Ridge(**OPTIONS[options]).fit_statistics(stats)
    assert model.coef_.shape == fitted.coef_.shape
    assert np.shape(model.intercept_) == np.shape(fitted.intercept_)
    assert relative_error(model.coef_, fitted.coef_) < 1e-9
    assert_allclose(model.intercept_, fitted.intercept_, rtol=1e-9, atol=1e-10)
    assert_allclose(model.predict(X), fitted.predict(X), rtol=1e-8, atol=1e-9)
    assert model.n_features_in_ == 4
    assert_array_equal(stats.xx, before.xx)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("t", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_partial_fit_equals_one_fit(options, t, weighted):
    X, y, weight = problem(t=t)
    w = (lambda s: weight[s]) if weighted else (lambda s: None)
    fitted = Ridge(**OPTIONS[options]).fit(X, y, sample_weight=w(slice(None)))
    model = Ridge(**OPTIONS[options])
    for rows in [slice(0, 7), slice(7, 8), slice(8, 40), slice(40, 60)]:
        assert model.partial_fit(X[rows], y[rows], sample_weight=w(rows)) is model
    assert model.coef_.shape == fitted.coef_.shape
    assert relative_error(model.coef_, fitted.coef_) < 1e-9
    assert_allclose(model.intercept_, fitted.intercept_, rtol=1e-9, atol=1e-10)
    assert model.statistics_.n_samples == 60


def test_every_partial_fit_leaves_a_model_of_the_rows_so_far():
    X, y, _ = problem()
    model = Ridge(alpha=0.5)
    for start, stop in [(0, 1), (1, 2), (2, 3), (3, 20), (20, 60)]:
        model.partial_fit(X[start:stop], y[start:stop])
        expected = ridge_by_lstsq(X[:stop], y[:stop], 0.5)
        assert_allclose(model.coef_, expected[0][0], rtol=1e-10, atol=1e-12)
        assert_allclose(model.intercept_, expected[1][0], rtol=1e-10)


def test_partial_fit_takes_sparse_rows():
    X, y, _ = problem()
    X[np.abs(X) < 1] = 0.0
    model = Ridge().partial_fit(scipy.sparse.csr_array(X[:30]), y[:30]).partial_fit(X[30:], y[30:])
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 1.0)[0][0]) < 1e-10


def test_fit_forgets_what_partial_fit_saw():
    X, y, _ = problem()
    model = Ridge().partial_fit(X[:30] + 100, y[:30]).fit(X, y)
    fresh = Ridge().fit(X, y)
    assert_array_equal(model.coef_, fresh.coef_)
    model.partial_fit(X[:5], y[:5])
    again = Ridge().partial_fit(X[:5], y[:5])
    if model.statistics_.n_samples == 5:
        assert_array_equal(model.coef_, again.coef_)
    else:
        both = Ridge().fit(np.vstack([X, X[:5]]), np.r_[y, y[:5]])
        assert relative_error(model.coef_, both.coef_) < 1e-11


def test_partial_fit_after_fit_statistics_continues_from_a_copy():
    X, y, _ = problem()
    stats = GramStatistics.from_data(X[:30], y[:30])
    Ridge().fit_statistics(stats).partial_fit(X[30:], y[30:])
    assert stats.n_samples == 30


def test_clone_forgets_the_statistics():
    X, y, _ = problem()
    model = clone(Ridge().partial_fit(X, y))
    assert not hasattr(model, "statistics_")


def test_partial_fit_refuses_other_columns():
    X, y, _ = problem()
    model = Ridge().partial_fit(X, y)
    with pytest.raises(ValueError, match="3 features.*4|4.*3"):
        model.partial_fit(X[:, :3], y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, y)
    assert_array_equal(model.coef_, before)
    assert model.statistics_.n_samples == 60


@pytest.mark.parametrize("solver", ["svd", "qr", "lsqr", "sparse_cg", "gd"])
def test_solvers_that_need_the_rows_give_way_and_say_so(solver):
    X, y, _ = problem()
    model = Ridge(solver=solver, alpha=2.0, tol=1e-12, max_iter=20000)
    model.fit_statistics(GramStatistics.from_data(X, y))
    assert model.solver_ in ("cholesky", "eigh", "gd")
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 2.0)[0][0]) < 1e-8


def test_fit_statistics_takes_statistics_only():
    with pytest.raises((TypeError, ValueError), match="GramStatistics"):
        Ridge().fit_statistics(np.eye(3))


def test_fit_statistics_with_one_alpha_for_each_target():
    X, y, _ = problem(t=3)
    model = Ridge(alpha=[0.1, 1.0, 10.0]).fit_statistics(GramStatistics.from_data(X, y))
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, [0.1, 1.0, 10.0])[0]) < 1e-10


@pytest.mark.parametrize("kind", ["duplicated columns", "wide", "constant column"])
def test_fit_statistics_at_alpha_zero_has_minimum_norm(kind):
    X, y, _ = problem(t=2)
    if kind == "duplicated columns":
        X = np.hstack([X, X])
    elif kind == "wide":
        X, y = np.random.default_rng(1).standard_normal((6, 15)), y[:6]
    else:
        X = np.insert(X, 1, 3.0, axis=1)
    model = Ridge(alpha=0.0).fit_statistics(GramStatistics.from_data(X, y))
    expected = (np.linalg.pinv(X - X.mean(0), rcond=1e-10) @ (y - y.mean(0))).T
    assert_allclose(model.coef_, expected, rtol=1e-6, atol=1e-6)
