"""Scores of predictions that arrive batch by batch: R² and RMSE, or accuracy and log loss."""

from __future__ import annotations

import math

import numpy as np


class Scores:
    """Scores of predicted numbers or classes; NaN where there are too few rows.

    Parameters
    ----------
    baseline : float
        What is predicted without a model: the mean, or the most frequent class, of training rows.
    classify : bool
        Whether classes are predicted; the scores of numbers are NaN then, and the other way round.

    Attributes
    ----------
    n_rows : int
    r2, rmse, baseline_rmse : float
    accuracy, baseline_accuracy, log_loss : float
    """

    def __init__(self, baseline: float = math.nan, *, classify: bool = False) -> None:
        self._baseline, self._classify = baseline, classify
        self.n_rows = 0
        self._weight = 0.0  # of the rows so far, each 1 unless given
        self._mean = self._total_square = 0.0  # of the truth, squares about its mean
        self._error_square = self._baseline_square = 0.0
        self._n_right = self._n_baseline_right = 0.0
        self._surprise = math.nan

    @np.errstate(over="ignore", invalid="ignore")
    def add(
        self,
        truth: np.ndarray,
        predicted: np.ndarray,
        probability: np.ndarray | None = None,
        weight: np.ndarray | None = None,
    ) -> None:
        """Add rows; `probability` is that which was given to the true class."""
        if not len(truth):
            return
        self.n_rows += len(truth)
        w = np.ones(len(truth)) if weight is None else weight
        m = float(w.sum())
        if not m > 0.0:
            return
        if probability is not None:
            with np.errstate(divide="ignore"):
                surprise = -float(w @ np.log(probability))
            self._surprise = surprise + (self._surprise if self._weight else 0.0)
        if self._classify:
            self._n_right += float(w @ (truth == predicted))
            self._n_baseline_right += float(w @ (truth == self._baseline))
            self._weight += m
        else:
            mean = float(w @ truth) / m
            about_mean = float(w @ (truth - mean) ** 2)
            self.add_sums(m, mean, about_mean, float(w @ (truth - predicted) ** 2))

    def add_sums(self, weight: float, mean: float, about_mean: float, errors: float) -> None:
        """Add sums over rows: weight, mean and squares of the truth, squares of the errors."""
        self._error_square += errors
        self._baseline_square += about_mean + weight * (mean - self._baseline) ** 2
        # Chan, Golub, LeVeque: the sum of squares about the mean of all rows so far.
        total, step = self._weight + weight, mean - self._mean
        self._total_square += about_mean + step * step * self._weight * weight / total
        self._mean += step * weight / total
        self._weight = total

    def _mean_of(self, total: float, *, classes: bool) -> float:
        return total / self._weight if self._weight and classes == self._classify else math.nan

    @property
    def r2(self) -> float:
        if self._classify or not self._total_square > 0.0:
            return math.nan
        return 1.0 - self._error_square / self._total_square

    @property
    def rmse(self) -> float:
        return math.sqrt(self._mean_of(self._error_square, classes=False))

    @property
    def baseline_rmse(self) -> float:
        return math.sqrt(self._mean_of(self._baseline_square, classes=False))

    @property
    def accuracy(self) -> float:
        return self._mean_of(self._n_right, classes=True)

    @property
    def baseline_accuracy(self) -> float:
        return self._mean_of(self._n_baseline_right, classes=True)

    @property
    def log_loss(self) -> float:
        return self._mean_of(self._surprise, classes=True)


def true_probability(given: np.ndarray, classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the probability that was given to the true class, 0 to one that is not known."""
    known = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    probability: np.ndarray = np.where(classes[known] == y, given[np.arange(len(y)), known], 0.0)
    return probability
