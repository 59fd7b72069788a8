"""Logistic regression and generalized linear models against rivals: ``python -m benchmarks.glm``.

Every setting of every rival and fastridge take turns, call by call, in one process. The objective
of each answer is computed outside. Settings that end more than 1e-6 above the least do not count.
It writes GLM.md to ``--output``.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from .__main__ import forget_source_folder
from .cases import FASTRIDGE, Goal
from .clock import SETTLE_SECONDS
from .compare import Verdict
from .glm_cases import CASES, EXCESS, GLMCase, objective
from .glm_rivals import LIBRARIES, Fit, settings
from .glm_selection import NAME as SELECTION
from .glm_selection import compare_selection
from .machine import Limits, blas_summary, cpu_model, n_cores, thread_settings, version
from .report import Table, duration, limits_table, verdict_table

_SLOW = 10.0  # times the fastest call: a setting that is tried once


@dataclass
class Run:
    """A setting of a library at a number of BLAS threads, what it found, and its seconds."""

    library: str
    setting: str
    threads: int
    fit: Fit
    excess: float = np.nan
    error: str = ""
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Return the median seconds of a call."""
        return statistics.median(self.seconds) if self.seconds else np.nan

    @property
    def counts(self) -> bool:
        """Return whether its answer is near enough to the least objective."""
        return bool(self.seconds) and self.excess <= EXCESS


def _call(run: Run, X: Any, y: np.ndarray, controller: ThreadpoolController) -> tuple[Any, float]:
    time.sleep(SETTLE_SECONDS)  # threads of the one before spin
    with controller.limit(limits=run.threads, user_api="blas"):
        gc.collect()
        start = time.perf_counter()
        found = run.fit(X, y)
        return found, time.perf_counter() - start


def compare(
    case: GLMCase, rounds: int, shrink: int, libraries: list[str]
) -> tuple[list[Run], list[str]]:
    """Return the runs of a case, fastest first, and the libraries that are not installed."""
    X, y = case.data(shrink)
    runs: list[Run] = []
    missing: list[str] = []
    for library in libraries:
        try:
            found = list(settings(case, X, library))
        except ImportError:
            missing.append(library)
            continue
        runs += [
            Run(library, setting, threads, fit)
            for setting, fit in found
            for threads in thread_settings()
        ]
    controller = ThreadpoolController()
    values: dict[int, float] = {}
    first: dict[int, float] = {}
    for run in runs:
        try:
            _call(run, X, y, controller) if shrink == 1 and X.shape[0] < 1000 else None
            (coef, intercept), seconds = _call(run, X, y, controller)
            values[id(run)] = objective(case, X, y, coef, intercept)
            first[id(run)] = seconds
        except Exception as error:  # a rival may fail with any exception
            run.error = f"{type(error).__name__}: {error}".splitlines()[0]
    least = min(values.values())
    for run in runs:
        if id(run) in values:
            run.excess = (values[id(run)] - least) / abs(least)
    quickest = min(first.values())
    for turn in range(rounds):
        for run in runs if turn % 2 == 0 else runs[::-1]:
            slow = first.get(id(run), np.inf) > _SLOW * quickest
            if run.error or (slow and turn and first[id(run)] > 0.5):
                continue
            run.seconds.append(_call(run, X, y, controller)[1])
    return sorted(runs, key=lambda run: run.median), missing


def tables_of(case: GLMCase, runs: list[Run]) -> tuple[Table, Verdict | None]:
    """Return the table of a case, and its verdict where a rival counts."""
    ours = min((r for r in runs if r.library == FASTRIDGE and r.counts), key=lambda r: r.median)
    rivals = [r for r in runs if r.library != FASTRIDGE and r.counts]
    lines = [
        [
            run.library,
            run.setting,
            str(run.threads),
            duration(run.median) if run.seconds else run.error,
            f"{run.median / ours.median:.2f}",
            f"{run.excess:.1e}" + ("" if run.counts else ", does not count"),
        ]
        for run in runs
    ]
    columns = ["library", "setting", "BLAS threads", "median", "over fastridge", "above the least"]
    verdict = None
    if rivals:
        best = min(rivals, key=lambda run: run.median)
        goal = Goal("times faster", case.must, case.aim, best.library)
        verdict = Verdict(case.title, goal, best.median / ours.median, remark=best.setting)
    return Table(case.title, columns, lines), verdict


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, print, and write if requested."""
    names = [case.name for case in CASES] + [SELECTION]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.glm", description=__doc__)
    parser.add_argument("--cases", default=",".join(names), metavar="A,B")
    parser.add_argument("--rivals", default=",".join(LIBRARIES), metavar="A,B")
    parser.add_argument("--quick", action="store_true", help="smaller cases, to try the command")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="for GLM.md")
    options = parser.parse_args(arguments)
    for option, known in (("cases", names), ("rivals", list(LIBRARIES))):
        if wrong := sorted(set(getattr(options, option).split(",")) - set(known)):
            parser.error(f"--{option}: none is called {wrong[0]!r}; there are: {' '.join(known)}")
    libraries = [FASTRIDGE] + [r for r in options.rivals.split(",") if r != FASTRIDGE]
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    rounds, shrink = (2, 20) if options.quick else (7, 1)
    limits = Limits()
    limits.measure(**({"order": 512, "megabytes": 64} if options.quick else {}))
    tables, verdicts, absent = [limits_table(limits)], [], set()
    for case in CASES:
        if case.name in options.cases.split(","):
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            runs, missing = compare(case, rounds, shrink, libraries)
            table, verdict = tables_of(case, runs)
            tables.append(table)
            if verdict is not None:
                verdicts.append(verdict)
                print(f"  {verdict.value:.2f} times {verdict.goal.against}", file=sys.stderr)
            absent.update(missing)
    if SELECTION in options.cases.split(","):
        print(f"{SELECTION} ...", file=sys.stderr, flush=True)
        table, chosen = compare_selection(rounds, shrink)
        tables.append(table)
        verdicts += chosen
    distributions = ["fastridge-solvers", "scikit-learn", "scikit-learn-intelex", "glum", "snapml"]
    text = [
        "# Logistic regression and generalized linear models",
        "",
        f"Written by `python -m benchmarks.glm` on {datetime.date.today().isoformat()} in "
        f"{time.perf_counter() - started:.0f} s; do not edit."
        + (" **Quick run: nothing here is a result.**" if options.quick else ""),
        "",
        f"{cpu_model()}, {n_cores()} cores; {'; '.join(blas_summary())}.",
        "",
        ", ".join(f"{name} {version(name)}" for name in distributions) + ".",
        *([f"Not installed: {', '.join(sorted(absent))}."] if absent else []),
        "",
        *[table.markdown() for table in [verdict_table(verdicts), *tables]],
    ]
    print("\n".join(text))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        path = options.output / "GLM.md"
        path.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    forget_source_folder()
    main()
