"""Norms of gradients, and clipping by them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastridge.optim import clip_grad_norm_

ORDERS = [0.5, 1, 1.5, 2.0, 7, np.inf, "inf"]


def norm_of(grads, order):
    together = np.concatenate([np.ravel(grad).astype(np.float64) for grad in grads])
    order = float(order)
    if order == np.inf:
        return np.abs(together).max(initial=0.0)
    return np.sum(np.abs(together) ** order) ** (1 / order)


def gradients(seed=0):
    rng = np.random.default_rng(seed)
    single = rng.standard_normal((5, 4)).astype(np.float32)
    return [single, rng.standard_normal(7), np.asfortranarray(rng.standard_normal((3, 2)))]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("share", [0.3, 1.0, 2.0])
def test_clip_grad_norm_returns_the_norm_and_scales(order, share):
    grads = gradients()
    before = [grad.copy(order="K") for grad in grads]
    norm = norm_of(grads, order)
    given = [None, *grads[:2], None, grads[2]]
    assert_allclose(clip_grad_norm_(given, share * norm, order), norm, rtol=1e-13)
    factor = min(1.0, share * norm / (norm + 1e-6))
    for grad, old in zip(grads, before, strict=True):
        assert grad.dtype == old.dtype
        assert_allclose(grad, old * factor, rtol=1e-6 if grad.dtype == np.float32 else 1e-14)
    assert norm_of(grads, order) <= norm_of(before, order) * min(1.0, share) * (1 + 1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e160, 1e308])
def test_clip_grad_norm_neither_overflows_nor_underflows(order, size):
    x = np.array([3.0, -4.0, 0.0]) * size if size < 1e300 else np.array([0.3, -0.4, 0.0]) * size
    with np.errstate(all="ignore"):
        largest = np.abs(x).max()
        expected = largest * norm_of([x / largest], order)
    assert_allclose(clip_grad_norm_(x, np.inf, order), expected, rtol=1e-12, atol=5e-324)


def test_clip_grad_norm_without_gradients_is_zero():
    assert clip_grad_norm_([], 1.0) == 0.0
    assert clip_grad_norm_([None], 1.0) == 0.0
    assert clip_grad_norm_([np.empty((0, 3))], 1.0, np.inf) == 0.0
    assert clip_grad_norm_([np.zeros(3)], 0.0) == 0.0


def test_clip_grad_norm_accepts_an_array_or_a_generator():
    grad = np.array([3.0, 4.0])
    assert clip_grad_norm_(grad, 1.0) == 5.0
    assert_allclose(grad, [0.6, 0.8], rtol=1e-6)
    assert_allclose(clip_grad_norm_((g for g in [grad]), 10.0), 1.0, rtol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_clip_grad_norm_of_non_finite_gradients(order, bad):
    grads = [np.ones(3), np.array([1.0, bad, 2.0])]
    with pytest.raises(RuntimeError, match="norm of order .* is (nan|inf), so they cannot"):
        clip_grad_norm_(grads, 1.0, order, error_if_nonfinite=True)
    assert_array_equal(grads[0], 1.0)
    found = clip_grad_norm_(grads, np.inf, order)
    assert_array_equal(found, np.abs(bad))
    assert_array_equal(grads[0], 1.0)
    clip_grad_norm_(grads, 1.0, order)
    assert_array_equal(grads[0], np.nan if np.isnan(bad) else 0.0)


def read_only():
    array = np.ones(3)
    array.flags.writeable = False
    return array


SHARED = np.ones(6)


@pytest.mark.parametrize(
    ("grads", "options", "error", "message"),
    [
        (3.0, {}, TypeError, "^grads must be an array or a list"),
        ([np.ones(2), [1.0]], {}, TypeError, r"^grads\[1\] must be a NumPy array, got list"),
        ([np.arange(3)], {}, TypeError, r"^grads\[0\] must have dtype float32 or float64"),
        ([np.ones(6)[::2]], {}, ValueError, r"^grads\[0\] must be contiguous"),
        ([None, read_only()], {}, ValueError, r"^grads\[1\] is read-only"),
        ([SHARED, None, SHARED[2:3]], {}, ValueError, "^gradient 0 and gradient 2 share"),
        ([np.ones(2)], {"max_norm": -1.0}, ValueError, "^max_norm must be a number from 0 up"),
        ([np.ones(2)], {"max_norm": np.nan}, ValueError, "^max_norm must be a number from 0 up"),
        ([np.ones(2)], {"max_norm": "1"}, TypeError, "^max_norm must be a number from 0 up"),
        ([np.ones(2)], {"norm_type": 0}, ValueError, "^norm_type must be a number above 0"),
        ([np.ones(2)], {"norm_type": -np.inf}, ValueError, "^norm_type must be a number above 0"),
        ([np.ones(2)], {"norm_type": "two"}, ValueError, "^norm_type must be a number above 0"),
        ([np.ones(2)], {"error_if_nonfinite": 1}, TypeError, "^error_if_nonfinite must be True"),
        ([np.ones(2)], {"n_threads": 0}, ValueError, "^n_threads must be"),
    ],
)
def test_clip_grad_norm_with_invalid_arguments_raises(grads, options, error, message):
    with pytest.raises(error, match=message):
        clip_grad_norm_(grads, **{"max_norm": 0.1, **options})
    assert_array_equal(SHARED, 1.0)
