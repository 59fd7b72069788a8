"""The squared hinge loss."""

import numpy as np

from fastridge.losses.smooth import SmoothLoss


class SquaredHinge(SmoothLoss):
    """``max(0, 1 - y eta)^2``, whose curvature is zero beyond the margin."""

    name = kernel = "squared_hinge"
    link = "sign"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.maximum(0.0, 1.0 - y * eta) ** 2

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return -2.0 * y * np.maximum(0.0, 1.0 - y * eta)

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        return 2.0 * (y * eta < 1.0)

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.zeros(len(y))

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`; of y = -1 and 1."""
        return np.clip(eta, -1.0, 1.0)

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return mean
