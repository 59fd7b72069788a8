"""Give coordinate descent columns and correlations from the rows, in passes that it asks for."""

from collections.abc import Iterator
from copy import copy
from itertools import pairwise
from typing import Self

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import column_products, residual_sweeps
from fastridge._validation import LEAST_SQUARE
from fastridge.designs.design import Design
from fastridge.designs.sparse import squares_about
from fastridge.runtime.threads import run_slices
from fastridge.solvers.coordinate_descent.gram_sources import (
    GRAM_SHARE,
    TAKEN_VALUES,
    Source,
    Steps,
    Sweep,
    unit_of,
)
from fastridge.solvers.coordinate_descent.working_set import ColumnSet, WorkingSet
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import combined_rows, split_borders, variances
from fastridge.statistics.accumulate_sparse import correlated_columns

_SMALL_WORKING = 16 << 20  # bytes of a working set's Gram and factor, always computed
_MOST_WORKING = 256 << 20  # the same if sweeps over residuals converge slowly
_TOGETHER = 8  # the most descents on rows that share passes over X
_TAKEN_WORK = 1 << 28  # multiplications at a time, some 10 ms of one core
_THREADED_WORK = 1 << 22


def _most_working(design: Design, least: float) -> int:
    """Return how many columns may have a Gram and a factor within their memory, or `least`."""
    return int((max(least, GRAM_SHARE * design.nbytes) / 16.0) ** 0.5)


def descents_together(design: Design) -> int:
    """Return how many descents on rows share passes over X, and the memory of working sets."""
    most = _most_working(design, _MOST_WORKING)
    return max(1, min(_TOGETHER, int((most / min(*design.shape, most)) ** 2)))


class Rows:
    """Rows about their centre, times the roots of weights that sum to one.

    Parameters
    ----------
    problem : Problem
    correlate : Correlator, optional
        Of the same rows; several problems can share one, and the passes over X.
    """

    def __init__(self, problem: Problem, correlate: "Correlator | None" = None) -> None:
        self.problem, self.design = problem, problem.design.by_columns()
        self.n_features = problem.design.shape[1]
        self.mean = problem.design.centre
        self.correlate = Correlator(self.design, self.mean) if correlate is None else correlate
        n, weight = problem.design.shape[0], problem.design.weight
        share = np.full(n, 1.0 / n) if weight is None else weight / problem.design.sum_weights
        self.share, self.root = share, np.sqrt(share)

    def source(self, target: int) -> "RowSource":
        """Return the source of a descent on this target."""
        y = self.problem.loss.Y[:, target] - self.problem.y_centre[target]
        kind = SparseRowSource if self.problem.design.sparse else DenseRowSource
        root = self.root
        y = np.where(root > 0.0, y, 0.0)  # rows without weight may be anywhere
        unit = unit_of(float(np.abs(y).max()))
        return kind(self, y / unit * root, unit)


class Correlator:
    """``left' (X - shift)`` as a function of vectors over the rows, (n_vectors, n_samples).

    Parameters
    ----------
    design : Design
        Its columns, by `Design.by_columns`.
    shift : ndarray of shape (n_features,)
    """

    def __init__(self, design: Design, shift: np.ndarray) -> None:
        self._design, self.shift = design, shift

    def __call__(self, left: np.ndarray) -> np.ndarray:
        design, columns = self._design, np.ascontiguousarray(left.T)
        if design.sparse:
            products = correlated_columns(design.X, columns, design.n_threads)
            return products - np.outer(left.sum(axis=1), self.shift)
        return combined_rows(design.X, self.shift, columns, design.n_threads)


