"""logistic_path and glm_path: every fit is that of the estimator alone."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

import fastridge as fr

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}


def rows(n=150, p=4, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).round(2)
    eta = X[:, :4] @ rng.normal(size=4) + rng.normal(size=n)
    return X, np.digitize(eta, [0.3] if classes == 2 else [-0.6, 0.6])


def counts(n=150, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).round(2)
    return X, rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(150, 4), (25, 40)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_logistic_path_at_every_c_is_the_fit_alone(layout, shape, classes):
    X, y = rows(*shape, classes)
    X = LAYOUTS[layout](X)
    weight = np.random.default_rng(1).integers(0, 3, len(y))
    Cs = [1.0, 0.001, 30.0]
    path = fr.logistic_path(X, y, Cs=Cs, sample_weight=weight)
    assert_array_equal(path.Cs, Cs)
    assert path.coefs.shape == ((3, shape[1] + 1) if classes == 2 else (3, 3, shape[1] + 1))
    assert (path.certificate.gradient_norms <= 1e-6).all()
    assert (path.certificate.dual_gaps >= 0.0).all()
    for C, coef in zip(Cs, path.coefs, strict=True):
        model = fr.LogisticRegression(C=C, tol=1e-12).fit(X, y, weight)
        tolerance = 1e-5 * max(1.0, np.abs(model.coef_).max())
        assert_allclose(np.atleast_2d(coef)[:, :-1], model.coef_, atol=tolerance)
        assert_allclose(np.atleast_2d(coef)[:, -1], model.intercept_, atol=tolerance)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_path_with_l1_penalty_and_options_is_the_fit_alone(classes, l1_ratio):
    X, y = rows(classes=classes)
    options = {
        "class_weight": "balanced",
        "standardize": True,
        "penalty_factors": [1.0, 0.0, 2.0, np.inf],
        "tol": 1e-9,
        "max_iter": 1000,
    }
    offset = np.random.default_rng(1).normal(size=len(y) if classes == 2 else (len(y), 3))
    path = fr.logistic_path(X, y, Cs=[0.02, 0.1], l1_ratio=l1_ratio, offset=offset, **options)
    for C, coef in zip(path.Cs, path.coefs, strict=True):
        model = fr.LogisticRegression(C=C, l1_ratio=l1_ratio, solver="saga", **options)
        model.fit(X, y, offset=offset)
        assert_allclose(np.atleast_2d(coef)[:, :-1], model.coef_, atol=1e-6)
        assert_allclose(np.atleast_2d(coef)[:, -1], model.intercept_, atol=1e-6)
    assert np.isnan(path.certificate.dual_gaps).all()


def test_logistic_path_unpacks_as_sklearns_tuple():
    X, y = rows()
    path = fr.logistic_path(X, np.array(["no", "yes"])[y], Cs=3, fit_intercept=False)
    coefs, Cs, n_iters = path
    assert coefs is path.coefs
    assert coefs.shape == (3, 4)
    assert_array_equal(Cs, [1e-4, 1.0, 1e4])
    assert_array_equal(n_iters, path.certificate.n_iters)
    assert_array_equal(path.classes, ["no", "yes"])
    for again in (pickle.loads(pickle.dumps(path)), copy.deepcopy(path)):
        assert_array_equal(again.coefs, coefs)
        assert_array_equal(again.certificate.statuses, path.certificate.statuses)
    with pytest.raises(AttributeError):
        path.coefs = coefs


def test_logistic_path_costs_fewer_steps_than_its_fits():
    X, y = rows(2000, 4)
    path = fr.logistic_path(X, y, Cs=20)
    alone = [fr.LogisticRegression(C=C).fit(X, y).n_iter_[0] for C in path.Cs]
    assert path.n_iters.sum() < sum(alone)


def test_logistic_path_without_penalty_ends_at_the_unpenalised_fit():
    X, y = rows()
    path = fr.logistic_path(X, y, Cs=[1.0, np.inf])
    model = fr.LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    assert_allclose(path.coefs[1, :-1], model.coef_[0], atol=1e-6)
    assert np.isnan(path.certificate.dual_gaps[1])


@pytest.mark.parametrize("family", ["poisson", "gamma", "tweedie"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("shape", [(150, 4), (25, 40)])
def test_glm_path_at_every_alpha_is_the_fit_alone(shape, l1_ratio, family):
    X, y = counts(*shape)
    y = y + (family == "gamma")
    kind = {
        "poisson": fr.PoissonRegressor,
        "gamma": fr.GammaRegressor,
        "tweedie": lambda **options: fr.TweedieRegressor(power=1.5, **options),
    }[family]
    exposure = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    power = {"power": 1.5} if family == "tweedie" else {}
    options = {"l1_ratio": l1_ratio, "standardize": True, "tol": 1e-10}
    path = fr.glm_path(X, y, family=family, alphas=4, exposure=exposure, **power, **options)
    assert (np.diff(path.alphas) < 0.0).all()
    assert path.alphas[3] == pytest.approx(1e-3 * path.alphas[0])
    for alpha, coef, intercept in zip(path.alphas, path.coefs, path.intercepts, strict=True):
        model = kind(alpha=alpha, **options).fit(X, y, exposure=exposure)
        assert_allclose(coef, model.coef_, atol=1e-7)
        assert intercept == pytest.approx(model.intercept_, abs=1e-7)
    if l1_ratio:
        start = fr.glm_path(X, y, family=family, alphas=2, **power, l1_ratio=l1_ratio)
        assert not start.coefs[0].any()
        assert start.coefs[1].any()


def test_glm_path_unpacks_as_a_tuple():
    path = fr.glm_path(*counts(), alphas=[0.1, 1.0, 0.0])
    alphas, coefs, intercepts, n_iters = path
    assert_array_equal(alphas, [0.1, 1.0, 0.0])
    assert coefs.shape == (3, 4)
    assert intercepts.shape == n_iters.shape == (3,)
    assert set(path.certificate.statuses) == {"converged"}


def test_paths_that_stop_early_warn_once_and_say_so():
    X, y = rows()
    with pytest.warns(ConvergenceWarning, match="2 of 3 fits did not converge") as found:
        path = fr.logistic_path(X, y, Cs=3, max_iter=1)
    assert len(found) == 1
    assert set(path.certificate.statuses) == {"converged", "not converged"}


def test_logistic_path_of_separated_classes_says_so():
    X, _ = rows()
    y = (X[:, 0] > 0.0).astype(int)
    with pytest.warns(ConvergenceWarning, match=r"separated .* by features? x0"):
        path = fr.logistic_path(X, y, Cs=[np.inf, 1.0])
    assert path.certificate.statuses.tolist() == ["separated", "converged"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X, y: fr.logistic_path(X, y, Cs=0), "'Cs'.*at least 1"),
        (lambda X, y: fr.logistic_path(X, y, Cs=[1.0, -1.0]), "'Cs'.*above 0"),
        (lambda X, y: fr.logistic_path(X, y, Cs=["a"]), "'Cs'"),
        (lambda X, y: fr.logistic_path(X, y, l1_ratio=2.0), "l1_ratio"),
        (lambda X, y: fr.logistic_path(X, np.zeros(len(y))), "2 classes"),
        (lambda X, y: fr.glm_path(X, y, alphas=[np.nan]), "'alphas'"),
        (lambda X, y: fr.glm_path(X, y, alphas=[-1.0]), "'alphas'"),
        (lambda X, y: fr.glm_path(X, y, family="normal"), "'family'"),
        (lambda X, y: fr.glm_path(X, y, link="identity"), "'link'"),
        (lambda X, y: fr.glm_path(X, -y), "out of the valid range"),
    ],
)
def test_paths_unusable_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(*counts())


@pytest.mark.parametrize("unit", [1e-305, 1e-290, 1e290])
def test_glm_path_of_weights_in_any_unit_is_the_same(unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    weight = rng.integers(1, 4, 50) * 1.0
    wanted = fr.glm_path(X, y, sample_weight=weight, alphas=3)
    path = fr.glm_path(X, y, sample_weight=weight * unit, alphas=3)
    assert_allclose(path.alphas, wanted.alphas, rtol=1e-12)
    assert_allclose(path.coefs, wanted.coefs, rtol=1e-6)
    assert_allclose(path.certificate.dual_gaps, wanted.certificate.dual_gaps, rtol=1e-3, atol=1e-9)
    assert (path.certificate.statuses == "converged").all()


def test_alpha_scale_is_that_of_the_sum_or_of_the_mean_of_losses():
    X, y = rows()
    _, amounts = counts()
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    total, options = weight.sum(), {"tol": 1e-10}
    plain = fr.LogisticRegression(C=2.0 / total, **options).fit(X, y, weight)
    mean = fr.LogisticRegression(C=2.0, alpha_scale="mean", **options)
    for model in (mean.fit(X, y, weight), mean.fit(fr.scan(X, y, weights=weight))):
        assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
        assert model.dual_gap_ == pytest.approx(plain.dual_gap_ / total, abs=1e-12)
    path = fr.logistic_path(X, y, Cs=[2.0], alpha_scale="mean", sample_weight=weight, **options)
    assert_allclose(path.coefs[0, :-1], plain.coef_[0], rtol=1e-9)
    plain = fr.PoissonRegressor(alpha=0.1, **options).fit(X, amounts, weight)
    summed = fr.PoissonRegressor(alpha=0.1 * total, alpha_scale="sum", **options)
    for model in (summed.fit(X, amounts, weight), summed.fit(fr.scan(X, amounts, weights=weight))):
        assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    alphas = [0.1 * total]
    path = fr.glm_path(
        X, amounts, alphas=alphas, alpha_scale="sum", sample_weight=weight, **options
    )
    assert_allclose(path.coefs[0], plain.coef_, rtol=1e-9)
    errors = summed.inference(X, amounts, weight).standard_errors
    assert_allclose(errors, plain.inference(X, amounts, weight).standard_errors, rtol=1e-7)
    grid = {"l1_ratios": (0,), "use_legacy_attributes": False, "scoring": "neg_log_loss"}
    splits = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]
    chosen = fr.LogisticRegressionCV(Cs=[1.0], alpha_scale="mean", cv=splits, **grid).fit(X, y)
    plain = fr.LogisticRegressionCV(Cs=[0.01], cv=splits, **grid).fit(X, y)
    assert_allclose(chosen.scores_, plain.scores_, rtol=1e-6)
    with pytest.raises(ValueError, match="alpha_scale"):
        fr.glm_path(X, amounts, alpha_scale="total")
