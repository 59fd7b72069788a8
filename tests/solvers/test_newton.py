"""Newton's method by every route: to the same minimum, with certificates that hold outside."""

import importlib
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from fastridge import _kernels
from fastridge.designs import design_of
from fastridge.losses.gamma import Gamma
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows, Multinomial
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.tweedie import Tweedie
from fastridge.solvers.newton import dual, in_cache, multinomial, primal
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import SmoothProblem
from fastridge.solvers.newton.products import ProductsObjective
from fastridge.solvers.newton.solve import solve, solve_classes

TIGHT = {"tol": 1e-10, "max_iter": 200}
LOSSES = {"logistic": Logistic(), "poisson": Poisson(), "gamma": Gamma(), "tweedie": Tweedie(1.5)}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}

STRIDES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
}


def rows(n, p, loss="logistic", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    eta = X[:, : min(p, 4)].sum(axis=1) / 2.0
    if loss == "logistic":
        y = np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-eta)), 1.0, -1.0)
    elif loss == "poisson":
        y = rng.poisson(np.exp(eta)).astype(float)
    else:
        y = rng.gamma(2.0, np.exp(eta) / 2.0)
    return X, y


def problem_of(X, y, penalty, loss="logistic", weight=None, *, fit_intercept=True, offset=None):
    design = design_of(X, weight, fit_intercept, 1)
    penalty = np.broadcast_to(np.asarray(penalty, dtype=float), (X.shape[1],)).copy()
    return SmoothProblem(design, LossOfRows(LOSSES[loss], y, offset), penalty)


def gradient_outside(problem, result, X):
    """Return the gradient of the objective, in NumPy, and the objective."""
    X = X.toarray() if sp.issparse(X) else X
    loss, y = problem.loss.loss, problem.loss.y
    weight = np.ones(len(y)) if problem.design.weight is None else problem.design.weight
    eta = X @ result.coef + result.intercept
    if problem.loss.offset is not None:
        eta = eta + problem.loss.offset
    derivative = weight * loss.derivative(y, eta)
    value = weight @ (loss.value(y, eta) - loss.saturated(y))
    value += 0.5 * problem.penalty @ result.coef**2
    return derivative @ X + problem.penalty * result.coef, derivative.sum(), value


