"""Bounds of logistic regression and generalized linear models, in the user's units of X."""

import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

import fastridge as fr

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "float32": lambda X: X.astype(np.float32),
}
MIXED = (np.array([-0.2, 0.0, -np.inf, -0.1]), np.array([np.inf, 0.4, 0.0, 0.1]))


def rows(n=120, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 20.0, 0.1, 1.0] + [0.0, 300.0, 0.0, 2.0]
    X[rng.random((n, p)) < 0.2] = 0.0
    return rng, X.astype(np.float32).astype(float)


def labels(X, classes=2, seed=1):
    rng = np.random.default_rng(seed)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    eta = Z @ rng.normal(size=(X.shape[1], classes)) + rng.gumbel(size=(len(X), classes))
    return np.argmax(eta, axis=1)


def loss_of(kind, y, eta):
    """The losses of rows, eta of shape (n,) or (n, K)."""
    if kind == "classes":
        return logsumexp(eta, axis=1) - eta[np.arange(len(y)), y]
    if kind == "binary":
        return np.logaddexp(0.0, eta) - y * eta
    return np.exp(eta) - y * eta if kind == "poisson" else eta + y * np.exp(-eta)


def derivative_of(kind, y, eta):
    if kind == "classes":
        return softmax(eta, axis=1) - np.eye(eta.shape[1])[y]
    if kind == "binary":
        return expit(eta) - y
    return np.exp(eta) - y if kind == "poisson" else 1.0 - y * np.exp(-eta)


def violation(kind, X, y, model, l1, l2, bounds):
    """The largest derivative that an allowed move would follow, over its terms."""
    coef = np.atleast_2d(model.coef_).astype(float)
    eta = X @ coef.T + model.intercept_
    derivative = derivative_of(kind, y, eta if kind == "classes" else eta[:, 0])
    derivative = derivative.reshape(len(X), -1)
    gradient = derivative.T @ X + l2 * coef
    size = np.abs(derivative).T @ np.abs(X - X.mean(axis=0)) + np.abs(l2 * coef) + l1
    rising = gradient + l1 * np.where(coef < 0.0, -1.0, 1.0)
    falling = gradient + l1 * np.where(coef > 0.0, 1.0, -1.0)
    lower, upper = (np.broadcast_to(end, coef.shape) for end in bounds)
    assert (coef >= lower).all()
    assert (coef <= upper).all()
    found = np.fmax(np.where(coef < upper, -rising, 0.0), np.where(coef > lower, falling, 0.0))
    total = np.abs(derivative.sum(axis=0)).max() / np.abs(derivative).sum()
    return max(float((found / size).max()), total)


def by_lbfgsb(kind, X, y, l1, l2, bounds):
    """Slow reference: coefficients as differences of two that are not negative."""
    p, shift = X.shape[1], X.mean(axis=0)
    length = X.std(axis=0)
    Z = (X - shift) / length
    l1, l2 = l1 / length, l2 / length**2

    def value(x):
        plus, minus, intercept = x[:p], x[p : 2 * p], x[-1]
        eta = Z @ (plus - minus) + intercept
        derivative = derivative_of(kind, y, eta)
        total = loss_of(kind, y, eta).sum() + l1 @ (plus + minus)
        total += 0.5 * l2 @ (plus - minus) ** 2
        gradient = Z.T @ derivative + l2 * (plus - minus)
        return total, np.concatenate([gradient + l1, l1 - gradient, [derivative.sum()]])

    lower, upper = (np.broadcast_to(end, p) * length for end in bounds)
    limits = [(0.0, u) for u in upper] + [(0.0, -low) for low in lower] + [(None, None)]
    options = {"maxiter": 20000, "maxfun": 50000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    start = np.zeros(2 * p + 1)
    found = minimize(value, start, jac=True, method="L-BFGS-B", bounds=limits, options=options)
    return (found.x[:p] - found.x[p : 2 * p]) / length, found.fun


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["binary", "poisson", "gamma"])
def test_bounded_fit_is_that_of_scipys_lbfgsb(kind, l1_ratio):
    rng, X = rows(60)
    strength, total = (2.0, 1.0) if kind == "binary" else (0.05, 60.0)
    options = {"l1_ratio": l1_ratio, "bounds": MIXED, "standardize": True, "tol": 1e-10}
    if kind == "binary":
        y = labels(X)
        model = fr.LogisticRegression(C=1.0 / strength, solver="saga", **options).fit(X, y)
    else:
        y = rng.poisson(np.exp(X[:, 0] - 3.0 * X[:, 2])) + (kind == "gamma") * 0.5
        make = fr.PoissonRegressor if kind == "poisson" else fr.GammaRegressor
        model = make(alpha=strength, **options).fit(X, y)
    lengths = X.std(axis=0)
    l1, l2 = total * strength * l1_ratio * lengths, total * strength * (1 - l1_ratio) * lengths**2
    coef, least = by_lbfgsb(kind, X, y, l1, l2, MIXED)
    found = np.ravel(model.coef_)
    assert_allclose(found * lengths, coef * lengths, atol=2e-5)
    assert violation(kind, X, y, model, l1, l2, MIXED) < 1e-8
    eta = X @ found + model.intercept_
    value = loss_of(kind, y, eta).sum() + l1 @ np.abs(found) + 0.5 * l2 @ found**2
    assert value <= least + 1e-10 * abs(least)
    assert (found[[1, 3]] == [0.4, 0.1]).any() or (found == 0.0).any()
    if l1_ratio == 0.0:
        assert 0.0 <= model.dual_gap_ <= 1e-12 * total


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bounded_fit_of_any_layout_is_certified(layout):
    rng, X = rows()
    y, weight = labels(X), rng.integers(0, 3, len(X))
    model = fr.LogisticRegression(C=np.inf, bounds=MIXED, tol=1e-10)
    model.fit(LAYOUTS[layout](X), y, weight)
    assert model.status_ == "converged"
    assert (model.coef_ >= MIXED[0]).all()
    assert (model.coef_ <= MIXED[1]).all()
    every = np.repeat(np.arange(len(X)), weight)
    if layout == "float32":  # whose coefficients are rounded towards zero
        alone = fr.LogisticRegression(C=np.inf, bounds=MIXED, tol=1e-10).fit(X, y, weight)
        assert_allclose(model.coef_, alone.coef_, rtol=1e-6)
    else:
        assert violation("binary", X[every], y[every], model, 0.0, 0.0, MIXED) < 1e-8


