"""Minima with an L1 penalty and their certificates."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression as Reference

from fastridge.designs import design_for_columns
from fastridge.losses.gamma import Gamma
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.squared import Squared
from fastridge.losses.tweedie import Tweedie
from fastridge.solvers.newton import active_newton
from fastridge.solvers.newton.active_newton import ActiveNewton
from fastridge.solvers.newton.losses_at_rows import expand
from fastridge.solvers.newton.path import UnitPenalty, solve_path

LOSSES = {"logistic": Logistic(), "poisson": Poisson(), "gamma": Gamma(), "squared": Squared()}


def rows(n, p, K=2, seed=0, share=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < share)
    y = (X @ rng.standard_normal((p, K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X, y


def targets(loss, y, rng):
    if loss == "logistic":
        return 2.0 * y - 1.0
    return rng.poisson(1.0 + y) + 0.0 if loss == "poisson" else rng.gamma(2.0, 1.0 + y)


def multinomial_objective(X, y, coef, intercept, l1, l2, weight=1.0):
    eta = np.asarray(X @ coef.T) + intercept
    top = eta.max(axis=1)
    losses = top + np.log(np.exp(eta - top[:, None]).sum(axis=1)) - eta[np.arange(len(y)), y]
    penalty = (l1 * np.abs(coef) + 0.5 * l2 * coef**2).sum()
    return float((weight * losses).sum() + penalty)


def multinomial_dual(X, y, coef, intercept, l1, weight=1.0):
    """The dual value with a share of the residuals, for an L1 penalty alone."""
    eta = np.asarray(X @ coef.T) + intercept
    probability = np.exp(eta - eta.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    own = np.eye(coef.shape[0])[y]
    weight = np.broadcast_to(weight, len(y))
    gradient = ((probability - own) * weight[:, None]).T @ X
    share = min(1.0, float((l1 / np.abs(gradient)).min()))
    mixed = share * probability + (1.0 - share) * own
    return -float((weight * (mixed * np.log(np.maximum(mixed, 1e-300))).sum(axis=1)).sum())


@pytest.mark.parametrize("loss", LOSSES)
def test_divergence_is_that_of_its_definition(loss):
    rng = np.random.default_rng(0)
    law, y = LOSSES[loss], targets(loss, rng.integers(0, 2, 6), rng)
    eta, share = rng.standard_normal(6), 0.7
    found = law.divergence(y, eta, share)
    for k in range(6):
        derivative = share * law.derivative(y[k : k + 1], eta[k : k + 1])[0]

        def tilted(e, k=k, derivative=derivative):
            return law.value(y[k : k + 1], e)[0] - derivative * e[0]

        least = minimize(tilted, eta[k : k + 1], method="Nelder-Mead", tol=1e-12).fun
        assert found[k] == pytest.approx(tilted(eta[k : k + 1]) - least, abs=1e-9)
    assert_allclose(law.divergence(y, eta, 1.0), 0.0, atol=1e-15)


def test_divergence_of_a_loss_without_a_formula_is_none():
    assert Tweedie(1.5).divergence(np.ones(2), np.ones(2), 0.5) is None


@pytest.mark.parametrize(
    ("n", "p", "K", "strength", "weighted", "sparse"),
    [(90, 8, 3, 0.02, False, False), (40, 70, 4, 1.0, True, False), (120, 30, 3, 0.3, True, True)],
)
def test_classes_with_l1_penalty_have_the_gap_of_the_dual(n, p, K, strength, weighted, sparse):
    X, y = rows(n, p, K, share=0.3 if sparse else 1.0)
    weight = np.random.default_rng(1).integers(0, 3, n) + 0.0 if weighted else None
    design = design_for_columns(sp.csc_array(X) if sparse else X, weight, True, 1)
    newton = ActiveNewton(design, ClassesOfRows(y, K), tol=1e-7, max_iter=200)
    l1 = np.full(p, strength)
    result = newton.to(l1, np.zeros(p))
    assert result.not_converged is None
    counts = 1.0 if weight is None else weight
    value = multinomial_objective(X, y, result.coef, result.intercept, l1, 0.0, counts)
    assert result.objective == pytest.approx(value, rel=1e-10)
    gap = value - multinomial_dual(X, y, result.coef, result.intercept, l1, counts)
    assert -1e-9 * value <= gap <= 1e-6 * value
    assert result.gap == pytest.approx(gap, rel=1e-3, abs=1e-8 * value)


def test_classes_with_l1_penalty_match_a_long_run_of_saga():
    X, y = rows(60, 5, 3)
    saga = Reference(C=0.5, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=20000)
    saga.fit(X, y)
    l1 = np.full(5, 2.0)
    design = design_for_columns(X, None, True, 1)
    found = ActiveNewton(design, ClassesOfRows(y, 3), tol=1e-9, max_iter=100).to(l1, np.zeros(5))
    values = [
        multinomial_objective(X, y, *pair, l1, 0.0)
        for pair in ((found.coef, found.intercept), (saga.coef_, saga.intercept_))
    ]
    assert values[0] <= values[1] * (1.0 + 1e-10)
    assert_allclose(found.coef, saga.coef_, atol=1e-5)


def test_classes_with_elastic_net_are_certified_and_at_the_minimum():
    X, y = rows(80, 12, 4)
    l1, l2 = np.full(12, 0.01), np.full(12, 0.01)
    design = design_for_columns(X, None, True, 1)
    found = ActiveNewton(design, ClassesOfRows(y, 4), tol=1e-8, max_iter=200).to(l1, l2)
    assert found.not_converged is None
    assert found.gap <= 1e-8 * found.objective
    rng = np.random.default_rng(2)
    least = multinomial_objective(X, y, found.coef, found.intercept, 0.01, 0.01)
    for _ in range(20):
        other = found.coef + 1e-3 * rng.standard_normal(found.coef.shape)
        assert multinomial_objective(X, y, other, found.intercept, 0.01, 0.01) >= least - found.gap


@pytest.mark.parametrize("loss", LOSSES)
def test_path_is_that_of_single_fits_with_gaps_that_hold_outside(loss):
    X, y = rows(60, 90)
    y = targets(loss, y, np.random.default_rng(1))
    design, law = design_for_columns(X, None, True, 1), LossOfRows(LOSSES[loss], y)
    unit = UnitPenalty(np.zeros(90), np.ones(90))
    strengths = np.geomspace(10.0, 0.5, 8).tolist()
    path = solve_path(design, law, unit, strengths, tol=1e-7, max_iter=100)
    for result, strength in zip(path, strengths, strict=True):
        assert result.not_converged is None
        eta = X @ result.coef + result.intercept
        left = LOSSES[loss].derivative(y, eta)
        assert abs(left.sum()) < 1e-5
        gradient = X.T @ left
        assert np.abs(gradient).max() <= strength * (1.0 + 1e-4)
        used = result.coef != 0.0
        assert_allclose(gradient[used], -strength * np.sign(result.coef[used]), rtol=1e-3)
        assert 0.0 <= result.gap <= 1e-5 * result.objective
    single = ActiveNewton(design, law, tol=1e-7, max_iter=100).to(0.5 * np.ones(90), np.zeros(90))
    assert_allclose(single.coef, path[-1].coef, atol=1e-4)


def test_many_sparse_columns_without_a_gram_matrix_end_as_dense_ones(monkeypatch):
    X, y = rows(80, 120, share=0.05)
    X[:, 0] += 1.0
    weight = np.random.default_rng(1).integers(0, 3, 80) + 0.0
    law, l1 = LossOfRows(Logistic(), 2.0 * y - 1.0), np.full(120, 0.05)
    dense = ActiveNewton(design_for_columns(X, weight, True, 1), law, tol=1e-8, max_iter=100)
    wanted = dense.to(l1, np.zeros(120))
    monkeypatch.setattr(active_newton, "_MOST_GRAM", 1)
    design = design_for_columns(sp.csc_matrix(X), weight, True, 1)
    sparse = ActiveNewton(design, law, tol=1e-8, max_iter=100)
    found = sparse.to(l1, np.zeros(120))
    assert found.not_converged is None
    assert sparse.n_hessians < dense.n_hessians
    assert found.objective == pytest.approx(wanted.objective, rel=1e-7)
    assert found.gap <= 1e-6 * found.objective


@pytest.mark.parametrize("sparse", [False, True])
def test_classes_with_too_many_unknowns_for_a_hessian_end_at_the_same_minimum(sparse, monkeypatch):
    X, y = rows(60, 20, 3, share=0.5)
    X = sp.csc_matrix(X) if sparse else X
    law, l1 = ClassesOfRows(y, 3), np.full(20, 1.0)
    options = {"tol": 1e-7, "max_iter": 300}
    design = design_for_columns(X, None, True, 1)
    wanted = ActiveNewton(design, law, **options).to(l1, np.zeros(20))
    monkeypatch.setattr(active_newton, "_MOST_PAIRS", 1)
    found = ActiveNewton(design, law, **options).to(l1, np.zeros(20))
    assert found.not_converged is None
    assert found.objective == pytest.approx(wanted.objective, rel=1e-9)


def test_many_dense_columns_with_bounds_do_without_a_gram_matrix(monkeypatch):
    X, y = rows(30, 60)
    law, l2 = LossOfRows(Logistic(), 2.0 * y - 1.0), np.full(60, 0.5)
    bounds = np.zeros(60), np.full(60, 0.1)
    options = {"bounds": bounds, "tol": 1e-8, "max_iter": 300}
    design = design_for_columns(X, None, True, 1)
    wanted = ActiveNewton(design, law, **options).to(None, l2)
    monkeypatch.setattr(active_newton, "_MOST_GRAM_SLOW", 1)
    found = ActiveNewton(design, law, **options).to(None, l2)
    assert_allclose(found.coef, wanted.coef, atol=1e-6)
    assert found.coef.min() >= 0.0
    assert 0.0 <= found.gap <= 1e-6 * found.objective


def test_path_reads_all_columns_seldom():
    X, y = rows(50, 2000)
    design = design_for_columns(X, None, True, 1)
    newton = ActiveNewton(design, LossOfRows(Logistic(), 2.0 * y - 1.0), tol=1e-5, max_iter=100)
    zeros = np.zeros(2000)
    for strength in np.geomspace(10.0, 1.0, 50):
        newton.to(np.full(2000, strength), zeros)
    assert newton.screen.n_read <= 15


def test_losses_of_classes_that_are_almost_certain_keep_their_divergence():
    design = design_for_columns(np.ones((2, 1)), None, False, 1)
    loss = ClassesOfRows(np.array([0, 1]), 2)
    far = expand(loss, design, np.array([[40.0, 0.0], [0.0, 40.0]]))
    logistic = Logistic().divergence(np.ones(2), np.full(2, 40.0), 0.9)
    assert far.divergence(0.9) == pytest.approx(logistic.sum(), rel=1e-10)
