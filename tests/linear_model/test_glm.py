"""Poisson, gamma and Tweedie regression: against scikit-learn and conditions of the minimum."""

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import d2_tweedie_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastridge
from fastridge import GammaRegressor, PoissonRegressor, TweedieRegressor, load, save, scan

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}
MODELS = [
    ("PoissonRegressor", {}),
    ("GammaRegressor", {}),
    ("TweedieRegressor", {}),
    ("TweedieRegressor", {"power": 0, "link": "log"}),
    ("TweedieRegressor", {"power": -0.5, "link": "log"}),
    ("TweedieRegressor", {"power": 1.5}),
    ("TweedieRegressor", {"power": 1, "link": "identity"}),
    ("TweedieRegressor", {"power": 2, "link": "identity"}),
    ("TweedieRegressor", {"power": 3}),
]
LOG_LINKS = [MODELS[k] for k in (0, 1, 5, 8)]


def rows(n=150, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = 0.3 * rng.normal(size=(n, p))
    mean = np.exp(0.5 * X @ rng.normal(size=p) + 1.5)
    return X, rng.poisson(mean) + 0.5


def ours(name, options, **more):
    return getattr(fastridge, name)(**options, **more)


def power_and_link(name, options):
    power = {"PoissonRegressor": 1.0, "GammaRegressor": 2.0}.get(name, options.get("power", 0.0))
    link = options.get("link", "identity" if power <= 0.0 else "log")
    return power, link


def gradient_of(model, case, X, y, weight, offset=0.0):
    """The gradient of the objective, from the stored coefficients alone."""
    power, link = power_and_link(*case)
    eta = X @ model.coef_ + model.intercept_ + offset
    mean = np.exp(eta) if link == "log" else eta
    derivative = (mean - y) * mean**-power * (mean if link == "log" else 1.0)
    derivative = derivative * weight / weight.sum()
    return X.T @ derivative + model.alpha * model.coef_, derivative.sum()


@pytest.mark.parametrize("case", MODELS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore:The inner solver of NewtonCholesky")
def test_glm_of_any_layout_is_that_of_sklearn(layout, dtype, case):
    X, y = rows()
    X = X.astype(dtype)
    name, options = case
    wanted = getattr(theirs, name)(
        alpha=0.1, solver="newton-cholesky", tol=1e-10, max_iter=1000, **options
    )
    wanted.fit(X.astype(np.float64), y)
    model = ours(*case, alpha=0.1, tol=1e-10).fit(LAYOUTS[layout](X), y)
    tolerance = 1e-6 if dtype == np.float64 else 1e-5
    assert model.coef_.dtype == dtype
    assert_allclose(model.coef_, wanted.coef_, atol=tolerance)
    assert_allclose(model.intercept_, wanted.intercept_, atol=tolerance)
    assert_allclose(model.predict(X), wanted.predict(X), rtol=10 * tolerance)
    assert_allclose(model.score(X, y), wanted.score(X, y), rtol=10 * tolerance)


@pytest.mark.parametrize("case", MODELS, ids=str)
@pytest.mark.parametrize("shape", [(150, 4), (25, 40)])
@pytest.mark.parametrize("layout", ["C", "csc"])
def test_glm_with_weights_has_no_gradient(layout, shape, case):
    X, y = rows(*shape)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    model = ours(*case, alpha=0.3, tol=1e-10).fit(LAYOUTS[layout](X), y, weight)
    of_coef, of_intercept = gradient_of(model, case, X, y, weight)
    assert np.abs(of_coef).max() < 1e-7
    assert abs(of_intercept) < 1e-7
    assert model.gradient_norm_ < 1e-9


@pytest.mark.parametrize("case", LOG_LINKS[:3], ids=str)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(150, 4), (25, 40)])
def test_glm_with_exposure_and_offset_has_no_gradient(shape, fit_intercept, case):
    X, y = rows(*shape)
    rng = np.random.default_rng(2)
    exposure, offset = rng.uniform(1.0, 5.0, len(y)), 0.1 * rng.normal(size=len(y))
    model = ours(*case, alpha=0.3, fit_intercept=fit_intercept, tol=1e-10)
    model.fit(X, y, offset=offset, exposure=exposure)
    terms = offset + np.log(exposure)
    of_coef, of_intercept = gradient_of(model, case, X, y, np.ones(len(y)), terms)
    assert np.abs(of_coef).max() < 1e-7
    if fit_intercept:
        assert abs(of_intercept) < 1e-7
    else:
        assert model.intercept_ == 0.0


def test_glm_with_exposure_is_that_of_rates_with_weights():
    X, y = rows()
    exposure = np.random.default_rng(2).uniform(1.0, 1e6, len(y))
    wanted = PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, y / exposure, exposure)
    model = PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, y, exposure=exposure)
    assert_allclose(model.coef_, wanted.coef_, rtol=1e-7)
    assert_allclose(model.intercept_, wanted.intercept_, rtol=1e-9)
    assert model.n_iter_ <= 10


