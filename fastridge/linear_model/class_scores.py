"""Scores of the classes of a linear classifier."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from fastridge._docstrings import documented
from fastridge._typing import Matrix, RowsLike
from fastridge._validation import refuse_array_api
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.encoded_tables import encoded
from fastridge.linear_model.prediction import check_names, joined, scores_of
from fastridge.runtime.sparse_indices import refuse_malformed


def linear_scores(X: Any, coef: Matrix, intercept: np.ndarray) -> np.ndarray:
    """Return ``X @ coef.T + intercept`` of a batch; one column is flattened."""
    X = X.to_numpy() if hasattr(X, "iloc") else X
    if sp.issparse(X) or sp.issparse(coef):
        scores: np.ndarray = safe_sparse_dot(X, coef.T, dense_output=True) + intercept
    else:
        scores = scores_of(X, np.atleast_2d(coef), intercept)
    return scores.ravel() if len(intercept) == 1 else scores


class ClassScoresMixin(LinearClassifierMixin):
    """`decision_function` of a linear classifier."""

    classes_: np.ndarray
    coef_: Matrix
    intercept_: np.ndarray

    @documented(texts.PREDICT)
    def decision_function(self, X: RowsLike | Scan) -> np.ndarray:
        """Compute the scores ``X @ coef_.T + intercept_`` of the classes.

        Parameters
        ----------
        X

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Signed distances from the hyperplanes times ||w||. With two classes, above zero where
            ``classes_[1]`` is predicted.

        Raises
        ------
        NotFittedError, ValueError
        """
        check_is_fitted(self)
        X = encoded(self, X)
        if isinstance(X, Scan):
            check_names(self, X)
            return joined(self._scores_of(batch.X) for batch in X)
        refuse_array_api(X=X)
        refuse_malformed(X)
        scores: np.ndarray = super().decision_function(X)
        return scores

    def _scores_of(self, X: Any) -> np.ndarray:
        """Return the scores of a batch of a scan."""
        return linear_scores(X, self.coef_, self.intercept_)

    def _predict_batch(self, X: Any) -> np.ndarray:
        """Return the predictions for a batch of a scan."""
        scores = self._scores_of(X)
        codes = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0.0).astype(np.intp)
        return self.classes_[codes]
