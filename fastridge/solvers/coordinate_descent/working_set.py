"""Columns in use, and coordinate descent on their Gram as it grows."""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Self

import numpy as np

from fastridge._kernels import coordinate_descent
from fastridge.penalties.elastic_net import Penalty
from fastridge.statistics.accumulate import on_cache_lines, whole_lines, written_zeros

_FIELDS = coordinate_descent.FIELDS
_PROBLEM_FIELDS = _FIELDS[: _FIELDS.index("square") + 1]
_NAMED_FIELDS = _FIELDS[: _FIELDS.index("unit_l2") + 1]  # the others are the kernel's own
_BUDGET = 4e7  # multiplications in a kernel call, some 10 ms
_COPIED_VALUES = 1 << 21


class Coordinates:
    """A problem at its coordinates: arrays with one value for each, which are rows of one array.

    The kernels' `coordinates.pxd` names and describes them.
    """

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows
        for name, row in zip(_NAMED_FIELDS, rows, strict=False):
            setattr(self, name, row)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> np.ndarray: ...

    @classmethod
    def of_all(cls, xy: np.ndarray, square: np.ndarray, penalty: Penalty) -> Self:
        """Return those of all features, where every coefficient is zero."""
        at = cls(np.zeros((len(_PROBLEM_FIELDS), len(xy))))
        at.gradient[:] = at.xy[:] = xy
        at.lower[:], at.upper[:], at.square[:] = penalty.lower, penalty.upper, square
        return at

    def of_problem(self) -> Self:
        """Return a copy of what describes the problem."""
        return type(self)(self.rows[: len(_PROBLEM_FIELDS)].copy())

    def set_alpha(self, penalty: Penalty, alpha: float) -> None:
        """Write the penalties at this alpha."""
        np.multiply(penalty.l1, alpha, out=self.l1)
        np.multiply(penalty.l2, alpha, out=self.l2)


class ColumnSet:
    """Columns in use and their coordinates; room for more is made by `reserve`.

    Attributes
    ----------
    size : int
    features : ndarray of int of shape (capacity,)
        The first `size` of them are in use.
    at : Coordinates
        Of the columns in use, and room for `capacity`.
    """

    size: int
    features: np.ndarray
    at: Coordinates

    @property
    def chosen(self) -> np.ndarray:
        """Features whose columns are in the set, in order."""
        return self.features[: self.size]

    @property
    def coef(self) -> np.ndarray:
        """The coefficients of the features in the set."""
        return self.at.coef[: self.size]

    def _widen(self, new: int) -> None:
        """Make room for `new` features and their coordinates."""
        self.features = np.resize(self.features, new)
        old = self.at.rows
        rows = written_zeros(len(old), new)
        rows[:, : old.shape[1]] = old
        self.at = Coordinates(rows)

    def add(self, features: np.ndarray, outer: Coordinates) -> None:
        """Take in columns that stand in `features`; `outer` are the coordinates of all."""
        begin, end = self.size, self.size + len(features)
        self.at.rows[: len(_PROBLEM_FIELDS), begin:end] = outer.rows[:, features]
        self.size = end

    def start(self, outer: Coordinates) -> None:
        """Begin with other penalties, taken from the coordinates of all features."""
        m, chosen = self.size, self.chosen
        self.at.l1[:m] = outer.l1[chosen]
        self.at.l2[:m] = outer.l2[chosen]
        self.start_again()

    def start_again(self) -> None:
        """Continue at the same penalties with more columns: another dual problem."""
        raise NotImplementedError


