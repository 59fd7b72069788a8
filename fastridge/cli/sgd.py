"""``fastridge fit --method sgd``: stochastic gradient descent.

Rows are kept in memory as float32. They are read again in every epoch if they would take more than
a quarter of the memory, or if a checkpoint is requested.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import Fitted, Run, Task
from fastridge.cli.labels import add_unseen, restore_labels, unseen_notes
from fastridge.cli.progress import Stage
from fastridge.cli.rows import (
    BATCH_ROWS,
    Rows,
    held_rows,
    n_held_values,
    no_weight,
    read_rows,
    together,
)
from fastridge.cli.scores import Scores, true_probability
from fastridge.data.one_hot import Unfamiliar
from fastridge.data.scan import Scan
from fastridge.linear_model.sgd_classifier import SGDClassifier
from fastridge.linear_model.sgd_regressor import SGDRegressor
from fastridge.losses.registry import REGRESSION_LOSSES
from fastridge.runtime.memory import memory_size
from fastridge.solvers.sgd.standardisation import Standardisation

_DEFAULT_LOSS = "squared_error"
_MOST_CLASSES = 100
SGDModel: TypeAlias = SGDClassifier | SGDRegressor
_MEMORY_SHARE = 0.25
"""Rows that take more than this part of the memory are read again each time instead of kept."""


class SGDEvaluation(Scores):
    """Scores of a model on held-out rows; the log loss where it gives probabilities."""

    def __init__(self, model: SGDModel, rows: Rows) -> None:
        self._model = model
        self.unseen = Unfamiliar()
        classify = hasattr(model, "classes_")
        if classify:
            classes, index = np.unique(rows.y, return_inverse=True)
            baseline = float(classes[np.bincount(index, rows.weight).argmax()])
        else:
            baseline = float(np.average(rows.y, weights=rows.weight))
        super().__init__(baseline, classify=classify)

    def add_held_out(self, rows: Rows) -> None:
        """Predict held-out rows."""
        X, y, weight = rows[:3]
        if not len(y):
            return
        model, probability = self._model, None
        if hasattr(model, "classes_"):
            add_unseen(self.unseen, y, model.classes_)
        if hasattr(model, "classes_") and model.loss == "log_loss":
            probability = true_probability(model.predict_proba(X), model.classes_, y)
        self.add(y, np.asarray(model.predict(X), dtype=float), probability, weight)


@dataclass
class SGDResult(Fitted):
    """All that ``fastridge fit --method sgd`` found out."""

    model: SGDModel

    @property
    def name(self) -> str:
        """Kind of the model."""
        kind = "classifier" if hasattr(self.model, "classes_") else "regression"
        return f"SGD {kind} ({self.model.loss})"


def fit_sgd(args: argparse.Namespace) -> SGDResult:
    """Carry out ``fastridge fit --method sgd``, without printing and writing files."""
    run = Run(args)
    schema = run.schema
    dense = "--standardize" in args.given  # which centres
    n_bytes = 4 * n_held_values(run.task.rows, schema, dense=dense)
    streams = args.checkpoint is not None or n_bytes > _MEMORY_SHARE * memory_size()
    with run.stages.stage("rows", schema.counts.n_rows) as stage:
        standardisation = Standardisation()
        if streams:
            what = f"{n_bytes / 1e9:.2g} GB" if args.checkpoint is None else "checkpoints"
            run.notes.append(f"rows are read again every epoch ({what})")
            rows = _targets(run.task, stage, standardisation)
        else:
            rows = held_rows(run.task.rows, schema, stage.advance, np.float32, dense=dense)
            standardisation.see(rows.X, rows.weight)
    if rows.weight is not None and not rows.weight.any():
        raise no_weight(args.weights)
    model = _model(args, rows)
    with run.solving("descend") as stage:
        model._on_epoch = _Reporter(stage, args.verbose)
        try:
            if streams:
                model.fit(
                    _training_scan(run.task, dense=dense),
                    checkpoint=args.checkpoint,
                    checkpoint_every=args.checkpoint_every,
                )
            else:
                model.fit(rows.X, rows.y, sample_weight=rows.weight)
        finally:
            del model._on_epoch
    evaluation = SGDEvaluation(model, rows)
    n_test = run.read_again([evaluation])
    if hasattr(model, "classes_"):
        restore_labels(model, schema.encoder, run.task.rows.table, args.target)
        named = schema.encoder.unseen_labels  # those of text
        run.notes += unseen_notes(named if named.total else evaluation.unseen, args.target)
    return SGDResult(**run.fitted(model, evaluation, _deviations(standardisation), n_test))


def _deviations(standardisation: Standardisation) -> np.ndarray:
    """Return the standard deviation of each feature."""
    assert standardisation.moments is not None
    return np.sqrt(standardisation.moments[1])


def _training_scan(task: Task, *, dense: bool) -> Scan:
    rows = task.rows.rows_of("training", dtype=np.float32, dense=dense)
    rows.feature_names = None  # as of rows in memory, which are arrays
    return Scan(rows, BATCH_ROWS)


def _targets(task: Task, stage: Stage, standardisation: Standardisation) -> Rows:
    """Return the training rows without features, after showing these to `standardisation`."""
    others = []
    for some in read_rows(task.rows, "training", stage.advance):
        standardisation.see(some.X, some.weight)
        others.append(some._replace(X=some.X[:, :0]))
    return together(others)


def _model(args: argparse.Namespace, rows: Rows) -> SGDModel:
    """Return the estimator that the arguments describe."""
    loss = _DEFAULT_LOSS if args.loss is None else args.loss
    options = {
        "loss": loss,
        "alpha": 1e-4 if args.alpha is None else args.alpha,
        "penalty": "l2" if args.l1_ratio is None else "elasticnet",
        "l1_ratio": 0.15 if args.l1_ratio is None else args.l1_ratio,
        "max_iter": 1000 if args.epochs is None else args.epochs,
        "tol": 1e-3 if args.tol is None else args.tol,
        "learning_rate": args.learning_rate or "auto",
        "eta0": 0.01 if args.eta0 is None else args.eta0,
        "average": args.average,
        "epsilon": 0.1 if args.epsilon is None else args.epsilon,
        "random_state": args.seed,
        "standardize": "--standardize" in args.given,
        "n_threads": args.n_threads,
    }
    if loss in REGRESSION_LOSSES:
        return SGDRegressor(**options)
    fractions = rows.y[rows.y != np.floor(rows.y)]
    if len(fractions):
        raise CommandError(
            f"--loss {loss} is for classes, and {args.target!r} holds fractions such as "
            f"{fractions[0]:g}: use one of {', '.join(REGRESSION_LOSSES)}"
        )
    classes = np.unique(rows.y[: 1 << 16])
    if len(classes) > _MOST_CLASSES:
        raise CommandError(
            f"--loss {loss} is for classes, and {args.target!r} of {args.data} has over "
            f"{_MOST_CLASSES} values: use one of {', '.join(REGRESSION_LOSSES)}"
        )
    if len(np.unique(rows.y)) < 2:
        raise CommandError(
            f"--loss {loss} needs two classes, and {args.target!r} of {args.data} has one value"
        )
    return SGDClassifier(**options)


class _Reporter:
    """Show the loss and the rows per second: live on a terminal, or one line per epoch."""

    def __init__(self, stage: Stage, verbose: bool) -> None:
        self._stage, self._verbose = stage, verbose
        self._started = time.perf_counter()
        self._n_rows = 0

    def __call__(self, epoch: int, loss: float, n_rows: int) -> None:
        self._n_rows += n_rows
        rate = self._n_rows / max(time.perf_counter() - self._started, 1e-9)
        text = f"epoch {epoch}: loss {loss:.6g}, {rate:,.0f} rows/s"
        self._stage.advance(n_rows)
        self._stage.describe(text)
        if self._verbose:
            print(text, file=sys.stderr)
