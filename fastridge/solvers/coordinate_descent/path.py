"""The elastic net at decreasing penalties, each certified by its duality gap.

At each alpha the columns that the sequential strong rule keeps (Tibshirani et al., "Strong rules
for discarding predictors in lasso-type problems", JRSS B 74, 2012) join the working set. Coordinate
descent runs on the working set's Gram matrix. Then the correlations of all columns with the
residual show which columns were wrongly left out, and give the gap of the whole problem.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fastridge._kernels import coordinate_descent
from fastridge._typing import Index
from fastridge.penalties.elastic_net import Penalty, largest_alpha
from fastridge.solvers.coordinate_descent.gram_sources import Source, Steps, StepsTo
from fastridge.solvers.coordinate_descent.residual import ResidualSet
from fastridge.solvers.coordinate_descent.working_set import Coordinates, WorkingSet

_PATIENCE = 90  # iterations over residuals after which a Gram is made, where it may be
_NEAR = 0.9  # a feature whose correlation is this share of its penalty joins at a jump in alpha
_JUMP = 0.3  # the ratio of alphas on the way to a single one
_WAY_ITERATIONS = 4  # for each alpha on that way, which `max_iter` must allow
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


class Table(NamedTuple):
    """A path on a set of all columns."""

    points: np.ndarray  # structured, with the fields of the kernel's `path_point`
    coefs: np.ndarray  # (n_points, n_features)

    def from_point(self, first: int) -> "Table":
        """Return the points from `first` on."""
        return Table(self.points[first:], self.coefs[first:])

    def as_points(self, some: Index = slice(None)) -> Iterator[Point]:
        """Yield some of the points, by default all."""
        features = np.arange(self.coefs.shape[1], dtype=np.int32)
        for coef, (alpha, _, _, gap, n_iter, converged, doubtful) in zip(
            self.coefs[some], self.points[some].tolist(), strict=True
        ):
            status = "converged" if converged else "not converged"
            yield Point(alpha, features, coef, gap, n_iter, status, bool(doubtful))


def tolerance_of(tol: float) -> float:
    """Return the tolerated gap, relative to |y|^2."""
    return max(tol, _ROUNDING)


def _way_to(first: float, largest: float, max_iter: int) -> list[float]:
    """Return alphas between the largest and a first one far below; none if iterations are few."""
    way: list[float] = []
    alpha = largest * _JUMP
    while alpha * _JUMP**0.5 > first and alpha > largest * 1e-12:
        way.append(alpha)
        alpha *= _JUMP
    return way if max_iter >= _WAY_ITERATIONS * len(way) else []


def path_steps(
    source: Source,
    penalty: Penalty,
    alphas: Sequence[float] | np.ndarray,
    *,
    tol: float,
    max_iter: int,
    points: list[Point],
    coef_init: np.ndarray | None = None,
    gradient_out: np.ndarray | None = None,
    tables: list[Table] | None = None,
) -> Steps:
    """Append the solution at each of the decreasing `alphas` to `points`.

    A generator: it yields a vector over the rows and is sent the product of every column with it,
    or it yields None after a slice of work. It stops at a gap of ``tol |y|^2 / n`` at each alpha.
    If it is closed or interrupted, it appends the point that it has reached. The last correlations
    are written to `gradient_out`, in units of the source.
    If `tables` is given and a working set holds all columns, the whole path is appended to it as
    one table, and nothing to `points`.
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
            way = _way_to(alphas[0], path.alpha_reached, max_iter)
        if source.whole:
            plan = np.zeros(len(way) + len(alphas), dtype=coordinate_descent.POINT)
            plan["alpha"], plan["tolerance"] = [*way, *alphas], tolerance
            plan["tolerance"][: len(way)], plan["on_the_way"][: len(way)] = rough, True
            table = yield from path.follow(plan)
            if source.unit != 1.0:
                table.coefs[:] *= source.unit
            if source.gap_unit != 1.0:
                table.points["gap"] *= source.gap_unit
            table = table.from_point(len(way))
            if tables is None:
                points.extend(table.as_points())
            else:
                tables.append(table)
        else:
            for alpha in way:
                yield from path.solve(alpha, rough, max_iter // 2)
                path.keep_count()
            for alpha in alphas:
                gap, status = yield from path.solve(float(alpha), tolerance, max_iter)
                points.append(path.point(gap, status))
                path.n_iter = 0
    except BaseException:
        # whatever was measured last may be of some columns, or of an alpha on the way
        points.append(path.point(np.inf, "interrupted"))
        raise
    if gradient_out is not None:
        yield from path.refresh()
        gradient_out[:] = path.outer.gradient
    if source.whole:
        source.take_back(path.working)


class _Path:
    """The state that is kept from one alpha to the next."""

    def __init__(self, source: Source, penalty: Penalty, max_iter: int) -> None:
        self.source, self.max_iter = source, max_iter
        self.penalty = penalty.in_units(source.sum_weights, source.unit)
        self.outer = Coordinates.of_all(source.xy, source.square, self.penalty)
        self.working: WorkingSet | ResidualSet = source.working_set()
        self.alpha_reached = largest_alpha(self.penalty, source.xy)  # that of the gradient
        self._inside = np.zeros(len(source.xy), dtype=bool)
        self._patient = True  # with iterations over residuals
        self.n_iter = 0  # those that the working set has not counted

    def begin(self) -> Steps:
        """Take in all columns where they are few, else those without an l1 penalty."""
        if self.source.whole:
            assert isinstance(self.working, WorkingSet)
            self.working.add_all(self.outer)
            self._inside[:] = True
        else:
            yield from self._join(np.flatnonzero(self.penalty.l1 == 0.0))

    def point(self, gap: float, status: str) -> Point:
        """Return the present coefficients with a gap in units of the source."""
        working, source = self.working, self.source
        support = np.flatnonzero(working.coef)
        features, coef = working.chosen[support], working.coef[support] * source.unit
        # columns that are not in use have no part in this where their squares are not known
        at, size = (
            (self.outer, len(self._inside)) if source.all_squares else (working.at, working.size)
        )
        doubtful = coordinate_descent.hides(at.rows, size, source.target_square)
        gap *= source.gap_unit
        n_iter = self.n_iter + working.iterations
        return Point(self.alpha_reached, features, coef, gap, n_iter, status, doubtful)

    def _join(self, features: np.ndarray) -> Steps:
        if not len(features):
            return
        working = self.working
        size = working.size + len(features)
        if isinstance(working, WorkingSet) and self.source.outgrown(size, self._patient):
            working = self.working = ResidualSet(working, self.source)
        features = features.astype(np.int32)
        yield from working.reserve(size)
        step = self.source.columns_at_once(size)
        for begin in range(0, len(features), step):
            some = features[begin : begin + step]
            working.features[working.size : working.size + len(some)] = some
            self.source.take(working, some)
            square = self.outer.square[some] = self.source.square[some]
            if not square.min() > 0.0:
                # constant to rounding: their coefficients stay at zero
                constant = some[square <= 0.0]
                self.outer.lower[constant] = self.outer.upper[constant] = 0.0
            working.add(some, self.outer)
            self._inside[some] = True
            if len(features) > step:
                yield None

    def keep_count(self) -> None:
        """Add the iterations so far to those at the next alpha, or of the next working set."""
        self.n_iter += self.working.iterations

    def _can_make_gram(self) -> bool:
        """Return whether the working set has no Gram, and may have one."""
        return self.working.gram is None and not self.source.outgrown(self.working.size, False)

    def _make_gram(self) -> Steps:
        """Switch to a working set with a Gram matrix, even if it is large compared with X."""
        self._patient = False
        self.keep_count()
        features = self.working.chosen.copy()
        self.working = self.source.working_set()
        self._inside[features] = False
        yield from self._join(features)

    def begin_at(self, coef: np.ndarray) -> Steps:
        """Start from given coefficients."""
        support = np.flatnonzero(coef)
        yield from self._join(support[~self._inside[support]])
        chosen = self.working.chosen
        lower, upper = self.outer.lower[chosen], self.outer.upper[chosen]
        self.working.coef[:] = np.clip(coef[chosen] / self.source.unit, lower, upper)
        yield from self.refresh()

    def refresh(self) -> Steps:
        """Compute the correlations of all columns with the residual of the present coefficients."""
        working, outer = self.working, self.outer
        yield from self.source.gradient(working, outer.gradient)
        outer.coef[working.chosen] = working.coef
        working.at.gradient[: working.size] = outer.gradient[working.chosen]

    def _screen(self, threshold: float) -> StepsTo[bool]:
        """Take in features whose correlation reaches `threshold` times their penalty."""
        gradient, penalty = self.outer.gradient, self.penalty
        keep = np.abs(gradient) >= threshold * penalty.l1
        keep &= ~self._inside
        if penalty.limited:
            keep &= np.where(gradient > 0.0, penalty.upper, -penalty.lower) > 0.0
        features = np.flatnonzero(keep)
        yield from self._join(features)
        return len(features) > 0

    def follow(self, points: np.ndarray) -> StepsTo[Table]:
        """Solve at all points with a set of all columns; returns a table."""
        working = self.working
        assert isinstance(working, WorkingSet)
        table = Table(points, np.zeros((len(points), working.size)))
        working.begin_path(self.penalty, self.max_iter)
        while not working.follow(*table):
            yield None
        yield None
        return table

    def solve(self, alpha: float, tolerance: float, max_iter: int) -> StepsTo[tuple[float, str]]:
        """Run coordinate descent at one alpha, screening columns; return the gap and a status.

        The iterations already in `self.n_iter` are part of `max_iter`.
        """
        outer = self.outer
        outer.set_alpha(self.penalty, alpha)
        yield from self._screen(max(2.0 * alpha - self.alpha_reached, _NEAR * alpha))
        working = self.working  # screening may have changed it
        self.alpha_reached = alpha
        working.start(outer)
        inner = _INNER * tolerance
        best_dual = -np.inf
        while True:
            left = most = max_iter - self.n_iter
            if self._can_make_gram():
                most = min(left, _PATIENCE)
            while not working.descend(inner, most) and working.iterations < most:
                yield None
            yield from self.refresh()
            if working.iterations >= most < left:
                yield from self._make_gram()
                working = self.working
                working.start(outer)
                continue
            primal, dual = coordinate_descent.duality(
                outer.rows, len(outer.coef), self.source.target_square
            )
            best_dual = max(best_dual, dual)
            gap = max(0.0, primal - best_dual)
            if gap <= tolerance:
                return gap, "converged"
            if working.iterations >= left:
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
