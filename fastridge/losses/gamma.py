"""The gamma loss, of positive amounts."""

import numpy as np

from fastridge.losses.smooth import SmoothLoss


class Gamma(SmoothLoss):
    """``eta + y exp(-eta)``: half the gamma deviance with a log link, but for a constant."""

    name = kernel = "gamma"
    link = "log"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        return eta + y * np.exp(-eta)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        return 1.0 - y * np.exp(-eta)

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        return y * np.exp(-eta)

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return 1.0 + np.log(y)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.exp(eta)

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return float(np.log(mean))

    def divergence(self, y: np.ndarray, eta: np.ndarray, share: float) -> np.ndarray:
        """See `SmoothLoss`."""
        ratio = y * np.exp(-eta)
        other = (1.0 - share) + share * ratio  # y over the other mean
        found: np.ndarray = ratio - other + other * np.log(other / ratio)
        return found
