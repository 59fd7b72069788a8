"""The losses of stochastic gradient descent as their definitions have them."""

import numpy as np


def loss_and_derivative(loss, y, p, epsilon):
    """A loss, and its derivative with respect to the linear predictor p."""
    z, r = y * p, p - y
    within = np.clip(r, -epsilon, epsilon)
    return {
        "hinge": (max(0.0, 1.0 - z), -y * (z <= 1.0)),
        "perceptron": (max(0.0, -z), -y * (z <= 0.0)),
        "squared_hinge": (max(0.0, 1.0 - z) ** 2, -2.0 * y * max(0.0, 1.0 - z)),
        "log_loss": (np.logaddexp(0.0, -z), -y / (1.0 + np.exp(z))),
        "modified_huber": (
            -4.0 * z if z < -1.0 else max(0.0, 1.0 - z) ** 2,
            -4.0 * y if z < -1.0 else -2.0 * y * max(0.0, 1.0 - z),
        ),
        "squared_error": (0.5 * r * r, r),
        "huber": (abs(r) * epsilon - 0.5 * epsilon**2 if abs(r) > epsilon else 0.5 * r * r, within),
        "epsilon_insensitive": (max(0.0, abs(r) - epsilon), np.sign(r) * (abs(r) > epsilon)),
        "squared_epsilon_insensitive": ((r - within) ** 2, 2.0 * (r - within)),
    }[loss]
