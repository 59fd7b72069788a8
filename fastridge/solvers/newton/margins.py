"""Margins of rows: what no direction of separation lowers, and which losses are nearly zero."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.special import log_expit, softmax

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows, SmoothLoss
from fastridge.losses.squared import Squared
from fastridge.losses.tweedie import TweedieIdentity
from fastridge.solvers.newton.information import products_with_ones

NEARLY_ZERO = 1e-8
"""A loss up to this, relative to one of usual size, may vanish along a direction."""
_PER_DECREMENT = 1e3  # a loss up to this multiple of what a step would win, too


class Margins(Protocol):
    """Numbers for each row, linear in a direction, that no direction of separation lowers."""

    kinds: int  # of coefficients for each feature
    exist: np.ndarray  # shape (n_samples, kinds)

    def losses(self, eta: np.ndarray) -> np.ndarray:
        """Return the loss that each margin lowers; infinite where it is to be zero."""

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the margins, from the linear predictors of a direction, (n_samples, kinds)."""

    def adjoint(self, weights: np.ndarray) -> np.ndarray:
        """Return the weights of the linear predictors in a weighted sum of margins."""

    def rows(self, index: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return margins as functions of a direction; `x` are their rows, `index` their indices."""

    def gram(self, design: Design, chosen: np.ndarray) -> np.ndarray:
        """Return the Gram matrix of these functions for the chosen margins."""

    def wanted(self) -> np.ndarray:
        """Return linear predictors by which every margin is 1, or 0 where it may not grow."""


class OneMargin:
    """One margin for each row: ``sign x'd``.

    Where the sign is 0, ``x'd`` is to be zero. `loss` maps linear predictors to losses.
    """

    kinds = 1

    def __init__(self, sign: np.ndarray, loss: Callable[[np.ndarray], np.ndarray]) -> None:
        self._fixed, self._loss = sign == 0.0, loss
        self._factor = np.where(self._fixed, 1.0, sign)[:, None]
        self.exist = np.ones((len(sign), 1), dtype=bool)

    def losses(self, eta: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return np.where(self._fixed, np.inf, self._loss(eta))[:, None]

    def of(self, values: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return self._factor * values

    def adjoint(self, weights: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return self._factor * weights

    def rows(self, index: np.ndarray, x: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return self._factor[index[:, 0]] * x

    def gram(self, design: Design, chosen: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return products_with_ones(design, chosen[:, 0].astype(float))

    def wanted(self) -> np.ndarray:
        """See `Margins`."""
        return np.where(self._fixed[:, None], 0.0, self._factor)


class PairMargins:
    """A margin for each row and each class but its own."""

    def __init__(self, loss: ClassesOfRows, weight: np.ndarray) -> None:
        self.kinds, self._y = loss.n_classes, loss.y
        self._own = loss.y[:, None] == np.arange(loss.n_classes)
        # nothing is known of classes without weight
        self.exist = ~self._own & (np.bincount(loss.y, weight, loss.n_classes) > 0.0)

    def losses(self, eta: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return np.where(self.exist, softmax(eta, axis=1), np.inf)

    def of(self, values: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        return values[self._own][:, None] - values

    def adjoint(self, weights: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        weights = np.where(self.exist, weights, 0.0)
        return np.where(self._own, weights.sum(axis=1, keepdims=True), -weights)

    def rows(self, index: np.ndarray, x: np.ndarray) -> np.ndarray:
        """See `Margins`."""
        out = np.zeros((len(x), self.kinds, x.shape[1]))
        every = np.arange(len(x))
        out[every, self._y[index[:, 0]]] = x
        out[every, index[:, 1]] -= x
        return out.reshape(len(x), -1)

    def gram(self, design: Design, chosen: np.ndarray) -> np.ndarray:
        """See `Margins`; the direction that changes no margin is added to it."""
        K, q = self.kinds, design.shape[1] + 1
        whole = np.zeros((K, q, K, q))
        for k in range(K):
            for m in range(k + 1, K):
                pair = ((self._y == k) & chosen[:, m]) | ((self._y == m) & chosen[:, k])
                block = products_with_ones(design, pair.astype(float))
                whole[k, :, k, :] += block
                whole[m, :, m, :] += block
                whole[k, :, m, :] = whole[m, :, k, :] = -block
        squares = np.append(design.squares / design.sum_weights, 1.0) * len(self._y) / K
        for j in range(q):
            whole[:, j, :, j] += squares[j]
        return whole.reshape(K * q, K * q)

    def wanted(self) -> np.ndarray:
        """See `Margins`."""
        return self._own.astype(float)


def may_be_separated(loss: SmoothLoss) -> bool:
    """Return whether a loss may have no minimum: of classes, or where means may be zero."""
    if loss.link == "logit":
        return True
    if isinstance(loss, Squared | TweedieIdentity):
        return False
    return loss.power < 2.0 and loss.name != "gamma"


def margins_of(
    loss: LossOfRows | ClassesOfRows, weight: np.ndarray, mean: Callable[[], float]
) -> tuple[Margins, float] | None:
    """Return what may grow without bound, and the usual size of a loss; None if nothing may.

    `mean` gives the mean of targets that are not negative.
    """
    if isinstance(loss, ClassesOfRows):
        return PairMargins(loss, weight), 1.0
    kind, y = loss.loss, loss.y
    if kind.link == "logit":
        return OneMargin(y, lambda eta: -log_expit(y * eta)), 1.0
    if not may_be_separated(kind):
        return None
    # a log link, and means that may be zero
    zeros = np.zeros_like(y)
    power = 1.0 if kind.name == "poisson" else kind.power
    usual = mean() ** (2.0 - power)
    return OneMargin(np.where(y > 0.0, 0.0, -1.0), lambda eta: kind.value(zeros, eta)), usual


def least_losses(weight: np.ndarray, decrement: float, usual: float) -> np.ndarray:
    """Return the losses that rows may have and still vanish along a direction of separation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = _PER_DECREMENT * decrement / weight
    return np.maximum(NEARLY_ZERO * usual, np.where(weight > 0.0, share, 0.0))
