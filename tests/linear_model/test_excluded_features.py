"""An infinite penalty factor excludes a feature: the rest is the fit without its column."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from fastridge import GramStatistics, Ridge, RidgeCV, effective_dof, load, ridge_path, save
from fastridge.display import RegularizationPathDisplay
from fastridge.solvers.direct.path import default_alphas, statistics_path

SOLVERS = ["auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"]
SHAPES = [(40, 6), (12, 30)]
LAYOUTS = [np.ascontiguousarray, np.asfortranarray, sp.csr_array, sp.csc_array]
CHOICES = [
    {},
    {"cv": 3},
    {"method": "gcv"},
    {"method": "em"},
    {"method": "marginal_likelihood"},
    {"cv": 3, "scoring": "neg_mean_absolute_error"},
    {"alphas": "auto", "cv": 3},
    {"standardize": True},
    {"fit_intercept": False},
    {"gcv_mode": "svd", "store_cv_results": True},
]
pytestmark = [
    pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning"),
    pytest.mark.filterwarnings("ignore:method='em' ended:UserWarning"),
]


def data(shape, n_targets=1):
    rng = np.random.default_rng(0)
    n, p = shape
    X = rng.normal(size=shape) + 3.0
    Y = X @ rng.normal(size=(p, n_targets)) + rng.normal(size=(n, n_targets))
    factors = rng.uniform(0.5, 2.0, p)
    factors[[1, 2, p - 1]] = np.inf
    factors[3] = 0.0
    return X, Y[:, 0] if n_targets == 1 else Y, factors, rng.uniform(0.5, 2.0, n)


def assert_without(found, wanted, kept, rtol=1e-9):
    """`found` has the coefficients of `wanted`, which has only the kept features."""
    assert (found.coef_[..., ~kept] == 0.0).all()
    scale = np.abs(wanted.coef_).max()
    assert_allclose(found.coef_[..., kept], wanted.coef_, rtol=rtol, atol=rtol * scale)
    assert_allclose(found.intercept_, wanted.intercept_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_ridge_with_excluded_features_is_the_fit_without_them(solver, standardize, shape):
    X, y, factors, weight = data(shape, n_targets=2)
    kept = np.isfinite(factors)
    options = {"solver": solver, "standardize": standardize, "tol": 1e-12, "max_iter": 20000}
    found = Ridge(2.0, penalty_factors=factors, **options).fit(X, y, weight)
    wanted = Ridge(2.0, penalty_factors=factors[kept], **options).fit(X[:, kept], y, weight)
    assert_without(found, wanted, kept)
    assert found.solver_ == wanted.solver_
    assert found.n_features_in_ == X.shape[1]
    assert_allclose(found.predict(X), wanted.predict(X[:, kept]), rtol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [Ridge, RidgeCV])
def test_layouts_with_excluded_features(kind, layout, shape):
    X, y, factors, _ = data(shape)
    for dtype in (np.float64, np.float32):
        rows = layout(X.astype(dtype))
        kept = np.isfinite(factors)
        found = kind(penalty_factors=factors).fit(rows, y)
        wanted = kind(penalty_factors=factors[kept]).fit(X.astype(dtype)[:, kept], y)
        assert found.coef_.dtype == dtype
        assert_without(found, wanted, kept, rtol=1e-9 if dtype == np.float64 else 1e-4)


@pytest.mark.parametrize("options", [{"positive": True}, {"alpha": 0.0}, {"fit_intercept": False}])
@pytest.mark.parametrize("shape", SHAPES)
def test_options_of_ridge_with_excluded_features(options, shape):
    X, y, factors, _ = data(shape)
    kept = np.isfinite(factors)
    found = Ridge(penalty_factors=factors, **options).fit(X, y)
    assert_without(found, Ridge(penalty_factors=factors[kept], **options).fit(X[:, kept], y), kept)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", CHOICES, ids=repr)
def test_choices_of_alpha_with_excluded_features(options, shape):
    X, y, factors, _ = data(shape)
    kept = np.isfinite(factors)
    found = RidgeCV(penalty_factors=factors, **options).fit(X, y)
    wanted = RidgeCV(penalty_factors=factors[kept], **options).fit(X[:, kept], y)
    assert_without(found, wanted, kept)
    assert_allclose(found.alpha_, wanted.alpha_, rtol=1e-9)
    assert_allclose(found.best_score_, wanted.best_score_, rtol=1e-7)
    if found.mean_scores_ is not None:
        assert_allclose(found.mean_scores_, wanted.mean_scores_, rtol=1e-6)


@pytest.mark.parametrize("method", ["kfold", "gcv"])
def test_fits_in_parts_with_excluded_features(method):
    X, y, factors, _ = data(SHAPES[0])
    kept = np.isfinite(factors)
    found, wanted = Ridge(penalty_factors=factors), Ridge(penalty_factors=factors[kept])
    chosen, right = (
        RidgeCV(method=method, penalty_factors=some) for some in (factors, factors[kept])
    )
    for rows in (slice(0, 25), slice(25, 40)):
        found.partial_fit(X[rows], y[rows])
        wanted.partial_fit(X[rows][:, kept], y[rows])
        chosen.partial_fit(X[rows], y[rows])
        right.partial_fit(X[rows][:, kept], y[rows])
    assert_without(found, wanted, kept)
    assert_without(chosen, right, kept)
    assert chosen.alpha_ == right.alpha_
    assert found.statistics_.n_features == chosen.statistics_.n_features == X.shape[1]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_paths_with_excluded_features(shape, n_targets):
    X, y, factors, weight = data(shape, n_targets)
    kept, alphas = np.isfinite(factors), [0.1, 1.0, 10.0]
    options = {"sample_weight": weight, "return_intercept": True, "return_dof": True}
    options |= {"return_gcv": True, "return_loo": True}
    found = ridge_path(X, y, alphas, penalty_factors=factors, **options)
    wanted = ridge_path(X[:, kept], y, alphas, penalty_factors=factors[kept], **options)
    assert (found[0][..., ~kept] == 0.0).all()
    assert_allclose(found[0][..., kept], wanted[0], rtol=1e-8)
    for one, other in zip(found[1:], wanted[1:], strict=True):
        assert_allclose(one, other, rtol=1e-8)


def test_statistics_with_excluded_features():
    X, y, factors, _ = data(SHAPES[0])
    kept, alphas = np.isfinite(factors), [0.1, 1.0, 10.0]
    stats, right = GramStatistics.from_data(X, y), GramStatistics.from_data(X[:, kept], y)
    dof = effective_dof(stats, alphas, penalty_factors=factors)
    assert_allclose(dof, effective_dof(right, alphas, penalty_factors=factors[kept]), rtol=1e-9)
    assert_allclose(
        default_alphas(stats, penalty_factors=factors),
        default_alphas(right, penalty_factors=factors[kept]),
        rtol=1e-7,
    )
    coefs = statistics_path(stats, alphas, penalty_factors=factors).coefs
    wanted = statistics_path(right, alphas, penalty_factors=factors[kept]).coefs
    assert_allclose(coefs[..., kept], wanted, rtol=1e-9)
    display = RegularizationPathDisplay.from_statistics(stats, penalty_factors=factors.tolist())
    assert (display.coefs[:, ~kept] == 0.0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
def test_all_features_excluded_is_the_mean(layout, shape):
    X, y, _, _ = data(shape)
    X, factors = layout(X), np.full(shape[1], np.inf)
    models = [Ridge(solver=solver) for solver in SOLVERS if solver != "svd" or not sp.issparse(X)]
    models += [Ridge(0.0), Ridge(positive=True), Ridge(standardize=True)]
    models += [RidgeCV(**options) for options in CHOICES if "gcv_mode" not in options]
    for model in models:
        model.set_params(penalty_factors=factors).fit(X, y)
        assert not model.coef_.any()
        assert_allclose(model.intercept_, y.mean() if model.fit_intercept else 0.0)
    coefs, dof = ridge_path(X, y, [0.0, 1.0], penalty_factors=factors, return_dof=True)
    assert not coefs.any()
    assert_allclose(dof, 1.0)
    for model in (Ridge(), RidgeCV(cv=3)):
        model.set_params(penalty_factors=factors).partial_fit(X, y)
        assert not model.coef_.any()
        assert_allclose(model.intercept_, y.mean())


def test_excluded_features_that_are_not_finite_are_an_error():
    X, y, factors, _ = data(SHAPES[0])
    X[4, 1] = np.nan
    for call in (
        lambda: Ridge(penalty_factors=factors).fit(X, y),
        lambda: RidgeCV(penalty_factors=factors).fit(sp.csr_array(X), y),
        lambda: ridge_path(X, y, [1.0], penalty_factors=factors),
    ):
        with pytest.raises(ValueError, match="X contains NaN"):
            call()


@pytest.mark.parametrize("bad", [np.nan, -1.0, -np.inf])
def test_penalty_factors_that_are_no_penalty_are_an_error(bad):
    X, y, _, _ = data((20, 6))
    words = re.escape("penalty_factors must be at least 0: 0 leaves a feature free, inf excludes")
    for model in (Ridge(), RidgeCV()):
        with pytest.raises(ValueError, match=words):
            model.set_params(penalty_factors=[1.0, bad, 1.0, 1.0, 1.0, 1.0]).fit(X, y)


def test_a_model_with_excluded_features_is_saved_and_has_no_inference(tmp_path):
    X, y, factors, _ = data(SHAPES[0])
    model = Ridge(penalty_factors=factors).fit(X, y)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert_allclose(again.coef_, model.coef_)
    assert_allclose(again.penalty_factors, factors)
    with pytest.raises(ValueError, match="penalty_factors excludes features"):
        model.inference(X, y)


def test_excluded_features_at_an_end_cost_no_copy():
    X, y, _, _ = data((40, 6))
    X.flags.writeable = False
    for factors in ([np.inf, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, np.inf]):
        kept = np.isfinite(factors)
        found = Ridge(penalty_factors=factors).fit(X, y)
        assert_without(found, Ridge().fit(X[:, kept], y), kept)
