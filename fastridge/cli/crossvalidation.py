"""``fastridge cv``: the penalty that each method chooses, side by side.

All methods share the statistics of the folds (one pass) and the spectrum of their sum. One more
pass forms the exact leave-one-out errors and the held-out errors at every penalty.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import accumulate, add_test_file, encoded_rows, prepare
from fastridge.cli.progress import Stages
from fastridge.cli.splitting import HELD_OUT
from fastridge.solvers.evidence import expectation_maximisation, gcv_score, log_evidence
from fastridge.solvers.kfold import kfold_path
from fastridge.solvers.leave_one_out import LeaveOneOut
from fastridge.solvers.path import default_alphas, problem_of
from fastridge.solvers.spectrum import Spectrum, spectrum_of

_BLOCK_VALUES = 1 << 20  # of errors at all penalties at a time: 8 MB


@dataclass
class Choice:
    """What one method chose; `rmse` by its own criterion, NaN where that is no error."""

    method: str
    alpha: float
    rmse: float
    seconds: float
    held_out_rmse: float = np.nan


@dataclass
class Comparison:
    """The choices of all methods, the rows they stand on and what is worth a line."""

    choices: list[Choice]
    n_train: int
    n_test: int
    notes: list[str]


class HeldOutErrors:
    """Squared errors on held-out rows of the models at several penalties."""

    def __init__(self, spectrum: Spectrum, alphas: np.ndarray) -> None:
        self._coefs = spectrum.coefs(alphas)[:, 0]
        self._centre = spectrum.problem.centre
        self._total = np.zeros(len(alphas))
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
        """Of shape (n_alphas,); NaN without rows."""
        if not self.n_rows:
            return np.full(len(self._total), np.nan)
        return np.asarray(np.sqrt(self._total / self.n_rows))


def cross_validate(args: argparse.Namespace) -> Comparison:
    """Carry out ``fastridge cv`` but for the printing."""
    stages = Stages()
    task = prepare(args, stages)
    encoder, survey = task.survey.encoder, task.survey
    if task.alphas and task.alphas[0] == 0.0:
        raise CommandError("argument --alphas: cv compares penalties above 0, not 0: leave it out")
    with stages.stage("statistics", survey.n_rows) as stage:
        folds = accumulate(task.source, args, encoder, task.split, None, stage.advance)
    if len(folds) < 2:
        raise CommandError(f"{survey.n_train} training rows are too few to choose the penalty")
    total = sum(folds[1:], folds[0].copy())
    alphas = np.asarray(task.alphas or default_alphas(total, standardize=args.standardize))
    problem = problem_of(total._held(), standardize=args.standardize)
    spectrum = spectrum_of(problem, float(alphas[0]))

    choices, notes = {}, []
    for method in dict.fromkeys(args.methods):
        begin = perf_counter()
        if method == "gcv":
            alpha, rmse = _choose(alphas, gcv_score(spectrum, alphas)[:, 0])
        elif method == "kfold":
            path = kfold_path(folds, alphas, standardize=args.standardize)
            alpha, rmse = _choose(alphas, path.mean, path.standard_error, args.selection)
        elif method == "em":
            alpha, rmse = expectation_maximisation(spectrum).alpha, np.nan
        elif method == "marginal_likelihood":
            alpha, _ = _choose(alphas, -log_evidence(spectrum, alphas)[:, 0])
            rmse = np.nan
        else:
            alpha, rmse = np.nan, np.nan  # after the pass over the rows
        choices[method] = Choice(method, alpha, rmse, perf_counter() - begin)
        if args.selection == "1se" and method not in ("loo", "kfold"):
            notes.append(f"{method} has no standard error: its best penalty is shown")

    em = [choices["em"].alpha] if "em" in choices else []
    compared = np.append(alphas, em)
    held_out = HeldOutErrors(spectrum, compared)
    loo = LeaveOneOut(spectrum, alphas)
    with stages.stage("check", survey.n_rows) as stage:
        wanted = None if "loo" in choices else True
        rows = encoded_rows(task.source, args.target, encoder, task.split, stage.advance, wanted)
        for X, y, part in rows:
            n_held = int(np.searchsorted(part, HELD_OUT, side="right"))
            held_out.add_held_out(X[:n_held], y[:n_held])
            if "loo" in choices:
                begin = perf_counter()
                _leave_out(loo, X[n_held:], y[n_held:, None], len(alphas))
                choices["loo"].seconds += perf_counter() - begin
        if task.test_source is not None:
            add_test_file(held_out, task.test_source, args.target, encoder, stage.advance)
    if "loo" in choices:
        n = loo.n_samples
        mse = loo.total[:, 0] / n
        error = np.sqrt(np.maximum(loo.row_squares / n - mse**2, 0.0) / max(n - 1, 1))
        one = choices["loo"]
        one.alpha, one.rmse = _choose(alphas, mse, error, args.selection)
        if args.standardize:
            notes.append("loo uses the scaling of all training rows")
    for one in choices.values():
        one.held_out_rmse = float(held_out.rmse[np.flatnonzero(compared == one.alpha)[0]])
    return Comparison(list(choices.values()), survey.n_train, held_out.n_rows, notes)


def print_comparison(result: Comparison) -> None:
    """Print one line a method."""
    print(f"{result.n_train:,} rows for training, {result.n_test:,} held out")
    print(f"{'method':<20}{'alpha':>12}{'RMSE':>12}{'held out':>12}{'seconds':>10}")
    for one in result.choices:
        errors = "".join(
            f"{'-' if np.isnan(value) else format(value, '.5g'):>12}"
            for value in (one.rmse, one.held_out_rmse)
        )
        print(f"{one.method:<20}{one.alpha:>12.5g}{errors}{one.seconds:>10.3f}")
    for note in result.notes:
        print(f"note: {note}")


def _leave_out(loo: LeaveOneOut, X: np.ndarray, Y: np.ndarray, n_alphas: int) -> None:
    step = max(1, _BLOCK_VALUES // n_alphas)
    for begin in range(0, len(Y), step):
        rows = slice(begin, begin + step)
        loo.add(loo.errors(X[rows], Y[rows], None), None)


def _choose(
    alphas: np.ndarray,
    loss: np.ndarray,
    error: np.ndarray | None = None,
    selection: str = "min",
) -> tuple[float, float]:
    """The chosen alpha, of increasing ones, and the root of its loss."""
    loss = np.where(np.isnan(loss), np.inf, loss)
    best = int(loss.argmin())
    if selection == "1se" and error is not None:
        best = int(np.flatnonzero(loss <= loss[best] + error[best])[-1])
    return float(alphas[best]), float(np.sqrt(max(loss[best], 0.0)))
