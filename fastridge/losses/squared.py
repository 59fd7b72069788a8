"""The squared loss: of a row, and of the targets of a least-squares problem.

    sum_i v_i |y_i - eta_i|^2

Of its rows a solver needs no more than their cross-products: those of the targets are here, and
the Gram matrix and the means of X in the design.
"""

from typing import Self

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.losses.smooth import SmoothLoss
from fastridge.statistics.accumulate import CentredProducts


class Squared(SmoothLoss):
    """``(eta - y)^2 / 2``."""

    name = kernel = "squared_error"
    grows_quadratically = True

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return 0.5 * (eta - y) ** 2

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        return eta - y

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.ones(len(y))

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.zeros(len(y))

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return eta

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return mean

    def divergence(self, y: np.ndarray, eta: np.ndarray, share: float) -> np.ndarray:
        """See `SmoothLoss`."""
        return 0.5 * ((1.0 - share) * (eta - y)) ** 2

    def null_loss(self, y: np.ndarray) -> float:
        """See `Loss`; in one pass, without a copy of y."""
        return 0.5 * float(np.einsum("i,i", y, y, dtype=np.float64)) / len(y)


class SquaredLoss:
    """Targets, or what one pass over a design and its targets has given. Immutable.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_targets), or None
        None where only statistics are known.
    statistics : CentredProducts, optional
    """

    def __init__(self, y: np.ndarray | None, statistics: CentredProducts | None = None) -> None:
        self.y, self.statistics = y, statistics

    @computed_once
    def n_targets(self) -> int:
        if self.y is None:
            assert self.statistics is not None
            return len(self.statistics.y_mean)
        return 1 if self.y.ndim == 1 else self.y.shape[1]

    @computed_once
    def Y(self) -> np.ndarray:
        """Targets as float64 of shape (n_samples, n_targets)."""
        assert self.y is not None
        Y = self.y[:, None] if self.y.ndim == 1 else self.y
        return Y if Y.dtype == np.float64 else Y.astype(np.float64)

    def mean(self, weight: np.ndarray | None) -> np.ndarray:
        """Return the weighted means of the targets."""
        weight = np.ones(len(self.Y)) if weight is None else weight
        first = self.Y[int(np.argmax(weight > 0.0))]  # rows without weight may be anywhere
        mean: np.ndarray = first + weight @ (self.Y - first) / weight.sum()
        return mean

    def with_statistics(self, statistics: CentredProducts | None) -> Self:
        """Return this loss with the statistics of a pass over the rows, or without."""
        return type(self)(self.y, statistics)

    def rows(self, index: slice | np.ndarray) -> Self:
        """Return the loss of some rows."""
        assert self.y is not None
        return type(self)(self.y[index])

    def columns(self, index: np.ndarray) -> Self:
        """Return the loss of all rows, with the statistics of some columns of X."""
        held = None if self.statistics is None else self.statistics.columns(index)
        return type(self)(self.y, held)

    def target(self, k: int) -> Self:
        """Return the loss of one target."""
        y, held = self.y, self.statistics
        if y is not None and y.ndim > 1:
            y = np.ascontiguousarray(y[:, k])
        return type(self)(y, None if held is None else held.target(k))
