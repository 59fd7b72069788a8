"""Gradients of features that are not in use, and the certificate that they give.

The gradients of all features are known at one point. Elsewhere, where the derivatives of the losses
differ by d from a multiple of those, they differ by at most the length of d times that of the
column: only columns that may reach their penalty are read.
"""

import numpy as np

from fastridge.designs.design import Design
from fastridge.solvers.newton.columns_in_use import DenseColumns, SparseColumns

_MANY = 0.15  # of the columns: if more may reach their penalty, all are read
_SLACK = 1.0 + 1e-9


class Screen:
    """Absolute gradients of all features, or bounds of them, for each linear predictor."""

    def __init__(self, design: Design, columns: DenseColumns | SparseColumns) -> None:
        self._columns = columns
        if not np.isfinite(design.squares).all():
            raise np.linalg.LinAlgError("the squares of a column overflow")
        squares = np.where(design.squares > 0.0, design.squares, 0.0)
        self._lengths = np.sqrt(squares)
        self.constant = squares == 0.0
        weight = design.weight
        self._root = None
        if weight is not None:
            root = np.sqrt(weight)
            self._root = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        self._known: np.ndarray | None = None
        self._scaled = np.empty(0)
        self.n_read = 0

    def read(self, left: np.ndarray, enough: np.ndarray) -> np.ndarray:
        """Return absolute gradients; where they are below `enough`, a bound that is as well.

        `left` holds the weighted derivatives (n_predictors, n_samples).
        """
        every = self._columns.of_all(left)
        if every is not None:
            found = np.abs(every)
            found[:, self.constant] = 0.0
            return found
        scaled = left if self._root is None else left * self._root
        if self._known is not None:
            squares = (self._scaled**2).sum(axis=1)
            share = (scaled * self._scaled).sum(axis=1)
            share = np.divide(share, squares, out=np.zeros_like(share), where=squares > 0.0)
            away = scaled - share[:, None] * self._scaled
            away = np.sqrt((away**2).sum(axis=1))
            bounds = np.abs(share)[:, None] * self._known + away[:, None] * self._lengths
            bounds *= _SLACK
            some = np.flatnonzero((bounds >= enough).any(axis=0))
            if len(some) <= _MANY * bounds.shape[1]:
                if len(some):
                    bounds[:, some] = np.abs(self._columns.of_others(some, left))
                bounds[:, self.constant] = 0.0
                return bounds
        self.n_read += 1
        found = np.abs(self._columns.product_of_all(left))
        found[:, self.constant] = 0.0
        self._known, self._scaled = found, scaled.copy()
        return found.copy()
