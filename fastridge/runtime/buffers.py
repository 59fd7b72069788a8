"""Memory of batches that nobody holds any more, used again.

Fresh memory costs a page fault every 4 kB: as much time as all that is done with a batch.
"""

import math
from collections import deque
from typing import Any

import numpy as np

_MOST = 6  # free ones that are kept: those ahead, the one that is filled and those at work


class _Lease:
    """Memory that is lent; the array made of it, and every view of that, refers to this object.

    So its end is the end of the last of them, and gives the memory back.
    """

    def __init__(self, memory: np.ndarray, free: deque[np.ndarray]) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._free = memory, free

    def __del__(self) -> None:
        self._free.append(self._memory)


class Buffers:
    """Makes arrays, out of the memory of earlier ones that are no more.

    Appending to and popping from a deque are atomic: arrays may end in any thread.
    """

    def __init__(self) -> None:
        self._free: deque[np.ndarray] = deque(maxlen=_MOST)

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array that is not initialised."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        lease = _Lease(self._memory(size), self._free)
        return np.asarray(lease)[:size].view(dtype).reshape(shape)

    def _memory(self, size: int) -> np.ndarray:
        """Return at least so many bytes."""
        for _ in range(_MOST):
            try:
                memory = self._free.popleft()
            except IndexError:
                break
            if memory.size >= size:
                return memory
            self._free.append(memory)
        return np.empty(size, np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
