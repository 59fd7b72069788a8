"""Checks of a fitted model for inference, and of rows to predict for."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from fastridge._typing import Matrix, RowsLike
from fastridge._validation import refuse_array_api
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed

COV_TYPES = ("nonrobust", "HC0", "HC1", "HC2", "HC3")
_MAX_FEATURES = 10_000
_MAX_VALUES = 1 << 28  # of the covariances of all targets: 2 GB


def check_inference(model: BaseEstimator, cov_type: str) -> None:
    """Raise ValueError if the model is not fitted, or has no inference of this kind."""
    if cov_type not in COV_TYPES:
        raise ValueError(
            f"cov_type must be one of {', '.join(map(repr, COV_TYPES))}, got {cov_type!r}."
        )
    check_is_fitted(model, "coef_")
    if getattr(model, "positive", False):
        raise ValueError(
            "inference is not supported for positive=True, whose estimates have no such "
            "variances: fit with positive=False."
        )
    p = np.shape(model.coef_)[-1]
    if p > _MAX_FEATURES:
        raise ValueError(
            f"inference needs matrices of {p} x {p}; it is supported up to {_MAX_FEATURES} "
            "features."
        )
    t = 1 if np.ndim(model.coef_) == 1 else len(model.coef_)
    if t * (p + 1) ** 2 > _MAX_VALUES:
        raise ValueError(
            f"the covariances of {t} targets are {t} matrices of {p + 1} x {p + 1}, more than "
            f"{_MAX_VALUES:,} values together: fit and ask for fewer targets at a time."
        )
    factors = model.penalty_factors
    if factors is not None and np.isinf(factors).any():
        raise ValueError(
            "inference is not supported if penalty_factors excludes features: fit a model "
            "without their columns."
        )


def rows_to_predict(model: BaseEstimator, X: RowsLike) -> Matrix:
    """Return new rows for a fitted model, validated; sparse ones in canonical form."""
    refuse_array_api(X=X)
    refuse_malformed(X)
    rows = validate_data(model, X, accept_sparse=("csr", "csc"), dtype="numeric", reset=False)
    return in_canonical_form(rows)
