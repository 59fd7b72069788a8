"""What the command line prints: tables, and lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastridge.cli.crossvalidation import Comparison
from fastridge.cli.errors import require
from fastridge.cli.fitting import FitResult
from fastridge.cli.progress import peak_memory

_WIDTH = 100  # where the output is no terminal


def print_fit(result: FitResult, top: int) -> None:
    """Print the choices, the table, the strongest coefficients and the checks of a fit."""
    console = _console()
    _print_table(console, f"Columns of {result.path}", result.survey.choices)
    _print_table(console, f"Ridge regression of {result.target}", _fit_rows(result))
    if top:
        names = result.survey.encoder.feature_names
        coef = np.ravel(result.model.coef_)
        print_coefficients(console, names, coef, result.feature_scale, result.target, top)
    for note in result.notes:
        _print_line(console, f"note: {note}")
    for check in result.checks:
        verdict = "ok" if check.passed else "FAILED"
        _print_line(console, f"check {verdict}: {check.text} {check.value:.1e}")


def print_comparison(result: Comparison) -> None:
    """Print the choices about the columns, the table of the methods, and the notes."""
    console = _console()
    _print_table(console, f"Columns of {result.path}", result.survey.choices)
    survey = result.survey
    _print_title(
        console,
        f"Penalty of ridge regression of {result.target}: {survey.n_train:,} rows for training, "
        f"{result.n_test:,} held out, {survey.encoder.n_features} features",
    )
    table = require("rich.table", "cli").Table()
    table.add_column("method")
    for heading in ("alpha", "its RMSE", "held-out RMSE", "seconds"):
        table.add_column(heading, justify="right")
    for one in result.choices:
        errors = ["" if np.isnan(e) else f"{e:.5g}" for e in (one.rmse, one.held_out_rmse)]
        table.add_row(one.method, f"{one.alpha:.4g}", *errors, f"{one.seconds:.3f}")
    console.print(table)
    passes = ", ".join(f"{name} {value:.2f}" for name, value in result.stages.seconds.items())
    _print_line(console, f"seconds shared by all: {passes}")
    for note in result.notes:
        _print_line(console, f"note: {note}")


def _fit_rows(result: FitResult) -> list[tuple[str, str]]:
    survey, evaluation, model = result.survey, result.evaluation, result.model
    parts = (
        f"{result.n_train:,} for training, {result.n_test:,} held out, "
        f"{survey.n_without_target:,} without target"
    )
    columns = f"{len(survey.encoder.columns)} columns, {survey.encoder.n_features} features"
    rows = [("rows", parts), ("columns", columns), ("alpha", _alpha_text(result))]
    if result.n_test:
        errors = f"{evaluation.rmse:.4g}, against {evaluation.baseline_rmse:.4g} of the mean"
        rows += [("held-out R²", f"{evaluation.r2:.4f}"), ("held-out RMSE", errors)]
    rows += [
        ("solver", f"{model.solver_}"),
        ("condition number", condition_text(model)),
        (
            "seconds",
            ", ".join(f"{name} {value:.2f}" for name, value in result.stages.seconds.items()),
        ),
    ]
    peak = peak_memory()
    if peak is not None:
        rows.append(("peak memory", f"{peak / 2**20:,.0f} MB"))
    return rows


def _alpha_text(result: FitResult) -> str:
    alpha = f"{result.model.alpha:.4g}"
    if result.kfold is None:
        return f"{alpha} (given)"
    kfold, alphas = result.kfold, result.alphas
    assert alphas is not None
    n_folds = kfold.mse.shape[1]
    chosen = float(np.interp(result.model.alpha, alphas, np.sqrt(kfold.mean)))
    if result.model.alpha != alphas[kfold.best]:
        return f"{alpha} (given)"
    return (
        f"{alpha}, best of {len(alphas)} from {alphas[0]:.3g} to {alphas[-1]:.3g} "
        f"by {n_folds}-fold RMSE ({chosen:.4g})"
    )


def condition_text(model: Any) -> str:
    """The condition number of what the solver solved, where it tells."""
    if model.rcond_ is None:
        return "not known"
    rcond = float(np.min(model.rcond_))
    return f"{1.0 / rcond:.3g}" if rcond > 0 else "infinite"


def print_coefficients(
    console: Any,
    names: Sequence[str],
    coef: np.ndarray,
    scale: np.ndarray,
    target: str,
    top: int,
) -> None:
    """Print the coefficients with the largest effect, measured by |coefficient| x sd."""
    effect = coef * scale
    order = np.argsort(-np.abs(effect), kind="stable")[:top]
    _print_title(console, f"Strongest of {len(coef)} coefficients: change of {target}")
    table = require("rich.table", "cli").Table()
    table.add_column("feature", overflow="fold")
    table.add_column("per standard deviation", justify="right")
    table.add_column("per unit", justify="right")
    for j in order:
        table.add_row(escape(names[j]), f"{effect[j]:+.4g}", f"{coef[j]:+.4g}")
    console.print(table)


def print_pairs(title: str, rows: Sequence[tuple[str, str]]) -> Any:
    """Print a table of headings and texts; the console it went to."""
    console = _console()
    _print_table(console, title, rows)
    return console


def _console() -> Any:
    width = None if sys.stdout.isatty() else _WIDTH
    return require("rich.console", "cli").Console(file=sys.stdout, width=width, highlight=False)


def _print_table(console: Any, title: str, rows: Sequence[tuple[str, str]]) -> None:
    _print_title(console, title)
    table = require("rich.table", "cli").Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text in rows:
        table.add_row(heading, escape(text))
    console.print(table)


def _print_title(console: Any, title: str) -> None:
    console.print(escape(title), style="bold", soft_wrap=True)


def _print_line(console: Any, text: str) -> None:
    console.print(escape(text), soft_wrap=True)


def escape(text: str) -> str:
    """Text as it is, with no meaning given to brackets."""
    escaped: str = require("rich.markup", "cli").escape(text)
    return escaped