def test_bounded_fit_of_more_features_than_rows_is_certified():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 60))
    y = labels(X)
    for bounds in ((0.0, np.inf), (-0.05, 0.1)):
        model = fr.LogisticRegression(bounds=bounds, tol=1e-10).fit(X, y)
        assert violation("binary", X, y, model, 0.0, 1.0, bounds) < 1e-8
        assert np.isin(model.coef_, bounds).any()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("of_classes", [False, True])
def test_bounded_fit_of_several_classes_is_certified(of_classes, l1_ratio):
    _, X = rows()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    y = labels(Z, 3)
    bounds = MIXED
    if of_classes:
        bounds = np.array(MIXED[0]) * [[1], [2], [0.5]], np.array([0.1, np.inf, 0.2])[:, None]
        bounds = np.nan_to_num(bounds[0], nan=-np.inf), np.tile(bounds[1], (1, 4))
    options = {"l1_ratio": l1_ratio, "solver": "saga", "tol": 1e-9, "max_iter": 5000}
    model = fr.LogisticRegression(C=2.0, bounds=bounds, **options).fit(Z, y)
    l1, l2 = 0.5 * l1_ratio * np.ones(4), 0.5 * (1.0 - l1_ratio) * np.ones(4)
    assert violation("classes", Z, y, model, l1, l2, bounds) < 1e-7


def test_bounds_that_no_coefficient_reaches_change_nothing():
    _, X = rows()
    y = labels(X)
    plain = fr.LogisticRegression(tol=1e-10).fit(X, y)
    model = fr.LogisticRegression(tol=1e-10, bounds=(-1e9, 1e9)).fit(X, y)
    assert_allclose(model.coef_, plain.coef_, rtol=1e-7)
    same = fr.LogisticRegression(bounds=(-np.inf, np.inf)).fit(X, y)
    assert_array_equal(same.coef_, fr.LogisticRegression().fit(X, y).coef_)
    assert same.solver_ == "newton-cholesky"


def test_bounded_paths_are_the_fits_alone():
    rng, X = rows()
    y, counts = labels(X), rng.poisson(np.exp(X[:, 0])).astype(float)
    options = {"bounds": MIXED, "penalty_factors": [1.0, 0.0, 2.0, np.inf], "tol": 1e-9}
    path = fr.logistic_path(X, y, Cs=[0.1, 10.0], **options)
    for C, coef, gap in zip(path.Cs, path.coefs, path.certificate.dual_gaps, strict=True):
        model = fr.LogisticRegression(C=C, **options).fit(X, y)
        assert_allclose(coef, [*model.coef_[0], model.intercept_[0]], atol=1e-6)
        assert gap == pytest.approx(model.dual_gap_, abs=1e-8)
    path = fr.glm_path(X, counts, alphas=3, l1_ratio=0.5, **options)
    assert not path.coefs[0, [0, 2, 3]].any()
    for alpha, coef in zip(path.alphas, path.coefs, strict=True):
        model = fr.PoissonRegressor(alpha=alpha, l1_ratio=0.5, **options).fit(X, counts)
        assert_allclose(coef, model.coef_, atol=1e-7)


