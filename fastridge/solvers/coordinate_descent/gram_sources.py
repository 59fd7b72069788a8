"""Give coordinate descent columns and correlations from a Gram of all columns.

`row_sources` gives them from the rows.
"""

from collections.abc import Callable, Generator
from math import frexp, ldexp
from typing import Self, TypeAlias, TypeVar

import numpy as np

from fastridge._kernels import column_products, residual_sweeps
from fastridge._kernels import gram as _gram
from fastridge.designs.design import Design
from fastridge.runtime.threads import call_once_over
from fastridge.solvers.coordinate_descent.working_set import ColumnSet, WorkingSet
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import (
    on_cache_lines,
    whole_lines,
)

T = TypeVar("T")
StepsTo: TypeAlias = Generator[np.ndarray | None, np.ndarray, T]
"""A descent as a generator that returns a T.

It yields a vector over the rows and is sent the product of every column with it, or it yields None
to pause between two slices of work.
"""
Steps: TypeAlias = StepsTo[None]
Sweep: TypeAlias = Callable[[int, int, residual_sweeps.Visit], None]
"""Visits columns in use, from one position to another."""

_PLAIN_SIZE = 1e-60  # of y; it is scaled only if smaller, or larger than the inverse
_FEW_COLUMNS = 512  # of a Gram: all of them are worked on at once
GRAM_SHARE = 2.0  # of the memory of X that Grams may take
_SMALL_GRAM = 8 << 20  # bytes of a Gram of all columns that is always computed
_SMALL_GRAMS = 128 << 20  # bytes of the Grams of splits that are always computed
TAKEN_VALUES = 1 << 20  # of new columns, or of their Gram, at a time


def gram_pays(design: Design) -> bool:
    """Return whether to compute the Gram of all columns from the rows.

    That needs at least as many rows with weight as columns, and memory for the Gram of at most
    `GRAM_SHARE` times that of X, or `_SMALL_GRAM`: the Gram of very sparse columns has more values
    than X.
    """
    return design.n_counted >= design.shape[1] and _grams_fit(design, 1, _SMALL_GRAM)


def _grams_fit(design: Design, n_grams: float, least: float = _SMALL_GRAMS) -> bool:
    """Return whether `n_grams` Grams fit in their memory: `GRAM_SHARE` of X, or `least`."""
    return 8.0 * n_grams * design.shape[1] ** 2 <= max(least, GRAM_SHARE * design.nbytes)


def splits_at_once(design: Design, n_splits: int) -> int:
    """Return how many splits have their Grams in memory at a time, or 0 if all have.

    A path may need a working set as large as its Gram, and a factor.
    """
    if _grams_fit(design, 2 * n_splits + 1 + 3 * design.n_threads):
        return 0
    held = 1
    while held < min(n_splits, design.n_threads) and _grams_fit(design, 1 + 3 * (held + 1)):
        held += 1
    return held


def whole_rows(matrix: np.ndarray) -> np.ndarray | None:
    """Return the memory of a square matrix as rows that include the padding after each row.

    Return None if the rows are not contiguous, or if the last row has less padding.
    """
    owner: object = matrix if matrix.base is None else matrix.base
    if not isinstance(owner, np.ndarray):
        return None
    if not owner.flags.c_contiguous or not len(matrix):
        return None
    step, itemsize = matrix.strides
    if itemsize != matrix.itemsize or step % itemsize or step < len(matrix) * itemsize:
        return None
    begin = matrix.ctypes.data - owner.ctypes.data
    if begin + step * len(matrix) > owner.nbytes:
        return None
    shape = len(matrix), step // itemsize
    return np.lib.stride_tricks.as_strided(matrix, shape, (step, itemsize))


def unit_of(size: float) -> float:
    """Return the power of two nearest to `size`, or 1 if the square of `size` is safe."""
    if _PLAIN_SIZE < size < 1.0 / _PLAIN_SIZE or not 0.0 < size < np.inf:
        return 1.0
    digits, exponent = frexp(size)
    return ldexp(1.0, exponent - (digits < 0.5**0.5))


class Gram:
    """X'X of all columns about their centre, divided by `sum_weights` or not.

    Parameters
    ----------
    problem : Problem
        Gives the Gram matrix, the cross-products and `fit_intercept`.
    in_place : bool, default=False
        Write to the memory of the problem's Gram matrix, below its diagonal, if there are too many
        columns to work on all of them at once.
    """

    def __init__(self, problem: Problem, in_place: bool = False) -> None:
        upper, xy = problem.design.gram, problem.xy
        p = len(upper)
        rows = whole_rows(upper) if in_place and p > _FEW_COLUMNS else None
        mean = rows is None  # otherwise sums, as in the problem, whose memory is used
        if rows is None:
            rows = on_cache_lines(p, whole_lines(p))
            rows[:, p:] = 0.0
        self.rows = rows
        call_once_over(p * p, _gram.mirror_upper, upper, self.rows)
        self.values = self.rows[:, :p]
        self.xy, self.target_squares = np.ascontiguousarray(xy.T), problem.target_squares
        self.sum_weights = problem.design.sum_weights
        if mean:
            self.rows /= self.sum_weights
            self.xy = self.xy / self.sum_weights
            self.target_squares = self.target_squares / self.sum_weights
            self.sum_weights = 1.0
        self.square = self.values.diagonal().copy()
        self.constant = self.square <= 0.0
        if problem.design.fit_intercept:
            self.constant |= problem.design.variances <= 0.0

    def source(self, target: int) -> "GramSource":
        """Return the source of a descent on this target."""
        return GramSource(self, self.xy[target], float(self.target_squares[target]))


