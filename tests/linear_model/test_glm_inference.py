"""Inference for logistic and generalized linear models: against formulas, and statsmodels."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import expit, gammaln, softmax
from scipy.stats import chi2, f, norm, t

from fastridge import (
    GammaRegressor,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    TweedieRegressor,
)

N = 150
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, 1.0]
WEIGHT = RNG.integers(0, 4, N).astype(float)
OFFSET = 0.3 * RNG.normal(size=N)
GROUPS = RNG.integers(0, 20, N)
ETA = X @ [0.5, 0.1, -3.0] + OFFSET
BINARY = (RNG.random(N) < expit(ETA + 2.0)).astype(float)
COUNTS = RNG.poisson(np.exp(0.5 * ETA)).astype(float)
AMOUNTS = RNG.gamma(2.0, np.exp(ETA) / 2.0)
THREE = np.digitize(ETA + RNG.logistic(size=N), [-3.0, 0.0])

CASES = {
    "logistic": (LogisticRegression, {"C": np.inf}, {"C": 0.5}, BINARY, None),
    "poisson": (PoissonRegressor, {"alpha": 0.0}, {"alpha": 0.1}, COUNTS, 1.0),
    "gamma": (GammaRegressor, {"alpha": 0.0}, {"alpha": 0.1}, AMOUNTS, 2.0),
    "tweedie": (
        TweedieRegressor,
        {"alpha": 0.0, "power": 1.5},
        {"alpha": 0.1, "power": 1.5},
        COUNTS,
        1.5,
    ),
    "inverse_gaussian": (
        TweedieRegressor,
        {"alpha": 0.0, "power": 3.0, "link": "log"},
        {"alpha": 0.1, "power": 3.0, "link": "log"},
        AMOUNTS,
        3.0,
    ),
    "normal": (TweedieRegressor, {"alpha": 0.0}, {"alpha": 0.1}, AMOUNTS, 0.0),
}


def fitted(name, *, penalised=False, **options):
    kind, free, strong, y, power = CASES[name]
    model = kind(**(strong if penalised else free), tol=1e-10, **options)
    return model.fit(X, y, WEIGHT, offset=OFFSET), y, power


def terms(model, power):
    """Z, means, derivatives of means and variances: the formulas of the family, from the model."""
    Z = np.column_stack([X, np.ones(N)])
    eta = Z @ np.append(model.coef_, model.intercept_) + OFFSET
    if power is None:
        mean = expit(eta)
        return Z, mean, mean * (1.0 - mean), mean * (1.0 - mean)
    if power == 0.0:
        return Z, eta, np.ones(N), np.ones(N)
    mean = np.exp(eta)
    return Z, mean, mean, mean**power


def penalty_of(model, penalised):
    strength = 0.0
    if penalised:
        has_alpha = hasattr(model, "alpha")
        strength = model.alpha * WEIGHT.sum() if has_alpha else 1.0 / model.C
    return np.diag([strength, strength, strength, 0.0])


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "cluster"])
@pytest.mark.parametrize("name", CASES)
def test_glm_inference_covariance_is_that_of_the_formula(name, cov_type, penalised):
    model, y, power = fitted(name, penalised=penalised)
    Z, mean, of_mean, variance = terms(model, power)
    information = (Z.T * (WEIGHT * of_mean**2 / variance)) @ Z
    inverse = np.linalg.inv(information + penalty_of(model, penalised))
    scores = Z * (WEIGHT * (y - mean) * of_mean / variance)[:, None]
    n, dof = np.count_nonzero(WEIGHT), np.trace(inverse @ information)
    dispersion = 1.0
    if power not in (None, 1.0):
        dispersion = (WEIGHT @ ((y - mean) ** 2 / variance)) / (n - dof)
    between = {"nonrobust": dispersion * information}.get(cov_type)
    if cov_type in ("HC0", "HC1"):
        between = scores.T @ scores * (n / (n - 4) if cov_type == "HC1" else 1.0)
    if cov_type == "cluster":
        kept = np.unique(GROUPS[WEIGHT > 0.0])
        sums = np.array([scores[g == GROUPS].sum(axis=0) for g in kept])
        factor = len(kept) / (len(kept) - 1) * (n - 1) / (n - 4)
        between = factor * sums.T @ sums
    found = model.inference(
        X,
        y,
        WEIGHT,
        offset=OFFSET,
        cov_type=cov_type,
        groups=GROUPS if cov_type == "cluster" else None,
    )
    wanted = inverse @ between @ inverse
    errors = np.sqrt(wanted.diagonal())
    assert_allclose(found.covariance / np.outer(errors, errors), wanted / np.outer(errors, errors),
                    atol=1e-9)  # fmt: skip
    assert_allclose(found.standard_errors, errors[:3], rtol=1e-9)
    assert_allclose(found.intercept_standard_error, errors[3], rtol=1e-9)
    assert_allclose(found.dof, dof, rtol=1e-10)
    assert_allclose(found.dispersion, dispersion, rtol=1e-9)
    assert found.n_samples == n


@pytest.mark.parametrize("name", CASES)
def test_glm_inference_agrees_with_statsmodels(name):
    sm = pytest.importorskip("statsmodels.api")
    families = sm.families
    log = families.links.Log()
    family = {
        "logistic": families.Binomial(),
        "poisson": families.Poisson(),
        "gamma": families.Gamma(log),
        "tweedie": families.Tweedie(log, var_power=1.5),
        "inverse_gaussian": families.InverseGaussian(log),
        "normal": families.Gaussian(),
    }[name]
    model, y, power = fitted(name)
    kept = WEIGHT > 0.0
    Z = sm.add_constant(X)[kept]
    theirs = sm.GLM(y[kept], Z, family=family, var_weights=WEIGHT[kept], offset=OFFSET[kept]).fit(
        tol=1e-14, maxiter=300
    )
    found = model.inference(X, y, WEIGHT, offset=OFFSET)
    assert_allclose(found.coef, theirs.params[1:], rtol=1e-7)
    assert_allclose(found.standard_errors, theirs.bse[1:], rtol=1e-8)
    assert_allclose(found.deviance, theirs.deviance, rtol=1e-9)
    assert_allclose(found.null_deviance, theirs.null_deviance, rtol=1e-8)
    assert_allclose(found.pearson_chi2, theirs.pearson_chi2, rtol=1e-8)
    if power != 1.5:  # whose density they replace by another
        assert_allclose(found.log_likelihood, theirs.llf, rtol=1e-8)
        assert_allclose(found.aic, theirs.aic, rtol=1e-8)
        assert_allclose(found.bic, theirs.bic_llf, rtol=1e-8)


def negative_log_likelihood(name, y, power):
    """The objective in all unknowns, without constants, by the family's density."""

    def value(beta):
        eta = np.column_stack([X, np.ones(N)]) @ beta + OFFSET
        if power is None:
            return WEIGHT @ (np.logaddexp(0.0, eta) - y * eta)
        if power == 1.0:
            return WEIGHT @ (np.exp(eta) - y * eta)
        return WEIGHT @ (eta + y * np.exp(-eta))

    return value


