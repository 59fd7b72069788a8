"""Gram matrices summed in single precision: near, with exact moments, and only where safe."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import LogisticRegression
from fastridge._kernels import available
from fastridge.designs import design_of
from fastridge.losses.logistic import Logistic
from fastridge.losses.smooth import LossOfRows
from fastridge.solvers.newton import primal
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.problem import SmoothProblem
from fastridge.statistics.accumulate import takes_single


@pytest.fixture(params=available)
def gram(request):
    kernel = importlib.import_module(f"fastridge._kernels.{request.param}.gram")
    if not kernel.has_single():
        pytest.skip("this instruction set has no vectors for it")
    return kernel


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 130])
@pytest.mark.parametrize("p", [1, 7, 8, 24, 25, 26, 40, 47, 48, 49, 50, 74, 110])
def test_accumulate_single_is_near_and_its_moments_are_exact(gram, dtype, n, p):
    rng = np.random.default_rng(0)
    X = np.asarray((rng.standard_normal((n, p + 3)) + 5.0), dtype=dtype)[:, :p]
    y, root = rng.standard_normal(n), rng.random(n)
    shift, unit = np.full(p + 1, 5.0), 2.0 ** rng.integers(-20, 20, p)
    inside = p - gram.extra_columns(p, 1)
    padded = gram.padded_columns(inside)
    tile = np.zeros((padded + 3, 64))
    out = np.zeros((inside + gram.panel_width(), (padded + 7) // 8 * 8))
    moments = np.zeros((2 + p - inside, p + 2))
    gram.accumulate_single(X, y, shift, root, unit, tile, out, moments)
    Z = (X.astype(float) - 5.0) * root[:, None]
    z = (y - 5.0) * root
    scaled = Z[:, :inside] * unit[:inside]
    size = np.sqrt((scaled**2).sum(axis=0))
    upper = np.triu_indices(inside)
    error = (out[:inside, :inside] - scaled.T @ scaled) / np.outer(size, size)
    assert abs(error[upper]).max() < 2e-6
    assert_allclose(moments[0], [*(Z.T @ root), z @ root, root @ root], atol=1e-12)
    assert_allclose(moments[1], [*(Z.T @ z), z @ z, 0.0], atol=1e-12)
    for k in range(p - inside):
        last = inside + k
        assert_allclose(moments[2 + k, :inside], Z[:, :inside].T @ Z[:, last], atol=1e-12)
        assert_allclose(moments[2 : 3 + k, last], Z[:, inside : last + 1].T @ Z[:, last])


def rows(n=2000, p=120):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-9, 9, p)
    eta = X @ (rng.standard_normal(p) / X.std(axis=0)) / 4.0
    return X, np.where(eta + rng.logistic(size=n) > 0.0, 1.0, -1.0)


def hessians(X, y, penalty, weight=None):
    """Return whether the pass is rough, and the factored Hessians of a rough and an exact one."""
    problem = SmoothProblem(design_of(X, weight, True, 1), LossOfRows(Logistic(), y), penalty)
    objective = primal.Objective(problem)
    here = objective.at(Weights(np.zeros(X.shape[1]), 0.0), second=True)
    exact = problem.design.expand(problem.loss, np.zeros(X.shape[1]), 0.0, second=True)
    assert not exact.single
    assert_allclose(here.gradient.coef, exact.gradient, rtol=1e-9, atol=1e-10 * len(y))
    return here.single, objective.hessian_at(here), objective._hessian_of(exact.products)


def test_hessian_in_single_precision_is_near_whatever_the_units():
    X, y = rows()
    single, rough, exact = hessians(X, y, X.var(axis=0))
    assert single == takes_single(X.shape, 1)
    size = np.sqrt(exact.products.upper.diagonal())
    error = np.triu(rough.products.upper - exact.products.upper) / np.outer(size, size)
    assert abs(error).max() < 1e-6


@pytest.mark.parametrize("case", ["far", "tiny", "copy", "constant"])
def test_hessian_that_single_precision_would_spoil_is_in_double(case):
    X, y = rows()
    weight = np.ones(len(y))
    if case == "far":  # the mean of all rows, from that of the rows that the pilot takes
        X[-300:, 0] += 1e4 * X[:, 0].std()
        weight[:-300] = 1e-9
    elif case == "tiny":
        X[:, 0] = 0.0
        X[1000, 0] = 1e-30
    elif case == "copy":
        X[:, 1] = X[:, 0] * (1.0 + 1e-6 * np.random.default_rng(0).standard_normal(len(y)))
    else:
        X[:, 0] = 3.0
    _, found, exact = hessians(X, y, np.zeros(X.shape[1]), weight)
    assert_allclose(np.triu(found.products.upper), np.triu(exact.products.upper), rtol=1e-12)


def test_logistic_regression_of_all_layouts_has_the_same_coefficients_to_many_digits():
    X, y = rows()
    models = [
        LogisticRegression(standardize=True, C=10.0, tol=1e-9).fit(layout(X), y)
        for layout in (np.ascontiguousarray, np.asfortranarray)
    ]
    size = models[0].coef_ * X.std(axis=0)
    assert_allclose(models[1].coef_ * X.std(axis=0), size, atol=1e-11 * abs(size).max())
