"""The coefficients of a model: one table for the report, for JSON, and for ``--coefs``."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastridge.cli.centring import dense
from fastridge.cli.errors import CommandError, reason
from fastridge.cli.labels import class_labels
from fastridge.io.atomic import replacing

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from fastridge.cli.fitting import Fitted

_INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class Coefficients:
    """Coefficients and intercepts of one or more outputs.

    Attributes
    ----------
    names : list of str
        Features.
    outputs : list of str
        The class that each row of `coef` is the score of (of two classes the second), or the target
        where a regression has several. Empty if it has one.
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    deviation : ndarray of shape (n_features,)
        Standard deviation of each feature over the training rows.
    """

    names: list[str]
    outputs: list[str]
    coef: np.ndarray
    intercept: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, model: BaseEstimator, names: list[str], deviation: np.ndarray) -> Coefficients:
        """Return those of a fitted model."""
        coef = np.atleast_2d(dense(model.coef_))
        intercept = np.broadcast_to(np.ravel(model.intercept_), len(coef))
        outputs = class_labels(model)[-len(coef) :]
        if len(coef) > 1 and not outputs:
            outputs = [f"target {k}" for k in range(len(coef))]
        return cls(names, outputs, coef, intercept, np.asarray(deviation, dtype=float))

    @property
    def effect(self) -> np.ndarray:
        """Change of each output per standard deviation of each feature."""
        return self.coef * self.deviation

    def strongest(self, n: int) -> np.ndarray:
        """Return the features with the largest effect on any output, without those of none."""
        size = np.abs(self.effect).max(axis=0)
        order = np.argsort(-size, kind="stable")[:n]
        return order[np.abs(self.coef[:, order]).max(axis=0) != 0.0]


def check_ending(path: str) -> None:
    """Raise CommandError, before the work, if the name is not that of a CSV file."""
    if os.path.splitext(path)[1].lower() != ".csv":
        raise CommandError(f"--coefs {path}: the name must end in .csv")


def write_coefficients(result: Fitted, path: str) -> None:
    """Write a line for the intercept and for each feature as CSV."""
    names = result.schema.encoder.feature_names
    found = Coefficients.of(result.model, names, result.feature_scale)
    several = len(found.coef) > 1
    headings = [f"coefficient_{name}" for name in found.outputs] if several else ["coefficient"]
    try:
        with (
            replacing(path) as temporary,
            open(temporary, "x", encoding="utf-8", newline="") as file,
        ):
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(["feature", "standard_deviation", *headings])
            lines.writerow([_INTERCEPT, "", *found.intercept.tolist()])
            columns = [found.deviation.tolist(), *found.coef.tolist()]
            lines.writerows(zip(names, *columns, strict=True))
    except OSError as error:
        raise CommandError(f"cannot write {path}: {reason(error)}") from None
