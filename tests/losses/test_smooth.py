"""Losses with a curvature: in Python against kernels, differences and 50 digits."""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastridge._kernels import smooth_losses
from fastridge.losses.gamma import Gamma
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows, Multinomial
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.squared import Squared
from fastridge.losses.tweedie import Tweedie, TweedieIdentity

COUNTS = [0.0, 0.3, 2.0, 50.0]
AMOUNTS = [0.3, 2.0, 50.0]
LOSSES = {
    "logistic": (Logistic(), [-1.0, 1.0]),
    "squared": (Squared(), [-1.0, 0.0, 7.0]),
    "poisson": (Poisson(), COUNTS),
    "gamma": (Gamma(), AMOUNTS),
    "tweedie -1": (Tweedie(-1.0), AMOUNTS),
    "tweedie 0": (Tweedie(0.0), COUNTS),
    "tweedie 1.5": (Tweedie(1.5), COUNTS),
    "tweedie 3": (Tweedie(3.0), AMOUNTS),
    "identity 1": (TweedieIdentity(1.0), COUNTS),
    "identity 1.7": (TweedieIdentity(1.7), COUNTS),
    "identity 2": (TweedieIdentity(2.0), AMOUNTS),
    "identity 3": (TweedieIdentity(3.0), AMOUNTS),
}
ETA = np.array([-30.0, -3.0, -0.7, -0.1, 0.0, 0.05, 0.6, 1.7, 3.0, 30.0])


def predictors(loss):
    return ETA[ETA > 0.0] if isinstance(loss, TweedieIdentity) else ETA


def every(name):
    """Return a loss, and targets and linear predictors in every combination."""
    loss, targets = LOSSES[name]
    y, eta = (a.ravel() for a in np.meshgrid(targets, predictors(loss)))
    return loss, y, eta


def by_kernel(loss, y, eta, weight=None):
    derivative, curvature = np.full((2, len(y)), np.nan)
    sums = LossOfRows(loss, y).expand(eta, weight, derivative, curvature)
    return sums, derivative, curvature


