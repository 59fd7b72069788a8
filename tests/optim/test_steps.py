"""Steps of SGD, Adam and AdamW against the slow reference, in every layout, dtype and option."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from optimizer_reference import SlowAdam, SlowAdamW, SlowSGD

from fastridge.optim import SGD, Adam, AdamW

SGD_OPTIONS = {
    "plain": {},
    "penalty": {"weight_decay": 0.1},
    "momentum": {"momentum": 0.9},
    "momentum, penalty": {"momentum": 0.9, "weight_decay": 0.1},
    "dampening": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "maximize": {"momentum": 0.5, "maximize": True, "weight_decay": 0.1},
}
ADAM_OPTIONS = {
    "defaults": {},
    "penalty": {"weight_decay": 0.1},
    "betas": {"betas": (0.5, 0.7), "eps": 1e-3},
    "no memory": {"betas": (0.0, 0.0), "weight_decay": 0.1},
    "amsgrad": {"amsgrad": True, "weight_decay": 0.1},
    "maximize": {"maximize": True, "weight_decay": 0.1},
    "eps 0": {"eps": 0},
}
CASES = (
    [pytest.param(SGD, SlowSGD, SGD_OPTIONS[name], id=f"SGD, {name}") for name in SGD_OPTIONS]
    + [
        pytest.param(Adam, SlowAdam, ADAM_OPTIONS[name], id=f"Adam, {name}")
        for name in ADAM_OPTIONS
    ]
    + [
        pytest.param(AdamW, SlowAdamW, ADAM_OPTIONS[name], id=f"AdamW, {name}")
        for name in ADAM_OPTIONS
    ]
    + [
        pytest.param(
            Adam, SlowAdam, {"decoupled_weight_decay": True, "weight_decay": 0.2}, id="decoupled"
        )
    ]
)
SHAPES = [(7, 5), (5,), (), (0, 3), (2, 3, 4)]
N_STEPS = 12


def tolerance(dtype):
    # after some steps of roundings that neither side shares
    size = 2e-5 if dtype is np.float32 else 1e-13
    return {"rtol": size, "atol": size}


def arrays(rng, dtype, order="C"):
    return [np.asarray(rng.standard_normal(shape), dtype, order=order) for shape in SHAPES]


@pytest.mark.parametrize(("fast", "slow", "options"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("orders", ["CC", "FF", "CF", "FC"])
def test_step_matches_the_reference(fast, slow, options, dtype, orders):
    rng = np.random.default_rng(0)
    params = arrays(rng, dtype, orders[0])
    optimizer, reference = fast(params, lr=0.01, **options), slow(params, lr=0.01, **options)
    for step in range(N_STEPS):
        grads = arrays(rng, dtype, orders[1])
        if step % 3 == 1:
            grads[step % len(grads)] = None
        kept = [None if grad is None else grad.copy() for grad in grads]
        optimizer.step(grads)
        reference.step(grads)
        for param, expected in zip(params, reference.params, strict=True):
            assert_allclose(param, expected, **tolerance(dtype))
        for grad, before in zip(grads, kept, strict=True):
            if grad is not None:
                assert_array_equal(grad, before)


@pytest.mark.parametrize("layout", ["row-strided", "reversed", "broadcast", "unaligned"])
def test_step_accepts_gradients_of_any_layout(layout):
    rng = np.random.default_rng(0)
    grad = rng.standard_normal((6, 4))
    if layout == "row-strided":
        grad = np.repeat(grad, 2, axis=0)[::2]
    elif layout == "reversed":
        grad = np.ascontiguousarray(grad[::-1, ::-1])[::-1, ::-1]
    elif layout == "broadcast":
        grad = np.broadcast_to(grad[0], (6, 4))
    else:
        room = np.zeros(grad.nbytes + 1, np.uint8)
        room[1:] = np.frombuffer(grad.tobytes(), np.uint8)
        grad = room[1:].view(np.float64).reshape(6, 4)
        assert not grad.flags.aligned
    grad.flags.writeable = False
    for order in "CF":
        start = np.asarray(rng.standard_normal((6, 4)), order=order)
        param, expected = start.copy(order="K"), start.copy(order="K")
        AdamW([param]).step([grad])
        AdamW([expected]).step([grad.copy()])
        assert_array_equal(param, expected)


def test_step_uses_options_of_groups_and_their_changes():
    rng = np.random.default_rng(0)
    params = [rng.standard_normal(n) for n in (4, 5, 6)]
    slow_first = SlowAdamW(params[:2], lr=0.1)
    slow_second = SlowAdamW(params[2:], lr=0.01, weight_decay=0.0)
    groups = [
        {"params": params[:2], "lr": 0.1},
        {"params": params[2], "weight_decay": 0.0},
    ]
    optimizer = AdamW(groups, lr=0.01)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]
    for step in range(8):
        grads = [rng.standard_normal(n) for n in (4, 5, 6)]
        if step == 4:
            optimizer.param_groups[0]["lr"] *= 0.1
            optimizer.param_groups[1]["betas"] = (0.5, 0.9)
            slow_first.lr *= 0.1
            slow_second.betas = (0.5, 0.9)
        optimizer.step(grads)
        slow_first.step(grads[:2])
        slow_second.step(grads[2:])
    for param, expected in zip(params, [*slow_first.params, *slow_second.params], strict=True):
        assert_allclose(param, expected, rtol=1e-13, atol=1e-13)


def test_add_param_group_between_steps_works():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal(4), rng.standard_normal(3)
    expected = SlowAdam([second])
    optimizer = Adam([first])
    optimizer.step([first.copy()])
    optimizer.add_param_group({"params": second})
    optimizer.step([None, np.ones(3)])
    expected.step([np.ones(3)])
    assert_allclose(second, expected.params[0], rtol=1e-13)
    assert [state["step"] for state in optimizer.state] == [1, 1]


def test_sgd_momentum_set_between_steps_works():
    param = np.array([1.0, 2.0])
    optimizer, grad = SGD([param], lr=0.1, dampening=0.5), np.ones(2)
    optimizer.step([grad])
    assert optimizer.state == [{}]
    optimizer.param_groups[0]["momentum"] = 0.9
    optimizer.step([grad])  # the first with momentum begins with the gradient, undampened
    assert_allclose(param, [0.8, 1.8])
    optimizer.step([grad])
    assert_allclose(param, [0.8 - 0.1 * 1.4, 1.8 - 0.1 * 1.4])


@pytest.mark.parametrize("fast", [SGD, Adam, AdamW])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_step_with_a_non_finite_gradient_changes_only_its_entry(fast, bad):
    param, grad = np.ones(30), np.ones(30)
    grad[7] = bad
    fast([param]).step([grad])
    assert not np.isfinite(param[7])
    assert np.isfinite(np.delete(param, 7)).all()


def test_adamw_shrinks_all_weights_alike_but_adam_with_penalty_does_not():
    lost = {}
    for fast in (AdamW, Adam):
        moved, free = np.ones(2), np.ones(2)
        held, left = fast([moved], weight_decay=0.1), fast([free], weight_decay=0.0)
        for step in range(200):
            grad = np.array([100.0, 0.01]) * (-1) ** step
            held.step([grad])
            left.step([grad])
        lost[fast] = free - moved
    assert_allclose(lost[AdamW], 1 - (1 - 1e-3 * 0.1) ** 200, rtol=1e-2)
    assert lost[Adam][1] > 100 * abs(lost[Adam][0])


def test_adamw_decay_is_exact():
    w = np.array([1.0, -3.0])
    AdamW([w], lr=0.1, weight_decay=0.5).step([np.zeros(2)])
    assert_array_equal(w, [1 - 0.1 * 0.5, -3 * (1 - 0.1 * 0.5)])


def test_sgd_without_momentum_decays_by_its_penalty():
    rng = np.random.default_rng(0)
    w, grad = rng.standard_normal(20), rng.standard_normal(20)
    expected = w * (1 - 0.1 * 0.3) - 0.1 * grad
    SGD([w], lr=0.1, weight_decay=0.3).step([grad])
    assert_allclose(w, expected, rtol=1e-14, atol=1e-15)


def test_sgd_with_penalty_converges_to_ridge():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 4))
    y = X @ [1.0, -2.0, 0.0, 3.0] + rng.standard_normal(50)
    w = np.zeros(4)
    optimizer = SGD([w], lr=0.1, momentum=0.8, weight_decay=0.3)
    for _ in range(500):
        optimizer.step([X.T @ (X @ w - y) / 50])
    assert_allclose(w, np.linalg.solve(X.T @ X + 50 * 0.3 * np.eye(4), X.T @ y), rtol=1e-10)