@pytest.mark.parametrize("j", [0, 2, 3])
@pytest.mark.parametrize("name", ["logistic", "poisson", "gamma"])
def test_glm_inference_profile_interval_has_the_likelihood_ratio_of_its_level(name, j):
    model, y, power = fitted(name)
    found = model.inference(X, y, WEIGHT, offset=OFFSET)
    if j < 3:
        ends = found.confidence_intervals(0.9, method="profile")[j]
    else:
        ends = found.intercept_confidence_interval(0.9, method="profile")
    objective = negative_log_likelihood(name, y, power)
    best = np.append(model.coef_, model.intercept_)
    others = np.setdiff1d(np.arange(4), j)
    scale = np.append(found.standard_errors, found.intercept_standard_error)
    for end in ends:

        def without(z, end=end):
            beta = best + 0.0
            beta[others] += z * scale[others]
            beta[j] = end
            return objective(beta)

        least = minimize(without, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).fun
        ratio = 2.0 * (least - objective(best)) / found.dispersion
        assert_allclose(np.sqrt(ratio), found.quantile(0.9), rtol=1e-6)


def test_glm_inference_profile_intervals_of_few_rows_are_not_symmetric():
    X = np.array([0.0] * 10 + [1.0] * 4)[:, None]
    y = np.array([0, 1] * 5 + [0, 0, 0, 1])
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    found = model.inference(X, y)
    lower, upper = found.confidence_intervals(method="profile")[0] - found.coef[0]
    assert -lower > 1.1 * upper
    assert found.confidence_intervals(method="profile").shape == (1, 2)


