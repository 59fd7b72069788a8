"""Solve the Newton steps of a support vector machine by columns, or by rows.

A step minimises ``1/2 |w|^2 + 1/2 pi b^2`` plus a loss whose rows have derivatives ``-beta`` and
curvatures ``theta``. By columns, with a p x p Gram matrix:

    (I + X'theta X) dw + X'theta 1 db = X'beta - w,
    1'theta X dw + (pi + 1'theta 1) db = 1'beta - pi b

By rows ``w = X'a``, and with ``K = X X' + 1 1' / pi`` and the active rows J, whose theta is not
zero,

    da = beta - a + e,    (1 / theta_J + K_JJ) e_J = -[K (beta - a)]_J - db

takes a matrix of order |J|; ``1'(beta + e) = 0`` gives db of a free intercept. Both spaces hold a
point.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastridge._kernels import combine as _combine
from fastridge.designs.design import Design
from fastridge.runtime.threads import product, run_slices
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.svm.problem import MarginProblem
from fastridge.statistics.accumulate import centred_products, kernel_rows, symmetric
from fastridge.statistics.accumulate_sparse import sparse_centred_products

_BLOCK_VALUES = 1 << 18
_GATHERED = 0.25  # of the rows: more active ones are not copied
_LEAST_FREE = 1e-10  # of a free intercept's curvature, where no row gives it any


class Step(NamedTuple):
    """A direction: the change of the linear predictors, and what the line search needs.

    Attributes
    ----------
    eta : ndarray of shape (n_samples,)
    first, second : float
        Derivatives of the penalty along the direction, at its beginning.
    decrement : float
        Minus the derivative of the objective along it.
    parts : tuple
        Of the space that made it.
    """

    eta: np.ndarray
    first: float
    second: float
    decrement: float
    parts: tuple[np.ndarray, float]


def linear_predictors(design: Design, coef: np.ndarray, intercept: float) -> np.ndarray:
    """Return X coef + intercept."""
    X = design.X
    if design.sparse:
        eta: np.ndarray = X @ coef
        eta += intercept
        return eta
    eta, nothing = np.empty(len(X)), np.zeros(len(coef))

    def job() -> Iterator[None]:
        step = max(1, _BLOCK_VALUES // X.shape[1])
        for begin in range(0, len(X), step):
            end = min(begin + step, len(X))
            rows = kernel_rows(X, begin, end)
            _combine.combine_columns(rows, nothing, coef, intercept, eta[begin:end])
            yield

    run_slices([job()])
    return eta


class BorderedGram:
    """The Hessian of weighted rows in coefficients and intercept, factored.

    With the means m that the weights give and their sum t, the intercept is eliminated: the system
    for w is ``I + (X - m)'theta(X - m) + t pi / (t + pi) m m'``, in which nothing cancels.
    """

    def __init__(self, design: Design, theta: np.ndarray, intercept_penalty: float) -> None:
        p = design.shape[1]
        upper, self._mean, self._total = np.zeros((p, p)), np.zeros(p), 0.0
        active = np.flatnonzero(theta)
        X = design.X
        if 0 < len(active) < _GATHERED * len(theta):
            X, theta = X[active], theta[active]
        if len(active):
            accumulate = sparse_centred_products if design.sparse else centred_products
            products = accumulate(X, np.zeros((len(theta), 1)), theta, design.n_threads)
            upper, self._mean = products.upper, products.x_mean
            self._total = products.sum_weights
        share = self._total
        self._border = np.inf
        if intercept_penalty < np.inf:
            self._border = intercept_penalty + self._total
            share *= intercept_penalty / self._border if self._border > 0.0 else 0.0
        upper = upper + np.outer(share * self._mean, self._mean)
        self._factor = Factor(upper, np.ones(p), design.n_threads)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return w and b for a right-hand side of p + 1 values."""
        border = self._border if self._border > 0.0 else _LEAST_FREE
        coef = right[:-1] - self._total / border * right[-1] * self._mean
        coef = self._factor.solve(coef[None])[0]
        return np.append(coef, (right[-1] - self._total * float(self._mean @ coef)) / border)


