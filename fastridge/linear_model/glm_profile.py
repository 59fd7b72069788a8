"""Profiles of a likelihood: its least objective where one coefficient has a given value.

The derivative of a profile is that of the objective with respect to what is fixed. The minimum at
one value, moved along the tangent or the chord of those before, starts the search at the next. So a
few Newton steps on the profile, of a few steps each, find where a likelihood ratio has a given
size.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_solve

from fastridge.linear_model.glm_likelihood import MAX_ITER, TOL, Likelihood
from fastridge.losses.smooth import LossOfRows
from fastridge.solvers.newton.firth import Factored, Firth, factored, minimise_along
from fastridge.solvers.newton.iterate import Weights

_MOST_STEPS = 60
_STALLED = 1e-6  # of the root of the likelihood ratio: it grows no more
_NEAR = 1e-2  # of the quantile: a root that is not yet zero
_EXACT = 1e-10  # of the first step: a step that is nothing

ProfileAt = Callable[[float, bool], tuple[float, float]]


def profile_of(likelihood: Likelihood, feature: int | None) -> ProfileAt:
    """Return a profile; None is that of the intercept.

    It is called with a value, and with whether that is far from the estimate, where Firth's
    objective may have several minima and is minimised from several starts. It returns the least
    objective and its derivative.
    """
    if likelihood.firth is not None:
        return _FirthProfile(likelihood, likelihood.firth, feature).at
    return _Profile(likelihood, feature).at


def limit(
    root: Callable[[float], tuple[float, float]], estimate: float, step: float, quantile: float
) -> float:
    """Return where an increasing function of the distance from an estimate is zero.

    The function gives its derivative too, with respect to its argument. It is `-quantile` at the
    estimate, and `step` leads to where it may be zero.
    """
    inner, inner_root, outer = estimate, -quantile, np.nan
    value, least = estimate + step, _EXACT * abs(step)
    for _ in range(_MOST_STEPS):
        here, derivative = root(value)
        if not np.isfinite(here):
            return float(np.copysign(np.inf, step))
        if here < 0.0:
            stalled = here - inner_root < _STALLED * quantile and -here > _NEAR * quantile
            if np.isnan(outer) and stalled:
                break
            inner, inner_root = value, here
        else:
            outer = value
        with np.errstate(all="ignore"):
            new = value - here / derivative
        if np.isnan(outer):  # at most twice as far again
            step *= 2.0
            if not 0.0 < (new - inner) / step <= 1.0:
                new = inner + step
        elif not (new - inner) * (new - outer) <= 0.0:
            new = 0.5 * (inner + outer)
        if abs(new - value) <= least:
            return float(new)
        value = new
    return float(np.copysign(np.inf, step)) if np.isnan(outer) else float(value)


class _Path:
    """The last point on the way from the estimate, and where the next is expected."""

    def __init__(self, value: float, point: np.ndarray, tangent: np.ndarray | None = None) -> None:
        self.value, self.point, self.tangent = value, point, tangent

    def expected(self, value: float) -> np.ndarray:
        """Return the point on the tangent, or the last one without."""
        if self.tangent is None:
            return self.point.copy()
        expected: np.ndarray = self.point + (value - self.value) * self.tangent
        return expected

    def then(self, value: float, point: np.ndarray) -> "_Path":
        """Return the way after a point, by which the next is expected on the chord."""
        if value == self.value:
            return self
        return _Path(value, point, (point - self.point) / (value - self.value))


class _Profile:
    """The profile of a likelihood with or without an L2 penalty."""

    def __init__(self, likelihood: Likelihood, feature: int | None) -> None:
        self._likelihood, self._feature = likelihood, feature
        design, n = likelihood.design, len(likelihood.weight)
        others = np.arange(design.shape[1])
        self._column, self._penalty = np.ones(n), 0.0
        if feature is not None:
            column = np.asarray(design.dense_columns(np.array([feature])), dtype=np.float64)
            self._column = column[:, 0] - design.centre[feature]
            self._penalty = float(likelihood.penalty[feature])
            others = np.delete(others, feature)
        self._others = design.columns(others) if len(others) else None
        self._path = self._from_estimate(others)

    def _from_estimate(self, others: np.ndarray) -> _Path:
        """Return the way from the model, along the tangent that its Hessian gives."""
        likelihood, feature = self._likelihood, self._feature
        centre, p = likelihood.design.centre, len(likelihood.penalty)
        q = p + int(likelihood.design.fit_intercept)
        unknowns = np.append(likelihood.weights.coef[0], likelihood.weights.intercept[0])[:q]
        index = p if feature is None else feature
        directions, along = np.delete(np.eye(q), index, axis=1), np.eye(q)[index]
        if feature is None:  # the intercept about zero
            directions[p] = centre
        hessian = likelihood.hessian[:q, :q]
        inner = directions.T @ hessian @ directions
        size = np.sqrt(np.maximum(inner.diagonal(), 0.0))
        inverse = np.divide(1.0, size, out=np.zeros(len(size)), where=size > 0.0)
        scaled = inner * inverse * inverse[:, None]
        right = inverse * (directions.T @ (hessian @ along))
        step = inverse * np.linalg.lstsq(scaled, right, rcond=None)[0]
        tangent = along - directions @ step

        def point_of(unknowns: np.ndarray) -> np.ndarray:
            coef = unknowns[others]
            if feature is None:
                return np.append(coef, 0.0)
            intercept = unknowns[p] - coef @ centre[others] if q > p else 0.0
            return np.append(coef, intercept)

        value = unknowns[index]
        if feature is None:
            value = value - centre @ unknowns[:p]
        return _Path(float(value), point_of(unknowns), point_of(tangent))

    def at(self, value: float, far: bool) -> tuple[float, float]:
        """See `profile_of`."""
        likelihood, feature = self._likelihood, self._feature
        fixed, expected = value * self._column, self._path.expected(value)
        start = Weights(expected[:-1], float(expected[-1])) if len(expected) > 1 else None
        objective, weights = likelihood.without(
            [] if feature is None else [feature],
            fixed[:, None],
            intercept=feature is not None,
            start=start,
        )
        point = np.append(weights.coef, weights.intercept)
        if len(point) == len(expected):
            self._path = self._path.then(value, point)
        derivative = float(self._derivative(fixed, weights) @ self._column) + self._penalty * value
        return objective + 0.5 * self._penalty * value**2, derivative

    def _derivative(self, fixed: np.ndarray, weights: Weights) -> np.ndarray:
        """Return the weighted derivatives of the losses."""
        likelihood, others = self._likelihood, self._others
        loss = likelihood.loss
        assert isinstance(loss, LossOfRows)
        eta = fixed + weights.intercept
        if others is not None:
            eta = eta + others.predict(weights.coef[None])[:, 0] + others.centre @ weights.coef
        if loss.offset is not None:
            eta = eta + loss.offset
        with np.errstate(all="ignore"):
            derivative = likelihood.weight * loss.loss.derivative(loss.y, eta)
        return np.where(likelihood.weight > 0.0, derivative, 0.0)


class _FirthProfile:
    """The profile of Firth's likelihood, with the information of all features.

    The first tangent and the first Hessian are those at the estimate.
    """

    def __init__(self, likelihood: Likelihood, firth: Firth, feature: int | None) -> None:
        self._firth, self._estimate = firth, likelihood.unknowns
        p, identity = len(firth.inverse), np.eye(firth.q)
        self._index = p if feature is None else feature
        self._directions = np.delete(identity, self._index, axis=1)
        self._along = identity[self._index].copy()  # of the unknowns, per unit of the value
        if feature is None:  # the intercept about zero
            self._directions[p] = likelihood.design.centre * firth.inverse
        else:
            self._along[feature] = 1.0 / firth.inverse[feature]
        point = likelihood.firth_point
        hessian = point.information if point.hessian is None else point.hessian
        D = self._directions
        self._hessian = factored(D.T @ hessian @ D)
        tangent = None
        if self._hessian is not None:
            step = cho_solve(self._hessian.factor, D.T @ (hessian @ self._along))
            tangent = self._along - D @ step
        self._path = _Path(self._value(self._estimate), self._estimate, tangent)

    def _value(self, unknowns: np.ndarray) -> float:
        """Return the value that unknowns have."""
        others = np.delete(unknowns, self._index)
        left = unknowns[self._index] - self._directions[self._index] @ others
        return float(left / self._along[self._index])

    def at(self, value: float, far: bool) -> tuple[float, float]:
        """See `profile_of`."""
        found = [self._from(self._path.expected(value), value, self._hessian)]
        if not np.isfinite(found[0][0]):
            found = [self._from(self._estimate, value, None)]
        if far:
            found.append(self._from(np.zeros(len(self._along)), value, None))
            own = self._value(self._estimate)
            if own * value > 0.0:
                found.append(self._from(self._estimate * (value / own), value, None))
        objective, derivative, unknowns, self._hessian = min(found, key=lambda each: each[0])
        if np.isfinite(objective):
            self._path = self._path.then(value, unknowns)
        return objective, derivative

    def _from(
        self, start: np.ndarray, value: float, hessian: Factored | None
    ) -> tuple[float, float, np.ndarray, Factored | None]:
        """Return the least objective, its derivative, the unknowns and the Hessian of the end."""
        start = start + (value - self._value(start)) * self._along
        firth, D = self._firth, self._directions
        if not np.isfinite(firth.at(start).objective):
            return np.inf, 0.0, start, None
        found, unknowns = minimise_along(firth, start, D, hessian, tol=TOL, max_iter=MAX_ITER)
        point = found.evaluation.point
        return point.objective, float(point.gradient @ self._along), unknowns, found.hessian
