"""Steps of optimisers and norms of gradients, for every instruction set and dtype."""

import importlib
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from optimizer_reference import SlowAdam, SlowSGD

from fastridge import _kernels

DTYPES = [np.float32, np.float64]


@pytest.fixture(params=_kernels.available)
def steps(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.optimizer_steps")


def rounding(dtype):
    """Tolerance of a few roundings of values about 1."""
    return {"rtol": 8 * np.finfo(dtype).eps, "atol": 8 * np.finfo(dtype).eps}


def parts(n):
    """Ways to cut a range, which no entry may notice."""
    return [[0, n], [0, n // 3, n // 3, n], [0, min(1, n), n]]


def values(rng, n, dtype):
    return rng.standard_normal(n).astype(dtype)


@pytest.fixture
def others():
    """The kernels for every instruction set, which give the same bits."""
    names = _kernels.available
    return [importlib.import_module(f"fastridge._kernels.{s}.optimizer_steps") for s in names]


def sgd_step(steps, arrays, factors, nesterov, borders):
    for begin, end in itertools.pairwise(borders):
        steps.sgd_step(*arrays, steps.SgdFactors(*factors), nesterov, begin, end)


def adam_step(steps, arrays, factors, borders):
    for begin, end in itertools.pairwise(borders):
        steps.adam_step(*arrays, steps.AdamFactors(*factors), begin, end)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 15, 64, 1001])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("maximize", [False, True])
def test_sgd_step(steps, dtype, n, weight_decay, maximize):
    sign = -1.0 if maximize else 1.0
    for momentum, nesterov in [(0.0, False), (0.9, False), (0.9, True)]:
        results = []
        for borders in parts(n):
            rng = np.random.default_rng(n)
            param, buffer = values(rng, n, dtype), np.zeros(n if momentum else 0, dtype)
            slow = SlowSGD(
                [param], 0.1, momentum, 0.2 * (not nesterov), weight_decay, nesterov, maximize
            )
            for step in range(3):
                grad = values(rng, n, dtype)
                keep, take = (0.0, 1.0) if step == 0 else (momentum, 1.0 - slow.dampening)
                factors = [sign, weight_decay, keep, take, momentum, 0.1]
                sgd_step(steps, (param, grad, buffer), factors, nesterov, borders)
                slow.step([grad])
            assert_allclose(param, slow.params[0], **rounding(dtype))
            if momentum:
                assert_allclose(buffer, slow.buffers[0], **rounding(dtype))
            results.append(param)
        assert_array_equal(results[1], results[0])
        assert_array_equal(results[2], results[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 15, 64, 1001])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_step(steps, dtype, n, weight_decay, decoupled, amsgrad):
    beta1, beta2, eps, lr = 0.8, 0.95, 1e-3, 0.1
    results = []
    for borders in parts(n):
        rng = np.random.default_rng(n)
        param, mean, square = values(rng, n, dtype), np.zeros(n, dtype), np.zeros(n, dtype)
        largest = np.zeros(n if amsgrad else 0, dtype)
        slow = SlowAdam(
            [param],
            lr,
            (beta1, beta2),
            eps,
            weight_decay,
            amsgrad,
            decoupled_weight_decay=decoupled,
        )
        for t in range(1, 4):
            grad = (values(rng, n, dtype) / t**2).astype(dtype)
            penalty, shrink = (0.0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
            rate, correction = lr / (1 - beta1**t), 1 / math.sqrt(1 - beta2**t)
            factors = [1.0, penalty, beta1, 1 - beta1, beta2, 1 - beta2]
            factors += [shrink, rate, correction, eps]
            adam_step(steps, (param, grad, mean, square, largest), factors, borders)
            slow.step([grad])
        assert_allclose(param, slow.params[0], **rounding(dtype))
        assert_allclose(mean, slow.mean[0], **rounding(dtype))
        assert_allclose(square, slow.square[0], **rounding(dtype))
        if amsgrad:
            assert_allclose(largest, slow.largest[0], **rounding(dtype))
        results.append(param)
    assert_array_equal(results[1], results[0])
    assert_array_equal(results[2], results[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_decay_alone_is_one_rounding(steps, dtype):
    param = values(np.random.default_rng(0), 1001, dtype)
    expected = param * dtype(1 - 0.1 * 0.37)
    zeros = np.zeros_like(param)
    factors = [1.0, 0.0, 0.9, 0.1, 0.99, 0.01, 1 - 0.1 * 0.37, 0.1, 1.0, 1e-8]
    adam_step(steps, (param, zeros, zeros.copy(), zeros.copy(), zeros[:0]), factors, [0, 1001])
    assert_array_equal(param, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_means_of_gradients_that_have_ended_do_not_stay_denormal(steps, dtype, sign):
    least = np.finfo(dtype).tiny
    param, grad = np.ones(70, dtype), np.zeros(70, dtype)
    mean, square = np.full((2, 70), least, dtype)
    mean *= dtype(sign)
    buffer = mean.copy()
    arrays = (param, grad, mean, square, square[:0])
    adam_step(steps, arrays, [1.0, 0.0, 0.9, 0.1, 0.99, 0.01, 1.0, 1e-3, 1.0, 1e-8], [0, 70])
    sgd_step(steps, (param, grad, buffer), [1.0, 0.0, 0.9, 1.0, 0.9, 0.1], False, [0, 70])
    for kept in (mean, square, buffer):
        assert_array_equal(kept, 0.0)
    assert_array_equal(param, 1.0)
    mean, square = np.full((2, 70), 2 * least, dtype)  # what is normal stays
    adam_step(steps, (param, grad, mean, square, square[:0]), [1.0, 0.0] + 8 * [0.5], [0, 70])
    assert_array_equal(mean, least)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_steps_nonfinite_gradient_changes_only_its_entry(steps, dtype, bad):
    n, at = 40, 21
    others = np.arange(n) != at
    for amsgrad in (False, True):
        param, grad = np.ones(n, dtype), np.ones(n, dtype)
        grad[at] = bad
        mean, square, largest = np.zeros((3, n), dtype)
        arrays = (param, grad, mean, square, largest if amsgrad else largest[:0])
        factors = [1.0, 0.0, 0.9, 0.1, 0.99, 0.01, 1.0, 0.1, 1.0, 1e-8]
        for _ in range(2):
            adam_step(steps, arrays, factors, [0, n])
        assert np.isnan(param[at])
        assert not np.isfinite([mean[at], square[at]]).any()
        if amsgrad:
            assert not np.isfinite(largest[at])
            assert np.isfinite(largest[others]).all()
        assert np.isfinite(param[others]).all()
    param, buffer = np.ones(n, dtype), np.zeros(n, dtype)
    sgd_step(steps, (param, grad, buffer), [1.0, 0.0, 0.9, 1.0, 0.9, 0.1], False, [0, n])
    assert_array_equal(buffer[at], bad)
    assert_array_equal(param[at], -bad)
    assert np.isfinite(param[others]).all()


def test_a_term_that_is_off_does_not_touch_infinity(steps):
    param, grad = np.array([np.inf, 1.0]), np.ones(2)
    sgd_step(steps, (param, grad, param[:0]), [1.0, 0.0, 0.0, 1.0, 0.0, 0.1], False, [0, 2])
    assert_array_equal(param, [np.inf, 0.9])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 15, 64, 1001])
def test_norms(steps, dtype, n):
    x = values(np.random.default_rng(n), n, dtype)
    magnitudes = np.abs(x.astype(np.float64))
    for begin, end in [(0, n), (n // 4, n // 2)]:
        part = magnitudes[begin:end]
        for order in (0.5, 1.0, 2.0, 3.0):
            for scale in (1.0, 0.25):
                found = steps.sum_powers(x, order, scale, begin, end)
                assert_allclose(found, np.sum((scale * part) ** order), rtol=1e-12, atol=0)
        assert steps.largest_magnitude(x, begin, end) == part.max(initial=0.0)
    x.flags.writeable = False  # norms only read
    assert steps.sum_powers(x, 2.0, 1.0, 0, n) >= 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_norms_of_what_is_not_finite(steps, dtype):
    for bad, found in [(np.nan, np.nan), (np.inf, np.inf), (-np.inf, np.inf)]:
        for at in (0, 20, 39):
            x = np.ones(40, dtype)
            x[at] = bad
            assert_array_equal(steps.largest_magnitude(x, 0, 40), found)
            for order in (0.5, 1.0, 2.0, 3.0):
                assert_array_equal(steps.sum_powers(x, order, 1.0, 0, 40), found)
    x = np.array([np.nan, np.inf, 1.0], dtype)
    assert np.isnan(steps.largest_magnitude(x, 0, 3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_squares_of_small_and_large_float32_neither_vanish_nor_overflow(steps, dtype):
    for size in (1e-30, 1e30):
        x = np.full(100, size, dtype)
        expected = 100 * float(x[0]) ** 2
        assert_allclose(steps.sum_powers(x, 2.0, 1.0, 0, 100), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 15, 64, 1001])
def test_scale_values(steps, dtype, n):
    x = values(np.random.default_rng(n), n, dtype)
    expected = x.copy()
    expected[n // 4 : n // 2] *= dtype(0.37)
    steps.scale_values(x, 0.37, n // 4, n // 2)
    assert_array_equal(x, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_every_instruction_set_gives_the_same_bits(others, dtype, amsgrad):
    n = 1001
    factors = [1.0, 0.1, 0.9, 0.1, 0.99, 0.01, 0.99, 0.1, 1.3, 1e-3]
    results = []
    for steps in others:
        rng = np.random.default_rng(0)
        param, grad, mean = (values(rng, n, dtype) for _ in range(3))
        square, largest = values(rng, n, dtype) ** 2, values(rng, n, dtype) ** 2
        arrays = (param, grad, mean, square, largest if amsgrad else largest[:0])
        adam_step(steps, arrays, factors, [0, n])
        sgd_step(steps, (param, grad, mean), [1.0, 0.1, 0.9, 0.7, 0.9, 0.3], amsgrad, [0, n])
        norms = [steps.sum_powers(param, order, 1.3, 0, n) for order in (1.0, 2.0)]
        results.append(np.concatenate([param, mean, square, largest, norms]))
    for result in results:
        assert_array_equal(result, results[0])
