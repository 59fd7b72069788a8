"""The state of a solver run: weights, the arrays next to them, and numbers."""

import copy
from typing import NamedTuple, Self, TypeAlias

import numpy as np

from fastridge._kernels import sgd, sgd_auto, sgd_batches, sgd_state
from fastridge._kernels.sgd_state import Settings, State
from fastridge.runtime.buffers import copy_apart, zeros_apart
from fastridge.solvers.sgd.settings import Arrays, Plan, sum_of_squares

STATE_FIELDS = sgd_state.state_fields()
"""Names of the numbers in a `State`."""

Carried: TypeAlias = dict[str, np.ndarray | float]
"""The arrays and numbers that `partial_fit` resumes with, in addition to the model."""

_BATCH_FIELDS = ("n_in_batch", "n_batches", "decay_product", "l1_owed", "n_touched")
_OF_THE_MODEL = ("intercept", "intercept_average", "scratch")  # arrays that are not carried


class Snapshot(NamedTuple):
    """A copy of the weights, arrays and numbers of a solver run."""

    coef: np.ndarray
    arrays: Arrays
    state: State


class Weights:
    """Weights of one model and what its solver run keeps; `coef` and `average` are written to."""

    _carried_fields: tuple[str, ...] = ("n_rows_seen",)

    def __init__(
        self,
        plan: Plan,
        coef: np.ndarray,
        intercept: float,
        t: float,
        sparse: bool,
        average: np.ndarray | None = None,
        average_intercept: float = 0.0,
    ) -> None:
        self.coef = coef
        self.average = average
        self.auto = plan.auto
        self.state = plan.initial_state(t)
        self.state.intercept = intercept
        names, dtype = sgd.array_names(plan.settings(sparse)), coef.dtype
        if plan.auto:
            names, dtype = sgd_auto.array_names(plan.settings(sparse)), np.dtype(float)
        self.arrays = {name: zeros_apart(len(coef), dtype) for name in names}
        if average is not None:
            self.arrays["average"][:] = average
            self.state.average_intercept = average_intercept

    def fold(self, settings: Settings) -> float:
        """Have `coef` and `average` hold the weights and their average; the sum of squares."""
        if self.auto:
            return sum_of_squares(self.coef)
        square = sgd.finish(self.coef, self.arrays, settings, self.state)
        if self.average is not None:
            self.average[:] = self.arrays["average"]
        return square

    def restart_average(self) -> None:
        """Restart the average of the weights from here, if learning rates are per feature."""
        self.state.n_averaged = 0.0

    @property
    def begun(self) -> bool:
        """True if learning rates are per feature and a row has been seen."""
        return any(array.any() for array in self.arrays.values())

    @property
    def intercepts(self) -> np.ndarray:
        """The intercept, as an array of one for each output."""
        return np.array([self.state.intercept])

    @property
    def average_intercepts(self) -> np.ndarray:
        """The averages of the intercepts, one for each output."""
        return np.array([self.state.average_intercept])

    @property
    def intercept_sum(self) -> float:
        """The sum of the intercepts, which is not finite where one is not."""
        return self.state.intercept

    def judged(self) -> tuple[np.ndarray, float | np.ndarray]:
        """Return the weights and intercept to score: averages if learning rates are per feature."""
        if self.auto and self.state.n_averaged > 0.0:
            return self.arrays["average"].astype(self.coef.dtype), self.state.average_intercept
        return self.coef, self.state.intercept

    def settle(self) -> None:
        """Take the averages for the weights, where learning rates are per feature."""
        coef, intercept = self.judged()
        self.coef[:], self.state.intercept = coef, float(intercept)

    def shorten(self, factor: float) -> None:
        """Have all steps from here on be `factor` times as long."""
        self.state.step_factor *= factor
        self.state.learning_rate *= factor

    def snapshot(self) -> Snapshot:
        """Return a copy of the state, for `restore`."""
        arrays = {name: array.copy() for name, array in self.arrays.items()}
        return Snapshot(self.coef.copy(), arrays, copy.copy(self.state))

    def copy(self) -> Self:
        """Return a copy with its own arrays."""
        own = copy.copy(self)
        own.coef, own.state = copy_apart(self.coef), copy.copy(self.state)
        own.arrays = {name: copy_apart(array) for name, array in self.arrays.items()}
        if self.average is not None:
            own.average = copy_apart(self.average)
        return own

    def restore(self, then: Snapshot) -> None:
        """Go back to a snapshot, which stays as it is."""
        self.coef[:] = then.coef
        for name, array in self.arrays.items():
            array[:] = then.arrays[name]
        self.state = copy.copy(then.state)

    def carried(self) -> Carried:
        """Return the arrays and numbers that the next `partial_fit` resumes with."""
        arrays = {name: a for name, a in self.arrays.items() if name not in _OF_THE_MODEL}
        return arrays | {name: getattr(self.state, name) for name in self._carried_fields}

    def resume(self, carried: Carried) -> None:
        """Resume from the arrays and numbers that an earlier pass `carried`."""
        for name, value in carried.items():
            if name in self.arrays:
                self.arrays[name][...] = value
            else:
                setattr(self.state, name, value)


class BatchWeights(Weights):
    """The weights of a solver run in batches: `coef` has shape (n_outputs, n_features)."""

    _carried_fields = _BATCH_FIELDS

    def __init__(
        self,
        plan: Plan,
        coef: np.ndarray,
        intercepts: np.ndarray,
        t: float,
        sparse: bool,
        average: np.ndarray | None = None,
        average_intercepts: np.ndarray | None = None,
    ) -> None:
        self.coef, self.average, self.auto = coef, average, False
        self.state = plan.initial_state(t)
        settings = plan.settings(sparse)
        n_outputs, p = coef.shape
        self.arrays = {name: zeros_apart(coef.shape) for name in sgd_batches.array_names(settings)}
        self.arrays["gradient"] = zeros_apart(coef.shape, coef.dtype)
        for name in sgd_batches.index_array_names(settings):
            self.arrays[name] = np.zeros(p, np.intp)
        for name in sgd_batches.output_array_names():
            self.arrays[name] = np.zeros(n_outputs)
        self.intercepts[:] = intercepts
        if settings.lazy:
            self.arrays["decay_then"][:] = 1.0
        if plan.optimizer == "ftrl":  # whose weights follow from their sums of gradients
            self.arrays["second"][:] = -coef / plan.eta0
            self.arrays["intercept_second"][:] = -intercepts / plan.eta0
        if average is not None:
            self.arrays["average"][:] = average
            self.average_intercepts[:] = average_intercepts

    @property
    def intercepts(self) -> np.ndarray:
        """See `Weights`."""
        return self.arrays["intercept"]

    @property
    def average_intercepts(self) -> np.ndarray:
        """See `Weights`."""
        return self.arrays["intercept_average"]

    @property
    def intercept_sum(self) -> float:
        """See `Weights`."""
        return float(self.intercepts.sum())

    def fold(self, settings: Settings) -> float:
        """Take the steps that are left; see `Weights`."""
        square = sgd_batches.finish(self.coef, self.arrays, settings, self.state)
        if self.average is not None:
            self.average[:] = self.arrays["average"]
        return square

    def judged(self) -> tuple[np.ndarray, float | np.ndarray]:
        """Return the weights and the intercepts; one output has no axis."""
        if len(self.coef) == 1:
            return self.coef[0], float(self.intercepts[0])
        return self.coef, self.intercepts

    def settle(self) -> None:
        """See `Weights`."""
