"""The logistic loss, of logistic regression."""

import numpy as np
from scipy.special import expit

from fastridge.losses.loss import Loss


class Logistic(Loss):
    """``log(1 + exp(-y eta))``: minus the log-likelihood of y = -1 or 1 where eta is the logit."""

    name = "log_loss"
    link = "logit"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.logaddexp(0.0, -y * eta)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return -y * expit(-y * eta)

    @staticmethod
    def probability(eta: np.ndarray) -> np.ndarray:
        """Return the probability of 1."""
        return expit(eta)
