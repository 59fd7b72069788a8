"""Predictions of held-out rows with their outcomes: how well they rank, and how true they are.

Up to `MOST_ROWS` rows are kept, and everything is exact. Of more rows only sums remain, in bins
whose borders are quantiles of the rows before.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

MOST_ROWS = 10_000_000
N_BINS = 1 << 16
_GROUPS = 10


class Points(NamedTuple):
    """Rows, or bins of rows, in increasing order of the linear predictor.

    Attributes
    ----------
    eta : ndarray of shape (n_points,)
        Linear predictor; of a bin its mean.
    weight, outcome, expected : ndarray of shape (n_points,)
        Sums of the weights, and of the weighted outcomes and predicted means.
    alike : ndarray of bool of shape (n_points,)
        Whether all rows of a point have the same linear predictor.
    """

    eta: np.ndarray
    weight: np.ndarray
    outcome: np.ndarray
    expected: np.ndarray
    alike: np.ndarray


class Group(NamedTuple):
    """Rows with similar predictions: their weight, and the means of prediction and outcome."""

    weight: float
    predicted: float
    observed: float


class PredictedRows:
    """Linear predictors of rows with their outcomes.

    Parameters
    ----------
    mean_of : callable
        Returns the predicted means of linear predictors.
    most_rows : int, optional
        Most rows to keep.
    """

    def __init__(
        self, mean_of: Callable[[np.ndarray], np.ndarray], most_rows: int | None = None
    ) -> None:
        self._mean_of = mean_of
        self._most = MOST_ROWS if most_rows is None else most_rows
        self._kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._n_kept = 0
        self._bins: _Bins | None = None
        self._points: Points | None = None

    def add(self, eta: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> None:
        """Add rows; those of weight 0 are left out."""
        self._points = None
        there = weight > 0.0
        rows = eta[there], outcome[there], weight[there]
        if self._bins is not None:
            self._bins.add(*rows)
            return
        self._kept.append(rows)
        self._n_kept += len(rows[0])
        if self._n_kept > self._most:
            together = self._joined()
            self._bins = _Bins(together[0], self._mean_of)
            self._bins.add(*together)
            self._kept = []

    def _joined(self) -> tuple[np.ndarray, ...]:
        if not self._kept:
            return tuple(np.empty((3, 0)))
        return tuple(np.concatenate(part) for part in zip(*self._kept, strict=True))

    def points(self) -> Points:
        """Return the rows; those with the same linear predictor are one point."""
        if self._points is None:
            self._points = self._made_points()
        return self._points

    def _made_points(self) -> Points:
        if self._bins is not None:
            return self._bins.points()
        eta, outcome, weight = self._joined()
        values, index = np.unique(eta, return_inverse=True)
        weights, outcomes = (
            np.bincount(index, each, len(values)) for each in (weight, weight * outcome)
        )
        expected = weights * self._mean_of(values)
        return Points(values, weights, outcomes, expected, np.ones(len(values), dtype=bool))


class _Bins:
    """Sums over the rows between two borders of linear predictors."""

    def __init__(self, eta: np.ndarray, mean_of: Callable[[np.ndarray], np.ndarray]) -> None:
        at = np.linspace(0, len(eta) - 1, N_BINS + 1).astype(np.intp)[1:-1]
        self._borders = np.unique(np.partition(eta, np.unique(at))[at])
        self._mean_of = mean_of
        n_bins = len(self._borders) + 1
        self._sums = np.zeros((4, n_bins))
        self._least, self._most = np.full(n_bins, np.inf), np.full(n_bins, -np.inf)

    def add(self, eta: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> None:
        index = np.searchsorted(self._borders, eta, side="right")
        values = weight, weight * outcome, weight * self._mean_of(eta), weight * eta
        self._sums += [np.bincount(index, each, len(self._least)) for each in values]
        np.minimum.at(self._least, index, eta)
        np.maximum.at(self._most, index, eta)

    def points(self) -> Points:
        there = self._sums[0] > 0.0
        weight, outcome, expected, eta = self._sums[:, there]
        alike = (self._least == self._most)[there]
        return Points(eta / weight, weight, outcome, expected, alike)


def auc(points: Points) -> tuple[float, float]:
    """Return the area under the ROC curve of outcomes of 0 and 1, and the most that it is off by.

    That is the probability that a row with the outcome 1 has the larger prediction of two. Equal
    ones count by half. NaN without rows of both outcomes.
    """
    positive, negative = points.outcome, np.maximum(points.weight - points.outcome, 0.0)
    pairs = float(positive.sum()) * float(negative.sum())
    if not pairs > 0.0:
        return math.nan, math.nan
    below = np.cumsum(negative) - 0.5 * negative
    unknown = 0.5 * float(positive @ np.where(points.alike, 0.0, negative))
    return float(positive @ below) / pairs, unknown / pairs


def groups(points: Points) -> list[Group]:
    """Return up to ten groups of the same weight, in increasing order of the prediction."""
    total = float(points.weight.sum())
    if not total > 0.0:
        return []
    middle = np.cumsum(points.weight) - 0.5 * points.weight
    index = np.minimum((_GROUPS * middle / total).astype(np.intp), _GROUPS - 1)
    weight, expected, outcome = (
        np.bincount(index, each, _GROUPS)
        for each in (points.weight, points.expected, points.outcome)
    )
    return [
        Group(float(w), float(e / w), float(o / w))
        for w, e, o in zip(weight, expected, outcome, strict=True)
        if w > 0.0
    ]


class Recalibration(NamedTuple):
    """The line ``intercept + factor * eta`` that the outcomes fit best; 0 and 1 if it is true."""

    intercept: float
    factor: float


def recalibration(points: Points, model: BaseEstimator) -> Recalibration:
    """Fit a model without a penalty to the linear predictors alone.

    Both numbers are NaN if there is no such line: for predictions that are all equal, and for
    outcomes that they separate.
    """
    unknown = Recalibration(math.nan, math.nan)
    eta, weight = points.eta, points.weight
    finite = np.isfinite(eta)
    eta, weight, outcome = eta[finite], weight[finite], points.outcome[finite]
    if len(eta) < 2 or not np.ptp(eta) > 0.0:
        return unknown
    rows, target = eta[:, None], outcome / weight
    if hasattr(model, "C"):
        positive, negative = outcome > 0.0, outcome < weight
        if not (positive.any() and negative.any()) or _separates(eta, positive, negative):
            return unknown
        rows = np.concatenate([rows[positive], rows[negative]])
        target = np.repeat([1, 0], [positive.sum(), negative.sum()])
        weight = np.concatenate([outcome[positive], (weight - outcome)[negative]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(rows, target, sample_weight=weight)
        except ValueError:
            return unknown
    line = float(np.ravel(model.intercept_)[0]), float(np.ravel(model.coef_)[0])
    return Recalibration(*line) if np.isfinite(line).all() else unknown


def _separates(eta: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> bool:
    of_1, of_0 = eta[positive], eta[negative]
    return bool(of_0.max() <= of_1.min() or of_1.max() <= of_0.min())
