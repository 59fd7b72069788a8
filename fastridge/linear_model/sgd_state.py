"""Models of SGD between one pass over rows and the next."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from fastridge._typing import Matrix
from fastridge.linear_model.prediction import scores_of
from fastridge.runtime.buffers import zeros_apart
from fastridge.solvers.sgd.epochs import SolverRun
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.standardisation import Standardisation
from fastridge.solvers.sgd.state import BatchWeights, Weights

Targets = Sequence[tuple[np.ndarray, np.ndarray | None]]
"""Targets and weights of the rows, for each model."""


class State:
    """Coefficients and intercepts of one model or some, and of their means, at step `t`."""

    def __init__(self, coef: np.ndarray, intercept: np.ndarray, t: float) -> None:
        self.coef, self.intercept, self.t = coef, intercept, t
        self.average: np.ndarray | None = None
        self.average_intercept: np.ndarray | None = None
        self.standardisation: Standardisation | None = None

    def enter(self, standardisation: Standardisation | None) -> None:
        """Have the models be of standardised features, until `leave`."""
        self.standardisation = standardisation
        if standardisation is not None:
            for coef, intercept in self._models():
                standardisation.enter(coef, intercept)

    def leave(self) -> None:
        """Have the models be of the features as they are."""
        if self.standardisation is not None:
            for coef, intercept in self._models():
                self.standardisation.leave(coef, intercept)
        self.standardisation = None

    def _models(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        n_models = len(self.intercept)
        yield self.coef.reshape(n_models, -1), self.intercept
        if self.average is not None and self.average_intercept is not None:
            yield self.average.reshape(n_models, -1), self.average_intercept

    def weights(self, plan: Plan, sparse: bool) -> list[Weights]:
        """Return the weights of a solver run for each model, as views of `coef` and `average`."""
        n_models = len(self.intercept)
        coef = self.coef.reshape(n_models, -1)
        average, intercepts = None, None
        if plan.average_from:
            if self.average is None:
                self.average = zeros_apart(self.coef.shape, self.coef.dtype)
            if self.average_intercept is None:
                self.average_intercept = np.zeros(n_models)
            average = self.average.reshape(n_models, -1)
            intercepts = self.average_intercept
        if plan.kernel == "batches":
            step = n_models if plan.multinomial else 1
            return [
                BatchWeights(
                    plan,
                    coef[some],
                    self.intercept[some],
                    self.t,
                    sparse,
                    None if average is None else average[some],
                    None if intercepts is None else intercepts[some],
                )
                for some in (slice(k, k + step) for k in range(0, n_models, step))
            ]
        return [
            Weights(
                plan,
                coef[k],
                self.intercept[k],
                self.t,
                sparse,
                None if average is None else average[k],
                0.0 if intercepts is None else intercepts[k],
            )
            for k in range(n_models)
        ]

    def read(self, weights: list[Weights]) -> None:
        """Take over the intercepts that the solver runs have come to."""
        self.intercept[:] = np.concatenate([reached.intercepts for reached in weights])
        if self.average_intercept is not None:
            self.average_intercept[:] = np.concatenate(
                [reached.average_intercepts for reached in weights]
            )


def judge_by_start(
    plan: Plan, X: Matrix, state: State, runs: Sequence[SolverRun], chosen: np.ndarray | None = None
) -> None:
    """Have solver runs judge by the loss at weights, such as those they start from.

    X holds the rows of their targets, of which those `chosen` count, None for all.
    """
    if not plan.row_loss.grows_quadratically:
        return
    for run in runs:
        run.residuals = partial(_residuals_of_run, X, run, state.standardisation, chosen)
        coef, intercept = run.weights.judged()
        if coef.any() or np.any(intercept):
            run.start = coef.copy(), intercept


def _residuals_of_run(
    X: Matrix,
    run: SolverRun,
    standardisation: Standardisation | None,
    chosen: np.ndarray | None,
    coef: np.ndarray,
    intercept: float | np.ndarray,
) -> np.ndarray:
    return residuals_at(X, run.y, standardisation, coef, intercept, chosen)


def residuals_at(
    X: Matrix,
    y: np.ndarray,
    standardisation: Standardisation | None,
    coef: np.ndarray,
    intercept: float | np.ndarray,
    chosen: np.ndarray | None = None,
) -> np.ndarray:
    """Return `y` minus predictions by weights that may be those of standardised features."""
    intercept = np.array([intercept], dtype=float)
    if standardisation is not None:
        coef = coef.copy()
        standardisation.leave(coef, intercept)
    margins = scores_of(X if chosen is None else X[chosen], coef, intercept)
    residuals: np.ndarray = y - margins
    return residuals
