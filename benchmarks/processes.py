"""Measurements in fresh processes: peak memory of a fit, and the cost of an import."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .cases import FASTRIDGE, SKLEARN, Goal
from .compare import Verdict
from .fit_peak import CHOICES, LASSO, LASSO_LAYOUTS, LAYOUTS

MEGABYTE = 1e6
_MODULES = {FASTRIDGE: "fastridge", SKLEARN: "sklearn.linear_model"}
_IMPORTS = (
    ("import sklearn.linear_model", "import sklearn.linear_model"),
    ("import fastridge", "import fastridge"),
    ("from fastridge import Ridge, GramStatistics", "from fastridge import Ridge, GramStatistics"),
)


@dataclass
class Peak:
    """Bytes that the fit of a library with a layout takes in addition to the data."""

    layout: str
    library: str
    data: int
    extra: int
    first_use: int
    total: int


def _fresh(arguments: list[str]) -> str:
    """Return the standard output of a fresh interpreter, outside any source folder."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"the measuring process exited with {done.returncode}: {last}")
    return done.stdout


def memory_goal(data: int) -> Goal:
    """Return the goal of 0.05 of X, but at least 16 MB (the aim) and at most 64 MB."""
    must = min(64.0, max(16.0, 0.05 * data / MEGABYTE))
    return Goal("MB in addition to X", must, 16.0, "the data", lower=True)


def measure_peaks(n_samples: int, n_features: int) -> list[Peak]:
    """Measure the peak memory of the fit of both libraries on every layout."""
    script = str(Path(__file__).with_name("fit_peak.py"))
    peaks = []
    for layout in LAYOUTS:
        for library, module in _MODULES.items():
            output = _fresh([script, module, layout, str(n_samples), str(n_features)])
            peaks.append(Peak(layout, library, **json.loads(output)))
    return peaks


def choice_memory_goal(data: int) -> Goal:
    """Return the goal of `RidgeCV`: at most 0.1 of X and 128 MB; the aim is 0.05 of X."""
    size = data / MEGABYTE
    return Goal("MB in addition to X", min(128.0, 0.1 * size), 0.05 * size, "the data", lower=True)


def measure_choice_peaks(n_samples: int, n_features: int) -> list[Peak]:
    """Measure the peak memory of our `RidgeCV` on C-ordered float64, for each way to choose."""
    script = str(Path(__file__).with_name("fit_peak.py"))
    shape = [str(n_samples), str(n_features)]
    return [
        Peak(choice, FASTRIDGE, **json.loads(_fresh([script, "fastridge", "C", *shape, choice])))
        for choice in CHOICES
    ]


def lasso_memory_goal(data: int) -> Goal:
    """Return the goal of `Lasso`: at most 0.05 of X plus 64 MB; the aim is 16 MB."""
    return Goal("MB in addition to X", 64.0 + 0.05 * data / MEGABYTE, 16.0, "the data", lower=True)


def measure_lasso_peaks(n_samples: int, n_features: int) -> list[Peak]:
    """Measure the peak memory of both libraries' `Lasso`, dense, with and without weights."""
    script = str(Path(__file__).with_name("fit_peak.py"))
    shape = [str(n_samples), str(n_features)]
    return [
        Peak(
            f"{LASSO} {layout}",
            library,
            **json.loads(_fresh([script, module, layout, *shape, LASSO])),
        )
        for layout in LASSO_LAYOUTS
        for library, module in _MODULES.items()
    ]


def _memory_goal(layout: str, data: int) -> tuple[str, Goal]:
    """Return a description of the fit and its data, and its goal."""
    if layout in CHOICES:
        return f"RidgeCV, {layout}", choice_memory_goal(data)
    if layout.startswith(LASSO):
        return f"{LASSO}, {layout.removeprefix(LASSO).strip()}", lasso_memory_goal(data)
    return f"fit, {layout}", memory_goal(data)


def judge_peaks(peaks: list[Peak]) -> list[Verdict]:
    """Return one verdict per layout, and one per way of choosing the penalty."""
    return [
        Verdict(
            f"memory of {title}",
            goal,
            max(0.0, peak.extra / MEGABYTE),
            remark=f"X is {peak.data / MEGABYTE:.0f} MB",
        )
        for peak in peaks
        if peak.library == FASTRIDGE
        for title, goal in [_memory_goal(peak.layout, peak.data)]
    ]


def measure_imports(rounds: int) -> dict[str, float]:
    """Measure the median seconds of each import, in fresh processes that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name, _ in _IMPORTS}
    for turn in range(rounds + 1):
        for name, statement in _IMPORTS:
            code = (
                "import time; start = time.perf_counter(); "
                f"{statement}; print(time.perf_counter() - start)"
            )
            elapsed = float(_fresh(["-c", code]))
            if turn:  # the first turn fills the file cache
                seconds[name].append(elapsed)
    return {name: statistics.median(values) for name, values in seconds.items()}


def judge_imports(seconds: dict[str, float]) -> list[Verdict]:
    """Compare each of our imports with scikit-learn's."""
    if not seconds:
        return []
    baseline = seconds["import sklearn.linear_model"]
    goal = Goal("times sklearn.linear_model", 1.15, None, SKLEARN, lower=True)
    return [
        Verdict(name, goal, value / baseline)
        for name, value in seconds.items()
        if "fastridge" in name
    ]
