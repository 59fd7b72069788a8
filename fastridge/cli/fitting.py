"""``fastridge fit``: from a file to a model with its held-out error."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from fastridge.cli.arguments import parse_alphas
from fastridge.cli.checking import (
    Check,
    Evaluation,
    Sample,
    SeenRows,
    compare_with_sklearn,
)
from fastridge.cli.column_lists import columns_of
from fastridge.cli.errors import CommandError, name_list
from fastridge.cli.progress import Stage, Stages
from fastridge.cli.reading import csv_options
from fastridge.cli.rows import (
    ROLES,
    FileRows,
    Rows,
    Schema,
    by_part,
    check_columns,
    encoded_rows,
    open_table,
    read_numeric,
    read_rows,
    training_rows,
)
from fastridge.cli.scores import Scores
from fastridge.cli.training import SummedRows, Training, read_training
from fastridge.cli.wording import in_options, said_in_options
from fastridge.data.batches import Remedy, ScanError
from fastridge.data.column_roles import column_named
from fastridge.data.columns import kind_of
from fastridge.data.doubtful_text import TargetError
from fastridge.data.feature_encoding import Encoding
from fastridge.data.files import FileTable
from fastridge.data.splitting import Split
from fastridge.data.svmlight_file import TARGET
from fastridge.linear_model.ridge import Ridge
from fastridge.linear_model.ridge_cv import RidgeCV
from fastridge.losses.registry import REGRESSION_LOSSES
from fastridge.model_selection.kfold import KFoldPath
from fastridge.statistics.gram_statistics import GramStatistics

_MOST_ROUNDED = 0.01
"""The part of the held-out error that the rounding of predictions may have unnoticed."""


class HeldOut(Protocol):
    """Sums over held-out rows."""

    def add_held_out(self, rows: Rows) -> None:
        """Predict held-out rows."""


class TrainingSums(Protocol):
    """Sums over training rows."""

    def add_training(self, rows: Rows) -> None:
        """Add training rows; X may be overwritten."""


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


class Run:
    """One run of a command: its task, the time of its stages, and notes to print.

    Attributes
    ----------
    args : argparse.Namespace
    task : Task
    stages : Stages
    notes : list of str
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.stages = args, Stages()
        self.task = prepare(args, self.stages)
        self.notes: list[str] = []
        counts, encoder = self.schema.counts, self.schema.encoder
        self._seen = SeenRows(args.seed, counts.n_train, encoder.n_features)

    @property
    def schema(self) -> Schema:
        """The features that columns become."""
        return self.task.schema

    def in_options(self) -> AbstractContextManager[None]:
        """Return a context in which what estimators refuse is said in the options' words."""
        return said_in_options(self.schema.encoder.feature_names)

    def watch(self, rows: Rows) -> None:
        """Add to what `checked` needs of the training rows."""
        if self.args.check:
            self._seen.add_training(rows)

    def read_training(self, watch: Callable[[Rows], None] | None = None) -> Training:
        """Read the training rows once; `watch` is called with them, and held-out rows are summed.

        Not where rows are kept, and so on: see `training.read_training`.
        """
        task = self.task
        with self.in_options():
            training, notes = read_training(task.rows, self.schema, self.args, self.stages, watch)
        self.notes += notes
        return training

    @contextmanager
    def solving(self, stage: str = "solve") -> Iterator[Stage]:
        """Time a ``with`` block as a stage, and make notes of the warnings in it."""
        with (
            self.in_options(),
            self.stages.stage(stage) as one,
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", ".*alphas='auto'")  # said in our words
            yield one
        names = self.schema.encoder.feature_names
        self.notes += dict.fromkeys(in_options(str(said.message), names) for said in caught)

    def read_again(self, held_out: Sequence[HeldOut], training: Sequence[TrainingSums] = ()) -> int:
        """Give the held-out rows to all of `held_out`, the others to all of `training`.

        Returns the number of held-out rows.
        """
        task, encoder, counts = self.task, self.schema.encoder, self.schema.counts
        encoder.unfamiliar.clear()
        n_test = counts.n_test
        with self.stages.stage("check", counts.n_rows) as stage:
            if training or n_test:
                part = None if training else "held out"
                for rows, others in by_part(task.rows, part, stage.advance):
                    for sums in held_out:
                        sums.add_held_out(rows)
                    for own in training:
                        own.add_training(others)
            if task.test_rows is not None:
                n_test = _add_test_file(held_out, task.test_rows, self.args.target, stage.advance)
        self.note_unfamiliar()
        return n_test

    def note_unfamiliar(self) -> None:
        """Note each column with held-out values that no feature represents."""
        for name, found in self.schema.encoder.unfamiliar.items():
            self.notes.append(
                f"{name}: {found.total:,} held-out values that no feature stands for: {found}"
            )

    def checked(
        self, evaluation: Evaluation, training: Training, compare: Callable[[Sample], Check]
    ) -> tuple[int, list[Check]]:
        """Return the number of held-out rows, and the checks if wanted; read rows where needed."""
        found = self._checked(evaluation, training, compare)
        if evaluation.rounding > _MOST_ROUNDED * evaluation.rmse:
            self.notes.append(
                f"predictions are rounded to about {evaluation.rounding:.1g}, as features are far "
                "from zero: subtract a constant from them"
            )
        return found

    def _checked(
        self, evaluation: Evaluation, training: Training, compare: Callable[[Sample], Check]
    ) -> tuple[int, list[Check]]:
        seen, checks = self._seen, self.args.check
        if isinstance(training, SummedRows) and training.held_out is not None:
            total, held_out = training.total, training.held_out
            if not checks:
                return self._score(evaluation, held_out), []
            if evaluation.take_sums(total, seen.random.n_rows):
                with self.stages.stage("check"):
                    of_sums = seen.random.agreement(total)
                    found = [evaluation.optimality(), of_sums, compare(seen.sample)]
                return self._score(evaluation, held_out), found
        if not checks:
            return self.read_again([evaluation]), []
        sample = self.sample()
        n_test = self.read_again([evaluation], [sample, evaluation])
        return n_test, [evaluation.optimality(), compare(sample)]

    def sample(self) -> Sample:
        """Return an empty sample of the training rows."""
        return Sample(self.args.seed, self.schema.counts.n_train, self.schema.encoder.n_features)

    def _score(self, evaluation: Evaluation, held_out: GramStatistics) -> int:
        """Score held-out rows by their sums, or by reading them where these cancel.

        Returns the number of held-out rows.
        """
        if self.task.test_rows is not None or not evaluation.add_statistics(held_out):
            return self.read_again([evaluation])
        self.note_unfamiliar()
        return self.schema.counts.n_test

    def fitted(
        self,
        model: BaseEstimator,
        evaluation: Scores,
        deviations: np.ndarray,
        n_test: int,
        checks: Sequence[Check] = (),
    ) -> dict[str, Any]:
        """Return the attributes of `Fitted` of this run."""
        given = Fitted(
            self.args.data, self.args.target, self.schema, model, self.schema.counts.n_train,
            n_test, deviations, evaluation, list(checks), self.notes, self.stages,
        )  # fmt: skip
        return vars(given)


def fit(args: argparse.Namespace) -> FitResult:
    """Carry out ``fastridge fit``, without printing and writing files."""
    run = Run(args)
    training = run.read_training(run.watch)
    with run.solving():
        alphas, kfold, coef_path, model = _solve(run, training)
    options = {"alpha": model.alpha, "standardize": args.standardize}
    evaluation = Evaluation(model, training, **options)
    n_test, checks = run.checked(
        evaluation, training, lambda sample: compare_with_sklearn(sample, **options)
    )
    fitted = run.fitted(model, evaluation, training.deviations, n_test, checks)
    return FitResult(**fitted, alphas=alphas, kfold=kfold, coef_path=coef_path)


def _solve(
    run: Run, training: Training
) -> tuple[np.ndarray | None, KFoldPath | None, np.ndarray | None, Ridge]:
    """Return penalties, k-fold errors, coefficient path and the model on all training rows."""
    args, given = run.args, run.task.alphas
    options = {"standardize": args.standardize, "n_threads": args.n_threads}
    alpha, alphas, kfold, coef_path = args.alpha, None, None, None
    if alpha is None:
        training.require_folds(": give --alpha")
    if training.n_folds > 1 and (alpha is None or args.plot):
        kfold = kfold_errors(training, given or "auto", args)
        alphas = kfold.alphas
        if alpha is None:
            alpha = float(alphas[kfold.best])
            if len(alphas) > 1 and kfold.best in (0, len(alphas) - 1):
                side = "smallest" if kfold.best == 0 else "largest"
                run.notes.append(f"the best penalty is the {side} of the {len(alphas)} tried")
    if args.plot:
        shown = given if alphas is None else alphas
        spectrum, alphas = training.ridge_spectrum(shown, standardize=args.standardize)
        coef_path = spectrum.coefs(alphas)[:, 0]
    return alphas, kfold, coef_path, training.fit(Ridge(alpha, **options))


def kfold_errors(
    training: Training, alphas: ArrayLike | Literal["auto"], args: argparse.Namespace
) -> KFoldPath:
    """Return the mean squared errors of ridge at every penalty, by folds."""
    chooser = RidgeCV(
        alphas,
        method="kfold",
        scoring="neg_mean_squared_error",
        standardize=args.standardize,
        n_threads=args.n_threads,
    )
    training.choose(chooser)
    mse, mean = -chooser.fold_scores_, -chooser.mean_scores_
    error = chooser.standard_errors_
    return KFoldPath(chooser.alphas_, mse[:, :, None], mean, error, int(mean.argmin()))


def prepare(args: argparse.Namespace, stages: Stages) -> Task:
    """Open the files and infer the schema."""
    try:
        given_alphas = parse_alphas(args.alphas)
    except ValueError as error:
        raise CommandError(str(error)) from None
    csv = csv_options(args)
    table = open_table(args.data, csv=csv)
    table.refuse_unused(replace(csv, numeric=read_numeric(table, args.numeric)))
    test_table = open_table(args.test, csv=csv) if args.test else None
    if test_table is not None:
        read_numeric(test_table, args.numeric)
    split = Split(args.seed, 0.0 if test_table else args.test_size, args.folds)
    if args.target is None and table.format == "svmlight":
        args.target = TARGET
    if args.target is None:
        raise CommandError(f"argument --target: name one of {name_list(table.names)}")
    args.target = column_named(args.target, table.names, table.name)
    roles = {"the target": args.target}
    for role in ROLES:
        if getattr(args, role) is not None:
            roles[f"--{role}"] = column_named(getattr(args, role), table.names, table.name)
            setattr(args, role, roles[f"--{role}"])
    others = list(roles.values())
    features = columns_of("--features", args.features, table, others)
    categorical, keep, drop = (
        columns_of(f"--{name}", getattr(args, name) or None, table, others) or []
        for name in ("categorical", "keep", "drop")
    )
    check_columns(table, [*others, *(features or []), *categorical, *keep, *drop])
    for what, name in roles.items():
        if name in (features or []):
            raise CommandError(f"{what} {name!r} is among the --features")
        first = next(role for role, other in roles.items() if other == name)
        if first != what:
            is_target = "the target" if first == "the target" else f"the column of {first} too"
            raise CommandError(f"{what} {name!r} is {is_target}")
    both = set(keep) & set(drop)
    if both:
        raise CommandError(f"--keep and --drop both name {min(both)!r}: leave it out of one")
    for name in others:
        if name in keep:
            raise CommandError(f"--keep names {name!r}, which is no feature: leave it out")
    if features is not None and (keep or drop):
        raise CommandError("--features names all columns: leave out --keep and --drop")
    for name in categorical:
        if name in [*others, *drop] or name not in (features or table.types):
            raise CommandError(f"--categorical names {name!r}, which is not among the features")
    with stages.stage("schema", table.n_rows) as stage:
        labels = labelled(args, table)
        columns = features, categorical, keep, drop, split, labels
        try:
            rows, schema = training_rows(args, table, *columns, stage.advance)
        except TargetError as error:
            classes = Remedy("family", "multinomial", "if its values are classes")
            raise ScanError(error.message, *error.remedies, classes) from None
    if len(table.files) > 1:
        schema.choices.insert(0, ("files", f"{len(table.files):,}, one after the other"))
    if args.weights is not None:
        text = f"{args.weights}; rows without one are left out, as those without a target"
        schema.choices.append(("weights", text))
    for role in ("offset", "exposure"):
        if getattr(args, role) is not None:
            schema.choices.append((role, f"{getattr(args, role)}; rows without one are left out"))
    test_rows = None
    if test_table is not None:
        encoding = Encoding(schema.encoder, fills=True)
        roles = {role: getattr(args, role) for role in ROLES}
        test_rows = encoded_rows(test_table, encoding, args.target, **roles)
    return Task(rows, test_rows, schema, given_alphas)


def labelled(args: argparse.Namespace, table: FileTable) -> bool:
    """Return whether the target is labels, as text: it may be for the losses of classes."""
    losses = (None, *REGRESSION_LOSSES)
    classifies = args.family in ("binomial", "multinomial") or (
        getattr(args, "method", None) == "sgd" and args.loss not in losses
    )
    known = table.types.get(args.target)
    return classifies and known is not None and kind_of(known) == "text"


def _add_test_file(
    held_out: Sequence[HeldOut],
    rows: FileRows,
    target: str,
    advance: Callable[[int], None],
) -> int:
    """Predict the rows of a test file; return their number."""
    n_rows = 0
    for some in read_rows(rows, None, advance):
        for sums in held_out:
            sums.add_held_out(some)
        n_rows += len(some.y)
    if not n_rows:
        raise CommandError(f"{rows.table.name} has no rows with a {target!r}")
    return n_rows
