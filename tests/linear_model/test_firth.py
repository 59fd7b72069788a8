"""Firth's logistic regression: closed forms, 50-digit arithmetic, and its profile intervals."""

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import expit

from fastridge import LogisticRegression, scan

TIGHT = {"bias_reduction": "firth", "tol": 1e-12}


def rows(n=40, p=3, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + np.arange(p)
    return X, (X[:, 0] + noise * rng.normal(size=n) > 0.0).astype(int)


def penalised(X, y, weight=None, fit_intercept=True, offset=0.0):
    """Minus the penalised log-likelihood of all unknowns, the intercept last."""
    Z = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    weight = np.ones(len(X)) if weight is None else weight

    def value(beta):
        eta = Z @ beta + offset
        information = (Z.T * (weight * expit(eta) * expit(-eta))) @ Z
        loss = weight @ (np.logaddexp(0.0, eta) - y * eta)
        return loss - 0.5 * np.linalg.slogdet(information)[1]

    return value


def in_many_digits(X, y, steps):
    """Modified scoring in 50 digits (Firth 1993)."""
    with mpmath.workdps(50):
        n = len(y)
        Z = mpmath.matrix([[*map(mpmath.mpf, map(float, row)), 1] for row in X])
        beta = mpmath.zeros(Z.cols, 1)
        for _ in range(steps):
            p = [1 / (1 + mpmath.exp(-(Z[i, :] * beta)[0])) for i in range(n)]
            info = Z.T * mpmath.diag([q * (1 - q) for q in p]) * Z
            inverse = info**-1
            half = Z * inverse
            score = []
            for i in range(n):
                square = sum(half[i, j] * Z[i, j] for j in range(Z.cols))
                leverage = p[i] * (1 - p[i]) * square
                score.append(int(y[i]) - p[i] + leverage * (mpmath.mpf(1) / 2 - p[i]))
            beta = beta + inverse * (Z.T * mpmath.matrix(score))
        return np.array([float(b) for b in beta])


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_firth_has_ten_digits_of_scoring_in_fifty(noise):
    X, y = rows(14, 2, noise, seed=3)
    wanted = in_many_digits(X, y, 150)
    assert np.isfinite(wanted).all()
    model = LogisticRegression(**TIGHT).fit(X, y)
    assert_allclose(np.append(model.coef_, model.intercept_), wanted, rtol=1e-10)
    default = LogisticRegression(bias_reduction="firth").fit(X, y)
    assert_allclose(np.append(default.coef_, default.intercept_), wanted, rtol=1e-5)


@pytest.mark.parametrize("cells", [(5, 0, 3, 4), (7, 0, 0, 9), (1, 2, 3, 4)])
def test_firth_of_two_by_two_cells_adds_half_to_each(cells):
    a, b, c, d = cells
    X = np.repeat([[0.0], [0.0], [1.0], [1.0]], cells, axis=0)
    y = np.repeat([0, 1, 0, 1], cells)
    model = LogisticRegression(**TIGHT).fit(X, y)
    intercept = np.log((b + 0.5) / (a + 0.5))
    assert_allclose(model.intercept_[0], intercept, rtol=1e-9)
    assert_allclose(model.coef_[0, 0], np.log((d + 0.5) / (c + 0.5)) - intercept, rtol=1e-9)
    assert model.status_ == "converged"


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_firth_maximises_the_penalised_likelihood(weighted, fit_intercept, noise):
    X, y = rows(noise=noise)
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 3, len(y)).astype(float) if weighted else None
    offset = rng.normal(size=len(y))
    model = LogisticRegression(**TIGHT, fit_intercept=fit_intercept)
    model.fit(X, y, weight, offset=offset)
    value = penalised(X, y, weight, fit_intercept, offset)
    beta = np.append(model.coef_, model.intercept_)[: 3 + fit_intercept]
    least = value(beta)
    for j in range(len(beta)):
        for step in (-1e-3, 1e-3):
            moved = beta + step * (np.arange(len(beta)) == j)
            assert value(moved) > least
    start = minimize(value, beta * 0.5, method="BFGS", options={"gtol": 1e-7})
    assert least <= start.fun + 1e-12 * abs(start.fun)
    assert_allclose(beta, start.x, rtol=1e-3, atol=1e-3)


def test_firth_weights_are_copies_of_rows():
    X, y = rows(noise=0.5)
    weight = np.random.default_rng(2).integers(0, 4, len(y))
    wanted = LogisticRegression(**TIGHT).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    model = LogisticRegression(**TIGHT).fit(X, y, weight.astype(float))
    assert_allclose(model.coef_, wanted.coef_, rtol=1e-9)
    assert_allclose(model.intercept_, wanted.intercept_, rtol=1e-9)


