"""What a descent is to minimise and how: the options, as numbers that kernels read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastridge._kernels import sgd

FIGURES = {name: place for place, name in enumerate(sgd.figure_names())}
LOSSES = sgd.losses()
PENALTIES = sgd.penalties()
SCHEDULES = (*sgd.schedules(), "auto")
REGRESSION_LOSSES = LOSSES[LOSSES.index("squared_error") :]
SPARSE_INTERCEPT_RATE = 0.01
"""What the intercept's steps are multiplied by for sparse X, as in scikit-learn."""

QUADRATIC = ("squared_error", "squared_epsilon_insensitive")
"""Losses that say by their size that steps too long fed themselves."""

TRACKED, GATHERED = 3, 4  # places of flags in `choices`


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
            return 4
        return int(self.average_from > 0) + int(self.penalty in ("l1", "elasticnet"))

    def figures(self, sparse: bool, t: float) -> np.ndarray:
        """The numbers of a descent about to begin at step `t`."""
        figures = self._figures.copy()
        figures[FIGURES["t"]] = t
        if sparse and not self.auto:
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
            LOSSES.index(self.loss),
            PENALTIES.index(self.penalty),
            0 if self.auto else SCHEDULES.index(self.learning_rate),
            2 if self.tol > -np.inf or self.verbose > 0 else 1,
            False,
            self.average_from > 0,
        )
        return np.array(numbers, dtype=np.intc)

    def choices_for(self, tracked: bool, gathered: bool) -> np.ndarray:
        """`choices` for a descent whose sums are wanted or not, and that reads tiles or not."""
        choices = self.choices.copy()
        choices[GATHERED] = gathered
        if not tracked:
            choices[TRACKED] = 0
        return choices

    def penalty_of(self, coef: np.ndarray) -> float:
        """`alpha` times the penalty."""
        if self.penalty is None:
            return 0.0
        l1_ratio = self._l1_part()
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
    """``values @ values``, without the threads of BLAS."""
    return float(np.einsum("i,i", values, values))


def mean_loss_of_nothing(loss: str, epsilon: float, y: np.ndarray) -> float:
    """Mean loss where every margin is zero, of one of the `QUADRATIC` losses."""
    away = y
    if loss == "squared_epsilon_insensitive":
        away = np.maximum(0.0, np.abs(y) - epsilon)
    square = sum_of_squares(away) / len(away)
    return 0.5 * square if loss == "squared_error" else square