def test_glm_inference_profile_interval_of_what_nothing_determines_is_infinite():
    Z = np.column_stack([X, 2.0 * X[:, 0]])
    found = PoissonRegressor(alpha=0.0).fit(Z, COUNTS).inference(Z, COUNTS)
    ends = found.confidence_intervals(method="profile")
    assert ends[0].tolist() == [-np.inf, np.inf]
    assert np.isfinite(ends[1:3]).all()


@pytest.mark.parametrize("name", CASES)
def test_glm_inference_tests_likelihood_ratios_of_fits_without_features(name):
    model, y, power = fitted(name)
    found = model.inference(X, y, WEIGHT, offset=OFFSET)
    kind, free, _, _, _ = CASES[name]
    small = kind(**free, tol=1e-10).fit(X[:, [1]], y, WEIGHT, offset=OFFSET)
    less = small.inference(X[:, [1]], y, WEIGHT, offset=OFFSET)
    test = found.likelihood_ratio_test([0, 2])
    statistic = (less.deviance - found.deviance) / found.dispersion
    if power in (None, 1.0):
        wanted = chi2.sf(statistic, 2)
    else:
        statistic /= 2.0
        wanted = f.sf(statistic, 2, found.residual_dof)
    assert test.dof == 2
    assert_allclose(test.statistic, statistic, rtol=1e-7)
    assert_allclose(test.p_value, wanted, rtol=1e-6)


@pytest.mark.parametrize("baseline", [None, 0, 2])
@pytest.mark.parametrize("penalised", [False, True])
def test_multinomial_inference_covariance_is_that_of_the_formula(penalised, baseline):
    C = 0.5 if penalised else np.inf
    model = LogisticRegression(C=C, tol=1e-10).fit(X, THREE, WEIGHT)
    found = model.inference(X, THREE, WEIGHT, baseline=baseline)
    Z = np.column_stack([X, np.ones(N)])
    whole = np.column_stack([model.coef_, model.intercept_])
    P = softmax(Z @ whole.T, axis=1)
    blocks = np.zeros((3, 4, 3, 4))
    for k in range(3):
        for m in range(3):
            blocks[k, :, m, :] = (Z.T * (WEIGHT * P[:, k] * ((k == m) - P[:, m]))) @ Z
    information = blocks.reshape(12, 12)
    penalty = np.diag(np.tile([1.0 / C] * 3 + [0.0], 3))
    inverse = np.linalg.pinv(information + penalty, rcond=1e-12)
    wanted = inverse @ information @ inverse
    centre = np.eye(3) - 1.0 / 3.0
    if baseline is not None:
        centre = np.delete(np.eye(3) - (np.arange(3) == baseline), baseline, axis=0)
    # coefficients sum to zero over the classes, intercepts are compared in the same way
    change = np.kron(centre, np.eye(4))
    wanted = change @ wanted @ change.T
    errors = np.sqrt(wanted.diagonal()).reshape(-1, 4)
    assert_allclose(found.standard_errors, errors[:, :3], rtol=1e-7)
    assert_allclose(found.intercept_standard_error, errors[:, 3], rtol=1e-7)
    assert_allclose(found.dof, np.trace(inverse @ information), rtol=1e-8)
    assert_allclose(found.coef, centre @ model.coef_, rtol=1e-9)
    assert found.classes == [k for k in range(3) if k != baseline]
    assert np.isnan(found.pearson_chi2)


