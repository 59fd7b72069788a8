"""Optimizers: errors, before anything changes, and their state."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastridge.optim import SGD, Adam, AdamW, Optimizer

ALL = [SGD, Adam, AdamW]


def make(fast, params, **options):
    return fast(params, **({"momentum": 0.9} if fast is SGD else {}), **options)


def everything(optimizer):
    """A copy of all that a step may change."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    return copy.deepcopy((params, optimizer.state, optimizer.state_dict()["param_groups"]))


def assert_same(a, b):
    if isinstance(a, np.ndarray):
        assert_array_equal(a, b)
        assert a.dtype == b.dtype
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b


# --- parameters ----------------------------------------------------------------------------------


def masked():
    return np.ma.masked_array(np.ones(3), [True, False, False])


def read_only():
    array = np.ones(3)
    array.flags.writeable = False
    return array


def unaligned():
    return np.zeros(33, np.uint8)[1:].view(np.float64)


BAD_ARRAYS = {
    "list": ([1.0, 2.0], TypeError, "must be a NumPy array, got list"),
    "masked": (masked(), TypeError, "must be a NumPy array, got MaskedArray"),
    "int": (np.arange(3), TypeError, "float32 or float64"),
    "half": (np.ones(3, np.float16), TypeError, "float32 or float64"),
    "complex": (np.ones(3, complex), TypeError, "float32 or float64"),
    "big-endian": (np.ones(3, ">f8"), TypeError, "native byte order, got '>f8'"),
    "strided": (np.ones(6)[::2], ValueError, "contiguous"),
    "read-only": (read_only(), ValueError, "read-only"),
    "unaligned": (unaligned(), ValueError, "aligned"),
}


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_init_with_invalid_parameters_raises(fast, name):
    array, error, message = BAD_ARRAYS[name]
    with pytest.raises(error, match=f"^parameter 1 .*{message}"):
        fast([np.ones(2), array])
    optimizer = fast([np.ones(2)])
    with pytest.raises(error, match=f"^parameter 1 .*{message}"):
        optimizer.add_param_group({"params": [array]})
    assert len(optimizer.param_groups) == len(optimizer.state) == 1


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("params", [np.ones(3), None, 3.0, "abc", {"params": np.ones(3)}, [], ()])
def test_init_with_params_not_a_list_raises(fast, params):
    with pytest.raises(ValueError, match=r"^params must be a list of arrays.*write \[array\]"):
        fast(params)


def test_init_with_shared_memory_raises():
    array, other = np.ones(10), np.ones(3)
    for pair in ([array, array], [array[:6], array[5:]], [array, other, array[9:]]):
        with pytest.raises(ValueError, match=rf"^parameter 0 and parameter {len(pair) - 1} share"):
            SGD(pair)
    SGD([array[:5], array[5:]]).step([np.ones(5), np.ones(5)])
    optimizer = SGD([array])
    with pytest.raises(ValueError, match="parameter 0 and parameter 1 share"):
        optimizer.add_param_group({"params": array[2:3]})
    assert len(optimizer.param_groups) == 1


def test_init_with_invalid_groups_raises():
    with pytest.raises(TypeError, match=r"^param_groups\[1\] must be a dict"):
        SGD([{"params": np.ones(2)}, np.ones(2)])
    with pytest.raises(TypeError, match=r"^param_groups\[0\] must be a dict"):
        SGD([{"lr": 0.1}])
    with pytest.raises(TypeError, match=r"^param_groups\[0\] has an option 'weight_decy'.*'lr'"):
        SGD([{"params": np.ones(2), "weight_decy": 0.1}])
    with pytest.raises(TypeError, match=r"^params of param_groups\[0\] must be an array or a list"):
        SGD([{"params": 3.0}])


