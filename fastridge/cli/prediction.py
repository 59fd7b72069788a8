"""``fastridge predict`` and ``fastridge info``: saved models."""

from __future__ import annotations

import argparse
import copy
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastridge._kernels.attributes import forget
from fastridge._typing import PathLike
from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import Fitted
from fastridge.cli.progress import Stages
from fastridge.cli.reading import csv_options
from fastridge.cli.report import (
    certificate_rows,
    condition_text,
    print_coefficients,
    print_pairs,
)
from fastridge.cli.rows import copied, encoded_rows, open_table
from fastridge.cli.scores import Scores
from fastridge.data.columns import kind_of
from fastridge.data.csv_options import CsvOptions
from fastridge.data.one_hot import CategoricalColumn, Encoder, NumericColumn
from fastridge.data.scan import Scan
from fastridge.io.predictions import ENDINGS, prediction_file, write_lines

_SCORES = (
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
        for _, name in _SCORES:
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
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from None


def check_writable(path: str) -> None:
    """Raise CommandError, before the work, if a file cannot be made at this path."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise CommandError(f"cannot write {path}: it is a folder")
    if not os.path.isdir(folder):
        raise CommandError(f"cannot write {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"cannot write {path}: no permission in {folder}")


def _read(path: PathLike) -> tuple[BaseEstimator, dict[str, Any] | None]:
    from fastridge.io.model_file import read_model

    try:
        return read_model(path)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise CommandError(str(error)) from None


def _encoder(table: dict[str, Any], path: str) -> Encoder:
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
    args.model = copied(args.model)
    model, table = _read(args.model)
    if table is None:
        raise CommandError(
            f"{args.model} was not written by `fastridge fit`: it does not say which columns "
            "its features come from; load it in Python with fastridge.load"
        )
    encoder = _encoder(table, args.model)
    n_coefs = np.shape(model.coef_)[-1]
    if n_coefs != encoder.n_features:
        raise CommandError(
            f"{args.model} has {n_coefs} coefficients for {encoder.n_features} features"
        )
    if args.output:
        check_writable(args.output)
        if not args.output.lower().endswith(ENDINGS):
            raise CommandError(f"--output {args.output}: the name must end in {', '.join(ENDINGS)}")
    target = table["target"]
    labels = hasattr(model, "classes_") and model.classes_.dtype.kind not in "fiub"
    if labels:
        encoder = replace(encoder, classes=model.classes_.tolist())
    csv = _reading(table, args.model).updated(csv_options(args))
    data = open_table(args.data, encoder, csv)
    data.refuse_unused(csv_options(args))
    kinds = ("text",) if labels else ("number", "boolean")
    known = target in data.common and kind_of(data.types[target]) in kinds
    rows = encoded_rows(data, encoder, target if known else None, keeps_all=True)
    n_rows, scores = 0, Scores(classify=hasattr(model, "classes_"))
    stages = Stages()
    with stages.stage("predict", data.n_rows) as stage, _writer(args.output) as write:
        write(_predicted(model, np.empty((0, n_coefs))))  # without rows there is a header
        for X, y, _, _ in Scan(rows.rows_of(None, stage.advance), None):
            predicted = _predicted(model, X)
            write(predicted)
            n_rows += len(predicted)
            if y is not None:
                there = ~np.isnan(y)
                found = predicted[there]
                if labels:
                    found = np.searchsorted(model.classes_, found)
                scores.add(y[there], found)
    for name, count in encoder.unfamiliar.items():
        column = next(column for column in encoder.columns if column.name == name)
        what = (
            "values that are not a category of the model: they count as none"
            if isinstance(column, CategoricalColumn)
            else "missing values, as there were none in training: replaced by the mean"
        )
        _say(f"note: {name}: {count:,} {what}")
    known_rows = f"{target} is known in {scores.n_rows:,} rows"
    if not math.isnan(scores.accuracy):
        _say(f"{known_rows}: accuracy {scores.accuracy:.4f}")
    elif not math.isnan(scores.r2):
        _say(f"{known_rows}: R² {scores.r2:.4f}, RMSE {scores.rmse:.4g}")
    if args.output:
        _say(f"{n_rows:,} predictions in {args.output}")


def _predicted(model: BaseEstimator, X: np.ndarray) -> np.ndarray:
    """Return a number or the class for each row."""
    if not hasattr(model, "classes_"):
        predicted: np.ndarray = X @ np.ravel(model.coef_)
        return predicted + float(np.ravel(model.intercept_)[0])
    predicted = np.asarray(model.predict(X)) if len(X) else model.classes_[:0]
    return predicted.astype(float) if predicted.dtype.kind in "iub" else predicted


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def _writer(path: str | None) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that writes predictions, to the standard output or to a file."""
    if path is None:
        print("prediction")
        yield lambda predicted: write_lines(predicted, sys.stdout)
        return
    try:
        with prediction_file(path) as file:
            yield file.write
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from None


def info(args: argparse.Namespace) -> None:
    """Carry out ``fastridge info``."""
    args.model = copied(args.model)
    model, table = _read(args.model)
    from fastridge.io.archive import read_header

    rows = [
        ("written by", read_header(args.model)["writer"]),
        ("parameters", repr(model)),
        ("features", f"{model.n_features_in_}"),
        *_solution_rows(model),
    ]
    if table is None:
        print_pairs(f"{type(model).__name__} in {args.model}", rows)
        return
    encoder = _encoder(table, args.model)
    rows.insert(1, ("target", table["target"]))
    rows.insert(2, ("rows", f"{table['n_train']:,} for training"))
    if table["held_out"] is not None:
        held_out = table["held_out"]
        numbers = ", ".join(
            f"{heading} {held_out[key]:.4g}"
            for heading, key in _SCORES
            if held_out.get(key) is not None
        )
        rows.insert(3, ("held out", f"{held_out['n']:,} rows: {numbers}"))
    rows.append(("columns", ", ".join(_column_text(column) for column in encoder.columns)))
    console = print_pairs(f"{type(model).__name__} in {args.model}", rows)
    scale = np.asarray(table["feature_scale"], dtype=float)
    if np.size(model.coef_) != len(scale):  # of several classes
        return
    print_coefficients(
        console, encoder.feature_names, np.ravel(model.coef_), scale, table["target"], 12
    )


def _solution_rows(model: BaseEstimator) -> list[tuple[str, str]]:
    if hasattr(model, "loss"):
        rows = [("loss", model.loss), ("epochs", f"{model.n_iter_}")]
        if hasattr(model, "classes_"):
            rows.append(("classes", ", ".join(map(str, model.classes_.tolist()))))
        return rows
    if not hasattr(model, "dual_gap_"):
        return [("solver", f"{model.solver_}"), ("condition number", condition_text(model))]
    rows = []
    for heading in ("l1_ratio", "alpha"):
        if hasattr(model, f"{heading}_"):
            rows.append((heading, f"{getattr(model, f'{heading}_'):.4g} (chosen)"))
    coef = model.coef_
    rows.append(("nonzero", f"{np.count_nonzero(coef)} of {coef.size} coefficients"))
    return rows + certificate_rows(model)


def _column_text(column: NumericColumn | CategoricalColumn) -> str:
    if isinstance(column, CategoricalColumn):
        return f"{column.name} ({len(column.feature_names)} categories)"
    return f"{column.name} ({column.kind})"
