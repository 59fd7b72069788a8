"""Interior points for piecewise linear losses, for the last digits.

With multipliers lambda and xi of the bounds, the conditions of the minimum are

    xi - lambda = r,    lambda (z - l) = mu,    xi (u - z) = mu    as mu -> 0

and a Newton step for them is ``dz = theta (g - s f)``, with ``1 / theta = lambda / (z - l) + xi /
(u - z)`` and the change ``f = X dw + db`` of the linear predictors. What remains is ridge
regression of g with theta as weights: one weighted Gram matrix for each step. The steps are those
of Mehrotra, "On the implementation of a primal-dual interior point method" (1992); for support
vector machines see Ferris and Munson, "Interior-point methods for massive support vector machines"
(2002). Their number hardly depends on the data, and the gap falls to rounding.
"""

import numpy as np

from fastridge.solvers.svm.problem import MarginProblem, MarginResult
from fastridge.solvers.svm.spaces import BorderedGram, linear_predictors

_TO_THE_BORDER = 0.995  # of the way that a step may go
_MOST_STEPS = 200
_STALLED = 5  # steps without a lower gap: only rounding is left


def minimise(problem: MarginProblem, *, tol: float) -> MarginResult:
    """Minimise until the gap is at most tol times the objective, or rounding."""
    return _Run(problem).to_end(tol)


class _Run:
    def __init__(self, problem: MarginProblem) -> None:
        self.problem, self.design = problem, problem.design
        pi = problem.intercept_penalty
        middle = 0.5 * (problem.lower + problem.upper)
        right = self._right(problem.beta(middle))
        size = float(right[:-1] @ right[:-1])
        if 0.0 < pi < np.inf:
            size += float(right[-1]) ** 2 / pi
        inner = float((problem.q * middle).sum())
        share = min(1.0, max(1e-3, inner / size)) if size > 0.0 else 1.0
        z = share * middle
        right *= share
        self.coef, self.intercept = right[:-1], float(right[-1]) / pi if 0.0 < pi < np.inf else 0.0
        # by how much w and pi b are ahead of X'beta and 1'beta
        self.lag = np.zeros(len(right))
        if problem.has_free_intercept:
            self.lag[-1] = -right[-1]
        self.r = problem.residual(linear_predictors(self.design, self.coef, self.intercept))
        width = max(float(np.abs(self.r).mean()), 1e-12)
        self.lam, self.xi = np.maximum(-self.r, 0.0) + width, np.maximum(self.r, 0.0) + width
        self.z, self.below, self.above = z, z - problem.lower, problem.upper - z

    def _right(self, beta: np.ndarray) -> np.ndarray:
        """Return X'beta and, with an intercept, 1'beta."""
        total = float(beta.sum()) if self.problem.has_intercept else 0.0
        return np.append(self.design.correlate(beta[:, None])[0], total)

    def to_end(self, tol: float) -> MarginResult:
        best, stalled, n_iter = np.inf, 0, 0
        while True:
            objective, gap = self._certificate()
            if gap <= tol * objective or n_iter == _MOST_STEPS or stalled == _STALLED:
                break
            stalled = 0 if gap < best else stalled + 1
            best = min(best, gap)
            self._step()
            n_iter += 1
        return MarginResult(
            self.coef, self.intercept, objective, gap, n_iter, "interior-point", None
        )

    def _certificate(self) -> tuple[float, float]:
        """Return objective and gap, of z moved to where a free intercept wants it."""
        problem, z = self.problem, self.z
        objective = problem.penalty_of(self.coef, self.intercept) + problem.loss(self.r)
        z = problem.balanced(z)
        lag = np.append(self.coef, self.intercept * problem.finite_penalty)
        lag -= self._right(problem.beta(z))
        gap = problem.shortfall(self.r, z) + 0.5 * float(lag[:-1] @ lag[:-1])
        if 0.0 < problem.intercept_penalty < np.inf:
            gap += 0.5 * float(lag[-1]) ** 2 / problem.intercept_penalty
        return objective, gap

    def _step(self) -> None:
        problem, s = self.problem, self.problem.sign
        below, above, lam, xi = self.below, self.above, self.lam, self.xi
        theta = 1.0 / (lam / below + xi / above)
        gram = BorderedGram(self.design, theta.sum(axis=0), problem.intercept_penalty)

        def towards(low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
            """Return the step to multipliers of these values at the present z."""
            g = self.r + low - high
            change = gram.solve(self._right((s * theta * g).sum(axis=0)) - self.lag)
            eta = linear_predictors(self.design, change[:-1], float(change[-1]))
            dz = theta * (g - s * eta)
            return [change, eta, dz, low - lam - lam / below * dz, high - xi + xi / above * dz]

        mu = (float((lam * below).sum()) + float((xi * above).sum())) / (2 * lam.size)
        nothing = np.zeros_like(lam)
        _, _, dz, dlam, dxi = towards(nothing, nothing)
        part = min(1.0, self._longest(dz, dlam, dxi))
        after = float(((lam + part * dlam) * (below + part * dz)).sum())
        after += float(((xi + part * dxi) * (above - part * dz)).sum())
        centre = mu * (after / (2 * lam.size * mu)) ** 3
        change, eta, dz, dlam, dxi = towards(
            (centre - dlam * dz) / below, (centre + dxi * dz) / above
        )
        part = min(1.0, _TO_THE_BORDER * self._longest(dz, dlam, dxi))
        self.z, self.below, self.above = self.z + part * dz, below + part * dz, above - part * dz
        self.lam, self.xi = lam + part * dlam, xi + part * dxi
        self.coef = self.coef + part * change[:-1]
        self.intercept += part * float(change[-1])
        self.r = self.r - part * s * eta
        self.lag = (1.0 - part) * self.lag

    def _longest(self, dz: np.ndarray, dlam: np.ndarray, dxi: np.ndarray) -> float:
        """Return how much of a step keeps all that is positive so."""
        pairs = ((self.below, dz), (self.above, -dz), (self.lam, dlam), (self.xi, dxi))
        least = min(float((change / value).min()) for value, change in pairs)
        return -1.0 / least if least < 0.0 else np.inf
