"""Memory of the machine and of this process."""

from __future__ import annotations

import sys

from fastridge._memory import memory_size

__all__ = ["SHARE", "memory_size", "peak_memory"]

SHARE = 0.25
"""Rows that take more than this part of the memory are read anew each time instead of kept."""


def peak_memory() -> int | None:
    """Largest resident memory of this process so far in bytes, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
