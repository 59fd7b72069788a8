"""The interface of losses with a curvature, for Newton's method."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fastridge._kernels import smooth_losses
from fastridge.losses.loss import Loss

_NAMES = smooth_losses.names()
_UNIT = np.empty(0)


class SmoothLoss(Loss):
    """A loss with a positive curvature.

    It is the second derivative or, where that may be negative, the one that y is expected to have.

    Attributes
    ----------
    kernel : str
        Name of the loss in ``_kernels/losses/smooth_losses.pyx``.
    power : float
        Of a loss that has one.
    """

    kernel: ClassVar[str]
    power: float = 0.0

    @abstractmethod
    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """Return the second derivative with respect to `eta`, for each row."""

    @abstractmethod
    def saturated(self, y: np.ndarray) -> np.ndarray:
        """Return the least loss that any linear predictor gives, for each row."""

    @abstractmethod
    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """Return the means that linear predictors stand for."""

    @abstractmethod
    def null_predictor(self, mean: float) -> float:
        """Return the best linear predictor that is the same in each row, from the mean of y."""

    def divergence(self, y: np.ndarray, eta: np.ndarray, share: float) -> np.ndarray | None:
        """Return the divergence of each loss at `eta` from where its derivative is a share of that.

        f(eta) - f(e) - f'(e) (eta - e) with f'(e) = share f'(eta), which is never negative; None if
        it is not known.
        """
        return None

    @property
    def number(self) -> int:
        """Number of the loss in kernels."""
        return _NAMES.index(self.kernel)


class LossOfRows:
    """A loss with the targets and offsets of rows. Immutable.

    Parameters
    ----------
    loss : SmoothLoss
    y : ndarray of shape (n_samples,)
        float64.
    offset : ndarray of shape (n_samples,), optional
        Added to the linear predictor.
    """

    def __init__(self, loss: SmoothLoss, y: np.ndarray, offset: np.ndarray | None = None) -> None:
        self.loss, self.y, self.offset = loss, np.ascontiguousarray(y, dtype=np.float64), offset
        self.number = loss.number

    def rows(self, index: slice | np.ndarray) -> "LossOfRows":
        """Return the loss of some rows."""
        offset = None if self.offset is None else self.offset[index]
        return LossOfRows(self.loss, self.y[index], offset)

    def value_of(self, eta: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the weighted sum of the losses at these linear predictors."""
        with np.errstate(all="ignore"):
            return self.expand(eta, weight, *np.empty((2, len(eta))))[0]

    def expand_dense(
        self,
        X: np.ndarray,
        point: tuple[np.ndarray, np.ndarray, float],
        weight: np.ndarray | None,
        rows: slice,
        step: int,
        outputs: tuple[np.ndarray, np.ndarray, np.ndarray],
        gradient_out: np.ndarray | None,
    ) -> tuple[float, float]:
        """Do as `expand` for contiguous rows of X at a point: the centre, coefficients, intercept.

        The linear predictors and the derivatives of the rows are the outputs; the derivatives with
        respect to the coefficients are added to `gradient_out`.
        """
        centre, coef, intercept = point
        return smooth_losses.loss_of_dense_rows(
            self.number,
            self.loss.power,
            X,
            centre,
            np.ascontiguousarray(coef),
            float(intercept),
            self.y[rows],
            _UNIT if self.offset is None else np.ascontiguousarray(self.offset[rows]),
            _UNIT if weight is None else weight[rows],
            step,
            *outputs,
            _UNIT if gradient_out is None else gradient_out,
        )

    def expand_folds(
        self,
        X: np.ndarray,
        point: tuple[np.ndarray, np.ndarray, np.ndarray],
        weights: Sequence[np.ndarray],
        rows: slice,
        rooms: tuple[np.ndarray, np.ndarray],
        outputs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """Do as `expand_dense` with weights, coefficients and an intercept of each fold.

        The outputs are the linear predictors, and sums to which losses and derivatives with respect
        to the intercepts and the coefficients are added.
        """
        smooth_losses.folds_of_dense_rows(
            self.number,
            self.loss.power,
            X,
            *point,
            self.y[rows],
            _UNIT if self.offset is None else np.ascontiguousarray(self.offset[rows]),
            weights,
            *rooms,
            *outputs,
        )

    def expand(
        self,
        eta: np.ndarray,
        weight: np.ndarray | None,
        derivative_out: np.ndarray,
        curvature_out: np.ndarray,
        rows: slice = slice(None),
    ) -> tuple[float, float]:
        """Return the sums of losses and derivatives of some rows; set the derivatives of each.

        All are weighted.
        """
        given = _UNIT if weight is None else weight[rows]
        return smooth_losses.loss_of_rows(
            self.number, self.loss.power, self.y[rows], eta, given, derivative_out, curvature_out
        )
