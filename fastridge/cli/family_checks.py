"""Checks of a fitted generalized linear model.

1. *Gradient.* At the minimum of sum_i v_i loss(y_i, eta_i) + l1 sum_j d_j |w_j| +
   l2 / 2 sum_j d_j^2 w_j^2, the sums g_j = sum_i v_i loss'(y_i, eta_i) (x_ij - m_j) balance the
   penalty: g_j + l2 d_j^2 w_j + l1 d_j sign(w_j) = 0, or |g_j| <= l1 d_j where w_j is zero. Here
   m_j is the mean of column j, and d_j is 1, or its standard deviation where columns are
   standardised. The rows are read once more, and plain NumPy makes the sums. What is left is
   relative to the lengths of the column, about its mean, and of the derivatives.
2. *scikit-learn.* Its estimator and ours are fitted to the same random sample of training rows,
   without an L1 penalty. Our objective must not be the larger one.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression as SklearnLogistic
from sklearn.linear_model import TweedieRegressor as SklearnTweedie

from fastridge.cli.centring import CentredRows
from fastridge.cli.checking import Check, Sample, centred
from fastridge.cli.families import Family, FamilyModel, derivatives, predictors, with_offset
from fastridge.cli.family_training import FamilyTraining
from fastridge.cli.rows import Rows
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import Multinomial

_LIMIT = 1e-5
_EXCESS = 1e-8


class GradientSums:
    """The gradient of a fitted model over the training rows."""

    def __init__(
        self, model: FamilyModel, training: FamilyTraining, alpha: float, l1_ratio: float
    ) -> None:
        self._model, self._training = model, training
        self._coef = np.atleast_2d(model.coef_).T
        strength = alpha * training.sum_weights
        d = np.sqrt(training.variance) if model.standardize else np.ones(len(training.variance))
        self._l1 = strength * l1_ratio * d[:, None]
        self._l2 = strength * (1.0 - l1_ratio) * d[:, None] ** 2
        self._gradient = np.zeros_like(self._coef)
        self._sums = np.zeros(self._coef.shape[1])
        self._square = 0.0
        self._n_rows = 0

    @np.errstate(all="ignore")
    def add_training(self, rows: Rows) -> None:
        """Add training rows; X is overwritten."""
        if not len(rows.y):
            return
        training = self._training
        index = training.index(rows.y)
        weight = rows.weights
        if (index < 0).any() and training.labels is not None:  # of weight zero
            rows, weight, index = rows.taken(index >= 0), weight[index >= 0], index[index >= 0]
        derivative = derivatives(training.family, predictors(self._model, rows), index)
        weighted = derivative * weight[:, None]
        X = CentredRows(rows.X, training.mean)
        self._gradient += np.column_stack([X.correlate(each) for each in weighted.T])
        self._sums += weighted.sum(axis=0)
        self._square += float((weighted * derivative).sum())
        self._n_rows += len(rows.y)

    def check(self) -> Check:
        """Return the check of the conditions of the minimum."""
        training, coef = self._training, self._coef
        rest = self._gradient + self._l2 * coef
        away = np.maximum(np.abs(rest) - self._l1, 0.0)
        rest = np.where(coef != 0.0, np.abs(rest + self._l1 * np.sign(coef)), away)
        length = np.sqrt(training.variance * training.sum_weights)[:, None]
        scale = length * math.sqrt(self._square)
        relative = np.divide(rest, scale, out=np.zeros_like(rest), where=scale > 0.0)
        of_sums = np.abs(self._sums).max() / math.sqrt(self._square * training.sum_weights or 1.0)
        return Check(
            f"gradient on the {self._n_rows:,} training rows, read again: largest relative to its "
            "terms",
            max(float(relative.max(initial=0.0)), float(of_sums)),
            _LIMIT,
        )


def compare_with_sklearn(
    sample: Sample, training: FamilyTraining, alpha: float, l1_ratio: float
) -> Check | None:
    """Fit scikit-learn's estimator and ours to the sample and compare their objectives.

    None where scikit-learn has no such model, or the sample too few classes.
    """
    family, rows = training.family, sample.taken()
    if rows.weight is not None:
        rows = rows.taken(rows.weight > 0.0)
    no_rival = rows.offset is not None and family.link != "log"
    no_rival |= family.link == "identity" and family.power != 0.0
    y = training.index(rows.y)
    if l1_ratio > 0.0 or no_rival or not len(y):
        return None
    X, _ = centred(_dense(rows), rows.weights, standardize=training.args.standardize)
    weight = rows.weights
    if training.labels is not None:
        classes, y = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            return None
    elif rows.offset is not None:  # the loss of y at eta + o is that of y exp(-o) at eta, weighted
        with np.errstate(all="ignore"):
            y = y * np.exp(-rows.offset)
            weight = weight * np.exp((2.0 - family.power) * rows.offset)
            alpha *= float(rows.weights.sum()) / float(weight.sum())
    total = float(weight.sum())
    if not (np.isfinite(total) and np.isfinite(y).all()):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options: dict[str, Any] = {"tol": 1e-10, "n_threads": training.args.n_threads}
        ours = family.model(alpha, total, 0.0, **options).fit(X, y, sample_weight=weight)
        rival = _rival(family, alpha, total).fit(X, y, sample_weight=weight)
    values = [_objective(family, model, X, y, weight, alpha) for model in (ours, rival)]
    excess = (values[0] - values[1]) / max(abs(values[1]), 1e-300)
    return Check(
        f"scikit-learn's {type(rival).__name__} on {len(y):,} of these rows: by how much our "
        "objective is larger, relative to it",
        max(excess, 0.0),
        _EXCESS,
    )


def _rival(family: Family, alpha: float, total: float) -> Any:
    if family.classifies:
        C = 1.0 / (alpha * total) if alpha > 0.0 else math.inf
        return SklearnLogistic(C=C, tol=1e-8, max_iter=1000)
    options: dict[str, Any] = {"power": family.power, "link": family.link, "alpha": alpha}
    return SklearnTweedie(**options, tol=1e-8, max_iter=1000)


def _dense(rows: Rows) -> np.ndarray:
    return rows.X if isinstance(rows.X, np.ndarray) else rows.X.toarray()


@np.errstate(all="ignore")
def _objective(
    family: Family, model: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray, alpha: float
) -> float:
    """Return the mean loss beyond the least one, and the penalty."""
    coef = np.atleast_2d(model.coef_)
    eta = with_offset(X @ coef.T + model.intercept_, None, len(y))
    if not family.classifies:
        losses = family.loss.value(y, eta) - family.loss.saturated(y)
    elif eta.ndim == 1:
        losses = Logistic().value(2.0 * y - 1.0, eta)
    else:
        losses = Multinomial.value(y, eta)
    return float(weight @ losses) / float(weight.sum()) + 0.5 * alpha * float((coef**2).sum())
