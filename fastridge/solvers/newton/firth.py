"""Firth's penalised likelihood of two classes, whose estimates have less bias and are finite.

The logistic loss less half the logarithm of the determinant of the Fisher information I is
minimised (Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80, 1993). With the
leverages h of the rows its gradient is ``sum_i (v_i (p_i - y_i) + h_i (p_i - 1/2)) z_i``, where
z = (x, 1). With c = p (1 - p) the Hessian is
``sum_i (v_i c_i - h_i (1/2 - 3 c_i)) z_i z_i' + 1/2 sum_cd T_acd T_bcd`` of the third moments
``T_abc = sum_i v_i c_i (1 - 2 p_i) z_ia z_ib z_ic``, in a basis in which I is the identity. Where
it is not positive definite, or for many unknowns, I is used instead, corrected by the steps.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton.information import products_with_ones
from fastridge.solvers.newton.iterate import Found, Weights, iterate
from fastridge.solvers.newton.problem import NewtonResult, not_converged

_AT_ONCE = 32  # columns of leverages
_RATE = 0.1  # of the decrement that a step by the information leaves
_MOST_EXACT = 64  # unknowns: the Hessian costs n q^3
_LEAST = 1e-12  # of the trace of I: what is added to its diagonal
_BLOCK_VALUES = 1 << 20  # of the products of two unknowns, for some rows


class Firth:
    """The objective of rows, 0 where all are certain and I is as large as it can be.

    Unknowns are the coefficients of the columns about the centre, in units of their standard
    deviations, and the intercept, if there is one.
    """

    def __init__(self, design: Design, loss: LossOfRows) -> None:
        self.design, self.loss = design, loss
        self.weight = design.row_weights
        self.q = design.shape[1] + int(design.fit_intercept)
        lengths = np.sqrt(design.squares / design.sum_weights)
        varies = lengths > 0.0
        self.inverse = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=varies)
        self._scale = np.append(self.inverse, 1.0)[: self.q]
        largest = self.information(0.25 * self.weight)
        values, vectors = np.linalg.eigh(largest)
        # directions that change no row have no information
        self.basis = vectors[:, values > rounding(self.q) * values[-1]]
        self.largest = _log_determinant(self.basis.T @ largest @ self.basis)

    def information(self, weight: np.ndarray) -> np.ndarray:
        """Return the weighted Gram matrix of the unknowns."""
        whole = products_with_ones(self.design, weight)[: self.q, : self.q]
        return whole * self._scale * self._scale[:, None]

    def predict(self, unknowns: np.ndarray) -> np.ndarray:
        """Return the linear predictors of rows of unknowns, (n_samples, k)."""
        p = len(self.inverse)
        found = self.design.predict(unknowns[:, :p] * self.inverse)
        return found + unknowns[:, p] if self.q > p else found

    def correlate(self, derivative: np.ndarray) -> np.ndarray:
        """Return the weighted sum of the rows, as unknowns."""
        of_coef = self.design.correlate(derivative[:, None])[0] * self.inverse
        return np.append(of_coef, derivative.sum())[: self.q]

    def unknowns_of(self, weights: Weights) -> np.ndarray:
        """Return coefficients and an intercept as unknowns."""
        length = np.divide(
            1.0, self.inverse, out=np.zeros(len(self.inverse)), where=self.inverse > 0.0
        )
        intercept = weights.intercept + self.design.centre @ weights.coef
        return np.append(weights.coef * length, intercept)[: self.q]

    def weights_of(self, unknowns: np.ndarray) -> Weights:
        """Return unknowns as coefficients and an intercept."""
        p = len(self.inverse)
        coef = unknowns[:p] * self.inverse
        if self.q == p:
            return Weights(coef, 0.0)
        return Weights(coef, float(unknowns[p] - self.design.centre @ coef))

    def at(self, unknowns: np.ndarray, *, second: bool = False) -> "FirthPoint":
        """Return the objective and its gradient; with what stands for the Hessian if `second`."""
        loss, weight = self.loss, self.weight
        eta = self.predict(unknowns[None])[:, 0]
        if loss.offset is not None:
            eta = eta + loss.offset
        probability, other = expit(eta), expit(-eta)
        curvature = weight * probability * other
        information = self.information(curvature)
        within = self.basis.T @ information @ self.basis
        try:
            lower = np.linalg.cholesky(within)
        except np.linalg.LinAlgError:  # so far away that the information vanishes
            return FirthPoint(np.inf, np.inf, np.zeros(self.q), information, None)
        half = solve_triangular(lower, self.basis.T, lower=True)
        squares = np.zeros(len(eta))
        for begin in range(0, len(half), _AT_ONCE):
            squares += (self.predict(half[begin : begin + _AT_ONCE]) ** 2).sum(axis=1)
        leverage = curvature * squares
        losses = float(weight @ np.where(weight > 0.0, np.logaddexp(0.0, -loss.y * eta), 0.0))
        lost = self.largest - 2.0 * float(np.log(lower.diagonal()).sum())
        derivative = -weight * loss.y * expit(-loss.y * eta) + leverage * (probability - 0.5)
        derivative = np.where(weight > 0.0, derivative, 0.0)
        size = losses + abs(self.largest) + 1.0
        hessian = None
        if second and len(half) <= _MOST_EXACT:
            change = leverage * (0.5 - 3.0 * probability * other)
            moments = self._third_moments(half, curvature * (other - probability))
            rotated = self.basis @ lower @ moments.reshape(len(half), -1)
            hessian = information - self.information(change) + 0.5 * rotated @ rotated.T
        gradient = self.correlate(derivative)
        return FirthPoint(losses + 0.5 * lost, size, gradient, information, hessian)

    def _third_moments(self, half: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return ``sum_i weight_i z_a z_b z_c`` of the rows times `half`."""
        z, r = self.predict(half), len(half)
        out = np.zeros((r, r * r))
        step = max(1, _BLOCK_VALUES // (r * r))
        for begin in range(0, len(z), step):
            rows = z[begin : begin + step]
            pairs = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
            out += (rows * weight[begin : begin + step, None]).T @ pairs
        return out


class FirthPoint(NamedTuple):
    """The objective at some unknowns; the Hessian where it is requested, and not dear."""

    objective: float
    size: float
    gradient: np.ndarray
    information: np.ndarray
    hessian: np.ndarray | None


def _log_determinant(matrix: np.ndarray) -> float:
    return float(np.linalg.slogdet(matrix)[1])


class _Evaluation(NamedTuple):
    weights: Weights
    objective: float
    size: float
    gradient: Weights
    point: FirthPoint


class _Objective:
    """Firth's objective of ``start + directions s`` as a function of s."""

    def __init__(self, firth: Firth, start: np.ndarray, directions: np.ndarray) -> None:
        self._firth, self._start, self._directions = firth, start, directions
        few = firth.q <= _MOST_EXACT
        self.hessian_cost: float | None = float(firth.q) / _AT_ONCE if few else 1.0
        self.hessian_rate = 0.0 if few else _RATE

    def at(self, weights: Weights, *, second: bool) -> _Evaluation:
        D = self._directions
        with np.errstate(all="ignore"):
            point = self._firth.at(self._start + D @ weights.coef, second=second)
        gradient = Weights(D.T @ point.gradient, 0.0)
        return _Evaluation(weights, point.objective, point.size, gradient, point)

    def between(self, first: _Evaluation, last: _Evaluation, part: float) -> float:
        coef = first.weights.coef + part * (last.weights.coef - first.weights.coef)
        return self.at(Weights(coef, 0.0), second=False).objective

    def hessian_at(self, evaluation: _Evaluation) -> Any:
        D, point = self._directions, evaluation.point
        if point.hessian is not None:
            found = factored(D.T @ point.hessian @ D)
            if found is not None:
                return found
        information = D.T @ point.information @ D
        least = _LEAST * float(information.trace())
        return Factored(cho_factor(information + least * np.eye(len(information))))


class Factored(NamedTuple):
    """A Hessian along some directions."""

    factor: Any

    def solve(self, gradient: Weights, objective: float, goal: float) -> Weights:
        """Return the inverse Hessian times a gradient."""
        return Weights(cho_solve(self.factor, gradient.coef), 0.0)


def factored(matrix: np.ndarray) -> Factored | None:
    """Return a Hessian factored; None if it is not positive definite, too far from a minimum."""
    try:
        return Factored(cho_factor(matrix))
    except np.linalg.LinAlgError:
        return None


def minimise(
    firth: Firth,
    start: np.ndarray | None = None,
    directions: np.ndarray | None = None,
    *,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise from a start along some directions of the unknowns, all if they are None."""
    start = np.zeros(firth.q) if start is None else start
    directions = firth.basis if directions is None else directions
    found, unknowns = minimise_along(firth, start, directions, tol=tol, max_iter=max_iter)
    here = found.evaluation
    coef, intercept = firth.weights_of(unknowns)
    return NewtonResult(
        coef,
        intercept,
        here.objective,
        found.decrement,
        None,
        found.n_iter,
        "newton-cholesky",
        None,
        None if found.converged else not_converged(found.n_iter, found.stuck),
    )


def minimise_along(
    firth: Firth,
    start: np.ndarray,
    directions: np.ndarray,
    hessian: Factored | None = None,
    *,
    tol: float,
    max_iter: int,
) -> tuple[Found, np.ndarray]:
    """Return the end of an iteration along some directions, and the unknowns there.

    `hessian` may be that of other unknowns.
    """
    objective = _Objective(firth, start, directions)
    at = Weights(np.zeros(directions.shape[1]), 0.0)
    found = iterate(objective, at, hessian, tol=tol, max_iter=max_iter)
    return found, start + directions @ found.evaluation.weights.coef


def solve_firth(
    design: Design,
    loss: LossOfRows | ClassesOfRows,
    start: Weights | None = None,
    *,
    l1: None = None,
    tol: float,
    max_iter: int,
) -> NewtonResult:
    """Minimise from a start, coefficients and intercept, or from zero, without other penalties."""
    assert isinstance(loss, LossOfRows)
    firth = Firth(design, loss)
    if start is not None:
        unknowns = firth.unknowns_of(start)
        return minimise(firth, unknowns, tol=tol, max_iter=max_iter)
    return minimise(firth, tol=tol, max_iter=max_iter)
