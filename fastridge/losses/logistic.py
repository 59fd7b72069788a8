"""The logistic loss, of logistic regression."""

import numpy as np
from scipy.special import expit

from fastridge.losses.smooth import SmoothLoss


class Logistic(SmoothLoss):
    """``log(1 + exp(-y eta))``: minus the log-likelihood of y = -1 or 1 where eta is the logit."""

    name = kernel = "log_loss"
    link = "logit"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.logaddexp(0.0, -y * eta)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return -y * expit(-y * eta)

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        return expit(eta) * expit(-eta)

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.zeros(len(y))

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`; of y = -1 and 1."""
        return np.tanh(0.5 * eta)

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return float(np.log1p(mean) - np.log1p(-mean))

    @staticmethod
    def probability(eta: np.ndarray) -> np.ndarray:
        """Return the probability of 1."""
        return expit(eta)
