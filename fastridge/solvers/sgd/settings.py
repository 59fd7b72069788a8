"""What a descent is to minimise and how: the options, as numbers that kernels read."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from fastridge._kernels import sgd, sgd_batches

FIGURES = {
    name: place for place, name in enumerate((*sgd.figure_names(), *sgd_batches.figure_names()))
}
N_PLAIN = len(sgd.figure_names())
LOSSES = sgd.losses()
PENALTIES = sgd.penalties()
SCHEDULES = (*sgd.schedules(), "auto")
OPTIMIZERS = (*sgd_batches.optimizers()[:-1], "adamw", "ftrl")
REGRESSION_LOSSES = LOSSES[LOSSES.index("squared_error") :]
SPARSE_INTERCEPT_RATE = 0.01
"""What the intercept's steps are multiplied by for sparse X, as in scikit-learn."""

QUADRATIC = ("squared_error", "squared_epsilon_insensitive")
"""Losses that say by their size that steps too long fed themselves."""

TRACKED, GATHERED, LAZY = 3, 4, 9  # places of flags in `choices`


class Rows(Protocol):
    """What a descent needs of X."""

    n_rows: int
    n_features: int
    dtype: np.dtype[Any]
    slice_rows: int  # how many rows one kernel call takes
    block_rows: int  # how many neighbouring rows a block shuffle keeps together
    sparse: bool
    gathered: bool

    def step(
        self,
        order: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        coef: np.ndarray,
        beside: np.ndarray,
        figures: np.ndarray,
        choices: np.ndarray,
    ) -> int:
        """Take the steps of these rows; returns how many were taken."""

    def apart(self) -> "Rows":
        """The same rows, for another thread to read at the same time."""


