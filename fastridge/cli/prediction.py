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
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator

from fastridge._kernels.attributes import forget
from fastridge.cli.appending import AppendedRows
from fastridge.cli.errors import CommandError, printable, reason
from fastridge.cli.families import Family, predictors
from fastridge.cli.family_report import score_texts
from fastridge.cli.family_scores import ClassScores, MeanScores
from fastridge.cli.fitting import Fitted
from fastridge.cli.generalized import FamilyResult
from fastridge.cli.labels import add_unseen, class_index, class_labels, unseen_notes
from fastridge.cli.process import standard_output
from fastridge.cli.progress import Stages
from fastridge.cli.python_models import encoding_of_python
from fastridge.cli.reading import csv_options
from fastridge.cli.rows import Rows, encoded_rows, open_table, read_numeric
from fastridge.cli.saved import SCORES, copied, encoder_of, loaded
from fastridge.cli.scores import Scores, true_probability
from fastridge.data.batches import ScanError
from fastridge.data.columns import fits, kind_of
from fastridge.data.csv_options import CsvOptions
from fastridge.data.feature_encoding import Encoding
from fastridge.data.one_hot import CategoricalColumn, Encoder, Unfamiliar
from fastridge.data.scan import Scan
from fastridge.io.predictions import ENDINGS, prediction_file, write_header, write_lines
from fastridge.linear_model.prediction import scores_of

if TYPE_CHECKING:
    from fastridge.data.files import FileTable
    from fastridge.io.predictions import Columns

_PREDICTION = "prediction"


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
    if isinstance(result, FamilyResult):
        roles = {"offset": result.offset, "exposure": result.exposure}
        family = {"name": result.family.name, "ratio": result.family.ratios}
        table["family"] = {**family, "null": result.null.tolist(), **roles}
    model = copy.copy(result.model)
    forget(model, "statistics_", "fold_statistics_")  # X'X: as large as the square of the features
    try:
        write_model(path, model, table)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {reason(error)}") from None


def _reading(table: dict[str, Any], path: str) -> CsvOptions:
    """Return how the files of the fit were read."""
    try:
        return CsvOptions.from_json(table.get("reading", {}))
    except (TypeError, ValueError) as error:
        raise CommandError(f"{path} does not say how its files were read: {error}") from None


