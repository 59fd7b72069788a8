"""The interface of a loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np


class Loss(ABC):
    """A loss of one row, of its target `y` and its linear predictor `eta`, both arrays or numbers.

    Kernels have the same loss, under the same name, in ``_kernels/losses/``.

    Parameters
    ----------
    epsilon : float, default=0.1
        Width of the losses that have one.

    Attributes
    ----------
    name : str
        As the parameter `loss` of estimators names it.
    link : str
        What `eta` predicts: "identity" (the target itself), "logit" (of the probability of 1
        against -1), or "sign" (only which of -1 and 1 it is).
    grows_quadratically : bool
        Whether steps that are too long show by the size of the loss.
    """

    name: ClassVar[str]
    link: ClassVar[str] = "identity"
    grows_quadratically: ClassVar[bool] = False

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = epsilon

    @property
    def classifies(self) -> bool:
        """Return whether targets are -1 and 1."""
        return self.link != "identity"

    @abstractmethod
    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """Return the loss of each row."""

    @abstractmethod
    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """Return the derivative with respect to `eta`, for each row."""

    def null_loss(self, y: np.ndarray) -> float:
        """Return the mean loss of the null model, whose linear predictor is zero in each row."""
        with np.errstate(over="ignore"):
            return float(np.mean(self.value(y, 0.0)))
