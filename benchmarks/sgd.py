"""Stochastic gradient descent against its rivals: ``python -m benchmarks.sgd``.

It measures epochs, bandwidth, threads, single rows, the race to a loss (`sgd_race.py`) and steps of
`fastridge.optim` (`optim_steps.py`), and writes SGD.md and its plots to ``--output``.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from . import optim_steps, sgd_race
from .__main__ import forget_source_folder
from .cases import FASTRIDGE, SKLEARN, Goal
from .clock import Contestant, alternate
from .compare import Verdict
from .machine import Limits, blas_summary, cpu_model, n_cores, version
from .report import Table, duration, limits_table, verdict_table

CASES = ("epochs", "bandwidth", "csr", "threads", "row", "optim", "race", "defaults")
_BYTES = 160e6  # bytes of X in an epoch
SHAPES = (10, 100, 1000)
_MUSTS = {"float64": (6.0, 5.0, 2.5), "float32": (6.0, 7.0, 5.0)}
_AIMS = {"float64": (10.0, 8.0, 4.0), "float32": (10.0, 12.0, 8.0)}
LOSSES = ("squared_error", "hinge", "log_loss")
_FOLDER = Path(__file__).resolve().parent
RIVER = "River"
Found = tuple[list[Table], list[Verdict]]


def dense_rows(p: int, dtype: str, classes: bool, n_bytes: float = _BYTES) -> tuple[Any, Any]:
    """Draw normal features, and a target or classes that depend on them."""
    rng = np.random.default_rng(0)
    n = int(n_bytes / p / np.dtype(dtype).itemsize)
    X = rng.standard_normal((n, p), dtype=np.float32).astype(dtype)
    y = X @ rng.standard_normal(p).astype(dtype) / np.sqrt(p) + rng.standard_normal(n)
    return X, y > 0.0 if classes else y


def csr_rows(shrink: int) -> tuple[Any, Any]:
    """Draw CSR rows of 100,000 features, 1 % of them nonzero, and their classes."""
    S = sp.random(10_000 // shrink, 100_000, 0.01, "csr", random_state=0)
    S.indices, S.indptr = S.indices.astype(np.int32), S.indptr.astype(np.int32)
    return S, S @ np.random.default_rng(1).standard_normal(100_000) > 0.0


def epoch_model(library: str, loss: str, **options: Any) -> Any:
    """Return a model of a library whose fit is one epoch."""
    if library == FASTRIDGE:
        from fastridge import SGDClassifier, SGDRegressor
    else:
        from sklearn.linear_model import SGDClassifier, SGDRegressor
    kind = SGDRegressor if loss == "squared_error" else SGDClassifier
    options = {"learning_rate": "invscaling", "eta0": 0.01, "random_state": 0, **options}
    return kind(loss=loss, max_iter=1, tol=None, **options)


def objective(model: Any, X: Any, y: Any) -> float:
    """Return the regularised training loss of a fitted model."""
    coef = model.coef_.ravel().astype(float)
    margin = X @ coef + model.intercept_[0]
    if model.loss == "squared_error":
        loss = 0.5 * (margin - y) ** 2
    else:
        z = np.where(y, margin, -margin)
        loss = np.logaddexp(0.0, -z) if model.loss == "log_loss" else np.maximum(0.0, 1.0 - z)
    return float(loss.mean() + 0.5 * model.alpha * coef @ coef)


def _race_of_two(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of calls in turns, with BLAS at one thread."""
    contestants = [Contestant(name, 1, call) for name, call in calls.items()]
    ran = alternate(contestants, rounds=rounds, slow_seconds=60.0, keep=frozenset(calls))
    return {one.name: one.median for one in ran}