def test_init_accepts_generators_memmaps_and_empty_groups(tmp_path):
    mapped = np.memmap(tmp_path / "w.bin", np.float32, "w+", shape=(3, 2))
    optimizer = AdamW([{"params": (p for p in [mapped])}, {"params": []}])
    optimizer.step([np.ones((3, 2), np.float32)])
    mapped.flush()
    assert_array_equal(np.fromfile(tmp_path / "w.bin", np.float32), np.float32(-1e-3))
    assert type(optimizer.state[0]["exp_avg"]) is np.ndarray


# --- options -------------------------------------------------------------------------------------

BAD_OPTIONS = [
    (fast, name, value, error)
    for fast, names in [
        (SGD, ["lr", "momentum", "dampening", "weight_decay"]),
        (Adam, ["lr", "eps", "weight_decay"]),
        (AdamW, ["lr", "eps", "weight_decay"]),
    ]
    for name in names
    for value, error in [
        (-1e-9, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        (10**400, ValueError),
        ("0.1", TypeError),
        (None, TypeError),
        (True, TypeError),
        (1j, TypeError),
        (np.ones(1), TypeError),
    ]
] + [
    (fast, name, value, error)
    for fast in (Adam, AdamW)
    for name, value, error in [
        ("betas", (1.0, 0.9), ValueError),
        ("betas", (0.9, 1.0), ValueError),
        ("betas", (-0.1, 0.9), ValueError),
        ("betas", (0.9, np.nan), ValueError),
        ("betas", 0.9, TypeError),
        ("betas", (0.9,), TypeError),
        ("betas", (0.9, "x"), TypeError),
        ("amsgrad", 1, TypeError),
        ("maximize", "yes", TypeError),
    ]
]


@pytest.mark.parametrize(("fast", "name", "value", "error"), BAD_OPTIONS)
def test_init_with_invalid_options_raises(fast, name, value, error):
    with pytest.raises(error, match=f"^{name}.* must be"):
        fast([np.ones(2)], **{name: value})
    with pytest.raises(error, match=rf"^{name}.* of param_groups\[0\] must be"):
        fast([{"params": np.ones(2), name: value}])
    optimizer = make(fast, [{"params": np.ones(2)}, {"params": np.ones(3)}])
    optimizer.step([np.ones(2), np.ones(3)])
    optimizer.param_groups[1][name] = value
    before = everything(optimizer)
    with pytest.raises(error, match=rf"^{name}.* of param_groups\[1\] must be"):
        optimizer.step([np.ones(2), np.ones(3)])
    optimizer.param_groups[1][name] = before[2][1][name] = 0
    assert_same(everything(optimizer)[:2], before[:2])


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_sgd_with_nesterov_without_momentum_raises(options):
    with pytest.raises(ValueError, match="nesterov=True needs momentum"):
        SGD([np.ones(2)], nesterov=True, **options)


def test_init_accepts_numbers_of_every_type():
    w = np.ones(2)
    optimizer = AdamW([w], lr=np.float32(0.5), betas=[0, np.float64(0.5)], weight_decay=1)
    optimizer.step([np.zeros(2)])
    assert_array_equal(w, 0.5)


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("n_threads", [0, 1.5, "2", True])
def test_init_with_invalid_n_threads_raises(fast, n_threads):
    with pytest.raises(ValueError, match="n_threads must be"):
        fast([np.ones(2)], n_threads=n_threads)


def test_optimizer_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Optimizer([np.ones(2)], {}, None)


# --- gradients -----------------------------------------------------------------------------------

BAD_GRADS = {
    "list": ([1.0] * 3, TypeError, r"grads\[1\] must be a NumPy array or None, got list"),
    "dtype": (np.ones(3, np.float32), TypeError, r"grads\[1\] has dtype '<f4'.*'<f8'"),
    "big-endian": (np.ones(3, ">f8"), TypeError, r"grads\[1\] has dtype '>f8'"),
    "shape": (np.ones(4), ValueError, r"grads\[1\] has shape \(4,\), its parameter \(3,\)"),
    "dimensions": (np.ones((3, 1)), ValueError, r"grads\[1\] has shape \(3, 1\)"),
}


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("name", BAD_GRADS)
def test_step_with_invalid_gradients_changes_nothing(fast, name):
    grad, error, message = BAD_GRADS[name]
    optimizer = make(fast, [np.ones(2), np.ones(3)])
    for _ in range(2):
        before = everything(optimizer)
        with pytest.raises(error, match=message):
            optimizer.step([np.ones(2), grad])
        assert_same(everything(optimizer), before)
        optimizer.step([np.ones(2), np.ones(3)])


@pytest.mark.parametrize("fast", ALL)
def test_step_with_a_wrong_list_of_gradients_raises(fast):
    optimizer = fast([np.ones(2), np.ones(2)])
    for grads in (np.ones((2, 2)), None, 3.0, "ab", {0: np.ones(2), 1: np.ones(2)}):
        with pytest.raises(TypeError, match=r"^grads must be a list.*step\(\[grad\]\)"):
            optimizer.step(grads)
    for grads in ([], [None], [None] * 3):
        with pytest.raises(ValueError, match=f"^grads has {len(grads)} entries.* 2 parameters"):
            optimizer.step(grads)
    optimizer.step(iter([None, None]))
    assert optimizer.state == [{}, {}]


def test_step_with_parameters_added_by_hand_raises():
    optimizer = SGD([np.ones(2)])
    optimizer.param_groups[0]["params"].append(np.ones(3))
    for grads in ([np.ones(2)], [np.ones(2), np.ones(3)]):
        with pytest.raises(ValueError, match="have 2 parameters, but were given 1: add .*group"):
            optimizer.step(grads)


@pytest.mark.parametrize("fast", ALL)
def test_step_with_gradients_in_parameter_memory_raises(fast):
    room = np.ones(20)
    optimizer = fast([room[2:6], room[10:14]])
    for grads in ([room[2:6], None], [room[11:15], None], [None, room[5:9]], [None, room[7:11]]):
        with pytest.raises(ValueError, match=r"^grads\[\d\] shares memory with parameter \d"):
            optimizer.step(grads)
    assert_array_equal(room, 1.0)
    optimizer.step([room[6:10], room[14:18]])
    assert (room != 1.0).sum() == 8
    grad = np.ones(4)
    optimizer.step([grad, grad])  # gradients are only read


@pytest.mark.parametrize("fast", ALL)
def test_step_with_a_parameter_made_read_only_raises(fast):
    params = [np.ones(2), np.ones(2)]
    optimizer = make(fast, params)
    params[1].flags.writeable = False
    before = everything(optimizer)
    with pytest.raises(ValueError, match="^parameter 1 is read-only"):
        optimizer.step([np.ones(2), np.ones(2)])
    assert_same(everything(optimizer), before)


# --- state ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_state_has_the_names_and_dtypes_of_torch(dtype, order):
    grad = np.ones((3, 2), dtype)
    for fast, options, names in [
        (SGD, {}, []),
        (SGD, {"momentum": 0.9}, ["momentum_buffer"]),
        (Adam, {}, ["step", "exp_avg", "exp_avg_sq"]),
        (AdamW, {"amsgrad": True}, ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]),
    ]:
        optimizer = fast([np.ones((3, 2), dtype, order=order)], **options)
        assert optimizer.state == [{}]
        optimizer.step([grad])
        assert list(optimizer.state[0]) == names
        for name in names:
            value = optimizer.state[0][name]
            if name == "step":
                assert value == 1
            else:
                assert value.dtype == dtype
                assert value.shape == (3, 2)


