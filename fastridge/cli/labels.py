"""Labels of classes as text, and those that no training row has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastridge.data.columns import require_pyarrow

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from fastridge.data.one_hot import Unfamiliar


def class_labels(model: BaseEstimator) -> list[str]:
    """Return the labels of a classifier as text; none for a regression."""
    return [label_text(label) for label in getattr(model, "classes_", np.empty(0)).tolist()]


def label_text(label: object) -> str:
    """Return a label as text, a whole number without a point, truths in small letters."""
    if isinstance(label, bool):
        return str(label).lower()
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label)) if whole else str(label)  # type: ignore[call-overload]


def add_unseen(unseen: Unfamiliar, labels: np.ndarray, classes: np.ndarray) -> None:
    """Add the labels that are not among the classes, which are numbers."""
    texts = [label_text(label) for label in labels[~np.isin(labels, classes)].tolist()]
    unseen.add(require_pyarrow().array(texts, "string"))


def unseen_notes(unseen: Unfamiliar, target: str) -> list[str]:
    """Return a line about labels that no training row has, if there are such."""
    if not unseen.total:
        return []
    return [f"{target}: no training row has the label {unseen}: counted as wrong"]
