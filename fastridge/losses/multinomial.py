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
