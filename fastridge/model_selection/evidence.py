"""Choices of the penalty that need only the spectrum: GCV, marginal likelihood, EM.

- Generalised cross-validation (Golub, Heath, Wahba, Technometrics 21, 1979):
  n RSS / (n - dof)^2, to be least.
- Marginal likelihood of coefficients w ~ N(0, sigma^2 / alpha S^-1) with the intercept and the
  features without a penalty integrated out (restricted likelihood; Patterson and Thompson,
  Biometrika 58, 1971), at the best sigma^2: to be greatest,
  -1/2 (m log((RSS + alpha |w|^2) / m) + sum_k log(1 + l_k / alpha)), m = n - 1 - n_free.
- Expectation maximisation of the posterior with tau^2 ~ Beta-prime and sigma^2 ~ 1 / sigma^2
  (Tew, Boley, Schmidt, "Bayes beats cross validation", NeurIPS 2023, algorithm 1); alpha is
  1 / tau^2. Not on a grid.
"""

import math
from typing import NamedTuple

import numpy as np

from fastridge.solvers.direct.spectrum import Spectrum

_MAX_STEPS = 100_000
_SETTLED = 1e-2  # of log tau^2, in all steps that would follow
_STILL = 1e-12  # a step of rounding


def gcv_score(spectrum: Spectrum, alphas: np.ndarray) -> np.ndarray:
    """Return n RSS / (n - dof)^2, of shape (n_alphas, n_targets)."""
    problem = spectrum.problem
    n = problem.design.n_counted
    left = n - int(problem.design.fit_intercept) - spectrum.dof(alphas)
    left = np.where(left > n * 1e-12, left, np.nan)
    score: np.ndarray = n * spectrum.rss(alphas) / left[:, None] ** 2
    return score


def log_evidence(spectrum: Spectrum, alphas: np.ndarray) -> np.ndarray:
    """Return the restricted log marginal likelihood up to a constant, (n_alphas, n_targets)."""
    problem = spectrum.problem
    m = problem.design.n_counted - int(problem.design.fit_intercept) - spectrum.n_free
    determinant = np.log1p(spectrum.values / alphas[:, None]).sum(axis=1)[:, None]
    with np.errstate(divide="ignore"):
        fit = m * np.log(spectrum.penalised_squares(alphas) / m)
    evidence: np.ndarray = -0.5 * (fit + determinant)
    return evidence


class Expectation(NamedTuple):
    """The result of EM: alpha = 1 / tau^2, sigma^2 in the units of y, and the number of steps."""

    alpha: float
    residual_variance: np.ndarray  # (n_targets,)
    n_iter: int
    converged: bool
    settled: bool = True  # False if the steps became small while alpha still moves


def expectation_maximisation(
    spectrum: Spectrum, targets: slice | np.ndarray = slice(None), tol: float = 1e-8
) -> Expectation:
    """Return alpha by EM for these targets together: scaled to unit variance, they share tau^2.

    Notes
    -----
    Stops when the residual sum of squares moves by less than `tol` (relative to 1 + RSS), as the
    authors' own program does. With no more rows than columns that may be along a ridge of the
    posterior and far from a mode: the steps of log tau^2, continued at the rate of the last two,
    then lead on by more than a hundredth, and `settled` is False.
    """
    problem = spectrum.problem
    values = spectrum.values
    n = problem.design.n_counted
    squares = spectrum.energy[:, targets].sum(axis=0) + spectrum.rest[targets]
    used = squares > 0.0
    scale = np.where(used, squares, 1.0) / n
    t = int(used.sum())
    if not t or not len(values) or not values[-1] > 0.0:
        return Expectation(np.inf, squares / n, 0, True)
    energy = (spectrum.energy[:, targets] / scale)[:, used].sum(axis=1)
    rest = float((spectrum.rest[targets] / scale)[used].sum())
    square_loadings = values * energy
    p = spectrum.n_penalised
    beyond = t * (p - len(values))
    N, P = n * t, p * t
    tau, sigma, before = 1.0, 1.0, 1e10
    n_iter, converged = 0, False
    step, step_before = 0.0, 0.0
    while n_iter < _MAX_STEPS and not converged:
        n_iter += 1
        inverse = 1.0 / (values + 1.0 / tau)
        shrinkage = values * inverse
        trace = float(inverse.sum())
        norm = float(square_loadings @ (inverse * inverse)) + sigma * (t * trace + tau * beyond)
        rss = rest + float(energy @ (1.0 - shrinkage) ** 2)
        residual = rss + sigma * t * float(shrinkage.sum())
        tau_before = tau
        a = norm * (N - 1.0) - residual * (P + 1.0)
        root = (4.0 * norm * (N + 1.0) * residual * (P + 3.0) + a * a) ** 0.5
        # the positive root, in the form that does not cancel
        if a >= 0.0:
            tau = (a + root) / (2.0 * residual * (P + 3.0))
        else:
            tau = 2.0 * norm * (N + 1.0) / (root - a)
        sigma = (residual * tau + norm) / ((N + P + 2.0) * tau)
        converged = abs(before - rss) / (1.0 + rss) < tol
        before = rss
        if not tau > 1e-300:
            break
        step_before, step = step, abs(math.log(tau / tau_before))
    settled = step < _STILL or step * step < _SETTLED * (step_before - step)
    settled = settled or p < n - int(problem.design.fit_intercept)
    return Expectation(1.0 / tau, sigma * scale, n_iter, converged, settled)
