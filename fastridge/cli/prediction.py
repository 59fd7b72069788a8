"""``fastridge predict``: save models, and predict with them."""

from __future__ import annotations

import argparse
import copy
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from fastridge._kernels.attributes import forget
from fastridge.cli.appending import AppendedRows
from fastridge.cli.coefficients import class_labels
from fastridge.cli.errors import CommandError, printable, reason
from fastridge.cli.fitting import Fitted
from fastridge.cli.process import standard_output
from fastridge.cli.progress import Stages
from fastridge.cli.reading import csv_options
from fastridge.cli.rows import encoded_rows, open_table
from fastridge.cli.scores import Scores
from fastridge.data.batches import ScanError
from fastridge.data.columns import kind_of
from fastridge.data.csv_options import CsvOptions
from fastridge.data.encoding import CategoricalColumn, Encoder
from fastridge.data.scan import Scan
from fastridge.io.predictions import ENDINGS, prediction_file, write_header, write_lines

if TYPE_CHECKING:
    from fastridge.io.predictions import Columns

PREDICTION = "prediction"
SCORES = (
    ("R²", "r2"),
    ("RMSE", "rmse"),
    ("RMSE of the mean", "baseline_rmse"),
    ("accuracy", "accuracy"),
    ("log loss", "log_loss"),
)


def save_fit(result: Fitted, path: str) -> None:
    """Write the model of a fit, with all that `predict` and `info` need."""
    from fastridge.io.model_file import write_model

    evaluation = result.evaluation
    held_out: dict[str, float | None] | None = None
    if result.n_test:
        held_out = {"n": result.n_test}
        for _, name in SCORES:
            value = getattr(evaluation, name, math.nan)
            held_out[name] = value if math.isfinite(value) else None
    table = {
        "target": result.target,
        "columns": result.schema.encoder.to_json(),
        "feature_scale": result.feature_scale.tolist(),
        "reading": {k: v for k, v in result.schema.reading.given().items() if k != "charset"},
        "n_train": result.n_train,
        "held_out": held_out,
    }
    model = copy.copy(result.model)
    forget(model, "statistics_", "fold_statistics_")  # X'X: as large as the square of the features
    try:
        write_model(path, model, table)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {reason(error)}") from None


def read(path: str) -> tuple[BaseEstimator, dict[str, Any] | None]:
    """Read a model file and what it says about its table."""
    from fastridge.io.model_file import read_model

    try:
        return read_model(path)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {reason(error)}") from None
    except ValueError as error:
        raise CommandError(str(error)) from None


def encoder_of(table: dict[str, Any], path: str) -> Encoder:
    """Return how a model file says that columns become features."""
    try:
        return Encoder.from_json(table["columns"])
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(f"{path} does not say how its columns are encoded: {error}") from None


def _reading(table: dict[str, Any], path: str) -> CsvOptions:
    """Return how the files of the fit were read."""
    try:
        return CsvOptions.from_json(table.get("reading", {}))
    except (TypeError, ValueError) as error:
        raise CommandError(f"{path} does not say how its files were read: {error}") from None


