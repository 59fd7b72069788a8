"""Solve one elastic-net problem, on rows or on their statistics, for every target."""

from collections.abc import Sequence
from itertools import chain
from typing import Self

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._validation import check_small_squares
from fastridge.penalties.elastic_net import LEAST_ALPHA, Bounds, Penalty, largest_alpha, penalty_of
from fastridge.runtime.threads import run_slices
from fastridge.solvers.coordinate_descent.certificate import excess, lengths
from fastridge.solvers.coordinate_descent.free_features import FreeFeatures, free_features
from fastridge.solvers.coordinate_descent.gram_sources import (
    Gram,
    Source,
    Steps,
    gram_pays,
)
from fastridge.solvers.coordinate_descent.path import Point, Table, path_steps, tolerance_of
from fastridge.solvers.coordinate_descent.rounding import Rounding, within_reach
from fastridge.solvers.coordinate_descent.row_gaps import Reduced, RowGap, reduced
from fastridge.solvers.coordinate_descent.row_sources import Correlator, Rows, descents_together
from fastridge.solvers.problem import Problem
from fastridge.solvers.solver_selection import solve
from fastridge.statistics.accumulate import symmetric

_ROUNDING_SINGLE = 8.0 * float(np.finfo(np.float32).eps) ** 2  # of |y|^2: gaps of coefficients
_SMALL_SHARE = 0.1  # of the tolerated gap that rounding may hide
_ROUNDING = 1e-13  # of |x_j| |y|: what correlations with a residual may be off


