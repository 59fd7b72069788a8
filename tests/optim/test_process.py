"""Optimizers in a process: threads, interrupts, steps that are never half done."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastridge.optim import SGD, Adam, AdamW, clip_grad_norm_
from fastridge.optim.arrays import _THREADED_VALUES, SLICE_VALUES
from fastridge.runtime import threads as _threads

ALL = [SGD, Adam, AdamW]
SIZE = 5 * SLICE_VALUES + 123  # several slices, the last one short, and more than one thread


def training(fast, n_threads, dtype=np.float32, steps=3):
    rng = np.random.default_rng(0)
    params = [rng.standard_normal(n).astype(dtype) for n in (SIZE, 3, SLICE_VALUES)]
    optimizer = fast(params, weight_decay=0.1, n_threads=n_threads)
    for _ in range(steps):
        grads = [rng.standard_normal(param.shape).astype(dtype) for param in params]
        norm = clip_grad_norm_(grads, 10.0, n_threads=n_threads)
        optimizer.step(grads)
    return np.concatenate([*params, [norm]])


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_step_does_not_depend_on_the_number_of_threads(fast, dtype):
    assert SIZE > _THREADED_VALUES
    one = training(fast, 1, dtype)
    for n_threads in (2, 3, 8):
        assert_array_equal(training(fast, n_threads, dtype), one)


def test_step_of_an_entry_does_not_depend_on_its_position():
    """The bits of an array alone are those of its parts, wherever slices begin and end."""
    rng = np.random.default_rng(0)
    whole, grad = rng.standard_normal((2, SIZE))
    parts = [part.copy() for part in np.array_split(whole, 7)]
    together, apart = AdamW([whole]), AdamW(parts)
    for _ in range(3):
        together.step([grad])
        apart.step([part.copy() for part in np.array_split(grad, 7)])
    assert_array_equal(np.concatenate(parts), whole)


def test_step_in_many_threads_is_bitwise_the_same():
    one = training(AdamW, 2)
    with ThreadPoolExecutor(6) as pool:
        for result in pool.map(lambda _: training(AdamW, 2), range(12)):
            assert_array_equal(result, one)


# --- every call is made, whatever interrupts ----------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_run_to_end_makes_every_call_once(n_threads):
    made = []
    _threads.run_to_end([(made.append, k) for k in range(1000)], n_threads)
    assert sorted(made) == list(range(1000))
    _threads.run_to_end([], n_threads)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_run_to_end_with_a_failing_call_makes_the_others_and_raises(n_threads):
    made = []
    calls = [(made.append, 0), ([].pop,), (made.append, 1), (int, "x"), (made.append, 2)]
    with pytest.raises((IndexError, ValueError)):
        _threads.run_to_end(calls, n_threads)
    assert sorted(made) == [0, 1, 2]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to one thread")
def test_run_to_end_interrupted_waits_for_all_threads():
    release, begun, made = threading.Event(), threading.Semaphore(0), []
    main = threading.get_ident()

    def handler(number, frame):
        release.set()
        raise KeyboardInterrupt

    def wait():
        begun.release()
        release.wait()
        made.append("waited")

    def interrupt():
        for _ in range(2):  # both threads wait by then
            begun.acquire()
        signal.pthread_kill(main, signal.SIGINT)

    sender, before = threading.Thread(target=interrupt), signal.signal(signal.SIGINT, handler)
    sender.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            _threads.run_to_end([(wait,), (wait,), *((made.append, k) for k in range(50))], 2)
            sender.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(made) == {"waited", *range(50)}
    sender.join()


def interrupted(fast, n_threads, until):
    """Steps until a signal; whether every entry has had the same number of them."""
    n = 1 << 22
    param, grad = np.zeros(n, np.float32), np.ones(n, np.float32)
    optimizer = fast([param], lr=1.0, n_threads=n_threads)
    optimizer.step([grad])
    with until:
        while True:
            optimizer.step([grad])
    same = (param == param[0]).all()
    for name, value in optimizer.state[0].items():
        if name != "step":
            same = same and (value == value[0]).all()
    optimizer.step([grad])
    return same and (param == param[0]).all()


@pytest.mark.parametrize("fast", ALL)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_step_interrupted_is_complete(fast, n_threads, ctrl_c):
    for seconds in (0.001, 0.01, 0.02, 0.033):
        assert interrupted(fast, n_threads, ctrl_c(seconds))
