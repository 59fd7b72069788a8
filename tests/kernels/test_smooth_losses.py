"""Losses of dense rows and their gradient in one call: with NumPy, for every instruction set."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge._kernels import available
from fastridge.losses.gamma import Gamma
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import Multinomial
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.tweedie import Tweedie

LOSSES = [Logistic(), Poisson(), Gamma(), Tweedie(1.5)]
NONE = np.empty(0)


@pytest.fixture(params=available)
def losses(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.smooth_losses")


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (4, 8), (50, 13)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_loss_of_dense_rows_is_that_of_their_predictors(losses, loss, dtype, shape, given):
    rng = np.random.default_rng(0)
    (n, p), centre = shape, np.full(shape[1], 5.0)
    X = np.asarray(rng.standard_normal((n, p + 2)) + 5.0, dtype=dtype)[:, :p]
    coef, y = rng.standard_normal(p) / p, rng.integers(1, 4, n).astype(float)
    y = np.where(y > 2.0, 1.0, -1.0) if loss.name == "log_loss" else y
    offset, weight = rng.standard_normal(n), rng.integers(0, 3, n).astype(float)
    number = LossOfRows(loss, y).number
    eta, derivative, curvature = np.empty((3, n))
    start = rng.standard_normal(p)
    gradient = start.copy()
    sums = losses.loss_of_dense_rows(
        number, loss.power, X, centre, coef, 0.3, y, offset if given else NONE,
        weight if given else NONE, 6, eta, derivative, curvature, gradient,
    )  # fmt: skip
    weight = weight if given else np.ones(n)
    wanted = (X.astype(float) - centre) @ coef + 0.3 + (offset if given else 0.0)
    assert_allclose(eta, wanted, atol=1e-13)
    assert_allclose(derivative, weight * loss.derivative(y, wanted), atol=1e-13)
    assert_allclose(curvature, weight * loss.curvature(y, wanted), atol=1e-13)
    assert_allclose(gradient - start, derivative @ (X.astype(float) - centre), atol=1e-12)
    assert_allclose(sums, [weight @ loss.value(y, wanted), derivative.sum()], atol=1e-12)
    again = np.empty((3, n))
    alone = losses.loss_of_dense_rows(
        number, loss.power, X, centre, coef, 0.3, y, offset if given else NONE,
        weight if given else NONE, n, *again, NONE,
    )  # fmt: skip
    assert_allclose(alone, sums, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (6, 7), (50, 13)])
@pytest.mark.parametrize("n_folds", [1, 4, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_folds_of_dense_rows_are_their_losses_one_by_one(losses, dtype, n_folds, shape, given):
    rng = np.random.default_rng(0)
    (n, p), centre = shape, np.full(shape[1], 5.0)
    X = np.asarray(rng.standard_normal((n, p + 2)) + 5.0, dtype=dtype)[:, :p]
    coef, intercept = rng.standard_normal((n_folds, p)), rng.standard_normal(n_folds)
    y, offset = rng.integers(0, 4, n).astype(float), rng.standard_normal(n) if given else NONE
    weights = [rng.integers(0, 3, n).astype(float) for _ in range(n_folds)]
    number = LossOfRows(Poisson(), y).number
    rooms = np.empty((2 * n_folds, 6)), np.empty(max(6, 4 * p))
    values, totals, gradient = np.zeros(n_folds), np.zeros(n_folds), np.zeros((n_folds, p))
    out = np.empty((n_folds, n + 3))
    losses.folds_of_dense_rows(
        number, 1.0, X, centre, coef, intercept, y, offset, weights, *rooms, out[:, 1 : n + 1],
        values, totals, gradient,
    )  # fmt: skip
    for k in range(n_folds):
        eta, derivative, curvature = np.empty((3, n))
        alone = np.zeros(p)
        sums = losses.loss_of_dense_rows(
            number, 1.0, X, centre, coef[k], intercept[k], y, offset, weights[k], 6, eta,
            derivative, curvature, alone,
        )  # fmt: skip
        assert_allclose(out[k, 1 : n + 1], eta, rtol=1e-12)
        assert_allclose([values[k], totals[k]], sums, rtol=1e-10, atol=1e-10)
        assert_allclose(gradient[k], alone, rtol=1e-10, atol=1e-10 * abs(alone).max())


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (6, 7), (50, 13)])
@pytest.mark.parametrize("K", [2, 3, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_classes_of_dense_rows_are_those_of_their_predictors(losses, dtype, K, shape, given):
    rng = np.random.default_rng(0)
    (n, p), centre = shape, np.full(shape[1], 5.0)
    X = np.asarray(rng.standard_normal((n, p + 2)) + 5.0, dtype=dtype)[:, :p]
    coef, intercept, y = rng.standard_normal((K, p)), rng.standard_normal(K), rng.integers(0, K, n)
    offset = rng.standard_normal((n, K)) if given else np.empty((0, 1))
    weight = rng.integers(0, 3, n).astype(float) if given else NONE
    rooms = np.empty((2 * K, 6)), np.empty(max(6, 4 * p))
    eta, totals, gradient = np.empty((K, n)), np.zeros(K), np.zeros((K, p))
    value = losses.classes_of_dense_rows(
        X, centre, coef, intercept, y, offset, weight, *rooms, eta, totals, gradient
    )
    wanted = (X.astype(float) - centre) @ coef.T + intercept + (offset if given else 0.0)
    weight = weight if given else np.ones(n)
    derivative = weight[:, None] * Multinomial.derivative(y, wanted)
    assert_allclose(eta.T, wanted, atol=1e-12)
    assert_allclose(value, weight @ Multinomial.value(y, wanted), rtol=1e-12, atol=1e-12)
    assert_allclose(totals, derivative.sum(axis=0), atol=1e-12)
    assert_allclose(gradient, derivative.T @ (X.astype(float) - centre), atol=1e-11)
