"""Features without a penalty that are nearly alike: what they span has no coefficient."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import Ridge, RidgeCV, ridge_path

SHAPES = [(8, 4), (40, 5), (6, 8), (8, 20), (12, 14)]


def rows_with_a_spanned_feature(n, p, power, seed):
    """Draw integers: penalised features are exact sums of differences of free ones."""
    rng = np.random.default_rng(seed)
    difference = rng.integers(-9, 10, n).astype(float)
    large = rng.integers(-9, 10, n) * 2.0**power
    other = rng.integers(-9, 10, n).astype(float)
    free = np.column_stack([large, large + difference, other])
    spanned = np.outer(difference, rng.integers(1, 5, p - 3))
    spanned += np.outer(other, rng.integers(-3, 4, p - 3))
    return np.hstack([free, spanned]), rng.standard_normal(n)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr", "svd"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge_features_spanned_by_nearly_equal_free_ones_have_no_coefficient(
    fit_intercept, solver, shape
):
    factors = np.r_[np.zeros(3), np.ones(shape[1] - 3)]
    for power in (1, 10, 14, 17):
        for seed in range(3):
            X, y = rows_with_a_spanned_feature(*shape, power, seed)
            for alpha in (0.0, 1e-8, 1.0):
                model = Ridge(
                    alpha, solver=solver, penalty_factors=factors, fit_intercept=fit_intercept
                ).fit(X, y)
                share = np.abs(model.coef_[3:]) * np.linalg.norm(X[:, 3:], axis=0)
                assert share.max() < 1e-6 * np.linalg.norm(y)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [1, 10, 14])
def test_path_and_cross_validation_of_spanned_features_are_those_without_them(power, shape):
    factors = np.r_[np.zeros(3), np.ones(shape[1] - 3)]
    X, y = rows_with_a_spanned_feature(*shape, power, 0)
    alphas = [1e-8, 1e-2, 1.0]
    path = ridge_path(X, y, alphas, penalty_factors=factors)
    length = np.linalg.norm(X[:, 3:], axis=0)
    assert np.abs(path[:, 3:] * length).max() < 1e-6 * np.linalg.norm(y)
    model = RidgeCV(alphas, penalty_factors=factors, store_cv_results=True).fit(X, y)
    errors = np.empty(len(y))
    for row in range(len(y)):
        others = np.arange(len(y)) != row
        fitted = Ridge(0.0).fit(X[others][:, :3], y[others])
        errors[row] = y[row] - fitted.predict(X[row : row + 1, :3])[0]
    for k in range(len(alphas)):
        assert_allclose(model.cv_results_[:, k], errors**2, rtol=1e-6, atol=1e-12)
