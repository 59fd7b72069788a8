"""Rows of weight zero are not there: in no count, grid, score or standard error."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

from fastridge import (
    ElasticNet,
    GramStatistics,
    Lasso,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    effective_dof,
    ridge_path,
)
from fastridge.solvers.direct.path import default_alphas

SHAPES = [(30, 4), (12, 20)]
METHODS = ["loo", "gcv", "em", "marginal_likelihood"]


def rows(n, p, kind="dense", seed=0, wild=1e300):
    """Rows with weights, and the same with others of weight zero and wild values between them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    weight = rng.uniform(0.5, 2.0, n)
    many = 3 * n
    kept = np.sort(rng.choice(many, n, replace=False))
    more_X, more_y = wild * rng.standard_normal((many, p)), wild * rng.standard_normal(many)
    more_weight = np.zeros(many)
    more_X[kept], more_y[kept], more_weight[kept] = X, y, weight
    if kind == "sparse":
        X, more_X = scipy.sparse.csr_array(X), scipy.sparse.csc_array(more_X)
    return (X, y, weight), (more_X, more_y, more_weight)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr", "svd"])
def test_ridge_with_rows_without_weight_is_as_without_them(solver, shape, kind):
    if solver == "svd" and kind == "sparse":
        pytest.skip("refused")
    few, many = rows(*shape, kind)
    options = {"standardize": True, "alpha_scale": "mean", "solver": solver}
    for alpha in (0.0, 0.1):
        before = Ridge(alpha, **options).fit(few[0], few[1], sample_weight=few[2])
        after = Ridge(alpha, **options).fit(many[0], many[1], sample_weight=many[2])
        assert_allclose(after.coef_, before.coef_, rtol=1e-9, atol=1e-12)
        assert after.solver_ == before.solver_


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alphas", ["auto", (0.01, 1.0, 100.0)])
@pytest.mark.parametrize("method", METHODS)
def test_ridge_cv_with_rows_without_weight_chooses_as_without_them(method, alphas, shape, kind):
    few, many = rows(*shape, kind)
    with warnings.catch_warnings():  # the grid's boundary may be best
        warnings.simplefilter("ignore", UserWarning)
        before = RidgeCV(alphas, method=method).fit(few[0], few[1], sample_weight=few[2])
        after = RidgeCV(alphas, method=method).fit(many[0], many[1], sample_weight=many[2])
    assert_allclose(after.alpha_, before.alpha_, rtol=1e-6)
    assert_allclose(after.coef_, before.coef_, rtol=1e-6, atol=1e-9)
    assert_allclose(after.best_score_, before.best_score_, rtol=1e-8)
    if method != "em":
        assert_allclose(after.alphas_, before.alphas_, rtol=1e-9)
        assert_allclose(after.mean_scores_, before.mean_scores_, rtol=1e-8)
        assert_allclose(after.standard_errors_, before.standard_errors_, rtol=1e-7)
        assert_allclose(after.alpha_1se_, before.alpha_1se_, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_cv_of_folds_with_rows_without_weight_chooses_as_without_them(shape):
    few, many = rows(*shape)
    fold = np.arange(shape[0]) % 3
    counted = np.flatnonzero(many[2])
    fold_of_all = np.zeros(len(many[1]), dtype=int)
    fold_of_all[counted] = fold
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    of_all = [
        (np.flatnonzero(fold_of_all != k), np.flatnonzero(fold_of_all == k)) for k in range(3)
    ]
    alphas = np.logspace(-2, 2, 5)
    before = RidgeCV(alphas, cv=splits).fit(few[0], few[1], sample_weight=few[2])
    after = RidgeCV(alphas, cv=of_all).fit(many[0], many[1], sample_weight=many[2])
    assert_allclose(after.fold_scores_, before.fold_scores_, rtol=1e-8, atol=1e-10)
    assert_allclose(after.coef_, before.coef_, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_path_with_rows_without_weight_is_as_without_them(shape):
    few, many = rows(*shape)
    asked = dict.fromkeys(["return_intercept", "return_dof", "return_gcv", "return_loo"], True)
    before = ridge_path(few[0], few[1], [0.1, 10.0], sample_weight=few[2], **asked)
    after = ridge_path(many[0], many[1], [0.1, 10.0], sample_weight=many[2], **asked)
    for one, other in zip(before, after, strict=True):
        assert_allclose(other, one, rtol=1e-8, atol=1e-12)


def test_statistics_with_rows_without_weight_count_the_others():
    few, many = rows(30, 4)
    before, after = GramStatistics.from_data(*few), GramStatistics.from_data(*many)
    assert after.n_samples == before.n_samples == 30
    after.update(many[0][:5], many[1][:5], np.zeros(5))
    assert after.n_samples == 30
    assert_allclose(after.xx, before.xx, rtol=1e-12, atol=1e-12)
    assert_allclose(default_alphas(after), default_alphas(before), rtol=1e-10)
    assert_allclose(effective_dof(after, [1.0]), effective_dof(before, [1.0]), rtol=1e-12)
    found = [Ridge(1.0).fit_statistics(stats).inference() for stats in (before, after)]
    assert found[0].n_samples == found[1].n_samples == 30
    for name in ("residual_dof", "rss", "residual_variance", "r2", "aic", "gcv"):
        assert_allclose(getattr(found[1], name), getattr(found[0], name), rtol=1e-9)
    for method in ("gcv", "em", "marginal_likelihood"):
        chosen = [RidgeCV([0.1, 1.0, 10.0], method=method) for _ in range(2)]
        for model, stats in zip(chosen, (before, after), strict=True):
            model.fit_statistics([stats])
        assert_allclose(chosen[1].alpha_, chosen[0].alpha_, rtol=1e-7)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("p", [1, 4])
def test_ridge_cv_of_few_rows_scores_means_where_one_row_is_left(p, standardize, n):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, p)), rng.standard_normal(n)
    model = RidgeCV([0.1, 1.0], standardize=standardize).fit(X, y)
    if n == 2:  # the other row's target predicts each
        assert_allclose(model.mean_scores_, -((y[0] - y[1]) ** 2), rtol=1e-12)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("p", [2, 30])
