"""The squared hinge loss, made linear where a row is far on the wrong side."""

import numpy as np

from fastridge.losses.loss import Loss


class ModifiedHuber(Loss):
    """``max(0, 1 - y eta)^2`` from ``y eta = -1`` on, ``-4 y eta`` below."""

    name = "modified_huber"
    link = "sign"

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        margin = y * eta
        return np.where(margin < -1.0, -4.0 * margin, np.maximum(0.0, 1.0 - margin) ** 2)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        margin = y * eta
        return np.where(margin < -1.0, -4.0 * y, -2.0 * y * np.maximum(0.0, 1.0 - margin))

    @staticmethod
    def probability(eta: np.ndarray) -> np.ndarray:
        """Return the probability of 1: that which minimises the expected loss."""
        return 0.5 * (np.clip(eta, -1.0, 1.0) + 1.0)
