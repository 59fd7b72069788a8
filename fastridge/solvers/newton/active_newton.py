"""Proximal Newton steps with an L1 penalty, on the features that may have coefficients.

The loss is replaced by its expansion to second order, and coordinate descent minimises it with the
penalty (Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions",
2014). The unknowns are pairs of a feature and a linear predictor: one in all, or one of each class.
Those that the strong rule keeps are in use (Tibshirani et al., "Strong rules for discarding
predictors in lasso-type problems", 2012); their Hessian is kept from one penalty to the next while
it serves. Then the gradients of all features show which were wrongly left out, and certify the
minimum.
"""

from typing import Any

import numpy as np

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.penalties.elastic_net import Bounds
from fastridge.solvers.newton.columns_in_use import SparseColumns, columns_of
from fastridge.solvers.newton.iterate import (
    MOST_HALVINGS,
    Weights,
    goal_of,
    is_rounding,
    low_enough,
)
from fastridge.solvers.newton.losses_at_rows import expand, least_value, null_intercept
from fastridge.solvers.newton.model_net import ModelNet, RowsNet
from fastridge.solvers.newton.problem import NewtonResult, not_converged
from fastridge.solvers.newton.screening import Screen

_JUMP = 0.3  # the ratio of penalties on the way to one far below
_WAY_TOL = 1e-2
_NEAR = 0.9  # a feature whose gradient is this share of its penalty joins at a jump
_INNER = 0.05  # of the decrement before, the gap that coordinate descent may leave
_FIRST_INNER = 1e-3
_KEPT = 0.1  # of a decrement: if a step with an old Hessian leaves more, a new one is made
_CHEAP = 4e6  # multiplications of a Hessian
_MOST_GRAM = 600  # sparse columns of a Gram matrix
_MOST_GRAM_SLOW = 4000  # the same where sweeps over residuals converge slowly
_PATIENCE = 200  # such sweeps in a step
_MOST_PAIRS = 3000  # of classes and features with a common Hessian
_JOINED = 100  # pairs may join at once, or as many as there are
_BALANCED = 1e-9  # of the derivatives of the losses, what their sum may be
_MANY = 0.5  # of these: with more, others are expected to follow
_STEPS_ON_WAY = 10  # that `max_iter` must allow for each penalty on the way, and twice what it gets
_CLOSER = 3  # tenths of the tolerance that are tried for a gap
_KEPT_CHEAP = 1e-3


