"""Memory of batches that is used again, and arrays that kernels write to.

Fresh memory costs a page fault every 4 kB, which takes as long as all the work on a batch.
"""

import math
from collections import deque

import numpy as np
from numpy.typing import DTypeLike

_MOST = 6  # free buffers to keep: prefetched batches, the one being filled and those in use

_MARGIN = 64  # bytes, the length of the longest vector


def zeros_apart(shape: int | tuple[int, ...], dtype: DTypeLike = float) -> np.ndarray:
    """Return zeros that lie farther than a vector from every other array.

    Compiled loops look whether an array that they write to lies within a vector of one that they
    read, and take another order of operations if so. Without the margins, the last bits of results
    would depend on where in memory arrays of a few values happen to lie.
    """
    dtype = np.dtype(dtype)
    margin = _MARGIN // dtype.itemsize
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    room = np.zeros(size + 2 * margin, dtype)
    return room[margin : margin + size].reshape(shape)


def copy_apart(array: np.ndarray) -> np.ndarray:
    """Return a copy that lies as `zeros_apart`."""
    copied = zeros_apart(array.shape, array.dtype)
    copied[...] = array
    return copied


class _Lease:
    """Borrowed memory. Its array, and every view of that, refers to this object.

    So it is deleted after the last of them, and then returns the memory.
    """

    def __init__(self, memory: np.ndarray, free: deque[np.ndarray]) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._free = memory, free

    def __del__(self) -> None:
        self._free.append(self._memory)


class Buffers:
    """Make arrays in the memory of earlier ones that were deleted.

    Appending to and popping from a deque are atomic, so arrays may be deleted in any thread.
    """

    def __init__(self) -> None:
        self._free: deque[np.ndarray] = deque(maxlen=_MOST)

    def array(self, shape: tuple[int, ...], dtype: DTypeLike | None) -> np.ndarray:
        """Return an uninitialised array."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        lease = _Lease(self._memory(size), self._free)
        return np.asarray(lease)[:size].view(dtype).reshape(shape)

    def _memory(self, size: int) -> np.ndarray:
        """Return at least `size` bytes."""
        for _ in range(_MOST):
            try:
                memory = self._free.pop()  # the last one used, which may be in a cache
            except IndexError:
                break
            if memory.size >= size:
                return memory
            self._free.appendleft(memory)
        return np.empty(size, np.uint8)

    def __getstate__(self) -> dict[str, object]:
        return {}

    def __setstate__(self, state: dict[str, object]) -> None:
        self._free = deque(maxlen=_MOST)
