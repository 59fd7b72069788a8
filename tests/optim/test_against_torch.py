"""Step by step against ``torch.optim``, where PyTorch is installed (the `torch` extra)."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge.optim import SGD, Adam, AdamW, clip_grad_norm_

torch = pytest.importorskip("torch")

SGD_OPTIONS = [
    {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    for momentum, dampening, nesterov in [
        (0.0, 0.0, False),
        (0.9, 0.0, False),
        (0.9, 0.3, False),
        (0.9, 0.0, True),
    ]
]
ADAM_OPTIONS = [
    {"amsgrad": amsgrad, "betas": betas}
    for amsgrad, betas in itertools.product([False, True], [(0.9, 0.999), (0.4, 0.8)])
]
CASES = [
    (ours, theirs, {**options, "weight_decay": weight_decay, "maximize": maximize})
    for ours, theirs, choices in [
        (SGD, torch.optim.SGD, SGD_OPTIONS),
        (Adam, torch.optim.Adam, ADAM_OPTIONS),
        (AdamW, torch.optim.AdamW, ADAM_OPTIONS),
    ]
    for options, weight_decay, maximize in itertools.product(choices, [0.0, 0.1], [False, True])
]
WAYS = [{"foreach": False}, {"foreach": True}, {"fused": True}]
SHAPES = [(6, 5), (5,), (), (2, 3, 4)]
N_STEPS = 25


def tolerance(dtype):
    size = 1e-5 if dtype is np.float32 else 1e-12
    return {"rtol": size, "atol": size}


def drawn(rng, dtype):
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def tensors(arrays):
    return [torch.nn.Parameter(torch.tensor(array)) for array in arrays]


def set_grads(parameters, grads):
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = None if grad is None else torch.tensor(grad)


def assert_like(params, parameters, optimizer, rival, dtype):
    state = rival.state_dict()["state"]
    for k, (param, parameter) in enumerate(zip(params, parameters, strict=True)):
        assert_allclose(param, parameter.detach().numpy(), **tolerance(dtype))
        theirs = {name: value for name, value in state.get(k, {}).items() if value is not None}
        assert set(optimizer.state[k]) == set(theirs)
        for name, value in theirs.items():
            ours = optimizer.state[k][name]
            assert_allclose(ours, value.numpy(), **tolerance(dtype))
            if name != "step":
                assert ours.dtype == value.numpy().dtype


@pytest.mark.parametrize(("ours", "theirs", "options"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_step_matches_torch(ours, theirs, options, dtype, way):
    rng = np.random.default_rng(0)
    params = drawn(rng, dtype)
    parameters = tensors(params)
    optimizer, rival = ours(params, lr=0.01, **options), theirs(parameters, 0.01, **options, **way)
    for step in range(N_STEPS):
        grads = drawn(rng, dtype)
        if step % 4 == 1:
            grads[step % len(grads)] = None
        if step == N_STEPS // 2:
            for group in (*optimizer.param_groups, *rival.param_groups):
                group["lr"] *= 0.3
        set_grads(parameters, grads)
        optimizer.step(grads)
        rival.step()
        assert_like(params, parameters, optimizer, rival, dtype)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (SGD, torch.optim.SGD, {}),
        (Adam, torch.optim.Adam, {}),
        (AdamW, torch.optim.AdamW, {}),
        (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
        (Adam, torch.optim.Adam, {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ],
)
def test_groups_and_defaults_match_torch(ours, theirs, options):
    rng = np.random.default_rng(0)
    params = drawn(rng, np.float64)
    parameters = tensors(params)

    def groups(values):
        return [{"params": values[:2], "lr": 0.1}, {"params": values[2:], "weight_decay": 0.5}]

    optimizer, rival = ours(groups(params), **options), theirs(groups(parameters), **options)
    for own, other in zip(optimizer.param_groups, rival.param_groups, strict=True):
        for name in set(own) - {"params"}:
            assert own[name] == other[name], name
    for _ in range(N_STEPS):
        grads = drawn(rng, np.float64)
        set_grads(parameters, grads)
        optimizer.step(grads)
        rival.step()
        assert_like(params, parameters, optimizer, rival, np.float64)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
        (Adam, torch.optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
        (AdamW, torch.optim.AdamW, {}),
    ],
)
def test_load_state_dict_of_torch_resumes_training(ours, theirs, options):
    rng = np.random.default_rng(0)
    parameters = tensors(drawn(rng, np.float32))
    rival = theirs(parameters, lr=0.01, **options)
    for _ in range(5):
        set_grads(parameters, [*drawn(rng, np.float32)[:3], None])
        rival.step()
    params = [parameter.detach().numpy().copy() for parameter in parameters]
    optimizer = ours(params)
    optimizer.load_state_dict(rival.state_dict())
    for _ in range(N_STEPS):
        grads = drawn(rng, np.float32)
        set_grads(parameters, grads)
        rival.step()
        optimizer.step(grads)
        assert_like(params, parameters, optimizer, rival, np.float32)


def test_adamw_load_state_dict_of_adam_resumes_with_decay():
    rng = np.random.default_rng(0)
    parameters = tensors(drawn(rng, np.float64))
    before = torch.optim.Adam(parameters, weight_decay=0.3)
    set_grads(parameters, drawn(rng, np.float64))
    before.step()
    params = [parameter.detach().numpy().copy() for parameter in parameters]
    optimizer, rival = AdamW(params), torch.optim.AdamW(parameters)
    optimizer.load_state_dict(before.state_dict())
    rival.load_state_dict(before.state_dict())
    for _ in range(3):
        grads = drawn(rng, np.float64)
        set_grads(parameters, grads)
        rival.step()
        optimizer.step(grads)
        assert_like(params, parameters, optimizer, rival, np.float64)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e6])
@pytest.mark.parametrize("bad", [None, np.nan, np.inf])
def test_clip_grad_norm_matches_torch(order, max_norm, bad):
    for dtype in (np.float32, np.float64):
        grads = drawn(np.random.default_rng(0), dtype)
        if bad is not None:
            grads[1][2] = bad
        parameters = tensors(grads)
        set_grads(parameters, grads)
        theirs = torch.nn.utils.clip_grad_norm_(parameters, max_norm, order)
        assert_allclose(clip_grad_norm_(grads, max_norm, order), theirs.item(), **tolerance(dtype))
        for grad, parameter in zip(grads, parameters, strict=True):
            assert_allclose(grad, parameter.grad.numpy(), **tolerance(dtype))


@pytest.mark.parametrize(("ours", "theirs"), [(SGD, torch.optim.SGD), (AdamW, torch.optim.AdamW)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_clip_grad_norm_of_non_finite_gradients_matches_torch(ours, theirs, bad):
    params = drawn(np.random.default_rng(0), np.float64)
    parameters = tensors(params)
    optimizer, rival = ours(params), theirs(parameters)
    for _ in range(3):
        grads = [np.ones(shape) for shape in SHAPES]
        grads[1][3] = bad
        set_grads(parameters, grads)
        optimizer.step(grads)
        rival.step()
        for param, parameter in zip(params, parameters, strict=True):
            assert_allclose(param, parameter.detach().numpy(), rtol=1e-12)
