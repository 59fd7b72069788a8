"""Scripts in an interpreter of their own, and the state of this process."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info

HANG = 300
"""Seconds after which a script counts as hung; no claim about speed."""


def run_script(script, *arguments, **environment):
    result = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", textwrap.dedent(script), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def process_state():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "blas": [(lib["filepath"], lib["num_threads"]) for lib in threadpool_info()],
        "errstate": np.geterr(),
        "filters": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "environment": dict(os.environ),
        "random": (kind, keys.tolist(), rest),
        "print options": np.get_printoptions(),
        "switch interval": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
        "directory": os.getcwd(),
        "non-daemon threads": [t.name for t in threading.enumerate() if not t.daemon],
    }


def assert_same_bits(fit, X, y):
    """Fit again and again, one after the other."""
    first = fit(X, y)
    assert first.any()
    for _ in range(5):
        assert_array_equal(fit(X, y), first)


def assert_same_bits_at_once(fit, X, y, times):
    """Fit in many threads at once."""
    first = fit(X, y)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: fit(X, y), range(times)))
    for result in results:
        assert_array_equal(result, first)


def assert_only_reads(fit, X, y):
    """Fit to data that cannot be written to, and compare them with a copy."""
    before = X.copy(), y.copy()
    expected = fit(X, y)
    X.flags.writeable = y.flags.writeable = False
    assert_array_equal(fit(X, y), expected)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])


def assert_unmixed(fit, problems):
    """Fit to different problems at once."""
    alone = [fit(*given) for given in problems]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda given: fit(*given), problems * 3))
    for k, coef in enumerate(together):
        assert_array_equal(coef, alone[k % len(alone)])


def assert_same_bits_inside_a_pool(fit, X, y):
    """Fit in a pool of one worker, which must not deadlock."""
    expected = fit(X, y)
    with ThreadPoolExecutor(1) as pool:
        inner = pool.submit(lambda: fit(X, y)).result(timeout=HANG)
    assert_array_equal(inner, expected)
