"""Scores and probabilities of the classes of a linear classifier."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.class_scores import ClassScoresMixin
from fastridge.losses.multinomial import Multinomial
from fastridge.losses.registry import LOSSES


def _gives_probabilities(estimator: BaseEstimator) -> bool:
    if not hasattr(LOSSES.get(str(estimator.loss)), "probability"):
        raise AttributeError(f"probability estimates are not available for loss={estimator.loss!r}")
    return True


class ClassPredictionsMixin(ClassScoresMixin):
    """Predict scores and probabilities of the classes, for `SGDClassifier`."""

    loss: str
    multi_class: str

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    @documented(texts.PREDICT)
    def predict_proba(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict the probabilities of the classes.

        For the losses "log_loss" and "modified_huber" only. For "modified_huber" with two classes
        it is ``(clip(decision_function(X), -1, 1) + 1) / 2``; with more, that of each class, scaled
        to a sum of 1.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.

        Raises
        ------
        AttributeError
            If `loss` is another one.
        NotFittedError, ValueError

        References
        ----------
        Zadrozny and Elkan, "Transforming classifier scores into multiclass probability estimates",
        KDD (2002).
        """
        check_is_fitted(self)
        scores = self.decision_function(X)
        if self.multi_class == "multinomial" and len(self.classes_) > 2:
            return Multinomial.probability(scores)
        share = LOSSES[self.loss].probability(scores)  # type: ignore[attr-defined]
        if share.ndim == 1:
            return np.column_stack([1.0 - share, share])
        share[share.sum(axis=1) == 0.0] = 1.0  # of no class at all: all alike
        return share / share.sum(axis=1, keepdims=True)

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    @documented(texts.PREDICT)
    def predict_log_proba(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict the logarithms of the probabilities of the classes.

        For the losses "log_loss" and "modified_huber" only.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms in the order of `classes_`; minus infinity for a probability of zero.

        Raises
        ------
        AttributeError
            If `loss` is another one.
        NotFittedError, ValueError
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))
