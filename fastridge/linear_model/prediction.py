"""Code that all linear models share: checks of rows, fitted attributes, predictions."""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from fastridge._docstrings import documented
from fastridge._kernels import combine
from fastridge._kernels.attributes import forget
from fastridge._typing import Float, Matrix, RowsLike
from fastridge._validation import (
    REGRESSION_ROWS,
    NotFiniteError,
    OverflowsError,
    check_finite,
    dtype_of_rows,
    is_plain,
    numeric_targets,
    refuse_array_api,
)
from fastridge.data.feature_encoding import Encoding
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.encoded_tables import encoded
from fastridge.linear_model.to_sklearn import ToSklearnMixin
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result

_FEW_VALUES = 1 << 12  # of X to predict for: below this, most of the time goes to the call


class LinearModelMixin(ToSklearnMixin):
    """Checks of rows, attributes from a solution, and `predict` of a linear model."""

    fit_intercept: bool
    coef_: np.ndarray
    intercept_: Any
    n_features_in_: int
    feature_names_in_: np.ndarray
    encoding_: Encoding

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags

    def _check_rows(self, X: Any, y: Any, reset: bool) -> tuple[Matrix, np.ndarray]:
        if reset:
            forget(self, "encoding_")
        if is_plain(X, y):
            if reset:
                self.n_features_in_ = X.shape[1]
                forget(self, "feature_names_in_")
                return X, y
            if X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
                return X, y
        refuse_array_api(X=X, y=y)
        refuse_malformed(X)
        refuse_malformed(y, "y")
        X, y = validate_data(self, X, y, reset=reset, dtype=dtype_of_rows(X), **REGRESSION_ROWS)
        return in_canonical_form(X), numeric_targets(y)

    def _store_result(self, problem: Problem, result: Result, y_ndim: int, dtype: Float) -> Self:
        """Set the fitted attributes; the intercept belongs to the coefficients as rounded."""
        if not result.finite:
            if not problem.design.has_rows:
                raise ValueError("the statistics overflow: rescale the data they are made of.")
            problem.raise_not_finite()
        if dtype is not np.float64:
            result = result.rounded(dtype)
        coef = result.coef
        if coef.dtype != dtype:
            coef = coef.astype(dtype)
        self.coef_ = coef[0] if len(coef) == 1 else coef
        if not self.fit_intercept:
            self.intercept_ = 0.0
        elif y_ndim == 1:
            self.intercept_ = dtype(result.intercept[0])
        else:
            self.intercept_ = result.intercept.astype(dtype, copy=False)
        steps = result.n_iter
        self.n_iter_ = np.ones(len(coef), dtype=np.intc) if steps is None else steps
        self.solver_ = result.solver
        self.rcond_ = result.rcond
        return self

    @documented(texts.PREDICT)
    def predict(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict targets, ``X @ coef_.T + intercept_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), Scan, or table
            Rows. `fastridge.write_predictions` keeps the predictions of a `fastridge.scan` out of
            memory. If the model has an `encoding_`, a pandas, Polars or Arrow table with the
            columns of that is encoded.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted targets.

        Raises: NotFittedError, ValueError
        """
        if type(X) is not np.ndarray:
            X = encoded(self, X)
        if isinstance(X, Scan):
            check_is_fitted(self, "coef_")
            return joined(predicted_batches(self, X))
        coef = self.__dict__.get("coef_")
        if (
            coef is not None
            and type(X) is np.ndarray
            and X.dtype == coef.dtype
            and X.ndim == 2
            and X.shape[0] > 0
            and X.shape[1] == coef.shape[-1]
            and "feature_names_in_" not in self.__dict__
        ):
            intercept = self.intercept_
            single = coef.ndim == 1 and not isinstance(intercept, np.ndarray)
            in_place = X.flags.aligned and coef.flags.c_contiguous
            if single and in_place and X.size <= _FEW_VALUES:
                predicted = np.empty(len(X), dtype=coef.dtype)
                if combine.predict_rows(X, coef, intercept, predicted):
                    return predicted
            else:
                with np.errstate(all="ignore"):  # what is not finite is named below
                    predicted = X.dot(coef.T)
                    predicted += intercept
                if np.isfinite(predicted).all():
                    return predicted
        check_is_fitted(self, "coef_")
        refuse_array_api(X=X)
        refuse_malformed(X)
        dtype = dtype_of_rows(X)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=dtype, reset=False)
        X = in_canonical_form(X)
        return X @ self.coef_.T + self.intercept_

    def _predict_batch(self, X: Matrix) -> np.ndarray:
        """Return the predictions for a batch of a scan, whose names were checked before."""
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        predicted = scores_of(X, self.coef_, self.intercept_)
        if not np.isfinite(predicted).all():
            values = X.data if sp.issparse(X) else X
            assert_all_finite(values, input_name="X", estimator_name=type(self).__name__)
        return predicted


def raise_named(error: NotFiniteError, X: Matrix, estimator: BaseEstimator) -> NoReturn:
    """Raise the error of X that is not finite with the estimator's name, as scikit-learn does."""
    if X is not None:
        check_finite(X, "X", estimator)
    overflows = isinstance(error, OverflowsError)
    words = getattr(estimator, "_overflow_words", "") if overflows else ""
    raise ValueError(f"{words}{error}") from None


class named_in_errors:  # noqa: N801  used in a with statement
    """Have the error of X that is not finite name the estimator, as scikit-learn's does."""

    def __init__(self, estimator: BaseEstimator, X: Matrix) -> None:
        self._estimator, self._X = estimator, X

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, NotFiniteError):
            raise_named(error, self._X, self._estimator)


def predicted_batches(model: BaseEstimator, rows: Scan) -> Iterator[np.ndarray]:
    """Yield the predictions of each batch of a scan."""
    check_names(model, rows)
    unnamed = rows.feature_names is None
    for batch in rows:
        if unnamed:  # an iterator may have named them by now
            check_names(model, rows)
        yield model._predict_batch(batch.X)


def joined(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return the results for all batches of a scan as one array."""
    found = list(batches)
    if not found:
        raise ValueError("X has no rows: at least one is needed.")
    return np.concatenate(found)


def check_names(model: BaseEstimator, rows: Scan) -> None:
    """Raise ValueError if a scan's columns are not those that the model was fitted to."""
    known, given = getattr(model, "feature_names_in_", None), rows.feature_names
    if known is not None and given is not None and list(known) != list(given):
        raise ValueError(
            f"the scan has features {given[:5]}..., but the model was fitted to "
            f"{list(known)[:5]}...: give scan(..., features=list(model.feature_names_in_))."
        )


def scores_of(X: Matrix, coef: np.ndarray, intercept: float | np.ndarray) -> np.ndarray:
    """``X @ coef.T + intercept``; of dense X without BLAS, whose threads would wait spinning.

    Sums are in float64. What is not finite gives no warning.
    """
    plain = type(X) is np.ndarray and X.dtype in (np.float32, np.float64) and X.flags.aligned
    if not plain or not X.size or any(stride % X.itemsize for stride in X.strides):
        with np.errstate(all="ignore"):
            scores: np.ndarray = X @ coef.T + intercept
        return scores
    columns = np.ascontiguousarray(np.atleast_2d(coef).T, dtype=np.float64)
    sums = np.empty((columns.shape[1], len(X)))
    sums[:] = np.reshape(intercept, (-1, 1))
    combine.combine_rows(X.T, np.zeros(len(X)), columns, sums)
    wanted = sums[0] if coef.ndim == 1 else sums.T
    return wanted.astype(np.result_type(X, coef), copy=False)
