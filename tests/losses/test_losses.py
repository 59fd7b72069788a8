"""Losses in Python against those of the kernels, and derivatives against differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import _kernels
from fastridge.losses.multinomial import Multinomial
from fastridge.losses.registry import LOSSES, REGRESSION_LOSSES

EPSILON = 0.23
ETA = np.array([-40.0, -3.0, -1.2, -0.7, -0.1, 0.05, 0.6, 0.95, 1.7, 30.0])


def test_names_are_those_of_the_kernels_in_their_order():
    assert (*LOSSES, Multinomial.name) == _kernels.losses.names()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_value_and_derivative_are_those_of_the_kernel(name, y):
    loss, number = LOSSES[name](EPSILON), _kernels.losses.names().index(name)
    value = [_kernels.losses.value(number, EPSILON, y, eta) for eta in ETA]
    derivative = [_kernels.losses.derivative(number, EPSILON, y, eta) for eta in ETA]
    assert_allclose(loss.value(y, ETA), value, rtol=1e-12, atol=1e-300)
    assert_allclose(loss.derivative(y, ETA), derivative, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_derivative_matches_differences_of_the_value(name, y):
    loss, h = LOSSES[name](EPSILON), 1e-6
    difference = (loss.value(y, ETA + h) - loss.value(y, ETA - h)) / (2.0 * h)
    assert_allclose(loss.derivative(y, ETA), difference, rtol=1e-6, atol=1e-8)


def test_derivatives_of_the_softmax_match_differences_of_the_value():
    rng, h = np.random.default_rng(0), 1e-6
    eta, y = rng.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0])
    for k in range(3):
        step = h * (np.arange(3) == k)
        difference = Multinomial.value(y, eta + step) - Multinomial.value(y, eta - step)
        assert_allclose(Multinomial.derivative(y, eta)[:, k], difference / (2.0 * h), atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_null_loss_is_the_mean_at_zero(name):
    y = np.array([-1.0, 1.0, 1.0, -1.0])
    loss = LOSSES[name](EPSILON)
    assert loss.null_loss(y) == pytest.approx(np.mean(loss.value(y, np.zeros(4))))
    assert loss.classifies == (name not in REGRESSION_LOSSES)


@pytest.mark.parametrize("name", ["log_loss", "modified_huber"])
def test_probability_minimises_the_expected_loss(name):
    loss, h = LOSSES[name](), 1e-5
    for eta in (-0.8, -0.2, 0.0, 0.5, 0.9):
        share = loss.probability(np.array([eta]))

        def expected(at, share=share):
            return share * loss.value(1.0, at) + (1.0 - share) * loss.value(-1.0, at)

        assert expected(eta) <= min(expected(eta - h), expected(eta + h))
