"""The logistic loss, of logistic regression."""

import numpy as np
from scipy.special import expit, xlogy

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

    def divergence(self, y: np.ndarray, eta: np.ndarray, share: float) -> np.ndarray:
        """See `SmoothLoss`; that of Kullback and Leibler."""
        others, odds = expit(-y * eta), np.exp(-y * eta)  # of the other class
        own = expit(y * eta) + (1.0 - share) * others
        found: np.ndarray = xlogy(share, share) * others
        return found + own * np.log1p((1.0 - share) * odds)

    @staticmethod
    def probability(eta: np.ndarray) -> np.ndarray:
        """Return the probability of 1."""
        return expit(eta)
