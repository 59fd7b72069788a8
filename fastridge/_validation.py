"""Validation of input arrays: scikit-learn's checks, and a fast path for plain arrays."""

from typing import Any, Literal, NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from fastridge._typing import Matrix
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed

LEAST_SQUARE = 1e-270  # a sum of squares above this has not underflowed
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def is_plain(X: object, y: object) -> bool:
    """Return whether X and y are float arrays of matching shapes, valid if they are finite."""
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


def has_plain_labels(X: object, y: object) -> bool:
    """Return whether X are floats and y as many numbers, valid if all are finite."""
    return (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.dtype in _FLOATS
        and X.ndim == 2
        and y.ndim == 1
        and y.dtype.kind in "fiub"
        and X.shape[0] == y.shape[0] > 0
        and X.shape[1] > 0
    )


READ_IN_PLACE: dict[str, Any] = {
    "accept_large_sparse": True,
    "order": None,
    "ensure_all_finite": False,
}
"""Options of scikit-learn's validation for rows whose finiteness is checked by a pass over them."""

REGRESSION_ROWS = READ_IN_PLACE | {
    "accept_sparse": ("csr", "csc"),
    "multi_output": True,
    "y_numeric": True,
}


def check_rows(X: Any, y: Any, allow_empty: bool = False) -> tuple[Matrix, np.ndarray]:
    """Validate X and y for a pass over rows, which checks finiteness itself."""
    if is_plain(X, y):
        return X, y
    refuse_array_api(X=X, y=y)
    refuse_malformed(X)
    refuse_malformed(y, "y")
    if allow_empty and np.ndim(X) == 2 and np.shape(X)[0] == 0 == np.shape(y)[0]:
        return np.empty(np.shape(X)), np.empty(np.shape(y))
    from sklearn.utils.validation import check_X_y

    X, y = check_X_y(X, y, dtype=dtype_of_rows(X), **REGRESSION_ROWS)
    return in_canonical_form(X), numeric_targets(y)


def dtype_of_rows(X: object) -> type[np.float64] | Literal["numeric"]:
    """Return the dtype to validate X with: numbers as they are, times and text as numbers."""
    others = getattr(getattr(X, "dtype", None), "kind", "") in ("U", "S", "M", "m")
    return np.float64 if others else "numeric"


def refuse_array_api(**arrays: object) -> None:
    """Raise TypeError if an array belongs to another library with the array API standard."""
    for name, value in arrays.items():
        kind = type(value)
        if issubclass(kind, (np.ndarray, np.generic)):
            continue
        if hasattr(kind, "__array_namespace__") or _is_dispatched_tensor(kind):
            raise TypeError(
                f"{name} is a {kind.__module__}.{kind.__qualname__}, but fastridge computes with "
                f"NumPy arrays only: give numpy.asarray({name}), copied from its device first "
                "if that is not the CPU."
            )


def _is_dispatched_tensor(kind: type) -> bool:
    """Return whether scikit-learn would pass on a tensor of this type unchanged."""
    if kind.__module__.partition(".")[0] != "torch":
        return False
    from sklearn import get_config

    return bool(get_config()["array_api_dispatch"])


def numeric_targets(y: np.ndarray) -> np.ndarray:
    """Return targets as numbers, converting text as scikit-learn does."""
    if sp.issparse(y):
        raise TypeError(
            "Sparse data was passed for y, but dense data is required. Use '.toarray()' to convert "
            "to a dense numpy array."
        )
    if y.dtype.kind not in "USO":
        return y
    numbers = y.astype(np.float64)
    check_finite(numbers, "y")
    return numbers


def check_finite(values: Matrix, name: str, estimator: object = None) -> None:
    """Raise ValueError, with scikit-learn's message, if values are not finite.

    scikit-learn's ``assume_finite`` is ignored, because the caller has found a value that is not.
    """
    from sklearn import config_context
    from sklearn.utils import assert_all_finite

    estimator_name = None if estimator is None else type(estimator).__name__
    values = values if isinstance(values, np.ndarray) else values.data
    if values.dtype.kind == "f":
        with config_context(assume_finite=False), np.errstate(all="ignore"):
            assert_all_finite(values, input_name=name, estimator_name=estimator_name)


def check_weight(
    sample_weight: ArrayLike | None,
    X: Matrix,
    y: np.ndarray | None = None,
    allow_zero: bool = False,
) -> np.ndarray | None:
    """Return sample weights as a float64 array, or None for unit weights.

    With y, raises ValueError if X or y is not finite in a row of weight zero, which not every
    solver reads.
    """
    if sample_weight is None:
        return None
    from sklearn.utils.validation import _check_sample_weight

    refuse_array_api(sample_weight=sample_weight)
    if allow_zero and np.shape(sample_weight) == (X.shape[0],) and not np.any(sample_weight):
        return np.zeros(X.shape[0])
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError(
            "sample_weight is zero for every sample: at least one weight must be positive."
        )
    if not np.isfinite(weight.sum()):
        check_finite(weight, "sample_weight")
    if y is not None and not weight.all():
        check_finite(X, "X")
        check_finite(y, "y")
    return np.ascontiguousarray(weight)


class NotFiniteError(ValueError):
    """X or y holds NaN or infinity, or leads to them; the message says which."""


class OverflowsError(NotFiniteError):
    """X and y are finite, but X'X or X'y is not."""


def raise_not_finite(X: Matrix, y: np.ndarray | None) -> NoReturn:
    """Raise an error with the reason why a pass over X and y gave NaN or infinity."""
    try:
        check_finite(X, "X")
        if y is not None:
            check_finite(y, "y")
    except ValueError as error:
        raise NotFiniteError(str(error)) from None
    raise OverflowsError(
        "X'X or X'y overflows float64 although all values are finite: some magnitude is above "
        "1e150. Rescale X or y, for instance with sklearn.preprocessing.StandardScaler."
    )


def check_small_squares(A: Matrix, squares: np.ndarray, name: str) -> None:
    """Raise ValueError if the squares of a column underflow though it is not constant."""
    suspect = np.flatnonzero(squares <= LEAST_SQUARE)
    for start in range(0, len(suspect), 64):
        some = suspect[start : start + 64]
        ranges = _ranges(A, some)
        tiny = (ranges > 0.0) & (ranges < 1e-130)
        if tiny.any():
            column = int(some[np.flatnonzero(tiny)[0]])
            raise ValueError(
                f"column {column} of {name} varies by {ranges[tiny][0]:.3g} only, and its square "
                "is below what float64 can hold. Rescale it, for instance with "
                "sklearn.preprocessing.StandardScaler."
            )


def _ranges(A: Matrix, columns: np.ndarray) -> np.ndarray:
    """Compute the range of some columns, a few rows at a time."""
    highest = np.full(len(columns), -np.inf)
    lowest = np.full(len(columns), np.inf)
    if sp.issparse(A):
        A, columns = A[:, columns], np.arange(len(columns))
    step = max(1, (1 << 17) // len(columns))
    for begin in range(0, A.shape[0], step):
        rows = A[begin : begin + step]
        rows = rows[:, columns] if isinstance(rows, np.ndarray) else rows.toarray()
        np.maximum(highest, rows.max(axis=0), out=highest)
        np.minimum(lowest, rows.min(axis=0), out=lowest)
    return highest - lowest
