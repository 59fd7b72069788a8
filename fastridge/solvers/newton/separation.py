"""Find out whether a loss has no minimum: coefficients without a penalty may grow without bound.

A direction in which the loss never increases, and decreases for some row, is one of separation
(Albert and Anderson 1984). Along it the margin of a row, or of a pair of its class and another,
is never below zero: ``y_i x_i'd`` for two classes, ``x_i'(d_y - d_k)`` for more, and with a log
link ``-x_i'd`` where the target is zero and ``x_i'd = 0`` elsewhere.

Near the infimum a margin can grow along such a direction only where its loss is nearly zero. All
others are zero along it, so that directions are searched in the null space of these rows, mostly
{0}. There, the coefficients that were reached usually show one; otherwise the linear programme of
Konis ("Linear programming algorithms for detecting separated data in binary logistic regression
models", 2007) decides, with as many rows as it needs.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse.linalg import LinearOperator, lsqr

from fastridge.designs.design import Design
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.margins import Margins, least_losses
from fastridge.statistics.accumulate import symmetric

_NULL = 1e-11  # an eigenvalue relative to the largest
_SMALL = 1e-13  # a square of a column in some rows, relative to the others
SLACK = 1e-8
"""A part of the largest margin that counts as zero."""
SMALLEST_MARGIN = 1e-7
"""The least margin of a direction."""
_MOST_UNKNOWNS = 1500  # of a null space by eigenvectors
_ROWS = 2000  # of the first linear programme
_MOST_VALUES = 2_000_000  # of the matrix of a linear programme
_MOST_PROGRAMMES = 12
_OPTIONS = {
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
    "time_limit": 5.0,
}


class Separation(NamedTuple):
    """A direction along which the loss has no minimum.

    Attributes
    ----------
    coef : ndarray of shape (n_features,) or (n_classes, n_features)
        Direction of the coefficients, 1 for the one that matters most, in units of the standard
        deviations of the columns.
    n_separated, n_rows : int
        Number of rows whose loss vanishes along it, and of those with weight.
    """

    coef: np.ndarray
    n_separated: int
    n_rows: int


class Cone(NamedTuple):
    """Which coefficients may fall and rise without end, each of shape (kinds, n_features)."""

    fall: np.ndarray
    rise: np.ndarray

    def holds(self, coef: np.ndarray, slack: float) -> bool:
        """Return whether a direction is in the cone, to a part of its largest coefficient."""
        outside = ((coef < 0.0) & ~self.fall) | ((coef > 0.0) & ~self.rise)
        most: float = np.abs(coef[outside]).max(initial=0.0)
        return bool(most <= slack * np.abs(coef).max(initial=0.0))


def find_separation(
    design: Design,
    margins: Margins,
    eta: np.ndarray,
    weights: Weights,
    decrement: float,
    usual: float,
    cone: Cone | None = None,
) -> Separation | None:
    """Return a direction of separation, in a cone if there is one, or None.

    `design` has the columns without a penalty, `eta` are the linear predictors at the coefficients
    and intercepts `weights` of these columns, `decrement` is twice what a Newton step would win
    there, and `usual` is the size of a loss.
    """
    with np.errstate(all="ignore"):
        counted = design.row_weights > 0.0
        losses = margins.losses(eta)
        least = least_losses(design.row_weights, decrement, usual)
        nearly = (losses <= least[:, None]) & margins.exist & counted[:, None]
        if not nearly.any():
            return None
        return _Search(design, margins, nearly, counted, cone).run(weights)


def find_in_rows(design: Design, margins: Margins) -> Separation | None:
    """Return a direction of separation with all margins alike, for more columns than rows.

    There is one whenever no row is a combination of the others.
    """
    counted = design.row_weights > 0.0
    wanted = margins.wanted()
    losses = margins.losses(wanted if margins.kinds > 1 else wanted[:, 0])
    grows = margins.exist & counted[:, None] & np.isfinite(losses)
    if not grows.any():
        return None
    search = _Search(design, margins, grows, counted)
    index = np.flatnonzero(counted)
    gram = symmetric(design.outer_gram(search.inverse**2, index))
    gram += search.intercept  # of the column of ones
    weights = np.zeros(wanted.shape)
    try:
        weights[index] = np.linalg.solve(gram, wanted[index])
    except np.linalg.LinAlgError:
        return None
    coef = design.correlate(weights) * search.inverse
    direction = np.column_stack([coef, search.intercept * weights.sum(axis=0)])
    return search.simplest(direction, None) if np.isfinite(direction).all() else None


class NullSpace(NamedTuple):
    """Directions along which some margins are zero: columns that span them, and all others."""

    basis: np.ndarray
    complement: np.ndarray


def null_space(gram: np.ndarray, scale: np.ndarray, n_together: int = 1) -> NullSpace:
    """Return the null space of a Gram matrix of margins, in units of columns times `scale`.

    The directions of several classes together, which change no margin, are added to it.
    """
    gram = gram * scale * scale[:, None]
    unit = gram.diagonal().copy()
    nothing = unit <= _SMALL * unit.max()
    unit = np.sqrt(np.where(nothing, 1.0, unit))
    gram = gram / unit / unit[:, None]
    constant = np.flatnonzero(scale == 0.0)
    gram[constant, constant] = 1.0
    values, vectors = np.linalg.eigh(gram)
    null = values <= _NULL * values[-1]
    directions = vectors[:, null] / unit[:, None]
    if n_together > 1:
        together = np.tile(np.eye(len(scale) // n_together), (n_together, 1))
        directions = np.hstack([directions, together])
    return NullSpace(np.linalg.qr(directions)[0], vectors[:, ~null] * unit[:, None])


class _Search:
    """The search for a direction, of shape (kinds, n_features + 1).

    Columns are taken about the centre, divided by their standard deviations.
    """

    def __init__(
        self,
        design: Design,
        margins: Margins,
        nearly: np.ndarray,
        counted: np.ndarray,
        cone: Cone | None = None,
    ) -> None:
        self.design, self.margins, self.nearly = design, margins, nearly
        self.length = np.sqrt(design.squares / design.sum_weights)
        varies = self.length > 0.0
        self.inverse = np.divide(1.0, self.length, out=np.zeros(len(varies)), where=varies)
        self.intercept = float(design.fit_intercept)
        self.others = ~nearly & margins.exist & counted[:, None]
        self.n_rows = int(np.count_nonzero(counted))
        self.shape = margins.kinds, len(varies) + 1
        free = np.ones((2, *self.shape), dtype=bool)
        if cone is not None:
            free[:, :, :-1] = cone
        self.cone = Cone(*free)

    def run(self, weights: Weights) -> Separation | None:
        """Return a direction of separation, or None."""
        reached = self._scaled(weights)
        if reached.size > _MOST_UNKNOWNS and self.others.any():
            return self._separation(self._projected(reached))
        null = self._null_space()
        if null is not None and not null.basis.shape[1]:
            return None
        direction = reached
        if null is not None:
            direction = (null.basis @ (null.basis.T @ reached.ravel())).reshape(self.shape)
        found = self._separation(direction)
        if found is None:
            programme = self._largest_sum(null)
            found = None if programme is None else self._separation(programme)
            if programme is None or found is None:
                return None
            direction = programme
        return self.simplest(direction, null)

    def simplest(self, direction: np.ndarray, null: NullSpace | None) -> Separation | None:
        """Return what a direction separates, along one of few features if there is one."""
        found = self._separation(direction)
        if found is None:
            return None
        sparse = self._sparsest(null, self._margins_of(direction)[self.nearly])
        simple = None if sparse is None else self._separation(sparse)
        return found if simple is None or simple.n_separated < found.n_separated else simple

    def _scaled(self, weights: Weights) -> np.ndarray:
        """Return coefficients and intercepts as a direction."""
        coef = np.atleast_2d(weights.coef)
        intercept = np.atleast_1d(weights.intercept) + coef @ self.design.centre
        reached = np.column_stack([coef * self.length, self.intercept * intercept])
        size = np.abs(reached).max()
        return reached / size if 0.0 < size < np.inf else np.zeros(self.shape)

    def _margins_of(self, direction: np.ndarray) -> np.ndarray:
        values = self.design.predict(direction[:, :-1] * self.inverse)
        return self.margins.of(values + self.intercept * direction[:, -1])

    def _adjoint(self, weights: np.ndarray) -> np.ndarray:
        """Return the direction whose inner product with another is a sum of its margins."""
        of_rows = self.margins.adjoint(weights)
        coef = self.design.correlate(of_rows) * self.inverse
        return np.column_stack([coef, self.intercept * of_rows.sum(axis=0)])

    def _null_space(self) -> NullSpace | None:
        """Return the directions that leave the other margins zero; None for all directions."""
        if not self.others.any():
            return None
        scale = np.tile(np.append(self.inverse, self.intercept), self.shape[0])
        limited = self.shape[0] > 1 and not (self.cone.fall & self.cone.rise).all()
        gram = self.margins.gram(self.design, self.others)
        return null_space(gram, scale, self.shape[0] if limited else 1)

    def _separation(self, direction: np.ndarray) -> Separation | None:
        """Return what a direction separates, or None if it lowers a margin."""
        margins = self._margins_of(direction)
        largest, size = float(margins[self.nearly].max()), np.abs(direction).max()
        if not largest > SMALLEST_MARGIN * size:
            return None
        if not self.cone.holds(direction, SLACK):
            return None
        if margins[self.nearly].min() < -SLACK * largest:
            return None
        if self.others.any() and np.abs(margins[self.others]).max() > 100.0 * SLACK * largest:
            return None
        grows = (margins > SLACK * largest) & self.nearly
        coef = direction[:, :-1]
        coef = coef / np.abs(coef).max()
        several = self.shape[0] > 1
        separated = int(np.count_nonzero(grows.any(axis=1)))
        return Separation(coef if several else coef[0], separated, self.n_rows)

    def _projected(self, direction: np.ndarray) -> np.ndarray:
        """Return a direction less what changes the other margins, by least squares."""

        def forward(x: np.ndarray) -> np.ndarray:
            return self._margins_of(x.reshape(self.shape))[self.others]

        def backward(y: np.ndarray) -> np.ndarray:
            weights = np.zeros(self.others.shape)
            weights[self.others] = y
            return self._adjoint(weights).ravel()

        shape = int(np.count_nonzero(self.others)), direction.size
        operator = LinearOperator(shape, forward, rmatvec=backward, dtype=np.float64)
        least = lsqr(operator, forward(direction), atol=1e-12, btol=1e-12)[0]
        return direction - least.reshape(self.shape)

    # ---- linear programmes ----

    def _largest_sum(self, null: NullSpace | None) -> np.ndarray | None:
        """Return the direction in a unit cube with the largest sum of margins, none negative.

        None if there is none but zero. Rows are added where they are violated.
        """
        basis = np.eye(self.nearly.shape[1] * self.shape[1]) if null is None else null.basis
        index = np.argwhere(self.nearly)
        goal = basis.T @ self._adjoint(self.nearly.astype(float)).ravel()
        size = np.abs(goal).max()
        if not size > 0.0:
            return None
        chosen = np.unique(np.linspace(0, len(index) - 1, _ROWS).astype(int))
        one = np.eye(self.cone.fall.size)
        held = np.vstack([one[~self.cone.fall.ravel()], -one[~self.cone.rise.ravel()]])
        for _ in range(_MOST_PROGRAMMES):
            if (len(chosen) + len(held)) * basis.shape[1] > _MOST_VALUES:
                return None
            rows = np.vstack([self._rows(index[chosen]), held]) @ basis
            zeros = np.zeros(len(rows))
            z = linprog(-goal / size, -rows, zeros, bounds=(-1.0, 1.0), options=_OPTIONS).x
            if z is None or not goal @ z > SMALLEST_MARGIN * size:
                return None
            direction = (basis @ z).reshape(self.shape)
            violated = self._violated(direction, chosen)
            if not len(violated):
                return direction
            chosen = np.concatenate([chosen, violated])
        return None

    def _sparsest(self, null: NullSpace | None, wanted: np.ndarray) -> np.ndarray | None:
        """Return the direction of few coefficients along which the `wanted` margins grow."""
        index = np.argwhere(self.nearly)
        grows = wanted > SLACK * wanted.max()
        chosen = np.argsort(wanted, kind="stable")[:_ROWS]
        equal = np.empty((0, self.nearly.shape[1] * self.shape[1]))
        equal = equal if null is None else null.complement.T
        cost = np.ones(self.shape)
        cost[:, -1] = 0.0
        ends = np.where(
            np.concatenate([self.cone.rise.ravel(), self.cone.fall.ravel()]), np.inf, 0.0
        )
        for _ in range(2):
            if (len(chosen) + len(equal)) * cost.size > _MOST_VALUES // 4:
                return None
            rows = self._rows(index[chosen])
            twice = linprog(
                np.tile(cost.ravel(), 2),
                np.hstack([-rows, rows]),
                -grows[chosen].astype(float),
                np.hstack([equal, -equal]),
                np.zeros(len(equal)),
                np.column_stack([np.zeros(len(ends)), ends]),
                options=_OPTIONS,
            ).x
            if twice is None:
                return None
            direction = (twice[: cost.size] - twice[cost.size :]).reshape(self.shape)
            violated = self._violated(direction, chosen)
            if not len(violated):
                return direction
            chosen = np.concatenate([chosen, violated])
        return None

    def _violated(self, direction: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return the positions of the margins that a direction lowers most."""
        margins = self._margins_of(direction)[self.nearly]
        violated = np.flatnonzero(margins < -SLACK * margins.max())
        violated = np.setdiff1d(violated, chosen)
        return violated[np.argsort(margins[violated], kind="stable")][:_ROWS]

    def _rows(self, index: np.ndarray) -> np.ndarray:
        """Return some margins as functions of a direction, one per row, of unit length."""
        x = (self.design.dense(index[:, 0]).astype(float) - self.design.centre) * self.inverse
        rows = self.margins.rows(index, np.column_stack([x, np.full(len(x), self.intercept)]))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0.0)
