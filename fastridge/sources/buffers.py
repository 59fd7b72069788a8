"""Memory of batches that nobody holds any more, used again.

Fresh memory costs a page fault every 4 kB: as much time as all that is done with a batch.
"""

import math
import sys
import threading
from typing import Any

import numpy as np

_MOST = 6  # that are kept: those ahead, the one that is filled and those at work
_OWN = 3  # references to a buffer that nobody else holds: list, loop variable, argument


class Buffers:
    """Makes arrays, out of the memory of earlier ones where no reference to those is left."""

    def __init__(self) -> None:
        self._kept: list[np.ndarray] = []
        self._lock = threading.Lock()
        # Without the GIL, counts of references are not exact.
        self._counts = getattr(sys, "_is_gil_enabled", lambda: True)()

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array that is not initialised."""
        size, dtype = math.prod(shape), np.dtype(dtype)
        if not self._counts or not size:
            return np.empty(shape, dtype)
        with self._lock:
            for kept in self._kept:
                if kept.dtype == dtype and kept.size >= size and sys.getrefcount(kept) == _OWN:
                    return kept[:size].reshape(shape)
            made = np.empty(size, dtype)
            self._kept = [*self._kept[1 - _MOST :], made]
            return made.reshape(shape)

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