@pytest.mark.parametrize("fast", ALL)
def test_step_with_a_damaged_state_raises(fast):
    for damage in (np.ones(2), np.ones(3, np.float32), np.ones(6)[::2], "text"):
        optimizer = make(fast, [np.ones(3)])
        optimizer.step([np.ones(3)])
        name = list(optimizer.state[0])[-1]
        optimizer.state[0][name] = damage
        with pytest.raises(ValueError, match=f"state's {name}.*load_state_dict"):
            optimizer.step([np.ones(3)])


def networks(seed=0):
    rng = np.random.default_rng(seed)
    return [np.asfortranarray(rng.standard_normal((4, 3))), rng.standard_normal(3)]


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("way", ["state_dict", "pickle", "deepcopy"])
def test_load_state_dict_resumes_training(fast, way):
    params, rng = networks(), np.random.default_rng(1)
    groups = [{"params": params[0], "lr": 0.1}, {"params": params[1]}]
    optimizer = make(fast, groups, weight_decay=0.1)
    optimizer.step([rng.standard_normal((4, 3)), None])
    optimizer.param_groups[0]["lr"] = 0.05
    if way == "state_dict":
        saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
        params_too = [p.copy(order="K") for p in params]
        other = make(fast, [{"params": p} for p in params_too])
        other.load_state_dict(saved)
        assert other.param_groups[0]["lr"] == 0.05
    elif way == "pickle":
        params_too, other = pickle.loads(pickle.dumps((params, optimizer)))
    else:
        params_too, other = copy.deepcopy((params, optimizer))
    for _ in range(3):
        grads = [rng.standard_normal((4, 3)), rng.standard_normal(3)]
        optimizer.step(grads)
        other.step(grads)
    for param, same in zip(params, params_too, strict=True):
        assert_array_equal(param, same)
    assert_same(other.state_dict(), optimizer.state_dict())
    with pytest.raises(ValueError, match="shares memory"):  # the copy knows where its arrays lie
        other.step([params_too[0], None])


