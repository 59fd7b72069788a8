"""The gap of an elastic net in which some features have neither penalty nor bounds.

A dual point must be orthogonal to their columns X_F. With Q the projection onto these,

    P(w) = |Q (y - X w)|^2 / 2  +  P of (1 - Q) y on (1 - Q) X at the other coefficients

and the first term is how far the free coefficients are above their minimum given the others.
"""

from collections.abc import Callable

import numpy as np

from fastridge._kernels import coordinate_descent
from fastridge.penalties.elastic_net import Penalty
from fastridge.runtime.threads import call_lapack
from fastridge.solvers.coordinate_descent.certificate import lengths
from fastridge.solvers.coordinate_descent.gram_sources import Gram, Source
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.row_sources import Rows, RowSource
from fastridge.solvers.coordinate_descent.working_set import Coordinates
from fastridge.solvers.problem import Problem

Project = Callable[[np.ndarray], tuple[np.ndarray, float]]

_EPS = float(np.finfo(np.float64).eps)
_BASIS_VALUES = 1 << 25
_CONDITIONED = 1e-9  # the least eigenvalue with which the Gram gives a basis


def free_features(penalty: Penalty) -> np.ndarray:
    """Return the indices of features without penalty and bounds."""
    if penalty.l1.all():
        return np.empty(0, dtype=np.intp)
    bounded = np.isfinite(penalty.lower) | np.isfinite(penalty.upper)
    free: np.ndarray = np.flatnonzero((penalty.l1 == 0.0) & (penalty.l2 == 0.0) & ~bounded)
    return free


class FreeFeatures:
    """Gaps of one target's solutions.

    Parameters
    ----------
    data : Gram or Rows
    problem : Problem
        Where `data` is a Gram in which the free features are nearly collinear, its rows are taken.
    target : int
    source : GramSource or RowSource
        Of the target, from `data`.
    penalty : Penalty
    free : ndarray of int
    """

    def __init__(
        self,
        data: Gram | Rows,
        problem: Problem,
        target: int,
        source: Source,
        penalty: Penalty,
        free: np.ndarray,
    ) -> None:
        self._free = free
        self._least = 1.0  # value of the Gram of the free features, at unit lengths
        if isinstance(data, Gram):
            project = self._of_gram(data, source)
            if project is None and problem.design.has_rows:
                data = Rows(problem)
                source = data.source(target)
        if isinstance(data, Rows):
            assert isinstance(source, RowSource)
            project = self._of_rows(data, source)
        self._source, self._project = source, project
        self._penalty = penalty.in_units(source.sum_weights, source.unit)
        self._length = lengths(problem) * (source.sum_weights / problem.design.sum_weights) ** 0.5
        self.xy: np.ndarray | None = None  # products with what the free features leave of y
        if project is not None:
            self.xy, explained = project(np.zeros(len(source.xy)))
            self.xy *= source.unit
            self._square = max(0.0, source.target_square - explained)

    def _of_gram(self, gram: Gram, source: Source) -> Project | None:
        free, values = self._free, gram.values
        length = np.sqrt(np.where(gram.square[free] > 0.0, gram.square[free], 1.0))
        block = values[np.ix_(free, free)] / length / length[:, None]
        found, vectors = call_lapack(len(free), np.linalg.eigh, block)
        kept = found > 0.0
        if not found[kept].min(initial=1.0) > _CONDITIONED:
            return None
        self._least = float(found[kept].min(initial=1.0))
        # columns of an orthogonal basis of X_F, as combinations of its columns
        root = vectors[:, kept] / np.sqrt(found[kept]) / length[:, None]
        cross = values[:, free] @ root

        def project(coef: np.ndarray) -> tuple[np.ndarray, float]:
            gradient = source.xy - values @ coef
            along = root.T @ gradient[free]
            return gradient - cross @ along, float(along @ along)

        return project

    def _of_rows(self, rows: Rows, source: RowSource) -> Project | None:
        free, problem = self._free, rows.problem
        if len(rows.root) * len(free) > _BASIS_VALUES:
            return None
        columns = problem.design.centred_columns(free, rows.root)
        columns[rows.root == 0.0] = 0.0
        length = np.sqrt((columns * columns).sum(axis=0))
        columns /= np.where(length > 0.0, length, 1.0)
        basis, found, _ = call_lapack(
            min(columns.shape), np.linalg.svd, columns, full_matrices=False
        )
        basis = basis[:, found > max(columns.shape) * _EPS * found[0]]

        def project(coef: np.ndarray) -> tuple[np.ndarray, float]:
            residual = source.residual_of(coef)
            along = basis.T @ residual
            return source.correlated(residual - basis @ along), float(along @ along)

        return project

    def gap(self, point: Point) -> float:
        """Return the gap of a solution; NaN if neither statistics nor rows can give it."""
        source = self._source
        if self._project is None or self.xy is None:
            return np.nan
        at = Coordinates.of_all(source.xy, source.square, self._penalty)
        at.set_alpha(self._penalty, point.alpha)
        at.coef[point.features] = point.coef / source.unit
        size = source.target_square**0.5 + float(self._length @ np.abs(at.coef))
        hidden = 4.0 * _EPS * size / self._least**0.5
        at.gradient[:], above = self._project(at.coef)
        at.xy[:] = self.xy / source.unit
        at.coef[self._free] = at.gradient[self._free] = at.xy[self._free] = 0.0
        primal, dual = coordinate_descent.duality(at.rows, len(at.coef), self._square)
        gap: float = max(0.0, primal - dual) + 0.5 * (above**0.5 + hidden) ** 2
        return gap * source.gap_unit