def predict(args: argparse.Namespace) -> None:
    """Carry out ``fastridge predict``."""
    from fastridge.cli import json_report

    model, table = read(args.model)
    if table is None:
        raise CommandError(
            f"{args.model} was not written by `fastridge fit`: it does not say which columns "
            "its features come from; load it in Python with fastridge.load"
        )
    encoder = encoder_of(table, args.model)
    n_coefs = np.shape(model.coef_)[-1]
    if n_coefs != encoder.n_features:
        raise CommandError(
            f"{args.model} has {n_coefs} coefficients for {encoder.n_features} features"
        )
    if args.output and not args.output.lower().endswith(ENDINGS):
        raise CommandError(f"--output {args.output}: the name must end in {', '.join(ENDINGS)}")
    target = table["target"]
    has_labels = hasattr(model, "classes_") and model.classes_.dtype.kind not in "fiub"
    if has_labels:
        encoder = replace(encoder, classes=model.classes_.tolist())
    if args.proba and not hasattr(model, "predict_proba"):
        raise CommandError(
            f"argument --proba: {args.model} gives no probabilities: fit it with --loss log_loss"
        )
    csv = _reading(table, args.model).updated(csv_options(args))
    data = open_table(args.data, encoder, csv)
    data.refuse_unused(csv_options(args))
    header = _predicted(model, np.empty((0, n_coefs)), args)
    to_text = args.output is None or args.output.lower().endswith(".csv")
    appended = AppendedRows(args.data, csv, as_text=to_text) if args.append else None
    if appended is not None:
        appended.refuse(list(header))
        header = appended.take(0) | header
    kinds = ("text",) if has_labels else ("number", "boolean")
    known = target in data.types and kind_of(data.types[target]) in kinds
    scores, notes = Scores(classify=hasattr(model, "classes_")), []
    if target in data.types and not known:
        notes.append(f"{target} holds {kind_of(data.types[target])}: no error of the predictions")
    stages, n_rows = Stages(), 0
    with stages.stage("predict", data.n_rows) as stage, _writer(args.output, header) as write:
        write(header)  # without rows, too

        def predict_rows(target: str | None, n_done: int) -> None:
            """Write predictions of all rows but the first."""
            nonlocal n_rows
            rows = encoded_rows(data, encoder, target, keeps_all=True)
            for X, y, _, _ in Scan(rows.rows_of(None, stage.advance), None):
                done = min(n_done, len(X))
                n_done -= done
                predicted = _predicted(model, X[done:], args)
                n_new = len(X) - done
                write(predicted if appended is None else appended.take(n_new) | predicted)
                n_rows += n_new
                if y is not None:
                    _add_scores(scores, model, y[done:], predicted[PREDICTION], has_labels)

        try:
            predict_rows(target if known else None, 0)
        except ScanError as error:
            if not known:
                raise
            encoder.unfamiliar.clear()
            predict_rows(None, n_rows)
            scores = Scores(classify=hasattr(model, "classes_"))
            notes.append(f"no error of the predictions: {error.message}")
    notes += [_unfamiliar_text(encoder, *counted) for counted in encoder.unfamiliar.items()]
    if args.json:
        report = {
            "command": "predict",
            "model": args.model,
            "data": args.data,
            "target": target,
            "rows": n_rows,
            "rows_with_target": scores.n_rows,
            "scores": {name: getattr(scores, name) for _, name in SCORES},
            "notes": notes,
            "seconds": stages.seconds,
            "written": {"predictions": args.output},
        }
        with standard_output():
            json_report.write(report, sys.stdout if args.output else sys.stderr)
        return
    for note in notes:
        _say(f"note: {note}")
    known_rows = f"{target} is known in {scores.n_rows:,} rows"
    if not math.isnan(scores.accuracy):
        _say(f"{known_rows}: accuracy {scores.accuracy:.4f}")
    elif not math.isnan(scores.r2):
        _say(f"{known_rows}: R² {scores.r2:.4f}, RMSE {scores.rmse:.4g}")
    if args.output:
        _say(f"{n_rows:,} predictions in {args.output}")


def _add_scores(
    scores: Scores, model: BaseEstimator, y: np.ndarray, predicted: np.ndarray, has_labels: bool
) -> None:
    there = ~np.isnan(y)
    found = predicted[there]
    if has_labels:
        found = np.searchsorted(model.classes_, found)
    scores.add(y[there], found)


def _unfamiliar_text(encoder: Encoder, name: str, count: int) -> str:
    """Return the note about values of a column that no feature stands for."""
    column = next(column for column in encoder.columns if column.name == name)
    what = (
        "values that are not a category of the model: they count as none"
        if isinstance(column, CategoricalColumn)
        else "missing values, as there were none in training: replaced by the mean"
    )
    return f"{name}: {count:,} {what}"


def _predicted(
    model: BaseEstimator, X: np.ndarray, args: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Return a number or the class for each row, and with ``--proba`` probabilities."""
    if not hasattr(model, "classes_"):
        numbers: np.ndarray = X @ np.ravel(model.coef_)
        return {PREDICTION: numbers + float(np.ravel(model.intercept_)[0])}
    found = np.asarray(model.predict(X)) if len(X) else model.classes_[:0]
    columns = {PREDICTION: found.astype(float) if found.dtype.kind in "iub" else found}
    if args.proba:
        names = [f"probability_{label}" for label in class_labels(model)]
        values = model.predict_proba(X) if len(X) else np.empty((0, len(names)))
        columns |= dict(zip(names, values.T, strict=True))
    return columns


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)


@contextmanager
def _writer(path: str | None, names: Iterable[str]) -> Iterator[Callable[[Columns], None]]:
    """Yield a function that writes predictions, to the standard output or to a file."""
    if path is None:

        def write(columns: Columns) -> None:
            with standard_output():
                write_lines(columns, sys.stdout)

        with standard_output():
            write_header(names, sys.stdout)
        yield write
        return
    try:
        with prediction_file(path) as file:
            yield file.write_columns
    except OSError as error:
        raise CommandError(f"cannot write {path}: {reason(error)}") from None