def test_load_state_dict_copies_into_the_dtype_of_the_parameter():
    double, single = np.ones(3), np.ones(3, np.float32)
    first, second = AdamW([double]), AdamW([single])
    first.step([np.ones(3)])
    saved = first.state_dict()
    second.load_state_dict(saved)
    assert second.state[0]["exp_avg"].dtype == np.float32
    second.step([np.ones(3, np.float32)])
    assert first.state[0]["step"] == 1
    assert_array_equal(first.state[0]["exp_avg"], saved["state"][0]["exp_avg"])


BAD_STATES = {
    "none": (lambda s: None, TypeError, "must have 'state' and 'param_groups'"),
    "no groups": (lambda s: {"state": {}}, TypeError, "must have 'state'"),
    "fewer": (lambda s: {**s, "param_groups": []}, ValueError, "groups of"),
    "shape": (lambda s: with_state(s, exp_avg=np.ones(4)), ValueError, r"\['exp_avg'\] has shape"),
    "kind": (lambda s: with_state(s, exp_avg=np.ones(3, int)), ValueError, "dtype int64"),
    "part": (lambda s: with_state(s, exp_avg_sq=None), ValueError, "has no 'exp_avg_sq'"),
    "step": (lambda s: with_state(s, step=-1.0), ValueError, r"\['step'\] must be a whole number"),
    "step 1/2": (lambda s: with_state(s, step=1.5), ValueError, "must be a whole number"),
    "option": (lambda s: with_option(s, lr=-1.0), ValueError, "lr of state_dict"),
}


def with_state(saved, **changes):
    return {**saved, "state": {0: {**saved["state"][0], **changes}}}


def with_option(saved, **changes):
    return {**saved, "param_groups": [{**saved["param_groups"][0], **changes}]}


@pytest.mark.parametrize("name", BAD_STATES)
def test_load_state_dict_that_does_not_fit_changes_nothing(name):
    change, error, message = BAD_STATES[name]
    optimizer = Adam([np.ones(3)])
    optimizer.step([np.ones(3)])
    before = everything(optimizer)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(change(optimizer.state_dict()))
    assert_same(everything(optimizer), before)


def test_repr_names_class_and_options():
    text = repr(AdamW([{"params": [np.ones((3, 2)), np.ones(2)]}], lr=0.5))
    assert text.startswith("AdamW")
    assert "(3, 2), (2,)" in text
    assert "lr=0.5" in text