class ActiveNewton:
    """Minima of a loss with an L1 penalty, at one penalty after the other.

    Parameters
    ----------
    design : Design
    loss : LossOfRows or ClassesOfRows
    start : Weights, optional
        None is the null model.
    bounds : Bounds, optional
        Of the features, or with a row for each class.
    tol, max_iter
        See `solve`.
    """

    def __init__(
        self,
        design: Design,
        loss: LossOfRows | ClassesOfRows,
        start: Weights | None = None,
        *,
        bounds: Bounds | None = None,
        tol: float,
        max_iter: int,
    ) -> None:
        self.design, self.loss, self.tol, self.max_iter = design, loss, tol, max_iter
        self.K = loss.n_classes if isinstance(loss, ClassesOfRows) else 1
        lower, upper = (-np.inf, np.inf) if bounds is None else bounds
        self._lower, self._upper = np.full((2, self.K, design.shape[1]), [[[-np.inf]], [[np.inf]]])
        self._lower[:], self._upper[:] = lower, upper
        self._limited = bounds is not None
        self._least = least_value(loss, design)
        self.columns = columns_of(design)
        self.screen = Screen(design, self.columns)
        p = design.shape[1]
        self._place = np.full(p, -1)  # of each feature among the columns in use
        self._inside = np.zeros((self.K, p), dtype=bool)
        self.features = np.empty(0, dtype=np.intp)
        self.classes = np.empty(0, dtype=np.intp)
        self.net = ModelNet()
        self._curvatures: Any = None  # those of the Hessian
        self._given = start
        self.n_hessians = self.n_evaluations = 0
        self._begun, self._patient = False, True

    # ---- points ----

    def _begin(self) -> None:
        start, design, K = self._given, self.design, self.K
        table = np.zeros((K, design.shape[1])) if start is None else start.coef.reshape(K, -1)
        if self._limited:
            table = np.clip(table, self._lower, self._upper)
        self._join(table != 0.0)
        coef = table[self.classes, self.features]
        if start is None:
            intercept = null_intercept(self.loss, design)
        else:
            intercept = np.atleast_1d(start.intercept) + table @ design.centre
        self.here = self._at(coef, np.zeros(K) + intercept)
        self._begun = True

    def _at(self, coef: np.ndarray, intercept: np.ndarray) -> "_Point":
        table = np.zeros((self.K, len(self.columns.features)))
        table[self.classes, self._place[self.features]] = coef
        eta = self.columns.predict(table)
        eta += intercept[:, None]
        return self._point(coef, intercept, eta)

    def _point(self, coef: np.ndarray, intercept: np.ndarray, eta: np.ndarray) -> "_Point":
        """Return the point with these linear predictors, at the best intercepts near these."""
        self.n_evaluations += 1
        found = expand(self.loss, self.design, eta)
        if self.design.fit_intercept:
            for _ in range(3):
                size = np.abs(found.derivative).sum(axis=1)
                if (np.abs(found.totals) <= _BALANCED * size).all():
                    break
                step = -found.intercept_step()
                there = expand(self.loss, self.design, eta + step[:, None])
                if not there.value <= found.value:
                    break
                eta = eta + step[:, None]
                intercept, found = intercept + step, there
        gradient = self.columns.correlate(found.derivative)
        gradient = gradient[self.classes, self._place[self.features]]
        return _Point(coef, intercept, eta, found, gradient)

    def _objective(self, value: float, coef: np.ndarray) -> float:
        l1, l2 = self._penalty
        return value + float(l1 @ np.abs(coef) + 0.5 * (l2 @ coef**2))

    # ---- unknowns in use ----

    def _join(self, wanted: np.ndarray) -> bool:
        """Take in pairs that are True in a table (n_predictors, n_features)."""
        wanted = wanted & ~self._inside
        classes, features = np.nonzero(wanted)
        if not len(features):
            return False
        self._inside |= wanted
        new = np.flatnonzero((self._place < 0) & wanted.any(axis=0))
        self._place[new] = len(self.columns.features) + np.arange(len(new))
        self.columns.take(new)
        self.classes = np.append(self.classes, classes)
        self.features = np.append(self.features, features)
        if self._begun:
            here, m = self.here, len(features)
            coef = np.append(here.coef, np.zeros(m))
            gradient = self.columns.correlate(here.found.derivative)
            gradient = gradient[self.classes, self._place[self.features]]
            sizes, enough = here.sizes, here.enough
            self.here = _Point(coef, here.intercept, here.eta, here.found, gradient)
            self.here.sizes, self.here.enough = sizes, enough
        return True

    def _set_penalty(self) -> None:
        l1, l2 = self._all_penalties
        here = self.classes, self.features
        self._penalty = l1[self.features], l2[self.features]
        self._bounds = self._lower[here], self._upper[here]

    # ---- the path ----

    def to(self, l1: np.ndarray | None, l2: np.ndarray) -> NewtonResult:
        """Return the minimum with these penalties of each feature; None is no L1 penalty."""
        l1 = np.zeros_like(l2) if l1 is None else l1
        if not self._begun:
            self._begin()
        self._all_penalties = l1, l2
        self._n_iter = 0
        free = ((l1 == 0.0) | (self._lower > 0.0) | (self._upper < 0.0)) & ~self.screen.constant
        if free.any():
            self._join(free)
        reached = self._reached(l1)
        way: list[float] = []
        while reached * _JUMP > 1.0 / _JUMP**0.5:
            reached *= _JUMP
            way.append(reached)
        for factor in way[-self.max_iter // _STEPS_ON_WAY :]:
            self._all_penalties = l1 * factor, l2 * factor
            self._stop = min(self.max_iter, self._n_iter + _STEPS_ON_WAY // 2)
            self._minimise(max(self.tol, _WAY_TOL))
        self._all_penalties, self._stop = (l1, l2), self.max_iter
        converged, sizes = self._minimise(self.tol)
        gap, tol = self._gap(sizes, converged=converged), self.tol
        for _ in range(_CLOSER):
            least = self._objective(self.here.found.value, self.here.coef) - self._least
            if not converged or gap is None or gap <= self.tol * abs(least):
                break
            tol *= 0.1
            converged, sizes = self._minimise(tol)
            gap = self._gap(sizes, converged=converged)
        return self._result(converged, gap)

    def _reached(self, l1: np.ndarray) -> float:
        """Return the largest gradient as a multiple of its penalty; 1 where none is above it."""
        with np.errstate(all="ignore"):
            sizes = self._sizes(l1)
            return float(np.where(l1 > 0.0, sizes / l1, 0.0).max(initial=1.0))

    def _sizes(self, enough: np.ndarray) -> np.ndarray:
        """Return absolute gradients, or bounds of them where these are below `enough`."""
        here = self.here
        if here.sizes is None or (enough < here.enough).any():
            here.sizes, here.enough = self.screen.read(here.found.derivative, enough), enough
        return here.sizes

    def _minimise(self, tol: float) -> tuple[bool, np.ndarray]:
        """Minimise at the present penalties; return whether that converged, and gradients."""
        l1 = self._all_penalties[0]
        reached = self._reached(l1)
        near = max(_NEAR, 2.0 - reached)
        rough = self._join_largest(self._sizes(near * l1), near * l1)
        next_near = 1.0 if reached > 1.5 else 0.999 * max(_NEAR, 2.0 - reached) / reached
        while True:
            now = max(tol, _WAY_TOL) if rough else tol
            alone = self.K > 1 and len(self.features) > _MOST_PAIRS
            converged = self._by_classes(now) if alone else self._newton(now)
            if not converged:
                return False, self._sizes(l1)
            sizes = self._sizes(next_near * l1)  # enough to begin at the next penalty of a path
            before, many = len(self.features), self._join_largest(sizes, l1)
            if len(self.features) == before and not rough:
                return True, sizes
            rough = many

    def _join_largest(self, sizes: np.ndarray, enough: np.ndarray) -> bool:
        """Take in pairs with gradients above these, the largest first; return whether many are."""
        wanted = (sizes > enough) & (enough > 0.0) & ~self._inside
        n = np.count_nonzero(wanted)
        if not n:
            return False
        most = max(_JOINED, len(self.features))
        if n > most:
            with np.errstate(all="ignore"):
                share = np.where(wanted, sizes / enough, 0.0)
            wanted &= share >= np.partition(share, -most, axis=None)[-most]
        self._join(wanted)
        return bool(n > _MANY * most)

    def _newton(self, tol: float) -> bool:
        """Take steps with the unknowns in use; return whether they converged."""
        self._set_penalty()
        objective = self._objective(self.here.found.value, self.here.coef)
        decrement, fresh, want_new = np.inf, False, False
        for _ in range(1000):
            here = self.here
            size = abs(here.found.value) + abs(self._least)
            least = objective - self._least
            goal = goal_of(least, size, tol)
            rows_net = self._rows_net()
            if rows_net is not None:
                fresh = True
            elif want_new or self._curvatures is None:
                self._renew()
                fresh = True
            elif self.net.size < len(self.features):
                self._extend()
            step, intercept_step, promised = self._step(decrement, goal, rows_net)
            if promised <= goal or (fresh and is_rounding(promised, decrement, size)):
                self.decrement = max(promised, 0.0)
                return True
            if self._n_iter >= self._stop or not promised < np.inf:  # no curvature is left
                self.decrement = float(np.fmin(promised, least))
                return False
            self._n_iter += 1
            there = self._after(step, intercept_step, objective, promised, size)
            if there is None:
                if fresh:
                    self.decrement = promised
                    return promised <= 1e-20 * size
                want_new = True
                continue
            want_new = promised > self._kept() * decrement
            self.here, fresh = there, False
            objective = self._objective(there.found.value, there.coef)
            decrement = promised
        return False

    def _kept(self) -> float:
        work = float(self.design.shape[0]) * len(self.features) ** 2
        return _KEPT if work > _CHEAP else _KEPT_CHEAP

    def _after(
        self,
        step: np.ndarray,
        intercept_step: np.ndarray,
        objective: float,
        promised: float,
        size: float,
    ) -> "_Point | None":
        here = self.here
        there = self._at(here.coef + step, here.intercept + intercept_step)
        lower = self._objective(there.found.value, there.coef)
        if low_enough(lower, objective, promised, size):
            return there
        change = there.eta - here.eta
        for k in range(1, MOST_HALVINGS):
            part = 0.5**k
            coef, eta = here.coef + part * step, here.eta + part * change
            lower = self._objective(expand(self.loss, self.design, eta).value, coef)
            if low_enough(lower, objective, part * promised, size):
                moved = here.intercept + part * (there.intercept - here.intercept)
                return self._point(coef, moved, eta)
        return None

    # ---- the model ----

    def _rows_net(self) -> RowsNet | None:
        """Return the model without a Gram matrix, where that would be large; else None."""
        if self.K > 1 or len(self.features) <= self._most_gram():
            return None
        net, inverse = self._net_of_rows(0, np.arange(len(self.features)))
        self._away, self._inverse = net.away[:, None], np.array([[inverse]])
        self._curvatures = None
        return net

    def _most_gram(self) -> int:
        """Return how many columns may have a Gram matrix."""
        if isinstance(self.columns, SparseColumns):
            return _MOST_GRAM if self._patient else _MOST_GRAM_SLOW
        return max(_MOST_GRAM_SLOW, self.design.shape[0])

    def _net_of_rows(self, k: int, some: np.ndarray) -> tuple[RowsNet, float]:
        """Return the model of some unknowns of a class, and the inverse Hessian of its intercept.

        The others stay.
        """
        h, intercept = self.here.found.curvature_of(k), self.design.fit_intercept
        block, centre = self.columns.sparse_block(self._place[self.features[some]])
        net = RowsNet(block, centre, h, fit_intercept=intercept)
        return net, 1.0 / float(h.sum()) if intercept else 0.0

    def _by_classes(self, tol: float) -> bool:
        """Take steps of one class after the other, where unknowns are too many for one Hessian."""
        self._set_penalty()
        self._curvatures = None
        promised = np.full(self.K, np.inf)
        while True:
            for k in range(self.K):
                here = self.here
                objective = self._objective(here.found.value, here.coef)
                goal, size = goal_of(objective, abs(here.found.value), tol), abs(here.found.value)
                some = np.flatnonzero(self.classes == k)
                net, inverse = self._net_of_rows(k, some)
                step, moved = np.zeros_like(here.coef), np.zeros(self.K)
                penalty = tuple(values[some] for values in (*self._penalty, *self._bounds))
                new = net.minimum(here.coef[some], here.found.derivative[k], penalty, 0.1 * goal)
                step[some] = new - here.coef[some]
                moved[k] = -inverse * here.found.totals[k] - float(step[some] @ net.away)
                gradient = here.gradient.copy()
                gradient[some] -= net.away * here.found.totals[k]
                promised[k] = max(0.0, self._promised(gradient, step))
                if promised[k] > goal / self.K:
                    there = self._after(step, moved, objective, promised[k], size)
                    self.here = here if there is None else there
                    promised[k] *= there is not None
            self.decrement = float(promised.sum())
            if self.decrement <= goal:
                return True
            if self._n_iter >= self._stop:
                return False
            self._n_iter += 1

    def _promised(self, gradient: np.ndarray, step: np.ndarray) -> float:
        """Return the decrease that a step promises to first order, with the whole penalty."""
        (l1, l2), old = self._penalty, self.here.coef
        new = old + step
        penalties = l1 @ (np.abs(new) - np.abs(old)) + 0.5 * (l2 @ (step * (new + old)))
        return -float(gradient @ step + penalties)

    def _step(
        self, before: float, goal: float, rows_net: RowsNet | None
    ) -> tuple[np.ndarray, np.ndarray, float]:
        here = self.here
        found = here.found
        gradient = here.gradient - self._away @ found.totals
        size = found.model_size()
        tolerance = _INNER * min(before, size * _FIRST_INNER)
        tolerance = max(tolerance, 0.1 * goal, 1e-15 * size)
        if rows_net is not None:
            new = rows_net.minimum(
                here.coef, found.derivative[0], (*self._penalty, *self._bounds), 0.1 * goal
            )
            self._patient = rows_net.n_sweeps <= _PATIENCE
        else:
            new = self.net.minimum(
                here.coef, gradient, (*self._penalty, *self._bounds), size, tolerance
            )
        step = new - here.coef
        intercept_step = -(self._inverse @ found.totals) - step @ self._away
        return step, intercept_step, self._promised(gradient, step)

    def _renew(self) -> None:
        self._curvatures = self.here.found.curvatures()
        self._moments = np.empty((0, self.K))
        self.n_hessians += 1
        if self.design.fit_intercept:
            self._inverse = self._curvatures.inverse_totals()
        else:
            self._inverse = np.zeros((self.K, self.K))
        self._extend(0)

    def _extend(self, begin: int | None = None) -> None:
        """Write the rows of the Hessian from one of the unknowns on."""
        begin = self.net.size if begin is None else begin
        slots = self._place[self.features]
        rows, moments = self._curvatures.products(self.columns, slots, self.classes, begin)
        self._moments = np.vstack([self._moments[:begin], moments])
        self._away = self._moments @ self._inverse
        rows -= self._away[begin:] @ self._moments.T
        self.net.set_gram(begin, rows)

    def _result(self, converged: bool, gap: float | None) -> NewtonResult:
        here, K = self.here, self.K
        table = np.zeros((K, self.design.shape[1]))
        table[self.classes, self.features] = here.coef
        table = np.clip(table, self._lower, self._upper)  # a step to a bound may be rounded
        intercept = here.intercept - table @ self.design.centre
        if not self.design.fit_intercept:
            intercept = np.zeros(K)
        least = self._objective(here.found.value, here.coef) - self._least
        several = isinstance(self.loss, ClassesOfRows)
        return NewtonResult(
            table if several else table[0],
            intercept if several else float(intercept[0]),
            least,
            self.decrement,
            gap,
            self._n_iter,
            "newton-cd",
            None,
            None if converged else not_converged(self._n_iter),
        )

    def _gap(self, sizes: np.ndarray, *, converged: bool) -> float | None:
        """Return a bound of the objective less its minimum, by Fenchel's duality.

        The dual point is s times the derivatives of the losses, with the largest s <= 1 that is
        feasible. None where nothing keeps a coefficient finite.
        """
        here, (l1, l2), (lower, upper) = self.here, self._penalty, self._bounds
        with np.errstate(all="ignore"):
            of_all, two = self._all_penalties
            s, others = 1.0, 0.0
            out = np.zeros(0, dtype=bool) if converged else (sizes > of_all) & ~self._inside
            if out.any():  # otherwise the others have no part in the gap
                s = float((of_all / sizes)[out & (two == 0.0)].min(initial=1.0))
                excess = np.where(out & (two > 0.0), s * sizes - of_all, 0.0)
                others = float(
                    (0.5 * np.maximum(excess, 0.0) ** 2 / np.where(two > 0.0, two, 1.0)).sum()
                )
            z = here.gradient
            limit = np.where(z < 0.0, upper, -lower)
            endless = (np.abs(z) > l1) & (l2 == 0.0) & np.isinf(limit)
            endless &= ~self.screen.constant[self.features]
            s = min(s, float((l1 / np.abs(z))[endless].min(initial=1.0)))
            if ((l1 == 0.0) & endless).any():
                return None
            divergence = self.here.found.divergence(s)
            if divergence is None:
                return None
            # where the penalty plus s z w is least
            best = np.sign(-z) * np.maximum(s * np.abs(z) - l1, 0.0)
            best = np.where(l2 > 0.0, best / np.where(l2 > 0.0, l2, 1.0), np.sign(best) * np.inf)
            best = np.where((best == 0.0) | endless, 0.0, best)
            best = np.clip(
                np.nan_to_num(best, nan=0.0, posinf=np.inf, neginf=-np.inf), lower, upper
            )
            now, then = (l1 * np.abs(w) + 0.5 * l2 * w**2 + s * z * w for w in (here.coef, best))
            terms = np.maximum(now - then, 0.0)  # none is negative, but for rounding
            return divergence + float(terms.sum()) + others


class _Point:
    """Coefficients in use and intercepts, the losses there and their gradient."""

    def __init__(
        self,
        coef: np.ndarray,
        intercept: np.ndarray,
        eta: np.ndarray,
        found: Any,
        gradient: np.ndarray,
    ) -> None:
        self.coef, self.intercept, self.eta = coef, intercept, eta
        self.found, self.gradient = found, gradient
        self.sizes: np.ndarray | None = None  # of the gradients of all, where not below `enough`
        self.enough: np.ndarray | None = None
