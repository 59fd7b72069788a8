"""GCV, marginal likelihood and EM against their formulas written out with dense matrices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from fastridge import GramStatistics, RidgeCV, effective_dof
from fastridge.designs import design_of
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.evidence import expectation_maximisation, gcv_score, log_evidence
from fastridge.penalties.l2 import L2Penalty
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem

SHAPES = [(50, 4), (30, 28), (20, 40)]


def data(n, p, n_targets=1, noise=2.0):
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 3.0, p) + 4.0
    Y = X @ rng.standard_normal((p, n_targets)) + noise * rng.standard_normal((n, n_targets)) - 3.0
    return X, Y


def spectrum(X, Y, weight=None, factors=None, intercept=True, standardize=False):
    penalty = L2Penalty(standardize=standardize, factors=factors)
    problem = Problem(design_of(X, weight, intercept), SquaredLoss(Y), penalty)
    return spectrum_of(problem, 1e-3)


def centred(X, Y, weight, intercept):
    root = np.sqrt(np.ones(len(X)) if weight is None else weight)[:, None]
    if intercept:
        basis = root / np.linalg.norm(root)
        project = np.eye(len(X)) - basis @ basis.T
        return project @ (root * X), project @ (root * Y)
    return root * X, root * Y


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_gcv_and_evidence(n, p, free, weighted, intercept):
    X, Y = data(n, p, 2)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, n) if weighted else None
    factors = np.ones(p)
    factors[1] = 3.0
    factors[2] = 0.0 if free else 1.0
    found = spectrum(X, Y, weight, factors, intercept)
    alphas = np.array([0.1, 3.0, 200.0])
    Xc, Yc = centred(X, Y, weight, intercept)
    S = np.diag(factors)
    penalised = factors > 0.0
    F = Xc[:, ~penalised]
    for a, alpha in enumerate(alphas):
        hat = Xc @ np.linalg.solve(Xc.T @ Xc + alpha * S, Xc.T)
        residual = Yc - hat @ Yc
        rss = (residual**2).sum(axis=0)
        assert_allclose(found.dof(alphas)[a], np.trace(hat), rtol=1e-8)
        assert_allclose(found.rss(alphas)[a], rss, rtol=1e-7)
        left = n - intercept - np.trace(hat)
        assert_allclose(gcv_score(found, alphas)[a], n * rss / left**2, rtol=1e-7)
        # y ~ N(F b, sigma^2 V), V = I + X S^-1 X' / alpha, in the space orthogonal to 1 and F
        V = np.eye(n) + (Xc[:, penalised] / factors[penalised]) @ Xc[:, penalised].T / alpha
        out = [np.sqrt(np.ones(n) if weight is None else weight)[:, None]] if intercept else []
        fixed = np.hstack([*out, F]) if out or F.size else np.empty((n, 0))
        Q = np.linalg.qr(fixed, mode="complete")[0][:, fixed.shape[1] :]
        W = Q.T @ V @ Q
        m = len(W)
        for t in range(2):
            y = Q.T @ Yc[:, t]
            quadratic = y @ np.linalg.solve(W, y)
            expected = -0.5 * (m * np.log(quadratic / m) + np.linalg.slogdet(W)[1])
            assert_allclose(log_evidence(found, alphas)[a, t], expected, rtol=1e-7, atol=1e-7)


def slow_em(X, y, steps):
    """Algorithm 1 of Tew, Boley, Schmidt (2023) with p x p matrices; X and y of mean zero."""
    n, p = X.shape
    tau, sigma = 1.0, y @ y / n
    for _ in range(steps):
        covariance = np.linalg.inv(X.T @ X + np.eye(p) / tau)
        coef = covariance @ X.T @ y
        norm = coef @ coef + sigma * np.trace(covariance)
        error = ((y - X @ coef) ** 2).sum() + sigma * np.trace(X.T @ X @ covariance)

        # the maximum of the expected log posterior, by Newton steps on log tau and log sigma
        def gradient(theta, norm=norm, error=error):
            s, t = np.exp(theta)  # sigma^2, tau^2
            return np.array(
                [
                    (n + p + 2) / 2 - error / (2 * s) - norm / (2 * s * t),
                    p / 2 - norm / (2 * s * t) + t / (1 + t) + 0.5,
                ]
            )

        theta = np.log([sigma, tau])
        for _ in range(100):
            h = 1e-6
            J = np.array(
                [(gradient(theta + h * e) - gradient(theta - h * e)) / (2 * h) for e in np.eye(2)]
            )
            theta = theta - np.clip(np.linalg.solve(J.T, gradient(theta)), -1.0, 1.0)
        sigma, tau = np.exp(theta)
    return 1.0 / tau, sigma


@pytest.mark.parametrize(("n", "p"), [(50, 4), (20, 40)])
def test_em_as_the_slow_loop(n, p, monkeypatch):
    X, Y = data(n, p)
    X, y = X - X.mean(axis=0), Y[:, 0] - Y.mean()
    scale = y @ y / n
    found = spectrum(X, Y - Y.mean())
    import fastridge.model_selection.evidence as module

    monkeypatch.setattr(module, "_MAX_STEPS", 6)
    result = expectation_maximisation(found, tol=0.0)
    alpha, sigma = slow_em(X, y / np.sqrt(scale), 6)
    assert result.n_iter == 6
    assert_allclose(result.alpha, alpha, rtol=1e-6)
    assert_allclose(result.residual_variance[0], sigma * scale, rtol=1e-6)


def test_em_converges_and_is_near_the_evidence():
    X, Y = data(200, 20)
    model = RidgeCV(method="em").fit(X, Y[:, 0])
    marginal = RidgeCV("auto", method="marginal_likelihood").fit(X, Y[:, 0])
    assert 0.3 < model.alpha_ / marginal.alpha_ < 3.0
    assert model.n_iter_ > 1
    assert model.alphas_ is None
    assert np.isnan(model.best_score_)


@pytest.mark.parametrize(("n", "p"), [(50, 500), (50, 100), (50, 49)])
@pytest.mark.parametrize("noise", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(2))
def test_em_of_few_rows_says_where_it_ends_away_from_a_mode(n, p, noise, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = X @ (rng.normal(size=p) * (rng.random(p) < 0.1)) + noise * rng.normal(size=n)
    found, further = (
        expectation_maximisation(spectrum(X, y[:, None]), tol=tol) for tol in (1e-8, 1e-13)
    )
    ends_at_a_mode = abs(np.log(found.alpha / further.alpha)) < 0.05
    assert found.settled == ends_at_a_mode
    if ends_at_a_mode:
        RidgeCV(method="em").fit(X, y)
    else:
        with pytest.warns(ConvergenceWarning, match=r"step limit and not at a mode.*alpha \("):
            RidgeCV(method="em").fit(X, y)


def test_em_for_each_target_and_for_all():
    X, Y = data(60, 5, 3)
    each = RidgeCV(method="em", alpha_per_target=True).fit(X, Y)
    for k in range(3):
        assert_allclose(each.alpha_[k], RidgeCV(method="em").fit(X, Y[:, k]).alpha_, rtol=1e-10)
    same = RidgeCV(method="em").fit(X, np.repeat(Y[:, :1], 1, axis=1))
    assert_allclose(same.alpha_, each.alpha_[0], rtol=1e-10)
    together = RidgeCV(method="em").fit(X, Y)
    assert each.alpha_.min() * 0.5 < together.alpha_ < each.alpha_.max() * 2.0


def test_em_does_not_depend_on_units_of_y():
    X, Y = data(60, 5)
    one = RidgeCV(method="em").fit(X, Y[:, 0]).alpha_
    assert_allclose(RidgeCV(method="em").fit(X, 1e6 * Y[:, 0]).alpha_, one, rtol=1e-6)


def test_em_of_a_constant_target_shrinks_all():
    X, _ = data(30, 3)
    model = RidgeCV(method="em").fit(X, np.full(30, 7.0))
    assert np.all(model.coef_ == 0.0)
    assert_allclose(model.intercept_, 7.0)


@pytest.mark.parametrize("method", ["gcv", "em", "marginal_likelihood"])
@pytest.mark.parametrize("standardize", [False, True])
def test_statistics_are_enough(method, standardize):
    X, Y = data(80, 6)
    y = Y[:, 0]
    model = RidgeCV(np.logspace(-2, 4, 30), method=method, standardize=standardize)
    whole = model.fit(X, y)
    alpha, coef = whole.alpha_, whole.coef_
    parts = [GramStatistics.from_data(X[k::3], y[k::3]) for k in range(3)]
    model.fit_statistics(parts)
    assert_allclose(model.alpha_, alpha, rtol=1e-7)
    assert_allclose(model.coef_, coef, rtol=1e-7)


def test_effective_dof():
    X, Y = data(40, 5)
    stats = GramStatistics.from_data(X, Y[:, 0])
    alphas = [0.0, 1.0, 30.0]
    Xc = X - X.mean(axis=0)
    for scale, standardize in [("sum", False), ("mean", True)]:
        S = Xc.var(axis=0) if standardize else np.ones(5)
        factor = 40 if scale == "mean" else 1
        expected = [
            1.0 + np.trace(np.linalg.solve(Xc.T @ Xc + factor * a * np.diag(S), Xc.T @ Xc))
            for a in alphas
        ]
        dof = effective_dof(stats, alphas, alpha_scale=scale, standardize=standardize)
        assert_allclose(dof, expected, rtol=1e-10)
    with pytest.raises(ValueError, match="at least 0"):
        effective_dof(stats, [-1.0])
    with pytest.raises(TypeError, match="GramStatistics"):
        effective_dof(X, [1.0])
