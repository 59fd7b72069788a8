"""Print the tables and lines of the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastridge.cli.coefficients import Coefficients
from fastridge.cli.errors import require
from fastridge.cli.searched import searched_alpha_text
from fastridge.cli.tables import escape, open_console, print_line, print_table, print_title
from fastridge.runtime.memory import peak_memory

if TYPE_CHECKING:
    from rich.console import Console
    from sklearn.base import BaseEstimator

    from fastridge.cli.crossvalidation import Comparison
    from fastridge.cli.elastic import ElasticNetResult
    from fastridge.cli.fitting import FitResult, Fitted
    from fastridge.cli.sgd import SGDResult

_CLASSES = 6  # most whose coefficients are printed
_NEAR, _FAR = 1e-4, 100.0  # coefficients whose exponentials are not written out


def print_result(result: Comparison | Fitted, written: Mapping[str, str], top: int) -> None:
    """Print what `fit` or `cv` found: the result first, then the columns, notes and checks."""
    from fastridge.cli.crossvalidation import Comparison

    console = open_console()
    if isinstance(result, Comparison):
        _print_comparison(console, result)
        checks = []
    else:
        _print_model(console, result, top)
        checks = result.checks
    print_table(console, f"Columns of {result.path}", result.schema.choices)
    for note in result.notes:
        print_line(console, f"note: {note}")
    for check in checks:
        verdict = "ok" if check.passed else "FAILED"
        print_line(console, f"check {verdict}: {check.text} {check.value:.1e}")
    for what, path in written.items():
        print_line(console, f"{what} in {path}")


def _print_model(console: Console, result: Fitted, top: int) -> None:
    """Print the choice, if there was one, the model, and its strongest coefficients."""
    from fastridge.cli import family_report
    from fastridge.cli.elastic import ElasticNetResult
    from fastridge.cli.fitting import FitResult
    from fastridge.cli.generalized import FamilyResult
    from fastridge.cli.sgd import SGDResult

    if isinstance(result, FitResult):
        name, rows = "Ridge regression", _fit_rows(result)
    elif isinstance(result, SGDResult):
        name, rows = result.name, _sgd_rows(result)
    elif isinstance(result, FamilyResult):
        penalty = family_report.penalty_rows(result)
        solved = family_report.score_rows(result) + solution_rows(result.model)
        name, rows = result.name, _rows(result, penalty, solved)
        if result.candidates:
            family_report.print_candidates(console, result)
    else:
        assert isinstance(result, ElasticNetResult)
        name, rows = result.name, _elastic_net_rows(result)
        if result.candidates:
            _print_candidates(console, result)
    print_table(console, f"{name} of {result.target}", rows)
    names = result.schema.encoder.feature_names
    coefficients = Coefficients.of(result.model, names, result.feature_scale)
    if isinstance(result, FamilyResult) and result.family.ratios is not None:
        ratios = result.family.ratios
        print_ratios(console, coefficients, result.target, top, ratios)
    else:
        print_coefficients(console, coefficients, result.target, top)


def _print_candidates(console: Console, result: ElasticNetResult) -> None:
    search = result.search
    assert search is not None
    print_title(
        console,
        f"Penalty of the elastic net of {result.target} by {search.n_folds}-fold RMSE, "
        f"{len(search.alphas[0])} alphas for each l1_ratio",
    )
    table = require("rich.table", "cli").Table()
    for heading in ("l1_ratio", "rule", "alpha", "RMSE", "± error", "nonzero", "held-out RMSE", ""):
        table.add_column(heading, justify="left" if heading == "rule" else "right")
    for one in result.candidates:
        numbers = [f"{one.alpha:.4g}", f"{one.rmse:.5g}", f"{one.rmse_error:.2g}"]
        held_out = "" if np.isnan(one.held_out_rmse) else f"{one.held_out_rmse:.5g}"
        mark = "<- chosen" if one.chosen else ""
        table.add_row(f"{one.l1_ratio:g}", one.rule, *numbers, f"{one.n_nonzero}", held_out, mark)
    console.print(table)


def _print_comparison(console: Console, result: Comparison) -> None:
    n_train, n_features = result.schema.counts.n_train, result.schema.encoder.n_features
    print_title(
        console,
        f"Penalty of ridge regression of {result.target}: {n_train:,} rows for training, "
        f"{result.n_test:,} held out, {n_features} features",
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
    print_line(console, f"seconds shared by all: {passes}")


def _fit_rows(result: FitResult) -> list[tuple[str, str]]:
    model = result.model
    solved = [("solver", f"{model.solver_}"), ("condition number", condition_text(model))]
    return _rows(result, [("alpha", _alpha_text(result))], solved)


def _elastic_net_rows(result: ElasticNetResult) -> list[tuple[str, str]]:
    model, search = result.model, result.search
    alpha = searched_alpha_text(
        result, lambda k, at: f"RMSE ({search.rmse[k, at]:.4g})" if search else ""
    )
    penalty = [("l1_ratio", f"{result.l1_ratio:g}"), ("alpha", alpha)]
    penalty.append(("nonzero", f"{result.n_nonzero} of {len(model.coef_)} coefficients"))
    return _rows(result, penalty, certificate_rows(model, result.tolerance))


def _sgd_rows(result: SGDResult) -> list[tuple[str, str]]:
    model, evaluation = result.model, result.evaluation
    penalty = f"{model.alpha:.4g}" + (
        "" if model.penalty == "l2" else f", {model.l1_ratio:.4g} of it L1"
    )
    curves = model.loss_curve_
    last = curves[-1] if not isinstance(curves[0], list) else np.mean([c[-1] for c in curves])
    solved = [("epochs", f"{model.n_iter_}, to a loss with penalty of {last:.6g}")]
    if not np.isnan(evaluation.accuracy):
        text = f"{evaluation.accuracy:.4f}, against {evaluation.baseline_accuracy:.4f}"
        solved.insert(0, ("held-out accuracy", f"{text} of the most frequent class"))
        if not np.isnan(evaluation.log_loss):
            solved.insert(1, ("held-out log loss", f"{evaluation.log_loss:.5g}"))
    return _rows(result, [("alpha", penalty)], solved)


def certificate_rows(model: BaseEstimator, tolerance: float | None = None) -> list[tuple[str, str]]:
    """Return the lines that say how close an elastic net is to the minimum."""
    gap = f"{np.max(model.dual_gap_):.3g}"
    if tolerance is not None:
        gap += f", tolerance {tolerance:.3g} ({model.tol:g} of |y|²/n)"
    return [
        ("status", f"{model.status_}"),
        ("dual gap", gap),
        ("iterations", f"{np.max(model.n_iter_)} of at most {model.max_iter}"),
        ("solver", f"{model.solver_}"),
    ]


def _rows(
    result: Fitted, penalty: list[tuple[str, str]], solved: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    schema, evaluation = result.schema, result.evaluation
    parts = (
        f"{result.n_train:,} for training, {result.n_test:,} held out, "
        f"{schema.counts.n_without_target:,} without target"
    )
    columns = f"{len(schema.encoder.columns)} columns, {schema.encoder.n_features} features"
    found = Coefficients.of(result.model, schema.encoder.feature_names, result.feature_scale)
    rows = [("rows", parts), ("columns", columns), *penalty, ("intercept", intercept_text(found))]
    has_d2 = hasattr(evaluation, "d2")
    if result.n_test and not has_d2 and not np.isnan(evaluation.rmse):
        errors = f"{evaluation.rmse:.4g}, against {evaluation.baseline_rmse:.4g} of the mean"
        rows += [("held-out R²", f"{evaluation.r2:.4f}"), ("held-out RMSE", errors)]
    seconds = result.stages.seconds.items()
    rows += [*solved, ("seconds", ", ".join(f"{name} {value:.2f}" for name, value in seconds))]
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


def solution_rows(model: Any) -> list[tuple[str, str]]:
    """Return the lines about the minimum."""
    gap = model.dual_gap_
    n_iter = int(np.ravel(model.n_iter_)[0])
    rows = [
        ("solver", f"{model.solver_}, {n_iter} of at most {model.max_iter} iterations"),
        ("gradient norm", f"{model.gradient_norm_:.2g}"),
    ]
    return rows if gap is None else [*rows, ("dual gap", f"{gap:.2g}")]


def condition_text(model: BaseEstimator) -> str:
    """Return the condition number of the system that the solver solved, if known."""
    if model.rcond_ is None:
        return "not known"
    rcond = float(np.min(model.rcond_))
    return f"{1.0 / rcond:.3g}" if rcond > 0 else "infinite"


def intercept_text(found: Coefficients) -> str:
    """Return the intercept, or that of each class."""
    if len(found.intercept) == 1:
        return f"{found.intercept[0]:.6g}"
    return ", ".join(
        f"{name} {value:.4g}" for name, value in zip(found.outputs, found.intercept, strict=True)
    )


def print_coefficients(console: Console, found: Coefficients, target: str, top: int) -> None:
    """Print the coefficients with the largest effect, measured by |coefficient| x sd."""
    order = found.strongest(top)
    if not len(order):
        return
    title = f"Strongest of {found.coef.shape[1]} coefficients: change of "
    table = require("rich.table", "cli").Table()
    table.add_column("feature", overflow="fold")
    if len(found.coef) == 1:
        title += f"the score of {target} = {found.outputs[0]}" if found.outputs else target
        table.add_column("per standard deviation", justify="right")
        table.add_column("per unit", justify="right")
    else:
        title += f"the score of each {target} per standard deviation"
        for name in found.outputs[:_CLASSES]:
            table.add_column(escape(name), justify="right")
    for j in order:
        effects = [f"{effect:+.4g}" for effect in found.effect[:_CLASSES, j]]
        unit = [f"{found.coef[0, j]:+.4g}"] if len(found.coef) == 1 else []
        table.add_row(escape(found.names[j]), *effects, *unit)
    print_title(console, title)
    console.print(table)
    print_rest(console, len(found.coef) - _CLASSES)


def print_ratios(console: Console, found: Coefficients, target: str, top: int, ratios: str) -> None:
    """Print the features with the largest effect, as factors of the odds or of the mean."""
    order = found.strongest(top)
    if not len(order):
        return
    names = {"odds ratio": "odds", "rate ratio": "rate"}
    what = f"the {names.get(ratios, 'mean')} of {target}"
    table = require("rich.table", "cli").Table()
    table.add_column("feature", overflow="fold")
    single = len(found.coef) == 1
    if single:
        what += f" = {found.outputs[0]}" if found.outputs else ""
        for heading in ("per standard deviation", "per unit", "coefficient"):
            table.add_column(heading, justify="right")
    else:
        what = f"the odds of each {target}, relative to the mean of all, per standard deviation"
        for name in found.outputs[:_CLASSES]:
            table.add_column(escape(name), justify="right")
    for j in order:
        cells = [_factor(value) for value in found.effect[:_CLASSES, j].tolist()]
        if single:
            cells += [_factor(float(found.coef[0, j])), f"{found.coef[0, j]:+.4g}"]
        table.add_row(escape(found.names[j]), *cells)
    title = f"Strongest of {found.coef.shape[1]} features: factors of {what}"
    print_title(console, title)
    console.print(table)
    print_rest(console, len(found.coef) - _CLASSES)


def _factor(coef: float) -> str:
    """Return the exponential of a coefficient with the digits that tell it from 1."""
    if abs(coef) < _NEAR or abs(coef) > _FAR:
        return f"exp({coef:.4g})"
    return f"{math.exp(coef):.4g}" if abs(coef) > 0.1 else f"{math.exp(coef):.5f}"


def print_rest(console: Console, n_classes: int) -> None:
    """Print how many classes a table leaves out, if any."""
    if n_classes > 0:
        print_line(console, f"and {n_classes} more classes: --coefs writes all")
