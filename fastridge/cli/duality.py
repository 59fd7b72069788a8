"""Checks of an elastic net.

1. *Duality gap.* Every number c bounds the minimum of the objective

       P(w) = |y - Xw - b|^2 / (2 n) + l1 sum_j d_j |w_j| + l2 / 2 sum_j d_j^2 w_j^2

   from below by c <r, y> / n - c^2 (|r|^2 / n + l2 |d w|^2) / 2, if
   c |<x_j, r> / n - l2 d_j^2 w_j| <= l1 d_j for every j; with ``--positive``, without the absolute
   value. Here r are the residuals about their mean, and d_j is 1, or the standard deviation of
   column j if columns are standardised. The objective minus the bound is the most by which the
   fitted model misses the minimum. Without an L1 penalty, the normal equations are checked as for
   ridge.
2. *Sums.* All of this comes from the statistics of the rows, which are checked as for ridge; where
   |r|^2 cancels in them, the rows are read again, and plain NumPy sums it.
3. *scikit-learn.* Its ElasticNet and ours are fitted to the same random sample of training rows at
   the chosen penalty, both to a gap of 1e-8. Our objective must not be the larger one.
"""

from __future__ import annotations

import math
import warnings
from typing import TypeAlias

import numpy as np
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from fastridge.cli.checking import Check, Evaluation, Sample, centred
from fastridge.cli.rows import Rows
from fastridge.cli.training import Training
from fastridge.linear_model.elastic_net import ElasticNet
from fastridge.linear_model.elastic_net_cv import ElasticNetCV, LassoCV
from fastridge.model_selection.kfold import coef_errors
from fastridge.statistics.gram_statistics import GramStatistics

ElasticNetModel: TypeAlias = ElasticNet | ElasticNetCV | LassoCV
_ROUNDING = 1e-9  # of |y|^2 / n: no gap is measured finer from float64 sums
_SAMPLE_TOL = 1e-8
# The fit may have been stopped by a better bound than the one that its last residuals give.
_SLACK = 4.0


