"""Elastic nets that stand for a loss about a point: their Gram matrix is a Hessian."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import coordinate_descent, residual_sweeps
from fastridge.solvers.coordinate_descent.working_set import Coordinates, WorkingSet

_MOST_SWEEPS = 100_000
_SUPPORT_SWEEPS = 4  # sweeps over columns with coefficients, and over all
_LEFT = 0.003  # of what the first sweep wins, what those to come may
_COLUMNS_AT_ONCE = 10_000
_Visit = residual_sweeps.Visit


class ModelNet(WorkingSet):
    """The elastic net of unknowns in use, which grow in number and whose Gram may be renewed."""

    def __init__(self) -> None:
        super().__init__(1.0, 64)

    def set_gram(self, begin: int, rows: np.ndarray) -> None:
        """Write the rows of the Gram from `begin` on, which hold all unknowns."""
        size = rows.shape[1]
        for _ in self.reserve(size):
            pass
        self.gram[begin:size, :size] = rows
        self.gram[:begin, begin:size] = rows[:, :begin].T
        at = self.at
        at.square[:size] = np.maximum(self.gram[:size, :size].diagonal(), 0.0)
        if begin == 0:
            self._forget_factor()
        self.size = size

    def _forget_factor(self) -> None:
        progress = coordinate_descent.Progress(1.0)
        self._progress = progress
        self._position[:] = -1

    def minimum(
        self,
        coef: np.ndarray,
        gradient: np.ndarray,
        penalty: tuple[np.ndarray, ...],
        size: float,
        tolerance: float,
    ) -> np.ndarray:
        """Return the minimum of the model, from coefficients and the gradient of the loss there.

        The penalty is its L1 and L2 part, and the bounds. `size` is at least twice what the loss of
        the model can fall; `tolerance` is the gap that may be left.
        """
        at, m, progress = self.at, self.size, self._progress
        at.l1[:m], at.l2[:m], at.lower[:m], at.upper[:m] = penalty
        at.coef[:m] = coef
        image = self.gram[:m, :m] @ coef
        at.gradient[:m] = -gradient
        at.xy[:m] = image - gradient
        # |y|^2 such that |y - X w|^2 = size
        progress.target_square = size + float(coef @ (at.xy[:m] - gradient))
        progress.iterations, progress.sweep_next = 0, True
        self.start_again()
        while not self.descend(tolerance, _MOST_SWEEPS):
            if progress.iterations >= _MOST_SWEEPS:
                break
        return self.at.coef[:m].copy()


class RowsNet:
    """The elastic net of many columns, minimised on residuals without a Gram matrix.

    Parameters
    ----------
    block : sparse matrix of shape (n_samples, n_columns)
    centre : ndarray of shape (n_columns,)
        The vector that is subtracted from its rows.
    h : ndarray of shape (n_samples,)
        Curvatures.
    fit_intercept : bool
    """

    def __init__(
        self, block: Any, centre: np.ndarray, h: np.ndarray, *, fit_intercept: bool
    ) -> None:
        self.n_sweeps = 0
        self._total = float(h.sum())
        share = h / self._total
        self._root, self._block = np.sqrt(share), block
        self._data = block.data * self._root[block.indices]
        parts = self._data**2, block.indices, block.indptr
        squares = sp.csc_matrix(parts, shape=block.shape).T @ np.ones(len(h))
        self._mean = np.zeros(len(squares))
        if fit_intercept:
            self._mean = block.T @ share
            squares -= self._mean**2
        self._square = np.maximum(squares, 0.0)
        self.away = self._mean - (centre if fit_intercept else 0.0)

    def minimum(
        self,
        coef: np.ndarray,
        derivative: np.ndarray,
        penalty: tuple[np.ndarray, ...],
        tolerance: float,
    ) -> np.ndarray:
        """Return the minimum of the model, from coefficients and derivatives of the losses there.

        It ends once the sweeps to come are expected to lower the model by less than the tolerance.
        """
        m, root, block = len(coef), self._root, self._block
        fields = np.zeros((8, m))
        at = Coordinates(fields)
        at.coef[:], at.square[:] = coef, self._square
        at.l1[:], at.l2[:] = penalty[0] / self._total, penalty[1] / self._total
        at.lower[:], at.upper[:] = penalty[2:]
        residual = np.divide(
            -derivative / self._total, root, out=np.zeros_like(root), where=root > 0
        )
        shift = 0.0
        if self._mean.any():
            residual -= float(root @ residual) * root
        enough, first, last = tolerance / self._total, 0.0, 0.0
        for sweep in range(_MOST_SWEEPS):
            what = _Visit.SUPPORT if sweep % _SUPPORT_SWEEPS else _Visit.ALL
            before = at.coef.copy()
            for begin in range(0, m, _COLUMNS_AT_ONCE):
                shift = residual_sweeps.sweep_sparse(
                    self._data, block.indices, block.indptr, self._mean, fields, residual, shift,
                    begin, min(begin + _COLUMNS_AT_ONCE, m), what,
                )  # fmt: skip
            self.n_sweeps += 1
            if what is _Visit.SUPPORT:
                continue
            moved = float((self._square + at.l2) @ (at.coef - before) ** 2)
            rate = min(0.99, (moved / last) ** 0.5) if sweep else 0.5
            last, first = moved, max(first, moved)
            if moved <= max(enough, _LEFT * first) * (1.0 - rate) ** 2:
                break
        return at.coef.copy()
