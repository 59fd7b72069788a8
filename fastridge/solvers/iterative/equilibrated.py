"""The ridge problem in other units, seen only through products of X with vectors.

With d_j = (|x_j|^2 + penalty_j)^1/2, x_j centred and weighted, and any lengths m_j:

    minimise over v     |R (y - X v / m)|^2 + sum_j penalty_j / m_j^2 v_j^2,     coef = v / m

A solver chooses m, which only decides how fast it converges. It stops by the gradient of
coef * d, in which every column has length one, so that units decide nothing. A few columns without
a penalty can be projected out of the others and of y, and fitted at the end.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg

from fastridge.runtime.threads import call_lapack, call_once_over
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.problem import Problem

_FREE_VALUES = 1 << 22  # of columns without a penalty that are projected out: 32 MB
_FAR = 1e3  # of a mean to the standard deviation, from which products lose too many digits


def powers_of_two(values: np.ndarray) -> np.ndarray:
    """Return the powers of two next above positive values, 1 for zeros: division is exact."""
    rounded = np.ldexp(1.0, np.frexp(values)[1])
    return np.where(values > 0.0, rounded, 1.0)


class Equilibrated:
    """Products with R X / m for the vectors in the columns of C-ordered arrays.

    Parameters
    ----------
    problem : Problem
    alphas : ndarray of shape (n_vectors,)
        Penalty on the sum of squares for each vector.
    targets : ndarray of shape (n_vectors,)
        The target of each vector.

    Attributes
    ----------
    row : ndarray of shape (n_samples, 1)
        R, the roots of the weights.
    Y : ndarray of shape (n_samples, n_vectors)
        Centred and weighted targets, divided by `y_size`.
    unit : ndarray of shape (n_features, n_vectors or 1)
        d, to a factor of two.
    """

    def __init__(self, problem: Problem, alphas: np.ndarray, targets: np.ndarray) -> None:
        problem.check_range()
        design = problem.design
        self.problem, self.design = problem, design
        self.alphas = alphas
        self.row = np.ones((design.shape[0], 1)) if design.root is None else design.root[:, None]
        self.take_targets(targets)
        self._take_apart()
        self._basis = np.empty((len(self.row), 0))
        self.squares = design.squares
        # the coefficients of constant features are zero
        self.varies = (self.squares > 0.0)[:, None]
        root = np.sqrt(alphas[:1] if (alphas == alphas[0]).all() else alphas)
        self._root_penalty = np.sqrt(problem.scale)[:, None] * root
        self.unit = powers_of_two(np.maximum(np.sqrt(self.squares)[:, None], self._root_penalty))
        self.measure_by(self.unit)

    def take_targets(self, targets: np.ndarray) -> None:
        """Set the target of each vector."""
        problem = self.problem
        self.Y = np.ascontiguousarray(problem.loss.Y[:, targets] - problem.y_centre[targets])
        self.Y *= self.row
        self.y_size = powers_of_two(np.sqrt((self.Y * self.Y).sum(axis=0)))
        self.Y /= self.y_size

    def project_out_free(self) -> None:
        """Project the columns without a penalty out of the others and y, if they are few."""
        free = np.flatnonzero((self.problem.scale == 0.0) & self.varies[:, 0])
        n, left = len(self.row), np.count_nonzero(self.varies) - len(free)
        if not len(free) or not left or n * len(free) > _FREE_VALUES:
            return
        columns = self.design.centred_columns(free, self.row[:, 0])
        length = np.sqrt(self.squares[free])
        Q, R, order = call_lapack(
            len(free), scipy.linalg.qr, columns / length, mode="economic", pivoting=True
        )
        rank = int(np.count_nonzero(np.abs(R.diagonal()) > rounding(n) * abs(R[0, 0])))
        self._basis, self._triangle = Q[:, :rank], R[:rank, :rank]
        self._free, self._free_length = free[order[:rank]], length[order[:rank]]
        self._whole_Y = self.Y
        self.Y = self.Y - self._basis @ (self._basis.T @ self.Y)
        self.varies = self.varies.copy()
        self.varies[free] = False
        self.measure_by(self.unit)

    def measure_by(self, lengths: np.ndarray) -> None:
        """Set m, of shape (n_features, n_vectors or 1)."""
        self._inverse = self.varies / lengths
        self._by_unit = lengths / self.unit
        self.penalty = (self._root_penalty / lengths) ** 2

    @property
    def in_units_of_columns(self) -> bool:
        """Return whether every column has length one."""
        return bool((self._by_unit == 1.0).all())

    def penalty_lengths(self) -> np.ndarray:
        """Return the lengths that make all penalties equal, for features that have one."""
        scale = np.where(self.problem.scale > 0.0, self.problem.scale, 1.0)
        typical = np.sqrt(np.max(self.squares / scale, initial=0.0)) or 1.0
        return (np.sqrt(scale) * typical)[:, None]

    def most_of_least(self) -> np.ndarray:
        """Return an upper bound on the smallest eigenvalue that counts, for each vector.

        One more column than rows has a combination that is zero, and only the penalty determines
        its amount, which is zero if all penalties are equal.
        """
        rank = self.design.n_counted - int(self.design.fit_intercept)
        least = np.full(self.penalty.shape[1], np.inf)
        if rank < self.design.shape[1]:
            ordered = np.sort(self.penalty, axis=0)
            differ = ordered[0] < (1.0 - 1e-9) * ordered[-1]
            least[differ] = ordered[rank, differ]
        least[least == 0.0] = np.inf
        return np.broadcast_to(least, (self.Y.shape[1],))

    def forward(self, V: np.ndarray, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return R (X - centre) V / m for the vectors `some`, without what is projected out."""
        found = self._forward(V, some)
        if self._basis.shape[1]:
            found -= self._basis @ (self._basis.T @ found)
        return found

    def _forward(self, V: np.ndarray, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        W = V * _of(self._inverse, some)
        apart = W[self._far]
        W[self._far] = 0.0
        found = self._call(self.design.predict, W.T) * self.row
        if len(apart):
            found += self._far_columns @ apart
        return found

    def backward(self, U: np.ndarray, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Correlate R U with the centred columns, over m."""
        found = self._call(self.design.correlate, U * self.row).T
        if len(self._far):
            found[self._far] = self._far_columns.T @ U
        return found * _of(self._inverse, some)

    def _take_apart(self) -> None:
        """Centre those sparse columns whose means are so large that multiplying loses digits.

        They have few zeros, so that this takes no more memory than X.
        """
        design = self.design
        self._far = np.empty(0, dtype=np.intp)
        if not (design.sparse and design.fit_intercept):
            return
        self._far = np.flatnonzero(design.mean**2 > _FAR**2 * design.variances)
        self._far = self._far[design.variances[self._far] > 0.0]
        if len(self._far):
            self._far_columns = design.centred_columns(self._far, self.row[:, 0])

    def _call(self, product: Callable[[np.ndarray], np.ndarray], vectors: np.ndarray) -> np.ndarray:
        if not self.design.sparse:  # which goes over X in slices
            return product(vectors)
        work = self.design.n_values * min(vectors.shape)
        found: np.ndarray = call_once_over(work, product, vectors)
        return found

    def normal_gradient(
        self, residual: np.ndarray, V: np.ndarray, some: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """Return minus half the gradient: X'R residual / m - penalty V."""
        gradient = self.backward(residual, some)
        gradient -= _of(self.penalty, some) * V
        return gradient

    def penalised(self, V: np.ndarray, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the sum of penalty V^2 for each vector."""
        squares: np.ndarray = (_of(self.penalty, some) * V**2).sum(axis=0)
        return squares

    def by_unit(self, gradient: np.ndarray, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Turn a gradient for v into one for coef * d."""
        return gradient * _of(self._by_unit, some)

    def in_units(self, V: np.ndarray, some: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return coef * d, over the target's size."""
        return V / _of(self._by_unit, some)

    def coef(self, V: np.ndarray) -> np.ndarray:
        """Return the coefficients, of shape (n_vectors, n_features)."""
        coef = np.ascontiguousarray((V * self._inverse * self.y_size).T)
        if self._basis.shape[1]:
            along = self._basis.T @ (self._whole_Y - self._forward(V))
            free = scipy.linalg.solve_triangular(self._triangle, along)
            coef[:, self._free] = (free / self._free_length[:, None] * self.y_size).T
        return coef


def _of(values: np.ndarray, some: np.ndarray | slice) -> np.ndarray:
    return values if values.shape[1] == 1 else values[:, some]