@dataclass(frozen=True)
class Plan:
    """The options of a descent; values as the estimators' parameters of the same names."""

    loss: str
    penalty: str | None
    alpha: float
    l1_ratio: float
    fit_intercept: bool
    max_iter: int
    tol: float
    shuffle: str
    verbose: int
    epsilon: float
    learning_rate: str
    eta0: float
    power_t: float
    n_iter_no_change: int
    average_from: int
    on_divergence: str
    optimizer: str = "sgd"
    decoupled: bool = False
    momentum: float = 0.9
    batch_size: int = 1
    multinomial: bool = False
    n_threads: int = 1

    @property
    def kernel(self) -> str:
        """Which kernels take the steps: "plain", "auto" or "batches"."""
        if self.auto:
            return "auto"
        batches = self.optimizer != "sgd" or self.batch_size > 1 or self.multinomial
        return "batches" if batches else "plain"

    def lazy(self, sparse: bool) -> bool:
        """Whether weights that no row of a batch touches can wait for their steps."""
        if not sparse or self.average_from:
            return False
        undone = self.decoupled or self.penalty in (None, "l1") or self.alpha == 0.0
        return self.optimizer in ("sgd", "ftrl") or (self.optimizer == "adagrad" and undone)

    @property
    def auto(self) -> bool:
        """Whether each feature has a rate of its own, and no step size is given."""
        return self.learning_rate == "auto"

    @property
    def n_beside(self) -> int:
        """Rows that a kernel wants beside the weights.

        Of their mean, and of the L1 penalty paid; those of `sgd_auto.descend_rows`.
        """
        if self.auto:
            return 8
        return int(self.average_from > 0) + int(self.penalty in ("l1", "elasticnet"))

    def figures(self, sparse: bool, t: float) -> np.ndarray:
        """The numbers of a descent about to begin at step `t`."""
        figures = self._figures[:N_PLAIN].copy()
        figures[FIGURES["t"]] = t
        if sparse and not self.auto:
            figures[FIGURES["intercept_rate"]] *= SPARSE_INTERCEPT_RATE
        return figures

    def batch_figures(self, sparse: bool, t: float, n_outputs: int) -> np.ndarray:
        """Those of a descent in batches, and after them five numbers of each output."""
        figures = np.concatenate([self._figures, np.zeros(5 * n_outputs)])
        figures[FIGURES["t"]] = t
        if sparse and self.optimizer in ("sgd", "momentum"):
            figures[FIGURES["intercept_rate"]] *= SPARSE_INTERCEPT_RATE
        return figures

    @cached_property
    def _figures(self) -> np.ndarray:
        values: dict[str, float] = {
            "alpha": self.alpha,
            "l1_ratio": self._l1_part(),
            "eta0": self.eta0,
            "power_t": self.power_t,
            "epsilon": self.epsilon,
            "intercept_rate": float(self.fit_intercept),
            "step_factor": 1.0,
            "average_from": self.average_from,
            "eta": self.eta0,
            "scale": 1.0,
            "average_b": 1.0,
            "beta1": self.momentum if self.optimizer == "momentum" else 0.9,
            "beta2": 0.999,
            "tiny": 1e-10 if self.optimizer == "adagrad" else 1e-8,
            "shrunk_by": 1.0,
        }
        if self.learning_rate == "optimal":
            values["optimal_init"] = self._optimal_init()
        figures = np.zeros(len(FIGURES))
        for name, value in values.items():
            figures[FIGURES[name]] = value
        return figures

    @cached_property
    def choices(self) -> np.ndarray:
        """The numbers of loss, penalty and schedule, and flags, as a kernel reads them.

        With flags for a descent whose sums are wanted, on rows read in place. The penalty is
        summed only where a rule or a report wants the objective.
        """
        numbers = (
            len(LOSSES) if self.multinomial else LOSSES.index(self.loss),
            PENALTIES.index(self.penalty),
            0 if self.auto else SCHEDULES.index(self.learning_rate),
            2 if self.tol > -np.inf or self.verbose > 0 else 1,
            False,
            self.average_from > 0,
            sgd_batches.optimizers().index(self.optimizer.removesuffix("w")),
            self.decoupled,
            min(self.batch_size, np.iinfo(np.intc).max),
            False,
        )
        return np.array(numbers, dtype=np.intc)

    def choices_for(self, tracked: bool, rows: Rows) -> np.ndarray:
        """`choices` for a descent on these rows whose sums are wanted or not."""
        choices = self.choices.copy()
        choices[GATHERED] = rows.gathered
        choices[LAZY] = self.lazy(rows.sparse)
        if not tracked:
            choices[TRACKED] = 0
        return choices

    def penalty_of(self, coef: np.ndarray) -> float:
        """`alpha` times the penalty."""
        if self.penalty is None:
            return 0.0
        l1_ratio = self._l1_part()
        coef = coef.ravel()
        square = sum_of_squares(coef)
        absolute = float(np.abs(coef).sum()) if l1_ratio else 0.0
        return self.alpha * (0.5 * (1.0 - l1_ratio) * square + l1_ratio * absolute)

    def _l1_part(self) -> float:
        if self.penalty == "elasticnet":
            return self.l1_ratio
        return 1.0 if self.penalty == "l1" else 0.0

    def _optimal_init(self) -> float:
        """Bottou's t0: the first step is as long as the weights are typically."""
        return float(1.0 / (np.sqrt(1.0 / np.sqrt(self.alpha)) * self.alpha))


def sum_of_squares(values: np.ndarray) -> float:
    """``values @ values`` in float64, without the threads of BLAS."""
    return float(np.einsum("i,i", values, values, dtype=np.float64))


def mean_loss_of_nothing(loss: str, epsilon: float, y: np.ndarray) -> float:
    """Mean loss where every margin is zero, of one of the `QUADRATIC` losses."""
    away = y
    if loss == "squared_epsilon_insensitive":
        away = np.maximum(0.0, np.abs(y) - epsilon)
    square = sum_of_squares(away) / len(away)
    return 0.5 * square if loss == "squared_error" else square