@pytest.mark.parametrize("standardize", [False, True])
def test_time_series_split_with_one_training_row_predicts_its_target(standardize, p):
    from sklearn.model_selection import TimeSeriesSplit

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10, p)), rng.standard_normal(10)
    model = RidgeCV(
        [0.1, 1.0],
        cv=TimeSeriesSplit(9),
        scoring="neg_mean_squared_error",
        standardize=standardize,
    ).fit(X, y)
    assert_allclose(model.fold_scores_[:, 0], -((y[0] - y[1]) ** 2), rtol=1e-12)
    predicted = [
        Ridge(0.1, standardize=standardize).fit(X[:k], y[:k]).predict(X[k : k + 1])[0]
        for k in range(1, 10)
    ]
    assert_allclose(model.fold_scores_[0], -((y[1:] - predicted) ** 2), rtol=1e-8)


@pytest.mark.parametrize("method", [*METHODS, "kfold"])
@pytest.mark.parametrize("shape", [(20, 3), (6, 3)])
def test_ridge_cv_without_any_penalty_is_least_squares(method, shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = RidgeCV([0.1, 1.0], method=method, penalty_factors=[0.0] * 3).fit(X, y)
    assert_allclose(model.coef_, Ridge(0.0).fit(X, y).coef_, rtol=1e-8)
    if method == "loo":
        left_out = [
            y[i] - Ridge(0.0).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])[0]
            for i in range(len(y))
        ]
        assert_allclose(model.mean_scores_, -np.mean(np.square(left_out)), rtol=1e-8)


def test_ridge_path_without_any_penalty_is_least_squares():
    rng = np.random.default_rng(0)
    for shape in [(20, 3), (6, 8)]:
        X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
        factors = np.zeros(shape[1])
        coefs, dof = ridge_path(X, y, [0.1, 1.0], penalty_factors=factors, return_dof=True)
        assert_allclose(coefs[0], coefs[1], rtol=1e-9)
        assert_allclose(dof, min(shape[1] + 1, shape[0]), rtol=1e-12)
        if shape[0] > shape[1]:
            assert_allclose(coefs[0], Ridge(0.0).fit(X, y).coef_, rtol=1e-9)
        else:
            assert_allclose(X @ (coefs[0]) - (X @ coefs[0] - y).mean(), y, rtol=1e-9)


