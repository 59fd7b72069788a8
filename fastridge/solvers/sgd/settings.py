"""The options of a solver run, and the settings of kernels that follow from them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from fastridge._kernels import losses, sgd, sgd_batches
from fastridge._kernels.sgd_state import Settings, State
from fastridge.losses.loss import Loss
from fastridge.losses.registry import LOSSES

if TYPE_CHECKING:
    from fastridge._kernels.sgd_state import StepCsr, StepDense

PENALTIES = (None, "l1", "l2", "elasticnet")
SCHEDULES = (*sgd.schedules(), "auto")
OPTIMIZERS = (*sgd_batches.optimizers()[:-1], "adamw", "ftrl")
SPARSE_INTERCEPT_FACTOR = 0.01
"""The factor of the intercept's steps for sparse X, as in scikit-learn."""

Arrays: TypeAlias = dict[str, np.ndarray]
"""The arrays that a kernel keeps next to the weights, by name."""

Model: TypeAlias = tuple[np.ndarray, Arrays, Settings, State]
Rest: TypeAlias = tuple[np.ndarray, np.ndarray, *Model]
"""The arguments of a kernel after the rows: y, weight, coef, arrays, settings and state."""


class Kernel(Protocol):
    """The kernels of a plan."""

    step_dense: "StepDense"
    step_csr: "StepCsr"


class Rows(Protocol):
    """The rows of X as a solver run uses them."""

    n_rows: int
    n_features: int
    dtype: np.dtype
    slice_rows: int  # how many rows one kernel call takes
    block_rows: int  # how many neighbouring rows a block shuffle keeps together
    sparse: bool

    def step(self, order: np.ndarray, *rest: *Rest) -> int:
        """Take the steps of these rows; returns how many were taken."""

    def apart(self) -> "Rows":
        """Return the same rows, for another thread to read at the same time."""


@dataclass(frozen=True)
class Plan:
    """The options of a solver run; values as the estimators' parameters of the same names."""

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
        """Return whether weights that no row of a batch touches can be updated later."""
        if not sparse or self.average_from:
            return False
        undone = self.decoupled or self.penalty in (None, "l1") or self.alpha == 0.0
        return self.optimizer in ("sgd", "ftrl") or (self.optimizer == "adagrad" and undone)

    @property
    def auto(self) -> bool:
        """True if learning rates are per feature and follow from the data."""
        return self.learning_rate == "auto"

    @cached_property
    def row_loss(self) -> Loss:
        """The loss of one row; of the softmax, that of one class against the others."""
        return LOSSES[self.loss](self.epsilon)

    def initial_state(self, t: float) -> State:
        """Return the state of a solver run that begins at step `t`."""
        state = State()
        state.t, state.learning_rate = t, self.eta0
        return state

    def before_averaging(self, last_step: float) -> "Plan":
        """Return the plan of steps up to `last_step`, of which none may be averaged."""
        if self.kernel == "plain" and last_step < self.average_from:
            return self._not_averaging
        return self

    @cached_property
    def _not_averaging(self) -> "Plan":
        return replace(self, average_from=0)

    def settings(self, sparse: bool, sums: bool = True) -> Settings:
        """Return the settings of kernels for rows of this kind; `sums` asks for the objective.

        The penalty is summed only if a stopping rule or a report needs the objective, and losses
        always where their size shows divergence.
        """
        known = self._settings.get((sparse, sums))
        if known is None:
            known = self._settings[sparse, sums] = self._make_settings(sparse, sums)
        return known

    @cached_property
    def _settings(self) -> dict[tuple[bool, bool], Settings]:
        return {}

    def _make_settings(self, sparse: bool, sums: bool) -> Settings:
        told = Settings()
        told.loss = losses.names().index("multinomial" if self.multinomial else self.loss)
        told.epsilon, told.alpha = self.epsilon, self.alpha
        told.has_l1 = self.penalty in ("l1", "elasticnet")
        told.has_l2 = self.penalty in ("l2", "elasticnet")
        if self.penalty is not None:
            told.l1 = self.alpha * self._l1_part()
            told.l2 = self.alpha * (1.0 - self._l1_part())
        if not self.auto:
            told.schedule = SCHEDULES.index(self.learning_rate)
        told.eta0, told.power_t = self.eta0, self.power_t
        if self.learning_rate == "optimal":
            told.optimal_t0 = self._optimal_t0()
        told.intercept_factor = float(self.fit_intercept)
        slow = self.kernel == "plain" or self.optimizer in ("sgd", "momentum")
        if sparse and slow and not self.auto:
            told.intercept_factor *= SPARSE_INTERCEPT_FACTOR
        told.average_from = self.average_from
        told.sums_losses = sums or self.row_loss.grows_quadratically
        told.sums_penalties = (
            sums
            and (self.tol > -np.inf or self.verbose > 0)
            and self.penalty is not None
            and self.kernel == "plain"
            and self.learning_rate not in ("pa1", "pa2")
        )
        told.optimizer = sgd_batches.optimizers().index(self.optimizer.removesuffix("w"))
        told.decoupled, told.lazy = self.decoupled, self.lazy(sparse)
        told.batch_size = self.batch_size
        told.beta1 = self.momentum if self.optimizer == "momentum" else 0.9
        told.beta2 = 0.999
        told.tiny = 1e-10 if self.optimizer == "adagrad" else 1e-8
        return told

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

    def _optimal_t0(self) -> float:
        """Return Bottou's t0, with which the first step is as long as the weights typically are."""
        return float(1.0 / (np.sqrt(1.0 / np.sqrt(self.alpha)) * self.alpha))


def sum_of_squares(values: np.ndarray) -> float:
    """``values @ values`` in float64, without the threads of BLAS."""
    return float(np.einsum("i,i", values, values, dtype=np.float64))