def _grown(old: np.ndarray, used: int, size: int) -> Generator[None, None, np.ndarray]:
    """Return a square matrix of this size that begins with the used rows and columns of `old`."""
    new = on_cache_lines(size, size)
    step = max(1, _COPIED_VALUES // max(used, 1))
    for row in range(0, used, step):
        end = min(row + step, used)
        new[row:end, :used] = old[row:end, :used]
        if used > step:
            yield
    return new


class WorkingSet(ColumnSet):
    """Columns in use, their Gram and coordinates, and the Cholesky factor of the active set.

    Parameters
    ----------
    target_square : float
        ``|y|^2`` in the units of the Gram.
    capacity : int
        Columns to make room for at first.
    gram : ndarray of shape (capacity, whole_lines(capacity)), optional
        The Gram of all columns, used in place.
    """

    def __init__(self, target_square: float, capacity: int, gram: np.ndarray | None = None) -> None:
        self.size = 0
        capacity = whole_lines(capacity)
        self.gram = on_cache_lines(capacity, capacity) if gram is None else gram
        self.features = np.empty(capacity, dtype=np.int32)
        self.at = Coordinates(written_zeros(len(_FIELDS), capacity))
        self._factor = on_cache_lines(capacity, capacity)
        self._member = np.empty(capacity, dtype=np.int32)
        self._position = np.full(capacity, -1, dtype=np.int32)
        self._progress = coordinate_descent.Progress(target_square)
        self._schedule = coordinate_descent.Schedule(_BUDGET)

    def emptied(self) -> Self:
        """Return itself as it was in the beginning; the Gram is kept."""
        self.size = 0
        self.at.rows[:] = 0.0
        self._position[:] = -1
        self._progress = coordinate_descent.Progress(self._progress.target_square)
        return self

    @property
    def iterations(self) -> int:
        """Sweeps and Newton steps since `start`."""
        return self._progress.iterations

    @property
    def gap(self) -> float:
        """Duality gap of the problem in these columns alone."""
        return self._progress.primal - self._progress.dual

    def add_all(self, outer: Coordinates) -> None:
        """Take in the columns of all features, whose Gram is that of the set."""
        m = self.size = outer.rows.shape[1]
        self.features[:m] = np.arange(m)
        self.at.rows[: len(_PROBLEM_FIELDS), :m] = outer.rows

    def reserve(self, size: int) -> Iterator[None]:
        """Make room for `size` columns; a step copies a bounded part of what there is."""
        capacity = len(self.features)
        if size <= capacity:
            return
        new = whole_lines(max(size, capacity + capacity // 2 + 16))
        self.gram = yield from _grown(self.gram, self.size, new)
        self._factor = yield from _grown(self._factor, self._progress.order, new)
        self._widen(new)
        self._member = np.resize(self._member, new)
        position = np.full(new, -1, dtype=np.int32)
        position[:capacity] = self._position
        self._position = position

    def start(self, outer: Coordinates) -> None:
        """Begin with other penalties, taken from the coordinates of all features."""
        super().start(outer)
        self._progress.iterations, self._progress.sweep_next = 0, False

    def start_again(self) -> None:
        """Continue at the same penalties with more columns: another dual problem."""
        self._progress.dual, self._progress.settling_sweeps = -np.inf, 0

    def descend(self, tolerance: float, max_iter: int) -> bool:
        """Run one bounded slice; True once the gap of these columns is within tolerance.

        False also after `max_iter` iterations since `start`.
        """
        self._progress.tolerance, self._schedule.max_iterations = tolerance, max_iter
        return coordinate_descent.descend(
            self.gram,
            self.size,
            self.at.rows,
            self._factor,
            self._member,
            self._position,
            self._progress,
            self._schedule,
        )

    def begin_path(self, penalty: Penalty, max_iter: int) -> None:
        """Prepare `follow`, where the set holds all features in order."""
        self.at.unit_l1[: self.size] = penalty.l1
        self.at.unit_l2[: self.size] = penalty.l2
        self._progress.point, self._progress.begun = 0, False
        self._schedule.max_iterations = max_iter

    def follow(self, points: np.ndarray, coefs_out: np.ndarray) -> bool:
        """Run one bounded slice along the `points` of a path; True once all are done."""
        return coordinate_descent.follow(
            self.gram,
            self.at.rows,
            self._factor,
            self._member,
            self._position,
            points,
            coefs_out,
            self._progress,
            self._schedule,
        )
