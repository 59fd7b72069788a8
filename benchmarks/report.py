"""Results as tables, for the terminal (rich) and Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cases import FASTRIDGE, GRAM_PASS
from .compare import CaseResult, Row, Verdict, less_exact
from .fit_peak import CHOICES
from .machine import DTYPES, Limits, blas_summary, cpu_model, n_cores
from .processes import MEGABYTE, Peak


@dataclass
class Table:
    """Cells to print; the first column is text, the others are numbers or short words."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table as Markdown under a third-level heading."""
        lines = [f"### {self.title}", "", _line(self.columns)]
        lines.append("|" + "|".join([":--"] + ["--:"] * (len(self.columns) - 1)) + "|")
        lines += [_line(row) for row in self.rows]
        if self.notes:
            lines += ["", *[f"- {note}" for note in self.notes]]
        return "\n".join([*lines, ""])

    def show(self, console: Any) -> None:
        """Print the table on a rich console."""
        import rich.table
        from rich.text import Text

        table = rich.table.Table(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*[Text(cell, style=_STYLES.get(cell, "")) for cell in row])
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", markup=False, highlight=False)


_STYLES = {"met": "green", "not met": "red", "less exact": "red"}


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


@dataclass
class Report:
    """The results of one run; a section that was not run is empty."""

    date: str
    load: str
    quick: bool
    versions: dict[str, str]
    limits: Limits
    missing: dict[str, str]
    notes: dict[str, str]
    cases: list[CaseResult] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    imports: dict[str, float] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)


def duration(seconds: float) -> str:
    """Return seconds with three digits in a suitable unit."""
    if math.isnan(seconds):
        return ""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{_digits(seconds * factor)} {unit}"
    return f"{_digits(seconds * 1e6)} us"


def _digits(value: float) -> str:
    """Return three significant digits, not in exponent form for ordinary sizes."""
    if value != value:
        return "none"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _error(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1e}"


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def machine_table(report: Report) -> Table:
    """Return the table of the machine, the versions and the BLAS in use."""
    rows = [
        ["processor", cpu_model()],
        ["cores", str(n_cores())],
        ["load at the start", report.load],
        *[[name, found] for name, found in report.versions.items()],
        *[["BLAS", line] for line in blas_summary()],
    ]
    return Table("Machine and versions", ["", "found"], rows)


def limits_table(limits: Limits) -> Table:
    """Return the table of measured rates by thread count."""
    threads = sorted(limits.read)
    rows = [
        [f"matrix product, {dtype} (GFLOP/s)"]
        + [_digits(limits.gemm[dtype, count] / 1e9) for count in threads]
        for dtype in DTYPES
    ]
    rows.append(["reading memory (GB/s)"] + [_digits(limits.read[c] / 1e9) for c in threads])
    columns = ["limit", *[_threads(count) for count in threads]]
    return Table("Limits measured in this run", columns, rows)


def verdict_table(verdicts: list[Verdict]) -> Table:
    """Return the table of goals with the measured value, must and aim."""
    rows = []
    for verdict in verdicts:
        goal = verdict.goal
        sign = "<=" if goal.lower else ">="
        rows.append(
            [
                verdict.title,
                f"{_amount(verdict.value)} {goal.measure}",
                goal.against,
                f"{sign} {_amount(goal.must)}",
                _state(verdict, verdict.must),
                f"{sign} {_amount(goal.aim)}" if goal.aim is not None else "",
                _state(verdict, verdict.aim) if goal.aim is not None else "",
                verdict.remark,
            ]
        )
    columns = ["case", "measured", "against", "must", "must met", "aim", "aim met", "remark"]
    return Table("What must be reached", columns, rows)


def _amount(value: float) -> str:
    return f"{value:.1e}" if 0 < value < 1e-3 else _digits(value) if value else "0"


def _state(verdict: Verdict, reached: bool) -> str:
    if not verdict.exact:
        return "less exact"
    return "met" if reached else "not met"


def case_table(result: CaseResult) -> Table:
    """Return the table of a case: each rival's median per thread setting, ratio and errors."""
    ours = result.row(FASTRIDGE)
    settings = sorted({count for row in result.rows for count in row.by_threads})
    rows = []
    for row in result.rows:
        ratio = row.seconds / ours.seconds if ours else float("nan")
        cells = [row.rival]
        for count in settings:
            text = duration(row.by_threads.get(count, float("nan")))
            cells.append(f"{text} (own)" if text and row.own_threads else text)
        if settings:
            cells += [_digits(ratio), str(row.rounds)]
        rows.append(cells + _accuracy_cells(row, ours, result))
    heads = [_threads(count) for count in settings]
    timing = ["time / fastridge", "rounds"] if settings else []
    columns = ["rival", *heads, *timing, *_accuracy_heads(result)]
    notes = [f"{name} failed: {message}" for name, message in result.failures.items()]
    return Table(result.case.title, columns, rows, notes)


