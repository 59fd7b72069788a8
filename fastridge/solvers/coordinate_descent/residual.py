"""Descent on the residuals of a set of columns that is too large for its Gram.

Sweeps over all columns alternate with several over those with coefficients; each costs the values
of the columns it visits.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastridge._kernels import descent
from fastridge.solvers.coordinate_descent.working_set import (
    COEF,
    L1,
    L2,
    N_OUTER_ROWS,
    WorkingSet,
)

_ALL, _SUPPORT, _GRADIENTS = 0, 1, 2  # what a sweep visits, as in the kernel
_SUPPORT_SWEEPS = 8
_SLICE_VALUES = 1 << 23  # of columns that are read in a slice, some 10 ms


class ResidualSet:
    """The interface of `WorkingSet`, without a Gram.

    Parameters
    ----------
    working : WorkingSet
        Whose columns and coefficients it takes over.
    source : RowSource
    """

    gram = None

    def __init__(self, working: WorkingSet, source: Any) -> None:
        self.size, self.features = working.size, working.features
        self.state = working.state[:N_OUTER_ROWS].copy()
        self._source = source
        self._sweeps = 0
        self._best_dual = -np.inf
        self.gap = np.inf
        self._descent: Iterator[bool] | None = None

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
        return self._sweeps

    def reserve(self, size: int) -> Iterator[None]:
        """Make room for so many columns."""
        capacity = len(self.features)
        if size > capacity:
            new = max(size, capacity + capacity // 2)
            self.features = np.resize(self.features, new)
            state = np.zeros((N_OUTER_ROWS, new))
            state[:, :capacity] = self.state
            self.state = state
        return iter(())

    def add(self, features: np.ndarray, outer: np.ndarray) -> None:
        """Take in columns that stand in `features`; `outer` is the state of all."""
        begin, end = self.size, self.size + len(features)
        self.state[:, begin:end] = outer[:, features]
        self.size = end

    def start(self, outer: np.ndarray) -> None:
        """Begin with other penalties, taken from the state of all features."""
        for row in (L1, L2):
            self.state[row, : self.size] = outer[row, self.chosen]
        self._sweeps = 0
        self.start_again()

    def start_again(self) -> None:
        """Go on at the same penalties with more columns: another dual problem."""
        self._best_dual, self.gap = -np.inf, np.inf
        self._descent = None

    def descend(self, tolerance: float, max_sweeps: int) -> bool:
        """One bounded slice of descent; True once the gap of these columns is within tolerance."""
        if self._descent is None:
            self._descent = self._slices(tolerance, max_sweeps)
        reached = next(self._descent, None)
        if reached is None:
            self._descent = None
        return bool(reached)

    def _slices(self, tolerance: float, max_sweeps: int) -> Iterator[bool]:
        sweep, values = self._source.residual_sweeps(self)
        state = self.state[:, : self.size]
        step = max(1, _SLICE_VALUES // max(1, values // max(1, self.size)))

        def visit(mode: int) -> Iterator[bool]:
            for begin in range(0, self.size, step):
                sweep(begin, min(begin + step, self.size), mode)
                yield False

        while self._sweeps < max_sweeps:
            yield from visit(_ALL)
            for _ in range(_SUPPORT_SWEEPS):
                yield from visit(_SUPPORT)
            self._sweeps += 1 + _SUPPORT_SWEEPS
            yield from visit(_GRADIENTS)
            primal, dual = descent.duality(np.ascontiguousarray(state), self._source.target_square)
            self._best_dual = max(self._best_dual, dual)
            self.gap = primal - self._best_dual
            if self.gap <= tolerance:
                self._descent = None
                yield True
                return
            yield False