def test_bounded_cross_validation_fits_its_folds_within_the_bounds():
    _, X = rows(60)
    y = labels(X)
    options = {"l1_ratios": (0.0,), "use_legacy_attributes": False, "scoring": "neg_log_loss"}
    model = fr.LogisticRegressionCV(Cs=[0.1, 10.0], cv=3, bounds=MIXED, tol=1e-8, **options)
    model.fit(X, y)
    coefs = model.coefs_paths_[..., 0, :-1]
    assert (coefs >= MIXED[0]).all()
    assert (coefs <= MIXED[1]).all()
    alone = fr.LogisticRegression(C=model.C, bounds=MIXED, tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, alone.coef_, atol=1e-6)
    model.set_params(cv="alo").fit(X, y)
    exact = []
    for C in model.Cs:
        eta = []
        for i in range(len(X)):
            kept = np.arange(len(X)) != i
            one = fr.LogisticRegression(C=C, bounds=MIXED).fit(X[kept], y[kept])
            eta.append(one.decision_function(X[i : i + 1])[0])
        exact.append(-loss_of("binary", y, np.array(eta)).mean())
    assert_allclose(model.mean_scores_[0], exact, rtol=5e-3)


def test_bounds_hold_back_directions_of_separation():
    X = np.array([[-2.0, 0.3], [-1.0, -0.5], [1.0, 0.1], [2.0, -0.2]])
    y = [0, 0, 1, 1]
    fit = partial(fr.LogisticRegression, C=np.inf)
    for bounds in ((-1.0, 1.0), (-np.inf, [0.5, np.inf])):
        model = fit(bounds=bounds, tol=1e-8).fit(X, y)
        assert model.status_ == "converged"
        assert violation("binary", X, np.array(y), model, 0.0, 0.0, bounds) < 1e-7
    with pytest.warns(ConvergenceWarning, match="in 4 of the 4 rows"):
        assert fit(bounds=(0.0, np.inf)).fit(X, y).status_ == "separated"
    assert fit(bounds=(-np.inf, 0.0)).fit(X[:, :1], y).coef_[0, 0] == 0.0
    several = fit(bounds=(0.0, np.inf), max_iter=2000, tol=1e-3)
    with pytest.warns(ConvergenceWarning, match="the classes are separated"):
        several.fit(np.array([[-1.0], [0.0], [1.0], [-1.1], [0.1], [1.2]]), [0, 1, 2] * 2)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0.5, 1.0), "bounds must hold zero"),
        ((0.0, np.nan), "bounds must hold zero"),
        (0.5, "bounds must be a pair"),
        ((0.0, [1.0, 2.0]), r"upper bounds must be a number or have shape \(4,\)"),
        ((0.0, "one"), "upper bounds must be numbers"),
    ],
)
def test_bounds_that_are_malformed_are_refused(bounds, message):
    _, X = rows(20)
    y = labels(X)
    with pytest.raises(ValueError, match=message):
        fr.LogisticRegression(bounds=bounds).fit(X, y)
    with pytest.raises(ValueError, match=message):
        fr.glm_path(X, y, bounds=bounds)


def test_bounds_where_they_are_not_supported_are_refused():
    _, X = rows(40)
    y = labels(X)
    with pytest.raises(ValueError, match="does not support bounds"):
        fr.LogisticRegression(bounds=(0, 1), bias_reduction="firth").fit(X, y)
    model = fr.PoissonRegressor(bounds=(0, 1)).fit(X, y)
    with pytest.raises(ValueError, match="not supported with bounds"):
        model.inference(X, y)
    several = fr.LogisticRegression(bounds=(0, 1))
    with pytest.raises(ValueError, match=r"\(4,\) or \(3, 4\), got \(2, 4\)"):
        several.set_params(bounds=(np.zeros((2, 4)), 1)).fit(X, labels(X, 3))
    with pytest.raises(ValueError, match="more than two classes is supported only for rows in"):
        several.set_params(bounds=(0, 1)).fit(fr.scan(X, labels(X, 3)))


def test_warm_start_outside_the_bounds_ends_inside():
    _, X = rows()
    y = labels(X)
    model = fr.LogisticRegression(warm_start=True, tol=1e-10).fit(X, y)
    model.set_params(bounds=(0.0, 0.01)).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = fr.LogisticRegression(bounds=(0.0, 0.01), tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, alone.coef_, atol=1e-8)
