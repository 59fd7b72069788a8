"""Cross-validation of the elastic net: every split's path, and its errors on the test rows.

Where each split trains on at least as many rows as there are columns, one pass gives the
statistics of all splits (`splits`); their paths run on our own threads and never see X.
Otherwise the splits' paths run in lockstep on the rows, so that each pass over X serves all.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

import numpy as np

from fastridge._kernels import column_products
from fastridge._kernels import gram as _gram
from fastridge.designs.design import Design
from fastridge.model_selection.kfold import coef_errors
from fastridge.model_selection.splits import (
    GroupedRows,
    Split,
    all_but_one,
    gathered_products,
    row_sections,
)
from fastridge.runtime.threads import call_once_over, product, run_slices
from fastridge.solvers.coordinate_descent.gram_sources import whole_rows
from fastridge.solvers.coordinate_descent.path import Point, Table
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem, run_together
from fastridge.solvers.coordinate_descent.row_sources import Correlator, Rows, descents_together
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.accumulate import CentredProducts
from fastridge.statistics.gram_statistics import GramStatistics
from fastridge.statistics.merge import by_rows, merged, step_between

_PREDICTED_VALUES = 1 << 20  # of rows whose errors are formed at a time: 8 MB
_LOST = 1e3  # the most by which sums of squares may shrink where rows are taken out of them
_PATIENCE = 0.02  # seconds to wait for another thread between two looks at an interrupt

SplitProducts: TypeAlias = tuple[CentredProducts, CentredProducts, Split | None]  # training, test
Grid: TypeAlias = Sequence[np.ndarray]  # decreasing alphas, an array for each l1_ratio


def _dense(points: Sequence[Point], n_features: int) -> np.ndarray:
    coefs = np.zeros((len(points), n_features))
    for row, point in zip(coefs, points, strict=True):
        row[point.features] = point.coef
    return coefs


@dataclass
class _Fold:
    number: int
    train: CentredProducts
    test: CentredProducts
    split: Split | None
    waiting: deque[int]  # indices of l1_ratios whose paths no thread has taken
    fitted: ElasticNetProblem | None = None
    ready: Event = field(default_factory=Event)  # once `fitted` is made


class SplitErrors:
    """Mean squared errors of every l1_ratio, alpha and split, and what did not converge.

    Parameters
    ----------
    whole : ElasticNetProblem
        Of all rows; its options hold for every split.
    l1_ratios : sequence of float
    grid : sequence of ndarray of shape (n_alphas,)
    n_splits : int
    verbose : bool, default=False
        Print a line for each path.
    """

    def __init__(
        self,
        whole: ElasticNetProblem,
        l1_ratios: Sequence[float],
        grid: Grid,
        n_splits: int,
        verbose: bool = False,
    ) -> None:
        self._whole = whole
        self._l1_ratios, self._grid = l1_ratios, grid
        self._verbose = verbose
        self.mse = np.empty((len(l1_ratios), len(grid[0]), n_splits))
        self._failed: list[tuple[Point, float]] = []  # and the tolerances of these

    def _note(self, r: int, k: int, points: list[Point], fitted: ElasticNetProblem) -> None:
        fitted.reconsider(points, self._l1_ratios[r])
        tolerance = fitted.tol * fitted.sources[0].mean_square
        if self._verbose:
            gap = max(point.dual_gap for point in points)
            print(  # noqa: T201  asked for
                f"split {k + 1} of {self.mse.shape[2]}, l1_ratio {self._l1_ratios[r]:g}: "
                f"{len(points)} alphas, largest gap {gap:.2e}"
            )
        self._failed.extend(
            (point, tolerance) for point in points if point.status == "not converged"
        )

    def worst(self) -> tuple[Point | None, float]:
        """Return the point with the largest gap that did not converge, and its tolerance."""
        return max(self._failed, key=lambda failed: failed[0].dual_gap, default=(None, np.inf))

    # ---- by statistics ----

    def from_rows(self, rows: GroupedRows) -> None:
        """Add the errors of splits of rows in memory, from the statistics of each split."""
        products = zip(rows.splits, rows.split_products(), strict=True)
        self._by_statistics([(*both, split) for split, both in products], rows)

    def from_statistics(self, folds: Sequence[GramStatistics]) -> None:
        """Add the errors of folds that are given by their statistics alone."""
        held = [stats._held() for stats in folds]
        products: list[SplitProducts] = []
        for train, test in zip(all_but_one(held), held, strict=True):
            assert train is not None
            products.append((train, test, None))
        self._by_statistics(products, None)

    def _by_statistics(self, products: Sequence[SplitProducts], rows: GroupedRows | None) -> None:
        folds = [
            _Fold(k, train, test, split, deque(range(len(self._grid))))
            for k, (train, test, split) in enumerate(products)
        ]
        waiting = deque(folds)

        def work() -> Iterator[None]:
            # a fold by itself while there are such, then paths that are left of the others'
            while waiting:
                try:
                    fold = waiting.popleft()
                except IndexError:  # another thread was faster
                    break
                fold.fitted = self._fitted_to(fold.train)
                fold.ready.set()
                yield
                yield from self._paths(fold, rows)
            for fold in folds:
                while fold.waiting and not fold.ready.wait(_PATIENCE):
                    yield
                yield from self._paths(fold, rows)

        n_jobs = min(self._whole.rows.design.n_threads, len(products) * len(self._grid))
        run_slices([work() for _ in range(n_jobs)])

    def _fitted_to(self, train: CentredProducts, own_gram: bool = False) -> ElasticNetProblem:
        whole = self._whole.rows
        problem = problem_of(train, whole.penalty, fit_intercept=whole.design.fit_intercept)
        fitted = self._whole.of(problem, own_gram=own_gram)
        fitted.sources  # noqa: B018  made here, once
        return fitted

    def _paths(self, fold: "_Fold", rows: GroupedRows | None) -> Iterator[None]:
        """Take the l1_ratios of the fold that no thread has taken."""
        fitted = fold.fitted
        while fitted is not None and fold.waiting:
            try:
                r = fold.waiting.popleft()
            except IndexError:
                return
            yield from self._path(r, fold, fitted, rows)
        fold.fitted = None

    def _path(
        self, r: int, fold: "_Fold", fitted: ElasticNetProblem, rows: GroupedRows | None
    ) -> Iterator[None]:
        k, test = fold.number, fold.test
        points: list[Point] = []
        tables: list[Table] = []
        for _ in fitted.steps(self._grid[r], self._l1_ratios[r], points, tables):
            yield
        G = by_rows(test.upper)
        if tables:
            found = tables[0].points
            noted = (found["converged"] == 0) | (found["doubtful"] == 1) | self._verbose
            coefs, points = tables[0].coefs, list(tables[0].as_points(noted))
        else:
            coefs = _dense(points, len(G))
        self._note(r, k, points, fitted)
        yield
        quadratic = np.empty(len(coefs))
        column_products.quadratic_forms(G, coefs, np.empty((2, len(G))), quadratic)
        squared, cancels = coef_errors(
            coefs[:, None], fitted.rows, test, G, quadratic=quadratic[:, None]
        )
        if cancels and rows is not None and fold.split is not None:
            self._by_residuals(r, k, coefs, fitted.rows, fold.split, rows)
        else:
            self.mse[r, :, k] = squared[:, 0] / test.sum_weights
        yield

    def _by_residuals(
        self, r: int, k: int, coefs: np.ndarray, problem: Problem, split: Split, rows: GroupedRows
    ) -> None:
        features = np.flatnonzero(coefs.any(axis=0))
        self.mse[r, :, k] = _test_errors(
            rows.design, rows.y, split, features, coefs[:, features], problem.centre
        )

    # ---- by statistics, a few at a time ----

    def from_rows_in_turn(self, rows: GroupedRows, n_held: int) -> None:
        """`from_rows`, with the statistics of `n_held` splits at a time.

        Those of a split's training rows are those of all rows without the test rows.
        """
        total = self._whole.rows.design.statistics
        assert total is not None
        for begin in range(0, len(rows.splits), n_held):
            folds = []
            for k in range(begin, min(begin + n_held, len(rows.splits))):
                split = rows.splits[k]
                train = _training_products(total, rows, split)
                folds.append((k, split, self._fitted_to(train, own_gram=True)))
                del train

            def paths(k: int, split: Split, fitted: ElasticNetProblem) -> Iterator[None]:
                for r in range(len(self._grid)):
                    points: list[Point] = []
                    for _ in fitted.steps(self._grid[r], self._l1_ratios[r], points):
                        yield
                    self._note(r, k, points, fitted)
                    coefs = _dense(points, rows.design.shape[1])
                    self._by_residuals(r, k, coefs, fitted.rows, split, rows)

            run_slices([paths(*fold) for fold in folds])

    # ---- by rows ----

    def in_lockstep(self, splits: Sequence[Split]) -> None:
        """Add the errors of splits with fewer training rows than columns."""
        whole = self._whole.rows
        design = whole.design.with_statistics(None).by_columns()
        n = design.shape[0]
        correlate = Correlator(design, design.centre)
        jobs = []
        for k, split in enumerate(splits):
            weight = np.zeros(n)
            train = split.train_rows(n)
            weight[train] = 1.0 if design.weight is None else design.weight[train]
            if not weight.any():
                raise ValueError(
                    "sample_weight is zero for all training rows of a split: use fewer splits."
                )
            loss = whole.loss.with_statistics(None)
            problem = Problem(design.reweighted(weight), loss, whole.penalty)
            fitted = self._whole.of(problem, rows=Rows(problem, correlate))
            for r in range(len(self._l1_ratios)):
                jobs.append((r, k, split, fitted))
        together = descents_together(design)
        for begin in range(0, len(jobs), together):
            some = jobs[begin : begin + together]
            found: list[list[Point]] = [[] for _ in some]
            run_together(
                [
                    fitted.steps(self._grid[r], self._l1_ratios[r], points)
                    for (r, _, _, fitted), points in zip(some, found, strict=True)
                ],
                correlate,
            )
            for (r, k, split, fitted), points in zip(some, found, strict=True):
                self._note(r, k, points, fitted)
                features = np.unique(np.concatenate([point.features for point in points]))
                coefs = np.zeros((len(points), len(features)))
                for row, point in zip(coefs, points, strict=True):
                    row[np.searchsorted(features, point.features)] = point.coef
                self.mse[r, :, k] = _test_errors(
                    design, whole.loss.Y[:, 0], split, features, coefs,
                    fitted.rows.centre,
                )  # fmt: skip


def _test_errors(
    design: Design,
    y: np.ndarray,
    split: Split,
    features: np.ndarray,
    coefs: np.ndarray,
    centre: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return the mean squared errors of coefficients on a split's test rows, (n_alphas,)."""
    test, weight = split.test, design.weight
    if weight is not None:  # rows without weight may be anywhere
        numbers = np.arange(test.start, test.stop) if isinstance(test, slice) else test
        test = numbers[weight[numbers] > 0.0]
        if not len(test):
            raise ValueError(
                "sample_weight is zero for all test rows of a split: use fewer splits."
            )
    x_mean = centre[0][features]
    X = design.X
    if not isinstance(X, np.ndarray) and X.format == "csc":
        X, features = X[:, features].tocsr(), np.arange(len(features))
    total, sum_weights = np.zeros(len(coefs)), 0.0
    width = max(len(features), len(coefs))
    for rows in row_sections(test, width, max(64, _PREDICTED_VALUES // width)):
        if not isinstance(X, np.ndarray):
            some = X[rows][:, features].toarray()
        elif isinstance(rows, slice):
            some = X[rows][:, features]
        else:
            some = X[rows[:, None], features]
        values = np.asarray(some, dtype=np.float64) - x_mean
        errors = product(values, coefs.T)
        errors += centre[1][0] - y[rows, None]
        w = np.ones(len(errors)) if weight is None else weight[rows]
        errors *= errors
        total += w @ errors
        sum_weights += float(w.sum())
    return total / sum_weights


def _training_products(total: CentredProducts, rows: GroupedRows, split: Split) -> CentredProducts:
    """Return statistics of a split's training rows, by subtraction if enough digits remain."""
    tested = None
    if split.train is None:
        tested = gathered_products(rows.design, rows.y, split.test)
    if tested is not None:
        train = _without(total, tested)
        varies = total.variances() > 0.0
        left, whole = train.upper.diagonal()[varies], total.upper.diagonal()[varies]
        if (left * _LOST >= whole).all() and (train.yy * _LOST >= total.yy).all():
            return train
        del train
    tested = None
    train_rows = split.train_rows(rows.design.shape[0])
    products = gathered_products(rows.design, rows.y, train_rows)
    if products is None:
        raise ValueError(
            "sample_weight is zero for all training rows of a split: use fewer splits."
        )
    return products


def _without(total: CentredProducts, part: CentredProducts) -> CentredProducts:
    """`merged` with sign -1, in the memory of `part` where that has whole rows."""
    out = whole_rows(part.upper)
    left = total.sum_weights - part.sum_weights
    if out is None or not left > 0.0:
        return merged(total, part, -1)
    shift, rest, step = step_between(total, part)
    x_step, y_step = step[: len(out)], step[len(out) :]
    share, between = part.sum_weights / left, -total.sum_weights * part.sum_weights / left
    call_once_over(
        out.size, _gram.sum_upper, [part.upper, by_rows(total.upper)], np.array([-1.0, 1.0]),
        np.ascontiguousarray(x_step[None]), np.array([between]), out,
    )  # fmt: skip
    offset = rest - share * step
    means = shift + offset
    return CentredProducts(
        total.n_samples - part.n_samples,
        left,
        means[: len(out)],
        means[len(out) :],
        out[:, : len(out)],
        total.xy - part.xy + between * np.outer(x_step, y_step),
        total.yy - part.yy + between * y_step**2,
        shift=shift,
        sums=offset * left,
    )
