"""Accuracy of an answer: a reference in extended precision, and two errors relative to it.

The ridge problem with an intercept is solved on centred data,
``(Xc'Xc + alpha I) w = Xc'yc``. The reference centres with means in extended precision,
factorises the float64 system (dual when p > n) and refines the solution with residuals in
extended precision until a correction is no more than rounding. If ``long double`` is no wider than
double, the reference is float64 with refinement.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .cases import Problem

_WIDE = np.longdouble
_TILE_ELEMENTS = 1 << 20
_REFERENCE_TARGETS = 4


class Reference:
    """Reference solution of one problem, for its first four targets."""

    def __init__(self, problem: Problem) -> None:
        X = problem.X
        y = problem.y.reshape(len(problem.y), -1)[:, :_REFERENCE_TARGETS]
        self._X, self._y = X, y
        self._step = max(1, _TILE_ELEMENTS // X.shape[1])
        self.x_mean = self._mean(X)
        self.y_mean = self._mean(y)
        self._centred = self._centre(X, self.x_mean)
        self._target = self._centre(y, self.y_mean)
        self._xy = self._centred.T @ self._target
        rows = self._centred
        self._dual = rows.shape[0] < rows.shape[1]
        self._gram = rows @ rows.T if self._dual else rows.T @ rows
        self._coefs: dict[tuple[float, int], np.ndarray] = {}

    def _tiles(self) -> range:
        return range(0, len(self._X), self._step)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        total = np.zeros(values.shape[1], _WIDE)
        for start in self._tiles():
            total += values[start : start + self._step].astype(_WIDE).sum(axis=0)
        return total / len(values)

    def _centre(self, values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        centred = np.empty(values.shape)
        for start in self._tiles():
            stop = start + self._step
            centred[start:stop] = values[start:stop].astype(_WIDE) - mean
        return centred

    def _gradient(self, coef: np.ndarray, alpha: float, target: int) -> np.ndarray:
        """Compute Xc'(yc - Xc w) - alpha w of one target, with every sum in extended precision."""
        total = -_WIDE(alpha) * coef
        for start in self._tiles():
            stop = start + self._step
            rows = self._X[start:stop].astype(_WIDE) - self.x_mean
            residual = self._y[start:stop, target] - self.y_mean[target] - rows @ coef
            total += residual @ rows
        return total

    def coef(self, alpha: float, target: int = 0) -> np.ndarray:
        """Return the reference coefficients (p,) of one target at one penalty."""
        key = (float(alpha), target)
        if key not in self._coefs:
            system = self._gram.copy()
            system.flat[:: len(system) + 1] += key[0]
            factor = linalg.cho_factor(system, overwrite_a=True)

            def solve(right: np.ndarray) -> np.ndarray:
                if not self._dual:
                    return linalg.cho_solve(factor, right)
                inner = linalg.cho_solve(factor, self._centred @ right)
                return (right - self._centred.T @ inner) / key[0]

            coef = solve(self._xy[:, target]).astype(_WIDE)
            for _ in range(4):
                correction = solve(self._gradient(coef, *key).astype(np.float64))
                coef += correction
                if linalg.norm(correction) <= 1e-15 * linalg.norm(coef.astype(float)):
                    break
            self._coefs[key] = coef
        return self._coefs[key]

    def coef_error(self, coef: np.ndarray, alpha: float | np.ndarray) -> float:
        """Compute the largest ``||w - reference|| / ||reference||`` for `coef` of shape (t, p)."""
        worst = 0.0
        for j, value in enumerate(self._per_target(coef, alpha)):
            reference = self.coef(value, j)
            error = np.sqrt(((coef[j].astype(_WIDE) - reference) ** 2).sum())
            worst = max(worst, float(error / np.sqrt((reference**2).sum())))
            if not np.isfinite(error):
                return float("nan")
        return worst

    def residual(self, coef: np.ndarray, alpha: float | np.ndarray) -> float:
        """Compute the largest ``||Xc'(yc - Xc w) - alpha w|| / ||Xc'yc||`` of the targets."""
        penalties = self._per_target(coef, alpha)
        coefs = np.asarray(coef[: len(penalties)], np.float64).T
        gradient = self._centred.T @ (self._target - self._centred @ coefs) - coefs * penalties
        return float((linalg.norm(gradient, axis=0) / linalg.norm(self._xy, axis=0)).max())

    def prediction_error(self, predicted: np.ndarray, rows: np.ndarray, alpha: float) -> float:
        """Compute the largest ``|prediction - reference| / |reference|`` of `rows`."""
        expected = self.y_mean[0] + (rows.astype(_WIDE) - self.x_mean) @ self.coef(alpha)
        got = np.asarray(predicted).reshape(expected.shape)
        return float(np.abs((got - expected) / expected).max())

    def _per_target(self, coef: np.ndarray, alpha: float | np.ndarray) -> np.ndarray:
        n_targets = min(len(coef), self._y.shape[1])
        return np.broadcast_to(np.asarray(alpha, np.float64), (len(coef),))[:n_targets]


class GramReference:
    """Compute the first rows of the centred X'X in extended precision."""

    def __init__(self, X: np.ndarray, n_rows: int = 2) -> None:
        step = max(1, _TILE_ELEMENTS // X.shape[1])
        tiles = range(0, len(X), step)
        mean = np.zeros(X.shape[1], _WIDE)
        for start in tiles:
            mean += X[start : start + step].astype(_WIDE).sum(axis=0)
        mean /= len(X)
        self._rows = np.zeros((n_rows, X.shape[1]), _WIDE)
        for start in tiles:
            centred = X[start : start + step].astype(_WIDE) - mean
            self._rows += np.ascontiguousarray(centred[:, :n_rows].T) @ centred

    def error(self, xx: np.ndarray) -> float:
        """Compute the largest error of an entry ``xx_ij``, relative to ``sqrt(xx_ii xx_jj)``."""
        n_rows = len(self._rows)
        scale = np.sqrt(np.outer(np.diagonal(xx)[:n_rows], np.diagonal(xx)))
        return float(np.abs((xx[:n_rows] - self._rows) / scale).max())
