"""Newton steps by conjugate gradients, where a Hessian would be too large to factor."""

from collections.abc import Callable

import numpy as np

_FORCING = 1e-2  # of the gradient's square: the most that a step may leave
_OF_GOAL = 0.1
_ROUNDING = 1e-24
_MOST_STEPS = 1000


def newton_step(
    multiply: Callable[[np.ndarray], np.ndarray],
    diagonal: np.ndarray,
    gradient: np.ndarray,
    objective: float,
    goal: float,
) -> np.ndarray:
    """Return the inverse Hessian times a gradient, nearly.

    Conjugate gradients are preconditioned by the diagonal. The square of the residual that they
    leave, relative to the gradient's, is smaller the closer the minimum is, compared with the
    objective (Dembo, Eisenstat and Steihaug, "Inexact Newton methods", 1982), but not much smaller
    than the goal.
    """
    step = np.zeros_like(gradient)
    residual = gradient
    scaled = residual / diagonal
    square = first = float((residual * scaled).sum())
    direction = scaled
    enough = first * max(min(_FORCING, first / abs(objective)), _ROUNDING)
    enough = max(enough, min(_OF_GOAL * goal, _FORCING * first))
    for _ in range(_MOST_STEPS):
        if square <= enough:
            break
        image = multiply(direction)
        curvature = float((direction * image).sum())
        if not curvature > 0.0:
            break
        length = square / curvature
        step = step + length * direction
        residual = residual - length * image
        scaled = residual / diagonal
        before, square = square, float((residual * scaled).sum())
        direction = scaled + (square / before) * direction
    return step