def epochs(rounds: int, shrink: int) -> Found:
    """Time one shuffled epoch on dense rows."""
    lines, verdicts = [], []
    for dtype in ("float64", "float32"):
        for k, p in enumerate(SHAPES):
            ratios = []
            for loss in LOSSES:
                X, y = dense_rows(p, dtype, loss != "squared_error", _BYTES / shrink)
                models = {name: epoch_model(name, loss) for name in (FASTRIDGE, SKLEARN)}
                seconds = _race_of_two(
                    {name: partial(model.fit, X, y) for name, model in models.items()},
                    rounds,
                )
                values = {name: objective(model, X, y) for name, model in models.items()}
                ratios.append(seconds[SKLEARN] / seconds[FASTRIDGE])
                lines.append(
                    [
                        f"{len(y)} x {p}, {dtype}, {loss}",
                        duration(seconds[FASTRIDGE]),
                        duration(seconds[SKLEARN]),
                        f"{ratios[-1]:.2f}",
                        f"{values[FASTRIDGE] / values[SKLEARN]:.4f}",
                    ]
                )
            goal = Goal("times", _MUSTS[dtype][k], _AIMS[dtype][k], SKLEARN)
            words = ", ".join(f"{loss} {r:.1f}" for loss, r in zip(LOSSES, ratios, strict=True))
            verdicts.append(Verdict(f"epoch, p = {p}, {dtype}", goal, min(ratios), remark=words))
    columns = ["rows", FASTRIDGE, SKLEARN, "ratio", "loss over theirs"]
    return [Table("One shuffled epoch, one thread", columns, lines)], verdicts


def bandwidth(rounds: int, shrink: int, limits: Limits) -> Found:
    """Compare the bytes of X per second in an epoch with what one thread can read."""
    X, y = dense_rows(1000, "float32", True, 4 * _BYTES / shrink)
    model = epoch_model(FASTRIDGE, "log_loss")
    seconds = _race_of_two({FASTRIDGE: lambda: model.fit(X, y)}, rounds)[FASTRIDGE]
    rate = X.nbytes / seconds
    share = rate / limits.read[1]
    remark = f"{rate / 1e9:.1f} of {limits.read[1] / 1e9:.1f} GB/s"
    goal = Goal("of the bandwidth of a thread", 0.60, 0.85, "reading memory")
    return [], [Verdict("epoch, p = 1000, float32, log_loss", goal, share, remark=remark)]


def csr(rounds: int, shrink: int) -> Found:
    """Time an epoch on sparse rows of 10^5 features."""
    S, y = csr_rows(shrink)
    lines, ratios = [], []
    for loss in ("hinge", "log_loss"):
        models = {name: epoch_model(name, loss, eta0=0.1) for name in (FASTRIDGE, SKLEARN)}
        calls = {name: partial(model.fit, S, y) for name, model in models.items()}
        seconds = _race_of_two(calls, rounds)
        values = {name: objective(model, S, y) for name, model in models.items()}
        ratios.append(seconds[SKLEARN] / seconds[FASTRIDGE])
        lines.append(
            [
                f"{len(y)} x 100000, 1 %, {loss}",
                duration(seconds[FASTRIDGE]),
                duration(seconds[SKLEARN]),
                f"{ratios[-1]:.2f}",
                f"{values[FASTRIDGE] / values[SKLEARN]:.4f}",
            ]
        )
    columns = ["rows", FASTRIDGE, SKLEARN, "ratio", "loss over theirs"]
    goal = Goal("times", 2.0, 4.0, SKLEARN)
    return [Table("One epoch on CSR", columns, lines)], [
        Verdict("CSR, 1 % of 10^5 features", goal, min(ratios))
    ]


