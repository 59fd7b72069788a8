"""Memory of the machine and of this process."""

import os
import sys
from pathlib import Path

_UNKNOWN = 16 << 30  # taken where the system does not tell


def memory_size() -> int:
    """Memory that this process may use, in bytes: that of the machine, or of its control group."""
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
    """Largest resident memory of this process so far in bytes, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