@pytest.mark.parametrize("case", LOG_LINKS[:3], ids=str)
def test_glm_with_l1_penalty_meets_the_conditions_of_its_minimum(case):
    X, y = rows()
    model = ours(*case, alpha=0.05, l1_ratio=0.8, tol=1e-9, max_iter=1000).fit(X, y)
    of_coef, of_intercept = gradient_of(model, case, X, y, np.ones(len(y)))
    of_coef -= model.alpha * 0.8 * model.coef_
    used = model.coef_ != 0.0
    assert used.any()
    assert_allclose(of_coef[used], -0.04 * np.sign(model.coef_[used]), atol=1e-6)
    assert (np.abs(of_coef[~used]) <= 0.04 + 1e-6).all()
    assert abs(of_intercept) < 1e-6


@pytest.mark.parametrize("case", MODELS, ids=str)
@pytest.mark.parametrize("shape", [(200, 5), (30, 60)])
def test_glm_with_defaults_has_five_digits(shape, case):
    X, y = rows(*shape)
    wanted = ours(*case, tol=1e-12).fit(X, y).coef_
    found = ours(*case).fit(X, y).coef_
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("case", MODELS, ids=str)
def test_glm_scaled_columns_scale_the_coefficients(case):
    X, y = rows()
    powers = 2.0 ** np.array([-60, 3, 40, -7])
    plain = ours(*case, tol=1e-12).fit(X, y)
    scaled = ours(*case, tol=1e-12, penalty_factors=powers**2).fit(X * powers, y)
    assert_allclose(scaled.coef_ * powers, plain.coef_, rtol=1e-8)
    assert_allclose(scaled.intercept_, plain.intercept_, rtol=1e-9)


@pytest.mark.parametrize("case", MODELS, ids=str)
@pytest.mark.parametrize("shape", [(150, 4), (25, 40)])
def test_glm_means_far_from_zero_cost_at_most_their_digits(shape, case):
    X, y = rows(*shape)
    wanted = ours(*case, tol=1e-12).fit(X, y)
    model = ours(*case, tol=1e-12).fit(X + 1e5, y)
    assert_allclose(model.coef_, wanted.coef_, atol=1e-8)


@pytest.mark.parametrize("case", MODELS, ids=str)
def test_glm_order_of_rows_and_rows_of_weight_zero_change_nothing(case):
    X, y = rows()
    order = np.random.default_rng(3).permutation(2 * len(y))
    doubled = np.vstack([X, np.full_like(X, 1e6)])[order]
    targets, weight = np.append(y, 7.0 * y)[order], np.repeat([1.0, 0.0], len(y))[order]
    wanted = ours(*case, tol=1e-12).fit(X, y)
    model = ours(*case, tol=1e-12).fit(doubled, targets, weight)
    assert_allclose(model.coef_, wanted.coef_, atol=1e-9)


def test_glm_has_ten_digits_of_fifty_digit_newton():
    X, y = rows(30, 2)
    with mpmath.workdps(50):
        Z = mpmath.matrix(np.column_stack([X, np.ones(len(y))]).tolist())
        penalty = mpmath.diag([mpmath.mpf(30), mpmath.mpf(30), 0])
        w = mpmath.matrix([0, 0, 1])
        for _ in range(15):
            mean = [mpmath.exp((Z[i, :] * w)[0]) for i in range(len(y))]
            g = Z.T * mpmath.matrix([mean[i] - y[i] for i in range(len(y))]) + penalty * w
            w = w - mpmath.lu_solve(Z.T * mpmath.diag(mean) * Z + penalty, g)
        wanted = np.array([float(v) for v in w])
    model = PoissonRegressor(tol=1e-12).fit(X, y)
    assert_allclose(np.append(model.coef_, model.intercept_), wanted, rtol=1e-10)


@pytest.mark.parametrize("case", MODELS, ids=str)
def test_glm_score_is_the_explained_deviance(case):
    X, y = rows()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    model = ours(*case).fit(X, y, weight)
    power = power_and_link(*case)[0]
    wanted = d2_tweedie_score(y, model.predict(X), sample_weight=weight, power=power)
    assert_allclose(model.score(X, y, weight), wanted, rtol=1e-9)


@pytest.mark.parametrize("case", MODELS, ids=str)
def test_glm_saved_or_as_sklearn_predicts_the_same(case, tmp_path):
    X, y = rows()
    model = ours(*case, standardize=True).fit(X, y)
    save(model, tmp_path / "model")
    assert_allclose(load(tmp_path / "model").predict(X), model.predict(X), rtol=1e-15)
    new = model.to_sklearn()
    assert type(new) is getattr(theirs, case[0])
    assert_allclose(new.predict(X), model.predict(X), rtol=1e-12)
    assert_allclose(new.score(X, y), model.score(X, y), rtol=1e-9)


def test_glm_scan_is_predicted():
    X, y = rows()
    model = PoissonRegressor().fit(X, y)
    assert_allclose(model.predict(scan(X)), model.predict(X), rtol=1e-12)


