"""Losses of dense rows and their gradient in one call: with NumPy, for every instruction set."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge._kernels import available
from fastridge.losses.gamma import Gamma
from fastridge.losses.logistic import Logistic
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
