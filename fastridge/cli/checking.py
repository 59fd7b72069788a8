"""The held-out error, and checks of the fitted model.

1. *Normal equations.* At the minimum of ||y - Xw - b||^2 + alpha sum_j s_j w_j^2 (s_j is 1, or the
   variance of column j where columns are standardised) the gradient vanishes:
   X_c'(y - Xw - b) = alpha s w, with centred X_c, and the residuals sum to zero. The largest entry
   is reported relative to the terms that cancel in it: |g_j| / (|x_j| (|y| + sum_k |x_k| |w_k|)),
   with lengths about the mean. The mean residual is reported in the same way, minus what the
   rounding of means and intercept explains. The problem is strictly convex for alpha > 0, so this
   certifies the model itself.
2. *Sums.* Both sides of the equations come from the sums to which the model was fitted. While the
   kernels make these, plain NumPy sums the gradient X'r, the residuals r and their squares for a
   random model over the same rows. The sums of the kernels give the same values, unless one of
   them is wrong: for an error E of X'X, the product of E and random coefficients is not zero.
   With ``--checkpoint``, and where rows are kept or sparse, the rows are read once more instead,
   and NumPy sums the gradient of the fitted model; what rounding of the means leaves in the sums is
   taken away.
3. *scikit-learn.* Its Ridge (LinearRegression for alpha = 0) and ours are fitted to the same
   random sample of training rows at the chosen penalty; the largest difference between two
   predictions, about the means, is reported in standard deviations of the target.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import Ridge as SklearnRidge

from fastridge.cli.centring import CentredRows, dense
from fastridge.cli.rows import Rows, together
from fastridge.cli.scores import Scores
from fastridge.cli.training import Training
from fastridge.linear_model.ridge import Ridge
from fastridge.model_selection.kfold import coef_errors
from fastridge.statistics.accumulate import variances
from fastridge.statistics.gram_statistics import GramStatistics

_SAMPLE_ROWS = 20_000
_TINY = 1e-20  # part of the squares of a column
_BLOCK_VALUES = 1 << 17  # of rows whose centred copy stays in a cache: 1 MB
_SAMPLE_VALUES = 1 << 22  # 32 MB


@dataclass(frozen=True)
class Check:
    """One check: what was compared, the number it gave, and the most it may be."""

    text: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """True if the number is within its limit."""
        return self.value <= self.limit


class Evaluation(Scores):
    """Scores of a linear model on held-out rows, and sums over the training rows, read again."""

    def __init__(
        self, model: BaseEstimator, training: Training, *, alpha: float, standardize: bool
    ) -> None:
        super().__init__(training.y_mean)
        self._problem = problem = training.problem
        self._coef = np.ravel(model.coef_)
        self._intercept = float(np.ravel(model.intercept_)[0])
        self._alpha = float(alpha)
        self._x_mean, self._y_mean = training.x_mean, training.y_mean
        ones = np.ones_like(self._coef)
        self._penalty = problem.design.standard_squares if standardize else ones
        self._x_length = np.sqrt(problem.design.squares)
        self._y_length = float(np.sqrt(problem.target_squares[0]))
        self._gradient = np.zeros_like(self._coef)
        self._rest = np.zeros_like(self._coef)  # of rows about means that are rounded
        self._residual_sum = self._weight_checked = 0.0
        self._n_checked, self._how = 0, "read again"

    def add_held_out(self, rows: Rows) -> None:
        """Predict held-out rows, about the means: far from zero, all else is rounding."""
        x_rest, y_rest = self._problem.centre_rest
        X = CentredRows(rows.X.copy(), self._x_mean)
        predicted = X.predict(self._coef) + (y_rest[0] - x_rest @ self._coef)
        self.add(rows.y, predicted + self._y_mean, weight=rows.weight)

    def add_statistics(self, held_out: GramStatistics) -> bool:
        """Add held-out rows by their sums; return False, and do nothing, where these cancel."""
        if not held_out.n_samples:
            return True
        sums, coef = held_out._held(), self._coef[None, None]
        errors, cancels = coef_errors(coef, self._problem, sums, held_out.xx)
        if not cancels:
            truth = float(sums.y_mean[0]), float(sums.yy[0])
            self.add_sums(sums.sum_weights, *truth, float(errors[0, 0]))
        return not cancels

    @property
    def rounding(self) -> float:
        """The rounding of a prediction of the model, whose features may be far from zero."""
        sizes = abs(self._intercept) + float(np.abs(self._x_mean) @ np.abs(self._coef))
        return float(np.finfo(float).eps) * sizes

    def add_training(self, rows: Rows) -> None:
        """Add training rows to the gradient; X is overwritten."""
        self._add_gradient(rows)

    def _add_gradient(self, rows: Rows) -> np.ndarray:
        """Add training rows to the gradient and return their residuals; X is overwritten."""
        X, y = CentredRows(rows.X, self._x_mean), rows.y
        residual: np.ndarray = y - X.predict(self._coef)
        residual -= self._intercept + self._x_mean @ self._coef
        weighted = residual if rows.weight is None else rows.weight * residual
        self._gradient += X.correlate(weighted)
        self._rest += X.correlate(rows.weights)
        self._residual_sum += float(weighted.sum())
        self._weight_checked += float(rows.weights.sum())
        self._n_checked += len(y)
        return residual

    def take_sums(self, total: GramStatistics, n_rows: int) -> bool:
        """Take the sums over all training rows from statistics; return False where they cancel."""
        self._gradient = total.xy[:, 0] - total.xx @ self._coef
        self._rest = np.zeros_like(self._coef)
        self._residual_sum = total.sum_weights * self._mean_residual(total)
        self._weight_checked, self._n_checked = total.sum_weights, n_rows
        self._how = "by their sums"
        return True

    def _mean_residual(self, total: GramStatistics) -> float:
        return float(total.y_mean[0] - total.x_mean @ self._coef) - self._intercept

    def optimality(self) -> Check:
        """Return the check of the conditions of the minimum."""
        return self.normal_equations()

    def _centred_gradient(self) -> np.ndarray:
        """Return the sums of products with the residuals, both about their means of all rows."""
        return self._gradient - self._rest * (self._residual_sum / self._weight_checked)

    def normal_equations(self) -> Check:
        """Return the check of the normal equations on the training rows that were added."""
        gradient = self._centred_gradient() - self._alpha * self._penalty * self._coef
        explained = float(self._x_length @ np.abs(self._coef))
        scale = self._x_length * (self._y_length + explained)
        relative = np.divide(np.abs(gradient), scale, out=np.zeros_like(scale), where=scale > 0.0)
        mean = abs(self._y_mean) + float(np.abs(self._x_mean) @ np.abs(self._coef))
        rounding = 8.0 * np.finfo(float).eps * (mean + abs(self._intercept))
        residual_mean = abs(self._residual_sum) / self._weight_checked
        length = (self._y_length + explained) / math.sqrt(self._weight_checked)
        intercept = max(residual_mean - rounding, 0.0) / length
        return Check(
            f"normal equations on the {self._n_checked:,} training rows, {self._how}: largest "
            "relative residual",
            max(float(relative.max()), intercept),
            1e-9,
        )


class RandomModel:
    """The gradient of a random model, its residuals and their squares, summed by plain NumPy.

    Parameters
    ----------
    seed : int
    n_features : int
    """

    def __init__(self, seed: int, n_features: int) -> None:
        self._coef = np.random.Generator(np.random.PCG64([seed, 2])).standard_normal(n_features)
        self._gradient, self._x_sum = np.zeros(n_features), np.zeros(n_features)
        self._residuals = self._squares = self._weight = 0.0
        self.n_rows = 0
        self._room = np.empty((n_features, max(1, _BLOCK_VALUES // n_features)))

    def add_training(self, rows: Rows) -> None:
        """Add training rows."""
        if not self.n_rows and len(rows.y):
            self._begin(rows)
        step = self._room.shape[1]
        for begin in range(0, len(rows.y), step):
            some = rows.taken(slice(begin, begin + step))
            weight, room = some.weights, self._room[:, : len(some.y)]
            Z = np.subtract(some.X.T, self._x_centre[:, None], out=room)
            residual = some.y - self._y_centre - self._coef @ Z
            weighted = weight * residual
            self._gradient += Z @ weighted
            self._x_sum += Z @ weight
            self._residuals += float(weighted.sum())
            self._squares += float(weighted @ residual)
            self._weight += float(weight.sum())
            self.n_rows += len(weight)

    def _begin(self, rows: Rows) -> None:
        """Choose the centre, and the units of the coefficients, by the first rows."""
        self._x_centre, self._y_centre = rows.X.mean(axis=0), float(rows.y.mean())
        deviation, of_y = rows.X.std(axis=0), float(rows.y.std()) or 1.0
        deviation[deviation <= 1e-12 * abs(self._x_centre)] = of_y  # constant, up to rounding
        self._coef *= of_y / (math.sqrt(len(deviation)) * deviation)

    def agreement(self, total: GramStatistics) -> Check:
        """Return the check of statistics of all the rows that were added."""
        weight, coef = self._weight, self._coef
        x_step, mean = self._x_sum / weight, self._residuals / weight
        x_mean, y_mean = self._x_centre + x_step, self._y_centre + mean + float(x_step @ coef)
        gradient = self._gradient - mean * self._x_sum  # about the means, as the statistics
        squares = self._squares - weight * mean * mean

        product, xy, yy = total.xx @ coef, total.xy[:, 0], float(total.yy[0])
        x_length = np.sqrt(total._held().upper.diagonal())
        length = math.sqrt(yy) + float(x_length @ abs(coef))
        root = math.sqrt(weight)
        differences = [
            abs(weight - total.sum_weights) / weight,
            _relative(gradient - (xy - product), x_length * length),
            _relative(squares - (yy - float((2.0 * xy - product) @ coef)), length * length),
            _relative(root * _beyond_rounding(x_mean, total.x_mean), x_length),
            _relative(root * _beyond_rounding(y_mean, total.y_mean), length),
        ]
        return Check(
            f"sums over the {self.n_rows:,} training rows against NumPy's, for a random model: "
            "largest relative difference",
            max(differences),
            1e-9,
        )


def _relative(values: ArrayLike, scale: ArrayLike) -> float:
    """Return the largest of absolute values relative to a scale, where that is not zero."""
    values, scale = np.broadcast_arrays(values, scale)
    some = scale > 0.0
    return float(np.abs(values[some] / scale[some]).max(initial=0.0))


def _beyond_rounding(ours: ArrayLike, theirs: ArrayLike) -> np.ndarray:
    """Return by how much two means differ, minus what their rounding explains."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    rounding = 8.0 * np.finfo(float).eps * (abs(ours) + abs(theirs))
    return np.maximum(abs(ours - theirs) - rounding, 0.0)


