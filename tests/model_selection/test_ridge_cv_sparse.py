"""RidgeCV of sparse rows too large for eigenvectors: iterations, exact; or a clear refusal."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from peak_memory import peak_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from fastridge import RidgeCV, ridge_path
from fastridge.model_selection import kfold_iterative
from fastridge.solvers import solver_selection

SHAPES = [(150, 60), (60, 150)]
ALPHAS = [1e-3, 0.1, 1.0, 10.0]


def sparse_rows(n, p, n_targets=None):
    rng = np.random.default_rng(0)
    X = sp.random(n, p, 0.2, format="csr", random_state=rng)
    coef = rng.standard_normal(p if n_targets is None else (p, n_targets))
    y = X @ coef
    return X, y + 0.5 * rng.standard_normal(y.shape) + 2.0


@pytest.fixture
def iterations(monkeypatch):
    """Have rows of any size count as large."""
    monkeypatch.setattr(kfold_iterative, "_LEAST_ORDER", 5)
    monkeypatch.setattr(kfold_iterative, "_EIGEN_COST", 1e9)


def both(monkeypatch, X, y, weight=None, **params):
    """The same fit by eigenvectors and by iterations."""
    model = RidgeCV(**params)
    direct = model.fit(X, y, weight).mean_scores_.copy(), model.alpha_
    monkeypatch.setattr(kfold_iterative, "_LEAST_ORDER", 5)
    monkeypatch.setattr(kfold_iterative, "_EIGEN_COST", 1e9)
    model.fit(X, y, weight)
    return direct, (model.mean_scores_, model.alpha_)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"fit_intercept": False},
        {"standardize": True},
        {"penalty_factors": "two free"},
        {"scoring": "neg_mean_absolute_error"},
        {"cv": KFold(4, shuffle=True, random_state=0)},
        {"weighted": True},
    ],
    ids=lambda params: next(iter(params), "plain"),
)
def test_ridge_cv_large_sparse_scores_as_by_eigenvectors(monkeypatch, params, shape):
    X, y = sparse_rows(*shape)
    params = {"alphas": ALPHAS, "cv": 3} | params
    weight = None
    if params.pop("weighted", False):
        weight = np.random.default_rng(1).choice([0.0, 1.0, 2.0], shape[0])
    if "penalty_factors" in params:
        params["penalty_factors"] = np.append([0.0, 0.0], np.full(shape[1] - 2, 2.0))
    direct, iterated = both(monkeypatch, X, y, weight, **params)
    assert_allclose(iterated[0], direct[0], rtol=1e-9)
    assert iterated[1] == direct[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_cv_large_sparse_alpha_for_each_target(monkeypatch, shape):
    X, Y = sparse_rows(*shape, 3)
    params = {"alphas": ALPHAS, "cv": 3, "alpha_per_target": True}
    direct, iterated = both(monkeypatch, X, Y, **params)
    assert_allclose(iterated[0], direct[0], rtol=1e-9)
    assert_array_equal(iterated[1], direct[1])


@pytest.mark.usefixtures("iterations")
@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_cv_large_sparse_columns_times_powers_of_two_same_choice(shape):
    X, y = sparse_rows(*shape)
    power = np.random.default_rng(1).integers(-200, 201, shape[1])
    scaled = sp.csr_array(X @ sp.diags_array(np.ldexp(1.0, power)))
    model = RidgeCV(ALPHAS, cv=3, standardize=True)
    plain = model.fit(X, y).mean_scores_.copy()
    assert_allclose(model.fit(scaled, y).mean_scores_, plain, rtol=1e-9)


def test_ridge_cv_large_sparse_automatic_alphas_as_by_eigenvectors(monkeypatch):
    X, y = sparse_rows(150, 60)
    model = RidgeCV("auto", cv=3)
    alphas = model.fit(X, y).alphas_
    monkeypatch.setattr(kfold_iterative, "_LEAST_ORDER", 5)
    monkeypatch.setattr(kfold_iterative, "_EIGEN_COST", 1e9)
    assert_allclose(model.fit(X, y).alphas_, alphas, rtol=0.01)


def test_ridge_cv_large_sparse_takes_no_square_matrix(monkeypatch):
    monkeypatch.setattr(solver_selection, "_SPARSE_ORDER", 1000)
    X, y = sparse_rows(1600, 2400)
    X = sp.csr_array(X.multiply(sp.random(1600, 2400, 0.05, format="csr", random_state=0) != 0))
    assert peak_of(lambda: RidgeCV(ALPHAS[2:], cv=3).fit(X, y)) < 1600**2 * 8


def nearly_collinear():
    X, y = sparse_rows(150, 60)
    dense = X.toarray()
    dense[:, 1] = dense[:, 0]
    dense[::7, 1] += 1e-8
    return sp.csr_array(dense), y


@pytest.mark.usefixtures("iterations")
def test_ridge_cv_large_sparse_not_converging_goes_back_to_eigenvectors(monkeypatch):
    X, y = nearly_collinear()
    scores = RidgeCV([1e-14, 1.0], cv=3).fit(X, y).mean_scores_
    monkeypatch.setattr(kfold_iterative, "_LEAST_ORDER", 1000)
    assert_allclose(scores, RidgeCV([1e-14, 1.0], cv=3).fit(X, y).mean_scores_, rtol=1e-9)


@pytest.mark.usefixtures("iterations")
def test_ridge_cv_large_sparse_not_converging_and_too_large_warns(monkeypatch):
    X, y = nearly_collinear()
    monkeypatch.setattr(kfold_iterative, "_MOST_ORDER", 5)
    with pytest.warns(ConvergenceWarning, match=r"In cross-validation.*Increase alpha"):
        RidgeCV([1e-14, 1.0], cv=3).fit(X, y)


@pytest.mark.parametrize("method", ["loo", "gcv", "em", "marginal_likelihood", "path"])
def test_ridge_cv_sparse_eigenvectors_beyond_memory_are_refused(monkeypatch, method):
    monkeypatch.setattr(kfold_iterative, "memory_size", lambda: 10_000)
    monkeypatch.setattr(kfold_iterative, "_LEAST_ORDER", 5)
    X, y = sparse_rows(60, 150)
    with pytest.raises(ValueError, match=r"eigenvectors.*60 x 60.*method='kfold'"):
        if method == "path":
            ridge_path(X, y, [1.0])
        else:
            RidgeCV(method=method).fit(X, y)