@pytest.mark.parametrize("layout", [np.asfortranarray, sp.csr_array, sp.csc_array, np.float32])
def test_firth_of_any_layout_is_the_same(layout):
    X, y = rows()
    wanted = LogisticRegression(**TIGHT).fit(X, y)
    other = layout(X)
    model = LogisticRegression(**TIGHT).fit(other, y)
    rtol = 1e-5 if other.dtype == np.float32 else 1e-8
    assert_allclose(model.coef_, wanted.coef_, rtol=rtol)


def test_firth_knows_no_units():
    X, y = rows()
    scale, shift = np.array([1e-8, 1e8, 1.0]), np.array([0.0, 0.0, 1e5])
    wanted = LogisticRegression(**TIGHT).fit(X, y)
    model = LogisticRegression(**TIGHT).fit(X * scale + shift, y)
    assert_allclose(model.coef_ * scale, wanted.coef_, rtol=1e-7)


def test_firth_of_collinear_columns_predicts_as_without_them():
    X, y = rows(noise=0.5)
    wanted = LogisticRegression(**TIGHT).fit(X, y)
    Z = np.column_stack([X, X[:, 0] - X[:, 1], np.ones(len(y))])
    model = LogisticRegression(**TIGHT).fit(Z, y)
    assert_allclose(model.predict_proba(Z), wanted.predict_proba(X), rtol=1e-7)


@pytest.mark.parametrize("shape", [(2000, 20), (400, 80)])
def test_firth_of_separated_rows_converges(shape):
    X, y = rows(*shape)
    model = LogisticRegression(bias_reduction="firth").fit(X, y)
    assert model.status_ == "converged"
    value = penalised(X, y)
    beta = np.append(model.coef_, model.intercept_)
    gradient = np.array(
        [
            (value(beta + step) - value(beta - step)) / 2e-5
            for step in 1e-5 * np.eye(len(beta))[[0, 1, -1]]
        ]
    )
    assert np.abs(gradient).max() < 1e-3


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("j", [0, 1, 3])
def test_firth_profile_intervals_are_those_of_the_penalised_likelihood(j, noise):
    X, y = rows(noise=noise)
    model = LogisticRegression(**TIGHT).fit(X, y)
    found = model.inference(X, y)
    ends = (
        found.confidence_intervals(method="profile")[j]
        if j < 3
        else found.intercept_confidence_interval(method="profile")
    )
    value = penalised(X, y)
    best = np.append(model.coef_, model.intercept_)
    others = np.setdiff1d(np.arange(4), j)
    for end in ends:

        def without(z, end=end):
            beta = best + 0.0
            beta[others] += z
            beta[j] = end
            return value(beta)

        least = minimize(without, np.zeros(3), method="BFGS", options={"gtol": 1e-7}).fun
        assert_allclose(2.0 * (least - value(best)), found.quantile(0.95) ** 2, rtol=1e-4)


def test_firth_inference_uses_the_information_at_its_estimates():
    X, y = rows()
    model = LogisticRegression(**TIGHT).fit(X, y)
    found = model.inference(X, y)
    Z = np.column_stack([X, np.ones(len(y))])
    eta = Z @ np.append(model.coef_, model.intercept_)
    wanted = np.linalg.inv((Z.T * (expit(eta) * expit(-eta))) @ Z)
    assert_allclose(found.covariance, wanted, rtol=1e-8)
    test = found.likelihood_ratio_test([1, 2])
    value = penalised(X, y)
    best = np.append(model.coef_, model.intercept_)
    least = minimize(lambda z: value(np.array([z[0], 0.0, 0.0, z[1]])), [1.0, 0.0],
                     method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).fun  # fmt: skip
    assert_allclose(test.statistic, 2.0 * (least - value(best)), rtol=1e-5)
    assert "Firth" in str(model.summary(X, y))


@pytest.mark.parametrize(
    "options", [{"C": 0.5}, {"l1_ratio": 0.5, "solver": "saga"}, {"l1_ratio": 1, "solver": "saga"}]
)
def test_firth_with_another_penalty_is_refused(options):
    X, y = rows()
    with pytest.raises(ValueError, match="replaces any other penalty"):
        LogisticRegression(bias_reduction="firth", **options).fit(X, y)


def test_firth_refuses_several_classes_and_scans():
    X, y = rows()
    with pytest.raises(ValueError, match="supported for two classes"):
        LogisticRegression(bias_reduction="firth").fit(X, np.arange(len(y)) % 3)
    with pytest.raises((TypeError, ValueError), match=r"scan|rows in memory"):
        LogisticRegression(bias_reduction="firth").fit(scan(X, y), None)
    with pytest.raises(ValueError, match="bias_reduction"):
        LogisticRegression(bias_reduction="jeffreys").fit(X, y)