@pytest.mark.parametrize("legacy", [True, False])
def test_glm_inference_of_a_chosen_penalty_is_that_of_its_fit(legacy):
    model = LogisticRegressionCV(
        Cs=[0.1, 1.0], l1_ratios=(0.0,), use_legacy_attributes=legacy, scoring="accuracy", tol=1e-10
    ).fit(X, BINARY)
    C = float(np.ravel(model.C_)[0])
    wanted = LogisticRegression(C=C, tol=1e-10).fit(X, BINARY).inference(X, BINARY)
    found = model.inference(X, BINARY)
    assert model.status_ == "converged"
    assert_allclose(found.standard_errors, wanted.standard_errors, rtol=1e-8)
    assert_allclose(found.dof, wanted.dof, rtol=1e-8)


def test_multinomial_inference_tests_likelihood_ratios_of_fits_without_features():
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, THREE)
    found = model.inference(X, THREE)
    small = LogisticRegression(C=np.inf, tol=1e-10).fit(X[:, [1]], THREE)
    less = small.inference(X[:, [1]], THREE)
    test = found.likelihood_ratio_test([0, 2])
    assert test.dof == 4
    assert_allclose(test.statistic, less.deviance - found.deviance, rtol=1e-7)
    assert_allclose(test.p_value, chi2.sf(less.deviance - found.deviance, 4), rtol=1e-6)


def test_multinomial_inference_robust_errors_are_those_of_the_formula():
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, THREE)
    found = model.inference(X, THREE, cov_type="HC0", baseline=0)
    Z = np.column_stack([X, np.ones(N)])
    P = softmax(Z @ np.column_stack([model.coef_, model.intercept_]).T, axis=1)
    residual = (THREE[:, None] == np.arange(3)) - P
    blocks = np.zeros((2, 4, 2, 4))
    for k in (1, 2):
        for m in (1, 2):
            blocks[k - 1, :, m - 1, :] = (Z.T * (P[:, k] * ((k == m) - P[:, m]))) @ Z
    inverse = np.linalg.inv(blocks.reshape(8, 8))
    scores = (residual[:, 1:, None] * Z[:, None, :]).reshape(N, 8)
    wanted = inverse @ scores.T @ scores @ inverse
    assert_allclose(
        found.standard_errors, np.sqrt(wanted.diagonal()).reshape(2, 4)[:, :3], rtol=1e-8
    )


@pytest.mark.parametrize("layout", [np.asfortranarray, sp.csr_array, sp.csc_array, np.float32])
@pytest.mark.parametrize("name", ["logistic", "gamma"])
def test_glm_inference_of_any_layout_is_the_same(name, layout):
    kind, free, _, y, _ = CASES[name]
    wanted = kind(**free).fit(X, y).inference(X, y)
    other = layout(X)
    found = kind(**free).fit(other, y).inference(other, y)
    rtol = 1e-4 if other.dtype == np.float32 else 1e-7
    assert_allclose(found.standard_errors, wanted.standard_errors, rtol=rtol)
    assert_allclose(found.deviance, wanted.deviance, rtol=rtol)


@pytest.mark.parametrize("name", CASES)
def test_glm_inference_of_columns_of_any_length_has_its_digits(name):
    scale, shift = np.array([1e-8, 1e8, 1.0]), np.array([0.0, 0.0, 1e5])
    kind, free, _, y, _ = CASES[name]
    wanted = kind(**free, tol=1e-10).fit(X, y).inference(X, y)
    moved = X * scale + shift
    found = kind(**free, tol=1e-10).fit(moved, y).inference(moved, y)
    assert_allclose(found.standard_errors * scale, wanted.standard_errors, rtol=1e-6)


