"""``fastridge cv``: the penalty that each method chooses, side by side.

All methods share the statistics of the folds (one pass) and the spectrum of their sum. These also
give the held-out errors. The exact leave-one-out errors need the rows again: they are kept if they
take little memory, and otherwise read once more.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from fastridge.cli.arguments import METHODS
from fastridge.cli.centring import CentredRows, dense
from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import Run, kfold_errors
from fastridge.cli.progress import Stages
from fastridge.cli.rows import Rows, Schema, by_part
from fastridge.cli.training import KeptRows, SummedRows, Training
from fastridge.model_selection.evidence import expectation_maximisation, gcv_score, log_evidence
from fastridge.model_selection.high_leverage import LEAST_LEFT
from fastridge.model_selection.kfold import coef_errors
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.model_selection.leave_one_out_stream import with_rows_apart
from fastridge.model_selection.one_standard_error import choose
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.statistics.gram_statistics import GramStatistics

_BLOCK_VALUES = 1 << 20  # of errors at all penalties at a time: 8 MB
_MOST_KEPT = 1 << 23  # values of training rows that are kept for leave-one-out: 64 MB


@dataclass
class Choice:
    """The alpha that one method chose; `rmse` is NaN if its criterion is not an error."""

    method: str
    alpha: float
    rmse: float
    seconds: float
    held_out_rmse: float = np.nan
    curve: np.ndarray | None = None  # its RMSE at every penalty, with a standard error or none
    curve_error: np.ndarray | None = None


@dataclass
class Comparison:
    """The choices of all methods, the number of rows, and notes to print.

    `coef_path`, of shape (n_alphas, n_features), is present if a plot was requested.
    """

    path: str
    target: str
    schema: Schema
    choices: list[Choice]
    n_test: int
    alphas: np.ndarray
    coef_path: np.ndarray
    feature_scale: np.ndarray
    notes: list[str]
    stages: Stages

    @property
    def feature_names(self) -> list[str]:
        """Names of the features."""
        return self.schema.encoder.feature_names


class HeldOutErrors:
    """Squared errors on held-out rows of several models.

    Parameters
    ----------
    coefs : ndarray of shape (n_models, n_features)
    training : Training
        At the mean of its rows, all of them predict the mean.
    """

    def __init__(self, coefs: np.ndarray, training: Training) -> None:
        self._coefs, self._training = coefs, training
        self._total, self._weight = np.zeros(len(coefs)), 0.0

    @np.errstate(over="ignore", invalid="ignore")
    def add_held_out(self, rows: Rows) -> None:
        """Predict held-out rows; X is overwritten."""
        weight, problem = rows.weights, self._training.problem
        (x_mean, y_mean), (x_rest, y_rest) = problem.centre, problem.centre_rest
        X = CentredRows(rows.X, x_mean)
        residual = (rows.y - y_mean)[:, None] - X.predict(np.ascontiguousarray(self._coefs.T))
        residual += self._coefs @ x_rest - y_rest
        self._total += weight @ residual**2
        self._weight += float(weight.sum())

    def add_statistics(self, held_out: GramStatistics) -> bool:
        """Add held-out rows by their sums; return False, and do nothing, where these cancel."""
        if not held_out.n_samples:
            return True
        sums, problem = held_out._held(), self._training.problem
        errors, cancels = coef_errors(self._coefs[:, None], problem, sums, held_out.xx)
        if not cancels:
            self._total += errors[:, 0]
            self._weight += sums.sum_weights
        return not cancels

    @property
    def rmse(self) -> np.ndarray:
        """The root mean squared errors, of shape (n_models,); NaN without rows."""
        if not self._weight:
            return np.full(len(self._total), np.nan)
        return np.asarray(np.sqrt(self._total / self._weight))


def cross_validate(args: argparse.Namespace) -> Comparison:
    """Carry out ``fastridge cv``, without printing."""
    run = Run(args)
    given, notes = run.task.alphas, run.notes
    if given and given[0] == 0.0:
        raise CommandError("argument --alphas: cv compares penalties above 0, not 0: leave it out")
    methods = list(dict.fromkeys(args.methods or METHODS))
    kept = KeptBatches()
    n_values = run.schema.counts.n_train * run.schema.encoder.n_features
    reads_again = "loo" in methods and n_values > _MOST_KEPT
    watch = kept.add if "loo" in methods else kept.ignore
    training = run.read_training(None if reads_again else watch)
    training.require_folds()
    choices: dict[str, Choice] = {}
    with run.in_options():
        spectrum, alphas = training.ridge_spectrum(given, standardize=args.standardize)
        for method in methods:
            begin = perf_counter()
            choices[method] = _without_rows(method, spectrum, alphas, training, run)
            choices[method].seconds = perf_counter() - begin
    for method in choices:
        if args.selection == "1se" and method not in ("loo", "kfold"):
            notes.append(f"{method} has no standard error: its best penalty is shown")

    em = [choices["em"].alpha] if "em" in choices else []
    compared = np.append(alphas, em)
    held_out = HeldOutErrors(spectrum.coefs(compared)[:, 0], training)
    loo = None
    if "loo" in choices:
        loo = LeftOutRows(spectrum, alphas, run, training, kept)
        if args.standardize:
            notes.append("loo uses the scaling of all training rows")
    n_test = _read_again(run, training, held_out, loo)
    if loo is not None:
        loo.choose(choices["loo"], args.selection)
    notes += [
        f"{name}: the best penalty is the {side} of the {len(alphas)} tried"
        for name, one in choices.items()
        for side in _edge(one, alphas)
    ]
    for one in choices.values():
        one.held_out_rmse = float(held_out.rmse[np.flatnonzero(compared == one.alpha)[0]])
    coefs = spectrum.coefs(alphas)[:, 0] if args.plot else np.empty((0, 0))
    return Comparison(
        args.data, args.target, run.schema, list(choices.values()), n_test, alphas, coefs,
        training.deviations, notes, run.stages,
    )  # fmt: skip


def _read_again(
    run: Run, training: Training, held_out: HeldOutErrors, loo: LeftOutRows | None
) -> int:
    """Add the rows that are to be read again, if any; return the number of held-out rows."""
    streamed = [loo] if loo is not None and loo.needs_rows else []
    sums = training.held_out if isinstance(training, SummedRows) else None
    own = run.task.test_rows is None and not streamed
    if not own or sums is None or not held_out.add_statistics(sums):
        return run.read_again([held_out], streamed)
    run.note_unfamiliar()
    return run.schema.counts.n_test


class KeptBatches:
    """Training rows as they are read, in copies."""

    def __init__(self) -> None:
        self.batches: list[Rows] = []

    def add(self, rows: Rows) -> None:
        """Keep rows."""
        self.batches.append(rows.copied())

    def ignore(self, rows: Rows) -> None:
        """Keep nothing."""


def _without_rows(
    method: str, spectrum: Spectrum, alphas: np.ndarray, training: Training, run: Run
) -> Choice:
    """Return the choice of a method that needs no further reading; for the other, an empty one."""
    one, args = Choice(method, np.nan, np.nan, 0.0), run.args
    if method == "gcv":
        _choose(one, alphas, gcv_score(spectrum, alphas)[:, 0])
    elif method == "kfold":
        path = kfold_errors(training, alphas, args)
        _choose(one, alphas, path.mean, path.standard_error, args.selection)
    elif method == "em":
        found = expectation_maximisation(spectrum)
        one.alpha = found.alpha
        if not (found.converged and found.settled):
            run.notes.append("em did not settle: the data may determine no penalty")
    elif method == "marginal_likelihood":
        one.alpha = float(alphas[log_evidence(spectrum, alphas)[:, 0].argmax()])
    return one


class LeftOutRows:
    """Leave-one-out errors of the training rows: of those in memory, or as they are read again.

    Attributes
    ----------
    needs_rows : bool
        Whether the rows are to be read again.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        alphas: np.ndarray,
        run: Run,
        training: Training,
        kept: KeptBatches,
    ) -> None:
        self._spectrum, self._alphas, self._run = spectrum, alphas, run
        self._kept = kept.batches
        self._loo = LeaveOneOut(spectrum, alphas)
        self._seconds = 0.0
        self._weight = training.problem.design.sum_weights
        self._held = isinstance(training, KeptRows)
        self.needs_rows = not self._held and not self._kept
        if self._held:
            self._timed(self._loo.run)
        for rows in self._kept:
            self.add_training(rows)

    def add_training(self, rows: Rows) -> None:
        """Add training rows."""
        self._timed(lambda: self._add(rows))

    def _add(self, rows: Rows) -> None:
        step = max(1, _BLOCK_VALUES // max(len(self._alphas), rows.X.shape[1]))
        for begin in range(0, len(rows.y), step):
            some = rows.taken(slice(begin, begin + step))
            errors = self._loo.errors(dense(some.X), some.y[:, None], some.weight)
            self._loo.add(errors, some.weight)

    def _timed(self, work: Callable[[], object]) -> None:
        begin = perf_counter()
        work()
        self._seconds += perf_counter() - begin

    def _set_rows_apart(self) -> None:
        def training_rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            if self._kept:
                yield from ((dense(rows.X), rows.y[:, None]) for rows in self._kept)
                return
            for _, rows in by_part(self._run.task.rows, "training"):
                yield dense(rows.X), rows.y[:, None]

        self._loo = with_rows_apart(self._spectrum, self._alphas, training_rows) or self._loo

    def choose(self, one: Choice, selection: str) -> None:
        """Set the choice by the errors of all rows."""
        if not self._held and not self._loo.least_left > LEAST_LEFT:
            if self._run.args.weights is None:
                self._timed(self._set_rows_apart)
            else:
                self._run.notes.append("loo lost digits: a row nearly determines a coefficient")
        n, factor = self._loo.n_samples, 1.0 / self._weight
        mse = factor * self._loo.total[:, 0]
        square = n * factor**2 * self._loo.row_squares
        error = np.sqrt(np.maximum(square - mse**2, 0.0) / max(n - 1, 1))
        _choose(one, self._alphas, mse, error, selection)
        one.seconds += self._seconds


def _edge(one: Choice, alphas: np.ndarray) -> list[str]:
    """Return the end of the grid that was chosen, if any."""
    if len(alphas) < 2 or one.method == "em":
        return []
    ends = [(alphas[0], "smallest"), (alphas[-1], "largest")]
    return [side for alpha, side in ends if one.alpha == alpha]


def _choose(
    one: Choice,
    alphas: np.ndarray,
    loss: np.ndarray,
    error: np.ndarray | None = None,
    selection: str = "min",
) -> None:
    """Set the alpha, of increasing ones, the root of its loss, and the curve."""
    loss = np.where(np.isnan(loss), np.inf, np.maximum(loss, 0.0))
    chosen = choose(alphas, loss, error)
    best = int(chosen.within if selection == "1se" and error is not None else chosen.best)
    one.alpha, one.rmse = float(alphas[best]), float(np.sqrt(loss[best]))
    one.curve = np.sqrt(loss)
    if error is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            one.curve_error = error / (2.0 * one.curve)  # of the root, to first order
