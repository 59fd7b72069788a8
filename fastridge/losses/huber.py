"""Huber's loss."""

import numpy as np

from fastridge.losses.loss import Loss


class Huber(Loss):
    """``(eta - y)^2 / 2`` up to a distance of `epsilon`, straight beyond."""

    name = "huber"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        distance = np.abs(eta - y)
        straight = self.epsilon * (distance - 0.5 * self.epsilon)
        return np.where(distance <= self.epsilon, 0.5 * distance**2, straight)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return np.clip(eta - y, -self.epsilon, self.epsilon)