@pytest.mark.parametrize(("n", "p", "without"), [(5, 4, 2), (10, 9, 3), (6, 4, 1), (20, 3, 4)])
def test_ridge_cv_standardized_with_rows_without_weight_is_as_without_them(n, p, without):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n + without, p)), rng.standard_normal(n + without)
    weight = np.r_[np.ones(n), np.zeros(without)]
    after = RidgeCV([0.1, 1.0, 10.0], standardize=True).fit(X, y, weight)
    before = RidgeCV([0.1, 1.0, 10.0], standardize=True).fit(X[:n], y[:n])
    assert after.alpha_ == before.alpha_
    assert_allclose(after.mean_scores_, before.mean_scores_, rtol=1e-9)
    assert_allclose(after.coef_, before.coef_, rtol=1e-9)


def test_fold_of_one_row_with_weight_has_no_r2():
    from sklearn.exceptions import UndefinedMetricWarning

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10, 12)), rng.standard_normal(10)
    weight = np.r_[np.ones(7), np.zeros(3)]
    fold = np.array([0, 1, 1, 1, 2, 2, 2, 0, 0, 0])
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    with pytest.warns(UndefinedMetricWarning, match="fewer than two"):
        model = RidgeCV([0.1, 1.0], cv=splits).fit(X, y, weight)
    assert np.isnan(model.fold_scores_[:, 0]).all()


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
def test_elastic_net_with_rows_without_weight_is_as_without_them(shape, kind):
    few, many = rows(*shape, kind)
    before = ElasticNet(0.05).fit(few[0], few[1], sample_weight=few[2])
    after = ElasticNet(0.05).fit(many[0], many[1], sample_weight=many[2])
    assert_allclose(after.coef_, before.coef_, rtol=1e-6, atol=1e-7)
    assert_allclose(after.dual_gap_, before.dual_gap_, atol=1e-4)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "HC2", "HC3"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_inference_with_rows_without_weight_is_as_without_them(kind, cov_type):
    few, many = rows(30, 4, kind)
    before, after = (
        Ridge(1.0).fit(X, y, sample_weight=w).inference(X, y, w, cov_type=cov_type)
        for X, y, w in (few, many)
    )
    assert_allclose(after.standard_errors, before.standard_errors, rtol=1e-9)
    assert_allclose(after.rss, before.rss, rtol=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layout", [np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        Ridge(solver="lsqr"),
        Ridge(fit_intercept=False),
        Ridge(penalty_factors=[1.0, 1.0, 0.0] + [1.0] * 17, fit_intercept=False),
        RidgeCV(penalty_factors=[0.0] + [1.0] * 19),
        RidgeCV(fit_intercept=False),
        Lasso(),
        SGDRegressor(random_state=0),
        SGDRegressor(random_state=0, learning_rate="auto"),
        SGDClassifier(random_state=0),
    ],
    ids=str,
)
def test_fit_to_values_not_finite_in_a_row_without_weight_raises(model, layout, value):
    X, y, weight = rows(12, 20)[0]
    if isinstance(model, SGDClassifier):
        y = (y > 0.0).astype(int)
    X[3, 2], weight[3] = value, 0.0
    with pytest.raises(ValueError, match="Input X contains"):
        model.fit(layout(X), y, sample_weight=weight)


@pytest.mark.parametrize("method", METHODS)
def test_fit_to_targets_not_finite_in_a_row_without_weight_raises(method):
    X, y, weight = rows(12, 20)[0]
    y[3], weight[3] = np.nan, 0.0
    for model in (Ridge(fit_intercept=False), RidgeCV(method=method, fit_intercept=False)):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            model.fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        ridge_path(X, y, [1.0], sample_weight=weight, fit_intercept=False)


def test_sgd_classifier_of_values_not_finite_in_a_class_without_weight_raises():
    X, y, _ = rows(12, 20)[0]
    y = (y > 0.0).astype(int)
    X[np.flatnonzero(y == 0)[0], 2] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SGDClassifier(class_weight={0: 0.0, 1: 1.0}).fit(X, y)