class Sample:
    """A random sample of training rows, at most 20,000 of them and 32 MB, in expectation."""

    def __init__(self, seed: int, n_train: int, n_features: int) -> None:
        rows = min(_SAMPLE_ROWS, max(200, _SAMPLE_VALUES // n_features))
        self._probability = min(1.0, rows / n_train)
        self._generator = np.random.Generator(np.random.PCG64([seed, 1]))
        self._parts: list[Rows] = []

    def add_training(self, rows: Rows) -> None:
        """Add training rows to those that the sample is drawn from."""
        keep = self._generator.random(len(rows.y)) < self._probability
        self._parts.append(rows.taken(keep))

    def taken(self) -> Rows:
        """Return the sample."""
        return together(self._parts)

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the features, the target and the weights of the sample."""
        rows = self.taken()
        return dense(rows.X), rows.y, rows.weights


def centred(
    X: np.ndarray, weight: np.ndarray, *, standardize: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return columns with mean 0 and, if standardised, variance 1; and what divided them."""
    mean = np.average(X, axis=0, weights=weight)
    X = X - mean
    X -= np.average(X, axis=0, weights=weight)  # what rounding left of the means
    scale = np.ones(X.shape[1])
    if standardize:
        scale = np.sqrt(variances(weight @ X**2, mean, weight.sum()))
        scale[scale == 0.0] = 1.0
    return X / scale, scale


def compare_with_sklearn(sample: Sample, alpha: float, standardize: bool) -> Check:
    """Fit scikit-learn's Ridge and ours to the sample and compare their predictions."""
    X, y, weight = sample.rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coef = Ridge(alpha, standardize=standardize).fit(X, y, weight).coef_
        X, scale = centred(X, weight, standardize=standardize)
        # With no penalty, or a tiny one, scikit-learn's Ridge cannot solve for columns that depend
        # on each other.
        is_tiny = alpha <= _TINY * float(np.square(X).sum(axis=0).max())
        rival = LinearRegression() if is_tiny else SklearnRidge(alpha, solver="cholesky")
        theirs = rival.fit(X, y, weight).coef_
    deviation = float(y.std()) or 1.0
    # About the means: far from zero, those of the columns times coefficients are only rounding.
    difference = X @ (coef * scale - theirs)
    return Check(
        f"scikit-learn's {type(rival).__name__} on {len(y):,} of these rows: "
        "largest difference in a prediction, in standard deviations",
        float(np.abs(difference).max()) / deviation,
        1e-6,
    )


class SeenRows:
    """Keep a `RandomModel` and a `Sample` of training rows while their statistics are summed.

    Parameters
    ----------
    seed, n_train, n_features : int
    """

    def __init__(self, seed: int, n_train: int, n_features: int) -> None:
        self.random = RandomModel(seed, n_features)
        self.sample = Sample(seed, n_train, n_features)

    def add_training(self, rows: Rows) -> None:
        """Add training rows."""
        self.sample.add_training(rows)
        self.random.add_training(rows)
