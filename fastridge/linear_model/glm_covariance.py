"""Covariances of the coefficients of a likelihood: by the information, or a sandwich."""

from typing import Any

import numpy as np

from fastridge.linear_model.glm_likelihood import Likelihood
from fastridge.solvers.newton.information import outer_sum, sums_by_group

_NULL = 1e-13  # an eigenvalue relative to the largest, for each unknown
_PART = 1e-10  # of a unit vector: its square counts as none


class Covariance:
    """The inverse of ``H = I + penalty`` and what stands between two of it.

    Unknowns are the coefficients of columns about the centre, in units of their standard
    deviations, and the intercept there is, for each class.
    """

    def __init__(self, likelihood: Likelihood) -> None:
        self._likelihood, design = likelihood, likelihood.design
        self._q = design.shape[1] + int(design.fit_intercept)
        self._K = likelihood.n_classes
        lengths = np.sqrt(design.squares / design.sum_weights)
        self._varies = np.append(lengths > 0.0, True)[: self._q]
        self._length = np.append(np.where(lengths > 0.0, lengths, 1.0), 1.0)[: self._q]
        self._information = self._scaled(outer_sum(design, self._K, likelihood.curvature))
        penalty = np.append(likelihood.penalty, 0.0)[: self._q] / self._length**2
        whole = self._information + np.diag(np.tile(penalty, self._K))
        if self._K > 1:  # the directions that change no probability
            blocks = whole.reshape(self._K, self._q, self._K, self._q)
            for j in range(self._q):
                blocks[:, j, :, j] += np.trace(blocks[:, j, :, j]) / self._K**2
        root = np.sqrt(whole.diagonal())
        inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        values, vectors = np.linalg.eigh(whole * inverse * inverse[:, None])
        null = values <= _NULL * len(values) * max(values[-1], 0.0)
        self._half = inverse[:, None] * vectors[:, ~null] / np.sqrt(values[~null])
        self._undetermined = (vectors[:, null] ** 2).sum(axis=1) > _PART
        between = self._half.T @ self._information @ self._half
        self.dof = float(np.trace(between))

    def _scaled(self, whole: np.ndarray) -> np.ndarray:
        """Return a matrix of all unknowns in units of the standard deviations."""
        full = len(whole) // self._K
        blocks = whole.reshape(self._K, full, self._K, full)[:, : self._q, :, : self._q]
        blocks = blocks / self._length[:, None, None] / self._length
        blocks = blocks * self._varies[:, None, None] * self._varies
        size = self._K * self._q
        return np.ascontiguousarray(blocks).reshape(size, size)

    def decrement(self) -> float:
        """Return ``g'H^-1 g`` of the gradient at the coefficients."""
        likelihood = self._likelihood
        if likelihood.firth is not None:
            part = self._half.T @ likelihood.firth_point.gradient
            return float(part @ part)
        derivative = likelihood.derivative()
        gradient = np.zeros((self._K, self._q))
        p = likelihood.design.shape[1]
        gradient[:, :p] = likelihood.design.correlate(derivative)
        gradient[:, :p] += likelihood.penalty * likelihood.weights.coef
        gradient[:, p:] = derivative.sum(axis=0)[:, None]
        part = self._half.T @ (gradient / self._length * self._varies).ravel()
        return float(part @ part)

    def of_kind(
        self, cov_type: str, dispersion: float, n_samples: int, group: np.ndarray | None
    ) -> np.ndarray:
        """Return the covariance of a kind, of the unknowns."""
        if cov_type == "nonrobust":
            between = dispersion * self._information
        else:
            between = self._squared_scores(cov_type, n_samples, group)
        return self._half @ (self._half.T @ between @ self._half) @ self._half.T

    def _squared_scores(
        self, cov_type: str, n_samples: int, group: np.ndarray | None
    ) -> np.ndarray:
        likelihood = self._likelihood
        derivative = likelihood.derivative()
        unknowns = max(1, self._K - 1) * self._q
        free = n_samples - unknowns
        factor = 1.0
        if cov_type == "cluster":
            assert group is not None
            sums = sums_by_group(likelihood.design, derivative, group)
            n_groups = len(sums)
            between = sums.T @ sums
            factor = n_groups / (n_groups - 1.0) * (n_samples - 1.0)
            factor = factor / free if free > 0 else np.nan
        else:
            between = outer_sum(
                likelihood.design, self._K, lambda k, m: derivative[:, k] * derivative[:, m]
            )
            if cov_type == "HC1":
                factor = n_samples / free if free > 0 else np.nan
        return factor * self._scaled(between)

    def in_units(
        self, covariance: np.ndarray, classes: Any, baseline: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the covariance of coefficients and intercepts in the units of X, and these.

        They are relative to the baseline, if one is given. The unknowns have a row for each class.
        """
        likelihood, q, K = self._likelihood, self._q, self._K
        p = likelihood.design.shape[1]
        one = np.diag(1.0 / self._length)
        if q > p:
            one[p, :p] = -likelihood.design.centre / self._length[:p]
        between = np.eye(K)
        if baseline is not None:
            if classes is None or baseline not in classes.tolist():
                raise ValueError(
                    f"baseline must be one of three or more classes, got {baseline!r}: leave it "
                    "out, or give one of classes_."
                )
            at = classes.tolist().index(baseline)
            between[:, at] -= 1.0
            between = np.delete(between, at, axis=0)
        change = np.kron(between, one)
        found = change @ covariance @ change.T
        lost = (np.abs(change) @ self._undetermined) > 0.0
        found[lost] = found[:, lost] = np.nan
        found[lost, lost] = np.inf
        intercept = likelihood.weights.intercept
        unknown = np.column_stack([likelihood.weights.coef, intercept])[:, :q]
        if q > p:
            unknown[:, p] -= likelihood.weights.coef @ likelihood.design.centre
        return found, between @ unknown
