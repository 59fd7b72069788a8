"""Inference on ridge fits: formulas written out with dense matrices, and statsmodels at alpha 0."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.stats
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from fastridge import Ridge, RidgeCV

COV_TYPES = ["nonrobust", "HC0", "HC1", "HC2", "HC3"]


def data(n=60, p=4, seed=0, n_targets=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 3.0, p) + 2.0
    y = X @ rng.standard_normal((p, n_targets) if n_targets else p)
    return X, y + rng.standard_normal(y.shape) * (1.0 + np.abs(X[:, :1] if n_targets else X[:, 0]))


def written_out(model, X, y, alpha, weight=None, cov_type="nonrobust"):
    """Everything by matrices of n x n, in the coordinates of centred, weighted rows."""
    n, p = X.shape
    w = np.ones(n) if weight is None else weight
    intercept = model.fit_intercept
    S = np.ones(p) if model.penalty_factors is None else np.asarray(model.penalty_factors)
    mean = w @ X / w.sum() if intercept else np.zeros(p)
    if model.standardize:
        centre = w @ X / w.sum()
        S = S * (w @ (X - centre) ** 2 / w.sum())
    Z = np.hstack([X, np.ones((n, 1))]) if intercept else X
    penalty = np.append(alpha * S, 0.0) if intercept else alpha * S
    W = np.diag(w)
    B = np.linalg.inv(Z.T @ W @ Z + np.diag(penalty))
    theta = B @ Z.T @ W @ y
    root = np.sqrt(w)[:, None]
    H = (root * Z) @ B @ (root * Z).T
    residual = y - Z @ theta
    counted = int((w > 0).sum())
    out = {"theta": theta, "dof": np.trace(H), "leverage": H.diagonal()}
    out["rss"] = w @ residual**2
    out["residual_dof"] = counted - np.trace(2 * H - H @ H.T)
    out["residual_variance"] = out["rss"] / out["residual_dof"]
    out["gcv"] = counted * out["rss"] / (counted - out["dof"]) ** 2
    h = H.diagonal()
    omega = {
        "nonrobust": w * out["residual_variance"],
        "HC0": (w * residual) ** 2,
        "HC1": (w * residual) ** 2 * counted / out["residual_dof"],
        "HC2": (w * residual) ** 2 / (1 - h),
        "HC3": (w * residual) ** 2 / (1 - h) ** 2,
    }[cov_type]
    out["covariance"] = B @ Z.T @ np.diag(omega) @ Z @ B
    Xc = X - mean
    A = np.linalg.inv(Xc.T @ W @ Xc + np.diag(alpha * S))
    out["bias"] = -alpha * A @ (S * theta[:p])
    d = np.sqrt(np.diag(Xc.T @ W @ Xc))
    R, K = Xc.T @ W @ Xc / np.outer(d, d), np.diag(alpha * S / d**2)
    inverse = np.linalg.inv(R + K)
    out["vif"] = np.diag(inverse @ R @ inverse)
    log = -counted / 2 * (np.log(2 * np.pi * out["rss"] / counted) + 1)
    out["log_likelihood"] = log + 0.5 * np.log(w[w > 0]).sum()
    return out


SETTINGS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "standardize": {"standardize": True},
    "factors": {"penalty_factors": [1.0, 2.0, 0.0, 0.5]},
    "mean": {"alpha_scale": "mean"},
}


@pytest.mark.parametrize("cov_type", COV_TYPES)
@pytest.mark.parametrize("weights", ["none", "some", "zeros"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_as_written_out(settings, weights, cov_type):
    X, y = data()
    weight = None if weights == "none" else np.random.default_rng(1).uniform(0.3, 2.0, 60)
    if weights == "zeros":
        weight[::7] = 0.0
    model = Ridge(0.3, **SETTINGS[settings]).fit(X, y, sample_weight=weight)
    total = 60 if weight is None else weight.sum()
    alpha = 0.3 * total if settings == "mean" else 0.3
    found = model.inference(X, y, weight, cov_type=cov_type)
    expected = written_out(model, X, y, alpha, weight, cov_type)
    assert_allclose(found.alpha, alpha)
    for name in ["dof", "rss", "residual_dof", "residual_variance", "gcv", "log_likelihood"]:
        assert_allclose(getattr(found, name), expected[name], rtol=1e-9, err_msg=name)
    n = found.n_samples
    assert n == (60 if weights != "zeros" else 51)
    assert_allclose(found.aic, -2 * expected["log_likelihood"] + 2 * expected["dof"])
    assert_allclose(found.bic, -2 * expected["log_likelihood"] + np.log(n) * expected["dof"])
    assert_allclose(found.covariance, expected["covariance"][:4, :4], rtol=1e-8, atol=1e-12)
    assert_allclose(found.standard_errors, np.sqrt(np.diag(expected["covariance"])[:4]))
    if model.fit_intercept:
        error = np.sqrt(expected["covariance"][4, 4])
        assert_allclose(found.intercept_standard_error, error, rtol=1e-8)
    else:
        assert np.isnan(found.intercept_standard_error)
    assert_allclose(found.bias_estimate, expected["bias"], rtol=1e-8, atol=1e-12)
    assert_allclose(found.vif, expected["vif"], rtol=1e-8)
    assert_allclose(found.leverage(X, weight), expected["leverage"], rtol=1e-8, atol=1e-13)
    new = X[:5] + 1.0
    Z = np.hstack([new, np.ones((5, 1))]) if model.fit_intercept else new
    variance = np.einsum("ij,jk,ik->i", Z, expected["covariance"], Z)
    quantile = scipy.stats.t.ppf(0.95, expected["residual_dof"])
    centre = model.predict(new)
    reach = quantile * np.sqrt(variance)
    assert_allclose(
        found.confidence_interval(new, 0.9), np.stack([centre - reach, centre + reach], 1)
    )
    reach = quantile * np.sqrt(variance + expected["residual_variance"])
    assert_allclose(
        found.prediction_interval(new, 0.9), np.stack([centre - reach, centre + reach], 1)
    )


def test_shrinkage_of_principal_directions():
    X, y = data()
    found = Ridge(5.0).fit(X, y).inference(X, y)
    squares = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) ** 2
    assert_allclose(found.eigenvalues, squares, rtol=1e-9)
    assert_allclose(found.shrinkage, squares / (squares + 5.0), rtol=1e-9)


@pytest.fixture
def statsmodels():
    return pytest.importorskip("statsmodels.api")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cov_type", COV_TYPES)
def test_least_squares_as_statsmodels(statsmodels, cov_type, weighted):
    X, y = data()
    weight = np.random.default_rng(1).uniform(0.3, 2.0, 60) if weighted else np.ones(60)
    theirs = statsmodels.WLS(y, statsmodels.add_constant(X), weights=weight)
    theirs = theirs.fit(cov_type=cov_type, use_t=True)
    model = Ridge(0.0).fit(X, y, sample_weight=weight)
    ours = model.inference(X, y, weight, cov_type=cov_type)
    assert_allclose(np.append(ours.intercept_standard_error, ours.standard_errors), theirs.bse)
    assert_allclose(ours.aic, theirs.aic)
    assert_allclose(ours.bic, theirs.bic)
    assert_allclose(ours.log_likelihood, theirs.llf)
    assert_allclose(ours.residual_variance, theirs.scale)
    assert_allclose(ours.r2, theirs.rsquared)
    new = X[:4] - 1.0
    frame = theirs.get_prediction(statsmodels.add_constant(new)).summary_frame(alpha=0.05)
    assert_allclose(ours.confidence_interval(new), frame[["mean_ci_lower", "mean_ci_upper"]])
    assert_allclose(ours.prediction_interval(new), frame[["obs_ci_lower", "obs_ci_upper"]])
    table = model.summary(X, y, weight, cov_type=cov_type).to_frame()
    assert_allclose(table["t"], theirs.tvalues)
    assert_allclose(table["P>|t|"], theirs.pvalues, rtol=1e-6)
    assert_allclose(table[["lower", "upper"]], theirs.conf_int())


def test_leverage_and_vif_as_statsmodels(statsmodels):
    from statsmodels.stats.outliers_influence import OLSInfluence, variance_inflation_factor

    X, y = data()
    design = statsmodels.add_constant(X)
    found = Ridge(0.0).fit(X, y).inference(X, y)
    hat = OLSInfluence(statsmodels.OLS(y, design).fit()).hat_matrix_diag
    assert_allclose(found.leverage(X), hat)
    assert_allclose(found.vif, [variance_inflation_factor(design, j) for j in range(1, 5)])


def test_several_targets():
    X, Y = data(n_targets=3)
    model = Ridge([0.1, 1.0, 10.0]).fit(X, Y)
    found = model.inference(X, Y, cov_type="HC2")
    assert found.covariance.shape == (3, 4, 4)
    for k, alpha in enumerate([0.1, 1.0, 10.0]):
        single = Ridge(alpha).fit(X, Y[:, k]).inference(X, Y[:, k], cov_type="HC2")
        for name in ["dof", "aic", "standard_errors", "intercept_standard_error", "vif"]:
            assert_allclose(getattr(found, name)[k], getattr(single, name), rtol=1e-9)
        assert_allclose(found.prediction_interval(X)[k], single.prediction_interval(X), rtol=1e-9)
        assert_allclose(found.leverage(X)[k], single.leverage(X), rtol=1e-9)
    summary = model.summary(X, Y)
    assert summary.to_frame().shape == (15, 7)
    assert "target 2" in str(summary)


def test_of_every_layout():
    X, y = data()
    expected = Ridge(1.0).fit(X, y).inference(X, y, cov_type="HC3").covariance
    sparse = scipy.sparse.csc_array(X)
    for given in [np.asfortranarray(X), X.tolist(), sparse, pd.DataFrame(X, columns=list("abcd"))]:
        found = Ridge(1.0).fit(given, y).inference(given, y, cov_type="HC3")
        assert_allclose(found.covariance, expected, rtol=1e-9)
    small = X.astype(np.float32)
    found = Ridge(1.0).fit(small, y).inference(small, y, cov_type="HC3")
    assert_allclose(found.covariance, expected, rtol=1e-4)


def test_more_columns_than_rows_and_columns_that_repeat():
    X, y = data(20, 40)
    model = Ridge(2.0).fit(X, y)
    found = model.inference(X, y)
    expected = written_out(model, X, y, 2.0)
    assert_allclose(found.dof, expected["dof"], rtol=1e-8)
    assert_allclose(found.covariance, expected["covariance"][:40, :40], rtol=1e-6, atol=1e-10)
    X = np.hstack([X[:, :2], X[:, :1], np.full((20, 1), 3.0)])
    found = Ridge(1.0).fit(X, y).inference(X, y)
    assert_allclose(found.standard_errors[0], found.standard_errors[2], rtol=1e-8)
    assert_allclose(found.standard_errors[3], 0.0, atol=1e-12)
    single = Ridge(1.0).fit(X[:, :1], y).inference(X[:, :1], y, cov_type="HC1")
    assert single.standard_errors.shape == (1,)


def test_free_columns_count_by_their_rank():
    X, y = data(20, 2)
    found = Ridge(1.0, penalty_factors=[1.0, 0.0]).fit(X, y).inference(X, y)
    wide = np.hstack([X, X[:, 1:], np.full((20, 1), 3.0)])
    more = Ridge(1.0, penalty_factors=[1.0, 0.0, 0.0, 0.0]).fit(wide, y).inference(wide, y)
    for name in ["dof", "residual_dof", "rss", "aic", "gcv"]:
        assert_allclose(getattr(more, name), getattr(found, name), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1", "HC2", "HC3"])
def test_no_variance_where_no_degrees_of_freedom_are_left(cov_type):
    X, y = data(5, 4)
    model = Ridge(0.0).fit(X, y)
    found = model.inference(X, y, cov_type=cov_type)
    assert np.isnan(found.residual_variance)
    assert np.isnan(found.standard_errors).all()
    assert np.isnan(found.prediction_interval(X)).all()
    assert "biased" in str(model.summary(X, y, cov_type=cov_type))


def test_from_statistics():
    X, y = data()
    model = Ridge(1.0).partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    found, expected = model.inference(), Ridge(1.0).fit(X, y).inference(X, y)
    assert_allclose(found.covariance, expected.covariance, rtol=1e-9)
    assert_allclose(found.aic, expected.aic, rtol=1e-9)
    with pytest.raises(ValueError, match="give the rows"):
        model.inference(cov_type="HC3")


def test_of_a_chosen_alpha():
    X, y = data()
    model = RidgeCV([0.1, 1.0, 10.0]).fit(X, y)
    fixed = Ridge(model.alpha_).fit(X, y)
    assert_allclose(model.inference(X, y).covariance, fixed.inference(X, y).covariance, rtol=1e-9)
    assert f"alpha = {model.alpha_:.4g}" in str(model.summary(X, y))


def test_summary_says_what_is_biased():
    X, y = data()
    frame = pd.DataFrame(X, columns=["<b>one</b>", "two & more", "three", "four"])
    summary = Ridge(1.0).fit(frame, y).summary(frame, y)
    text = str(summary)
    for word in ["biased", "expected value", "too narrow", "effective dof", "AIC", "GCV", "(inter"]:
        assert word in text
    assert "<b>one</b>" in text
    html = summary._repr_html_()
    assert "<b>one" not in html
    assert "&lt;b&gt;one" in html
    assert "two &amp; more" in html
    table = summary.to_frame()
    assert list(table.index) == ["(intercept)", "<b>one</b>", "two & more", "three", "four"]
    assert_allclose(table["coef"].to_numpy()[1:], summary.inference.coef)


def test_inference_wrong_arguments_are_refused():
    X, y = data()
    model = Ridge(1.0).fit(X, y)
    with pytest.raises(ValueError, match="give the rows"):
        model.inference()
    with pytest.raises(ValueError, match="together"):
        model.inference(X)
    with pytest.raises(ValueError, match="'HC3', got 'HC4'"):
        model.inference(X, y, cov_type="HC4")
    with pytest.raises(ValueError, match="not the ridge fit of these rows"):
        model.inference(X, y[::-1])
    with pytest.raises(ValueError, match="3 features"):
        model.inference(X[:, :3], y)
    with pytest.raises(ValueError, match="level"):
        model.summary(X, y, level=95)
    with pytest.raises(ValueError, match="positive=False"):
        Ridge(1.0, positive=True).fit(X, y).inference(X, y)
    with pytest.raises(NotFittedError):
        Ridge().inference(X, y)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_rows_are_never_copied_as_a_whole(dtype):
    X = (50.0 * np.random.default_rng(0).standard_normal((200_000, 20))).astype(dtype)
    y = X[:, 0].astype(float) + np.random.default_rng(1).standard_normal(len(X))
    model = Ridge(1.0).fit(X, y)
    tracemalloc.start()
    try:
        model.inference(X, y, cov_type="HC0").prediction_interval(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.size * 8  # what a float64 copy alone would take


def test_too_many_features_are_refused_before_their_gram():
    X = np.random.default_rng(0).standard_normal((6, 10_001))
    model = Ridge(1.0).fit(X, X[:, 0])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="up to 10000 features"):
            model.inference(X, X[:, 0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6
