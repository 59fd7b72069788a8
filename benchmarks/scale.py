"""Streams, clusters and crashes: ``python -m benchmarks.scale FOLDER`` makes its files there.

Everything is compared with reading (and writing) the same files by pyarrow alone, in turns in one
process; memory is measured in fresh processes. Files that fit into the page cache are read from it,
which is the harder case: a disk would hide the work.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .__main__ import forget_source_folder
from .cases import Goal
from .compare import Verdict
from .large_files import write_files
from .machine import cpu_model, n_cores, version
from .report import Table, duration, verdict_table

CASES = ("ridge_cv", "sgd", "memory", "predict", "resume", "dask")
_SHARES = (2, 4, 8, 16)  # of 16 files
_CHILD = str(Path(__file__).with_name("scale_child.py"))
Reader = Callable[[list[Path], list[str] | None], Iterator[Any]]


def _child(*arguments: object, timeout: float | None = None) -> Any:
    """Return what a fresh process prints as JSON; None if it was killed after `timeout`."""
    command = [sys.executable, "-P", _CHILD, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()  # SIGKILL
        process.communicate()
        return None
    if process.returncode:
        raise RuntimeError(f"{arguments[0]}: the measuring process ended with an error")
    return json.loads(output.splitlines()[-1])


def _alternate(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of calls in turns, after an untimed turn that fills caches."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name in list(calls) if turn % 2 else reversed(list(calls)):
            start = time.perf_counter()
            calls[name]()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _against(
    title: str, seconds: dict[str, float], goal: Goal, remark: str = ""
) -> tuple[Table, Verdict]:
    """Compare ours, the first, with the fastest of the others."""
    ours, *theirs = seconds.values()
    best = min(theirs)
    rows = [[name, duration(value), f"{value / best:.2f}"] for name, value in seconds.items()]
    table = Table(title, ["", "median", "ratio"], rows)
    if len(theirs) > 1:
        slower = f"{ours / theirs[0]:.2f} times pyarrow with its defaults"
        remark = f"{remark}, {slower}" if remark else slower
    return table, Verdict(title, goal, ours / best, remark=remark)


def _as_it_comes(paths: list[Path], columns: list[str] | None) -> Iterator[Any]:
    """Yield the batches of a pyarrow dataset with its defaults."""
    import pyarrow.dataset as ds

    yield from ds.dataset([str(path) for path in paths], format="parquet").to_batches(
        columns=columns
    )


def _by_streams(paths: list[Path], columns: list[str] | None) -> Iterator[Any]:
    """Yield the batches of a pyarrow dataset with the fastest settings found, which are ours."""
    import pyarrow.dataset as ds

    options = ds.ParquetFragmentScanOptions(
        use_buffered_stream=True, buffer_size=1 << 17, pre_buffer=False
    )
    dataset = ds.dataset([str(path) for path in paths], format="parquet")
    for fragment in dataset.get_fragments():
        yield from fragment.scanner(
            columns=columns,
            batch_size=1 << 16,
            batch_readahead=4,
            fragment_readahead=1,
            fragment_scan_options=options,
        ).to_batches()


_READERS: dict[str, Reader] = {
    "pyarrow alone, its defaults": _as_it_comes,
    "pyarrow alone, small streams": _by_streams,
}


def _reading(paths: list[Path]) -> dict[str, Callable[[], Any]]:
    """Return calls that read all values, one per way."""
    return {
        f"reading by {name}": lambda reader=reader: sum(b.num_rows for b in reader(paths, None))
        for name, reader in _READERS.items()
    }


def measure_fit(paths: list[Path], rounds: int) -> tuple[Table, Verdict]:
    """Compare `RidgeCV` over all files, which is one pass, with reading them."""
    from fastridge import RidgeCV, scan

    names = [str(path) for path in paths]
    model = RidgeCV(alphas=np.logspace(-2, 5, 50), cv=5)
    calls = {
        "RidgeCV, 50 alphas, 5 folds": lambda: model.fit(scan(names, target="y")),
        **_reading(paths),
    }
    goal = Goal("times reading", 1.5, 1.1, "pyarrow alone", lower=True)
    return _against("RidgeCV over Parquet", _alternate(calls, rounds), goal)


def measure_sgd(paths: list[Path], rounds: int) -> tuple[Table, Verdict]:
    """Compare an epoch of `SGDRegressor` over all files with reading them."""
    from fastridge import SGDRegressor, scan

    names = [str(path) for path in paths]
    model = SGDRegressor(max_iter=1, tol=None, random_state=0)
    calls = {
        "SGDRegressor, an epoch": lambda: model.fit(scan(names, target="y")),
        **_reading(paths),
    }
    goal = Goal("times reading", 1.5, 1.1, "pyarrow alone", lower=True)
    return _against("SGD over Parquet", _alternate(calls, rounds), goal)


def measure_memory(folder: Path) -> tuple[Table, Verdict]:
    """Measure the peak resident memory of a process that fits more and more files."""
    peaks = {count: _child("peak", folder, count) for count in _SHARES}
    rows = [
        [f"{count} files, {found['bytes'] / 1e9:.2f} GB", f"{found['peak'] / 1e6:.0f}"]
        for count, found in peaks.items()
    ]
    values = [found["peak"] / 1e6 for found in peaks.values()]
    goal = Goal("MB, the whole process", 600.0, 300.0, "the data", lower=True)
    remark = f"{min(values):.0f} to {max(values):.0f} MB while the data grow 8 times"
    table = Table("Peak memory of RidgeCV over Parquet", ["data", "peak (MB)"], rows)
    return table, Verdict("memory over Parquet", goal, max(values), remark=remark)


def measure_predict(paths: list[Path], rounds: int) -> tuple[Table, Verdict]:
    """Compare prediction from Parquet to Parquet with reading features and writing a column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fastridge import Ridge, scan, write_predictions

    some = paths[: max(1, round(len(paths) / 10))]
    names = [str(path) for path in some]
    model = Ridge().fit(scan(names[:1], target="y"))
    features = list(model.feature_names_in_)

    with tempfile.TemporaryDirectory() as made:

        def predict() -> None:
            rows = scan(names, target="y")
            write_predictions(model, rows, Path(made, "ours.parquet"))

        def copy(reader: Reader) -> None:
            schema = pa.schema([("prediction", pa.float64())])
            with pq.ParquetWriter(Path(made, "theirs.parquet"), schema) as writer:
                held, n_held = [], 0
                for batch in reader(some, features):
                    held.append(np.full(batch.num_rows, 0.5) + np.arange(batch.num_rows))
                    n_held += batch.num_rows
                    if n_held >= 1 << 20:
                        writer.write_table(pa.table([np.concatenate(held)], schema=schema))
                        held, n_held = [], 0
                if held:
                    writer.write_table(pa.table([np.concatenate(held)], schema=schema))

        calls: dict[str, Callable[[], Any]] = {"write_predictions": predict}
        for name, reader in _READERS.items():
            calls[f"reading and writing by {name}"] = partial(copy, reader)
        seconds = _alternate(calls, rounds)
    goal = Goal("times reading and writing", 1.5, 1.1, "pyarrow alone", lower=True)
    return _against("prediction from Parquet to Parquet", seconds, goal, f"{len(some)} files")