def threads(rounds: int, shrink: int) -> Found:
    """Compare an epoch with two threads and with one."""
    lines, verdicts = [], []
    for dtype in ("float64", "float32"):
        X, y = dense_rows(1000, dtype, True, 4 * _BYTES / shrink)
        models = {k: epoch_model(FASTRIDGE, "log_loss", n_threads=k) for k in (1, 2)}
        seconds = _race_of_two(
            {str(k): partial(model.fit, X, y) for k, model in models.items()}, rounds
        )
        values = {k: objective(model, X, y) for k, model in models.items()}
        ratio = seconds["1"] / seconds["2"]
        goal = Goal("times", 1.5, 1.9, "1 thread")
        verdicts.append(Verdict(f"2 threads, p = 1000, {dtype}", goal, ratio))
        lines.append(
            [
                f"{len(y)} x 1000, {dtype}",
                duration(seconds["1"]),
                duration(seconds["2"]),
                f"{ratio:.2f}",
                f"{values[2] / values[1]:.4f}",
            ]
        )
    columns = ["rows", "1 thread", "2 threads", "ratio", "loss of 2 over that of 1"]
    return [Table("Threads", columns, lines)], verdicts


def single_row(library: str) -> Callable[[], Any]:
    """Return a call that learns from a row of 20 features, or raise ImportError without River."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1, 20)), np.array([1.0])
    if library == RIVER:
        from river import linear_model, optim

        river = linear_model.LinearRegression(optim.SGD(0.01), l2=1e-4)
        row = {f"x{j}": float(value) for j, value in enumerate(X[0])}
        return partial(river.learn_one, row, 1.0)
    model = epoch_model(library, "squared_error")
    model.partial_fit(X, y)
    return partial(model.partial_fit, X, y)


def one_row(rounds: int) -> Found:
    """Time `partial_fit` of a row of 20 features."""
    calls: dict[str, Callable[[], Any]] = {}
    for name in (FASTRIDGE, SKLEARN, RIVER):
        with contextlib.suppress(ImportError):
            calls[name] = single_row(name)
    goals = {
        SKLEARN: Goal("times", 10.0, 30.0, SKLEARN),
        RIVER: Goal("times", 3.0, 10.0, RIVER),
    }
    seconds = _race_of_two(calls, rounds)
    lines = [
        [name, duration(value), f"{value / seconds[FASTRIDGE]:.2f}"]
        for name, value in seconds.items()
    ]
    verdicts = [
        Verdict("partial_fit of one row, p = 20", goal, seconds[name] / seconds[FASTRIDGE])
        for name, goal in goals.items()
        if name in seconds
    ]
    return [Table("One row at a time", ["library", "median", "ratio"], lines)], verdicts


def optim(rounds: int) -> Found:
    """Time a step of AdamW on 10^7 float32 parameters with one thread."""
    case = optim_steps.CASES[0]
    names = [optim_steps.OURS, *optim_steps.RIVALS]
    try:
        calls = {name: optim_steps.step_of(name, case, 1)[0] for name in names}
    except ImportError:
        return [], []
    seconds = _race_of_two(calls, rounds)
    error = optim_steps.largest_error(optim_steps.OURS, case, 1)
    best = min(names[1:], key=lambda name: seconds[name])
    lines = [
        [name, duration(value), f"{value / seconds[names[0]]:.2f}"]
        for name, value in seconds.items()
    ]
    verdict = Verdict(
        "optim.AdamW, 10^7 float32, 1 thread",
        Goal("times", 1.0, 1.5, best),
        seconds[best] / seconds[names[0]],
        remark=f"largest error after some steps {error:.1e}",
    )
    return [Table("A step of AdamW", ["", "median", "ratio"], lines)], [verdict]


def race(data: list[sgd_race.Race], rounds: int, folder: Path | None) -> Found:
    """Measure the seconds to within 1 % of the minimum, every library at its best."""
    tables, verdicts = [], []
    for one in data:
        finishes = sgd_race.run_race(one, rounds)
        first = finishes[0]
        rivals = [f for f in finishes[1:] if f.seconds == f.seconds]
        lines = [
            [
                finish.name,
                duration(finish.seconds) or finish.failure or "not reached",
                f"{finish.seconds / first.seconds:.2f}",
                str(finish.epochs),
                f"{finish.excess:.2%}",
                finish.setting,
            ]
            for finish in finishes
        ]
        columns = ["library", "median", "over fastridge", "epochs", "above the minimum", "setting"]
        n, p = one.X.shape
        tables.append(Table(f"Race to within 1 %: {one.name}, {n} x {p}", columns, lines))
        if rivals:
            best = min(rivals, key=lambda finish: finish.seconds)
            goal = Goal("times", 3.0, 10.0, best.name)
            verdicts.append(
                Verdict(f"time to loss, {one.name}", goal, best.seconds / first.seconds)
            )
        if folder is not None:
            name = one.name.split(",", maxsplit=1)[0]
            sgd_race.plot_race(finishes, one.name, folder / "plots" / f"sgd_{name}.png")
            tables[-1].notes.append(f"![the race](plots/sgd_{name}.png)")
    return tables, verdicts


def defaults(data: list[sgd_race.Race]) -> Found:
    """Compare default settings on features with scales from 10^-3 to 10^3."""
    lines, verdicts = [], []
    for one in data:
        scales = 10.0 ** np.random.default_rng(0).uniform(-3.0, 3.0, one.X.shape[1])
        found = sgd_race.by_defaults(one, scales)
        lines += [
            [f"{one.name}: {name}", f"{excess:.2%}", duration(seconds)]
            for name, excess, seconds in found
        ]
        goal = Goal("above the minimum", 0.01, None, "the minimum", lower=True)
        theirs = f"scikit-learn {found[1][1]:.2%}"
        verdicts.append(
            Verdict(f"defaults, not scaled, {one.name}", goal, found[0][1], remark=theirs)
        )
    columns = ["data: library", "above the minimum", "seconds"]
    return [Table("Defaults, features not scaled", columns, lines)], verdicts


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, print, and write if requested."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sgd", description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES), metavar="A,B")
    parser.add_argument("--quick", action="store_true", help="smaller cases, to try the command")
    parser.add_argument("--a9a", metavar="FILE", help="the data set of that name, svmlight")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="for SGD.md and plots/")
    options = parser.parse_args(arguments)
    chosen = options.cases.split(",")
    if wrong := sorted(set(chosen) - set(CASES)):
        parser.error(f"--cases: no case is called {wrong[0]!r}; there are: {' '.join(CASES)}")
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    rounds, shrink = (3, 20) if options.quick else (7, 1)
    limits = Limits()
    limits.measure(**({"order": 512, "megabytes": 64} if options.quick else {}))
    data: list[sgd_race.Race] = []
    if {"race", "defaults"} & set(chosen):
        data = [sgd_race.a9a(options.a9a)] if options.a9a else []
        data += [] if options.quick and data else [sgd_race.flights()]
    measures: dict[str, Callable[[], Found]] = {
        "epochs": lambda: epochs(rounds, shrink),
        "bandwidth": lambda: bandwidth(rounds, shrink, limits),
        "csr": lambda: csr(rounds, shrink),
        "threads": lambda: threads(rounds, shrink),
        "row": lambda: one_row(rounds),
        "optim": lambda: optim(rounds),
        "race": lambda: race(data, rounds, options.output),
        "defaults": lambda: defaults(data),
    }
    tables, verdicts = [limits_table(limits)], []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = measures[name]()
        tables += found[0]
        verdicts += found[1]
    libraries = ["fastridge-solvers", "scikit-learn", "vowpalwabbit", "river", "snapml", "torch"]
    text = [
        "# Stochastic gradient descent",
        "",
        f"Written by `python -m benchmarks.sgd` on {datetime.date.today().isoformat()} in "
        f"{time.perf_counter() - started:.0f} s; do not edit."
        + (" **Quick run: nothing here is a result.**" if options.quick else ""),
        "",
        f"{cpu_model()}, {n_cores()} cores; {'; '.join(blas_summary())}.",
        "",
        ", ".join(f"{name} {version(name)}" for name in libraries) + ".",
        "",
        *[table.markdown() for table in [verdict_table(verdicts), *tables]],
    ]
    print("\n".join(text))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        path = options.output / "SGD.md"
        path.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    forget_source_folder()
    main()
