"""Memory of the machine and of this process."""

import os
import sys
from pathlib import Path

_UNKNOWN = 16 << 30  # assumed if the system does not say


def memory_size() -> int:
    """Return the bytes that this process may use: those of the machine or of its control group."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        size = _UNKNOWN
    limit = Path("/sys/fs/cgroup/memory.max")
    try:
        text = limit.read_text(encoding="ascii").strip()
    except OSError:
        return size
    return min(size, int(text)) if text.isdecimal() else size


def peak_memory() -> int | None:
    """Return the peak resident memory of this process in bytes, or None if unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