def _accuracy_heads(result: CaseResult) -> list[str]:
    case = result.case
    if case.task == "enet":
        return ["setting", "relative gap"]
    if case.task == "enet_cv":
        return ["same choice", "error difference"]
    error = {"predict": "prediction error", "gram": "X'X error"}.get(case.task, "coefficient error")
    choice = case.task == "cv"
    if choice and case.method != "em":
        error = "score error"
    return ["right alpha" if choice else "residual", error, "against fastridge"]


def _accuracy_cells(row: Row, ours: Row | None, result: CaseResult) -> list[str]:
    task = result.case.task
    if task == "enet":
        return [row.setting, _error(row.coef_error)]
    if task == "enet_cv":
        return [_share(row.same_alpha), _error(row.coef_error)]
    first = _share(row.same_alpha) if task == "cv" else _error(row.residual)
    return [first, _error(row.coef_error), _standing(row, ours, result)]


def _share(value: float) -> str:
    """Return the fraction of targets with the right alpha; empty if there is no choice."""
    return {1.0: "yes", 0.0: "no"}.get(value, "" if math.isnan(value) else f"{value:.0%}")


def _standing(row: Row, ours: Row | None, result: CaseResult) -> str:
    """Return whether the rival's answer is less or more exact than ours, beyond rounding."""
    if ours is None or row is ours or row.rival == GRAM_PASS:
        return ""
    within = result.case.exact_within
    if less_exact(row.coef_error, ours.coef_error, within):
        return "less exact"
    return "more exact" if less_exact(ours.coef_error, row.coef_error, within) else "as exact"


def memory_table(peaks: list[Peak]) -> Table:
    """Return the table of memory in addition to the data, by layout and library."""
    rows = [
        [
            f"{peak.layout}, {peak.library}",
            *[_megabytes(v) for v in (peak.data, peak.extra, peak.first_use, peak.total)],
        ]
        for peak in peaks
    ]
    columns = ["layout, library", "X (MB)", "fit (MB)", "first use (MB)", "both (MB)"]
    notes = ["fit: peak in addition to the data, code already loaded; first use: loading it, once."]
    if any(peak.layout in CHOICES for peak in peaks):
        notes.append(f"{', '.join(CHOICES)}: RidgeCV on C-ordered float64.")
    return Table("Peak memory of fit in addition to the loaded data", columns, rows, notes)


def _megabytes(value: int) -> str:
    return f"{value / MEGABYTE:.1f}"


def import_table(seconds: dict[str, float]) -> Table:
    """Return the table of median seconds of each import."""
    rows = [[name, duration(value)] for name, value in seconds.items()]
    return Table("Import in a fresh process", ["import", "median"], rows)


def tables(report: Report) -> list[tuple[str, list[Table]]]:
    """Return all tables by section."""
    sections = [("Machine", [machine_table(report), limits_table(report.limits)])]
    if report.verdicts:
        sections.append(("Goals", [verdict_table(report.verdicts)]))
    if report.cases:
        sections.append(("Cases", [case_table(result) for result in report.cases]))
    fresh = [memory_table(report.peaks)] if report.peaks else []
    fresh += [import_table(report.imports)] if report.imports else []
    if fresh:
        sections.append(("Fresh processes", fresh))
    return sections


def show(report: Report, console: Any) -> None:
    """Print the report, with the goals last."""
    sections = tables(report)
    for name, group in sorted(sections, key=lambda section: section[0] == "Goals"):
        console.rule(name)
        for table in group:
            table.show(console)
    for remark in _remarks(report):
        console.print(remark, markup=False, highlight=False)


def _remarks(report: Report) -> list[str]:
    lines = [*report.remarks, *[f"{name}: {note}." for name, note in report.notes.items()]]
    return lines + [f"Not compared: {name} ({why})." for name, why in report.missing.items()]


def write_markdown(report: Report, path: Path, plots: list[str]) -> None:
    """Write the report with links to the plots, whose paths are relative to it."""
    lines = [
        "# Benchmark results",
        "",
        f"Written by `python -m benchmarks` on {report.date} in {report.seconds:.0f} s; "
        "do not edit. How to read it: [README.md](README.md).",
        "",
    ]
    if report.quick:
        lines += ["**Quick run: every case is smaller, so nothing here is a result.**", ""]
    lines += [f"- {line}" for line in _remarks(report)]
    for name, group in tables(report):
        lines += ["", f"## {name}", ""]
        lines += [table.markdown() for table in group]
        if name == "Goals":
            lines += [f"![{Path(plot).stem}]({plot})" for plot in plots]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