@pytest.mark.parametrize("name", LOSSES)
def test_kernel_gives_value_derivative_and_curvature_of_the_python_loss(name):
    loss, y, eta = every(name)
    (value, total), derivative, curvature = by_kernel(loss, y, eta)
    assert_allclose(value, loss.value(y, eta).sum(), rtol=1e-13)
    size = np.abs(loss.derivative(y, eta)) + loss.curvature(y, eta)
    assert (np.abs(derivative - loss.derivative(y, eta)) <= 1e-13 * size).all()
    assert_allclose(curvature, loss.curvature(y, eta), rtol=1e-12)
    assert_allclose(total, derivative.sum(), rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_kernel_with_weights_multiplies_and_ignores_rows_of_weight_zero(name):
    loss, y, eta = every(name)
    weight = np.random.default_rng(0).random(len(y))
    weight[::3] = 0.0
    (value, total), derivative, curvature = by_kernel(loss, y, eta, weight)
    spoilt = np.where(weight > 0.0, eta, np.where(np.arange(len(y)) % 2, np.nan, 1e300))
    (value2, total2), derivative2, curvature2 = by_kernel(loss, y, spoilt, weight)
    assert (value, total) == (value2, total2)
    assert_array_equal(derivative, derivative2)
    assert_array_equal(curvature, curvature2)
    counted = weight > 0.0
    wanted = weight[counted] @ loss.value(y[counted], eta[counted])
    assert_allclose(value, wanted, rtol=1e-13)
    assert_allclose(derivative, np.where(counted, weight * loss.derivative(y, eta), 0.0), 1e-12)
    assert_allclose(curvature, np.where(counted, weight * loss.curvature(y, eta), 0.0), 1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_derivative_and_curvature_match_differences(name):
    loss, y, eta = every(name)
    some = np.abs(eta) < 5.0
    y, eta, h = y[some], eta[some], 1e-6
    difference = (loss.value(y, eta + h) - loss.value(y, eta - h)) / (2.0 * h)
    size = np.abs(difference) + np.abs(loss.value(y, eta))
    assert (np.abs(loss.derivative(y, eta) - difference) <= 1e-7 * (1.0 + size)).all()
    exact = (loss.derivative(y, eta + h) - loss.derivative(y, eta - h)) / (2.0 * h)
    curvature = loss.curvature(y, eta)
    assert (curvature > 0.0).all()
    if name in ("logistic", "squared", "poisson", "gamma", "tweedie 1.5"):
        assert_allclose(curvature, exact, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_saturated_loss_is_that_of_means_equal_to_the_targets(name):
    loss, y, eta = every(name)
    least = loss.saturated(y)
    assert (loss.value(y, eta) >= least - 1e-12 * (1.0 + np.abs(least))).all()
    if name == "logistic":
        assert (least == 0.0).all()
        return
    inside = y > 0.0
    perfect = y[inside] if loss.link == "identity" else np.log(y[inside])
    assert_allclose(loss.mean_of(perfect), y[inside], rtol=1e-14)
    assert_allclose(loss.value(y[inside], perfect), least[inside], rtol=1e-12, atol=1e-12)
    assert_allclose(loss.derivative(y[inside], perfect), 0.0, atol=1e-9 * y.max() ** 3)


@pytest.mark.parametrize("name", LOSSES)
def test_null_predictor_has_no_derivative(name):
    loss, _, _ = every(name)
    y = np.random.default_rng(0).choice(LOSSES[name][1], 50)
    eta = np.full(50, loss.null_predictor(y.mean()))
    derivative = loss.derivative(y, eta)
    assert abs(derivative.sum()) <= 1e-12 * np.abs(derivative).sum()


@pytest.mark.parametrize("eta", [-700.0, -40.0, -1e-3, 1e-18, 0.3, 37.0, 700.0])
def test_logistic_kernel_has_the_digits_of_fifty(eta):
    (value, _), derivative, curvature = by_kernel(Logistic(), np.ones(1), np.array([eta]))
    with mpmath.workdps(50):
        power = mpmath.exp(-mpmath.mpf(eta))
        wanted = mpmath.log1p(power), -power / (1 + power), power / (1 + power) ** 2
    rtol = 2e-15 + 1e-16 * abs(eta)
    assert_allclose([value, derivative[0], curvature[0]], [float(w) for w in wanted], rtol=rtol)


def test_newton_rows_gives_steps_and_roots_that_multiply_to_the_derivative():
    derivative = np.array([2.0, -1e-30, 0.0, 3.0, 0.0, 1.0])
    curvature = np.array([0.5, 1e-300, 0.0, 0.0, 1.0, 1e-320])
    step, root = derivative.copy(), curvature.copy()
    smooth_losses.newton_rows(step, root)
    assert np.isfinite(step).all()
    assert_allclose(step * root * root, derivative, rtol=1e-14)
    assert_allclose(root[[0, 4]] ** 2, curvature[[0, 4]], rtol=1e-15)


def test_classes_of_rows_with_weights_give_the_multinomial_loss():
    rng = np.random.default_rng(0)
    eta, y = 40.0 * rng.standard_normal((30, 4)), rng.integers(0, 4, 30)
    weight = rng.random(30)
    weight[::4] = 0.0
    for given in (weight, None):
        v = np.ones(30) if given is None else given
        derivative = np.full((4, 30), np.nan)
        spoilt = np.ascontiguousarray(eta.T)
        spoilt[:, v == 0.0] = np.nan
        value = ClassesOfRows(y, 4).expand(spoilt, given, derivative)
        assert_allclose(value, v @ Multinomial.value(y, eta), rtol=1e-13)
        assert_allclose(derivative.T, v[:, None] * Multinomial.derivative(y, eta), atol=1e-14)
        assert ClassesOfRows(y, 4).value_of(spoilt, given) == value


@pytest.mark.parametrize("weight", [None, np.array([0.5, 3.0, 0.0])])
def test_multinomial_loss_of_rows_that_are_fitted_well_has_all_digits(weight):
    y = np.array([0, 1, 2])
    eta = np.array([[30.0, 0.1, 0.0], [0.0, 20.0, 1.0], [-1.0, -3.0, 50.0]])
    derivative = np.empty((3, 3))
    value = ClassesOfRows(y, 3).expand(eta, weight, derivative)
    v = np.ones(3) if weight is None else weight
    others = [[k for k in range(3) if k != y[i]] for i in range(3)]
    odds = [sum(np.exp(eta[k, i] - eta[y[i], i]) for k in others[i]) for i in range(3)]
    assert value == pytest.approx(float(v @ np.log1p(odds)), rel=1e-14)
    own = -np.array(odds) / (1.0 + np.array(odds))
    assert_allclose(derivative[y, np.arange(3)], v * own, rtol=1e-14)
    assert_allclose(Multinomial.derivative(y, eta.T)[np.arange(3), y], own, rtol=1e-14)
