"""Labels of classes as text, and those that no training row has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastridge.data.columns import require_pyarrow

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from fastridge.data.files import Block
    from fastridge.data.one_hot import Encoder, Unfamiliar
    from fastridge.data.tables import Table


def class_labels(model: BaseEstimator) -> list[str]:
    """Return the labels of a classifier as text; none for a regression."""
    return [label_text(label) for label in getattr(model, "classes_", np.empty(0)).tolist()]


def label_text(label: object) -> str:
    """Return a label as text, a whole number without a point, truths in small letters."""
    if isinstance(label, bool):
        return str(label).lower()
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label)) if whole else str(label)  # type: ignore[call-overload]


def restore_labels(
    model: BaseEstimator, encoder: Encoder, table: Table[Block], target: str
) -> None:
    """Give the model the labels as they are in the files: text, truths or whole numbers."""
    labels, classes = encoder.classes, model.classes_
    dtype = str(table.types[target])
    is_text, is_whole = table.text is not None, bool((classes == np.floor(classes)).all())
    if labels is not None:
        model.classes_ = np.array(labels)[classes.astype(int)]
    elif dtype == "bool":
        model.classes_ = classes.astype(bool)
    elif "int" in dtype or (is_text and is_whole):
        model.classes_ = classes.astype(np.int64)


def class_index(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the index of each label among classes in increasing order, -1 if it is not there."""
    at = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[at] == labels, at, -1)


def add_unseen(unseen: Unfamiliar, labels: np.ndarray, classes: np.ndarray) -> None:
    """Add the labels that are not among the classes, which are numbers."""
    texts = [label_text(label) for label in labels[~np.isin(labels, classes)].tolist()]
    unseen.add(require_pyarrow().array(texts, "string"))


def unseen_notes(unseen: Unfamiliar, target: str, *, left_out: bool = False) -> list[str]:
    """Return a line about labels that no training row has, if there are such.

    `left_out` says that such rows have no part in scores other than the accuracy.
    """
    if not unseen.total:
        return []
    others = ", and left out of the other scores" if left_out else ""
    return [f"{target}: no training row has the label {unseen}: counted as wrong{others}"]