def test_glm_inference_without_intercept_has_none():
    model = PoissonRegressor(alpha=0.0, fit_intercept=False).fit(X, COUNTS)
    found = model.inference(X, COUNTS)
    mean = np.exp(X @ model.coef_)
    wanted = np.linalg.inv((X.T * mean) @ X)
    assert_allclose(found.covariance, wanted, rtol=1e-7)
    assert np.isnan(found.intercept_standard_error)
    assert found.dof == pytest.approx(3.0)
    assert "(intercept)" not in model.summary(X, COUNTS).names


def test_glm_inference_of_collinear_columns_has_infinite_errors():
    Z = np.column_stack([X, 2.0 * X[:, 0], np.full(N, 3.0)])
    found = PoissonRegressor(alpha=0.0).fit(Z, COUNTS).inference(Z, COUNTS)
    assert np.isinf(found.standard_errors[[0, 3, 4]]).all()
    wanted = PoissonRegressor(alpha=0.0).fit(X, COUNTS).inference(X, COUNTS)
    assert_allclose(found.standard_errors[1:3], wanted.standard_errors[1:], rtol=1e-6)
    assert found.dof == pytest.approx(4.0)


def test_glm_inference_exposure_is_that_of_the_fit():
    exposure = np.exp(OFFSET)
    model = PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, COUNTS, exposure=exposure)
    found = model.inference(X, COUNTS, exposure=exposure)
    other = PoissonRegressor(alpha=0.0, tol=1e-10).fit(X, COUNTS, offset=OFFSET)
    wanted = other.inference(X, COUNTS, offset=OFFSET)
    assert_allclose(found.standard_errors, wanted.standard_errors, rtol=1e-9)


def test_glm_inference_criteria_are_those_of_their_formulas():
    model, y, _ = fitted("poisson")
    found = model.inference(X, y, WEIGHT, offset=OFFSET)
    mean = np.exp(X @ model.coef_ + model.intercept_ + OFFSET)
    likelihood = WEIGHT @ (y * np.log(mean) - mean - gammaln(y + 1.0))
    assert_allclose(found.log_likelihood, likelihood, rtol=1e-12)
    assert_allclose(found.aic, 8.0 - 2.0 * likelihood, rtol=1e-12)
    assert_allclose(found.bic, 4.0 * np.log(np.count_nonzero(WEIGHT)) - 2.0 * likelihood)
    rate = (WEIGHT @ y) / (WEIGHT @ np.exp(OFFSET)) * np.exp(OFFSET)
    null = WEIGHT @ (y * np.log(rate) - rate - gammaln(y + 1.0))
    assert_allclose(found.mcfadden_r2, 1.0 - likelihood / null, rtol=1e-8)
    assert_allclose(found.deviance_explained, 1.0 - found.deviance / found.null_deviance)


def test_glm_inference_class_weights_are_those_of_the_fit():
    model = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10).fit(X, BINARY)
    weight = np.where(BINARY == 1.0, N / 2 / BINARY.sum(), N / 2 / (N - BINARY.sum()))
    wanted = LogisticRegression(C=np.inf, tol=1e-10).fit(X, BINARY, weight)
    found = model.inference(X, BINARY)
    assert_allclose(
        found.standard_errors, wanted.inference(X, BINARY, weight).standard_errors, rtol=1e-9
    )


def test_glm_summary_shows_the_numbers_of_the_inference():
    frame = pd.DataFrame(X, columns=["age", "dose", "rate"])
    y = np.where(BINARY == 1.0, "yes", "no")
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(frame, y)
    summary = model.summary(frame, y, level=0.9)
    table = summary.to_frame()
    found = summary.inference
    assert list(table.index) == ["(intercept)", "age", "dose", "rate"]
    assert_allclose(table["z"].iloc[1:], found.coef / found.standard_errors)
    assert_allclose(table["P>|z|"].iloc[1:], 2 * norm.sf(abs(found.coef / found.standard_errors)))
    ends = found.confidence_intervals(0.9)
    assert_allclose(table[["lower", "upper"]].iloc[1:], ends)
    assert_allclose(table[["ratio", "ratio lower", "ratio upper"]].iloc[1:], found.ratios(0.9))
    assert_allclose(table["ratio"], np.exp(table["coef"]))
    text = str(summary)
    for word in ("LogisticRegression", "McFadden R²", "AIC", "null deviance", "odds ratios", "age"):
        assert word in text
        assert word in summary._repr_html_()
    assert "biases" not in text
    assert "biases" in str(LogisticRegression().fit(frame, y).summary(frame, y))