class ColumnSpace:
    """A point as coefficients and intercept."""

    name = "newton-cholesky"

    def __init__(self, problem: MarginProblem, weights: np.ndarray | None = None) -> None:
        self._design, self._pi = problem.design, problem.intercept_penalty
        self.weights = np.zeros(problem.design.shape[1] + 1) if weights is None else weights
        self._scale = np.ones(len(self.weights))  # penalties
        self._scale[-1] = self._pi if self._pi < np.inf else 0.0

    def eta(self) -> np.ndarray:
        """Return the linear predictors of the point."""
        return linear_predictors(self._design, self.weights[:-1], float(self.weights[-1]))

    def penalty(self) -> float:
        """Return the penalty of the point."""
        return 0.5 * float(self._scale @ self.weights**2)

    def look(self, beta: np.ndarray) -> None:
        """Take in the derivatives of the losses."""
        right = self._design.correlate(beta[:, None])[0]
        total = float(beta.sum()) if self._pi < np.inf else 0.0
        self._gradient = self._scale * self.weights - np.append(right, total)

    @property
    def unbalanced(self) -> float:
        """Derivative with respect to a free intercept."""
        return float(self._gradient[-1]) if self._pi == 0.0 else 0.0

    @property
    def lag(self) -> float:
        """Return ``1/2 |w - X'beta|^2 + 1/2 (pi b - 1'beta)^2 / pi``."""
        g = self._gradient
        total = float(g[:-1] @ g[:-1])
        if 0.0 < self._pi < np.inf:
            total += float(g[-1]) ** 2 / self._pi
        return 0.5 * total

    def step(self, theta: np.ndarray) -> Step:
        """Return the Newton step for the curvatures of the rows."""
        change = -BorderedGram(self._design, theta, self._pi).solve(self._gradient)
        eta = linear_predictors(self._design, change[:-1], float(change[-1]))
        first = float(self._scale * self.weights @ change)
        second = float(self._scale @ change**2)
        return Step(eta, first, second, -float(self._gradient @ change), (change, 0.0))

    def move(self, step: Step, part: float) -> None:
        """Go a part of a step."""
        self.weights = self.weights + part * step.parts[0]

    def result(self) -> tuple[np.ndarray, float]:
        """Return coefficients and intercept."""
        return self.weights[:-1].copy(), float(self.weights[-1])


class RowSpace:
    """A point as multipliers a of the rows, and a free intercept."""

    name = "newton-dual"

    def __init__(self, problem: MarginProblem) -> None:
        design, self._pi = problem.design, problem.intercept_penalty
        self._design = design
        n = design.shape[0]
        p = design.shape[1]
        K = symmetric(design.outer_gram(np.ones(p), centre=np.zeros(p)))
        if 0.0 < self._pi < np.inf:
            K += 1.0 / self._pi
        self._K = K
        self._a, self._b = np.zeros(n), 0.0
        self._Ka = np.zeros(n)

    def eta(self) -> np.ndarray:
        """Return the linear predictors of the point."""
        self._Ka = product(self._K, self._a)
        return self._Ka + self._b

    def penalty(self) -> float:
        """Return the penalty of the point."""
        return 0.5 * float(self._a @ self._Ka)

    def look(self, beta: np.ndarray) -> None:
        """Take in the derivatives of the losses."""
        self._beta, self._excess = beta, beta - self._a
        self._K_excess = product(self._K, self._excess)

    @property
    def unbalanced(self) -> float:
        """Derivative with respect to a free intercept."""
        return -float(self._beta.sum()) if self._pi == 0.0 else 0.0

    @property
    def lag(self) -> float:
        """Return ``1/2 |w - X'beta|^2 + 1/2 (pi b - 1'beta)^2 / pi``."""
        return 0.5 * max(float(self._excess @ self._K_excess), 0.0)

    def step(self, theta: np.ndarray) -> Step:
        """Return the Newton step for the curvatures of the rows."""
        active, free = np.flatnonzero(theta), self._pi == 0.0
        e, db = np.zeros(len(theta)), 0.0
        if len(active):
            root = np.sqrt(theta[active])
            K = self._K[np.ix_(active, active)] * root[:, None] * root
            factor = Factor(K, np.ones(len(active)), self._design.n_threads)
            right = np.vstack([-self._K_excess[active], np.ones(len(active))]) * root
            solved = factor.solve(right) * root
            if free:
                db = (float(self._beta.sum()) + solved[0].sum()) / solved[1].sum()
            e[active] = solved[0] - db * solved[1]
        elif free:
            db = float(self._beta.sum()) / _LEAST_FREE
        da = self._excess + e
        moved = product(self._K, da)
        first, second = float(self._Ka @ da), float(da @ moved)
        decrement = float(self._beta @ (moved + db)) - first
        return Step(moved + db, first, second, decrement, (da, db))

    def move(self, step: Step, part: float) -> None:
        """Go a part of a step."""
        da, db = step.parts
        self._a, self._b = self._a + part * da, self._b + part * db
        self._Ka = self._Ka + part * (step.eta - db)

    def result(self) -> tuple[np.ndarray, float]:
        """Return coefficients and intercept."""
        coef = self._design.correlate(self._a[:, None])[0]
        if 0.0 < self._pi < np.inf:
            return coef, float(self._a.sum()) / self._pi
        return coef, self._b if self._pi == 0.0 else 0.0
