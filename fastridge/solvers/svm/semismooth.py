"""Newton's method for support vector machines.

A piecewise linear loss is replaced by its largest ``r z - (z - z_k)^2 / (2 h)`` over the bounds.
Its curvature is h where ``z = z_k + h r`` is inside and zero elsewhere. A Newton step takes the
rows that are inside, and an exact line search follows it. At the minimum z becomes the next z_k:
these are the proximal steps of the dual (Rockafellar, "Augmented Lagrangians and applications of
the proximal point algorithm in convex programming", 1976), which converge whatever h is. It grows
until few rows are inside. A squared loss is of this form itself, with ``z_k = 0``: it takes one
minimisation.

Since z is within its bounds, each point has a duality gap. Many rows start at the minimum of some.
"""

from typing import Any

import numpy as np

from fastridge.solvers.svm.problem import MarginProblem, MarginResult
from fastridge.solvers.svm.spaces import ColumnSpace, RowSpace, Step

_FIRST_WIDTH, _LEAST_WIDTH, _NARROWER = 2.0, 0.1, 0.3  # of the residuals of rows that are inside
_SLOW = 0.5  # of the gap, what a proximal step may leave
_SAMPLE, _SAMPLED_VALUES, _LEAST_SAMPLE = 16, 1 << 20, 8
_SAMPLE_WIDTH, _SAMPLE_TOL = 0.2, 1e-3  # after a sample, and in it
_INNER, _INNER_LAG = 0.02, 0.5  # of the shortfall, what an inner minimisation may leave
_LINE = 0.1  # of the decrement, the derivative at which the line search ends
_MOST_TRIALS = 40
_ROUNDING = 1e-14
_MOST_STALLED = 8
_BALANCED = 1e-9  # of all derivatives, what they may add up to with a free intercept


def minimise(problem: MarginProblem, *, by_rows: bool, tol: float, max_iter: int) -> MarginResult:
    """Minimise until the gap is at most tol times the objective, or rounding."""
    if by_rows:
        return _Run(problem, RowSpace(problem)).to_end(tol, max_iter, _FIRST_WIDTH)
    n, p = problem.design.shape
    space, width = ColumnSpace(problem), _FIRST_WIDTH
    if n * p >= _SAMPLED_VALUES and n >= _LEAST_SAMPLE * _SAMPLE * p:
        sampled = problem.rows(slice(None, None, _SAMPLE), float(_SAMPLE))
        start = ColumnSpace(sampled)
        _Run(sampled, start).to_end(max(tol, _SAMPLE_TOL), max_iter, width)
        space, width = ColumnSpace(problem, start.weights), _SAMPLE_WIDTH
    return _Run(problem, space).to_end(tol, max_iter, width)


class _Run:
    def __init__(self, problem: MarginProblem, space: ColumnSpace | RowSpace) -> None:
        self.problem, self.space = problem, space
        self.squared = problem.curvature is not None
        self.r = problem.residual(space.eta())
        self.zk: np.ndarray | float = 0.0
        self.n_iter = 0

    def to_end(self, tol: float, max_iter: int, width: float) -> MarginResult:
        problem, space, stalled = self.problem, self.space, 0
        best = last = np.inf
        most = 2 * min(problem.design.shape)
        if not self.squared:
            ranges = (problem.upper - problem.lower) / _size(problem, self.r)
        while True:
            self.h: Any = problem.curvature if self.squared else ranges / width
            objective, gap = self._settle(tol, max_iter)
            if gap <= tol * objective or self.n_iter >= max_iter:
                break
            stalled = 0 if gap < 0.5 * best else stalled + 1
            if self.squared or stalled > _MOST_STALLED:
                break
            best, slow = min(best, gap), gap > _SLOW * last
            if slow or (np.count_nonzero(self.inside) > most and width > _LEAST_WIDTH):
                width *= _NARROWER
            self.zk, last = self.z, gap
        if problem.has_free_intercept:
            gap = self._balanced_gap()
        coef, intercept = space.result()
        warning = None
        if gap > tol * objective and self.n_iter >= max_iter:
            warning = (
                f"Newton's method stopped after {self.n_iter} iterations before it reached the "
                "tolerance: raise max_iter or tol."
            )
        rest = coef, intercept, objective, gap, self.n_iter, space.name, warning
        return MarginResult(*rest, stalled=gap > tol * objective and warning is None)

    def _settle(self, tol: float, max_iter: int) -> tuple[float, float]:
        """Minimise with the present z_k, or until the gap is small; return objective and gap."""
        problem, space = self.problem, self.space
        while True:
            self.z = z = self._z(self.r)
            beta = problem.beta(z)
            space.look(beta)
            objective = space.penalty() + problem.loss(self.r)
            shortfall = 0.0 if self.squared else problem.shortfall(self.r, z)
            gap, lag = shortfall + space.lag, space.lag
            balanced = True
            if problem.has_free_intercept:
                total, most = float(beta.sum()), float(np.abs(z).sum())
                balanced = abs(total) <= _BALANCED * most
                if gap <= tol * objective:
                    gap = self._balanced_gap()
            self.inside = (z > problem.lower) & (z < problem.upper)
            if gap <= tol * objective or self.n_iter >= max_iter:
                return objective, gap
            step = space.step(np.where(self.inside, self.h, 0.0).sum(axis=0))
            near = step.decrement <= max(_INNER * shortfall, _ROUNDING * objective)
            level = lag <= max(_INNER_LAG * shortfall, _ROUNDING * objective)
            if not step.decrement > 0.0 or (near and balanced and (level or self.squared)):
                return objective, gap
            part = self._length(step)
            space.move(step, part)
            self.r = self.r - part * problem.sign * step.eta
            self.n_iter += 1

    def _balanced_gap(self) -> float:
        """Return the gap of z moved to where ``1'beta = 0``."""
        problem, beta = self.problem, self.problem.beta(self.z)
        moved = problem.balanced(self.z)
        self.space.look(problem.beta(moved))
        gap = problem.shortfall(self.r, moved) + self.space.lag
        self.space.look(beta)
        return gap

    def _z(self, r: np.ndarray) -> np.ndarray:
        z = self.h * r
        z += self.zk
        return np.clip(z, self.problem.lower, self.problem.upper, out=z)

    def _length(self, step: Step) -> float:
        """Return how far the objective falls along a step: its derivative there is near zero."""
        low, high, part = 0.0, np.inf, 1.0
        at_low, at_high = -step.decrement, np.inf
        change = self.problem.sign * step.eta
        for _ in range(_MOST_TRIALS):
            z = self._z(self.r - part * change)
            derivative = step.first + part * step.second - float(np.vdot(z, change))
            if abs(derivative) <= _LINE * step.decrement:
                break
            if derivative < 0.0:
                low, at_low = part, derivative
            else:
                high, at_high = part, derivative
            if high == np.inf:
                part *= 2.0
                continue
            margin = 0.1 * (high - low)
            root = low - at_low * (high - low) / (at_high - at_low)
            part = min(max(root, low + margin), high - margin)
        return part


def _size(problem: MarginProblem, r: np.ndarray) -> float:
    """Return the unit of the residuals: margins are 1."""
    if not problem.is_regression:
        return 1.0
    size = float(np.median(np.abs(r))) or float(np.abs(r).mean())
    return size if size > 0.0 else 1.0
