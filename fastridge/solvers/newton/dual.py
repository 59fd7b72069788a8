"""Newton's method in the rows, for more features than rows.

The coefficients are ``w = S^-1 X'a``, S = diag(penalty), and the linear predictors
``f = K a + U b``, with ``K = X S^-1 X'`` and columns U without a penalty (the intercept's and those
of free features), to which a is orthogonal. At the minimum ``a = -g``, the derivatives of the
losses. With curvatures h and ``B = I + H^1/2 K H^1/2``, a Newton step solves
``B s = H^1/2 (K r + U db)``, ``r = -(g + a)``; it changes f by ``H^-1/2 s``, and a by
``r - H^1/2 s`` (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm
3.1).
"""

import numpy as np

from fastridge.runtime.threads import product
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.newton.iterate import (
    MOST_HALVINGS,
    NOTHING,
    goal_of,
    is_rounding,
    low_enough,
)
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem, not_converged
from fastridge.statistics.accumulate import symmetric

_EPS = np.finfo(float).eps
_MOST_RENEWALS = 5  # of K a from a
_Point = tuple[np.ndarray, np.ndarray, np.ndarray]


def minimise(problem: SmoothProblem, *, tol: float, max_iter: int) -> NewtonResult | None:
    """Minimise from the null model until the decrement is below ``tol^2`` of the objective.

    Return None if the rounding of products with K hides that, as where columns differ much in
    length.
    """
    return _Run(problem).to_end(tol, max_iter)


class _Run:
    def __init__(self, problem: SmoothProblem) -> None:
        design = problem.design
        self.problem, self.design, self.free = problem, design, problem.free
        self.loss = problem.loss.rows(design.counted)
        self.weight = None if design.weight is None else design.weight[design.counted]
        inverse = np.zeros(design.shape[1])
        kept = np.ones(design.shape[1], dtype=bool)
        kept[self.free] = False
        inverse[kept] = 1.0 / problem.penalty[kept]
        self.inverse = inverse
        self.K = symmetric(design.outer_gram(inverse, design.counted))
        columns = design.centred_columns(self.free, None)[design.counted]
        if design.fit_intercept:
            columns = np.column_stack([np.ones(len(self.K)), columns])
        lengths = np.sqrt((columns**2).sum(axis=0))
        self.lengths = np.where(lengths > 0.0, lengths, 1.0)
        self.U = columns / self.lengths
        self.derivative, self.curvature = np.empty((2, len(self.K)))

    def to_end(self, tol: float, max_iter: int) -> NewtonResult | None:
        n = len(self.K)
        a, beta = np.zeros(n), np.zeros(self.U.shape[1])
        if self.design.fit_intercept:
            beta[0] = self.problem.null_predictor * self.lengths[0]
        Ka = np.zeros(n)
        first = objective = self._objective(Ka, a, beta)
        n_iter, n_renewed, renewed, converged, before = 0, 0, True, False, np.inf
        while True:
            root, r = np.sqrt(self.curvature), -(self.derivative + a)
            factor = Factor(self.K * root[:, None] * root, np.ones(n), self.design.n_threads)
            change, free_step = self._step(factor, root, r)
            decrement = float(r @ change)
            goal = goal_of(objective, self.size, tol)
            point = None
            if decrement <= goal or is_rounding(decrement, before, self.size):
                if renewed and self._hidden(a, r) <= max(goal, NOTHING * self.size):
                    converged = True
                    break
            elif n_iter == max_iter:
                break
            else:
                n_iter, before = n_iter + 1, decrement
                a_step = r - self.curvature * change
                steps = change - self.U @ free_step, a_step, free_step
                point = self._lower((Ka, a, beta), steps, objective, decrement)
            if point is not None:
                (Ka, a, beta, objective), renewed = point, False
            elif renewed or n_renewed == _MOST_RENEWALS:  # rounding stops all progress
                return None
            else:
                Ka, before = product(self.K, a), np.inf  # free of the rounding of the steps
                objective = self._objective(Ka, a, beta)
                if not objective <= first:  # nothing was left but rounding
                    return None
                n_renewed, renewed = n_renewed + 1, True
        return self._result(a, beta, objective, decrement, n_iter, factor.rcond, converged)

    def _lower(
        self, here: _Point, steps: _Point, objective: float, decrement: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, float] | None:
        """Return K a, a, b and the objective after a step, halved until that is low enough."""
        size = self.size
        for k in range(MOST_HALVINGS):
            part = 0.5**k
            Ka, a, beta = (x + part * step for x, step in zip(here, steps, strict=True))
            lower = self._objective(Ka, a, beta)
            if low_enough(lower, objective, part * decrement, size):
                return Ka, a, beta, lower
        return None

    def _hidden(self, a: np.ndarray, r: np.ndarray) -> float:
        """Return the decrement that the rounding of K a and K r may hide."""
        sizes = _EPS * product(np.abs(self.K), np.abs(np.vstack([a, r])).T)
        return float(self.curvature @ sizes[:, 0] ** 2 + np.abs(r) @ sizes[:, 1])

    def _objective(self, Ka: np.ndarray, a: np.ndarray, beta: np.ndarray) -> float:
        """Return the objective; the derivatives of the losses are kept."""
        eta = Ka + self.U @ beta
        if self.loss.offset is not None:
            eta += self.loss.offset
        with np.errstate(all="ignore"):
            value = self.loss.expand(eta, self.weight, self.derivative, self.curvature)[0]
            penalty, least = 0.5 * float(a @ Ka), self.problem.least_value
            self.size = abs(value) + abs(least) + penalty  # the rounding is relative to this
            return value - least + penalty

    def _step(
        self, factor: Factor, root: np.ndarray, r: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the changes of the linear predictors and of the coefficients of U.

        They are NaN where the system overflows.
        """
        right = product(self.K, r)
        solved = factor.solve(np.vstack([right * root, self.U.T * root]))
        # U'(a + da) = 0, that is (U'H^1/2 B^-1 H^1/2 U) db = -U'(g + H^1/2 B^-1 H^1/2 K r)
        weighted = self.U * root[:, None]
        free_step = np.zeros(self.U.shape[1])
        if len(free_step):
            system = solved[1:] @ weighted
            if not np.isfinite(system).all():
                return np.full(len(r), np.nan), free_step
            wanted = -(self.U.T @ self.derivative + weighted.T @ solved[0])
            free_step = np.linalg.lstsq(system, wanted, rcond=None)[0]
        s = solved[0] + free_step @ solved[1:]
        # f changes by K r + U db - K H^1/2 s, which is H^-1/2 s without a division
        change = right + self.U @ free_step - product(self.K, root * s)
        return change, free_step

    def _result(
        self,
        a: np.ndarray,
        beta: np.ndarray,
        objective: float,
        decrement: float,
        n_iter: int,
        rcond: float,
        converged: bool,
    ) -> NewtonResult:
        design = self.design
        beta = beta / self.lengths
        coef = design.correlate(design.among_all_rows(a[:, None]))[0] * self.inverse
        coef[self.free] = beta[len(beta) - len(self.free) :]
        intercept = float(beta[0] - design.centre @ coef) if design.fit_intercept else 0.0
        gap = None
        if not len(self.free):
            r = self.derivative + a
            gap = 0.5 * float(r @ (self.K @ r))
        warning = None if converged else not_converged(n_iter)
        return NewtonResult(
            coef,
            intercept,
            objective,
            max(decrement, 0.0),
            gap,
            n_iter,
            "newton-dual",
            rcond,
            warning,
        )
