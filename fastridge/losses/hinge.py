"""The hinge loss, of linear support vector machines."""

import numpy as np

from fastridge.losses.loss import Loss


class Hinge(Loss):
    """``max(0, 1 - y eta)``."""

    name = "hinge"
    link = "sign"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.maximum(0.0, 1.0 - y * eta)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return -y * (y * eta <= 1.0)
