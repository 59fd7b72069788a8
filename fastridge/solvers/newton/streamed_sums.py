"""The sums of a batch of rows that Newton's method needs, and those that no point changes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Matrix
from fastridge._validation import check_finite
from fastridge.data.batches import Batch
from fastridge.designs import design_of
from fastridge.designs.expansion import (
    ClassExpansion,
    Expansion,
    expand_classes,
    expand_rows,
)
from fastridge.designs.passes import KIND, Sums
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.solvers.newton.multinomial import blocks_of
from fastridge.statistics.accumulate import CentredProducts, variances

N_LENGTHS = 8
"""Step lengths, each half of the one before, at which a pass makes the objective."""
GRADIENT, HESSIAN, LENGTHS, TOTALS = range(4)
"""Kinds of points: what is summed there."""


class LossRows(NamedTuple):
    """Rows for Newton's method: features, weights, and losses with targets and offsets."""

    X: Matrix
    weight: np.ndarray | None
    loss: Any  # LossOfRows or ClassesOfRows


Encode = Callable[[Batch], LossRows]


def centred(sums: Sums, pilot: np.ndarray) -> CentredProducts:
    """Return the Hessian's products about their own means, from sums about the pilot."""
    weight = float(sums["curvature"])
    with np.errstate(all="ignore"):
        away = np.divide(sums["moments"], weight) if weight else np.zeros_like(pilot)
        upper = sums["products"] - weight * np.outer(away, away)
    np.fill_diagonal(upper, np.maximum(upper.diagonal(), 0.0))
    nothing = np.zeros((len(pilot), 1))
    enough = len(pilot) + 1  # rows, whose number would else bound the rank
    return CentredProducts(enough, weight, pilot + away, np.zeros(1), upper, nothing, np.zeros(1))


def about_pilot(expansion: Expansion, pilot: np.ndarray) -> Sums:
    """Return the sums of a Hessian about the pilot, which add up."""
    held = expansion.products
    assert held is not None
    away = held.x_mean - pilot
    if not held.sum_weights:  # all curvatures have underflowed: means are not defined
        away = np.zeros_like(pilot)
    moments = held.sum_weights * away
    upper = np.triu(held.upper)
    products = upper + np.triu(upper, 1).T + np.outer(moments, away)
    if not held.sum_weights:
        products = np.zeros_like(products)
    return {
        "curvature": np.asarray(held.sum_weights),
        "moments": moments,
        "products": products,
    }


@dataclass(frozen=True)
class SumsOfBatch:
    """Makes the sums of a batch; a worker of a cluster can be sent it.

    Attributes
    ----------
    encode : callable
    pilot : ndarray of shape (n_features,)
    fit_intercept : bool
    n_threads : int
    squares : bool
        Whether the totals have the squares of the columns.
    """

    encode: Encode
    pilot: np.ndarray
    fit_intercept: bool
    n_threads: int
    squares: bool

    def __call__(self, point: Sums, batch: Batch) -> Sums:
        """Return the sums at a point: "coef" and "intercept", for lengths those of "base" too."""
        rows = self.encode(batch)
        kind = int(point[KIND])
        sums: Sums = {}
        if kind != TOTALS:
            with np.errstate(all="ignore"):
                sums = self._expanded(rows, point, kind)
        if kind == TOTALS or bool(point["totals"]):
            sums |= totals_of(rows, self.pilot if self.squares else None)
        return sums

    def expand(
        self, rows: LossRows, coef: np.ndarray, intercept: np.ndarray, *, second: bool
    ) -> tuple[Expansion | ClassExpansion, np.ndarray]:
        """Return the loss of rows with its derivatives, and that for the intercept."""
        X, loss, n_threads = rows.X, rows.loss, self.n_threads
        if isinstance(X, np.ndarray):
            if coef.ndim > 1:
                about = self.pilot, coef, intercept
                found = expand_classes(X, loss, rows.weight, about, n_threads)
                return found, found.totals
            point = self.pilot, coef, float(intercept)
            dense = expand_rows(X, loss, rows.weight, point, n_threads, second=second)
            return dense, np.asarray(dense.total)
        design = design_of(X, rows.weight, True, n_threads)
        about_zero = intercept - coef @ self.pilot
        if coef.ndim > 1:
            found = design.expand_classes(loss, coef, about_zero)
            gradient = found.gradient - np.outer(found.totals, self.pilot)
            return found._replace(gradient=gradient), found.totals
        sparse = design.expand(loss, coef, float(about_zero), second=second)
        gradient = sparse.gradient - sparse.total * self.pilot
        return sparse._replace(gradient=gradient), np.asarray(sparse.total)

    def _expanded(self, rows: LossRows, point: Sums, kind: int) -> Sums:
        here, total = self.expand(rows, point["coef"], point["intercept"], second=kind == HESSIAN)
        sums = {"value": np.asarray(here.value), "total": total, "gradient": here.gradient}
        if not np.isfinite(here.value + total.sum() + here.gradient.sum()):
            check_finite(rows.X, "X")
        if kind == HESSIAN:
            if isinstance(here, Expansion):
                sums |= about_pilot(here, self.pilot)
            else:
                sums["blocks"] = self._blocks(rows, here)
        if kind == LENGTHS:
            base, _ = self.expand(rows, point["base_coef"], point["base"], second=False)
            step = here.eta - base.eta
            values = [
                rows.loss.value_of(base.eta + 0.5**k * step, rows.weight)
                for k in range(1, N_LENGTHS)
            ]
            sums["values"] = np.array([here.value, *values])
        return sums

    def _blocks(self, rows: LossRows, here: ClassExpansion) -> np.ndarray:
        """Return the Hessian of all classes."""
        design = design_of(rows.X, None, self.fit_intercept, self.n_threads)
        weight = np.ones(len(rows.loss.y)) if rows.weight is None else rows.weight
        return blocks_of(design, weight, softmax(here.eta, axis=0), self.pilot)


