"""The squared loss."""

import numpy as np

from fastridge.losses.loss import Loss


class Squared(Loss):
    """``(eta - y)^2 / 2``."""

    name = "squared_error"
    grows_quadratically = True

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        return 0.5 * (eta - y) ** 2

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        return eta - y
