"""Compute scores of classifiers from linear predictors, or by a scorer of the user's own."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import log_expit, log_softmax
from sklearn.metrics import accuracy_score, check_scoring, log_loss, make_scorer

from fastridge._typing import Index, Matrix, Scoring
from fastridge.linear_model.logistic import LogisticRegression
from fastridge.linear_model.scoring import of_rows

_MEANS_OF_ROWS = {accuracy_score: "accuracy", log_loss: "neg_log_loss"}
"""Score functions that are means over the rows, which are faster to compute at once."""


class _OfPredictors(LogisticRegression):
    """A fitted classifier whose rows are their own linear predictors."""

    def decision_function(self, X: Any) -> np.ndarray:
        values: np.ndarray = X
        return values


class ClassScorer:
    """A score of test rows.

    Parameters
    ----------
    scoring : str, callable or None
        None is the accuracy.
    classes : ndarray
        All labels: test rows may hold fewer.
    params : dict
        What the scorer is given in addition, such as weights of all rows.
    """

    def __init__(
        self, scoring: Scoring | None, classes: np.ndarray, params: Mapping[str, object]
    ) -> None:
        self.classes, self._params = classes, params
        self._model = _OfPredictors()
        self._model.classes_ = classes
        scorer = check_scoring(self._model, scoring="accuracy" if scoring is None else scoring)
        self.of_predictors = hasattr(scorer, "_score_func")
        self._scorer = self._with_labels(scorer) if self.of_predictors else scorer
        plain = self.of_predictors and not scorer._kwargs and params.keys() <= {"sample_weight"}
        self._mean_of = _MEANS_OF_ROWS.get(scorer._score_func) if plain else None

    def score(self, eta: np.ndarray, y: np.ndarray, test: Index, n_samples: int) -> float:
        """Return the score of linear predictors of the test rows, of which y has the labels."""
        given = self._of_rows(test, n_samples)
        weight: Any = given.get("sample_weight")
        if self._mean_of is None or (weight is not None and not np.any(weight)):
            return float(self._scorer(self._model, eta, y, **given))
        return float(np.average(self._values(eta, y), weights=weight))

    def score_model(
        self,
        model: LogisticRegression,
        X: Matrix,
        y: np.ndarray,
        test: Index,
        n_samples: int,
    ) -> float:
        """Return the score of a fitted model on the test rows, by a callable."""
        return float(self._scorer(model, X, y, **self._of_rows(test, n_samples)))

    def error_over_rows(self, eta: np.ndarray, y: np.ndarray) -> float:
        """Return the standard error of a score that is a mean over the rows, otherwise NaN."""
        if self._mean_of is None:
            return np.nan
        weight: Any = self._params.get("sample_weight")
        values = self._values(eta, y)
        weights = np.ones(len(y)) if weight is None else np.asarray(weight)
        mean = float(np.average(values, weights=weights))
        n = np.count_nonzero(weights)
        square = float((weights**2) @ (values - mean) ** 2) / float(weights.sum()) ** 2
        return float(np.sqrt(square * n / (n - 1))) if n > 1 else np.nan

    def _values(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the scores of the rows, of which the score is the mean, as scikit-learn has it."""
        codes = np.searchsorted(self.classes, y)
        if self._mean_of == "accuracy":
            found = eta.argmax(axis=1) if eta.ndim == 2 else eta > 0.0
            return (found == codes).astype(np.float64)
        if eta.ndim == 1:
            values = log_expit(np.where(codes == 1, eta, -eta))
        else:
            values = log_softmax(eta, axis=1)[np.arange(len(codes)), codes]
        eps = np.finfo(np.float64).eps
        return np.asarray(np.clip(values, np.log(eps), np.log1p(-eps)))

    def _of_rows(self, test: Index, n_samples: int) -> dict[str, Any]:
        return {name: of_rows(value, test, n_samples) for name, value in self._params.items()}

    def _with_labels(self, scorer: Any) -> Callable[..., float]:
        """Return a scorer that is told all labels, where its score wants them."""
        names = inspect.signature(scorer._score_func).parameters
        if "labels" not in names:
            return scorer
        options = dict(getattr(scorer, "_kwargs", {}))
        binary = options.get("average", "binary") == "binary"
        if binary and len(self.classes) == 2 and "pos_label" in names:
            options.setdefault("pos_label", self.classes[-1])
        return make_scorer(
            scorer._score_func,
            greater_is_better=scorer._sign == 1,
            response_method=scorer._response_method,
            **{"labels": self.classes, **options},
        )
