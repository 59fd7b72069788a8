"""Scores of generalized linear models on rows that arrive batch by batch.

The deviance is twice the loss beyond the least one that any prediction has: of classes twice the
log loss. The null model is the one without features: it predicts the mean of the training rows, or
the parts of them that each class has, and has the offsets of the rows. The deviance explained, D²,
is 1 minus the deviance divided by that of the mean of the held-out rows themselves, as R² and
scikit-learn's `d2_tweedie_score` and `d2_log_loss_score` have it; with offsets, divided by that of
the null model.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import entr, expit, log_softmax, softmax

from fastridge.cli.predicted_rows import MOST_ROWS, PredictedRows, auc
from fastridge.cli.scores import Scores
from fastridge.losses.logistic import Logistic
from fastridge.losses.smooth import SmoothLoss
from fastridge.losses.squared import Squared


class FamilyScores(Scores):
    """Scores that all families have; NaN where there are too few rows.

    Attributes
    ----------
    d2, deviance, null_deviance : float
        Deviances are means over the rows.
    predicted : list of PredictedRows
        One, or with several classes one for each.
    """

    predicted: list[PredictedRows]
    _deviance = _null_deviance = _total = 0.0
    _has_offset = False

    def add_predictors(
        self,
        eta: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        offset: np.ndarray | None = None,
        *,
        keep: bool = True,
    ) -> None:
        """Add rows by their linear predictors, which contain the offset.

        Without `keep`, the rows have no part in `predicted`.
        """
        raise NotImplementedError

    def _add_deviances(self, weight: np.ndarray, loss: np.ndarray, null: np.ndarray) -> None:
        """Add losses of rows, beyond the least, and those of the null model."""
        self._deviance += 2.0 * float(weight @ loss)
        self._null_deviance += 2.0 * float(weight @ null)
        self._total += float(weight.sum())

    def _share(self, total: float) -> float:
        return total / self._total if self._total > 0.0 else math.nan

    @property
    def deviance(self) -> float:
        return self._share(self._deviance)

    @property
    def null_deviance(self) -> float:
        return self._share(self._null_deviance)

    def _deviance_of_mean(self) -> float:
        """Return the sum of deviances of the mean of these rows."""
        raise NotImplementedError

    @property
    def d2(self) -> float:
        null = self._null_deviance if self._has_offset else self._deviance_of_mean()
        return 1.0 - self._deviance / null if null > 0.0 else math.nan


class MeanScores(FamilyScores):
    """Scores of predicted means.

    Parameters
    ----------
    loss : SmoothLoss
    null : float
        Linear predictor of the null model.
    """

    def __init__(self, loss: SmoothLoss, null: float) -> None:
        super().__init__(float(loss.mean_of(np.array([null]))[0]))
        self._loss, self._null = loss, null
        self._least = 0.0
        self.predicted = [PredictedRows(loss.mean_of)]

    @np.errstate(all="ignore")
    def add_predictors(
        self,
        eta: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        offset: np.ndarray | None = None,
        *,
        keep: bool = True,
    ) -> None:
        """Add rows by their linear predictors, which contain the offset."""
        w = np.ones(len(y)) if weight is None else weight
        loss = self._loss
        null = np.full(len(y), self._null)
        if offset is not None:
            null += offset
            self._has_offset = True
        least = loss.saturated(y)
        self._add_deviances(w, loss.value(y, eta) - least, loss.value(y, null) - least)
        self._least += float(w @ least)
        self.add(y, loss.mean_of(eta), weight=weight)
        if keep:
            self.predicted[0].add(eta, y, w)

    @np.errstate(all="ignore")
    def _deviance_of_mean(self) -> float:
        if isinstance(self._loss, Squared):
            return self._total_square
        # The loss of one prediction is linear in the target.
        mean = np.array([self._mean])
        at_mean = self._loss.value(mean, self._loss.null_predictor(self._mean))
        return 2.0 * (self._total * float(at_mean[0]) - self._least)

    @property
    def baseline_rmse(self) -> float:
        return math.nan if self._has_offset else super().baseline_rmse


class ClassScores(FamilyScores):
    """Scores of predicted classes, by the index of each row's class.

    Rows of a class that the model does not know, with the index -1, count as wrong in the accuracy
    and are left out of the other scores.

    Parameters
    ----------
    null : ndarray of shape (1,) or (n_classes,)
        Linear predictors of the null model: of two classes the second's.

    Attributes
    ----------
    auc, auc_error : float
        Area under the ROC curve, and the most that it is off by; of more than two classes the mean
        of each against the others.
    log_loss, null_log_loss, brier, null_brier : float
        Of two classes the Brier score is the mean square of the second's probability minus its
        outcome; of more the sum of these over the classes.
    """

    def __init__(self, null: np.ndarray) -> None:
        self._null = np.atleast_1d(null)
        best = int(self._null[0] > 0.0) if len(self._null) == 1 else int(self._null.argmax())
        super().__init__(float(best), classify=True)
        self.n_classes = max(2, len(self._null))
        self._brier = self._null_brier = 0.0
        self._totals = np.zeros(self.n_classes)
        n = len(self._null)
        self.predicted = [PredictedRows(expit, max(1, MOST_ROWS // n)) for _ in range(n)]

    @np.errstate(all="ignore")
    def add_predictors(
        self,
        eta: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        offset: np.ndarray | None = None,
        *,
        keep: bool = True,
    ) -> None:
        """Add rows by their linear predictors, of shape (n_rows,) or (n_rows, n_classes)."""
        index = y
        found = (eta > 0.0).astype(float) if eta.ndim == 1 else eta.argmax(axis=1)
        self.add(index, found, weight=weight)
        known = index >= 0
        w = (np.ones(len(index)) if weight is None else weight)[known]
        eta, index = eta[known], index[known].astype(np.intp)
        null = np.broadcast_to(self._null if eta.ndim == 2 else self._null[0], eta.shape)
        if offset is not None:
            terms = offset[known]
            null = null + (terms[:, None] if terms.ndim < eta.ndim else terms)
            self._has_offset = True
        self._add_deviances(w, _log_losses(eta, index), _log_losses(null, index))
        self._brier += float(w @ _brier(eta, index))
        self._null_brier += float(w @ _brier(null, index))
        self._totals += np.bincount(index, w, self.n_classes)
        if not keep:
            return
        if eta.ndim == 1:
            self.predicted[0].add(eta, index.astype(float), w)
            return
        logarithms = log_softmax(eta, axis=1)
        for k, rows in enumerate(self.predicted):
            against = _log_of_rest(logarithms, k)
            rows.add(logarithms[:, k] - against, (index == k).astype(float), w)

    @np.errstate(invalid="ignore")
    def _deviance_of_mean(self) -> float:
        return 2.0 * self._total * float(entr(self._totals / self._total).sum())

    @property
    def log_loss(self) -> float:
        return 0.5 * self.deviance

    @property
    def null_log_loss(self) -> float:
        return 0.5 * self.null_deviance

    def _areas(self) -> tuple[float, float]:
        found = [auc(rows.points()) for rows in self.predicted]
        value, error = np.mean(found, axis=0).tolist()
        return value, error

    @property
    def auc(self) -> float:
        return self._areas()[0]

    @property
    def auc_error(self) -> float:
        return self._areas()[1]

    @property
    def brier(self) -> float:
        return self._share(self._brier)

    @property
    def null_brier(self) -> float:
        return self._share(self._null_brier)


def _log_losses(eta: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return minus the logarithm of the probability of each row's class."""
    if eta.ndim == 1:
        return Logistic().value(2.0 * index - 1.0, eta)
    losses: np.ndarray = -log_softmax(eta, axis=1)[np.arange(len(index)), index]
    return losses


def _brier(eta: np.ndarray, index: np.ndarray) -> np.ndarray:
    if eta.ndim == 1:
        return np.asarray((expit(eta) - index) ** 2)
    off = softmax(eta, axis=1)
    off[np.arange(len(index)), index] -= 1.0
    squares: np.ndarray = (off**2).sum(axis=1)
    return squares


def _log_of_rest(logarithms: np.ndarray, k: int) -> np.ndarray:
    """Return the logarithm of the probability of all classes but one, with all its digits."""
    rest = np.delete(logarithms, k, axis=1)
    found: np.ndarray = np.logaddexp.reduce(rest, axis=1)
    return found
