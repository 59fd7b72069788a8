"""Shared fixtures: tables for the end of the run, and settings of hypothesis."""

import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before OpenMP and OpenBLAS are loaded: their idle threads sleep. With a worker of pytest on every
# core they else spin where others should run; small fits and decompositions took 5 to 50 times as
# long. The number of threads stays as it is, since tests are about it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # a power of two, in cycles
sys.path.insert(0, str(Path(__file__).parent))  # `reference`, under every import mode of pytest
pytest.register_assert_rewrite("reference", "both_readers")

settings.register_profile(
    "fastridge",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("fastridge"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fastridge"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs behind them
    signal.signal(signal.SIGINT, signal.default_int_handler)

TABLES: list[tuple[str, list[str], list[list[str]]]] = []


@pytest.fixture(scope="session")
def ctrl_c():
    """A function of seconds: a context that Ctrl-C must end after them.

    Where it comes while Python collects garbage and calls back hypothesis, it is lost with a
    warning (as any exception is there), and so it comes again.
    """

    @contextmanager
    def interrupted(seconds):
        begun, over = threading.Event(), threading.Event()

        def send(wait):
            begun.wait()
            while not over.wait(wait):
                signal.raise_signal(signal.SIGINT)
                wait = 3.0

        sender = threading.Thread(target=send, args=(seconds,))
        sender.start()  # which takes long on a busy machine: the signal must not come before
        with pytest.raises(KeyboardInterrupt):
            try:
                begun.set()
                yield
            finally:
                over.set()
        sender.join()

    return interrupted


@pytest.fixture(scope="session")
def terminal_table():
    """A function of title and column names; rows appended to its list are printed after the run."""

    def table(title, columns):
        rows = []
        TABLES.append((title, columns, rows))
        return rows

    return table


def pytest_terminal_summary(terminalreporter):
    for title, columns, rows in TABLES:
        if not rows:
            continue
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        terminalreporter.section(title)
        for row in [columns, *rows]:
            cells = zip(row, widths, strict=True)
            terminalreporter.line("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
