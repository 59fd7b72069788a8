"""Descent on the Gram of a growing set of columns."""

from collections.abc import Generator, Iterator
from typing import Any, Self

import numpy as np

from fastridge._kernels import descent
from fastridge.penalties.elastic_net import Penalty
from fastridge.statistics.accumulate import on_cache_lines, whole_lines, written_zeros

_ROWS = descent.state_rows()
_COUNTS = descent.count_names()
_ORDER, _SWEEPS, _SWEEP_NEXT, _SETTLED, _ROW = (
    _COUNTS.index(name) for name in ("order", "sweeps", "sweep_next", "settled", "row")
)
COEF, GRADIENT, XY, L1, L2, LOWER, UPPER, SQUARE = range(8)
N_OUTER_ROWS = 8  # those that describe the problem; the others are the kernel's own
_BUDGET = 4e7  # multiplications a call, some 10 ms
_COPIED_VALUES = 1 << 21


def outer_state(source: Any, penalty: Penalty) -> np.ndarray:
    """The state of all features where no coefficient is other than zero."""
    outer = np.zeros((N_OUTER_ROWS, len(source.xy)))
    outer[GRADIENT] = outer[XY] = source.xy
    outer[LOWER], outer[UPPER], outer[SQUARE] = penalty.lower, penalty.upper, source.square
    return outer


def set_alpha(outer: np.ndarray, penalty: Penalty, alpha: float) -> None:
    """Write the penalties at this alpha."""
    np.multiply(penalty.l1, alpha, out=outer[L1])
    np.multiply(penalty.l2, alpha, out=outer[L2])


def _grown(old: np.ndarray, used: int, size: int) -> Generator[None, None, np.ndarray]:
    """A square matrix of this size whose first rows and columns are those in use of `old`."""
    new = on_cache_lines(size, size)
    step = max(1, _COPIED_VALUES // max(used, 1))
    for row in range(0, used, step):
        end = min(row + step, used)
        new[row:end, :used] = old[row:end, :used]
        if used > step:
            yield
    return new


class WorkingSet:
    """Columns in use, their Gram and state, and the Cholesky factor of their support.

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
        self.state = written_zeros(len(_ROWS), capacity)
        self._factor = on_cache_lines(capacity, capacity)
        self._places = np.full((2, capacity), -1, dtype=np.int32)
        self._figures = np.array([target_square, 0.0, 0.0, -np.inf])
        self._counts = np.zeros(len(_COUNTS), dtype=np.intp)
        self._counts[_COUNTS.index("raised")] = -1

    def emptied(self) -> Self:
        """Itself as it was in the beginning; the Gram is kept."""
        self.size = 0
        self.state[:] = 0.0
        self._places[:] = -1
        self._figures[1:] = 0.0, 0.0, -np.inf
        self._counts[:] = 0
        self._counts[_COUNTS.index("raised")] = -1
        return self

    @property
    def chosen(self) -> np.ndarray:
        """Features whose columns are in the set, in order."""
        return self.features[: self.size]

    @property
    def coef(self) -> np.ndarray:
        """Their coefficients."""
        return self.state[COEF, : self.size]

    @property
    def sweeps(self) -> int:
        """Sweeps since `start`."""
        return int(self._counts[_SWEEPS])

    def reserve(self, size: int) -> Iterator[None]:
        """Make room for so many columns; a step copies a bounded part of what there is."""
        capacity = len(self.features)
        if size <= capacity:
            return
        new = whole_lines(max(size, capacity + capacity // 2 + 16))
        self.gram = yield from _grown(self.gram, self.size, new)
        self._factor = yield from _grown(self._factor, int(self._counts[_ORDER]), new)
        self.features = np.resize(self.features, new)
        state = written_zeros(len(_ROWS), new)
        state[:, :capacity] = self.state
        self.state = state
        places = np.full((2, new), -1, dtype=np.int32)
        places[:, :capacity] = self._places
        self._places = places

    def add(self, features: np.ndarray, outer: np.ndarray) -> None:
        """Take in columns that stand in `features` and `gram`; `outer` is the state of all."""
        begin, end = self.size, self.size + len(features)
        self.state[:N_OUTER_ROWS, begin:end] = outer[:, features]
        self.state[_ROWS.index("ridge"), begin:end] = outer[L2, features]
        self.size = end

    def start(self, outer: np.ndarray) -> None:
        """Begin with other penalties, taken from the state of all features."""
        m = self.size
        chosen = self.features[:m]
        self.state[L1, :m] = outer[L1, chosen]
        self.state[L2, :m] = outer[L2, chosen]
        self._figures[3] = -np.inf
        self._counts[[_SWEEPS, _SWEEP_NEXT, _SETTLED]] = 0

    def start_again(self) -> None:
        """Go on at the same penalties with more columns: another dual problem."""
        self._figures[3] = -np.inf
        self._counts[_SETTLED] = 0

    def descend(self, tolerance: float, max_sweeps: int) -> bool:
        """One bounded slice of descent; True once the gap of these columns is within tolerance.

        False also after `max_sweeps` sweeps since `start`.
        """
        self._figures[1] = tolerance
        return bool(
            descent.descend(
                self.gram,
                self.size,
                self.state,
                self._factor,
                self._places,
                self._figures,
                self._counts,
                max_sweeps,
                _BUDGET,
            )
        )

    def begin_path(self, penalty: Penalty) -> None:
        """Prepare `follow`, where the set holds all features in order."""
        self.state[_ROWS.index("unit_l1"), : self.size] = penalty.l1
        self.state[_ROWS.index("unit_l2"), : self.size] = penalty.l2
        self._counts[_ROW] = -1

    def follow(self, path: np.ndarray, max_sweeps: int) -> bool:
        """One bounded slice of descent along the rows of `path`; True once all are done."""
        return bool(
            descent.follow(
                self.gram,
                self.size,
                self.state,
                self._factor,
                self._places,
                self._figures,
                self._counts,
                path,
                max_sweeps,
                _BUDGET,
            )
        )

    @property
    def gap(self) -> float:
        """Duality gap of the problem in these columns alone."""
        return float(self._figures[2] - self._figures[3])
