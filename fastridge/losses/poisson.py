"""The Poisson loss, of counts and rates."""

import numpy as np
from scipy.special import xlogy

from fastridge.losses.smooth import SmoothLoss


class Poisson(SmoothLoss):
    """``exp(eta) - y eta``: half the Poisson deviance with a log link, but for a constant."""

    name = kernel = "poisson"
    link = "log"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        return np.exp(eta) - y * eta

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        return np.exp(eta) - y

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.exp(eta) + 0.0 * y

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return y - xlogy(y, y)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.exp(eta)

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return float(np.log(mean))

    def divergence(self, y: np.ndarray, eta: np.ndarray, share: float) -> np.ndarray:
        """See `SmoothLoss`."""
        mean = np.exp(eta)
        relative = (1.0 - share) * (y - mean) / mean  # change of the mean
        logs = np.log1p(np.maximum(relative, -1.0 + 1e-16))
        found: np.ndarray = mean * ((1.0 + relative) * logs - relative)
        return found
