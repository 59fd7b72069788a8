"""Options that fastridge adds to Ridge: alpha_scale, standardize, penalty_factors."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from reference import dense, relative_error, ridge_by_lstsq, ridge_gradient
from sklearn.preprocessing import StandardScaler

from fastridge import Ridge

SOLVERS = ["auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"]
SHAPES = [(50, 5), (7, 15)]


def problem(n, p, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((n, p)) + 2.0) * rng.uniform(0.5, 4.0, p)
    y = X @ rng.standard_normal((p,) if t is None else (p, t)) + 2.0
    y += rng.standard_normal(y.shape)
    return X, y, rng.uniform(0.2, 2.0, n)


def scaled_reference(X, y, alpha, weight, fit_intercept=True, factors=None):
    """Fit on X / sd, coefficients back in the units of X; a constant column has sd 1."""
    scaler = StandardScaler(with_mean=False).fit(dense(X), sample_weight=weight)
    coef, intercept = ridge_by_lstsq(
        dense(X) / scaler.scale_, y, alpha, weight, fit_intercept, factors
    )
    return coef / scaler.scale_, intercept


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES, ids=["tall", "wide"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_standardize_is_a_fit_on_scaled_columns(solver, shape, weighted, fit_intercept):
    X, y, weight = problem(*shape, 2)
    weight = weight if weighted else None
    model = Ridge(
        alpha=1.5,
        standardize=True,
        solver=solver,
        fit_intercept=fit_intercept,
        tol=1e-13,
        max_iter=50000,
    )
    model.fit(X, y, sample_weight=weight)
    coef, intercept = scaled_reference(X, y, 1.5, weight, fit_intercept)
    assert relative_error(model.coef_, coef) < 1e-7
    assert_allclose(np.broadcast_to(model.intercept_, 2), intercept, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "lsqr", "sparse_cg"])
def test_standardize_sparse(make, solver):
    X, y, weight = problem(50, 5)
    X[np.random.default_rng(1).random(X.shape) < 0.6] = 0.0
    model = Ridge(alpha=1.5, standardize=True, solver=solver, tol=1e-13, max_iter=10000)
    model.fit(make(X), y, sample_weight=weight)
    assert relative_error(model.coef_, scaled_reference(X, y, 1.5, weight)[0][0]) < 1e-7


def test_standardize_makes_the_units_of_x_irrelevant():
    X, y, weight = problem(40, 5)
    units = np.array([1e-9, 1e-3, 1.0, 1e5, 1e12])
    base = Ridge(alpha=2.0, standardize=True).fit(X, y, sample_weight=weight)
    model = Ridge(alpha=2.0, standardize=True).fit(X * units, y, sample_weight=weight)
    assert_allclose(model.coef_ * units, base.coef_, rtol=1e-10)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "svd"])
@pytest.mark.parametrize("value", [0.0, 3.0, 1e6 + 0.1])
def test_standardize_leaves_constant_columns_alone(value, solver, alpha):
    X, y, _ = problem(40, 4)
    model = Ridge(alpha=alpha, standardize=True, solver=solver)
    model.fit(np.insert(X, 2, value, axis=1), y)
    assert abs(model.coef_[2]) < 1e-8
    expected = scaled_reference(X, y, alpha, None)[0][0]
    assert relative_error(np.delete(model.coef_, 2), expected) < 1e-9


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES, ids=["tall", "wide"])
@pytest.mark.parametrize("weighted", [False, True])
def test_penalty_factors_are_a_scaling_of_columns(solver, shape, weighted):
    X, y, weight = problem(*shape, 2)
    weight = weight if weighted else None
    factors = np.random.default_rng(1).uniform(0.3, 4.0, shape[1])
    model = Ridge(alpha=1.5, penalty_factors=factors, solver=solver, tol=1e-13, max_iter=50000)
    model.fit(X, y, sample_weight=weight)
    scaled = Ridge(alpha=1.5, solver="svd").fit(X / np.sqrt(factors), y, sample_weight=weight)
    assert relative_error(model.coef_, scaled.coef_ / np.sqrt(factors)) < 1e-7
    coef, intercept = ridge_by_lstsq(X, y, 1.5, weight, penalty_factors=factors)
    assert relative_error(model.coef_, coef) < 1e-7
    assert_allclose(model.intercept_, intercept, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES, ids=["tall", "wide"])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_factor_of_zero_leaves_the_feature_free(solver, shape, standardize):
    X, y, weight = problem(*shape)
    X -= X.mean(axis=0)
    factors = np.ones(shape[1])
    factors[[1, 3]] = 0.0
    model = Ridge(
        alpha=10.0,
        penalty_factors=factors,
        solver=solver,
        standardize=standardize,
        tol=1e-13,
        max_iter=50000,
    )
    model.fit(X, y, sample_weight=weight)
    if standardize:
        coef = scaled_reference(X, y, 10.0, weight, factors=factors)[0][0]
    else:
        coef = ridge_by_lstsq(X, y, 10.0, weight, penalty_factors=factors)[0][0]
        gradient, _ = ridge_gradient(model, X, y, 10.0, weight, factors)
        assert np.max(np.abs(gradient)) < 1e-6 * np.max(np.abs(X.T @ y))
    assert relative_error(model.coef_, coef) < 1e-6


def test_all_factors_zero_is_least_squares():
    X, y, weight = problem(50, 4)
    model = Ridge(alpha=1e6, penalty_factors=np.zeros(4)).fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 0.0, weight)[0][0]) < 1e-10


def test_a_large_factor_removes_the_feature():
    X, y, _ = problem(50, 4)
    model = Ridge(alpha=1.0, penalty_factors=[1.0, 1.0, 1e18, 1.0]).fit(X, y)
    assert abs(model.coef_[2]) < 1e-12
    expected = ridge_by_lstsq(np.delete(X, 2, axis=1), y, 1.0)[0][0]
    assert relative_error(np.delete(model.coef_, 2), expected) < 1e-9


def test_penalty_factors_with_positive():
    X, y, _ = problem(60, 6)
    factors = np.array([0.0, 1.0, 2.0, 0.5, 3.0, 1.0])
    model = Ridge(alpha=2.0, positive=True, penalty_factors=factors).fit(X, y)
    gradient, _ = ridge_gradient(model, X, y, 2.0, None, factors)
    scale = np.max(np.abs(X.T @ y))
    assert np.all(model.coef_ >= 0)
    assert np.min(gradient) > -1e-7 * scale
    assert np.max(np.abs(gradient[0, model.coef_ > 0])) < 1e-7 * scale


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES, ids=["tall", "wide"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_alpha_scale_mean_is_n_times_alpha(solver, shape, weighted, standardize):
    X, y, weight = problem(*shape)
    weight = weight if weighted else None
    total = shape[0] if weight is None else weight.sum()
    params = {"solver": solver, "tol": 1e-13, "max_iter": 50000, "standardize": standardize}
    mean = Ridge(alpha=0.2, alpha_scale="mean", **params).fit(X, y, sample_weight=weight)
    summed = Ridge(alpha=0.2 * total, **params).fit(X, y, sample_weight=weight)
    assert relative_error(mean.coef_, summed.coef_) < 1e-10


def test_alpha_scale_mean_is_the_textbook_lambda():
    X, y, _ = problem(50, 4)
    model = Ridge(alpha=0.3, alpha_scale="mean", fit_intercept=False).fit(X, y)
    textbook = np.linalg.solve(X.T @ X + 50 * 0.3 * np.eye(4), X.T @ y)
    assert relative_error(model.coef_, textbook) < 1e-11


@pytest.mark.parametrize("alpha_scale", ["sum", "mean"])
def test_alpha_scale_mean_does_not_change_with_the_scale_of_the_weights(alpha_scale):
    X, y, weight = problem(50, 4)
    first = Ridge(alpha=0.3, alpha_scale=alpha_scale).fit(X, y, sample_weight=weight)
    second = Ridge(alpha=0.3, alpha_scale=alpha_scale).fit(X, y, sample_weight=7 * weight)
    same = relative_error(second.coef_, first.coef_) < 1e-11
    assert same == (alpha_scale == "mean")


@pytest.mark.parametrize("positive", [False, True])
def test_all_options_at_once(positive):
    X, Y, weight = problem(60, 5, 2)
    X = np.abs(X)
    Y = np.abs(Y) + X @ np.ones((5, 2)) * 10
    factors = np.array([0.5, 1.0, 2.0, 0.0, 1.0])
    model = Ridge(
        alpha=[0.05, 0.5],
        alpha_scale="mean",
        standardize=True,
        penalty_factors=factors,
        positive=positive,
    )
    model.fit(X, Y, sample_weight=weight)
    coef, intercept = scaled_reference(
        X, Y, weight.sum() * np.array([0.05, 0.5]), weight, True, factors
    )
    assert np.all(coef > 0)
    assert relative_error(model.coef_, coef) < 1e-8
    assert_allclose(model.intercept_, intercept, rtol=1e-7)


@pytest.mark.parametrize("unit", [1.0, 2.0**60, 2.0**190])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr", "svd"])
def test_ridge_constant_column_without_penalty_has_no_coefficient(solver, unit):
    X = np.array([[unit, 0.1, -7.3], [unit, 0.6, -7.7]])
    model = Ridge(1e3, solver=solver, penalty_factors=[0.0, 1e-9, 0.0])
    model.fit(X, [-73.3, 16.7], sample_weight=[2.0, 1.0])
    assert model.coef_[0] == 0.0
    assert abs(model.intercept_) < 1e4
