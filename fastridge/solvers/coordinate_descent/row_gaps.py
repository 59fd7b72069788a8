"""Gaps from the rows, where the rounding of a Gram hides them, and coefficients that close them.

With A the rows, or their triangle, and g_j the penalty and bounds of w_j, any theta gives

    P(w) - min P <= |b - A w - theta|^2 / 2 + sum_j g_j(w_j) + g_j^*(z_j) - w_j z_j,  z = A'theta

where no term is negative. theta is the residual of the least-squares problem of the support with
its signs, by singular values of its columns; and what rounding may hide in it is added. Directions
within rounding of no length are left out.
"""

from typing import NamedTuple

import numpy as np

from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.elastic_net import Penalty
from fastridge.runtime.threads import call_lapack, product
from fastridge.solvers.direct.triangle import triangle
from fastridge.solvers.problem import Problem

_EPS = float(np.finfo(np.float64).eps)
_REFINEMENTS = 2
_VALUES = 1 << 24  # of the rows or their triangle
_WORK = 1e11  # multiplications that these may take
_SOLVED_WORK = 1e10  # multiplications that solutions on supports may take, for all points


class Reduced(NamedTuple):
    """Columns and targets with the products of the centred, weighted rows."""

    columns: np.ndarray  # (n_rows, n_features)
    targets: np.ndarray  # (n_rows, n_targets)
    work: list[float]  # multiplications that solutions on supports have taken


def reduced(problem: Problem, units: np.ndarray) -> Reduced | None:
    """Reduce the rows, with targets in these units; None where that takes too much."""
    if not problem.design.has_rows:
        return None
    n, p = problem.design.n_counted, problem.design.shape[1]
    m = min(n, p)
    if m * p > _VALUES or float(n) * p * m > _WORK:
        return None
    counted = problem.design.counted
    design = problem.design.with_statistics(None)
    if not isinstance(counted, slice):
        design = design.rows(counted)
    some = Problem(design, SquaredLoss(problem.loss.Y[counted] / units), problem.penalty)
    if n >= p:
        return Reduced(*triangle(some), [0.0])
    root = np.ones(n) if design.root is None else design.root
    columns = design.centred_columns(np.arange(p), root)
    return Reduced(columns, (some.loss.Y - some.y_centre) * root[:, None], [0.0])


