"""Inference where digits are few: tiny residuals, collinear columns, leverage near one, units."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from reference import exact_solve, scaled_integers

from fastridge import GramStatistics, Ridge, RidgeCV

COV_TYPES = ["nonrobust", "HC0", "HC1", "HC2", "HC3"]


def fractions(values):
    integers, exponent = scaled_integers(values)
    return np.vectorize(lambda v: Fraction(int(v), 1 << exponent), otypes=[object])(integers)


def exact_inference(X, y, alpha, cov_type, weight=None):
    """rss, standard errors, leverages, and variances of the first five fits: by Fractions."""
    n, p = X.shape
    Z, y = fractions(np.hstack([X, np.ones((n, 1))])), fractions(y)
    w = fractions(np.ones(n) if weight is None else weight)
    G = Z.T.dot(w[:, None] * Z)
    A = G.copy()
    for j in range(p):
        A[j, j] += Fraction(alpha)
    B = exact_solve(A, fractions(np.eye(p + 1)))
    residual = y - Z.dot(B.dot(Z.T.dot(w * y)))
    h = np.array([w[i] * Z[i].dot(B).dot(Z[i]) for i in range(n)])
    counted = sum(v > 0 for v in w)
    rss = (w * residual**2).sum()
    H = G.dot(B)
    dof = counted - 2 * np.trace(H) + np.trace(H.dot(H))
    omega = {
        "nonrobust": w * rss / dof,
        "HC0": (w * residual) ** 2,
        "HC1": (w * residual) ** 2 * Fraction(counted) / dof,
        "HC2": (w * residual) ** 2 / (1 - h),
        "HC3": (w * residual / (1 - h)) ** 2,
    }[cov_type]
    covariance = B.dot(Z.T.dot(omega[:, None] * Z)).dot(B)
    errors = np.sqrt(np.diag(covariance).astype(float))
    intervals = np.array([float(z.dot(covariance).dot(z)) for z in Z[:5]])
    return float(rss), errors, h.astype(float), intervals


def close_line(noise, n=30):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 2)) + 1.0
    return X, X @ [1.0, -2.0] + 3.0 + noise * rng.standard_normal(n)


@pytest.mark.parametrize("cov_type", COV_TYPES)
@pytest.mark.parametrize("noise", [1e-5, 1e-8])
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_inference_with_tiny_residuals_is_that_of_exact_arithmetic(cov_type, noise, make):
    X, y = close_line(noise)
    rss, errors, *_ = exact_inference(X, y, 0.0, cov_type)
    model = Ridge(0.0).fit(make(X), y)
    found = model.inference(make(X), y, cov_type=cov_type)
    assert_allclose(found.rss, rss, rtol=1e-6)
    assert_allclose(found.residual_variance, rss / 27, rtol=1e-6)
    assert_allclose(found.gcv, 30 * rss / 27**2, rtol=1e-6)
    log = -15 * (np.log(2 * np.pi * rss / 30) + 1)
    assert_allclose(found.log_likelihood, log, rtol=1e-6)
    assert_allclose(found.aic, 6 - 2 * log, rtol=1e-6)
    assert_allclose(found.standard_errors, errors[:2], rtol=1e-6)
    assert_allclose(found.intercept_standard_error, errors[2], rtol=1e-6)
    low, high = found.prediction_interval(X[:1])[0]
    assert high - low > 2 * np.sqrt(rss / 27)
    table = model.summary(make(X), y, cov_type=cov_type).to_frame()
    assert_allclose(table["std err"], np.append(errors[2], errors[:2]), rtol=1e-6)


def test_inference_from_statistics_with_tiny_residuals_is_nan_and_warns():
    X, y = close_line(1e-8)
    model = Ridge(0.0).partial_fit(X, y)
    with pytest.warns(UserWarning, match="give the rows"):
        found = model.inference()
    for name in ["rss", "residual_variance", "log_likelihood", "aic", "bic", "gcv"]:
        assert np.isnan(getattr(found, name)), name
    assert np.isnan(found.standard_errors).all()
    assert np.isfinite(found.vif).all()
    rss, errors, *_ = exact_inference(X, y, 0.0, "nonrobust")
    assert_allclose(model.inference(X, y).standard_errors, errors[:2], rtol=1e-6)
    X, y = close_line(1e-3)
    rss, errors, *_ = exact_inference(X, y, 0.0, "nonrobust")
    assert_allclose(Ridge(0.0).partial_fit(X, y).inference().rss, rss, rtol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 1e-5, 1e5])
@pytest.mark.parametrize("cov_type", COV_TYPES)
@pytest.mark.parametrize("given", ["rows", "sparse", "statistics"])
def test_equal_columns_without_penalty_have_infinite_errors(unit, cov_type, given):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    X[:, 2] = unit * X[:, 0]
    y = X[:, 1] + rng.standard_normal(40)
    single = Ridge(0.0).fit(X[:, :2], y).inference(X[:, :2], y, cov_type=cov_type)
    if given == "statistics":
        if cov_type != "nonrobust":
            return
        found = Ridge(0.0).partial_fit(X, y).inference()
    else:
        rows = scipy.sparse.csr_array(X) if given == "sparse" else X
        found = Ridge(0.0).fit(rows, y).inference(rows, y, cov_type=cov_type)
    assert np.isinf(found.vif[[0, 2]]).all()
    assert np.isinf(found.standard_errors[[0, 2]]).all()
    assert np.isinf(found.covariance[[0, 2], [0, 2]]).all()
    assert_allclose(found.vif[1], single.vif[1], rtol=1e-8)
    assert_allclose(found.standard_errors[1], single.standard_errors[1], rtol=1e-8)
    # equal columns have equal means: the intercept is determined
    assert_allclose(found.intercept_standard_error, single.intercept_standard_error, rtol=1e-8)
    assert_allclose(found.dof, 3.0)
    # what the rows do determine has intervals, what they do not has none
    assert_allclose(found.confidence_interval(X), single.confidence_interval(X[:, :2]), rtol=1e-7)
    elsewhere = X[:1] + np.array([[1.0, 0.0, 0.0]])
    assert np.isinf(found.confidence_interval(elsewhere)).all()


def test_free_equal_columns_have_infinite_errors_if_others_have_a_penalty():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    X[:, 3] = 100.0 * X[:, 0]
    y = X[:, 1] + rng.standard_normal(40)
    model = Ridge(2.0, penalty_factors=[0.0, 1.0, 1.0, 0.0]).fit(X, y)
    found = model.inference(X, y)
    fewer = Ridge(2.0, penalty_factors=[0.0, 1.0, 1.0]).fit(X[:, :3], y).inference(X[:, :3], y)
    assert np.isinf(found.vif[[0, 3]]).all()
    assert np.isinf(found.standard_errors[[0, 3]]).all()
    assert_allclose(found.standard_errors[1:3], fewer.standard_errors[1:], rtol=1e-8)
    assert_allclose(found.vif[1:3], fewer.vif[1:], rtol=1e-8)
    table = model.summary(X, y).to_frame()
    assert table.loc[["x0", "x3"], ["t", "P>|t|"]].isna().all(axis=None)
    assert table.loc[["x1", "x2"]].notna().all(axis=None)
    assert str(model.summary(X, y)).count(" inf") == 6


def test_a_constant_column_without_penalty_has_an_infinite_error():
    X, y = close_line(0.1)
    wide = np.hstack([X, np.full((30, 1), 0.1)])
    found = Ridge(0.0).fit(wide, y).inference(wide, y)
    single = Ridge(0.0).fit(X, y).inference(X, y)
    assert np.isinf(found.standard_errors[2])
    assert np.isinf(found.vif[2])
    assert np.isinf(found.intercept_standard_error)
    assert_allclose(found.standard_errors[:2], single.standard_errors, rtol=1e-8)
    assert_allclose(found.residual_dof, single.residual_dof)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-7])
def test_nearly_equal_columns_have_the_errors_of_fifty_digits(gap):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((25, 3))
    X[:, 2] = X[:, 0] + gap * rng.standard_normal(25)
    y = X[:, 1] + rng.standard_normal(25)
    with mpmath.workdps(50):
        Z = mpmath.matrix(np.hstack([X, np.ones((25, 1))]).tolist())
        inverse = (Z.T * Z) ** -1
        coef = inverse * (Z.T * mpmath.matrix(y.tolist()))
        rss = mpmath.norm(mpmath.matrix(y.tolist()) - Z * coef) ** 2
        errors = [float(mpmath.sqrt(rss / 21 * inverse[j, j])) for j in range(3)]
        centred = [
            [Z[i, j] - sum(Z[k, j] for k in range(25)) / 25 for i in range(25)] for j in range(3)
        ]
        vif = [float(inverse[j, j] * sum(v * v for v in centred[j])) for j in range(3)]
    found = Ridge(0.0).fit(X, y).inference(X, y)
    assert_allclose(found.vif, vif, rtol=1e-14 / gap + 1e-10)
    assert_allclose(found.standard_errors, errors, rtol=1e-14 / gap + 1e-10)


@pytest.mark.parametrize("cov_type", COV_TYPES)
@pytest.mark.parametrize("alpha", [1e-8, 1.0])
@pytest.mark.parametrize("kind", ["row", "cell", "level"])
def test_errors_with_leverage_near_one_are_those_of_exact_arithmetic(cov_type, alpha, kind):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((24, 3))
    if kind == "row":
        X[4] *= 2e3
    elif kind == "cell":
        X[4, 1] = 3e4
    else:
        X[:, 2] = 0.0
        X[6, 2] = 1.0
    y = rng.standard_normal(24)
    weight = rng.uniform(0.5, 2.0, 24)
    weight[[1, 9]] = 0.0
    _, errors, leverage, variances = exact_inference(X, y, alpha, cov_type, weight)
    assert leverage.max() > 1.0 - 1e-5 or alpha == 1.0
    model = Ridge(alpha).fit(X, y, sample_weight=weight)
    found = model.inference(X, y, weight, cov_type=cov_type)
    assert_allclose(found.standard_errors, errors[:3], rtol=1e-8)
    assert_allclose(found.intercept_standard_error, errors[3], rtol=1e-8)
    assert_allclose(found.leverage(X, weight), leverage, rtol=1e-8, atol=1e-12)
    low, high = found.confidence_interval(X[:5]).T
    quantile = scipy.stats.t.ppf(0.975, found.residual_dof)
    assert_allclose((high - low) / (2.0 * quantile), np.sqrt(variances), rtol=1e-7)


@pytest.mark.parametrize("cov_type", ["HC2", "HC3"])
@pytest.mark.parametrize("n", [24, 6])
def test_leverage_one_gives_no_robust_errors(cov_type, n):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((n, 3)), rng.standard_normal(n)
    X[:, 2] = 0.0
    X[1, 2] = 1.0
    found = Ridge(0.0).fit(X, y).inference(X, y, cov_type=cov_type)
    assert np.isnan(found.standard_errors).all()


@pytest.mark.parametrize("cov_type", COV_TYPES)
@pytest.mark.parametrize("shape", [(30, 2), (12, 20)])
def test_inference_rows_of_weight_zero_change_nothing(cov_type, shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    weight = rng.uniform(0.5, 2.0, shape[0]) * (np.arange(shape[0]) % 4 != 1)
    kept = weight > 0.0
    model = Ridge(0.5).fit(X, y, sample_weight=weight)
    found = model.inference(X, y, weight, cov_type=cov_type)
    fewer = model.inference(X[kept], y[kept], weight[kept], cov_type=cov_type)
    for name in ["n_samples", "dof", "residual_dof", "rss", "aic", "bic", "gcv"]:
        assert_allclose(getattr(found, name), getattr(fewer, name), rtol=1e-9, err_msg=name)
    assert_allclose(found.covariance, fewer.covariance, rtol=1e-8, atol=1e-12)


def test_inference_of_columns_in_very_different_units_is_right():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20000, 2)) * [1.0, 1e6]
    y = X @ [1.0, 1e-6] + 0.1 * rng.standard_normal(20000)
    found = Ridge(0.0).fit(X / [1.0, 1e6], y).inference(X / [1.0, 1e6], y)
    assert_allclose(found.dof, 3.0)
    model = Ridge(0.0).fit(X, y)
    model.coef_ = found.coef / [1.0, 1e6]
    other = model.inference(X, y)
    assert_allclose(other.dof, 3.0)
    assert_allclose(other.standard_errors, found.standard_errors / [1.0, 1e6], rtol=1e-9)
    assert_allclose(other.vif, found.vif, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(-200, 200), min_size=3, max_size=3),
    st.sampled_from([0.0, 1e-3, 10.0]),
    st.sampled_from(COV_TYPES),
    st.sampled_from(["none", "factors", "standardize"]),
)
def test_inference_of_columns_in_other_units_is_the_same(powers, alpha, cov_type, penalty):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3)) * [1.0, 30.0, 0.1] + 1.0
    y = X @ [1.0, 0.1, 3.0] + rng.standard_normal(30)
    units = 2.0 ** np.array(powers)
    if penalty == "none":
        alpha = 0.0
    one, two = Ridge(alpha), Ridge(alpha)
    if penalty == "factors":
        two.set_params(penalty_factors=units**2)
    elif penalty == "standardize":
        one.set_params(standardize=True)
        two.set_params(standardize=True)
    expected = one.fit(X, y).inference(X, y, cov_type=cov_type)
    two.fit(X, y)  # the scaled coefficients of the other fit: this is about inference alone
    two.coef_, two.intercept_ = one.coef_ / units, one.intercept_
    found = two.inference(X * units, y, cov_type=cov_type)
    for name in ["dof", "rss", "aic", "residual_dof", "vif", "intercept_standard_error"]:
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, err_msg=name)
    ratio = expected.coef / expected.standard_errors
    assert_allclose(found.coef / found.standard_errors, ratio, rtol=1e-9)
    assert_allclose(found.leverage(X * units), expected.leverage(X), rtol=1e-9)


def test_inference_of_a_chosen_alpha_from_fold_statistics_counts_rows():
    X, y = close_line(0.1)
    folds = [GramStatistics.from_data(X[k::3], y[k::3]) for k in range(3)]
    model = RidgeCV([0.1, 1.0], method="kfold").fit_statistics(folds)
    assert_allclose(model.inference().n_samples, 30)
