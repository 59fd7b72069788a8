"""The multinomial loss, of logistic regression with several classes."""

import numpy as np
from scipy.special import logsumexp, softmax

from fastridge._kernels import smooth_losses

_UNIT = np.empty(0)
_NO_OFFSET = np.empty((0, 1))


class Multinomial:
    """``log(sum_k exp(eta_k)) - eta_y``, of as many linear predictors as classes.

    `y` holds the numbers of the classes and `eta` has the shape (n_samples, n_classes).
    """

    name = "multinomial"

    @staticmethod
    def value(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """Return the loss of each row."""
        return logsumexp(eta, axis=1) - eta[np.arange(len(y)), y]

    @staticmethod
    def derivative(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """Return the derivatives with respect to the linear predictors, for each row."""
        found = softmax(eta, axis=1)
        own = y[:, np.newaxis] == np.arange(eta.shape[1])
        found[own] = 0.0
        found[own] = -found.sum(axis=1)  # not 1 minus something, as small as that may be
        return found

    @staticmethod
    def probability(eta: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes."""
        return softmax(eta, axis=1)


class ClassesOfRows:
    """The multinomial loss with the classes and offsets of rows. Immutable.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Numbers of the classes.
    n_classes : int
    offset : ndarray of shape (n_samples, n_classes), optional
        Added to the linear predictors.
    """

    fused = True

    def __init__(self, y: np.ndarray, n_classes: int, offset: np.ndarray | None = None) -> None:
        self.y = np.ascontiguousarray(y, dtype=np.intp)
        self.n_classes, self.offset = n_classes, offset

    def rows(self, index: slice | np.ndarray) -> "ClassesOfRows":
        """Return the loss of some rows."""
        offset = None if self.offset is None else self.offset[index]
        return ClassesOfRows(self.y[index], self.n_classes, offset)

    def value_of(self, eta: np.ndarray, weight: np.ndarray | None) -> float:
        """Return the weighted sum of the losses at linear predictors, one row per class."""
        with np.errstate(all="ignore"):
            return self.expand(eta, weight, np.empty(eta.shape))

    def expand_dense(
        self,
        X: np.ndarray,
        point: tuple[np.ndarray, np.ndarray, np.ndarray],
        weight: np.ndarray | None,
        rows: slice,
        rooms: tuple[np.ndarray, np.ndarray],
        outputs: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> float:
        """Return the sum for contiguous rows of X at a point: centre, coefficients, intercepts.

        The outputs are the linear predictors, and sums to which derivatives with respect to the
        intercepts and the coefficients are added.
        """
        return smooth_losses.classes_of_dense_rows(
            X,
            *point,
            self.y[rows],
            _NO_OFFSET if self.offset is None else self.offset[rows],
            _UNIT if weight is None else weight[rows],
            *rooms,
            *outputs,
        )

    def expand(
        self,
        eta: np.ndarray,
        weight: np.ndarray | None,
        derivative_out: np.ndarray,
        rows: slice = slice(None),
    ) -> float:
        """Return the weighted sum of the losses of some rows; set their weighted derivatives.

        `eta` and `derivative_out` have the shape (n_classes, n_rows).
        """
        given = _UNIT if weight is None else weight[rows]
        work = np.empty(eta.shape[1])
        return smooth_losses.classes_of_rows(self.y[rows], eta, given, derivative_out, work)
