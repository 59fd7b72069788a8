"""What a descent works on: coefficients, and what is kept beside them."""

import copy
from typing import Self

import numpy as np

from fastridge._kernels import sgd, sgd_batches
from fastridge.solvers.sgd.settings import FIGURES, Plan, sum_of_squares

_MEAN = 3  # of the rows beside the weights, where each feature has a rate


class Weights:
    """Coefficients and what a descent keeps beside them; `coef` and `average` are written to."""

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
        self.beside = np.zeros((plan.n_beside, len(coef)), float if plan.auto else coef.dtype)
        self.figures = plan.figures(sparse, t)
        self["intercept"] = intercept
        if average is not None:
            self.beside[0] = average
            self["average_intercept"] = average_intercept

    def __getitem__(self, name: str) -> float:
        return float(self.figures[FIGURES[name]])

    def __setitem__(self, name: str, value: float) -> None:
        self.figures[FIGURES[name]] = value

    def fold(self, choices: np.ndarray) -> float:
        """Have `coef` and `average` hold the weights and their mean; the sum of squares."""
        if self.auto:
            return sum_of_squares(self.coef)
        square = sgd.finish(self.coef, self.beside, self.figures, choices)
        if self.average is not None:
            self.average[:] = self.beside[0]
        return square

    def restart_mean(self) -> None:
        """The mean of the weights, with a rate a feature, is one of what comes from here on."""
        self["average_a"] = 0.0

    @property
    def intercepts(self) -> np.ndarray:
        """The intercept, as an array of one for each output."""
        return np.array([self["intercept"]])

    @property
    def average_intercepts(self) -> np.ndarray:
        """Their mean, likewise."""
        return np.array([self["average_intercept"]])

    def mean(self) -> tuple[np.ndarray, float | np.ndarray]:
        """The weights and the intercept to be judged by: with a rate a feature, their mean."""
        if self.auto and self["average_a"] > 0.0:
            return self.beside[_MEAN].astype(self.coef.dtype), self["average_intercept"]
        return self.coef, self["intercept"]

    def settle(self) -> None:
        """Take the mean for the weights, where each feature has a rate."""
        coef, intercept = self.mean()
        self.coef[:], self["intercept"] = coef, float(intercept)

    def copy_state(self) -> tuple[np.ndarray, ...]:
        """What `restore` goes back to."""
        return self.coef.copy(), self.beside.copy(), self.figures.copy()

    def copy(self) -> Self:
        """Weights of their own with the same values."""
        own = copy.copy(self)
        own.coef, own.beside, own.figures = self.copy_state()
        if self.average is not None:
            own.average = self.average.copy()
        return own

    def restore(self, state: tuple[np.ndarray, ...]) -> None:
        """Go back to what `copy_state` gave."""
        for now, then in zip((self.coef, self.beside, self.figures), state, strict=True):
            now[:] = then

    def carried(self) -> list[np.ndarray]:
        """What `partial_fit` goes on with, beside coefficients, intercepts and their means."""
        return [self.beside] if self.auto else []

    def carry_on(self, carried: list[np.ndarray]) -> None:
        """Go on from what an earlier pass has `carried`."""
        for now, then in zip(self.carried(), carried, strict=True):
            now[...] = then


class BatchWeights(Weights):
    """Those of a descent in batches: `coef` of shape (n_outputs, n_features)."""

    _N_DENSE, _N_LAZY = 4, 8  # rows that the kernel wants beside the weights
    _SECOND, _MEAN, _SHRUNK = 2, 3, 4
    _FIRST_CARRIED, _OUTPUTS = FIGURES["n_rows"], len(FIGURES)

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
        lazy = plan.lazy(sparse)
        self.beside = np.zeros((self._N_LAZY if lazy else self._N_DENSE, *coef.shape))
        self.figures = plan.batch_figures(sparse, t, len(coef))
        self.outputs[:, 0] = intercepts
        if lazy:
            self.beside[self._SHRUNK] = 1.0
        if plan.optimizer == "ftrl":  # whose weights follow from their sums of gradients
            self.beside[self._SECOND] = -coef / plan.eta0
            self.outputs[:, 3] = -intercepts / plan.eta0
        if average is not None:
            self.beside[self._MEAN] = average
            self.outputs[:, 4] = average_intercepts

    @property
    def outputs(self) -> np.ndarray:
        """Of each output its intercept, what is beside it, and its mean; a view of `figures`."""
        return self.figures[self._OUTPUTS :].reshape(len(self.coef), -1)

    def __getitem__(self, name: str) -> float:
        if name == "intercept":
            return float(self.outputs[:, 0].sum())
        return super().__getitem__(name)

    @property
    def intercepts(self) -> np.ndarray:
        """See `Weights`."""
        return self.outputs[:, 0]

    @property
    def average_intercepts(self) -> np.ndarray:
        """See `Weights`."""
        return self.outputs[:, 4]

    def fold(self, choices: np.ndarray) -> float:
        """Take the steps that are left; see `Weights`."""
        square = sgd_batches.finish(self.coef, self.beside, self.figures, choices)
        if self.average is not None:
            self.average[:] = self.beside[self._MEAN]
        return square

    def mean(self) -> tuple[np.ndarray, float | np.ndarray]:
        """The weights and the intercepts; of one output without an axis for it."""
        if len(self.coef) == 1:
            return self.coef[0], float(self.outputs[0, 0])
        return self.coef, self.intercepts

    def settle(self) -> None:
        """See `Weights`."""

    def carried(self) -> list[np.ndarray]:
        """See `Weights`; intercepts and their means are those of the model."""
        return [
            self.beside,
            self.figures[self._FIRST_CARRIED : self._OUTPUTS],
            self.outputs[:, 1:4],
        ]
