"""``fastridge fit``: from a file to a model with its held-out error."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.base import BaseEstimator

from fastridge.cli.arguments import parse_alphas, split_commas
from fastridge.cli.checking import Check, Evaluation, Sample, compare_with_sklearn
from fastridge.cli.errors import CommandError, name_list, require
from fastridge.cli.progress import Stages
from fastridge.cli.reading import csv_options
from fastridge.cli.rows import (
    FileRows,
    Schema,
    accumulate,
    by_part,
    check_columns,
    encoded_rows,
    open_table,
    training_rows,
)
from fastridge.cli.scores import Scores
from fastridge.data.batches import Remedy, ScanError
from fastridge.data.column_roles import column_named
from fastridge.data.columns import kind_of
from fastridge.data.doubtful_text import TargetError
from fastridge.data.files import FileTable
from fastridge.data.one_hot import Encoder
from fastridge.data.scan import Scan
from fastridge.data.splitting import Split
from fastridge.data.svmlight_file import TARGET
from fastridge.linear_model.ridge import Ridge
from fastridge.losses.registry import REGRESSION_LOSSES
from fastridge.model_selection.kfold import KFoldPath, kfold_path
from fastridge.solvers.direct.path import default_alphas, statistics_path
from fastridge.statistics.gram_statistics import GramStatistics

MAX_FEATURES = 20_000


class HeldOut(Protocol):
    """Sums over held-out rows."""

    def add_held_out(self, X: np.ndarray, y: np.ndarray) -> None:
        """Predict held-out rows."""


@dataclass
class Fitted:
    """The result of a fit, whatever the model.

    Attributes
    ----------
    path, target : str
    schema : Schema
    model : estimator
    n_train, n_test : int
    feature_scale : ndarray of shape (n_features,)
        Standard deviation of each feature over the training rows.
    evaluation : Scores
        Held-out error.
    checks : list of Check
    notes : list of str
        Warnings of the solver and other notes, one line each.
    stages : Stages
    """

    path: str
    target: str
    schema: Schema
    model: BaseEstimator
    n_train: int
    n_test: int
    feature_scale: np.ndarray
    evaluation: Scores
    checks: list[Check]
    notes: list[str]
    stages: Stages


@dataclass
class FitResult(Fitted):
    """All that `fastridge fit` found out of a ridge regression.

    Attributes
    ----------
    alphas : ndarray or None
        Penalties that were compared, None for a given one.
    kfold : fastridge.model_selection.kfold.KFoldPath or None
    coef_path : ndarray of shape (n_alphas, n_features) or None
        Coefficients at each of `alphas`, where a plot is drawn.
    """

    model: Ridge
    alphas: np.ndarray | None
    kfold: KFoldPath | None
    coef_path: np.ndarray | None


@dataclass
class Task:
    """The arguments as objects: rows, held-out rows of another file, schema and given penalties."""

    rows: FileRows
    test_rows: FileRows | None
    schema: Schema
    alphas: list[float] | None


def prepare(args: argparse.Namespace, stages: Stages) -> Task:
    """Open the files and infer the schema, as `fit` and `cv` both begin."""
    try:
        given_alphas = parse_alphas(args.alphas)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if args.n_threads is not None:
        pa = require("pyarrow", "cli")
        pa.set_cpu_count(args.n_threads)
    csv = csv_options(args)
    table = open_table(args.data, csv=csv)
    table.refuse_unused(csv)
    test_table = open_table(args.test, csv=csv) if args.test else None
    split = Split(args.seed, 0.0 if test_table else args.test_size, args.folds)
    features = _names(args.features, table)
    categorical = _names(args.categorical, table) or []
    keep, drop = (_names(words, table) or [] for words in (args.keep, args.drop))
    if args.target is None and table.format == "svmlight":
        args.target = TARGET
    if args.target is None:
        raise CommandError(f"argument --target: name one of {name_list(table.names)}")
    args.target = column_named(args.target, table.names, table.name)
    check_columns(table, [args.target, *(features or []), *categorical, *keep, *drop])
    if features is not None and args.target in features:
        raise CommandError(f"the target {args.target!r} is among the --features")
    if features is not None and (keep or drop):
        raise CommandError("--features names all columns: leave out --keep and --drop")
    for name in categorical:
        if name == args.target or name not in (features or table.types):
            raise CommandError(f"--categorical names {name!r}, which is not among the features")
    with stages.stage("schema", table.n_rows) as stage:
        labels = labelled(args, table)
        columns = features, categorical, keep, drop, split, labels
        try:
            rows, schema = training_rows(args, table, *columns, stage.advance)
        except TargetError as error:
            classes = Remedy("loss", "log_loss --method sgd", "if its values are classes")
            raise ScanError(error.message, *error.remedies, classes) from None
    if schema.encoder.n_features > MAX_FEATURES:
        raise CommandError(
            f"{schema.encoder.n_features:,} features are more than the {MAX_FEATURES:,} whose "
            "products fit: choose fewer --features or --max-categories"
        )
    if len(table.files) > 1:
        schema.choices.insert(0, ("files", f"{len(table.files):,}, one after the other"))
    test_rows = None
    if test_table is not None:
        test_rows = encoded_rows(test_table, schema.encoder, args.target)
    return Task(rows, test_rows, schema, given_alphas)


def labelled(args: argparse.Namespace, table: FileTable) -> bool:
    """Return whether the target is labels, as text: it may be for the losses of classes."""
    losses = (None, *REGRESSION_LOSSES)
    classifies = getattr(args, "method", None) == "sgd" and args.loss not in losses
    known = table.types.get(args.target)
    return classifies and known is not None and kind_of(known) == "text"


def fit(args: argparse.Namespace) -> FitResult:
    """Carry out ``fastridge fit``, without printing and writing files."""
    stages = Stages()
    task = prepare(args, stages)
    encoder, counts = task.schema.encoder, task.schema.counts
    sample = Sample(args.seed, counts.n_train, encoder.n_features) if args.check else None
    with stages.stage("statistics", counts.n_rows) as stage:
        fold_statistics = accumulate(task.rows, args, stage.advance)
    total = sum(fold_statistics[1:], fold_statistics[0].copy())

    notes: list[str] = []
    with stages.stage("solve"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        alphas, kfold, coef_path, model = _solve(args, task.alphas, fold_statistics, total, notes)
    notes += list(dict.fromkeys(str(warning.message).splitlines()[0] for warning in caught))

    evaluation = Evaluation(model, total, alpha=model.alpha, standardize=args.standardize)
    checks = []
    with stages.stage("check", counts.n_rows) as stage:
        training = evaluation if args.check else None
        n_test = read_again(task, args.target, stage.advance, [evaluation], training, sample)
        if sample is not None:
            checks.append(evaluation.normal_equations())
            checks.append(compare_with_sklearn(sample, model.alpha, args.standardize))
    notes += unfamiliar_notes(encoder)
    return FitResult(
        args.data, args.target, task.schema, model, counts.n_train, n_test, deviations(total),
        evaluation, checks, notes, stages, alphas, kfold, coef_path,
    )  # fmt: skip


def read_again(
    task: Task,
    target: str,
    advance: Callable[[int], None],
    held_out: Sequence[HeldOut],
    training: Evaluation | None = None,
    sample: Sample | None = None,
) -> int:
    """Give the held-out rows to all of `held_out`, the others to `sample` and `training`.

    Returns the number of held-out rows.
    """
    task.schema.encoder.unfamiliar.clear()
    n_test = task.schema.counts.n_test
    if training is not None or n_test:
        part = None if training is not None else "held out"
        for (X, y), (X_train, y_train) in by_part(task.rows, part, advance):
            for sums in held_out:
                sums.add_held_out(X, y)
            if sample is not None:
                sample.add(X_train, y_train)
            if training is not None:
                training.add_training(X_train, y_train)
    if task.test_rows is not None:
        n_test = add_test_file(held_out, task.test_rows, target, advance)
    return n_test


def deviations(stats: GramStatistics) -> np.ndarray:
    """Return the standard deviation of each feature."""
    return np.asarray(np.sqrt(np.diagonal(stats.xx) / stats.sum_weights))


def unfamiliar_notes(encoder: Encoder) -> list[str]:
    """Return a line for each column with held-out values that no feature represents."""
    return [
        f"{name}: {count:,} held-out values that no feature stands for"
        for name, count in encoder.unfamiliar.items()
    ]


def _names(words: list[str] | None, table: FileTable) -> list[str] | None:
    """Return column names from words, each of which may hold several names separated by commas."""
    if words is None:
        return None
    names: list[str] = []
    for word in words:
        names += [word] if word in table.types else split_commas([word])
    return [column_named(name, table.names, table.name) for name in names]


def _solve(
    args: argparse.Namespace,
    given_alphas: Sequence[float] | None,
    fold_statistics: list[GramStatistics],
    total: GramStatistics,
    notes: list[str],
) -> tuple[np.ndarray | None, KFoldPath | None, np.ndarray | None, Ridge]:
    """Return penalties, k-fold errors, coefficient path and the model on all training rows."""
    alphas = kfold = coef_path = None
    if args.alpha is None or args.plot:
        if given_alphas is None:
            alphas = default_alphas(total, standardize=args.standardize)
        else:
            alphas = np.asarray(given_alphas)
        if len(fold_statistics) > 1:
            kfold = kfold_path(fold_statistics, alphas, standardize=args.standardize)
        elif args.alpha is None:
            raise CommandError(
                f"{total.n_samples} training rows are too few to choose the penalty: give --alpha"
            )
    alpha = args.alpha
    if alpha is None:
        assert alphas is not None
        assert kfold is not None
        alpha = float(alphas[kfold.best])
        if len(alphas) > 1 and kfold.best in (0, len(alphas) - 1):
            side = "smallest" if kfold.best == 0 else "largest"
            notes.append(f"the best penalty is the {side} of the {len(alphas)} tried")
    if args.plot:
        assert alphas is not None
        path = statistics_path(total, alphas, standardize=args.standardize)
        coef_path = path.coefs[:, 0, :]
    model = Ridge(alpha, standardize=args.standardize, n_threads=args.n_threads)
    return alphas, kfold, coef_path, model.fit_statistics(total)


def add_test_file(
    held_out: Sequence[HeldOut],
    rows: FileRows,
    target: str,
    advance: Callable[[int], None],
) -> int:
    """Predict the rows of a test file; return their number."""
    n_rows = 0
    for X, y, _, _ in Scan(rows.rows_of(None, advance), None):
        assert y is not None
        for sums in held_out:
            sums.add_held_out(X, y)
        n_rows += len(y)
    if not n_rows:
        raise CommandError(f"{rows.table.name} has no rows with a {target!r}")
    return n_rows
