"""Cholesky of the penalised Gram (primal) or of the Gram of the samples (dual), refined.

    primal:  coef = (X'WX + diag(penalty))^-1 X'Wy
    dual:    coef = S^-1 X' R (K + alpha I)^-1 R y,   K = R X S^-1 X' R,  R = W^1/2,
             S = diag(penalty / alpha)

Where the condition number eats digits, corrected semi-normal equations win them back:
coef += (X'WX + diag(penalty))^-1 (X'W(y - X coef) - penalty coef), with residuals from X
itself (Bjorck, "Stability analysis of the method of seminormal equations for linear least
squares problems", Linear Algebra and its Applications 88/89, 1987).
"""

import numpy as np

from fastridge import _kernels
from fastridge._accumulate import outer_products
from fastridge._threads import call_interruptibly
from fastridge.solvers.problem import RidgeProblem, Solution

ACCURATE = 1e-8  # a reciprocal condition number that leaves eight digits
_LEAST_SQUARES = 1e-2  # without a penalty, what is below this is refined
_LONG = 700  # order from which a factorisation may take longer than a slice
_MAX_REFINEMENTS = 10


class Factor:
    """Equilibrated Cholesky factor of a symmetric matrix plus a diagonal."""

    def __init__(self, upper: np.ndarray, penalty: np.ndarray) -> None:
        p = len(penalty)
        self._lower = np.empty((p, p))
        self._scale = np.empty(p)
        arguments = (
            upper,
            penalty,
            self._lower,
            self._scale,
            np.empty(3 * p),
            np.empty(p, dtype=np.intc),
        )
        call = _kernels.cholesky.factor_penalised
        self.rcond = call_interruptibly(call, *arguments) if p > _LONG else call(*arguments)

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """(G + diag(penalty))^-1 applied to every row of a new array."""
        rows = np.array(rows, dtype=float, order="C")
        if rows.size:
            _kernels.cholesky.solve_factored(self._lower, self._scale, rows)
        return rows


