"""Prepare coefficients, values and labels for SGD."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets

from fastridge._typing import Matrix
from fastridge._validation import check_finite, numeric_targets
from fastridge.solvers.sgd.order import rows_with_weight

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_FEW_VALUES = 1 << 12
_FEW_LABELS = 1 << 10


class HeldOut(NamedTuple):
    """Rows to learn from (None for all), and rows whose score decides when to end, if any.

    Where `classes` are given, y holds positions among them.
    """

    learned: np.ndarray | None
    rows: Any
    y: Any
    weight: np.ndarray | None
    classes: np.ndarray | None = None


def dense(coef: Matrix) -> np.ndarray:
    """Return coefficients that a kernel can write to; sparse ones are made dense."""
    if not isinstance(coef, np.ndarray):
        coef = coef.toarray()
    if coef.dtype in FLOATS and coef.flags.c_contiguous and coef.flags.writeable:
        return coef
    dtype = np.float32 if coef.dtype == np.float32 else np.float64
    return np.array(coef, dtype=dtype, order="C")


def validation_rows(
    estimator: BaseEstimator, y: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the rows to learn from and those to score on; two None if all are to learn from."""
    if not estimator.early_stopping:
        return None, None
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    splitter = StratifiedShuffleSplit if estimator._classifies else ShuffleSplit
    split = splitter(test_size=estimator.validation_fraction, random_state=estimator.random_state)
    counted = rows_with_weight(weight)
    if counted is None:
        counted = np.arange(len(y), dtype=np.intp)
    elif not len(counted):
        raise ValueError(
            "The sample weights for validation set are all zero, consider using a different "
            "random state."
        )
    _, scored = next(split.split(np.zeros((len(counted), 1)), y[counted]))
    mask = np.zeros(len(counted), dtype=bool)
    mask[scored] = True
    learned = np.flatnonzero(~mask)
    if not len(learned) or not len(scored):
        raise ValueError(
            f"Splitting {len(counted)} samples into a train set and a validation set with "
            f"validation_fraction={estimator.validation_fraction!r} led to an empty set "
            f"({len(learned)} and {len(scored)} samples). Please either change "
            "validation_fraction, increase number of samples, or disable early_stopping."
        )
    return counted[learned], counted[mask]


def is_finite(values: np.ndarray) -> bool:
    """Return whether all values are finite; an overflow of their sum counts as not finite."""
    if values.dtype.kind != "f":
        return True
    if values.size > _FEW_VALUES:
        return bool(np.isfinite(values).all())
    return bool(np.isfinite(np.add.reduce(values, axis=None)))


def checked_targets(y: np.ndarray, estimator: BaseEstimator, name: str = "y") -> np.ndarray:
    """Return finite targets, as numbers unless the estimator classifies."""
    if not estimator._classifies:
        y = numeric_targets(y)
    if not is_finite(y):
        check_finite(y, name, estimator)
    return y


def refuse_not_finite(X: Matrix, estimator: BaseEstimator) -> None:
    """Raise ValueError if X holds NaN or infinity, as scikit-learn words it."""
    check_finite(X, "X", estimator)


def classes_and_codes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted labels in y, and the index of each row's label among them."""
    whole = y.astype(np.intp) if y.dtype.kind in "iub" else _whole_numbers(y)
    if whole is not None:
        least, most = int(np.minimum.reduce(whole)), int(np.maximum.reduce(whole))
        if most - least < _FEW_LABELS:
            # A table of the labels instead of a sort.
            shifted = whole - least if least else whole
            counts = np.bincount(shifted)
            labels = np.flatnonzero(counts)
            if len(labels) < len(counts):
                position = np.cumsum(counts > 0) - 1
                shifted = position[shifted]
            return (labels + least).astype(y.dtype), shifted
    check_classification_targets(y)
    labels, codes = np.unique(y, return_inverse=True)
    return labels, codes


def _whole_numbers(y: np.ndarray) -> np.ndarray | None:
    """Return floats as integers if all are small whole numbers, otherwise None."""
    if y.dtype.kind != "f" or y.ndim != 1 or not np.abs(y).max(initial=0.0) <= _FEW_LABELS:
        return None
    whole = y.astype(np.intp)
    return whole if (whole == y).all() else None


def codes_of(y: np.ndarray, classes: np.ndarray, name: str, source: str) -> np.ndarray:
    """Return the index of each label among the classes. Raises ValueError naming an unknown one."""
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = classes[codes] != y
    if unknown.any():
        raise ValueError(
            f"{name} holds the label {y[unknown].tolist()[0]!r}, which is not one of the classes "
            f"of {source}, {classes.tolist()}."
        )
    return codes