class ElasticNetProblem:
    """Data, weights and the options that hold for every penalty.

    Parameters
    ----------
    problem : Problem
        The rows or their statistics, `fit_intercept`, `standardize`, penalty factors and threads;
        its alpha is not used.
    bounds : (lower, upper) of shape (n_features,) each, optional
    tol : float
        Tolerated gap, relative to ``|y|^2 / n``.
    max_iter : int
        Sweeps at each alpha.
    own_gram : bool, default=False
        Whether the memory of the problem's Gram matrix may be overwritten.
    rows : Rows, optional
        The rows of the problem, if the solver is to use rows; by default, the shape of X decides.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        bounds: Bounds | None,
        tol: float,
        max_iter: int,
        own_gram: bool = False,
        rows: Rows | None = None,
    ) -> None:
        self.given, self._given_rows = problem, rows
        self._own_gram = own_gram or problem.design.statistics is None
        self.bounds = bounds
        self.tol, self.max_iter = tol, max_iter
        design = problem.design
        self.by_gram = rows is None and (design.statistics is not None or gram_pays(design))
        self.solver = "gram" if self.by_gram else "working set"

    def of(self, problem: Problem, *, own_gram: bool = False, rows: Rows | None = None) -> Self:
        """Return another problem with these options."""
        return type(self)(
            problem,
            bounds=self.bounds,
            tol=self.tol,
            max_iter=self.max_iter,
            own_gram=own_gram,
            rows=rows,
        )

    def accumulated(self) -> Self:
        """Return the same problem with its cross-products, where these are what runs."""
        return self.of(self.rows, own_gram=self._own_gram) if self.by_gram else self

    @computed_once
    def rows(self) -> Problem:
        """The problem, with its cross-products where these are what runs."""
        return self.given.accumulated() if self.by_gram else self.given

    @computed_once
    def _data(self) -> Gram | Rows:
        if self.by_gram:
            return Gram(self.rows, in_place=self._own_gram)
        if self._given_rows is not None:
            return self._given_rows
        if not np.isfinite(self.rows.design.mean.sum() + self.rows.y_mean.sum()):
            self.rows.raise_not_finite()
        return Rows(self.rows)

    @computed_once
    def sources(self) -> Sequence[Source]:
        """The source of a descent on each target."""
        sources: list[Source] = [self._data.source(k) for k in range(self.rows.loss.n_targets)]
        if self.by_gram:
            return sources
        if not all(np.isfinite(source.xy.sum() + source.mean_square) for source in sources):
            self.rows.raise_not_finite()
        check_small_squares(self.rows.loss.Y, np.array([s.mean_square for s in sources]), "y")
        return sources

    def penalty(self, l1_ratio: float) -> Penalty:
        """Return the penalty at this mixture, constant columns held at zero."""
        problem, constant = self.rows, self.sources[0].constant
        squares = problem.design.standard_squares if problem.penalty.standardize else None
        if squares is not None and problem.design.fit_intercept:
            constant = constant | (problem.design.variances <= 0.0)
        penalty = penalty_of(
            problem.design.shape[1],
            l1_ratio,
            factors=problem.penalty.factors,
            squares=squares,
            bounds=self.bounds,
        )
        return penalty.without(constant)

    def largest_alpha(self, l1_ratio: float) -> float:
        """Return the least alpha at which all penalised coefficients of all targets are zero.

        Without penalty factors of zero; with them, for the rows with those features left out.
        """
        penalty = self.penalty(l1_ratio)
        alphas = []
        for source in self.sources:
            scaled = penalty.in_units(source.sum_weights, source.unit)
            alphas.append(largest_alpha(scaled, self._gradient_at_none(source), raised=True))
        return max(alphas)

    @property
    def least_alpha(self) -> float:
        """The alpha that is used if the largest alpha is zero."""
        return LEAST_ALPHA * max(source.unit for source in self.sources)

    def _gradient_at_none(self, source: Source) -> np.ndarray:
        """Return the correlations with all penalised coefficients at zero, without rounding."""
        penalty = self.penalty(1.0)
        if penalty.l1.all():
            return np.asarray(source.xy)
        free, gradient = free_features(penalty), None
        if len(free) == np.count_nonzero(penalty.l1 == 0.0):
            reduced = self._free_features(self.sources.index(source), penalty, free)
            gradient = None if reduced.xy is None else reduced.xy / source.unit
        if gradient is None:
            gradient = self._gradient_with_bounds(source, penalty)
        if isinstance(self._data, Gram):
            length = np.sqrt(source.square)
        else:
            length = lengths(self.rows) / np.sqrt(self.rows.design.sum_weights)
        rounding = np.abs(gradient) <= _ROUNDING * length * source.target_square**0.5
        return np.where(rounding, 0.0, gradient)

    def _gradient_with_bounds(self, source: Source, penalty: Penalty) -> np.ndarray:
        held = penalty.without(penalty.l1 > 0.0)
        gradient = np.empty_like(source.xy)
        steps = path_steps(
            source, held, [1.0], tol=1e-12, max_iter=100, points=[], gradient_out=gradient
        )
        self._run([steps])
        return gradient

    def path(
        self,
        alphas: Sequence[np.ndarray],
        l1_ratio: float,
        coef_init: np.ndarray | None = None,
        points: list[list[Point]] | None = None,
    ) -> list[list[Point]]:
        """Return the solutions at decreasing alphas, one array of them per target.

        If `points` is given, they are appended to its lists as they are found.
        """
        found = [[] for _ in self.sources] if points is None else points
        penalty = self.penalty(l1_ratio)
        if l1_ratio == 0.0 and self.bounds is None:
            self._ridge(alphas, penalty, found)
            return found
        unpenalised = self.bounds is None and any(values[-1] == 0.0 for values in alphas)
        descents = []
        for k, source in enumerate(self.sources):
            values = alphas[k]
            if unpenalised:
                values = values[values > 0.0]
                if not len(values):
                    continue
            init = None if coef_init is None else coef_init[k]
            descents.append(
                path_steps(
                    source,
                    penalty,
                    values,
                    tol=self.tol,
                    max_iter=self.max_iter,
                    points=found[k],
                    coef_init=init,
                )
            )
        before = [len(some) for some in found]
        self._run(descents)
        always = self._single or not penalty.l1.all()
        for k, begin in enumerate(before):
            if always or any(point.doubtful for point in found[k][begin:]):
                self._certify(k, penalty, found[k], begin)
        if coef_init is None:
            for some in found:
                some[:] = [point._replace(n_iter=max(1, point.n_iter)) for point in some]
        if unpenalised:
            self._ridge([values[values == 0.0] for values in alphas], penalty, found)
        return found

    def _certify(self, target: int, penalty: Penalty, points: list[Point], begin: int) -> None:
        """Correct the gaps from `begin` on: for coefficients as stored, and for rounding."""
        source, free = self.sources[target], free_features(penalty)
        rounding = Rounding(source, penalty)
        tolerance = self._tolerance * source.mean_square
        reduced = self._free_features(target, penalty, free) if len(free) else None
        for k, found in enumerate(points[begin:], begin):
            point = found
            if not np.isfinite(point.dual_gap + point.coef.sum()):
                points[k] = within_reach(point, source, penalty)
                continue
            if reduced is not None:
                point = point._replace(dual_gap=reduced.gap(point))
                for closer in (1e-2, 1e-4):
                    if not point.dual_gap > tolerance or point.status != "converged":
                        break
                    point = self._closer(point, source, penalty, closer * self._tolerance)
                    point = point._replace(dual_gap=reduced.gap(point))
            if found.doubtful and not rounding.is_zero(point):
                hidden = rounding.hidden(point)
                point = self._uncovered(point, target, penalty, hidden, tolerance)
            if self._single:
                point = self._rounded(point, source, penalty)
            points[k] = within_reach(_judged(point, tolerance), source, penalty)

    def reconsider(self, points: list[Point], l1_ratio: float) -> None:
        """Certify those of the first target's points from `steps` that are doubtful."""
        if not any(point.doubtful for point in points):
            return
        penalty, source = self.penalty(l1_ratio), self.sources[0]
        rounding, tolerance = Rounding(source, penalty), self._tolerance * source.mean_square
        for k, point in enumerate(points):
            certain = not point.doubtful or rounding.is_zero(point)
            if not certain and np.isfinite(point.dual_gap):
                hidden = rounding.hidden(point)
                new = self._uncovered(point, 0, penalty, hidden, tolerance)
                points[k] = _judged(new, tolerance)

    def _uncovered(
        self, point: Point, target: int, penalty: Penalty, hidden: float, tolerance: float
    ) -> Point:
        """Return the point with a bound on rounding added to its gap, or with a gap from the rows.

        The rows are used if that bound is not small. If their gap is above the tolerance, the
        coefficients are solved again on the rows.
        """
        total = point.dual_gap + hidden
        if total <= tolerance or hidden <= _SMALL_SHARE * tolerance:
            return point._replace(dual_gap=total)
        source, coef = self.sources[target], np.zeros(len(penalty.l1))
        coef[point.features] = point.coef / source.unit
        here = penalty.at(point.alpha)
        if self._reduced is None:
            bound = float(np.fmin(total, self._relaxed(point, target, penalty)))
            return point._replace(dual_gap=bound if np.isfinite(bound) else np.nan)
        weights = self.rows.design.sum_weights
        here = here.in_units(weights, source.unit)
        gap_unit = source.unit * source.unit / weights
        size = (source.mean_square / gap_unit) ** 0.5
        rows = RowGap(self._reduced, target, here, size)
        gap = rows.gap(coef) * gap_unit
        if not gap <= tolerance:
            solved = rows.solved(coef)
            closer = rows.gap(solved) * gap_unit
            if closer < gap:
                coef, gap = solved, closer
        features = np.flatnonzero(coef).astype(np.int32)
        status = "converged" if gap <= tolerance else "not converged"
        values = coef[features] * source.unit
        return point._replace(features=features, coef=values, dual_gap=gap, status=status)

    @computed_once
    def _reduced(self) -> Reduced | None:
        return reduced(self.rows, np.array([source.unit for source in self.sources]))

    def _relaxed(self, point: Point, target: int, penalty: Penalty) -> float:
        """Return a bound on the gap from statistics alone, as if there were no l1 penalty.

        Bounds are ignored too, except for coefficients whose gradients hold them at a bound even
        if the others move as far as they may.
        """
        coef = np.zeros(len(penalty.l1))
        coef[point.features] = point.coef
        weights = self.rows.design.sum_weights
        l2 = point.alpha * weights * penalty.l2
        upper, xy = self.rows.design.gram, self.rows.xy
        gradient = xy[:, target] - symmetric(upper) @ coef - l2 * coef
        length = np.sqrt(upper.diagonal())
        size = (self.sources[target].mean_square * weights) ** 0.5
        size += float(length @ np.abs(coef))
        moves = penalty.upper > penalty.lower
        low, high = coef <= penalty.lower, coef >= penalty.upper
        held = moves & ((low & (gradient < 0.0)) | (high & (gradient > 0.0)))
        for inside in (moves & ~held, moves):
            some = np.flatnonzero(inside)
            gap, _ = self._certified(self.rows.columns(some), target, coef[some], l2[some])
            step = (2.0 * gap * weights) ** 0.5 + _ROUNDING * size
            if (np.abs(gradient)[moves & ~inside] >= (length * step)[moves & ~inside]).all():
                break
        return gap + point.alpha * float(penalty.l1 @ np.abs(coef))

    def _free_features(self, target: int, penalty: Penalty, free: np.ndarray) -> FreeFeatures:
        return FreeFeatures(self._data, self.rows, target, self.sources[target], penalty, free)

    def _closer(self, point: Point, source: Source, penalty: Penalty, tol: float) -> Point:
        """Return the solution at a smaller tolerance, starting from the point."""
        start = np.zeros(len(penalty.l1))
        start[point.features] = point.coef
        found: list[Point] = []
        steps = path_steps(
            source, penalty, [point.alpha], tol=tol, max_iter=self.max_iter, points=found,
            coef_init=start,
        )  # fmt: skip
        self._run([steps])
        return found[0]._replace(n_iter=point.n_iter + found[0].n_iter)

    @property
    def _single(self) -> bool:
        """True if coefficients are stored in single precision."""
        return self.rows.design.dtype == np.float32

    @property
    def _tolerance(self) -> float:
        """The tolerated gap of the coefficients as they are stored, relative to |y|^2."""
        return max(tolerance_of(self.tol), _ROUNDING_SINGLE if self._single else 0.0)

    def _rounded(self, point: Point, source: Source, penalty: Penalty) -> Point:
        """Return the point with coefficients as they are stored, and a gap that holds for these.

        Rounding moves the fit by at most m = sum_j |x_j| |change of w_j|, so that the gap g
        becomes at most (g^1/2 + m)^2. If a coefficient is at a bound, its term of m also costs up
        to |y|.
        """
        features, coef = point.features, point.coef.astype(np.float32)
        limits = penalty.lower[features], penalty.upper[features]
        outside = (coef < limits[0]) | (coef > limits[1])
        coef = np.where(outside, np.nextafter(coef, np.float32(0.0)), coef).astype(np.float64)
        length = np.sqrt(source.square[features] / source.sum_weights)
        moved = length * np.abs(coef - point.coef)
        held = (point.coef == limits[0]) | (point.coef == limits[1])
        gap = (point.dual_gap**0.5 + float(moved.sum())) ** 2
        gap += float(moved[held].sum()) * source.mean_square**0.5
        return point._replace(coef=coef, dual_gap=gap)

    def steps(
        self,
        alphas: np.ndarray,
        l1_ratio: float,
        points: list[Point],
        tables: list[Table] | None = None,
    ) -> Steps:
        """Solve the path of the first target, as a generator: see `path_steps`."""
        penalty = self.penalty(l1_ratio)
        if self.bounds is None and (l1_ratio == 0.0 or not alphas[-1] > 0.0):
            self.path([alphas], l1_ratio, points=[points])
            return
        yield from path_steps(
            self.sources[0].again(),
            penalty,
            alphas,
            tol=self.tol,
            max_iter=self.max_iter,
            points=points,
            tables=tables,
        )

    def _run(self, descents: Sequence[Steps]) -> None:
        if not descents:
            return
        if self.by_gram:
            n_jobs = min(self.rows.design.n_threads, len(descents))
            jobs = [chain.from_iterable(descents[k::n_jobs]) for k in range(n_jobs)]
            try:
                run_slices(jobs)
            finally:
                for steps in descents:
                    steps.close()
            return
        assert isinstance(self._data, Rows)
        together = descents_together(self.rows.design)
        for begin in range(0, len(descents), together):
            run_together(descents[begin : begin + together], self._data.correlate)

    def _ridge(
        self, alphas: Sequence[np.ndarray], penalty: Penalty, points: list[list[Point]]
    ) -> None:
        """Append solutions without an l1 penalty, by ridge's solvers."""
        problem, included = self.rows, np.arange(self.rows.design.shape[1])
        factors = problem.penalty.factors
        if factors is not None and np.isinf(factors).any():
            included = np.flatnonzero(np.isfinite(factors))
            problem = problem.columns(included)
        for alpha in sorted({alpha for values in alphas for alpha in values.tolist()})[::-1]:
            ridge = problem.at(np.full(1, alpha * problem.design.sum_weights))
            if not len(included):
                coefs, self.solver = np.zeros((self.rows.loss.n_targets, 0)), "ridge cholesky"
            else:
                found = solve(ridge)
                coefs, self.solver = found.coef, f"ridge {found.solver}"
            for k, coef in enumerate(self._as_stored(coefs)):
                if alpha in alphas[k]:
                    l2 = alpha * problem.design.sum_weights * penalty.l2[included]
                    gap, status = self._certified(ridge, k, coef, l2)
                    support = np.flatnonzero(coef)
                    features = included[support].astype(np.int32)
                    points[k].append(Point(alpha, features, coef[support], gap, 1, status))

    def _as_stored(self, coefs: np.ndarray) -> np.ndarray:
        """Return the coefficients rounded as they will be stored."""
        if not self._single:
            return coefs
        return coefs.astype(np.float32).astype(np.float64)

    def _certified(
        self, ridge: Problem, target: int, coef: np.ndarray, l2: np.ndarray
    ) -> tuple[float, str]:
        """Return the gap of coefficients without an l1 penalty, and a status."""
        square = self.sources[target].mean_square
        if not len(coef):
            return 0.0, "converged"
        sum_weights = ridge.design.sum_weights
        tolerance = self._tolerance * square
        gap = excess(ridge, target, coef, l2, square * sum_weights, tolerance * sum_weights)
        gap /= sum_weights
        if np.isnan(gap):
            return gap, "no certificate"
        return gap, "converged" if gap <= tolerance else "not converged"


def _judged(point: Point, tolerance: float) -> Point:
    """Return the point with the status that follows from its gap."""
    status = point.status
    if np.isnan(point.dual_gap):
        status = "no certificate"
    elif point.dual_gap > tolerance and status == "converged":
        status = "not converged"
    return point._replace(status=status)


def run_together(descents: Sequence[Steps], correlate: Correlator) -> None:
    """Run descents on rows in lockstep, so that they share passes over X."""
    active = dict(enumerate(descents))
    replies: dict[int, np.ndarray] = {}
    try:
        while active:
            requests = {}
            for k in list(active):
                request = _next_request(active[k], replies.get(k))
                if request is None:
                    del active[k]
                else:
                    requests[k] = request
            replies = {}
            if requests:
                products = correlate(np.stack(list(requests.values())))
                replies = dict(zip(requests, products, strict=True))
    finally:
        for steps in descents:
            steps.close()


def _next_request(steps: Steps, reply: np.ndarray | None) -> np.ndarray | None:
    try:
        request = next(steps) if reply is None else steps.send(reply)
        while request is None:
            request = next(steps)
    except StopIteration:
        return None
    return request
