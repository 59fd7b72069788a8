"""Cross-validation of the elastic net: every split's path, and its errors on the test rows.

Where each split trains on at least as many rows as there are columns, one pass gives the
statistics of all splits (`fastridge.solvers.folds`); their paths run on our own threads and never
see X. Else the splits' paths run in lockstep on the rows, so that each pass over X serves all.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._accumulate import CentredProducts
from fastridge._kernels import column_products
from fastridge._threads import product, run_slices
from fastridge.solvers.elastic_net.path import N_LEADING, Point, points_of
from fastridge.solvers.elastic_net.problem import ElasticNetProblem, run_together
from fastridge.solvers.elastic_net.sources import Rows, correlator
from fastridge.solvers.folds import GroupedRows, Split, all_but_one, n_rows
from fastridge.solvers.kfold import coef_errors
from fastridge.solvers.problem import RidgeProblem
from fastridge.statistics import GramStatistics, by_rows

_TOGETHER = 8  # paths that share passes over X
_PATIENCE = 0.02  # seconds to wait for another thread between two looks at an interrupt

Grid = Sequence[np.ndarray]  # decreasing alphas, an array for each l1_ratio


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
    waiting: deque[int]  # numbers of l1_ratios whose paths nobody has taken
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

    def _problem_of(self, problem: RidgeProblem) -> ElasticNetProblem:
        whole = self._whole
        return ElasticNetProblem(
            problem, bounds=whole.bounds, tol=whole.tol, max_iter=whole.max_iter
        )

    def _note(self, r: int, k: int, points: Sequence[Point], tolerance: float) -> None:
        if self._verbose:
            gap = max(point.dual_gap for point in points)
            print(  # noqa: T201  asked for
                f"split {k + 1} of {self.mse.shape[2]}, l1_ratio {self._l1_ratios[r]:g}: "
                f"{len(points)} alphas, largest gap {gap:.2e}"
            )
        self._failed.extend((point, tolerance) for point in points if point.status != "converged")

    def worst(self) -> tuple[Point | None, float]:
        """The point with the largest gap among those that did not converge, and its tolerance."""
        return max(self._failed, key=lambda failed: failed[0].dual_gap, default=(None, np.inf))

    # ---- by statistics ----

    def from_rows(self, rows: GroupedRows) -> None:
        """Of splits whose statistics rows in memory give."""
        splits = rows.splits

        def parts() -> Iterator[tuple[CentredProducts, CentredProducts, Split]]:
            for split, (train, test) in zip(splits, rows.split_products(), strict=True):
                yield train, test, split

        self._by_statistics(list(parts()), rows)

    def from_statistics(self, folds: Sequence[GramStatistics]) -> None:
        """Of folds known by their statistics alone."""
        held = [stats._held() for stats in folds]
        others = all_but_one(held)
        self._by_statistics(
            [(train, test, None) for train, test in zip(others, held, strict=True)], None
        )

    def _by_statistics(self, parts: Sequence[Any], rows: GroupedRows | None) -> None:
        folds = [
            _Fold(k, train, test, split, deque(range(len(self._grid))))
            for k, (train, test, split) in enumerate(parts)
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

        n_jobs = min(self._whole.rows.n_threads, len(parts) * len(self._grid))
        run_slices([work() for _ in range(n_jobs)])

    def _fitted_to(self, train: CentredProducts) -> ElasticNetProblem:
        whole = self._whole.rows
        fitted = self._problem_of(
            replace(whole, X=None, y=None, weight=None, given_products=train, n_threads=1)
        )
        fitted.sources  # noqa: B018  made here, once
        return fitted

    def _paths(self, fold: "_Fold", rows: GroupedRows | None) -> Iterator[None]:
        """Take the fold's l1_ratios that nobody has taken."""
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
        tables: list[np.ndarray] = []
        for _ in fitted.steps(self._grid[r], self._l1_ratios[r], points, tables):
            yield
        G = by_rows(test.upper)
        if tables:
            coefs, reached = tables[0][:, N_LEADING:], tables[0][:, N_LEADING - 1]
            points = list(points_of(tables[0] if self._verbose else tables[0][reached == 0.0]))
        else:
            coefs = _dense(points, len(G))
        self._note(r, k, points, fitted.tol * fitted.sources[0].mean_square)
        yield
        quadratic = np.empty(len(coefs))
        column_products.quadratic_forms(G, coefs, np.empty((2, len(G))), quadratic)
        squared, cancels = coef_errors(
            coefs[:, None], fitted.rows.centre, test, G, quadratic=quadratic[:, None]
        )
        if cancels and rows is not None:
            self._by_residuals(r, k, coefs, fitted.rows, fold.split, rows)
        else:
            self.mse[r, :, k] = squared[:, 0] / test.sum_weights
        yield

    def _by_residuals(
        self, r: int, k: int, coefs: np.ndarray, problem: RidgeProblem, split: Any, rows: Any
    ) -> None:
        features = np.flatnonzero(coefs.any(axis=0))
        predicted = _predicted(rows.X, split.test, features, coefs[:, features], problem.centre)
        self.mse[r, :, k] = _mean_squares(rows.y[split.test], predicted, rows.weight, split)

    # ---- by rows ----

    def in_lockstep(self, splits: Sequence[Split]) -> None:
        """Of splits with fewer training rows than columns."""
        whole = self._whole.rows
        if whole.sparse:
            whole = replace(whole, X=whole.X.tocsc())
        n = whole.shape[0]
        correlate = correlator(whole.X, whole.centre[0], whole.n_threads)
        jobs = []
        for k, split in enumerate(splits):
            weight = np.zeros(n)
            train = split.train_rows(n)
            weight[train] = 1.0 if whole.weight is None else whole.weight[train]
            if not weight.any():
                raise ValueError(
                    "sample_weight is zero for all training rows of a split: use fewer splits."
                )
            problem = replace(whole, weight=weight, given_products=None)
            fitted = self._problem_of(problem)
            fitted.use_rows(Rows(problem), correlate)
            for r in range(len(self._l1_ratios)):
                jobs.append((r, k, split, fitted))
        for begin in range(0, len(jobs), _TOGETHER):
            some = jobs[begin : begin + _TOGETHER]
            found: list[list[Point]] = [[] for _ in some]
            run_together(
                [
                    fitted.steps(self._grid[r], self._l1_ratios[r], points)
                    for (r, _, _, fitted), points in zip(some, found, strict=True)
                ],
                correlate,
            )
            for (r, k, split, fitted), points in zip(some, found, strict=True):
                self._note(r, k, points, fitted.tol * fitted.sources[0].mean_square)
                features = np.unique(np.concatenate([point.features for point in points]))
                coefs = np.zeros((len(points), len(features)))
                for row, point in zip(coefs, points, strict=True):
                    row[np.searchsorted(features, point.features)] = point.coef
                predicted = _predicted(whole.X, split.test, features, coefs, fitted.rows.centre)
                self.mse[r, :, k] = _mean_squares(
                    whole.Y[split.test, 0], predicted, whole.weight, split
                )


def _predicted(
    X: Any, rows: Any, features: np.ndarray, coefs: np.ndarray, centre: tuple[Any, Any]
) -> np.ndarray:
    """Predictions of shape (n_rows, n_alphas) from some features' coefficients."""
    some = X[rows][:, features] if sp.issparse(X) or isinstance(rows, slice) else None
    if some is None:
        some = X[rows[:, None], features]
    values = some.toarray() if sp.issparse(some) else np.asarray(some, dtype=np.float64)
    return product(values - centre[0][features], coefs.T) + centre[1][0]


def _mean_squares(
    y: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None, split: Split
) -> np.ndarray:
    w = np.ones(n_rows(split.test)) if weight is None else weight[split.test]
    if not w.any():
        raise ValueError("sample_weight is zero for all test rows of a split: use fewer splits.")
    mean: np.ndarray = w @ (y[:, None] - predicted) ** 2 / w.sum()
    return mean
