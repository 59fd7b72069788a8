"""The absolute loss that is zero within epsilon."""

import numpy as np

from fastridge.losses.loss import Loss


class EpsilonInsensitive(Loss):
    """``max(0, |eta - y| - epsilon)``."""

    name = "epsilon_insensitive"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.maximum(0.0, np.abs(eta - y) - self.epsilon)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.sign(eta - y) * (np.abs(eta - y) > self.epsilon)
