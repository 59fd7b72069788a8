"""The elastic net at decreasing penalties, each certified by its duality gap.

At each alpha the columns that the sequential strong rule keeps (Tibshirani et al., "Strong rules
for discarding predictors in lasso-type problems", JRSS B 74, 2012) join the working set; descent
on its Gram; one correlation of all columns with the residual to find those that were wrongly left
out, and the gap of the whole problem.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastridge._kernels import descent
from fastridge.penalties.elastic_net import Penalty, largest_alpha
from fastridge.solvers.coordinate_descent.gram_sources import Steps
from fastridge.solvers.coordinate_descent.residual import ResidualSet
from fastridge.solvers.coordinate_descent.working_set import (
    COEF,
    GRADIENT,
    LOWER,
    SQUARE,
    UPPER,
    outer_state,
    set_alpha,
)

_LARGE, _ROUNDING, _SHARE = 9.0, 9e-16, 3e-8  # as in `duality.pxd`
_PATIENCE = 90  # sweeps over residuals after which a Gram is made, where it may be
_NEAR = 0.9  # a feature whose correlation is this share of its penalty joins at a jump in alpha
_JUMP = 0.3  # the ratio of alphas on the way to a single one
_ROUGH = 1e-2  # the tolerated gap on that way, of |y|^2
_INNER = 0.3  # share of the tolerated gap that the working set may use
_LEAST_INNER = 1e-3
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)  # of |y|^2: no gap is measured finer


class Point(NamedTuple):
    """The solution at one alpha, and its certificate.

    Coefficients are those of `features`, ascending; of the others they are zero.
    """

    alpha: float
    features: np.ndarray
    coef: np.ndarray
    dual_gap: float
    n_iter: int
    status: str  # "converged", "not converged", "no certificate" or "interrupted"
    doubtful: bool = False  # whether rounding may hide more of the gap than that of |y|^2


N_LEADING = 5  # columns of a table before the coefficients of all features: see `descent.follow`


def points_of(table: np.ndarray) -> Iterator[Point]:
    """The rows of a table as points."""
    features = np.arange(table.shape[1] - N_LEADING, dtype=np.int32)
    for row, (alpha, _, gap, sweeps, reached) in zip(
        table, table[:, :N_LEADING].tolist(), strict=True
    ):
        status = "converged" if reached % 2.0 else "not converged"
        yield Point(alpha, features, row[N_LEADING:], gap, int(sweeps), status, reached >= 2.0)


def tolerance_of(tol: float) -> float:
    """The tolerated gap, of |y|^2."""
    return max(tol, _ROUNDING)


def _way_to(first: float, largest: float) -> list[float]:
    """Alphas on the way to a first one far below the largest."""
    way = []
    alpha = largest * _JUMP
    while alpha * _JUMP**0.5 > first and alpha > largest * 1e-12:
        way.append(alpha)
        alpha *= _JUMP
    return way


def path_steps(
    source: Any,
    penalty: Penalty,
    alphas: Sequence[float] | np.ndarray,
    *,
    tol: float,
    max_iter: int,
    points: list[Point],
    coef_init: np.ndarray | None = None,
    gradient_out: np.ndarray | None = None,
    tables: list[np.ndarray] | None = None,
) -> Steps:
    """Append the solution at each of the decreasing `alphas` to `points`.

    A generator: it yields what it wants multiplied by all columns and is sent the products, or
    yields None after a slice of work. Stops at a gap of ``tol |y|^2 / n`` at each alpha. Closed
    or interrupted, it appends what it has reached. The last correlations go to `gradient_out`,
    in units of the source.
    Where a working set holds all columns, `tables`, if given, gets the whole path as one array of
    certificates and coefficients, and `points` nothing.
    """
    path = _Path(source, penalty, max_iter)
    tolerance = tolerance_of(tol) * source.target_square
    rough = max(tolerance, _ROUGH * source.target_square)
    way: list[float] = []
    try:
        yield from path.begin()
        if coef_init is not None and coef_init.any():
            yield from path.begin_at(coef_init)
        elif len(alphas):
            way = _way_to(alphas[0], path.before)
        if source.whole:
            plan = np.array([*way, *alphas])
            tolerances = np.full(len(plan), tolerance)
            tolerances[: len(way)] = rough
            table = yield from path.follow(plan, tolerances)
            if source.unit != 1.0:
                table[:, N_LEADING:] *= source.unit
            if source.gap_unit != 1.0:
                table[:, 2] *= source.gap_unit
            if tables is None:
                points.extend(points_of(table[len(way) :]))
            else:
                tables.append(table[len(way) :])
        else:
            for alpha in way:
                yield from path.solve(alpha, rough)
            first = len(points)
            for alpha in alphas:
                gap, status = yield from path.solve(float(alpha), tolerance)
                points.append(path.point(gap, status))
            path.mark(points, first)
    except BaseException:
        # whatever was measured last may be of some columns, or of an alpha on the way
        points.append(path.point(np.inf, "interrupted"))
        raise
    if gradient_out is not None:
        yield from path.refresh()
        gradient_out[:] = path.outer[GRADIENT]
    if source.whole:
        source.take_back(path.working)


class _Path:
    """What goes from one alpha to the next."""

    def __init__(self, source: Any, penalty: Penalty, max_iter: int) -> None:
        self.source, self.max_iter = source, max_iter
        self.penalty = penalty.in_units(source.sum_weights, source.unit)
        self.outer = outer_state(source, self.penalty)
        self.working: Any = source.working_set()
        self.before = largest_alpha(self.penalty, source.xy)  # the alpha that the gradient is of
        self._inside = np.zeros(len(source.xy), dtype=bool)
        self._patient = True  # with sweeps over residuals

    def begin(self) -> Steps:
        """Take in all columns where they are few, else those without an l1 penalty."""
        always = np.ones_like(self._inside) if self.source.whole else self.penalty.l1 == 0.0
        yield from self._join(np.flatnonzero(always))

    def point(self, gap: float, status: str) -> Point:
        """The present coefficients, and a gap that is in units of the source."""
        working, source = self.working, self.source
        support = np.flatnonzero(working.coef)
        features, coef = working.chosen[support], working.coef[support] * source.unit
        doubtful = self.penalty.limited and descent.hides(self.outer, source.target_square)
        gap *= source.gap_unit
        return Point(self.before, features, coef, gap, working.sweeps, status, doubtful)

    def mark(self, points: list[Point], first: int) -> None:
        """Mark the points from `first` on of which rounding may hide more than that of |y|^2.

        As `doubtful` in `duality.pxd`, for all of them together; lengths of columns that are not
        in use are zero in the state.
        """
        some = points[first:]
        if self.penalty.limited or not some:
            return
        counts = [len(point.features) for point in some]
        length, l1 = np.sqrt(self.outer[SQUARE]), self.penalty.l1
        terms = np.concatenate([point.coef for point in some]) / self.source.unit
        terms = np.abs(terms) * length[np.concatenate([point.features for point in some])]
        target = self.source.target_square**0.5
        size = target + np.bincount(np.repeat(np.arange(len(some)), counts), terms, len(some))
        loosest = np.divide(length, l1, out=np.zeros_like(length), where=l1 > 0.0).max(initial=0.0)
        alphas = np.array([point.alpha for point in some])
        doubtful = ~(size <= _LARGE * target) | (_ROUNDING * size * loosest > _SHARE * alphas)
        for k in np.flatnonzero(doubtful):
            points[first + k] = some[k]._replace(doubtful=True)

    def _join(self, features: np.ndarray) -> Steps:
        if not len(features):
            return
        if self.working.gram is not None and self.source.outgrown(
            self.working.size + len(features), self._patient
        ):
            self.working = ResidualSet(self.working, self.source)
        working = self.working
        features = features.astype(np.int32)
        yield from working.reserve(working.size + len(features))
        step = self.source.columns_at_once(working.size + len(features))
        for begin in range(0, len(features), step):
            some = features[begin : begin + step]
            working.features[working.size : working.size + len(some)] = some
            self.source.take(working, some)
            square = self.outer[SQUARE, some] = self.source.square[some]
            if not self.source.whole and not square.min() > 0.0:
                # constant but for rounding: they stay at zero
                self.outer[LOWER : UPPER + 1, some[square <= 0.0]] = 0.0
            working.add(some, self.outer)
            self._inside[some] = True
            if len(features) > step:
                yield None

    def _most_sweeps(self) -> int:
        """After how many sweeps to give up, or to see whether a Gram gets on."""
        if self.working.gram is None and self.source.outgrown(self.working.size, False):
            return self.max_iter
        return min(self.max_iter, _PATIENCE) if self.working.gram is None else self.max_iter

    def _make_gram(self) -> Steps:
        """Go over to a working set with a Gram, whatever its share of memory."""
        self._patient = False
        features = self.working.chosen.copy()
        self.working = self.source.working_set()
        self._inside[features] = False
        yield from self._join(features)

    def begin_at(self, coef: np.ndarray) -> Steps:
        """Start from given coefficients."""
        support = np.flatnonzero(coef)
        yield from self._join(support[~self._inside[support]])
        chosen = self.working.chosen
        lower, upper = self.outer[LOWER, chosen], self.outer[UPPER, chosen]
        self.working.coef[:] = np.clip(coef[chosen] / self.source.unit, lower, upper)
        yield from self.refresh()

    def refresh(self) -> Steps:
        """Correlations of all columns with the residual of the present coefficients."""
        working, outer = self.working, self.outer
        yield from self.source.gradient(working, outer[GRADIENT])
        outer[COEF, working.chosen] = working.coef
        working.state[GRADIENT, : working.size] = outer[GRADIENT, working.chosen]

    def _screen(self, threshold: float) -> Any:
        """Take in features whose correlation reaches `threshold` times their penalty."""
        gradient, penalty = self.outer[GRADIENT], self.penalty
        keep = np.abs(gradient) >= threshold * penalty.l1
        keep &= ~self._inside
        if penalty.limited:
            keep &= np.where(gradient > 0.0, penalty.upper, -penalty.lower) > 0.0
        features = np.flatnonzero(keep)
        yield from self._join(features)
        return len(features) > 0

    def follow(self, alphas: np.ndarray, tolerances: np.ndarray) -> Any:
        """Go along all alphas with a set of all columns; returns a table."""
        working = self.working
        table = np.zeros((len(alphas), N_LEADING + working.size))
        table[:, 0], table[:, 1] = alphas, tolerances
        working.begin_path(self.penalty)
        while not working.follow(table, self.max_iter):
            yield None
        yield None
        return table

    def solve(self, alpha: float, tolerance: float) -> Any:
        """Descend at one alpha, screening columns; returns the gap and a status."""
        outer = self.outer
        set_alpha(outer, self.penalty, alpha)
        yield from self._screen(max(2.0 * alpha - self.before, _NEAR * alpha))
        working = self.working  # screening may have changed it
        self.before = alpha
        working.start(outer)
        inner = _INNER * tolerance
        best_dual = -np.inf
        while True:
            most = self._most_sweeps()
            while not working.descend(inner, most) and working.sweeps < most:
                yield None
            yield from self.refresh()
            if working.sweeps >= most < self.max_iter:
                yield from self._make_gram()
                working = self.working
                working.start(outer)
                continue
            primal, dual = descent.duality(outer, self.source.target_square)
            best_dual = max(best_dual, dual)
            gap = max(0.0, primal - best_dual)
            if gap <= tolerance:
                return gap, "converged"
            if working.sweeps >= self.max_iter:
                return gap, "not converged"
            if (yield from self._screen(alpha)):
                if working is not self.working:
                    working = self.working
                    working.start(outer)
                working.start_again()
            elif inner > _LEAST_INNER * tolerance:
                inner *= 0.1
            else:
                return gap, "not converged"