def alpha_groups(alphas: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Each distinct alpha with the targets that have it."""
    if len(alphas) == 1:
        return [(float(alphas[0]), np.zeros(1, dtype=int))]
    values, inverse = np.unique(alphas, return_inverse=True)
    return [(float(v), np.flatnonzero(inverse == k)) for k, v in enumerate(values)]


def solve_primal(problem: RidgeProblem) -> Solution | None:
    """Cholesky of the p x p system, or None where its digits do not suffice."""
    upper, xy = problem.moments
    p = len(problem.scale)
    coef = np.empty((xy.shape[1], p))
    worst, steps = 1.0, np.zeros(xy.shape[1], dtype=np.intc)
    for alpha, targets in alpha_groups(problem.alphas):
        penalty = alpha * problem.scale
        factor = Factor(upper, penalty)
        worst = min(worst, factor.rcond)
        if factor.rcond < p * np.finfo(float).eps:
            return None
        coef[targets] = factor.solve(xy.T[targets])
        if problem.X is not None and factor.rcond < (ACCURATE if alpha else _LEAST_SQUARES):
            taken = _refine(problem, factor, penalty, coef, targets)
            if taken is None:
                return None
            steps[targets] = taken
    return Solution(coef, "cholesky", worst, 1 + steps)


def _refine(
    problem: RidgeProblem,
    factor: Factor,
    penalty: np.ndarray,
    coef: np.ndarray,
    targets: np.ndarray,
) -> int | None:
    """Corrections of `coef[targets]` in place; None where they do not shrink fast."""
    weight = problem.weight
    last = np.inf
    length = np.sqrt(penalty + np.diagonal(problem.moments[0]))
    for step in range(1, _MAX_REFINEMENTS + 1):
        residual = problem.residual(coef[targets], targets)
        if weight is not None:
            residual *= weight[:, None]
        # X'W(y - X coef) - penalty coef
        gradient = problem.correlate_centred(residual) - penalty * coef[targets]
        correction = factor.solve(gradient)
        coef[targets] += correction
        size = np.abs(correction * length).max()
        whole = np.abs(coef[targets] * length).max()
        if size <= 4.0 * np.finfo(float).eps * whole:
            return step
        if size > 0.1 * last:
            # No longer shrinking: at the level of rounding, or not converging at all.
            return step if last <= 1e-10 * whole else None
        last = size
    return _MAX_REFINEMENTS


def solve_dual(problem: RidgeProblem) -> Solution | None:
    """Cholesky of the n x n system, or None where its digits do not suffice."""
    n, p = problem.shape
    scale = problem.scale
    free = np.flatnonzero(scale == 0.0)
    if len(free) >= n:
        return None
    inverse = np.divide(1.0, scale, out=np.zeros(p), where=scale > 0.0)
    root = None if problem.weight is None else np.sqrt(problem.weight)
    K = sample_gram(problem, inverse)
    Yc = problem.Y - problem.centre[1]
    if root is not None:
        Yc *= root[:, None]
    basis = None
    if len(free):
        basis = _free_basis(problem, free, root)
        if basis is None:
            return None
        # Project the features without a penalty out of K and y, as if they were the intercept.
        K = K - basis @ (basis.T @ K)
        K -= (K @ basis) @ basis.T
        Yc -= basis @ (basis.T @ Yc)
    coef = np.empty((Yc.shape[1], p))
    worst = 1.0
    for alpha, targets in alpha_groups(problem.alphas):
        factor = Factor(K, np.full(n, alpha))
        worst = min(worst, factor.rcond)
        if factor.rcond < max(ACCURATE, n * np.finfo(float).eps):
            return None
        dual = factor.solve(Yc.T[targets])
        if root is not None:
            dual *= root
        coef[targets] = problem.correlate_centred(dual.T) * inverse
    if len(free):
        _fit_free(problem, coef, free, root)
    return Solution(coef, "cholesky", worst)


def sample_gram(problem: RidgeProblem, inverse: np.ndarray) -> np.ndarray:
    """K = R Xc diag(inverse) Xc' R, all of it; R holds the square roots of the weights."""
    mean = problem.centre[0]
    n = problem.shape[0]
    if problem.sparse:
        Z = problem.X.multiply(np.sqrt(inverse)).tocsr()
        shift = mean * np.sqrt(inverse)
        cross = np.asarray(Z @ shift).ravel()
        K = np.asarray((Z @ Z.T).todense()) + shift @ shift
        K -= cross[:, None] + cross
    else:
        upper = outer_products(problem.X, mean, np.sqrt(inverse), problem.n_threads)
        K = np.empty((n, n))
        _kernels.gram.mirror_upper(upper, K)
    if problem.weight is not None:
        root = np.sqrt(problem.weight)
        K *= root[:, None] * root
    return K


def _free_columns(
    problem: RidgeProblem, free: np.ndarray, root: np.ndarray | None
) -> np.ndarray:
    columns = problem.X[:, free]
    if problem.sparse:
        columns = columns.toarray()
    columns = columns.astype(float) - problem.centre[0][free]
    return columns if root is None else columns * root[:, None]


def _free_basis(
    problem: RidgeProblem, free: np.ndarray, root: np.ndarray | None
) -> np.ndarray | None:
    basis, triangle = np.linalg.qr(_free_columns(problem, free, root))
    diagonal = np.abs(np.diagonal(triangle))
    return basis if diagonal.min() > 1e-10 * diagonal.max() else None


def _fit_free(
    problem: RidgeProblem, coef: np.ndarray, free: np.ndarray, root: np.ndarray | None
) -> None:
    """Least squares of what the penalised features leave, on those without a penalty."""
    coef[:, free] = 0.0
    residual = problem.residual(coef)
    if root is not None:
        residual *= root[:, None]
    coef[:, free] = np.linalg.lstsq(_free_columns(problem, free, root), residual)[0].T
