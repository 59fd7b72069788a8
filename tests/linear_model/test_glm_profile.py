"""Profile intervals: how few fits and passes they take, and the search for their ends."""

import numpy as np
import pytest

from fastridge import LogisticRegression, PoissonRegressor
from fastridge.linear_model import glm_likelihood
from fastridge.linear_model.glm_profile import limit
from fastridge.solvers.newton.firth import Firth


def counted(monkeypatch, owner, name):
    calls = []
    call = getattr(owner, name)

    def counting(*args, **options):
        calls.append(options)
        return call(*args, **options)

    monkeypatch.setattr(owner, name, counting)
    return calls


def rows(n=300, p=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + np.arange(p)
    return rng, X, (X[:, 0] + rng.logistic(size=n) > 0.0).astype(int)


def test_firth_profile_intervals_take_few_passes_and_hardly_a_hessian(monkeypatch):
    _, X, y = rows()
    found = LogisticRegression(bias_reduction="firth").fit(X, y).inference(X, y)
    calls = counted(monkeypatch, Firth, "at")
    assert np.isfinite(found.confidence_intervals(method="profile")).all()
    assert len(calls) <= 20 * 10  # of five features
    assert sum(options.get("second", False) for options in calls) <= 10


@pytest.mark.parametrize("kind", ["logistic", "poisson"])
def test_profile_intervals_take_few_fits(kind, monkeypatch):
    rng, X, y = rows()
    model = LogisticRegression(C=np.inf)
    if kind == "poisson":
        model, y = PoissonRegressor(alpha=0), rng.poisson(np.exp(0.3 * X[:, 0]))
    found = model.fit(X, y).inference(X, y)
    calls = counted(monkeypatch, glm_likelihood, "solve_rows")
    found.confidence_intervals(method="profile")
    assert len(calls) <= 4 * 10


@pytest.mark.parametrize("step", [1e-3, 1.0, 50.0, -1.0])
def test_limit_of_smooth_functions_is_their_zero(step):
    sign = np.sign(step)

    def root(value):
        away = sign * (value - 5.0)
        return np.expm1(away) - 2.0, sign * np.exp(away)

    assert limit(root, 5.0, step, 2.0) == pytest.approx(5.0 + sign * np.log(3.0), rel=1e-9)


@pytest.mark.parametrize(
    ("root", "wanted"),
    [
        (lambda x: (-np.exp(-x), np.exp(-x)), np.inf),  # below zero everywhere
        (lambda x: (np.nan, np.nan), np.inf),
        (lambda x: (np.arctan(x - 3.0), 1e-9), 3.0),  # whose derivative is useless
        (lambda x: (np.cbrt(x - 3.0), np.nan), 3.0),
    ],
)
def test_limit_of_awkward_functions_is_their_zero_or_infinite(root, wanted):
    quantile = 1.0 if wanted == np.inf else -root(0.0)[0]
    assert limit(root, 0.0, 1.0, quantile) == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize("bias_reduction", [None, "firth"])
def test_profile_interval_of_the_intercept_of_columns_far_from_zero_is_about_walds(bias_reduction):
    _, X, y = rows()
    X = X + [1e5, 0.0, 0.0, 0.0, 0.0]
    found = LogisticRegression(C=np.inf, bias_reduction=bias_reduction).fit(X, y).inference(X, y)
    wald = found.intercept_confidence_interval()
    profile = found.intercept_confidence_interval(method="profile")
    np.testing.assert_allclose(profile, wald, atol=0.1 * (wald[1] - wald[0]))
