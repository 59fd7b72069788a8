"""Ridge with coefficients that are not negative, certified by the conditions of its minimum.

    minimise over v >= 0     q(v) = 1/2 v'Av - b'v,     A = Z'Z + diag(penalty),  b = Z'y

with the columns of Z in units in which A has a diagonal of about one. At the minimum g = b - Av
is zero where v > 0, and not positive elsewhere (Karush, Kuhn and Tucker).

Sets of free coefficients are exchanged as a whole (Júdice and Pires, Computers Ops. Res. 21,
1994), while that lowers the number of coefficients that break a condition. Where it does not,
projected Newton steps (Bertsekas, SIAM J. Control Optim. 20, 1982) lower q with each step, and
in the end coefficients enter one by one (Lawson and Hanson, "Solving Least Squares Problems",
1974, chapter 23). `systems` has the forms of A.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from fastridge.solvers.direct.cholesky import ACCURATE
from fastridge.solvers.nonnegative.dual import start_by_dual
from fastridge.solvers.nonnegative.refit import Solver, free_coef
from fastridge.solvers.nonnegative.systems import (
    GramSystem,
    RowSystem,
    System,
    fits_in_triangle,
    is_better_by_rows,
)
from fastridge.solvers.nonnegative.triangle import TriangleSystem
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result

_EPS = float(np.finfo(float).eps)
_EXCHANGES = 3  # of sets that may break more conditions than any before
_HALVINGS = 20
_FAILURES = 12  # of steps to halve the violation
_REFINEMENTS = 2
_ENOUGH = 1e-3  # of the gain that a Newton step promises
_DOUBTFUL = 1e-13  # violation of the conditions, relative to y and the fit
_SMALL_ORDER, _FEW_DIGITS = 1000, 1e-12  # above this order, only this rcond is doubtful
_WARNED = 1e-9  # violation above which a warning is given
_LOSSY, _FEW_OPERATIONS = 1e2, 1e8  # a Gram with a larger error, in roundings, is doubtful
_REFITTED = 1e-5  # reciprocal condition number of A_FF below which the rows refine it
_REFITS = 6  # sets of free coefficients that are solved for then
_LARGE = 1e4  # size of a fit, relative to y, above which the conditions prove little


def solve_nonnegative(problem: Problem, max_iter: int | None, solve: Solver) -> Result:
    """Return coefficients >= 0 for every target, checked by the conditions of the minimum.

    `solve` finds coefficients that have no bound.
    """
    p, t = problem.design.shape[1], problem.loss.n_targets
    by_rows = problem.design.has_rows and is_better_by_rows(problem)
    if not by_rows:
        problem = problem.accumulated()
    alphas = problem.alphas
    limit = 30 * p + 100 if max_iter is None else max_iter
    coef, n_iter, stuck = np.zeros((t, p)), np.ones(t, dtype=np.intc), []
    worst, known = 1.0, True
    made: dict[tuple[type, float], System] = {}

    def system(kind: type[System], k: int) -> System:
        key = kind, float(alphas[k])
        if key not in made:
            for old in [old for old in made if old[0] is kind]:
                del made[old]  # one of each kind at a time
            made[key] = kind(problem, float(alphas[k]))
        made[key].set_target(k)
        return made[key]

    for k in range(t):
        found = _Minimum(system(RowSystem if by_rows else GramSystem, k), limit)
        if fits_in_triangle(problem) and _is_doubtful(found, problem):
            found = _Minimum(system(TriangleSystem, k), limit, found)
        ended = found.n_iter < limit or found.violation <= _WARNED * found.size
        if ended and _loses_digits(found, problem):
            if isinstance(found.system, TriangleSystem):
                found.refit(found.system.minimiser, limit)
            found.refit(
                partial(_refitted, found.system, partial(free_coef, problem, solve, k)),
                min(limit, found.n_iter + _REFITS),
            )
        if found.size > _LARGE and found.is_worse_than_zero():
            stuck.append(k)
        else:
            coef[k] = found.coef()
            if not found.violation <= _WARNED * found.size:
                stuck.append(k)
        worst = min(worst, found.rcond)
        known = known and found.system.factors
        n_iter[k] = max(1, found.n_iter)
    message = None
    if stuck:
        some = ", ".join(map(str, stuck[:5])) + ("..." if len(stuck) > 5 else "")
        message = (
            f"positive=True did not converge for target {some} within max_iter={limit} "
            "iterations: increase max_iter or alpha."
        )
    return Result(coef, problem.centre, "nnls", worst if known else None, n_iter, message)


def _is_doubtful(found: "_Minimum", problem: Problem) -> bool:
    """Return whether the squares that A is made of may have too few digits."""
    if not found.violation <= _DOUBTFUL * found.size:
        return True
    if not problem.design.has_rows:  # the squares are all that is known
        return False
    if isinstance(found.system, RowSystem):
        return found.rcond < _FEW_DIGITS
    few = _FEW_DIGITS if problem.design.shape[1] > _SMALL_ORDER else ACCURATE
    loss = problem.design.gram_loss
    n, p = problem.design.shape
    return found.rcond < loss * few or (loss > _LOSSY and n * p * p <= _FEW_OPERATIONS)


def _loses_digits(found: "_Minimum", problem: Problem) -> bool:
    """Return whether coefficients may have too few digits though the conditions hold."""
    if not problem.design.has_rows or not (found.system.factors and found.system.n_columns):
        return False
    if isinstance(found.system, TriangleSystem):
        return True
    loss = problem.design.gram_loss if isinstance(found.system, GramSystem) else 1.0
    return found.rcond < loss * _REFITTED


def _refitted(
    system: System, coef_of: Callable[[np.ndarray], np.ndarray], index: np.ndarray
) -> np.ndarray:
    """Return the coefficients of the columns F = `index` of the system, in its units."""
    return coef_of(system.columns[index]) / system.y_size * system.unit[index]


class _Minimum:
    """The minimum of one system, from that of another or from zero."""

    v: np.ndarray
    g: np.ndarray
    n_iter: int
    rcond: float
    violation: float  # of the conditions, at most
    size: float  # that of y and of the fit, to which a violation is relative

    def __init__(self, system: System, limit: int, start: "_Minimum | None" = None) -> None:
        self.system, self._limit = system, limit
        system.forget()
        self.n_iter = 0 if start is None else start.n_iter
        self.v = np.zeros(system.n_columns)
        if start is not None and start.is_near():
            self.v = system.from_coef(start.coef())
        elif isinstance(system, TriangleSystem) or (
            isinstance(system, RowSystem) and system.is_wide
        ):
            self.v, steps = start_by_dual(system, limit)
            self.n_iter += steps
        self._evaluate()
        if start is not None or not self.converged():
            self._exchange_sets()
            self._improve()
        self.rcond = start.rcond if start is not None and system.unused else system.rcond

    def coef(self) -> np.ndarray:
        """Return the coefficients in the units of X and y."""
        return self.system.to_coef(self.v)

    def _evaluate(self) -> None:
        """Compute the gradient at v, and the violation of the conditions."""
        self.g = self.system.gradient(self.v)
        self.size = 1.0 + float(self.v.sum())
        self.violation = float(np.where(self.v > 0.0, np.abs(self.g), self.g).max(initial=0.0))

    def converged(self) -> bool:
        """Return whether the conditions hold to rounding."""
        return self.violation <= 4.0 * _EPS * self.size

    def is_near(self) -> bool:
        """Return whether another system may start from here."""
        return self.violation <= _WARNED * self.size and self.size <= 1.0 / ACCURATE

    def is_worse_than_zero(self) -> bool:
        """Return whether q is larger than with all coefficients at zero."""
        return self.system.lowers(np.zeros_like(self.v), self.v, self.g)

    def _exchange_sets(self) -> None:
        """Free all coefficients that break a condition and fix all that are negative, at once."""
        best, left = len(self.v) + 1, _EXCHANGES
        free = (self.v > 0.0) | (self.g > 4.0 * _EPS * self.size)
        v, g = self.v, self.g
        while self.n_iter < self._limit:
            self.n_iter += 1
            index = np.flatnonzero(free)
            v = np.zeros_like(v)
            v[index] = self.system.minimiser(index)
            g = self.system.gradient(v)
            for _ in range(0 if self.system.rcond > ACCURATE else _REFINEMENTS):
                v[index] += self.system.newton(index, v, g)
                g = self.system.gradient(v)
            rounding = 4.0 * _EPS * (1.0 + np.abs(v).sum())
            negative, wanted = free & (v < 0.0), ~free & (g > rounding)
            count = int(np.count_nonzero(negative) + np.count_nonzero(wanted))
            if not np.isfinite(v).all():
                return
            if count == 0:
                self.v = v
                self._evaluate()
                return
            left = _EXCHANGES if count < best else left - 1
            best = min(best, count)
            if left < 0:
                break
            free = (free & ~negative) | wanted
        start = np.maximum(v, 0.0)
        if self.system.lowers(start, self.v, self.g):
            self.v = start
            self._evaluate()

    def _improve(self) -> None:
        """Take steps that lower q, until the conditions hold or rounding hides any progress."""
        least, best, failures = self.violation, self.v, 0
        while not self.converged() and self.n_iter < self._limit and failures < _FAILURES:
            self.n_iter += 1
            moved = self._projected_step()
            if moved:
                self._evaluate()
            failures = 0 if self.violation < 0.5 * least else failures + 1
            if self.violation < least:
                least, best = self.violation, self.v
            if not moved:
                break
        if least < self.violation:
            self.v = best
            self._evaluate()
        if self.violation > _DOUBTFUL * self.size:
            self._enter_one_by_one()

    def _projected_step(self) -> bool:
        index = np.flatnonzero((self.v > 0.0) | (self.g > 0.0))
        step = np.zeros_like(self.v)
        step[index] = self.system.newton(index, self.v, self.g)
        promised = float(self.g[index] @ step[index])
        length = 1.0
        for _ in range(_HALVINGS):
            v = np.maximum(self.v + length * step, 0.0)
            change = v - self.v
            gain = float(self.g @ change) - 0.5 * self.system.curvature(change)
            if gain > _ENOUGH * length * promised > 0.0:
                self.v = v
                return True
            length *= 0.5
        return False

    def _enter_one_by_one(self) -> None:
        """Take Lawson and Hanson's steps, from the support as it is."""
        refused = np.zeros(len(self.v), dtype=bool)
        settled = False
        while not self.converged() and self.n_iter < self._limit:
            self.n_iter += 1
            inside = self.v > 0.0
            enters = -1
            if settled:
                entering = np.where(inside | refused, 0.0, self.g)
                enters = int(entering.argmax())
                if not entering[enters] > 4.0 * _EPS * self.size:
                    return
                inside[enters] = True
            index = np.flatnonzero(inside)
            step = self.system.newton(index, self.v, self.g)
            if enters >= 0 and not step[np.searchsorted(index, enters)] > 0.0:
                refused[enters] = True  # rounding
                continue
            settled = self._step_to_border(index, step)
            before = self.violation
            self._evaluate()
            if not settled or self.violation < before:
                refused[:] = False

    def _step_to_border(self, index: np.ndarray, step: np.ndarray) -> bool:
        """Go along `step` until a coefficient is zero; whether none gets there."""
        v = self.v[index]
        down = np.flatnonzero(v + step < 0.0)
        length, ends = 1.0, down[:0]
        if len(down):
            ratios = v[down] / -step[down]
            length = float(ratios.min())
            ends = down[ratios <= length]
        v = np.maximum(v + length * step, 0.0)
        v[ends] = 0.0
        self.v = self.v.copy()
        self.v[index] = v
        return not len(ends)

    def refit(self, minimiser: Callable[[np.ndarray], np.ndarray], limit: int) -> None:
        """Take Lawson and Hanson's steps to `minimiser`, which gives v of a set without bounds."""
        v, g = self.v, self.g
        refused = np.zeros(len(v), dtype=bool)
        enters, tried = -1, False
        while True:
            settled = self._refit_once(minimiser, enters, refused)
            enters = -1
            if settled:
                if self.size > _LARGE and not tried:
                    tried = True
                    self._refit_undecided(minimiser)
                entering = np.where((self.v > 0.0) | refused, -np.inf, self.g)
                enters = int(entering.argmax())
                rounding = 4.0 * _EPS * self.size
                if abs(entering[enters]) <= rounding and self.size > _LARGE:
                    refused[enters] = True  # after this once
                elif not entering[enters] > rounding:
                    break
            if self.n_iter >= limit:
                break
        if settled and self.violation <= _WARNED * self.size:
            return
        if not self.system.lowers(self.v, v, g):
            self.v = v
            self._evaluate()

    def _refit_once(
        self, minimiser: Callable[[np.ndarray], np.ndarray], enters: int, refused: np.ndarray
    ) -> bool:
        """Return whether `minimiser` is positive for all of v > 0 and `enters`."""
        inside = self.v > 0.0
        if enters >= 0:
            inside[enters] = True
        index = np.flatnonzero(inside)
        if not len(index):
            return True
        self.n_iter += 1
        found = minimiser(index)
        if not np.isfinite(found).all():
            refused[:] = True
            return True
        if enters >= 0 and not found[np.searchsorted(index, enters)] > 0.0:
            refused[enters] = True  # rounding
            return True
        settled = self._step_to_border(index, found - self.v[index])
        if settled:
            self.v[index] = np.maximum(found, 0.0)
        self._evaluate()
        return settled

    def _refit_undecided(self, minimiser: Callable[[np.ndarray], np.ndarray]) -> None:
        """Free all that have a gradient of rounding, if all of them become positive."""
        index = np.flatnonzero((self.v > 0.0) | (self.g > -4.0 * _EPS * self.size))
        if len(index) > np.count_nonzero(self.v):
            found = minimiser(index)
            if found.min() > 0.0 and np.isfinite(found).all():
                self.v = np.zeros_like(self.v)
                self.v[index] = found
                self._evaluate()