class RowSource(Source):
    """Rows and one target, which is in multiples of `unit`."""

    all_squares = False
    whole = False
    sum_weights = 1.0

    def __init__(
        self,
        rows: Rows,
        target: np.ndarray,
        unit: float,
    ) -> None:
        self._rows, self._target, self.unit = rows, target, unit
        self._columns = np.empty((0, len(target)))  # those in use, where they are kept
        self._correlate = rows.correlate
        self._mean_shift = rows.correlate.shift - rows.mean
        self.target_square = float(target @ target)
        self.xy = self.correlated(target)
        self.square = np.zeros(rows.n_features)  # set for the columns in use
        self.constant = np.zeros(rows.n_features, dtype=bool)
        self._most_columns = (
            _most_working(rows.design, _SMALL_WORKING),
            _most_working(rows.design, _MOST_WORKING),
        )

    def _about_mean(self, left: np.ndarray, products: np.ndarray) -> np.ndarray:
        return products + left.sum() * self._mean_shift

    def residual_of(self, coef: np.ndarray) -> np.ndarray:
        """Return the target minus its prediction from the coefficients of all features."""
        rows = self._rows
        fitted = rows.problem.design.predict(coef[None])[:, 0]
        return self._target - np.where(rows.root > 0.0, fitted, 0.0) * rows.root

    def correlated(self, residual: np.ndarray) -> np.ndarray:
        """Return the product of every column with a vector over the rows."""
        left = residual * self._rows.root
        return self._about_mean(left, self._correlate(left[None])[0])

    def again(self) -> Self:
        """Return a source for another descent at the same time."""
        other = copy(self)
        other._columns = np.empty((0, len(self._target)))
        return other

    def working_set(self) -> WorkingSet:
        """Return an empty working set."""
        return WorkingSet(self.target_square, 64)

    def columns_at_once(self, size: int) -> int:
        """Return how many columns a working set that grows to `size` takes at a time."""
        work = max(1, len(self._target) * size)
        return int(max(8, min(TAKEN_VALUES // max(size, len(self._target)), _TAKEN_WORK // work)))

    def take(self, working: ColumnSet, features: np.ndarray) -> None:
        """Add columns to a working set: write their Gram with each other and with those in use."""
        begin, end = working.size, working.size + len(features)
        self._keep_columns(working, features)
        if not isinstance(working, WorkingSet):
            self.square[features] = self._squares(begin, features)
            self._check_squares(features)
            return
        self._extend_gram(working, features)
        square = working.gram[range(begin, end), range(begin, end)]
        if not np.isfinite(square).all():
            self._rows.problem.raise_not_finite()
        constant = self._constant(features, square)
        for column in begin + np.flatnonzero(constant):
            working.gram[:end, column] = working.gram[column, :end] = 0.0
        self.square[features] = np.where(constant, 0.0, square)
        self._check_squares(features)

    def _check_squares(self, features: np.ndarray) -> None:
        """Raise ValueError if the squares of columns that are not constant underflow."""
        if self.square[features].min() <= LEAST_SQUARE:
            squares = np.ones_like(self.square)
            squares[features] = self.square[features]
            self._rows.design.check_small_squares(squares)

    def outgrown(self, size: int, patient: bool = True) -> bool:
        """Return whether a set of `size` columns is to do without a Gram.

        `patient` is False if sweeps over residuals have taken long.
        """
        return size > self._most_columns[0 if patient else 1]

    def _keep_columns(self, working: ColumnSet, features: np.ndarray) -> None:
        """Copy more columns, where they are kept."""

    def _constant(self, features: np.ndarray, square: np.ndarray) -> np.ndarray:
        """Return for each feature whether its sum of squares about the mean is rounding."""
        constant: np.ndarray = variances(square, self._rows.mean[features], 1.0) == 0.0
        return constant

    def _squares(self, begin: int, features: np.ndarray) -> np.ndarray:
        """Return the sums of squares of the columns taken last."""
        raise NotImplementedError

    def residual_sweeps(self, working: ColumnSet) -> tuple[Sweep, int]:
        """Return a sweep of the kernel over columns in use, and how many values they have."""
        raise NotImplementedError

    def _extend_gram(self, working: WorkingSet, features: np.ndarray) -> None:
        raise NotImplementedError

    def _residual(self, working: ColumnSet) -> np.ndarray:
        raise NotImplementedError

    def gradient(self, working: ColumnSet, out: np.ndarray) -> Steps:
        """Write the correlations of all columns with the residual to `out`."""
        left = self._residual(working) * self._rows.root
        out[:] = self._about_mean(left, (yield left))


class DenseRowSource(RowSource):
    """Keeps a copy of the columns in use, centred and weighted."""

    def _keep_columns(self, working: ColumnSet, features: np.ndarray) -> None:
        begin, end = working.size, working.size + len(features)
        rows = self._rows
        if end > len(self._columns):
            old = self._columns
            self._columns = np.empty((len(working.features), len(self._target)))
            self._columns[:begin] = old[:begin]
        new = self._columns[begin:end]
        new[:] = rows.design.dense_columns(features).T
        new -= rows.mean[features, None]
        new *= rows.root

    def _squares(self, begin: int, features: np.ndarray) -> np.ndarray:
        columns = self._columns[begin : begin + len(features)]
        square = np.einsum("ij,ij->i", columns, columns)
        return np.where(self._constant(features, square), 0.0, square)

    def residual_sweeps(self, working: ColumnSet) -> tuple[Sweep, int]:
        """Return a sweep of the kernel over columns in use, and how many values they have."""
        residual = self._residual(working)
        columns = self._columns[: working.size]

        def sweep(begin: int, end: int, visit: residual_sweeps.Visit) -> None:
            residual_sweeps.sweep_dense(columns, working.at.rows, residual, begin, end, visit)

        return sweep, columns.size

    def _extend_gram(self, working: WorkingSet, features: np.ndarray) -> None:
        begin, end = working.size, working.size + len(features)
        columns = self._columns
        work = len(features) * end * len(self._target)
        n_jobs = self._rows.problem.design.n_threads if work > _THREADED_WORK else 1

        def job(first: int, stop: int) -> Iterator[None]:
            column_products.extend_gram(columns, begin, end, first, stop, working.gram)
            yield

        borders = split_borders(end, n_jobs, 1.0, 4)
        run_slices([job(*part) for part in pairwise(borders)])

    def _residual(self, working: ColumnSet) -> np.ndarray:
        support = np.flatnonzero(working.coef).astype(np.int32)
        residual = self._target.copy()
        column_products.subtract_columns(self._columns, support, working.coef[support], residual)
        return residual


class SparseRowSource(RowSource):
    """Centres and weights implicitly; columns in use stay sparse."""

    def _constant(self, features: np.ndarray, square: np.ndarray) -> np.ndarray:
        # the diagonal of the Gram, computed about zero, may lose too many digits
        return self._squares(0, features) == 0.0

    def _squares(self, begin: int, features: np.ndarray) -> np.ndarray:
        rows, mean = self._rows, self._rows.mean[features]
        square = squares_about(mean, rows.design.X[:, features], rows.share, 1.0)
        return np.where(super()._constant(features, square), 0.0, square)

    def residual_sweeps(self, working: ColumnSet) -> tuple[Sweep, int]:
        """Return a sweep of the kernel over columns in use, and how many values they have."""
        rows, chosen = self._rows, working.chosen
        columns: sp.csc_matrix = rows.design.X[:, chosen]
        block = columns.multiply(rows.root[:, None]).tocsc()
        mean = rows.mean[chosen]
        residual = self._target - block @ working.coef
        shift = float(mean @ working.coef)

        def sweep(begin: int, end: int, visit: residual_sweeps.Visit) -> None:
            nonlocal shift
            shift = residual_sweeps.sweep_sparse(
                block.data, block.indices, block.indptr, mean, working.at.rows, residual, shift,
                begin, end, visit,
            )  # fmt: skip

        return sweep, block.nnz

    def _extend_gram(self, working: WorkingSet, features: np.ndarray) -> None:
        begin, end = working.size, working.size + len(features)
        rows, known = self._rows, working.features[:end]
        X, mean, share = rows.design.X, rows.mean, rows.share
        new: sp.csc_matrix = X[:, features].astype(np.float64)
        weighted = new.multiply(share[:, None]).tocsc()
        totals = np.asarray(weighted.sum(axis=0)).ravel()
        all_totals = np.asarray(X[:, known].T @ share).ravel()
        block = (weighted.T @ X[:, known]).toarray()
        block -= np.outer(totals, mean[known])
        block -= np.outer(mean[features], all_totals - mean[known])
        working.gram[begin:end, :end] = block
        working.gram[:begin, begin:end] = block[:, :begin].T

    def _residual(self, working: ColumnSet) -> np.ndarray:
        support = np.flatnonzero(working.coef)
        features, coef = working.chosen[support], working.coef[support]
        fitted = self._rows.design.X[:, features] @ coef - self._rows.mean[features] @ coef
        return self._target - np.where(self._rows.root > 0.0, fitted, 0.0) * self._rows.root
