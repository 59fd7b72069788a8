"""Grams of the elastic net are made where they are no larger than a few times X."""

import numpy as np
import pytest
import scipy.sparse
from peak_memory import peak_of, size_of

from fastridge import ElasticNetCV, Lasso, LassoCV, lasso_path
from fastridge.designs import design_of
from fastridge.model_selection import elastic_net_folds as folds
from fastridge.solvers.coordinate_descent import gram_sources as sources
from fastridge.solvers.coordinate_descent import row_sources

MEGABYTE = 1 << 20


def sparse_rows(n, p, density, layout="csr"):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((n, p), density=density, random_state=rng, format=layout)
    return X, X[:, :20].sum(axis=1) + 0.01 * rng.standard_normal(n)


@pytest.mark.parametrize("layout", ["csr", "csc"])
@pytest.mark.parametrize("share", [0.3, 0.003])
def test_lasso_sparse_with_more_rows_than_columns_makes_no_dense_gram(share, layout):
    X, y = sparse_rows(9000, 8000, 1e-3, layout)
    alpha = share * np.abs(X.T @ (y - y.mean())).max() / len(y)
    models = []
    peak = peak_of(lambda: models.append(Lasso(alpha).fit(X, y)))
    assert models[0].solver_ == "working set"
    assert models[0].status_ == "converged"
    assert peak < 4 * size_of(X) + 16 * MEGABYTE


@pytest.mark.parametrize(
    ("shape", "density", "made"),
    [
        ((3000, 1000), 1e-3, True),  # 8 MB are always allowed
        ((3000, 1200), 1e-2, False),
        ((3000, 1200), 0.5, True),
        ((1100, 1200), 0.9, False),  # fewer rows
    ],
)
def test_gram_pays_sparse_follows_the_stated_share(shape, density, made):
    X, _ = sparse_rows(*shape, density)
    assert sources.gram_pays(design_of(X)) is made


def test_gram_pays_dense_with_as_many_counted_rows_as_columns():
    X = np.empty((1500, 1500))
    assert sources.gram_pays(design_of(X))
    assert sources.gram_pays(design_of(X.astype(np.float32)))
    assert not sources.gram_pays(design_of(X, (np.arange(1500) > 0).astype(float)))


def test_lasso_path_working_sets_keep_to_their_share():
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((3000, 6000), density=2e-3, random_state=rng, format="csc")
    y = rng.standard_normal(3000)
    peak = peak_of(lambda: lasso_path(X, y, alphas=6, eps=0.1))
    assert peak < 2.0 * row_sources._SMALL_WORKING


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("estimator", [LassoCV, ElasticNetCV])
def test_cv_many_folds_of_many_columns_hold_few_grams(estimator, fit_intercept):
    rng = np.random.default_rng(0)
    n, p = 1500, 1000
    X = rng.standard_normal((n, p))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(n)
    gram = 8 * p * p
    options = {"cv": 10, "alphas": 3, "eps": 0.3, "n_threads": 2, "fit_intercept": fit_intercept}
    peak = peak_of(lambda: estimator(**options).fit(X, y))
    assert peak < (6 if fit_intercept else 8) * gram + 8 * MEGABYTE


def folds_in_turn(monkeypatch):
    monkeypatch.setattr("fastridge.linear_model.elastic_net_cv_base.splits_at_once", lambda *_: 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cv", [3, "shuffled", "overlapping"])
@pytest.mark.parametrize("layout", ["C", "F", "csr", "csc"])
def test_cv_splits_in_turn_give_the_same_scores(monkeypatch, layout, cv, weighted):
    from sklearn.model_selection import KFold, ShuffleSplit

    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 6)) + [5.0, 0.0, 0.0, 1e6, 0.0, 0.0]
    X[rng.random((60, 6)) < 0.2] = 0.0
    y = X[:, :2].sum(axis=1) + rng.standard_normal(60)
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    if cv == "shuffled":
        cv = KFold(4, shuffle=True, random_state=0)
    elif cv == "overlapping":
        cv = ShuffleSplit(5, random_state=0)
    make = {"C": np.ascontiguousarray, "F": np.asfortranarray}.get(layout)
    X = X if make is None else make(X)
    X = getattr(scipy.sparse, f"{layout}_array")(X) if make is None else X
    options = {"l1_ratio": [0.5, 1.0], "alphas": 6, "cv": cv, "tol": 1e-10, "standardize": True}
    base = ElasticNetCV(**options).fit(X, y, weight)
    folds_in_turn(monkeypatch)
    model = ElasticNetCV(**options).fit(X, y, weight)
    np.testing.assert_allclose(model.mse_path_, base.mse_path_, rtol=1e-7)
    np.testing.assert_allclose(model.coef_, base.coef_, rtol=1e-7)


def test_cv_splits_in_turn_gather_where_the_difference_would_cancel(monkeypatch):
    """A column that varies in one fold only, of which the others' difference is rounding."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    X[:20, 1] *= 1e9
    X[20:, 1] = 1.0
    base = LassoCV(cv=3, alphas=5).fit(X, y)
    folds_in_turn(monkeypatch)
    gathered = []
    whole = folds.gathered_products

    def counted(*args):
        gathered.append(len(np.arange(60)[args[2]]))
        return whole(*args)

    monkeypatch.setattr(folds, "gathered_products", counted)
    model = LassoCV(cv=3, alphas=5).fit(X, y)
    assert sorted(gathered) == [20, 20, 20, 40]
    np.testing.assert_allclose(model.mse_path_, base.mse_path_, rtol=1e-7)


def test_cv_sparse_with_a_gram_too_large_works_on_rows():
    X, y = sparse_rows(2500, 1500, 2e-3)
    model = LassoCV(cv=8, alphas=3, eps=0.01)
    peak = peak_of(lambda: model.fit(X, y))
    assert model.solver_ == "working set"
    assert peak < 1.25 * row_sources._MOST_WORKING