class Source:
    """The values that coordinate descent reads, from a Gram or from rows.

    `xy` and `target_square` are those of y / `unit`, summed over rows whose weights sum to
    `sum_weights`.
    """

    all_squares: bool  # whether `square` holds those of all columns, not only of those in use
    whole: bool  # whether a working set holds all columns from the start

    sum_weights: float
    unit: float
    target_square: float
    xy: np.ndarray
    square: np.ndarray
    constant: np.ndarray

    def again(self) -> Self:
        """Return a source for another descent at the same time."""
        raise NotImplementedError

    def working_set(self) -> WorkingSet:
        """Return an empty working set."""
        raise NotImplementedError

    def take_back(self, working: ColumnSet) -> None:
        """Keep a working set that is no longer needed for the next descent."""

    def columns_at_once(self, size: int) -> int:
        """Return how many columns a working set that grows to `size` takes at a time."""
        raise NotImplementedError

    def outgrown(self, size: int, patient: bool = True) -> bool:
        """Return whether a set of `size` columns is to do without a Gram.

        Not `patient` where sweeps over residuals have taken long.
        """
        raise NotImplementedError

    def take(self, working: ColumnSet, features: np.ndarray) -> None:
        """Add columns to a working set: write their Gram with each other and with those in use."""
        raise NotImplementedError

    def residual_sweeps(self, working: ColumnSet) -> tuple[Sweep, int]:
        """Return a sweep of the kernel over columns in use, and how many values they have."""
        raise NotImplementedError

    def gradient(self, working: ColumnSet, out: np.ndarray) -> Steps:
        """Write the correlations of all columns with the residual to `out`."""
        raise NotImplementedError

    @property
    def gap_unit(self) -> float:
        """The gap of the objective for a gap of 1 in the units of this source."""
        return self.unit * self.unit / self.sum_weights

    @property
    def mean_square(self) -> float:
        """``|y|^2 / n``."""
        return self.target_square * self.gap_unit


class GramSource(Source):
    """A Gram and one target."""

    all_squares = True

    def __init__(self, gram: Gram, xy: np.ndarray, target_square: float) -> None:
        self._gram = gram
        self.sum_weights = gram.sum_weights
        self.unit = unit_of((target_square / gram.sum_weights) ** 0.5)
        self.xy, self.target_square = xy / self.unit, target_square / self.unit / self.unit
        self.square, self.constant = gram.square, gram.constant
        self.whole = len(xy) <= _FEW_COLUMNS
        self._spare: list[WorkingSet] = []  # of descents that have ended, to reuse their memory

    def again(self) -> Self:
        """Return a source for another descent at the same time."""
        return self

    def working_set(self) -> WorkingSet:
        """Return an empty working set."""
        if self._spare:
            return self._spare.pop().emptied()
        if self.whole:
            return WorkingSet(self.target_square, len(self.xy), self._gram.rows)
        return WorkingSet(self.target_square, 64)

    def take_back(self, working: ColumnSet) -> None:
        """Keep a working set that is no longer needed for the next descent."""
        if self.whole and isinstance(working, WorkingSet):
            self._spare.append(working)

    def columns_at_once(self, size: int) -> int:
        """Return how many columns a working set that grows to `size` takes at a time."""
        return max(16, TAKEN_VALUES // size)

    def outgrown(self, size: int, patient: bool = True) -> bool:
        """Return whether a set of `size` columns is too large for a Gram."""
        return False

    def take(self, working: ColumnSet, features: np.ndarray) -> None:
        """Add columns to a working set: write their Gram with each other and with those in use."""
        begin, end = working.size, working.size + len(features)
        assert isinstance(working, WorkingSet)
        block = self._gram.values[features[:, None], working.features[:end]]
        working.gram[begin:end, :end] = block
        working.gram[:begin, begin:end] = block[:, :begin].T

    def gradient(self, working: ColumnSet, out: np.ndarray) -> Steps:
        """Write the correlations of all columns with the residual to `out`."""
        out[:] = self.xy
        support = np.flatnonzero(working.coef)
        column_products.subtract_columns(
            self._gram.rows, working.chosen[support], working.coef[support], out
        )
        yield from ()  # a generator, as that of rows is