def totals_of(rows: LossRows, pilot: np.ndarray | None) -> Sums:
    """Return sums that do not depend on the coefficients; with a pilot also of squares about it."""
    weight, y = rows.weight, rows.loss.y
    counted = len(y) if weight is None else int(np.count_nonzero(weight))
    each = np.ones(len(y)) if weight is None else weight
    sums = {
        "n_counted": np.asarray(counted),
        "sum_weights": np.asarray(each.sum(), dtype=np.float64),
    }
    if isinstance(rows.loss, ClassesOfRows):
        sums["classes"] = np.bincount(y, each, rows.loss.n_classes)
    else:
        sums["y"] = np.asarray(each @ y)
        sums["saturated"] = np.asarray(each @ rows.loss.loss.saturated(y))
    if pilot is not None:
        X = rows.X if isinstance(rows.X, np.ndarray) else rows.X.toarray()
        away = X.astype(np.float64) - pilot
        away[each == 0.0] = 0.0
        sums["away"], sums["squares"] = each @ away, each @ away**2
    return sums


class Totals:
    """Sums of all rows that do not depend on the coefficients."""

    def __init__(self, sums: Sums, pilot: np.ndarray) -> None:
        self._sums, self._pilot = sums, pilot
        self.n_counted = int(sums["n_counted"])
        self.sum_weights = float(sums["sum_weights"])

    @property
    def mean(self) -> float:
        """Weighted mean of the targets."""
        return float(self._sums["y"]) / self.sum_weights

    @property
    def of_classes(self) -> np.ndarray:
        """Sums of the weights of each class; of two, the targets are -1 and 1."""
        if "classes" in self._sums:
            return self._sums["classes"]
        total = float(self._sums["y"])
        return 0.5 * np.array([self.sum_weights - total, self.sum_weights + total])

    @property
    def least_value(self) -> float:
        """Sum of the least losses that linear predictors can give."""
        return float(self._sums["saturated"])

    @computed_once
    def variances(self) -> np.ndarray:
        """Variances of the columns."""
        away = self._sums["away"] / self.sum_weights
        squares = self._sums["squares"] - self.sum_weights * away**2
        return variances(np.maximum(squares, 0.0), self._pilot + away, self.sum_weights)

    def squares_for(self, fit_intercept: bool) -> np.ndarray:
        """Squares of the lengths by which standardisation divides the columns, as of a design."""
        found = self.variances
        if not fit_intercept:
            mean = self._pilot + self._sums["away"] / self.sum_weights
            found = np.where(found > 0.0, found, mean**2)
        return np.where(found > 0.0, found, 1.0)
