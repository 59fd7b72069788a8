"""The loss of the perceptron."""

import numpy as np

from fastridge.losses.loss import Loss


class Perceptron(Loss):
    """``max(0, -y eta)``."""

    name = "perceptron"
    link = "sign"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.maximum(0.0, -y * eta)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return -y * (y * eta <= 0.0)
