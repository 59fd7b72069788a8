# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""The losses of `losses.pxd` for Python: their names and, to compare them with, their values."""


def names():
    """Return the names of the losses, in the order of their numbers."""
    return ("hinge", "perceptron", "squared_hinge", "log_loss", "modified_huber", "squared_error",
            "huber", "epsilon_insensitive", "squared_epsilon_insensitive", "multinomial")


def value(int loss, double epsilon, double y, double eta):
    """Return the loss of one row."""
    return loss_value(loss, epsilon, y, eta)


def derivative(int loss, double epsilon, double y, double eta):
    """Return the derivative of the loss with respect to eta."""
    return loss_derivative(loss, epsilon, y, eta)


def displacement(int loss, double epsilon, double y, double eta, double time):
    """Return how far eta gets along d eta / d time = -derivative."""
    return loss_displacement(loss, epsilon, y, eta, time)
