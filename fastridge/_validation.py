"""Checks of arrays on the way in: scikit-learn's, and a quick way past them for plain arrays."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from fastridge._sparse_validation import in_canonical_form, refuse_malformed

LEAST_SQUARE = 1e-270  # a sum of squares above this has not underflowed
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def is_plain(X: Any, y: Any) -> bool:
    """Whether X and y are numeric arrays of matching shapes that need no check but finiteness."""
    return (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.dtype in _FLOATS
        and y.dtype in _FLOATS
        and X.ndim == 2
        and 1 <= y.ndim <= 2
        and X.shape[0] == y.shape[0] > 0
        and X.shape[1] > 0
        and (y.ndim == 1 or y.shape[1] > 0)
    )


def check_rows(X: Any, y: Any, allow_empty: bool = False) -> tuple[Any, np.ndarray]:
    """Validate X and y for a pass over rows; finiteness is left to the pass itself."""
    if is_plain(X, y):
        return X, y
    refuse_malformed(X)
    refuse_malformed(y, "y")
    if allow_empty and np.ndim(X) == 2 and np.shape(X)[0] == 0 == np.shape(y)[0]:
        return np.empty(np.shape(X)), np.empty(np.shape(y))
    from sklearn.utils.validation import check_X_y

    X, y = check_X_y(
        X,
        y,
        accept_sparse=("csr", "csc"),
        accept_large_sparse=True,
        dtype="numeric",
        order=None,
        ensure_all_finite=False,
        multi_output=True,
        y_numeric=True,
    )
    return in_canonical_form(X), y


def check_weight(sample_weight: Any, X: Any, allow_zero: bool = False) -> np.ndarray | None:
    """Sample weights as a float64 array, or None for unit weights."""
    if sample_weight is None:
        return None
    from sklearn.utils.validation import _check_sample_weight

    if allow_zero and np.shape(sample_weight) == (X.shape[0],) and not np.any(sample_weight):
        return np.zeros(X.shape[0])
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError(
            "sample_weight is zero for every sample: at least one weight must be positive."
        )
    return np.ascontiguousarray(weight)


def raise_not_finite(X: Any, y: np.ndarray | None, estimator: Any = None) -> None:
    """Say what made a pass over X and y give NaN or infinity."""
    from sklearn.utils import assert_all_finite

    name = None if estimator is None else type(estimator).__name__
    values = X.data if sp.issparse(X) else X
    with np.errstate(all="ignore"):
        if values.dtype.kind == "f":
            assert_all_finite(values, input_name="X", estimator_name=name)
        if y is not None and y.dtype.kind == "f":
            assert_all_finite(y, input_name="y", estimator_name=name)
    raise ValueError(
        "X'X or X'y overflows float64 although all values are finite: some magnitude is above "
        "1e150. Rescale X or y, for instance with sklearn.preprocessing.StandardScaler."
    )


def check_small_squares(A: Any, squares: np.ndarray, name: str) -> None:
    """ValueError where a column that is not constant has squares that underflow."""
    suspect = np.flatnonzero(squares <= LEAST_SQUARE)
    for start in range(0, len(suspect), 64):
        some = suspect[start : start + 64]
        spread = _spread(A, some)
        tiny = (spread > 0.0) & (spread < 1e-130)
        if tiny.any():
            column = int(some[np.flatnonzero(tiny)[0]])
            raise ValueError(
                f"column {column} of {name} varies by {spread[tiny][0]:.3g} only, and its square "
                "is below what float64 can hold. Rescale it, for instance with "
                "sklearn.preprocessing.StandardScaler."
            )


def _spread(A: Any, columns: np.ndarray) -> np.ndarray:
    """Largest minus smallest value of some columns, a few rows at a time."""
    highest = np.full(len(columns), -np.inf)
    lowest = np.full(len(columns), np.inf)
    if sp.issparse(A):
        A, columns = A[:, columns], np.arange(len(columns))
    step = max(1, (1 << 17) // len(columns))
    for begin in range(0, A.shape[0], step):
        rows = A[begin : begin + step]
        rows = rows.toarray() if sp.issparse(rows) else rows[:, columns]
        np.maximum(highest, rows.max(axis=0), out=highest)
        np.minimum(lowest, rows.min(axis=0), out=lowest)
    return highest - lowest
