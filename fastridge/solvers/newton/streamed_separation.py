"""Find out whether the loss of rows that every pass reads again has no minimum.

As in memory (`separation.py`): one pass makes the Gram matrix of the margins that do not vanish at
the coefficients that were reached, whose null space holds all directions of separation. It is {0}
unless the rows are separated. Otherwise a second pass looks at the margins along the coefficients
projected on it, and along the reverse.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fastridge.data.batches import Batch
from fastridge.designs import design_of
from fastridge.designs.passes import KIND, Passes, Sums
from fastridge.solvers.newton.information import products_with_ones
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.margins import PairMargins, least_losses, margins_of
from fastridge.solvers.newton.separation import (
    SLACK,
    SMALLEST_MARGIN,
    Cone,
    Separation,
    null_space,
)
from fastridge.solvers.newton.streamed_sums import SumsOfBatch, Totals

MARGINS, ALONG = 4, 5
"""Kinds of points, next to those of sums of losses."""
_DECADES = 10.0 ** np.arange(9)  # over the typical margin, that the largest may be


class _Rows(NamedTuple):
    """What margins of a batch need."""

    X: np.ndarray
    weight: np.ndarray
    nearly: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class MarginsOfBatch:
    """Makes sums of the margins of a batch; a worker of a cluster can be sent it.

    Attributes
    ----------
    sums : SumsOfBatch
    free : ndarray of int
        Features without a penalty.
    mean : float
        Of the targets.
    of_classes : ndarray of shape (n_classes,)
        Sums of the weights of the classes.
    """

    sums: SumsOfBatch
    free: np.ndarray
    mean: float
    of_classes: np.ndarray

    def __call__(self, point: Sums, batch: Batch) -> Sums:
        """Return the sums at coefficients, or those along a direction too."""
        with np.errstate(all="ignore"):
            return self._sums(point, batch)

    def _sums(self, point: Sums, batch: Batch) -> Sums:
        rows, sums = self.sums.encode(batch), self.sums
        n = len(rows.loss.y)
        weight = np.ones(n) if rows.weight is None else rows.weight
        found = margins_of(rows.loss, weight, lambda: self.mean)
        assert found is not None
        margins, usual = found
        here, _ = sums.expand(rows, point["coef"], point["intercept"], second=False)
        eta = here.eta
        if isinstance(margins, PairMargins):
            own = rows.loss.y[:, None] == np.arange(rows.loss.n_classes)
            margins.exist = ~own & (self.of_classes > 0.0)
            eta = eta.T
        counted = weight > 0.0
        least = least_losses(weight, float(point["decrement"]), usual)
        shown = margins.exist & counted[:, None]
        nearly = shown & (margins.losses(eta) <= least[:, None])
        others = shown & ~nearly
        X = rows.X[:, self.free]
        if isinstance(X, np.ndarray):
            X = X - sums.pilot[self.free]
        design = design_of(X, None, False, sums.n_threads)
        if int(point[KIND]) == MARGINS:
            return {
                "rows": np.asarray(np.count_nonzero(counted)),
                "nearly": np.asarray(np.count_nonzero(nearly)),
                "others": np.asarray(np.count_nonzero(others)),
                "gram": products_with_ones(design, counted.astype(float)),
                "gram_of_nearly": margins.gram(design, nearly),
                "gram_of_others": margins.gram(design, others),
            }
        direction, scales = point["direction"], point["scales"]
        along = margins.of(design.predict(direction[:, :-1]) + direction[:, -1])
        of_nearly, of_others = along[nearly], np.abs(along[others])
        return {
            "above": _counts(of_nearly, scales),
            "below": _counts(-of_nearly, scales),
            "grows": _counts(np.where(nearly, along, 0.0).max(axis=1), SLACK * scales),
            "falls": _counts(np.where(nearly, -along, 0.0).max(axis=1), SLACK * scales),
            "moved": _counts(of_others, 100.0 * SLACK * scales),
        }


def _counts(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return how many values are above each scale."""
    return np.array([np.count_nonzero(values > scale) for scale in scales])


def find_streamed_separation(
    passes: Passes,
    sums: SumsOfBatch,
    totals: Totals,
    free: np.ndarray,
    weights: Weights,
    decrement: float,
    cone: Cone | None = None,
) -> Separation | None:
    """Return a direction of separation, in a cone if there is one, or None; in up to two passes.

    `weights` are about the pilot, and `free` are the features without a penalty.
    """
    classes = totals.of_classes
    several = weights.coef.ndim > 1
    work = MarginsOfBatch(sums, free, 0.0 if several else totals.mean, classes)
    point = {
        KIND: np.asarray(MARGINS),
        "coef": weights.coef,
        "intercept": np.asarray(weights.intercept, dtype=np.float64),
        "decrement": np.asarray(decrement),
    }
    point, found = passes.total(point, work)
    if not found["nearly"]:
        return None
    gram = found["gram"]
    kinds, p = len(classes) if several else 1, len(free)
    counted = float(gram[p, p])
    away = gram[p, :p] / counted if sums.fit_intercept else np.zeros(p)
    square = gram.diagonal()[:p] / counted
    variance = np.maximum(square - away**2, 0.0)
    length = np.sqrt(np.where(variance > 1e-12 * square, variance, 0.0))
    intercept = float(sums.fit_intercept)
    inverse = np.divide(1.0, length, out=np.zeros(p), where=length > 0.0)
    scale = np.append(inverse, intercept)
    coef = np.atleast_2d(weights.coef)[:, free]
    reached = np.column_stack([coef * length, intercept * np.atleast_1d(weights.intercept)])
    if found["others"]:
        basis = null_space(found["gram_of_others"], np.tile(scale, kinds)).basis
        if not basis.shape[1]:
            return None
        reached = (basis @ (basis.T @ reached.ravel())).reshape(kinds, p + 1)
        if not reached.any():
            reached = basis[:, 0].reshape(kinds, p + 1)
    reached /= np.abs(reached).max()
    direction = reached * scale
    square = direction.ravel() @ found["gram_of_nearly"] @ direction.ravel()
    typical = np.sqrt(max(float(square), 0.0) / float(found["nearly"]))
    if not typical > 0.0:
        return None
    point = point | {
        KIND: np.asarray(ALONG),
        "direction": direction,
        "scales": 0.999 * typical * _DECADES,
    }
    scales, along = point["scales"], passes.total(point, work)[1]
    for sign, rises, grows, falls in (
        (1.0, along["above"], along["grows"], along["falls"]),
        (-1.0, along["below"], along["falls"], along["grows"]),
    ):
        if not rises[0]:
            continue
        k = int(np.flatnonzero(rises)[-1])  # the largest margin is at most ten times this scale
        if falls[k] or along["moved"][k] or not scales[k] > 0.1 * SMALLEST_MARGIN:
            continue
        if cone is not None and not cone.holds(sign * reached[:, :-1], SLACK):
            continue
        of_direction = sign * reached[:, :-1] / max(np.abs(reached[:, :-1]).max(), 1e-300)
        n_rows = int(found["rows"])
        return Separation(of_direction if several else of_direction[0], int(grows[k]), n_rows)
    return None
