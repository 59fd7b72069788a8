"""Coefficients, values and labels as the descents of SGD want them."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils.multiclass import check_classification_targets

from fastridge._validation import check_finite, numeric_targets

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_FEW_VALUES = 1 << 12
_FEW_LABELS = 1 << 10


class HeldOut(NamedTuple):
    """Rows to learn from (None for all), and rows whose score decides when to end, if any."""

    learned: np.ndarray | None
    rows: Any
    y: Any
    weight: np.ndarray | None


def dense(coef: Any) -> np.ndarray:
    """Coefficients that a kernel can write to; those of a model that is sparse are made dense."""
    if sp.issparse(coef):
        coef = coef.toarray()
    if coef.dtype in FLOATS and coef.flags.c_contiguous and coef.flags.writeable:
        return coef
    dtype = np.float32 if coef.dtype == np.float32 else np.float64
    return np.array(coef, dtype=dtype, order="C")


def is_finite(values: np.ndarray) -> bool:
    """Whether few values are finite for sure; many are left to a slower check."""
    if values.dtype.kind != "f":
        return True
    if values.size > _FEW_VALUES:
        return bool(np.isfinite(values).all())
    return bool(np.isfinite(np.add.reduce(values, axis=None)))


def checked_targets(y: np.ndarray, estimator: Any, name: str = "y") -> np.ndarray:
    """Return finite targets, as numbers unless the estimator classifies."""
    if not estimator._classifies:
        y = numeric_targets(y)
    if not is_finite(y):
        check_finite(y, name, estimator)
    return y


def refuse_not_finite(X: Any, estimator: Any) -> None:
    """ValueError where X holds NaN or infinity, as scikit-learn words it."""
    check_finite(X, "X", estimator)


def classes_and_codes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels in y, sorted, and the place of each row's among them."""
    whole = y.astype(np.intp) if y.dtype.kind in "iub" else _whole_numbers(y)
    if whole is not None:
        least, most = int(whole.min()), int(whole.max())
        if most - least < _FEW_LABELS:
            # A table of the labels in place of a sort.
            shifted = whole - least
            present = np.bincount(shifted) > 0
            place = np.cumsum(present) - 1
            labels = np.flatnonzero(present) + least
            return labels.astype(y.dtype), shifted if present.all() else place[shifted]
    check_classification_targets(y)
    labels, codes = np.unique(y, return_inverse=True)
    return labels, codes


def _whole_numbers(y: np.ndarray) -> np.ndarray | None:
    """Floats as integers where all of them are small whole numbers, else None."""
    if y.dtype.kind != "f" or y.ndim != 1 or not np.abs(y).max(initial=0.0) <= _FEW_LABELS:
        return None
    whole = y.astype(np.intp)
    return whole if (whole == y).all() else None


def codes_of(y: np.ndarray, classes: np.ndarray, name: str, source: str) -> np.ndarray:
    """The place of each label among the classes; ValueError names one that is not there."""
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = classes[codes] != y
    if unknown.any():
        raise ValueError(
            f"{name} holds the label {y[unknown].tolist()[0]!r}, which is none of the classes of "
            f"{source}, {classes.tolist()}."
        )
    return codes