def measure_resume(folder: Path, kills: int) -> tuple[Table, Verdict]:
    """Kill a fit with checkpoints at random moments until the wanted number was survived."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as made:
        start = time.perf_counter()
        whole = _child("resumed", folder, Path(made, "whole"))
        longest = time.perf_counter() - start
        killed = equal = runs = went_on = 0
        while killed < kills:
            path = Path(made, f"run-{runs}")
            runs += 1
            while True:
                before = path.exists()
                found = _child("resumed", folder, path, timeout=rng.uniform(0.3, 1.0) * longest)
                if found is not None:
                    went_on += before
                    break
                killed += 1
                if killed >= kills:
                    found = _child("resumed", folder, path)
                    went_on += before
                    break
            equal += found["digest"] == whole["digest"]
    goal = Goal("fraction of runs bitwise equal", 1.0, None, "an undisturbed run")
    rows = [
        ["moments of SIGKILL", str(killed)],
        ["fits ended", str(runs)],
        ["resumed from a checkpoint", str(went_on)],
        ["bitwise equal to an undisturbed one", str(equal)],
    ]
    return Table("After SIGKILL", ["", "number"], rows), Verdict(
        "resume after SIGKILL", goal, equal / runs, remark=f"{killed} moments"
    )


def measure_dask(rounds: int, n_rows: int) -> list[tuple[Table, Verdict]]:
    """Fit data in the memory of one and of two workers, and compare with `partial_fit`.

    scikit-learn's pipeline gets a fifth of the rows, which take it long enough.
    """
    alone = {w: _child("dask", w, n_rows, rounds, "fastridge") for w in (1, 2)}
    few = n_rows // 5
    both = _child("dask", 2, few, rounds, "fastridge,partial_fit")
    measured = [("fastridge", w, n_rows, one) for w, one in alone.items()]
    measured += [(name, 2, few, both) for name in ("fastridge", "partial_fit")]
    table = Table(
        "Dask, data in the workers' memory",
        ["", "rows", "median", "R2"],
        [
            [
                f"{name}, {workers} worker{'s' * (workers > 1)}",
                f"{count:,}",
                duration(one[name]),
                f"{one[name + '_r2']:.6f}",
            ]
            for name, workers, count, one in measured
        ],
    )
    scaling = Goal("times", 1.7, 1.9, "1 worker")
    pipeline = Goal("times", 5.0, 20.0, "SGDRegressor.partial_fit, a pass")
    return [
        (
            table,
            Verdict("Dask, 2 workers", scaling, alone[1]["fastridge"] / alone[2]["fastridge"]),
        ),
        (
            Table("", [], []),
            Verdict(
                "Dask against partial_fit",
                pipeline,
                both["partial_fit"] / both["fastridge"],
                exact=both["fastridge_r2"] >= both["partial_fit_r2"] - 1e-6,
            ),
        ),
    ]


def main() -> None:
    """Read the command line, measure and print; write Markdown if requested."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the large files, made if missing")
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--dask-rows", type=int, default=100_000_000)
    parser.add_argument("--cases", default=",".join(CASES), metavar="A,B")
    parser.add_argument("--output", type=Path, metavar="FILE", help="Markdown file to write")
    options = parser.parse_args()
    chosen = options.cases.split(",")
    if wrong := sorted(set(chosen) - set(CASES)):
        parser.error(f"--cases: no case is called {wrong[0]!r}; there are: {' '.join(CASES)}")
    started = time.perf_counter()
    paths = write_files(options.folder, options.rows, 20, 16, 0)
    size = sum(path.stat().st_size for path in paths)
    pairs: list[tuple[Table, Verdict]] = []
    for case in chosen:
        print(f"{case} ...", file=sys.stderr, flush=True)
        if case == "ridge_cv":
            pairs.append(measure_fit(paths, options.rounds))
        elif case == "sgd":
            pairs.append(measure_sgd(paths, options.rounds))
        elif case == "memory":
            pairs.append(measure_memory(options.folder))
        elif case == "predict":
            pairs.append(measure_predict(paths, options.rounds))
        elif case == "resume":
            pairs.append(measure_resume(options.folder, options.kills))
        else:
            pairs += measure_dask(options.rounds, options.dask_rows)
    tables = [verdict_table([verdict for _, verdict in pairs])]
    tables += [table for table, _ in pairs if table.rows]
    text = "\n".join(
        [
            "# Scale",
            "",
            f"Written by `python -m benchmarks.scale` on {datetime.date.today().isoformat()} in "
            f"{time.perf_counter() - started:.0f} s; do not edit. {options.rows:,} rows of 20 "
            f"float32 features and a target in 16 Parquet files of {size / 1e9:.2f} GB, "
            "uncompressed, read from the page cache.",
            "",
            f"{cpu_model()}, {n_cores()} cores; fastridge {version('fastridge-solvers')}, pyarrow "
            f"{version('pyarrow')}, scikit-learn {version('scikit-learn')}, dask "
            f"{version('dask')}.",
            "",
            *[table.markdown() for table in tables],
        ]
    )
    print(text)
    if options.output is not None:
        options.output.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    forget_source_folder()
    main()
