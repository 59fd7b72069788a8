"""Accuracy of lasso paths and choices of the penalty, computed independently of all libraries.

The certificate of a path is its relative duality gap. With the intercept removed by centring,
``r = yc - Xc w``, the primal value is ``P = ||r||^2 / 2n + alpha ||w||_1``, and every ``s r`` with
``|s| max|Xc'r| <= alpha n`` is a dual point of value ``D = s r'yc / n - s^2 ||r||^2 / 2n``. The
best of these has ``s = min(r'yc / ||r||^2, alpha n / max|Xc'r|)``, and the gap is
``(P - D) / (||yc||^2 / 2n)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import FASTRIDGE, Problem

_TIGHT = 1e-11
_MOST_ITERATIONS = 1_000_000


def relative_gaps(X: Any, y: np.ndarray, coefs: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Compute the relative duality gap of each column of `coefs` (p, a) at its alpha, (a,)."""
    n = len(y)
    target = y - y.mean()
    residual = target[:, None] - X @ coefs
    residual -= residual.mean(axis=0)
    squares, along = (residual**2).sum(axis=0), target @ residual
    # X'r equals Xc'r, because r sums to zero
    steepest = np.abs(X.T @ residual).max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.fmin(along / squares, alphas * n / steepest)
    primal = squares / (2 * n) + alphas * np.abs(coefs).sum(axis=0)
    dual = scale * along / n - scale**2 * squares / (2 * n)
    return (primal - dual) / (target @ target / (2 * n))


def certified_gap(problem: Problem, coefs: np.ndarray) -> float:
    """Return the largest relative gap of a path; infinite if it has NaN or misses alphas."""
    if coefs.shape[1] != len(problem.alphas) or not np.isfinite(coefs).all():
        return float("inf")
    return float(relative_gaps(problem.X, problem.y, coefs, problem.alphas).max())


class PathGap:
    """Sets the certified gap of a path in its row."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def fill(self, row: Any, rival: Any, answer: Any) -> None:
        """Set the row's error to the largest gap over the path."""
        row.coef_error = certified_gap(self._problem, rival.coefs(answer))


class ChoiceErrors:
    """Errors of a cross-validation relative to scikit-learn's at a tight tolerance.

    Each row has whether the choice is the reference's, and the largest relative difference of a
    fold's mean squared error, at the tolerance that is timed. `tight` has the same for ours at the
    tolerance of the reference.
    """

    def __init__(self, problem: Problem) -> None:
        from .enet_rivals import ScikitLearnChoice

        self._problem = problem
        reference = ScikitLearnChoice()
        reference.load()
        self._reference = self._fit(reference)
        self.tight: tuple[bool, float] | None = None

    def _fit(self, rival: Any) -> Any:
        model = rival.model(self._problem, 1)
        return model.set_params(tol=_TIGHT, max_iter=_MOST_ITERATIONS).fit(
            self._problem.X, self._problem.y
        )

    def fill(self, row: Any, rival: Any, answer: Any) -> None:
        """Set the choice and error of the row, and for ours also `tight`."""
        same, row.coef_error = self._compare(answer)
        row.same_alpha = float(same)
        if rival.name == FASTRIDGE:
            self.tight = self._compare(self._fit(rival))

    def _compare(self, answer: Any) -> tuple[bool, float]:
        reference = self._reference
        same = np.isclose(answer.alpha_, reference.alpha_, rtol=1e-9)
        if len(self._problem.case.l1_ratios) > 1:  # type: ignore[attr-defined]
            same &= answer.l1_ratio_ == reference.l1_ratio_
        if answer.mse_path_.shape != reference.mse_path_.shape:
            return bool(same), float("nan")
        return bool(same), float(np.abs(answer.mse_path_ / reference.mse_path_ - 1).max())
