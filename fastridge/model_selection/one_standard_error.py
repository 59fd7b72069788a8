"""The one-standard-error rule: the largest penalty that is not clearly worse than the best one.

Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, section 3.4.3.
"""

from typing import NamedTuple

import numpy as np


class Chosen(NamedTuple):
    """Indices of alphas, one for each column of losses.

    Attributes
    ----------
    best : ndarray of int
        Least loss, the first of equals.
    within : ndarray of int
        Largest alpha whose loss is within one standard error of the least one; -1 where there is
        no standard error.
    """

    best: np.ndarray
    within: np.ndarray


def standard_error(losses: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the standard error of the mean loss over the splits along an axis, NaN for one."""
    n = losses.shape[axis]
    if n < 2:
        return np.full(losses.mean(axis=axis).shape, np.nan)
    return np.asarray(losses.std(axis=axis, ddof=1) / np.sqrt(n))


def choose(alphas: np.ndarray, loss: np.ndarray, error: np.ndarray | None = None) -> Chosen:
    """Choose the alpha of least loss, and by the one-standard-error rule.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        In any order.
    loss : ndarray of shape (n_alphas,) or (n_alphas, n_columns)
        The less the better; NaN counts as the worst.
    error : ndarray of the shape of `loss`, optional
        Standard errors of the losses.
    """
    shape = loss.shape[1:]
    loss = loss.reshape(len(loss), -1)
    loss = np.where(np.isnan(loss), np.inf, loss)
    best = loss.argmin(axis=0)
    within = np.full(len(best), -1)
    if error is not None:
        at_best = best, np.arange(len(best))
        bound = loss[at_best] + error.reshape(loss.shape)[at_best]
        largest = np.where(loss <= bound, alphas[:, None], -1.0).argmax(axis=0)
        within = np.where(np.isnan(bound), -1, largest)
    return Chosen(best.reshape(shape), within.reshape(shape))
