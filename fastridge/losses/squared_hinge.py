"""The squared hinge loss."""

import numpy as np

from fastridge.losses.loss import Loss


class SquaredHinge(Loss):
    """``max(0, 1 - y eta)^2``."""

    name = "squared_hinge"
    link = "sign"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.maximum(0.0, 1.0 - y * eta) ** 2

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return -2.0 * y * np.maximum(0.0, 1.0 - y * eta)
