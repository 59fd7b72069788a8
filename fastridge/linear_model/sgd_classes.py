"""Classes as targets of stochastic gradient descent: one against the others, or the softmax."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import compute_class_weight

from fastridge.solvers.sgd.settings import Plan


def refuse_one_class(classes: np.ndarray) -> None:
    """Raise ValueError if all rows have the same label."""
    if len(classes) < 2:
        raise ValueError(
            "The number of classes has to be greater than one; got 1 class: "
            f"{classes[0]!r} is the label of every row."
        )


class LabelCounts(NamedTuple):
    """Labels in increasing order, and the number of rows with weight that have each."""

    labels: np.ndarray
    counts: np.ndarray


def count_labels(y: np.ndarray, weight: np.ndarray | None) -> LabelCounts:
    """Count the labels of some rows."""
    labels, codes = np.unique(y, return_inverse=True)
    counted = codes if weight is None else codes[weight != 0.0]
    return LabelCounts(labels, np.bincount(counted, minlength=len(labels)))


def merged_counts(counted: Iterable[LabelCounts]) -> LabelCounts:
    """Return the counts of all together."""
    labels, counts = map(np.concatenate, zip(*counted, strict=True))
    classes, codes = np.unique(labels, return_inverse=True)
    return LabelCounts(classes, np.bincount(codes, weights=counts))


def factors_of_counts(
    class_weight: Mapping[object, float] | str | None, classes: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return the factor of the row weights of each class, from the number of its rows.

    Only rows with weight count, in `counts`; a class without any is not counted as a class.
    """
    if class_weight == "balanced":
        scaled = np.count_nonzero(counts) * np.maximum(counts, 1)
        return np.where(counts > 0, counts.sum() / scaled, 1.0)
    if class_weight is None:
        return np.ones(len(classes))
    return np.asarray(compute_class_weight(class_weight, classes=classes, y=classes))


def plan_for_classes(plan: Plan, n_classes: int) -> Plan:
    """Return the plan for `n_classes` classes: the softmax of two is one output against none."""
    if plan.multinomial and n_classes == 2:
        return dataclasses.replace(plan, multinomial=False)
    return plan


class ClassTargets(Sequence[tuple[np.ndarray, np.ndarray | None]]):
    """The targets and weights of the rows for each model, computed when they are requested.

    Those of all classes together would be as large as X if there are as many classes as features.
    """

    def __init__(
        self, codes: np.ndarray, factors: np.ndarray, weight: np.ndarray | None, plan: Plan
    ) -> None:
        self._codes, self._factors, self._weight = codes, factors, weight
        self._multinomial = plan.multinomial
        self._n_models = 1 if plan.multinomial or len(factors) == 2 else len(factors)

    def __len__(self) -> int:
        return self._n_models

    def __getitem__(self, model: Any) -> Any:
        if not 0 <= model < self._n_models:
            raise IndexError(f"there are {self._n_models} models, got {model!r}.")
        factors, weight = self._factors, self._weight
        if self._multinomial:
            if (factors != 1.0).any():
                factor = factors[self._codes]
                weight = factor if weight is None else factor * weight
            return self._codes.astype(np.float64), weight
        if len(factors) == 2:
            return self._one_against_others(1, factors[0])
        return self._one_against_others(model, 1.0)

    def _one_against_others(
        self, positive: int, other: float
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the targets 1 and -1 of one class against the others, and the row weights.

        Of two classes both have a factor; of more, only the class that is against the others.
        """
        target, factor = signs_of(self._codes, positive), self._factors[positive]
        if factor == 1.0 and other == 1.0:
            return target, self._weight
        product = np.where(target > 0.0, factor, other)
        return target, product if self._weight is None else product * self._weight


def signs_of(codes: np.ndarray, positive: int) -> np.ndarray:
    """Return 1 for rows of one class, and -1 for those of the others."""
    target = (codes == positive).astype(np.float64)
    target *= 2.0
    target -= 1.0
    return target