ROUTES = {
    "primal": lambda problem: primal.minimise(primal.Objective(problem), **TIGHT),
    "dual": lambda problem: dual.minimise(problem, **TIGHT),
    "products": lambda problem: primal.minimise(ProductsObjective(problem), **TIGHT),
    "chosen": lambda problem: solve(problem, **TIGHT),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(60, 5), (12, 30)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_newton_by_every_route_ends_where_the_gradient_is_zero(route, loss, shape, layout):
    X, y = rows(*shape, loss)
    rng = np.random.default_rng(1)
    weight = rng.random(len(y)) + 0.1
    weight[::7] = 0.0
    X = LAYOUTS[layout](X)
    penalty = np.geomspace(0.1, 3.0, X.shape[1])
    offset = 0.3 * rng.standard_normal(len(y))
    problem = problem_of(X, y, penalty, loss, weight, offset=offset)
    result = ROUTES[route](problem)
    assert result.not_converged is None
    gradient, total, value = gradient_outside(problem, result, X)
    assert_allclose(gradient, 0.0, atol=1e-7)
    assert abs(total) < 1e-7
    assert result.objective == pytest.approx(value, rel=1e-12)
    assert 0.0 <= result.gap <= 1e-12 * value
    assert 0.0 <= result.decrement <= 1e-18 * value


@pytest.fixture(params=_kernels.available)
def compiled(request, monkeypatch):
    kernel = importlib.import_module(f"fastridge._kernels.{request.param}.newton_in_cache")
    monkeypatch.setattr(in_cache, "newton_in_cache", kernel)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.usefixtures("compiled")
def test_newton_in_cache_is_that_of_every_size(fit_intercept, loss):
    shapes = [(60, 5), (12, 30), (40, 1), (500, 32)]
    for shape, layout, dtype, plain in itertools.product(
        shapes, STRIDES.values(), [np.float32, np.float64], [True, False]
    ):
        X, y = rows(*shape, loss)
        X = layout((1.0 + X).astype(dtype))
        rng = np.random.default_rng(1)
        weight = offset = None
        if not plain:
            weight, offset = rng.random(len(y)) + 0.1, 0.3 * rng.standard_normal(len(y))
            weight[::7] = 0.0
        penalty = np.geomspace(0.1, 3.0, X.shape[1])
        problem = problem_of(
            X, y, penalty, loss, weight, offset=offset, fit_intercept=fit_intercept
        )
        found = in_cache.minimise_in_cache(problem, None, **TIGHT)
        wanted = primal.minimise(primal.Objective(problem), **TIGHT)
        assert found.not_converged is None
        assert_allclose(found.coef, wanted.coef, rtol=1e-8, atol=1e-10)
        assert found.intercept == pytest.approx(wanted.intercept, rel=1e-8, abs=1e-10)
        assert found.objective == pytest.approx(wanted.objective, rel=1e-12)
        assert 0.5 < found.rcond / wanted.rcond < 2.0
        again = in_cache.minimise_in_cache(problem, Weights(found.coef, found.intercept), **TIGHT)
        assert again.n_iter <= 1


@pytest.mark.usefixtures("compiled")
def test_newton_in_cache_gives_up_where_digits_may_be_lost():
    X, y = rows(60, 3)
    twins = np.column_stack([X, X[:, 0]])
    few = {"tol": 1e-6, "max_iter": 100}
    assert in_cache.minimise_in_cache(problem_of(twins, y, 0.0), None, **few) is None
    huge = problem_of(X * 1e200, y, 1.0)
    assert in_cache.minimise_in_cache(huge, None, **few) is None


@pytest.mark.usefixtures("compiled")
def test_newton_in_cache_with_too_few_iterations_says_so():
    X, y = rows(60, 3)
    found = in_cache.minimise_in_cache(problem_of(X, y, 1.0), None, tol=1e-9, max_iter=1)
    assert found.n_iter == 1
    assert "1 iterations" in found.not_converged


@pytest.mark.parametrize("route", ["primal", "dual", "products"])
def test_newton_with_features_without_penalty_fits_them_freely(route):
    X, y = rows(20, 30)
    penalty = np.ones(30)
    penalty[[0, 7]] = 0.0
    problem = problem_of(X, y, penalty)
    result = ROUTES[route](problem)
    gradient, total, _ = gradient_outside(problem, result, X)
    assert_allclose(gradient, 0.0, atol=1e-6)
    assert abs(total) < 1e-6
    assert result.gap is None


@pytest.mark.parametrize("shape", [(50, 4), (15, 40)])
def test_newton_without_intercept_has_none(shape):
    X, y = rows(*shape)
    problem = problem_of(X + 1.0, y, 1.0, fit_intercept=False)
    result = solve(problem, **TIGHT)
    assert result.intercept == 0.0
    assert_allclose(gradient_outside(problem, result, X + 1.0)[0], 0.0, atol=1e-7)


def test_newton_with_equal_columns_without_penalty_gives_the_shortest_coefficients():
    X, y = rows(200, 3)
    X = np.column_stack([X, X[:, 0]])
    result = solve(problem_of(X, y, 0.0), **TIGHT)
    alone = solve(problem_of(X[:, :3], y, 0.0), **TIGHT)
    assert_allclose(result.coef[[0, 3]], alone.coef[0] / 2.0, rtol=1e-7)
    assert_allclose(result.coef[1:3], alone.coef[1:], rtol=1e-7)


@settings(max_examples=20, deadline=None)
@given(
    powers=st.lists(st.integers(-100, 100), min_size=6, max_size=6),
    wide=st.booleans(),
    loss=st.sampled_from(list(LOSSES)),
)
def test_newton_scaled_columns_scale_the_coefficients(powers, wide, loss):
    X, y = rows(5 if wide else 40, 6, loss)
    scale = np.exp2(np.array(powers, dtype=float))
    first = solve(problem_of(X, y, 0.7, loss), **TIGHT)
    last = solve(problem_of(X * scale, y, 0.7 * scale**2, loss), **TIGHT)
    assert_allclose(last.coef * scale, first.coef, rtol=1e-9, atol=1e-12)
    assert_allclose(last.intercept, first.intercept, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(60, 5), (12, 30)])
