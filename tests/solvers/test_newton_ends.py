"""The ends of Newton's method: what is said of them is true, and classes in the space of rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.special import softmax

from fastridge.designs import design_of
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.solvers.newton import multinomial, primal
from fastridge.solvers.newton.iterate import Weights, iterate
from fastridge.solvers.newton.path import UnitPenalty, solve_path
from fastridge.solvers.newton.problem import SmoothProblem
from fastridge.solvers.newton.row_space import RowSpace

LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csr": sp.csr_array}
DEFAULT = {"tol": 1e-6, "max_iter": 100}


def rows(seed, loss):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(30, 400)), int(rng.integers(1, 12))
    X = rng.standard_normal((n, p)) @ (np.eye(p) + rng.standard_normal((p, p)))
    X = X * 10.0 ** rng.uniform(-3, 3, p) + rng.uniform(0.0, 100.0) * (rng.random(p) < 0.3)
    eta = rng.uniform(0.1, 3.0) * X @ (rng.standard_normal(p) / X.std(axis=0)) / np.sqrt(p)
    eta -= eta.mean()
    if loss == "logistic":
        return X, np.where(eta + rng.logistic(size=n) > 0.0, 1.0, -1.0), Logistic()
    return X, rng.poisson(np.exp(np.clip(eta, -5, 4))).astype(float), Poisson()


def decrement_outside(problem, result, X):
    """Return g'H^-1 g in NumPy, about the means of the columns, and the objective."""
    loss, y = problem.loss.loss, problem.loss.y
    mean = X.mean(axis=0)
    A = np.column_stack([X - mean, np.ones(len(X))])
    w = np.append(result.coef, result.intercept + mean @ result.coef)
    penalty = np.append(problem.penalty, 0.0)
    gradient = A.T @ loss.derivative(y, A @ w) + penalty * w
    hessian = (A.T * loss.curvature(y, A @ w)) @ A + np.diag(penalty)
    scale = 1.0 / np.sqrt(hessian.diagonal())
    step = scale * np.linalg.solve(hessian * scale[:, None] * scale, gradient * scale)
    value = (loss.value(y, A @ w) - loss.saturated(y)).sum() + 0.5 * penalty @ w**2
    return gradient @ step, value


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
def test_path_states_no_less_than_the_decrement_that_is_left(loss):
    trusted = 0
    for seed in range(40):
        X, y, kind = rows(seed, loss)
        design, losses = design_of(X, None, True, 1), LossOfRows(kind, y)
        penalty = UnitPenalty(X.var(axis=0), None)
        strengths = [10.0, 1.0, 0.01]
        for strength, result in zip(
            strengths, solve_path(design, losses, penalty, strengths, **DEFAULT), strict=True
        ):
            problem = SmoothProblem(design, losses, penalty.at(strength).l2)
            left, value = decrement_outside(problem, result, X)
            assert result.objective == pytest.approx(value, rel=1e-9)
            # a Hessian that was kept is that of weights nearby
            assert left <= 1.1 * result.decrement + 1e-24 * (value + len(y))
            assert result.decrement <= 1e-12 * value
            trusted += left < 0.01 * result.decrement
    assert trusted > 20


def test_newton_evaluates_no_last_step_that_is_trusted():
    X, y, kind = rows(3, "logistic")
    problem = SmoothProblem(design_of(X, None, True, 1), LossOfRows(kind, y), X.var(axis=0))
    ends = {}
    for trusting in (False, True):
        objective, n = primal.Objective(problem), []
        objective.at = lambda w, *, second, at=objective.at, n=n: (
            n.append(1) or at(w, second=second)
        )
        start = Weights(np.zeros(X.shape[1]), 0.0)
        ends[trusting] = iterate(objective, start, trusting=trusting, **DEFAULT), len(n)
    (seen, n_seen), (unseen, n_unseen) = ends[False], ends[True]
    assert n_unseen == n_seen - 1
    assert unseen.unseen is not None
    assert unseen.decrement <= 1e-12 * unseen.objective
    assert_allclose(unseen.weights.coef, seen.weights.coef, rtol=1e-5)
    assert unseen.objective == pytest.approx(seen.objective, rel=1e-12)


def classes(n, p, K, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 3.0
    return X, np.arange(n) % K


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_classes_in_row_space_end_where_the_gradient_is_zero(layout, fit_intercept):
    X, y = classes(30, 80, 3)
    X[10], X[20] = X[9], 0.0  # twice the same, and an empty row
    weight, offset = np.arange(30) % 4.0, 0.1 * X[:, :3]
    penalty = np.linspace(0.01, 100.0, 80)
    design = design_of(LAYOUTS[layout](X), weight, fit_intercept, 1)
    loss = ClassesOfRows(y, 3, offset)
    assert RowSpace.of(design, penalty) is not None
    result = multinomial.minimise_classes(design, loss, penalty, tol=1e-10, max_iter=100)
    assert result.not_converged is None
    probability = softmax(X @ result.coef.T + result.intercept + offset, axis=1)
    derivative = weight[:, None] * (probability - np.eye(3)[y])
    assert_allclose(derivative.T @ X, -penalty * result.coef, atol=1e-7)
    if fit_intercept:
        assert_allclose(derivative.sum(axis=0), 0.0, atol=1e-7)
    assert 0.0 <= result.gap <= 1e-18 * result.objective


def test_classes_in_row_space_start_where_they_are_told():
    X, y = classes(25, 60, 4)
    design, loss, penalty = design_of(X, None, True, 1), ClassesOfRows(y, 4), np.ones(60)
    first = multinomial.minimise_classes(design, loss, penalty, tol=1e-8, max_iter=100)
    start = Weights(first.coef, first.intercept)
    again = multinomial.minimise_classes(design, loss, penalty, start, tol=1e-6, max_iter=100)
    assert again.n_iter == 0
    assert_allclose(again.coef, first.coef, atol=1e-10)


def test_classes_in_row_space_with_units_far_apart_are_the_same_model():
    X, y = classes(25, 60, 3)
    penalty, unit = np.ones(60), 10.0 ** np.linspace(-8, 8, 60)
    found = [
        multinomial.minimise_classes(
            design_of(X * by, None, True, 1), ClassesOfRows(y, 3), by**2, tol=1e-9, max_iter=100
        ).coef
        * by
        for by in (penalty, unit)
    ]
    assert_allclose(found[1], found[0], atol=1e-9)
