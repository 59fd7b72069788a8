"""The comparison command: ``python -m benchmarks``, from the top folder of the repository."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent
_MEMORY, _LASSO_MEMORY, _IMPORTS = "memory", "lasso-memory", "imports"
_ELASTIC = "enet"
_MEMORY_SHAPE = (2_000_000, 50)
_QUICK_MEMORY_SHAPE = (100_000, 50)


def forget_source_folder() -> None:
    """Take the top folder off sys.path, so that the installed fastridge is measured.

    ``python -m`` puts the working folder there, and with it the unbuilt sources. This package is
    already imported and still finds its own modules.
    """
    top = _FOLDER.parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != top]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    from .cases import CASES
    from .enet_cases import ENET_CASES

    elastic = [case.name for case in ENET_CASES]
    names = [case.name for case in CASES] + elastic + [_MEMORY, _LASSO_MEMORY, _IMPORTS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare fastridge with the rivals that are installed.",
        epilog=f"cases: {' '.join(names)}; {_ELASTIC}: all of the elastic net",
    )
    parser.add_argument("--quick", action="store_true", help="smaller cases, to try the command")
    parser.add_argument("--cases", metavar="A,B", help="only these cases")
    parser.add_argument("--rivals", metavar="A,B", help="only these rivals, and fastridge")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder for RESULTS.md and plots/; a full run writes to benchmarks/, "
        "any other run writes nothing unless this is given",
    )
    parser.add_argument(
        "--em-folder",
        metavar="FOLDER",
        help="folder of Boley's package, from `pip install --no-deps --target FOLDER fastridge`",
    )
    options = parser.parse_args(arguments)
    chosen = options.cases.split(",") if options.cases else names
    if _ELASTIC in chosen:
        chosen = [*chosen, *elastic, _LASSO_MEMORY]
        chosen.remove(_ELASTIC)
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"--cases: no case is called {unknown[0]!r}; there are: {' '.join(names)}")
    options.chosen = chosen
    rivals = options.rivals.split(",") if options.rivals else None
    if rivals:
        from .enet_rivals import path_adapters
        from .rivals import ADAPTERS

        known = [adapter.name for adapter in ADAPTERS]
        known += [one.name for one in path_adapters() if one.name not in known]
        if wrong := sorted(set(rivals) - set(known)):
            parser.error(f"--rivals: none is called {wrong[0]!r}; there are: {', '.join(known)}")
    options.rivals = rivals
    whole = not (options.quick or options.cases or options.rivals)
    if options.output is None and whole:
        options.output = _FOLDER
    return options


def _versions(rivals: list[Any]) -> dict[str, str]:
    from .machine import version

    found = {"system": f"{platform.system()} {platform.machine()}"}
    found["Python"] = f"{platform.python_implementation()} {platform.python_version()}"
    for rival in rivals:
        key = "fastridge (Boley)" if rival.distribution == "fastridge" else rival.distribution
        found[key] = getattr(rival, "version", None) or version(rival.distribution)
        if hasattr(rival, "simd"):
            found["kernels"] = rival.simd
    if "polars-ols" in found:
        found["polars"] = version("polars")
    return found


def _notes(rivals: list[Any]) -> dict[str, str]:
    notes: dict[str, list[str]] = {}
    for rival in rivals:
        if rival.note:
            notes.setdefault(rival.name, []).append(rival.note)
    return {name: "; ".join(dict.fromkeys(texts)) for name, texts in notes.items()}


def _load_average() -> str:
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"


def run(options: argparse.Namespace, console: Any) -> Any:
    """Measure the chosen cases and return the report."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from . import processes
    from .cases import CASES
    from .compare import run_case
    from .cv_rivals import CV_ADAPTERS
    from .enet_cases import ENET_CASES
    from .enet_compare import run_enet_case
    from .enet_rivals import CHOICE_ADAPTERS, path_adapters
    from .machine import Limits, is_editable
    from .report import Report
    from .rivals import load_rivals

    started = time.perf_counter()
    rivals, missing = load_rivals(options.rivals)
    choosers, no_choosers = load_rivals(options.rivals, CV_ADAPTERS)
    paths, no_paths = load_rivals(options.rivals, path_adapters())
    enet_choosers, _ = load_rivals(options.rivals, CHOICE_ADAPTERS)
    limits = Limits()
    report = Report(
        date=datetime.date.today().isoformat(),
        load=_load_average(),
        quick=options.quick,
        versions=_versions([*rivals, *paths]),
        limits=limits,
        missing={**no_choosers, **no_paths, **missing},
        notes=_notes([*rivals, *choosers, *paths, *enet_choosers]),
    )
    if is_editable("fastridge-solvers"):
        report.remarks.append("fastridge is an editable install: its import checks for rebuilds.")
    cases = [case for case in (*CASES, *ENET_CASES) if case.name in options.chosen]
    if options.quick:
        cases = [case.shrunk() for case in cases]
    able = {"cv": choosers, "enet": paths, "enet_cv": enet_choosers}
    rounds = 3 if options.quick else 7
    size = {"order": 512, "megabytes": 64} if options.quick else {}
    columns = (TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    extras = [name for name in (_MEMORY, _LASSO_MEMORY, _IMPORTS) if name in options.chosen]
    # refreshed between the steps only: a refreshing thread would disturb the timing
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        bar = progress.add_task("", total=len(cases) + len(extras) + 2)

        def step(name: str) -> None:
            progress.update(bar, description=name, refresh=True)

        step("machine limits")
        limits.measure(**size)
        progress.advance(bar)
        for case in cases:
            step(case.title)
            measure: Any = run_enet_case if case.task in ("enet", "enet_cv") else run_case
            against = able.get(case.task, rivals)
            report.cases.append(measure(case, against, rounds=rounds, slow_seconds=0.3))
            progress.advance(bar)
        shape = _QUICK_MEMORY_SHAPE if options.quick else _MEMORY_SHAPE
        if _MEMORY in extras:
            step("peak memory")
            report.peaks = processes.measure_peaks(*shape)
            report.peaks += processes.measure_choice_peaks(*shape)
            progress.advance(bar)
        if _LASSO_MEMORY in extras:
            step("peak memory of the lasso")
            report.peaks += processes.measure_lasso_peaks(*shape)
            progress.advance(bar)
        if _IMPORTS in extras:
            step("imports")
            report.imports = processes.measure_imports(2 if options.quick else 5)
            progress.advance(bar)
        step("machine limits, again")
        limits.measure(**size)
        progress.advance(bar)
    # judged at the end, against the better of both measurements of the limits
    report.verdicts = [v for result in report.cases if (v := result.judge(limits)) is not None]
    report.verdicts += processes.judge_peaks(report.peaks)
    report.verdicts += processes.judge_imports(report.imports)
    report.seconds = time.perf_counter() - started
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 if a package that it needs is not installed."""
    options = parse(arguments)
    if options.em_folder:
        os.environ["FASTRIDGE_BENCH_EM"] = str(Path(options.em_folder).resolve())
    try:
        import rich.console

        console = rich.console.Console()
        if not console.is_terminal:
            console.width = 150
        report = run(options, console)
    except ImportError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        print("Install the package and its requirements: pip install '.[bench]'", file=sys.stderr)
        return 2
    from .report import show, write_markdown

    show(report, console)
    if options.output is not None:
        write(report, options.output, write_markdown)
        console.print("wrote RESULTS.md and plots", highlight=False)
    return 0


def write(report: Any, folder: Path, write_markdown: Any) -> None:
    """Write the plots and RESULTS.md into a folder."""
    from .cases import SKLEARN
    from .enet_cases import FASTEST
    from .figures import plot_memory, plot_speed

    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    timed = [result for result in report.cases if any(row.by_threads for row in result.rows)]
    elastic = [result for result in timed if result.case.task in ("enet", "enet_cv")]
    ridge = [result for result in timed if result not in elastic]
    pictures = {"speed": (ridge, (SKLEARN,)), "elastic_net": (elastic, (FASTEST, SKLEARN))}
    for name, (results, against) in pictures.items():
        if results:
            plot_speed(results, folder / "plots" / f"{name}.png", against)
            plots.append(f"plots/{name}.png")
    if report.peaks:
        plot_memory(report.peaks, folder / "plots" / "memory.png")
        plots.append("plots/memory.png")
    write_markdown(report, folder / "RESULTS.md", plots)


if __name__ == "__main__":
    forget_source_folder()
    sys.exit(main())