def predict(args: argparse.Namespace) -> None:
    """Carry out ``fastridge predict``."""
    from fastridge.cli import json_report

    run, target = _opened(args)
    stages = Stages()
    with (
        stages.stage("predict", run.data.n_rows) as stage,
        _writer(args.output, run.header) as write,
    ):
        run.write_all(target, write, stage.advance)
    scores, notes = run.scores, run.notes + _unfamiliar(run.encoder)
    if target is not None:
        labels = run.unseen if run.encoder.classes is None else run.encoder.unseen_labels
        notes += unseen_notes(labels, target, left_out=isinstance(scores, ClassScores))
    if args.json:
        report = {
            "command": "predict",
            "file": args.model,
            "data": args.data,
            "target": target,
            "rows": {"predicted": run.n_rows, "with_target": scores.n_rows},
            "scores": {name: getattr(scores, name, math.nan) for _, name in SCORES},
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
    if isinstance(scores, MeanScores | ClassScores) and not math.isnan(scores.deviance):
        rows = [f"{heading} {text}" for heading, text in score_texts(scores)]
        _say(f"{known_rows}: {'; '.join(rows)}")
    elif not math.isnan(scores.accuracy):
        loss = "" if math.isnan(scores.log_loss) else f", log loss {scores.log_loss:.5g}"
        _say(f"{known_rows}: accuracy {scores.accuracy:.4f}{loss}")
    elif not math.isnan(scores.r2):
        _say(f"{known_rows}: R² {scores.r2:.4f}, RMSE {scores.rmse:.4g}")
    if args.output:
        _say(f"{run.n_rows:,} predictions in {args.output}")


def _opened(args: argparse.Namespace) -> tuple[Predictions, str | None]:
    """Return the model and the rows that the arguments name, and its target, if it is known."""
    from fastridge.io.model_file import read_model

    args.model = copied(args.model)
    model, table = loaded(args.model, read_model)
    given = csv_options(args)
    csv = given if table is None else _reading(table, args.model).updated(given)
    if table is None:
        encoding = encoding_of_python(model, args.model, open_table(args.data, csv=csv))
    else:
        encoding = Encoding(encoder_of(table, args.model), fills=True)
    n_coefs = np.shape(model.coef_)[-1]
    if n_coefs != encoding.n_features:
        raise CommandError(
            f"{args.model} has {n_coefs} coefficients for {encoding.n_features} features"
        )
    if args.output and not args.output.lower().endswith(ENDINGS):
        raise CommandError(f"--output {args.output}: the name must end in {', '.join(ENDINGS)}")
    if args.proba and not hasattr(model, "predict_proba"):
        fit = "--loss log_loss" if hasattr(model, "classes_") else "--family binomial"
        raise CommandError(
            f"argument --proba: {args.model} gives no probabilities: fit it with {fit}"
        )
    if hasattr(model, "classes_") and model.classes_.dtype.kind not in "fiub":
        encoder = replace(encoding.encoder, classes=model.classes_.tolist())
        encoding = replace(encoding, encoder=encoder)
    data = open_table(args.data, encoding, csv)
    data.refuse_unused(replace(given, numeric=read_numeric(data, args.numeric)))
    _check_types(data, encoding.encoder)
    appended = None
    if args.append:
        to_text = args.output is None or args.output.lower().endswith(".csv")
        source = data.files[0].source if len(data.files) == 1 else args.data  # a pipe's copy
        appended = AppendedRows(source, data.csv, as_text=to_text)
    about = None if table is None else table.get("family")
    run = Predictions(model, encoding, data, appended, about, proba=args.proba)
    return run, None if table is None else table["target"]


def _check_types(data: FileTable, encoder: Encoder) -> None:
    """Raise CommandError for a column of another type than in the fit; text tells by its values."""
    for column in encoder.columns if data.text is None else ():
        dtype = data.types.get(column.name)
        as_text = isinstance(column, CategoricalColumn)
        if dtype is not None and not fits(kind_of(dtype), column.kind, as_text=as_text):
            wanted = "text is" if column.kind == "text" else f"{column.kind}s are"
            raise CommandError(
                f"{data.name}: column {column.name!r} holds {dtype} where {wanted} expected, as in "
                "the fit: convert it"
            )


class Predictions:
    """Predictions of the rows of files, and their error where the target is known.

    Parameters
    ----------
    model : estimator
    encoding : Encoding
        With the labels of the target, where those are text.
    data : FileTable
    appended : AppendedRows or None
        The columns to repeat before the predictions.
    about_family : dict or None
        What the file of a generalized linear model says about its family.
    proba : bool
        Whether to write the probability of each class, too.

    Attributes
    ----------
    header : dict of str to array
        The columns, without rows.
    n_rows : int
        Number of rows that were written.
    scores : Scores
    unseen : Unfamiliar
        Labels of the target that are numbers and no class of the model.
    notes : list of str
    """

    def __init__(
        self,
        model: BaseEstimator,
        encoding: Encoding,
        data: FileTable,
        appended: AppendedRows | None,
        about_family: dict[str, Any] | None,
        *,
        proba: bool,
    ) -> None:
        self.encoding, self.encoder, self.data = encoding, encoding.encoder, data
        self._model, self._appended, self._proba = model, appended, proba
        self.family, self._about = Family.of_model(model), about_family or {}
        self.scores = self._new_scores()
        self.unseen = Unfamiliar()
        self.notes: list[str] = []
        self._roles = self._known_roles()
        self.n_rows = 0
        own = self._of(Rows(np.empty((0, encoding.n_features)), np.empty(0)))
        if appended is not None:
            appended.refuse(list(own))
        self.header = self._with_appended(own, 0)

    def _new_scores(self) -> Scores:
        null = self._about.get("null")
        if self.family is None or null is None:
            return Scores(classify=hasattr(self._model, "classes_"))
        return self.family.scores(np.array(null, dtype=float))

    def _known_roles(self) -> dict[str, str]:
        """Return the columns of offset and exposure; one that is not there is noted."""
        known = {}
        for role, without in (("offset", 0), ("exposure", 1)):
            name = self._about.get(role)
            if name in self.data.common:
                known[role] = name
            elif name is not None:
                self.notes.append(
                    f"{self.data.name} has no column {name!r}: predictions are for an {role} of "
                    f"{without}"
                )
        return known

    def write_all(
        self, target: str | None, write: Callable[[Columns], None], advance: Callable[[int], None]
    ) -> None:
        """Write the predictions of all rows; a target that cannot be read is only noted."""
        write(self.header)  # a file has its columns without rows, too
        dtype = None if target not in self.data.common else self.data.types[target]
        known = dtype is not None and kind_of(dtype) in (
            ("number", "boolean") if self.encoder.classes is None else ("text",)
        )
        if dtype is not None and not known:
            self.notes.append(f"{target} holds {kind_of(dtype)}: no error of the predictions")
        try:
            self._write(target if known else None, write, advance)
        except ScanError as error:
            if not known:
                raise
            self.encoder.unfamiliar.clear()
            self._write(None, write, advance)
            self.scores = self._new_scores()
            self.notes.append(f"no error of the predictions: {error.message}")

    def _write(
        self, target: str | None, write: Callable[[Columns], None], advance: Callable[[int], None]
    ) -> None:
        """Write the predictions of the rows that were not written before."""
        rows = encoded_rows(self.data, self.encoding, target, **self._roles, keeps_all=True)
        left_out = self.n_rows
        for batch in Scan(rows.rows_of(None, advance), None):
            n_rows = batch.X.shape[0]
            done = min(left_out, n_rows)
            left_out -= done
            y = np.full(n_rows, np.nan) if batch.y is None else batch.y
            some = Rows(batch.X, y, offset=batch.offset).taken(slice(done, None))
            own = self._of(some)
            write(self._with_appended(own, n_rows - done))
            self.n_rows += n_rows - done
            if batch.y is not None:
                self._score(some, own[_PREDICTION])

    def _of(self, rows: Rows) -> dict[str, np.ndarray]:
        """Return a number for each target or the class of each row, and probabilities."""
        model, X, n_rows = self._model, rows.X, len(rows.y)
        if self.family is not None:
            eta = predictors(model, rows)
            return self._of_classes(eta) if self.family.classifies else self._of_means(eta)
        if not hasattr(model, "classes_"):
            coef = model.coef_.toarray() if sp.issparse(model.coef_) else model.coef_
            coef = np.atleast_2d(coef)
            intercept = np.broadcast_to(model.intercept_, len(coef))
            numbers = scores_of(X, coef, intercept)  # the same bits in batches of any size
            if len(coef) == 1:
                return {_PREDICTION: numbers[:, 0]}
            return {f"{_PREDICTION}_{k}": values for k, values in enumerate(numbers.T)}
        found = np.asarray(model.predict(X)) if n_rows else model.classes_[:0]
        columns = {_PREDICTION: found}
        if self._proba:
            names = [f"probability_{label}" for label in class_labels(model)]
            values = model.predict_proba(X) if n_rows else np.empty((0, len(names)))
            columns |= dict(zip(names, values.T, strict=True))
        return columns

    def _of_means(self, eta: np.ndarray) -> dict[str, np.ndarray]:
        return {_PREDICTION: self._model._mean_of(eta)}

    def _of_classes(self, eta: np.ndarray) -> dict[str, np.ndarray]:
        model = self._model
        index = (eta > 0.0).astype(np.intp) if eta.ndim == 1 else eta.argmax(axis=1)
        columns = {_PREDICTION: model.classes_[index]}
        if self._proba:
            names = [f"probability_{label}" for label in class_labels(model)]
            values = [expit(-eta), expit(eta)] if eta.ndim == 1 else softmax(eta, axis=1).T
            columns |= dict(zip(names, values, strict=True))
        return columns

    def _with_appended(self, own: dict[str, np.ndarray], n_rows: int) -> Columns:
        """Return the columns of the next rows to repeat, and those of their predictions."""
        return own if self._appended is None else self._appended.take(n_rows) | own

    def _score(self, rows: Rows, predicted: np.ndarray) -> None:
        there = ~np.isnan(rows.y)
        X, y, *_ = rows = rows.taken(there)
        found, probability, model = predicted[there], None, self._model
        is_index = self.encoder.classes is not None  # y is the index of a class
        if isinstance(self.scores, MeanScores | ClassScores):
            if hasattr(model, "classes_") and not is_index:
                add_unseen(self.unseen, y, model.classes_)
                y = class_index(model.classes_, y)
            self.scores.add_predictors(predictors(model, rows), y, None, rows.offset)
            return
        if is_index:
            found = np.searchsorted(model.classes_, found)
        elif hasattr(model, "classes_"):
            add_unseen(self.unseen, y, model.classes_)
        if getattr(model, "loss", None) == "log_loss" and len(y):
            classes = np.arange(len(model.classes_)) if is_index else model.classes_
            probability = true_probability(model.predict_proba(X), classes, y)
        self.scores.add(y, found, probability)


def _unfamiliar(encoder: Encoder) -> list[str]:
    """Return a note for each column with values that no feature stands for."""
    columns = {column.name: column for column in encoder.columns}
    notes = []
    for name, found in encoder.unfamiliar.items():
        what = "missing values, as there were none in training: replaced by the mean"
        if isinstance(columns[name], CategoricalColumn):
            what = f"values that are not a category of the model: {found}: they count as none"
        notes.append(f"{name}: {found.total:,} {what}")
    return notes


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