def test_glm_summary_of_estimated_dispersion_uses_the_t_distribution():
    model, y, _ = fitted("gamma")
    summary = model.summary(X, y, WEIGHT, offset=OFFSET)
    table = summary.to_frame()
    found = summary.inference
    ratio = abs(found.coef / found.standard_errors)
    assert_allclose(table["P>|t|"].iloc[1:], 2 * t.sf(ratio, found.residual_dof))
    assert "dispersion" in str(summary)


def test_glm_summary_of_classes_has_a_table_for_each():
    model = LogisticRegression(C=np.inf).fit(X, np.array(["a", "b", "c"])[THREE])
    y = np.array(["a", "b", "c"])[THREE]
    table = model.summary(X, y, baseline="a").to_frame()
    assert list(table.index.get_level_values("class").unique()) == ["b", "c"]
    assert "class b against a" in str(model.summary(X, y, baseline="a"))
    assert "geometric mean" in str(model.summary(X, y))


REFUSED = {
    "other rows": (lambda m: m.inference(X[::-1], BINARY), "not the fit of these rows"),
    "other classes": (lambda m: m.inference(X, BINARY + 1.0), "not fitted to"),
    "cov_type": (lambda m: m.inference(X, BINARY, cov_type="HC4"), "cov_type must be one of"),
    "no groups": (lambda m: m.inference(X, BINARY, cov_type="cluster"), "groups are given"),
    "groups": (lambda m: m.inference(X, BINARY, groups=GROUPS), "groups are given"),
    "one group": (
        lambda m: m.inference(X, BINARY, cov_type="cluster", groups=np.ones(N)),
        "at least two",
    ),
    "group shape": (
        lambda m: m.inference(X, BINARY, cov_type="cluster", groups=[1, 2]),
        "groups must have shape",
    ),
    "baseline": (lambda m: m.inference(X, BINARY, baseline=1), "baseline must be"),
    "level": (lambda m: m.summary(X, BINARY, level=1.0), "level must be"),
    "method": (lambda m: m.summary(X, BINARY, method="score"), "method must be"),
    "feature": (lambda m: m.inference(X, BINARY).likelihood_ratio_test("x9"), "names or indices"),
    "feature index": (lambda m: m.inference(X, BINARY).likelihood_ratio_test(3), "below 3"),
    "twice": (lambda m: m.inference(X, BINARY).likelihood_ratio_test([0, 0]), "each of them once"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_glm_inference_refuses_what_has_no_answer(case):
    call, message = REFUSED[case]
    model = LogisticRegression(C=np.inf).fit(X, BINARY)
    with pytest.raises(ValueError, match=message):
        call(model)


def test_glm_inference_refuses_other_models():
    lasso = LogisticRegression(l1_ratio=1.0, solver="saga").fit(X, BINARY)
    with pytest.raises(ValueError, match="L1 penalty"):
        lasso.inference(X, BINARY)
    excluded = PoissonRegressor(penalty_factors=[1.0, np.inf, 1.0]).fit(X, COUNTS)
    with pytest.raises(ValueError, match="excludes features"):
        excluded.inference(X, COUNTS)
    with pytest.warns(match="separated"):
        separated = LogisticRegression(C=np.inf).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="has no maximum"):
        separated.inference(X, X[:, 0] > 0)
    identity = TweedieRegressor(power=1.0, link="identity", alpha=0.0).fit(X, COUNTS + 1.0)
    with pytest.raises(ValueError, match="identity"):
        identity.inference(X, COUNTS + 1.0).ratios()
