"""Accuracy of a choice of the penalty: slow references by orthogonal factors, no Gram matrix.

Leave-one-out comes from the hat matrix of the centred rows ``Xc = U S V'``,
``e_i / (1 - h_i)`` with ``h = 1/n + diag(U S^2 (S^2 + alpha)^-1 U')``. For k folds the rows
``[1 X y]`` of each fold are reduced to their triangular factor once; the factor of a fold's
training rows is that of the other folds' factors stacked, and an SVD gives its ridge coefficients.
Expectation maximisation (Tew, Boley and Schmidt, NeurIPS 2023) runs on the SVD of the standardised
columns until it no longer changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, optimize

from .cases import Problem

_REFERENCE_TARGETS = 4
# the alphas at which two stopping rules end differ by far less than this
_SAME_ALPHA = 1e-3
_MOST_EM_STEPS = 10_000


class CvErrors:
    """Errors of the answers to a choice of the penalty, for the first four targets."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._em = problem.case.method == "em"
        X, y = problem.X, problem.y.reshape(len(problem.y), -1)[:, :_REFERENCE_TARGETS]
        if self._em:
            self._ridge = StandardizedRidge(X, y[:, 0])
            self._alpha = np.array([self._ridge.em_alpha()])
            return
        if problem.case.method == "loo":
            self._scores = loo_scores(X, y, problem.alphas)
        else:
            self._scores = kfold_scores(X, y, problem.alphas, problem.case.folds)
        self._alpha = problem.alphas[self._scores.argmax(axis=0)]

    def fill(self, row: Any, rival: Any, answer: Any) -> None:
        """Set the row's fraction of targets with the reference's alpha, and its error.

        The error is that of the mean scores that the rival returns, relative to the reference's at
        the same alpha; for expectation maximisation, that of the coefficients at its alpha.
        """
        chosen = rival.chosen(answer)[: len(self._alpha)]
        if np.isnan(chosen).all():
            return  # a pass without a choice
        row.same_alpha = float((np.abs(chosen / self._alpha - 1) <= _SAME_ALPHA).mean())
        if self._em:
            row.coef_error = self._ridge.coef_error(rival.coef(answer)[0], float(chosen[0]))
            return
        scores = rival.scores(answer, self._problem)[:, : len(self._alpha)]
        told = ~np.isnan(scores)
        if told.any(axis=0).all():
            difference = np.abs(scores / self._scores - 1)
            row.coef_error = float(difference[told].max())


def loo_scores(X: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Compute minus the mean squared leave-one-out error of each alpha and target, (a, t)."""
    n, p = X.shape
    U, values, _ = linalg.svd(X - X.mean(axis=0), full_matrices=False)
    target = y - y.mean(axis=0)
    if p >= n:
        # U spans all rows but the last column, the direction that centring took away:
        # 1 - h_i and e_i are then sums without cancellation
        U, values = U[:, :-1], values[:-1]
    rotated, scores = U.T @ target, np.empty((len(alphas), y.shape[1]))
    for a, alpha in enumerate(alphas):
        left = alpha / (values**2 + alpha)
        if p >= n:
            residual, remainder = U @ (left[:, None] * rotated), U**2 @ left
        else:
            kept = values**2 / (values**2 + alpha)
            residual = target - U @ (kept[:, None] * rotated)
            remainder = 1 - 1 / n - U**2 @ kept
        scores[a] = -((residual / remainder[:, None]) ** 2).mean(axis=0)
    return scores


def kfold_scores(X: np.ndarray, y: np.ndarray, alphas: np.ndarray, folds: int) -> np.ndarray:
    """Compute minus the mean over consecutive folds of the mean squared error, (a, t)."""
    n, p = X.shape
    parts = np.array_split(np.arange(n), folds)
    factors = []
    for part in parts:
        rows = slice(part[0], part[-1] + 1)
        table = np.column_stack([np.ones(len(part)), X[rows], y[rows]])
        factors.append(linalg.qr(table, mode="r", overwrite_a=True, check_finite=False)[0])
    scores = np.zeros((len(alphas), y.shape[1]))
    for fold, (part, left_out) in enumerate(zip(parts, factors, strict=True)):
        others = np.vstack([_upper(one) for k, one in enumerate(factors) if k != fold])
        train = _upper(linalg.qr(others, mode="r", overwrite_a=True)[0])
        top, centred = train[0], train[1:]
        U, values, Vt = linalg.svd(centred[:, 1 : p + 1], full_matrices=False)
        rotated = U.T @ centred[:, p + 1 :]
        test = _upper(left_out)
        for a, alpha in enumerate(alphas):
            coef = Vt.T @ ((values / (values**2 + alpha))[:, None] * rotated)
            intercept = (top[p + 1 :] - top[1 : p + 1] @ coef) / top[0]
            error = test[:, p + 1 :] - test[:, 1 : p + 1] @ coef - test[:, :1] * intercept
            scores[a] -= (error**2).sum(axis=0) / len(part) / folds
    return scores


def _upper(factor: np.ndarray) -> np.ndarray:
    """Return the nonzero rows of a triangular factor."""
    return factor[: factor.shape[1]]


class StandardizedRidge:
    """Ridge on columns divided by their standard deviations, by their SVD."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self._n, self._p = X.shape
        self._scale = X.std(axis=0)
        rows, self._target = (X - X.mean(axis=0)) / self._scale, y - y.mean()
        U, self._values, self._Vt = linalg.svd(rows, full_matrices=False)
        self._rotated = U.T @ self._target

    def coef_error(self, coef: np.ndarray, alpha: float) -> float:
        """Compute ``||w - reference|| / ||reference||`` at one penalty, in the units of X."""
        factor = self._values / (self._values**2 + alpha)
        reference = self._Vt.T @ (factor * self._rotated) / self._scale
        return float(linalg.norm(coef - reference) / linalg.norm(reference))

    def em_alpha(self) -> float:
        """Compute ``1 / tau^2`` at the fixed point of expectation maximisation of (sigma^2, tau^2).

        The expectation gives ``S = E||yc - Xw||^2`` and ``N = E||w||^2``. The maximisation has
        ``sigma^2 = (S + N / tau^2) / (n + p + 2)`` and, with the prior
        ``1 / (tau (1 + tau^2))`` of tau^2, a root in log tau^2.
        """
        n, p, squares = self._n, self._p, self._values**2
        outside = self._target @ self._target - self._rotated @ self._rotated
        tau, sigma = 1.0, float(self._target.var())
        for _ in range(_MOST_EM_STEPS):
            penalised = squares + 1 / tau
            fitted = self._values * self._rotated / penalised
            residual = self._rotated - self._values * fitted
            size = fitted @ fitted + sigma * ((1 / penalised).sum() + tau * max(p - n, 0))
            misfit = outside + residual @ residual + sigma * (squares / penalised).sum()

            def derivative(log_tau: float, misfit: float = misfit, size: float = size) -> float:
                t = np.exp(log_tau)
                ratio = size / t * (n + p + 2) / (misfit + size / t)
                return float(p / 2 - ratio / 2 + t / (1 + t) + 0.5)

            before = tau
            tau = float(np.exp(optimize.brentq(derivative, -60.0, 60.0, xtol=1e-14)))
            sigma = (misfit + size / tau) / (n + p + 2)
            if abs(tau / before - 1) <= 1e-13:
                break
        return 1 / tau
