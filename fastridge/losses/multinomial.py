"""The multinomial loss, of logistic regression with several classes."""

import numpy as np
from scipy.special import logsumexp, softmax


class Multinomial:
    """``log(sum_k exp(eta_k)) - eta_y``, of as many linear predictors as classes.

    `y` holds the numbers of the classes and `eta` has the shape (n_samples, n_classes).
    """

    name = "multinomial"

    @staticmethod
    def value(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """Return the loss of each row."""
        return logsumexp(eta, axis=1) - eta[np.arange(len(y)), y]

    @staticmethod
    def derivative(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """Return the derivatives with respect to the linear predictors, for each row."""
        return softmax(eta, axis=1) - (y[:, np.newaxis] == np.arange(eta.shape[1]))

    @staticmethod
    def probability(eta: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes."""
        return softmax(eta, axis=1)


class ClassesOfRows:
    """The multinomial loss with the classes and offsets of rows. Immutable.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Numbers of the classes.
    n_classes : int
    offset : ndarray of shape (n_samples, n_classes), optional
        Added to the linear predictors.
    """

    def __init__(self, y: np.ndarray, n_classes: int, offset: np.ndarray | None = None) -> None:
        self.y, self.n_classes, self.offset = y, n_classes, offset

    def rows(self, index: slice | np.ndarray) -> "ClassesOfRows":
        """Return the loss of some rows."""
        offset = None if self.offset is None else self.offset[index]
        return ClassesOfRows(self.y[index], self.n_classes, offset)

    def value_of(self, eta: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the weighted sum of the losses at these linear predictors."""
        with np.errstate(all="ignore"):
            return _summed(Multinomial.value(self.y, eta), weight)

    def expand(
        self, eta: np.ndarray, weight: np.ndarray | None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the sum of losses and the derivatives, both weighted, and probabilities."""
        largest = eta.max(axis=1, keepdims=True)
        exponentials = np.exp(eta - largest)
        total = exponentials.sum(axis=1, keepdims=True)
        rows = np.arange(len(eta))
        losses = np.log(total[:, 0]) + largest[:, 0] - eta[rows, self.y]
        probability = exponentials / total
        derivative = probability.copy()
        derivative[rows, self.y] -= 1.0
        if weight is not None:
            derivative[weight == 0.0] = 0.0
            derivative *= weight[:, None]
        return _summed(losses, weight), derivative, probability


def _summed(losses: np.ndarray, weight: np.ndarray | None) -> float:
    if weight is None:
        return float(losses.sum())
    return float(weight @ np.where(weight > 0.0, losses, 0.0))
