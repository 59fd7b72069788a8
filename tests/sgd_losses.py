"""The losses of stochastic gradient descent as their definitions have them."""

import numpy as np


def loss_and_derivative(loss, y, p, epsilon):
    """A loss, and its derivative with respect to the linear predictor p: of arrays or numbers."""
    z, r = y * p, p - y
    return LOSSES[loss](y, z, r, epsilon)


def squared_hinge(y, z, r, epsilon):
    lack = np.maximum(0.0, 1.0 - z)
    return lack**2, -2.0 * y * lack


def modified_huber(y, z, r, epsilon):
    lack = np.maximum(0.0, 1.0 - z)
    far = z < -1.0
    return np.where(far, -4.0 * z, lack**2), np.where(far, -4.0 * y, -2.0 * y * lack)


def huber(y, z, r, epsilon):
    size = np.abs(r)
    linear = size * epsilon - 0.5 * epsilon**2
    return np.where(size > epsilon, linear, 0.5 * r * r), np.minimum(
        np.maximum(r, -epsilon), epsilon
    )


def squared_epsilon_insensitive(y, z, r, epsilon):
    outside = r - np.minimum(np.maximum(r, -epsilon), epsilon)
    return outside**2, 2.0 * outside


LOSSES = {
    "hinge": lambda y, z, r, epsilon: (np.maximum(0.0, 1.0 - z), -y * (z <= 1.0)),
    "perceptron": lambda y, z, r, epsilon: (np.maximum(0.0, -z), -y * (z <= 0.0)),
    "squared_hinge": squared_hinge,
    "log_loss": lambda y, z, r, epsilon: (np.logaddexp(0.0, -z), -y / (1.0 + np.exp(z))),
    "modified_huber": modified_huber,
    "squared_error": lambda y, z, r, epsilon: (0.5 * r * r, r),
    "huber": huber,
    "epsilon_insensitive": lambda y, z, r, epsilon: (
        np.maximum(0.0, np.abs(r) - epsilon),
        np.sign(r) * (np.abs(r) > epsilon),
    ),
    "squared_epsilon_insensitive": squared_epsilon_insensitive,
}