class ElasticNetEvaluation(Evaluation):
    """Sums over rows that are read once more after the fit of an elastic net.

    Parameters
    ----------
    model : fastridge.ElasticNet or fastridge.ElasticNetCV
        Fitted, or a Lasso.
    training : Training
    alpha, l1_ratio : float
    """

    def __init__(
        self, model: ElasticNetModel, training: Training, alpha: float, l1_ratio: float
    ) -> None:
        design = training.problem.design
        on_sums = alpha * (1.0 - l1_ratio) * design.sum_weights
        super().__init__(model, training, alpha=on_sums, standardize=model.standardize)
        self._positive, self._tol = bool(model.positive), float(model.tol)
        self._varies = design.variances > 0.0  # else the coefficient is zero whatever its penalty
        self._l1 = alpha * l1_ratio * np.sqrt(self._penalty)
        self._l2 = alpha * (1.0 - l1_ratio) * self._penalty
        self._residual_square = self._residual_target = self._target_square = 0.0

    def add_training(self, rows: Rows) -> None:
        """Add training rows to the sums; X is overwritten."""
        residual = self._add_gradient(rows)
        target = rows.y - self._y_mean
        weight = rows.weights
        self._residual_square += float(np.sum(weight * residual**2))
        self._residual_target += float(np.sum(weight * residual * target))
        self._target_square += float(np.sum(weight * target**2))

    def take_sums(self, total: GramStatistics, n_rows: int) -> bool:
        """Take the sums over all training rows from statistics; return False where they cancel."""
        problem, coef = self._problem, self._coef[None, None]
        _, cancels = coef_errors(coef, problem, total._held(), total.xx)
        if cancels:
            return False
        super().take_sums(total, n_rows)
        yy, explained = float(total.yy[0]), float(total.xy[:, 0] @ self._coef)
        mean = self._mean_residual(total)
        about_mean = yy - explained - float(self._gradient @ self._coef)
        self._residual_square = about_mean + total.sum_weights * mean * mean
        self._residual_target, self._target_square = yy - explained, yy
        return True

    def optimality(self) -> Check:
        """Return the check of the duality gap, or of the normal equations without an L1 penalty."""
        if not self._l1.any() and not self._positive:
            return self.normal_equations()
        gap = self._primal() - self._dual()
        return Check(
            f"duality gap on the {self._n_checked:,} training rows, {self._how}, in parts of "
            "|y|²/n:",
            max(gap, 0.0) / (self._target_square / self._weight_checked),
            max(_SLACK * self._tol, _ROUNDING),
        )

    def _primal(self) -> float:
        w = self._coef
        penalty = self._l1 @ np.abs(w) + 0.5 * (self._l2 @ w**2)
        return 0.5 * self._residual_square / self._weight_checked + float(penalty)

    def _dual(self) -> float:
        n, w = self._weight_checked, self._coef
        target, square = self._residual_target / n, self._residual_square / n
        gradient = self._gradient / n
        if not self._l1.any():
            return target - 0.5 * square - self._conjugate(gradient)
        correlation = gradient - self._l2 * w
        if not self._positive:
            correlation = np.abs(correlation)
        correlation = np.where(self._varies, correlation, 0.0)
        with np.errstate(divide="ignore"):
            most = np.where(correlation > 0.0, self._l1 / correlation, np.inf).min()
        square += float(self._l2 @ w**2)
        scale = min(target / square, most) if square > 0.0 else 1.0
        return max(0.0, scale * target - 0.5 * scale**2 * square)

    def _conjugate(self, gradient: np.ndarray) -> float:
        """Return the conjugate of the penalty without an L1 part, for coefficients >= 0.

        Without any penalty, it assumes that they are at most ``2 w_j + |y| / |x_j|``.
        """
        excess = np.where(self._varies, np.maximum(gradient, 0.0), 0.0)
        if self._l2.any():
            return float(np.sum(0.5 * excess**2 / self._l2))
        length = np.where(self._varies, self._x_length, 1.0)
        return float(excess @ (2.0 * self._coef + math.sqrt(self._target_square) / length))


def compare_with_sklearn(sample: Sample, model: ElasticNet) -> Check:
    """Fit scikit-learn's ElasticNet and ours to the sample and compare their objectives."""
    X, y, weight = sample.rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what did not converge shows in the objectives
        ours = ElasticNet(
            model.alpha,
            l1_ratio=model.l1_ratio,
            standardize=model.standardize,
            positive=model.positive,
            tol=_SAMPLE_TOL,
        ).fit(X, y, weight)
        X, scale = centred(X, weight, standardize=model.standardize)
        root = np.sqrt(weight / weight.mean())
        X, y = root[:, None] * X, root * (y - np.average(y, weights=weight))
        theirs = SklearnElasticNet(
            model.alpha,
            l1_ratio=model.l1_ratio,
            fit_intercept=False,
            precompute=X.shape[0] > X.shape[1],
            positive=model.positive,
            tol=_SAMPLE_TOL,
        ).fit(X, y)

    def objective(coef: np.ndarray) -> float:
        residual = y - X @ coef
        absolute, square = float(np.abs(coef).sum()), float(coef @ coef)
        penalty = model.l1_ratio * absolute + 0.5 * (1.0 - model.l1_ratio) * square
        return 0.5 * float(residual @ residual) / len(y) + model.alpha * penalty

    difference = objective(ours.coef_ * scale) - objective(theirs.coef_)
    return Check(
        f"scikit-learn's ElasticNet on {len(y):,} of these rows: "
        "excess of our objective over its, in parts of |y|²/n:",
        max(difference, 0.0) / (float(y @ y) / len(y) or 1.0),
        10.0 * _SAMPLE_TOL,
    )
