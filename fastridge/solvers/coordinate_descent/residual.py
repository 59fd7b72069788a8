"""Coordinate descent on the residuals of a set of columns that is too large for its Gram.

Sweeps over all columns alternate with several over those with coefficients; each costs the values
of the columns it visits.
"""

from collections.abc import Iterator

import numpy as np

from fastridge._kernels import coordinate_descent, residual_sweeps
from fastridge.solvers.coordinate_descent.gram_sources import Source
from fastridge.solvers.coordinate_descent.working_set import ColumnSet, Coordinates, WorkingSet

_Visit = residual_sweeps.Visit
_SUPPORT_SWEEPS = 8
_SLICE_VALUES = 1 << 23  # of columns that are read in a slice, some 10 ms


class ResidualSet(ColumnSet):
    """The interface of `WorkingSet`, without a Gram.

    Parameters
    ----------
    working : WorkingSet
        Whose columns and coefficients it takes over.
    source : RowSource
    """

    gram = None

    def __init__(self, working: WorkingSet, source: Source) -> None:
        self.size, self.features = working.size, working.features
        self.at = working.at.of_problem()
        self._source = source
        self.iterations = 0  # sweeps since `start`
        self._best_dual = -np.inf
        self.gap = np.inf
        self._slices: Iterator[bool] | None = None

    def reserve(self, size: int) -> Iterator[None]:
        """Make room for `size` columns."""
        capacity = len(self.features)
        if size > capacity:
            self._widen(max(size, capacity + capacity // 2))
        return iter(())

    def start(self, outer: Coordinates) -> None:
        """Begin with other penalties, taken from the coordinates of all features."""
        super().start(outer)
        self.iterations = 0

    def start_again(self) -> None:
        """Continue at the same penalties with more columns: another dual problem."""
        self._best_dual, self.gap = -np.inf, np.inf
        self._slices = None

    def descend(self, tolerance: float, max_iter: int) -> bool:
        """Run one bounded slice; True once the gap of these columns is within tolerance."""
        if self._slices is None:
            self._slices = self._run(tolerance, max_iter)
        reached = next(self._slices, None)
        if reached is None:
            self._slices = None
        return bool(reached)

    def _run(self, tolerance: float, max_iter: int) -> Iterator[bool]:
        sweep, values = self._source.residual_sweeps(self)
        step = max(1, _SLICE_VALUES // max(1, values // max(1, self.size)))

        def visit(what: _Visit) -> Iterator[bool]:
            for begin in range(0, self.size, step):
                sweep(begin, min(begin + step, self.size), what)
                yield False

        while self.iterations < max_iter:
            yield from visit(_Visit.ALL)
            self.iterations += 1
            for _ in range(min(_SUPPORT_SWEEPS, max_iter - self.iterations)):
                yield from visit(_Visit.SUPPORT)
                self.iterations += 1
            yield from visit(_Visit.GRADIENTS)
            target_square = self._source.target_square
            primal, dual = coordinate_descent.duality(self.at.rows, self.size, target_square)
            self._best_dual = max(self._best_dual, dual)
            self.gap = primal - self._best_dual
            if self.gap <= tolerance:
                self._slices = None
                yield True
                return
            yield False
