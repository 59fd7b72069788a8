"""``fastridge cv``: the penalty that each method chooses, side by side.

All methods share the statistics of the folds (one pass) and the spectrum of their sum. One more
pass forms the exact leave-one-out errors and the held-out errors at every penalty.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from fastridge.cli.arguments import METHODS
from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import (
    add_test_file,
    deviations,
    prepare,
    unfamiliar_notes,
)
from fastridge.cli.progress import Stages
from fastridge.cli.rows import Schema, accumulate, by_part
from fastridge.model_selection.evidence import expectation_maximisation, gcv_score, log_evidence
from fastridge.model_selection.high_leverage import LEAST_LEFT
from fastridge.model_selection.kfold import kfold_path
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.model_selection.leave_one_out_stream import with_rows_apart
from fastridge.model_selection.one_standard_error import choose
from fastridge.penalties.l2 import L2Penalty
from fastridge.solvers.direct.path import default_alphas
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import problem_of
from fastridge.statistics.gram_statistics import GramStatistics

_BLOCK_VALUES = 1 << 20  # of errors at all penalties at a time: 8 MB


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
    centre : (x_mean, y_mean)
        Where all of them predict the mean.
    """

    def __init__(self, coefs: np.ndarray, centre: tuple[np.ndarray, np.ndarray]) -> None:
        self._coefs, self._centre = coefs, centre
        self._total = np.zeros(len(coefs))
        self.n_rows = 0

    def add_held_out(self, X: np.ndarray, y: np.ndarray) -> None:
        """Predict held-out rows."""
        if len(y):
            x_mean, y_mean = self._centre
            residual = (y - y_mean)[:, None] - (X - x_mean) @ self._coefs.T
            self._total += np.einsum("ij,ij->j", residual, residual)
            self.n_rows += len(y)

    @property
    def rmse(self) -> np.ndarray:
        """The root mean squared errors, of shape (n_models,); NaN without rows."""
        if not self.n_rows:
            return np.full(len(self._total), np.nan)
        return np.asarray(np.sqrt(self._total / self.n_rows))


def cross_validate(args: argparse.Namespace) -> Comparison:
    """Carry out ``fastridge cv``, without printing."""
    stages = Stages()
    task = prepare(args, stages)
    encoder, counts = task.schema.encoder, task.schema.counts
    if task.alphas and task.alphas[0] == 0.0:
        raise CommandError("argument --alphas: cv compares penalties above 0, not 0: leave it out")
    with stages.stage("statistics", counts.n_rows) as stage:
        folds = accumulate(task.rows, args, stage.advance)
    if len(folds) < 2:
        raise CommandError(f"{counts.n_train} training rows are too few to choose the penalty")
    total = sum(folds[1:], folds[0].copy())
    alphas = np.asarray(task.alphas or default_alphas(total, standardize=args.standardize))
    problem = problem_of(total._held(), L2Penalty(standardize=args.standardize))
    spectrum = spectrum_of(problem, float(alphas[0]))

    choices: dict[str, Choice] = {}
    notes: list[str] = []
    for method in dict.fromkeys(args.methods or METHODS):
        begin = perf_counter()
        choices[method] = one = _by_statistics(method, spectrum, alphas, folds, args, notes)
        one.seconds = perf_counter() - begin
        if args.selection == "1se" and method not in ("loo", "kfold"):
            notes.append(f"{method} has no standard error: its best penalty is shown")

    encoder.unfamiliar.clear()
    em = [choices["em"].alpha] if "em" in choices else []
    compared = np.append(alphas, em)
    held_out = HeldOutErrors(spectrum.coefs(compared)[:, 0], spectrum.problem.centre)
    loo = LeaveOneOut(spectrum, alphas)
    with stages.stage("check", counts.n_rows) as stage:
        part = None if "loo" in choices else "held out"
        for (X, y), (X_train, y_train) in by_part(task.rows, part, stage.advance):
            held_out.add_held_out(X, y)
            if "loo" in choices:
                begin = perf_counter()
                _leave_out(loo, X_train, y_train[:, None], len(alphas))
                choices["loo"].seconds += perf_counter() - begin
        if task.test_rows is not None:
            add_test_file([held_out], task.test_rows, args.target, stage.advance)
    if "loo" in choices:
        if not loo.least_left > LEAST_LEFT:
            begin = perf_counter()

            def training_rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
                for _, (X, y) in by_part(task.rows, "training"):
                    yield X, y[:, None]

            loo = with_rows_apart(spectrum, alphas, training_rows) or loo
            choices["loo"].seconds += perf_counter() - begin
        n = loo.n_samples
        mse = loo.total[:, 0] / n
        error = np.sqrt(np.maximum(loo.row_squares / n - mse**2, 0.0) / max(n - 1, 1))
        _choose(choices["loo"], alphas, mse, error, args.selection)
        if args.standardize:
            notes.append("loo uses the scaling of all training rows")
    notes += [
        f"{name}: the best penalty is the {side} of the {len(alphas)} tried"
        for name, one in choices.items()
        for side in _edge(one, alphas)
    ]
    notes += unfamiliar_notes(encoder)
    for one in choices.values():
        one.held_out_rmse = float(held_out.rmse[np.flatnonzero(compared == one.alpha)[0]])
    coefs = spectrum.coefs(alphas)[:, 0] if args.plot else np.empty((0, 0))
    return Comparison(
        args.data, args.target, task.schema, list(choices.values()), held_out.n_rows, alphas, coefs,
        deviations(total), notes, stages,
    )  # fmt: skip


def _by_statistics(
    method: str,
    spectrum: Spectrum,
    alphas: np.ndarray,
    folds: list[GramStatistics],
    args: argparse.Namespace,
    notes: list[str],
) -> Choice:
    """Return the choice of a method that needs no rows; for the other, an empty one."""
    one = Choice(method, np.nan, np.nan, 0.0)
    if method == "gcv":
        _choose(one, alphas, gcv_score(spectrum, alphas)[:, 0])
    elif method == "kfold":
        path = kfold_path(folds, alphas, standardize=args.standardize)
        _choose(one, alphas, path.mean, path.standard_error, args.selection)
    elif method == "em":
        found = expectation_maximisation(spectrum)
        one.alpha = found.alpha
        if not found.converged:
            notes.append("em did not settle: the data may determine no penalty")
    elif method == "marginal_likelihood":
        one.alpha = float(alphas[log_evidence(spectrum, alphas)[:, 0].argmax()])
    return one


def _edge(one: Choice, alphas: np.ndarray) -> list[str]:
    """Return the end of the grid that was chosen, if any."""
    if len(alphas) < 2 or one.method == "em":
        return []
    ends = [(alphas[0], "smallest"), (alphas[-1], "largest")]
    return [side for alpha, side in ends if one.alpha == alpha]


def _leave_out(loo: LeaveOneOut, X: np.ndarray, Y: np.ndarray, n_alphas: int) -> None:
    step = max(1, _BLOCK_VALUES // n_alphas)
    for begin in range(0, len(Y), step):
        rows = slice(begin, begin + step)
        loo.add(loo.errors(X[rows], Y[rows], None), None)


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