class _Factor:
    """Singular values of the support's columns over the root of their l2, at unit lengths."""

    def __init__(self, columns: np.ndarray, l2: np.ndarray) -> None:
        self.n_rows = len(columns)
        root = np.sqrt(l2)
        A = np.vstack([columns, np.diag(root)]) if root.any() else columns
        self._root = root if root.any() else None
        self.length = np.sqrt((A * A).sum(axis=0))
        U, values, V = call_lapack(
            min(A.shape), np.linalg.svd, A / self.length, full_matrices=False
        )
        kept = values > max(A.shape) * _EPS * values.max(initial=0.0)
        self._U, self.values, self._V = U[:, kept], values[kept], V[kept]
        self.least = float(self.values.min(initial=1.0))

    def along(
        self, residual: np.ndarray, coef: np.ndarray, signed_l1: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the residual of rows and penalty, and the part that a step would remove."""
        if self._root is not None:
            residual = np.concatenate([residual, -self._root * coef])
        share = self._U.T @ residual - self._V @ (signed_l1 / self.length) / self.values
        return residual, share

    def fitted(self, share: np.ndarray) -> np.ndarray:
        return self._U @ share

    def correlated(self, residual: np.ndarray, of_rows: np.ndarray) -> np.ndarray:
        """Return the correlations of rows and penalty, given those of the rows."""
        if self._root is None:
            return of_rows
        return of_rows + self._root * residual[-len(self._root) :]

    def short_of(self, lack: np.ndarray) -> np.ndarray:
        """Return the component by which correlations that lack so much are short."""
        found: np.ndarray = self._V @ (lack / self.length) / self.values
        return found

    def step(self, share: np.ndarray) -> np.ndarray:
        """Return the step of the coefficients that removes this component."""
        found: np.ndarray = self._V.T @ (share / self.values) / self.length
        return found


class RowGap:
    """Gaps of one target and penalty, which is that on sums over the rows.

    Parameters
    ----------
    rows : Reduced
    target : int
    penalty : Penalty
    size : float
        ``|y|``; the target may be a component of y.
    """

    def __init__(self, rows: Reduced, target: int, penalty: Penalty, size: float) -> None:
        columns, self._work = rows.columns, rows.work
        length = np.sqrt((columns * columns).sum(axis=0))
        self._used = (length > 0.0) & (penalty.upper > penalty.lower)
        self._A, self._b, self._size = columns[:, self._used], rows.targets[:, target], size
        self._length = length[self._used]
        self._l1, self._l2 = penalty.l1[self._used], penalty.l2[self._used]
        self._lower, self._upper = penalty.lower[self._used], penalty.upper[self._used]

    def gap(self, coef: np.ndarray) -> float:
        """Return a bound on how far the objective of coefficients is above its minimum."""
        w = coef[self._used]
        z = self._b - self._A @ w
        hidden = 8.0 * _EPS * (self._size + float(self._length @ np.abs(w)))
        free = np.flatnonzero(self._free(w))
        if not len(free):
            return self._gap_at(w, z, z, self._A.T @ z, hidden)
        if float(len(z)) * len(free) ** 2 > _WORK:
            return np.inf
        factor = _Factor(self._A[:, free], self._l2[free])
        signed = self._l1[free] * np.sign(w[free])
        residual, share = factor.along(z, w[free], signed)
        residual = residual - factor.fitted(share)
        u = self._A.T @ residual[: len(z)]
        for _ in range(_REFINEMENTS):  # what rounding has left of the support's correlations
            lack = signed - factor.correlated(residual, u[free])
            residual = residual + factor.fitted(factor.short_of(lack))
            u = self._A.T @ residual[: len(z)]
        theta = residual[: len(z)]
        lost = 8.0 * _EPS / factor.least  # of the directions of the support, in their length
        hidden += lost * float(np.linalg.norm(theta))
        others = self._gap_at(w, z, z, self._A.T @ z, hidden)
        return (1.0 + 16.0 * lost) * min(others, self._gap_at(w, z, theta, u, hidden))

    def _free(self, w: np.ndarray) -> np.ndarray:
        inside = (w > self._lower) & (w < self._upper)
        free: np.ndarray = inside & ((w != 0.0) | (self._l1 == 0.0))
        return free

    def _rounding(self, theta: np.ndarray) -> np.ndarray:
        """Return a bound on the rounding error of each column's product with `theta`."""
        return 4.0 * _EPS * float(np.linalg.norm(theta)) * self._length

    def _gap_at(
        self, w: np.ndarray, z: np.ndarray, theta: np.ndarray, u: np.ndarray, hidden: float
    ) -> float:
        l1, l2 = self._l1, self._l2
        excess = np.abs(u) - l1
        beyond = excess > self._rounding(theta)
        limit = np.where(u > 0.0, self._upper, self._lower)
        infinite = beyond & (l2 == 0.0) & np.isinf(limit)
        scale = float((l1[infinite] / np.abs(u[infinite])).min(initial=1.0))
        found = np.inf
        for s in {scale, 0.0}:
            v = s * u
            excess = np.abs(v) - l1
            # where the penalty minus v w is least
            lowest = np.where(
                l2 > 0.0,
                np.maximum(excess, 0.0) / np.where(l2 > 0.0, l2, 1.0) * np.sign(v),
                np.where(beyond & (excess > 0.0) & ~np.isinf(limit), limit, 0.0),
            )
            lowest = np.clip(lowest, self._lower, self._upper)
            terms = l1 * (np.abs(w) - np.abs(lowest)) - (w - lowest) * v
            terms += 0.5 * l2 * (w - lowest) * (w + lowest)
            gap = 0.5 * (float(np.linalg.norm(z - s * theta)) + hidden) ** 2
            found = min(found, gap + float(np.maximum(terms, 0.0).sum()))
        return found

    def solved(self, coef: np.ndarray) -> np.ndarray:
        """Return better coefficients, by steps to the solution on their support.

        A step ends where a coefficient reaches zero or a bound, which it then keeps; at the
        solution the feature that violates its condition most enters.
        """
        out = coef.copy()
        w = np.clip(coef[self._used], self._lower, self._upper)
        free, sign = self._free(w), np.sign(w)
        again = 0
        for _ in range(4 * len(w) + 16):
            members = np.flatnonzero(free)
            self._work[0] += 8.0 * (len(self._b) + len(members)) * float(len(members)) ** 2
            if self._work[0] > _SOLVED_WORK:
                break
            if len(members) and self._step(w, members, free, sign):
                continue
            again += 1  # at the solution; once more for what rounding left of it
            if again % 2 and len(members):
                continue
            if not self._enter(w, free, sign):
                break
        out[self._used] = w
        return out

    def _step(self, w: np.ndarray, members: np.ndarray, free: np.ndarray, sign: np.ndarray) -> bool:
        """Go towards the solution of these features; True where one of them has to leave."""
        factor = _Factor(self._A[:, members], self._l2[members])
        signed = self._l1[members] * sign[members]
        move = factor.step(factor.along(self._b - product(self._A, w), w[members], signed)[1])
        low = np.where(signed > 0.0, np.maximum(self._lower[members], 0.0), self._lower[members])
        high = np.where(signed < 0.0, np.minimum(self._upper[members], 0.0), self._upper[members])
        now, goal = w[members], w[members] + move
        border = np.clip(goal, low, high)
        share = np.ones(len(members))
        out = border != goal
        share[out] = (border[out] - now[out]) / move[out]
        first = int(share.argmin())
        if not out[first]:
            w[members] = goal
            return False
        w[members] = np.clip(now + share[first] * move, low, high)
        w[members[first]] = border[first]
        free[members[first]] = False
        return True

    def _enter(self, w: np.ndarray, free: np.ndarray, sign: np.ndarray) -> bool:
        """Free the feature that violates its condition most; False where none does."""
        z = self._b - product(self._A, w)
        u = self._A.T @ z - self._l2 * w
        rounding = self._rounding(z)
        # the decrease of the objective for a step up, and for one down
        up = np.where(w < self._upper, u - np.where(w < 0.0, -self._l1, self._l1), -np.inf)
        down = np.where(w > self._lower, -u - np.where(w > 0.0, -self._l1, self._l1), -np.inf)
        most = np.where(free, -np.inf, np.maximum(up, down) - rounding) / self._length
        first = int(most.argmax())
        if not most[first] > 0.0:
            return False
        free[first] = True
        way = 1.0 if up[first] > down[first] else -1.0
        sign[first] = np.sign(w[first]) if w[first] != 0.0 else way
        return True
