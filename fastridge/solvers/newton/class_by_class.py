"""Several classes with an L1 penalty: proximal Newton steps of one class after the other.

As in glmnet (Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models
via coordinate descent", 2010): the coefficients of one class are moved while those of the others
stay, until a round through all classes promises too little.
"""

import numpy as np
from scipy.special import softmax

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.penalties.elastic_net import Penalty
from fastridge.solvers.newton.iterate import MOST_HALVINGS, Weights, low_enough
from fastridge.solvers.newton.problem import NewtonResult, not_converged
from fastridge.solvers.newton.proximal import model_minimum, within


def minimise_class_by_class(
    design: Design,
    loss: ClassesOfRows,
    penalty: Penalty,
    start: Weights | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise the sum of the losses and the penalties of all classes, at alpha = 1.

    Bounds are those of all classes, or have a row for each.
    """
    K, p = loss.n_classes, design.shape[1]
    if start is None:
        start = Weights(np.zeros((K, p)), np.zeros(K))
    coef, intercept = penalty.clip(start.coef).copy(), start.intercept.copy()
    about_centre = intercept + coef @ design.centre
    eta = np.ascontiguousarray((design.predict(coef) + about_centre).T)
    if loss.offset is not None:
        eta += loss.offset.T

    def penalty_of(values: np.ndarray) -> float:
        return float((penalty.l1 * np.abs(values) + 0.5 * penalty.l2 * values**2).sum())

    objective = loss.value_of(eta, design.weight) + penalty_of(coef)
    promised, left = np.full(K, np.inf), np.inf
    n_iter, converged = 0, False
    while n_iter < max_iter and not converged:
        n_iter += 1
        for k in range(K):
            derivatives = np.empty_like(eta)
            loss.expand(eta, design.weight, derivatives)
            probability = softmax(eta, axis=0)[k]
            curvature = probability * (1.0 - probability)
            if design.weight is not None:
                curvature *= design.weight
            derivative, old = derivatives[k], coef[k]
            moved = design.predict(old[None])[:, 0] + float(design.centre @ old)
            own = penalty.of_class(k)
            new = model_minimum(design, own, old, moved, derivative, curvature, left)
            step = new.coef - old
            change = design.predict(step[None])[:, 0] + (
                float(design.centre @ step) + new.intercept
            )
            promised[k] = -float(derivative @ change) - (penalty_of(new.coef) - penalty_of(old))
            if not promised[k] > 0.0:
                promised[k] = 0.0
                continue
            for halvings in range(MOST_HALVINGS):
                part = 0.5**halvings
                there, values = eta.copy(), coef.copy()
                there[k] += part * change
                values[k] += part * step
                lower = loss.value_of(there, design.weight) + penalty_of(values)
                if low_enough(lower, objective, part * promised[k], objective):
                    eta, coef, objective = there, values, lower
                    intercept[k] += part * new.intercept
                    break
        left = float(promised.max())
        converged = promised.sum() <= tol**2 * abs(objective)
    result = NewtonResult(
        coef,
        intercept if design.fit_intercept else np.zeros(K),
        objective,
        float(promised.sum()),
        None,
        n_iter,
        "newton-cd",
        None,
        None if converged else not_converged(n_iter),
    )
    if not penalty.limited:
        return result
    derivatives = np.empty_like(eta)
    loss.expand(eta, design.weight, derivatives)
    gradient = design.correlate(derivatives.T) + penalty.l2 * coef
    return within(result, penalty, gradient)