def test_glm_of_one_row_with_columns_of_all_lengths_is_fitted():
    X = 10.0 ** np.array([[5.6, -8.0, -1.0, 3.8, 6.9, 8.8, 6.3, 7.0, 6.9, 5.7]])
    model = GammaRegressor(fit_intercept=False).fit(X, [3.0])
    assert_allclose(model.predict(X), [3.0], rtol=1e-3)


def test_glm_with_too_few_iterations_says_so():
    X, y = rows()
    with pytest.warns(ConvergenceWarning, match="raise max_iter or tol"):
        GammaRegressor(max_iter=1, tol=1e-10).fit(X, y)


@pytest.mark.parametrize(("power", "link"), [(0.0, "identity"), (0.0, "log"), (3.0, "log")])
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_glm_targets_whose_deviance_leaves_float64_are_refused(power, link, size):
    X, y = rows()
    with pytest.raises(ValueError, match=r"targets are of the size .*divide y by a constant"):
        TweedieRegressor(power=power, link=link).fit(X, (y + 1.0) * size)
    with pytest.raises(ValueError, match=r"targets are of the size .*divide y by a constant"):
        TweedieRegressor(power=power, link=link).fit(scan(X, (y + 1.0) * size))


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_glm_targets_of_extreme_size_shift_the_intercept(power, size):
    X, y = rows()
    y = y / 10.0 + 1.0
    model = TweedieRegressor(power=power, link="log", alpha=0.0, tol=1e-8)
    wanted = model.fit(X, y).coef_, model.intercept_
    model.fit(X, y * size)
    assert_allclose(model.coef_, wanted[0], rtol=1e-5)
    assert_allclose(model.intercept_ - np.log(size), wanted[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "change", "words"),
    [
        (PoissonRegressor(), {"y": np.full(150, -1.0)}, r"out of the valid range.*y\[0\] is -1"),
        (GammaRegressor(), {"y": np.zeros(150)}, "must be above 0"),
        (TweedieRegressor(power=3), {"y": np.zeros(150)}, "must be above 0"),
        (TweedieRegressor(power=1.5), {"y": np.full(150, -1.0)}, "must be at least 0"),
        (PoissonRegressor(), {"y": np.zeros(150)}, "the mean of y is 0"),
        (TweedieRegressor(link="log"), {"y": np.full(150, -1.0)}, "the mean of y is -1"),
        (PoissonRegressor(), {"y": np.full(150, np.nan)}, "y contains NaN"),
        (PoissonRegressor(), {"X": np.full((150, 4), np.inf)}, "X contains infinity"),
        (PoissonRegressor(), {"y": np.ones((150, 2))}, "y should be a 1d array"),
        (PoissonRegressor(), {"offset": np.zeros(3)}, "offset must have shape"),
        (PoissonRegressor(), {"exposure": np.zeros(150)}, r"exposure\[0\] is 0"),
        (PoissonRegressor(), {"exposure": np.ones(3)}, "exposure must have shape"),
        (TweedieRegressor(), {"exposure": np.ones(150)}, "exposure needs a log link"),
        (TweedieRegressor(power=1, link="identity", fit_intercept=False), {}, "above 0 in every"),
    ],
)
def test_glm_unusable_input_is_named(model, change, words):
    X, y = rows()
    with pytest.raises(ValueError, match=words):
        model.fit(**{"X": X, "y": y, **change})


@parametrize_with_checks(
    [
        PoissonRegressor(),
        PoissonRegressor(l1_ratio=0.5),
        GammaRegressor(standardize=True),
        TweedieRegressor(),
        TweedieRegressor(power=1.5, warm_start=True),
        TweedieRegressor(power=3),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("seed", range(4))
def test_glm_of_few_rows_and_columns_of_all_lengths_attains_the_objective(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 40)) * 10.0 ** rng.uniform(-3.0, 3.0, 40)
    y = rng.poisson(np.exp(X[:, 0] / np.abs(X[:, 0]).max() + 2.0)).astype(float)
    model = PoissonRegressor(alpha=1e-4).fit(X, y)
    of_coef, of_intercept = gradient_of(model, MODELS[0], X, y, np.ones(len(y)))
    lengths = np.sqrt((X**2).sum(axis=0))
    assert np.abs(of_coef / lengths).max() < 1e-5
    assert abs(of_intercept) < 1e-5


@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.5}, {"alpha": 0.0}])
@pytest.mark.parametrize("shape", [(60, 4), (25, 40), (2000, 40)])
@pytest.mark.parametrize("model", [PoissonRegressor, GammaRegressor, TweedieRegressor])
def test_glm_rows_that_overflow_are_named(model, shape, options):
    X = np.random.default_rng(0).standard_normal(shape)
    X[5, 1] = 1e160
    with pytest.raises(ValueError, match="[rR]escale X"):
        model(**options).fit(X, np.arange(1.0, 1.0 + len(X)))
