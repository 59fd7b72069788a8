"""The training rows as estimators take them: the statistics of each fold, or the rows themselves.

With many rows, one pass over them gives each fold's Gram matrix, and no row is kept. With few rows
for their columns, a Gram matrix would be larger than the rows: these are kept, and the estimators
solve on them, as `fit` to arrays does.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from fastridge.cli.errors import CommandError
from fastridge.cli.progress import Stages
from fastridge.cli.rows import FileRows, Rows, Schema, accumulate, held_rows, no_weight
from fastridge.designs import design_of
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.memory import memory_size
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.direct.spectrum import Spectrum, automatic_alphas, least_automatic_alpha
from fastridge.solvers.direct.spectrum_selection import is_dual, spectrum_of
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.gram_statistics import GramStatistics

M = TypeVar("M", bound=BaseEstimator)

MAX_FEATURES = 20_000
"""Most features whose Gram matrices are made."""
MOST_WATCHED = 1000
"""Most features for which held-out rows are summed too: their Gram matrix takes less time than
reading them again."""
_WIDE = 2
"""Rows are kept if there are at most this many times as many of them as columns."""
_MEMORY_SHARE = 0.5
"""The part of the memory that kept rows may take."""


class Training(ABC):
    """Training rows, in whatever form.

    Attributes
    ----------
    problem : Problem
        Without a penalty.
    n_folds : int
        Number of folds that have rows.
    """

    problem: Problem
    n_folds: int

    @property
    def n_rows(self) -> int:
        """Number of rows with weight."""
        return self.problem.design.n_counted

    @property
    def x_mean(self) -> np.ndarray:
        """Means of the features."""
        return self.problem.design.mean

    @property
    def y_mean(self) -> float:
        """Mean of the target."""
        return float(self.problem.y_mean[0])

    @property
    def deviations(self) -> np.ndarray:
        """Standard deviation of each feature."""
        return np.sqrt(self.problem.design.variances)

    @property
    def target_square(self) -> float:
        """Mean square of the target about its mean."""
        design = self.problem.design
        return float(self.problem.target_squares[0]) / design.sum_weights

    def ridge_spectrum(
        self, alphas: Sequence[float] | np.ndarray | None, *, standardize: bool
    ) -> tuple[Spectrum, np.ndarray]:
        """Return the spectrum of ridge, and increasing penalties: those given, or a grid."""
        factors = self.problem.design.standard_squares if standardize else None
        problem = self.problem.penalised(L2Penalty(factors=factors))
        least = least_automatic_alpha(problem) if alphas is None else min(alphas)
        if not is_dual(problem, least, leverage=True):
            problem = problem.accumulated()
        spectrum = spectrum_of(problem, least, leverage=True)
        grid = automatic_alphas(problem, spectrum.top) if alphas is None else np.asarray(alphas)
        return spectrum, grid

    @abstractmethod
    def fit(self, model: M) -> M:
        """Fit an estimator to all training rows, and return it."""

    @abstractmethod
    def choose(self, model: M) -> M:
        """Fit an estimator that chooses its penalty by the folds, and return it."""

    def require_folds(self, remedy: str = "") -> None:
        """Raise CommandError if there are too few folds to choose a penalty."""
        if self.n_folds < 2:
            raise CommandError(
                f"{self.n_rows} training rows are too few to choose the penalty{remedy}"
            )


class SummedRows(Training):
    """The statistics of each fold, and those of the held-out rows if they were read as well."""

    def __init__(
        self,
        folds: list[GramStatistics],
        n_threads: int | None,
        held_out: GramStatistics | None = None,
    ) -> None:
        self.folds, self.n_folds, self.held_out = folds, len(folds), held_out
        self.total = sum(folds[1:], folds[0].copy())
        threads = resolve_threads(n_threads)
        self.problem = problem_of(self.total._held(), n_threads=threads)

    def fit(self, model: M) -> M:
        fitted: M = model.fit_statistics(self.total)
        return fitted

    def choose(self, model: M) -> M:
        fitted: M = model.fit_statistics(self.folds)
        return fitted


class KeptRows(Training):
    """The rows in memory, with the fold of each."""

    def __init__(self, rows: Rows, names: list[str], n_threads: int | None) -> None:
        assert rows.fold is not None
        self.rows, self._names, self._fold = rows, names, rows.fold
        counted = slice(None) if rows.weight is None else rows.weight > 0.0
        self._folds = np.unique(rows.fold[counted])
        self.n_folds = len(self._folds)
        design = design_of(rows.X, rows.weight, True, resolve_threads(n_threads))
        self.problem = Problem(design, SquaredLoss(rows.y))

    @property
    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Indices of the training and of the test rows of each fold."""
        fold = self._fold
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in self._folds]

    def fit(self, model: M) -> M:
        model.fit(self.rows.X, self.rows.y, sample_weight=self.rows.weight)
        model.feature_names_in_ = np.asarray(self._names, dtype=object)
        return model

    def choose(self, model: M) -> M:
        self.fit(model.set_params(cv=self.splits))
        fitted: M = model.set_params(cv=None)
        return fitted


def read_training(
    rows: FileRows,
    schema: Schema,
    args: argparse.Namespace,
    stages: Stages,
    watch: Callable[[Rows], None] | None = None,
) -> tuple[Training, list[str]]:
    """Read the training rows once, and return them with notes on how.

    See `accumulate` for `watch`. Where rows are kept, there are checkpoints, or more than
    `MOST_WATCHED` features, it is not called, and held-out rows are not summed.

    Raises CommandError where they need more memory than there is.
    """
    n, p = schema.counts.n_train, schema.encoder.n_features
    notes: list[str] = []
    if n > _WIDE * p or (args.checkpoint is not None and n > p):
        if p > MAX_FEATURES:
            raise CommandError(
                f"{p:,} features are more than the {MAX_FEATURES:,} whose products fit: choose "
                "fewer --features or --max-categories"
            )
        # Threads of BLAS would take the cores of those that read and sum.
        one_thread = threadpool_limits(1, user_api="blas")
        with one_thread, stages.stage("statistics", schema.counts.n_rows) as stage:
            watch = watch if args.checkpoint is None and p <= MOST_WATCHED else None
            folds, held_out = accumulate(rows, args, stage.advance, watch)
        return SummedRows(folds, args.n_threads, held_out), notes
    if 8 * n * p > _MEMORY_SHARE * memory_size():
        raise CommandError(
            f"{n:,} rows of {p:,} features take {8e-9 * n * p:.2g} GB: choose fewer --features or "
            "--max-categories"
        )
    if args.checkpoint is not None:
        notes.append(
            f"rows are kept in memory, as there are {p:,} features: --checkpoint keeps the columns "
            "alone"
        )
    with stages.stage("rows", schema.counts.n_rows) as stage:
        kept = held_rows(rows, schema, stage.advance)
    if kept.weight is not None and not kept.weight.any():
        raise no_weight(args.weights)
    return KeptRows(kept, schema.encoder.feature_names, args.n_threads), notes
