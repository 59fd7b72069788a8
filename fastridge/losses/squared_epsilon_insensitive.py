"""The squared loss that is zero within epsilon."""

import numpy as np

from fastridge.losses.loss import Loss


class SquaredEpsilonInsensitive(Loss):
    """``max(0, |eta - y| - epsilon)^2``."""

    name = "squared_epsilon_insensitive"
    grows_quadratically = True

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.maximum(0.0, np.abs(eta - y) - self.epsilon) ** 2

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        residual = eta - y
        return 2.0 * (residual - np.clip(residual, -self.epsilon, self.epsilon))
