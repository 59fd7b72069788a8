"""Memory of batches: borrowed until the last view of it is deleted, whatever refers to it."""

import copy
import gc
import pathlib
import pickle
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest

import fastridge
from fastridge.runtime.buffers import Buffers, copy_apart, zeros_apart


def address(array):
    return array.__array_interface__["data"][0]


HOLDERS = {
    "view": lambda array: array[1:],
    "transposed": lambda array: array.T[::-1, 1:],
    "reshaped": lambda array: array.reshape(-1),
    "other type": lambda array: array.view(np.int64),
    "memoryview": memoryview,
    "scalar row": lambda array: array[0],
    "iterator": iter,
    "arrow": lambda array: pa.array(array[0]),
    "closure": lambda array: lambda: array,
    "strided": lambda array: np.lib.stride_tricks.as_strided(array, (2, 2), (8, 8)),
    "memory map": lambda array: np.frombuffer(memoryview(array).cast("B"), np.uint8),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_buffers_do_not_reuse_memory_in_use(name):
    buffers = Buffers()
    array = buffers.array((3, 4), np.float64)
    array[:] = 7.0
    before, held = address(array), HOLDERS[name](array)
    del array
    others = [buffers.array((3, 4), np.float64) for _ in range(10)]
    assert before not in map(address, others)
    del held
    assert address(buffers.array((4, 3), np.float64)) == before


def test_buffers_reuse_memory_from_cycles_and_for_other_types():
    buffers = Buffers()
    array = buffers.array((3, 4), np.float64)
    before, cycle = address(array), [array]
    cycle.append(cycle)
    del array, cycle
    gc.collect()
    small = buffers.array((5,), np.float32)
    assert address(small) == before
    assert small.flags.c_contiguous
    assert small.flags.writeable
    assert small.flags.aligned
    del small
    assert buffers.array((100, 100), np.float64).size == 10_000
    assert buffers.array((0, 3), np.float64).shape == (0, 3)


def test_buffers_do_not_track_copies():
    buffers = Buffers()
    array = buffers.array((3, 4), np.float64)
    array[:] = 1.0
    for other in (copy.copy(array), copy.deepcopy(array), pickle.loads(pickle.dumps(array))):
        assert not np.shares_memory(other, array)
    assert copy.deepcopy(buffers).array((2,), np.float64).shape == (2,)


def test_buffers_threads_never_share_memory():
    buffers, wrong = Buffers(), []
    switch = sys.getswitchinterval()

    def work(number):
        held = []
        for k in range(1500):
            array = buffers.array((8, 8), np.float64)
            array[:] = number
            held.append((array[2:], number))
            if k % 3:
                view, wanted = held.pop(0)
                if not (view == wanted).all():
                    wrong.append(number)

    try:
        sys.setswitchinterval(1e-6)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert not wrong


def test_package_never_counts_references():
    for path in pathlib.Path(fastridge.__path__[0]).rglob("*.py*"):
        if path.suffix in (".py", ".pyx"):
            assert "getrefcount" not in path.read_text(), path


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.intp])
@pytest.mark.parametrize("shape", [1, 5, (3, 2)])
def test_arrays_apart_lie_a_vector_from_every_other(shape, dtype):
    array = zeros_apart(shape, dtype)
    copied = copy_apart(array + 1)
    for one, value in ((array, 0), (copied, 1)):
        room = one.base if one.base.base is None else one.base.base
        assert (one == value).all()
        assert one.shape == np.empty(shape).shape
        begin, end = np.lib.array_utils.byte_bounds(one)
        first, last = np.lib.array_utils.byte_bounds(room)
        assert min(begin - first, last - end) >= 64
