"""Reuse of the memory of batches that nothing refers to any more.

Fresh memory costs a page fault every 4 kB, which takes as long as all the work on a batch.
"""

import math
from collections import deque

import numpy as np
from numpy.typing import DTypeLike

_MOST = 6  # free buffers to keep: prefetched batches, the one being filled and those in use


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
                memory = self._free.popleft()
            except IndexError:
                break
            if memory.size >= size:
                return memory
            self._free.append(memory)
        return np.empty(size, np.uint8)

    def __getstate__(self) -> dict[str, object]:
        return {}

    def __setstate__(self, state: dict[str, object]) -> None:
        self._free = deque(maxlen=_MOST)
