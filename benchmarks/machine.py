"""The machine, the versions, and the limits of the machine measured in the same run."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

DTYPES = ("float64", "float32")


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_settings() -> tuple[int, ...]:
    """Return the thread counts of the timings: one, and all cores."""
    return (1,) if n_cores() == 1 else (1, n_cores())


def cpu_model() -> str:
    """Return the name of the processor as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return found.group(1)
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def blas_summary() -> list[str]:
    """Return a line for each loaded BLAS: its name, version, kernels and threading."""
    lines = []
    for pool in ThreadpoolController().info():
        if pool["user_api"] != "blas":
            continue
        parts = [pool["internal_api"], pool["version"] or "version unknown"]
        parts += [str(pool[key]) for key in ("architecture", "threading_layer") if pool.get(key)]
        lines.append(" ".join(parts))
    return lines


def version(distribution: str) -> str:
    """Return the version of an installed distribution, or 'not installed'."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def is_editable(distribution: str) -> bool:
    """Return whether the distribution is an editable install, which checks for rebuilds."""
    try:
        text = metadata.distribution(distribution).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return False
    return text is not None and '"editable": true' in text


@dataclass
class Limits:
    """Best rates measured: `gemm` in flop/s by (dtype, threads), `read` in byte/s by threads."""

    gemm: dict[tuple[str, int], float] = field(default_factory=dict)
    read: dict[int, float] = field(default_factory=dict)

    def gemm_best(self, dtype: str = "float64") -> float:
        """Return the highest matrix-product rate of any thread setting."""
        return max(rate for (kind, _), rate in self.gemm.items() if kind == dtype)

    def read_best(self) -> float:
        """Return the highest reading rate of any thread setting."""
        return max(self.read.values())

    def measure(self, *, order: int = 2048, megabytes: int = 512, repeats: int = 3) -> None:
        """Time matrix products and reads, and keep the better of this and earlier measurements."""
        controller = ThreadpoolController()
        for dtype in DTYPES:
            a = np.full((order, order), 0.5, dtype)
            b = np.full((order, order), 0.25, dtype)
            out = np.empty_like(a)
            for threads in thread_settings():
                with controller.limit(limits=threads, user_api="blas"):
                    # an untimed product first, to wake the threads and allocate their buffers
                    np.matmul(a, b, out=out)
                    seconds = _best(partial(np.matmul, a, b, out=out), repeats)
                rate = 2 * order**3 / seconds
                self.gemm[dtype, threads] = max(rate, self.gemm.get((dtype, threads), 0.0))
        values = np.ones(megabytes * 2**20 // 8)
        with controller.limit(limits=1, user_api="blas"):
            for threads in thread_settings():
                rate = values.nbytes / _read_seconds(values, threads, repeats)
                self.read[threads] = max(rate, self.read.get(threads, 0.0))

    def lower_bound(self, n_bytes: float, flops: float, dtype: str = "float64") -> float:
        """Return the minimum seconds for reading the bytes or computing the sums."""
        return max(n_bytes / self.read_best(), flops / self.gemm_best(dtype))


def _best(call: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _read_seconds(values: np.ndarray, threads: int, repeats: int) -> float:
    """Time the fastest pass of `threads` over `values`, as x'x (one stream) or x'y (two)."""
    parts = np.array_split(values, threads)

    def one_stream(part: np.ndarray) -> float:
        return float(part @ part)

    def two_streams(part: np.ndarray) -> float:
        half = len(part) // 2
        return float(part[:half] @ part[half : 2 * half])

    with ThreadPoolExecutor(threads) as pool:

        def read(stream: Callable[[np.ndarray], float]) -> float:
            return sum(pool.map(stream, parts))

        return min(_best(partial(read, stream), repeats) for stream in (one_stream, two_streams))
