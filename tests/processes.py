"""Scripts in an interpreter of their own, and the state of this process."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
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