def test_newton_means_far_from_zero_cost_at_most_their_digits(loss, shape):
    X, y = rows(*shape, loss)
    far = X + 1e5 * np.random.default_rng(2).standard_normal(shape[1])
    first, last = (solve(problem_of(A, y, 1.0, loss), **TIGHT) for A in (X, far))
    assert_allclose(last.coef, first.coef, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(60, 5), (12, 30)])
def test_newton_order_of_rows_and_rows_of_weight_zero_change_nothing(layout, shape):
    X, y = rows(*shape)
    wanted = solve(problem_of(X, y, 1.0), **TIGHT)
    rng = np.random.default_rng(3)
    order = rng.permutation(len(y))
    extra = 1e200 * rng.standard_normal((3, shape[1]))
    weight = np.r_[np.ones(len(y)), np.zeros(3)]
    more = LAYOUTS[layout](np.vstack([X[order], extra]))
    found = solve(problem_of(more, np.r_[y[order], 1.0, -1.0, 1.0], 1.0, weight=weight), **TIGHT)
    assert_allclose(found.coef, wanted.coef, rtol=1e-9, atol=1e-11)
    assert_allclose(found.intercept, wanted.intercept, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("penalty", [0.0, 1e-9, 1.0])
@pytest.mark.parametrize("first", [0, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_newton_on_a_sample_first_ends_at_the_same_minimum(first, penalty, weighted, monkeypatch):
    X, y = rows(8000, 6)
    X[:, 5] = 0.0
    X[first : 8000 : primal.SAMPLE * 11, 5] = 1.0  # a level that samples may miss
    weight = 1.0 + np.arange(8000.0) % 3 if weighted else None
    problem = problem_of(X, y, penalty, weight=weight)
    wanted = solve(problem, **TIGHT)
    monkeypatch.setattr(primal, "SAMPLED_VALUES", 1)
    found = solve(problem, **TIGHT)
    assert_allclose(found.coef, wanted.coef, rtol=1e-8, atol=1e-10)
    assert_allclose(gradient_outside(problem, found, X)[0], 0.0, atol=1e-6)


def test_newton_from_the_minimum_needs_no_step():
    X, y = rows(80, 4)
    problem = problem_of(X + 5.0, y, 1.0)
    first = solve(problem, **TIGHT)
    again = solve(problem, Weights(first.coef, first.intercept), tol=1e-6, max_iter=10)
    assert again.n_iter == 0
    assert_allclose(again.coef, first.coef, rtol=1e-12)


def test_newton_with_too_few_iterations_says_so():
    X, y = rows(80, 4)
    result = solve(problem_of(X, y, 1.0), tol=1e-10, max_iter=1)
    assert "after 1 iterations" in result.not_converged


@pytest.mark.parametrize("power", [-1.0, 0.0, 3.0, 4.5])
@pytest.mark.parametrize("shape", [(60, 5), (12, 30)])
def test_newton_with_powers_whose_curvature_may_be_negative_converges(power, shape):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal(shape)
        mean = np.exp(X[:, :4].sum(axis=1) / 2.0)
        y = rng.gamma(0.7, mean / 0.7) * np.exp(0.5 * seed * rng.standard_normal(len(X)))
        loss, penalty = Tweedie(power), np.full(shape[1], [0.001, 0.1, 1.0][seed % 3] * len(X))
        problem = SmoothProblem(design_of(X), LossOfRows(loss, y), penalty)
        result = solve(problem, tol=1e-6, max_iter=100)
        assert result.not_converged is None
        value = gradient_outside(problem, result, X)[2]
        assert result.objective == pytest.approx(value, rel=1e-6)  # a difference of large terms
        for length in (1e-4, 1e-2, 1.0):
            other = result._replace(coef=result.coef + length * rng.standard_normal(shape[1]))
            assert gradient_outside(problem, other, X)[2] >= value * (1.0 - 1e-6)


# ---- an L1 penalty ----


def check_l1(gradient, coef, l1, atol):
    """Check the conditions of the minimum: gradient -l1 sign(coef), or within l1 at zero."""
    moves = coef != 0.0
    assert_allclose(gradient[moves], -(l1 * np.sign(coef))[moves], atol=atol)
    assert (np.abs(gradient[~moves]) <= l1[~moves] + atol).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(80, 6), (30, 60)])
@pytest.mark.parametrize("l2", [0.0, 1.5])
@pytest.mark.parametrize("layout", ["C", "csc"])
def test_newton_with_l1_penalty_meets_the_conditions_of_the_minimum(loss, shape, l2, layout):
    X, y = rows(*shape, loss)
    l1 = np.linspace(3.0, 8.0, shape[1])
    X = LAYOUTS[layout](X)
    problem = problem_of(X, y, l2, loss)
    result = solve(problem, l1=l1, tol=1e-7, max_iter=200)
    assert result.not_converged is None
    gradient, total, _ = gradient_outside(problem, result, X)
    check_l1(gradient, result.coef, l1, 1e-4)
    assert abs(total) < 1e-4
    assert (result.coef == 0.0).any()


def test_newton_with_l1_objective_includes_the_penalty():
    X, y = rows(80, 6)
    problem, l1 = problem_of(X, y, 0.5), np.full(6, 4.0)
    result = solve(problem, l1=l1, **TIGHT)
    value = gradient_outside(problem, result, X)[2] + l1 @ np.abs(result.coef)
    assert result.objective == pytest.approx(value, rel=1e-12)


# ---- several classes ----


def classes(n, p, K, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = (X @ rng.standard_normal((p, K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X, y


def class_gradients(X, y, weight, penalty, result):
    eta = X @ result.coef.T + result.intercept
    derivative = weight[:, None] * Multinomial.derivative(y, eta)
    return derivative.T @ X + penalty * result.coef, derivative.sum(axis=0)


@pytest.mark.parametrize("most", [0, 10_000], ids=["products", "factored"])
@pytest.mark.parametrize("shape", [(90, 4), (25, 40)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_classes_end_where_the_gradient_is_zero(most, shape, layout, fit_intercept, monkeypatch):
    monkeypatch.setattr(multinomial, "MOST_UNKNOWNS", most)
    X, y = classes(*shape, 3)
    weight = np.random.default_rng(1).random(len(y)) + 0.1
    weight[5::7] = 0.0
    penalty = np.geomspace(0.3, 3.0, shape[1])
    design = design_of(LAYOUTS[layout](X), weight, fit_intercept)
    result = solve_classes(design, ClassesOfRows(y, 3), penalty, tol=1e-9, max_iter=200)
    assert result.not_converged is None
    gradient, total = class_gradients(X, y, weight, penalty, result)
    assert_allclose(gradient, 0.0, atol=1e-6)
    if fit_intercept:
        assert_allclose(total, 0.0, atol=1e-6)
        assert abs(result.intercept.sum() + result.coef.sum(axis=0) @ X.mean(axis=0)) < 1e-6
    else:
        assert_allclose(result.intercept, 0.0)
    assert_allclose(result.coef.sum(axis=0), 0.0, atol=1e-9)


def test_two_classes_have_half_the_coefficients_of_the_logistic_loss():
    X, y = rows(100, 5)
    codes = (y > 0.0).astype(int)
    result = solve_classes(design_of(X), ClassesOfRows(codes, 2), np.ones(5), **TIGHT)
    binary = solve(problem_of(X, y, 0.5), **TIGHT)
    assert_allclose(result.coef[1], binary.coef / 2.0, rtol=1e-8)
    assert_allclose(result.coef[0], -binary.coef / 2.0, rtol=1e-8)
    assert_allclose(np.diff(result.intercept), binary.intercept, rtol=1e-8)


@pytest.mark.parametrize("penalty", [0.0, 1e-9, 1.0])
@pytest.mark.parametrize("first", [0, 1, 3])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_classes_with_hessians_of_a_sample_end_at_the_same_minimum(
    n_threads, first, penalty, monkeypatch
):
    X, y = classes(6000, 5, 3)
    X[:, 4] = 0.0
    X[first : 6000 : 17 * 13, 4] = 1.0  # a level that samples may miss
    design = design_of(X, n_threads=n_threads)
    monkeypatch.setattr(multinomial, "_STEPS", ())
    wanted = solve_classes(design, ClassesOfRows(y, 3), np.full(5, penalty), **TIGHT)
    monkeypatch.undo()
    monkeypatch.setattr(multinomial, "SAMPLED_VALUES", 1)
    found = solve_classes(design, ClassesOfRows(y, 3), np.full(5, penalty), **TIGHT)
    assert found.not_converged is None
    gradient, _ = class_gradients(X, y, np.ones(6000), penalty, found)
    assert_allclose(gradient, 0.0, atol=1e-5)
    assert_allclose(found.coef, wanted.coef, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(120, 5), (40, 60)])
@pytest.mark.parametrize("l2", [0.0, 1.0])
def test_classes_with_l1_penalty_meet_the_conditions_of_the_minimum(shape, l2):
    X, y = classes(*shape, 3)
    l1, penalty = np.full(shape[1], 2.0), np.full(shape[1], l2)
    result = solve_classes(
        design_of(X), ClassesOfRows(y, 3), penalty, l1=l1, tol=1e-7, max_iter=2000
    )
    assert result.not_converged is None
    gradient, total = class_gradients(X, y, np.ones(len(y)), penalty, result)
    for k in range(3):
        check_l1(gradient[k], result.coef[k], l1, 1e-3)
    assert_allclose(total, 0.0, atol=1e-3)


def decrement_outside(problem, result, X):
    """Return g'H^-1 g in units of the columns, in NumPy, relative to the objective."""
    loss, y = problem.loss.loss, problem.loss.y
    gradient, total, value = gradient_outside(problem, result, X)
    curvature = loss.curvature(y, X @ result.coef + result.intercept)
    mean = np.average(X, axis=0, weights=curvature)
    hessian = ((X - mean).T * curvature) @ (X - mean) + np.diag(problem.penalty)
    unit = np.sqrt(hessian.diagonal())
    gradient = (gradient - mean * total) / unit
    step = np.linalg.solve(hessian / unit / unit[:, None], gradient)
    return (gradient @ step + total**2 / curvature.sum()) / value


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(6))
def test_newton_of_few_rows_of_columns_of_all_lengths_has_no_gradient(seed, loss):
    X, y = rows(12, 30, loss, seed)
    lengths = 10.0 ** np.random.default_rng(seed).integers(-8, 9, 30)
    for penalty in (1e-3, 1.0, 1e3) if loss == "logistic" else (1e3, 1e6):
        problem = problem_of(X * lengths, y, penalty, loss)
        result = solve(problem, **TIGHT)
        assert result.not_converged is None
        assert decrement_outside(problem, result, X * lengths) < 1e-12


@pytest.mark.parametrize("loss", LOSSES)
def test_newton_of_few_rows_and_a_small_penalty_has_no_gradient(loss):
    X, y = rows(13, 30, loss)
    problem = problem_of(X, y, 1e-6, loss)
    result = solve(problem, **TIGHT)
    assert result.not_converged is None
    assert decrement_outside(problem, result, X) < 1e-12


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_newton_of_few_rows_with_a_free_feature_of_any_unit_has_no_gradient(unit):
    X, y = rows(12, 30)
    X[:, 0] *= unit
    penalty = np.where(np.arange(30) > 0, 1.0, 0.0)
    problem = problem_of(X, y, penalty)
    result = solve(problem, **TIGHT)
    assert result.solver == "newton-dual"
    assert decrement_outside(problem, result, X) < 1e-12
