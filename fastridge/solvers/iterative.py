"""Iterative solvers: LSQR, conjugate gradients, gradient descent, nonnegative least squares.

All but the last touch X only through products with vectors, centred and scaled implicitly.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse.linalg as spla

from fastridge._accumulate import symmetric
from fastridge._threads import call_lapack
from fastridge.solvers.cholesky import Factor
from fastridge.solvers.problem import RidgeProblem, Solution
from fastridge.solvers.triangle import triangle

_GRAM_FEATURES = 4096  # up to here gradient descent works on the Gram


class _Scaled:
    """The problem in scaled coefficients: v = coef * root / y_size, columns of size about 1.

    Minimises ||R (Yc / y_size - Xc v / root)||^2 + sum_j damping_j v_j^2 for each target.
    """

    def __init__(self, problem: RidgeProblem) -> None:
        problem.check_range()
        self.problem = problem
        scale = np.where(problem.scale > 0.0, problem.scale, 1.0)
        size = float(np.max(problem.column_variances / scale, initial=0.0)) * problem.sum_weights
        unit = np.sqrt(size) if size > 0.0 else 1.0
        self.root = np.sqrt(scale) * unit
        self.penalised = problem.scale > 0.0
        self.row = np.ones(problem.shape[0]) if problem.weight is None else np.sqrt(problem.weight)
        self.Y = (problem.Y - problem.centre[1]) * self.row[:, None]
        self.y_size = np.abs(self.Y).max(axis=0)
        self.y_size[self.y_size == 0.0] = 1.0
        self.Y /= self.y_size
        self.alphas = problem.alphas / unit / unit

    def forward(self, v: np.ndarray) -> np.ndarray:
        # R Xc v / root
        return self.row * self.problem.predict_centred((v.ravel() / self.root)[None, :])[:, 0]

    def backward(self, u: np.ndarray) -> np.ndarray:
        return self.problem.correlate_centred((self.row * u.ravel())[:, None])[0] / self.root

    def coef(self, V: np.ndarray) -> np.ndarray:
        return V * self.y_size[:, None] / self.root


def _not_converged(targets: list[int], solver: str, limit: object, remedy: str) -> str | None:
    """What to say of targets that did not converge, if there are any."""
    if not targets:
        return None
    some = ", ".join(map(str, targets[:5])) + ("..." if len(targets) > 5 else "")
    return (
        f"Ridge solver {solver!r} did not converge for target {some} within {limit} iterations. "
        f"Increase max_iter or tol{remedy}, or use solver='auto'."
    )


def solve_lsqr(problem: RidgeProblem, tol: float, max_iter: int | None) -> Solution:
    """LSQR (Paige and Saunders, ACM TOMS 8, 1982) on R Xc S^-1/2 with damping alpha^1/2.

    Stops when the residual or the gradient is below `tol` relative; without a penalty it
    tends to the minimum-norm solution.
    """
    n, p = problem.shape
    scaled = _Scaled(problem)
    t = len(scaled.alphas)
    V, n_iter, stuck = np.empty((t, p)), np.zeros(t, dtype=np.intc), []
    for k in range(t):
        damp = float(np.sqrt(scaled.alphas[k]))
        if scaled.penalised.all():
            operator = spla.LinearOperator(
                (n, p), matvec=scaled.forward, rmatvec=scaled.backward, dtype=float
            )
            right = scaled.Y[:, k]
        else:
            # Features without a penalty: the damping stands below X, one row a feature.
            rows = damp * scaled.penalised
            operator = spla.LinearOperator(
                (n + p, p),
                matvec=lambda v, rows=rows: np.r_[scaled.forward(v), rows * v.ravel()],
                rmatvec=lambda u, rows=rows: scaled.backward(u.ravel()[:n]) + rows * u.ravel()[n:],
                dtype=float,
            )
            right, damp = np.r_[scaled.Y[:, k], np.zeros(p)], 0.0
        result = spla.lsqr(
            operator,
            right,
            damp=damp,
            atol=tol,
            btol=tol,
            conlim=0.0,
            iter_lim=10 * max(n, p) if max_iter is None else max_iter,
        )
        V[k], n_iter[k] = result[0], max(1, result[2])
        if result[1] == 7:
            stuck.append(k)
    message = _not_converged(stuck, "lsqr", n_iter.max(), "")
    return Solution(scaled.coef(V), "lsqr", None, n_iter, message)


def solve_cg(problem: RidgeProblem, tol: float, max_iter: int | None) -> Solution:
    """Conjugate gradients on the normal equations, of the smaller of the two sides.

    Stops when the residual of the normal equations is below `tol` times the right side
    (Hestenes and Stiefel, J. Res. Nat. Bur. Standards 49, 1952).
    """
    n, p = problem.shape
    scaled = _Scaled(problem)
    dual = p > n and scaled.penalised.all()
    order = n if dual else p
    limit = 10 * max(n, p) if max_iter is None else max_iter
    t = len(scaled.alphas)
    V, n_iter, stuck = np.empty((t, p)), np.zeros(t, dtype=np.intc), []
    for k in range(t):
        damping = scaled.alphas[k] if dual else scaled.alphas[k] * scaled.penalised

        def normal(v: np.ndarray, damping: np.ndarray | float = damping) -> np.ndarray:
            v = v.ravel()
            product = (
                scaled.forward(scaled.backward(v)) if dual else scaled.backward(scaled.forward(v))
            )
            return product + damping * v

        def count(_: np.ndarray, k: int = k) -> None:
            n_iter[k] += 1

        right = scaled.Y[:, k] if dual else scaled.backward(scaled.Y[:, k])
        operator = spla.LinearOperator((order, order), matvec=normal, dtype=float)
        solved, info = spla.cg(operator, right, rtol=tol, atol=0.0, maxiter=limit, callback=count)
        V[k] = scaled.backward(solved) if dual else solved
        if info > 0:
            stuck.append(k)
    message = _not_converged(stuck, "sparse_cg", limit, "")
    return Solution(scaled.coef(V), "sparse_cg", None, np.maximum(n_iter, 1), message)


def solve_gd(
    problem: RidgeProblem, tol: float, max_iter: int | None, nesterov: bool = False
) -> Solution:
    """Full-batch gradient descent with step 1 / (largest eigenvalue + alpha).

        v <- v - step (X'W(Xv - y) + alpha v)

    With `nesterov`, momentum with restarts (O'Donoghue and Candes, Found. Comput. Math. 15,
    2015). Stops when the gradient is below `tol` times its norm at zero.
    """
    n, p = problem.shape
    if problem.X is None or (p <= _GRAM_FEATURES and p <= n):
        upper, xy = problem.moments
        scale = np.where(problem.scale > 0.0, problem.scale, 1.0)
        size = float(np.max(np.diagonal(upper) / scale, initial=0.0))
        root = np.sqrt(scale) * (np.sqrt(size) if size > 0.0 else 1.0)
        G = symmetric(upper) / root / root[:, None]
        y_size = np.abs(xy / root[:, None]).max(axis=0)
        y_size[y_size == 0.0] = 1.0
        right = (xy / root[:, None] / y_size).T
        alphas = problem.alphas / (size if size > 0.0 else 1.0)

        def apply(V: np.ndarray) -> np.ndarray:
            return V @ G

        def coef(V: np.ndarray) -> np.ndarray:
            return V * y_size[:, None] / root

        trace = float(np.trace(G))
    else:
        scaled = _Scaled(problem)
        right = np.array([scaled.backward(u) for u in scaled.Y.T])
        alphas, coef = scaled.alphas, scaled.coef

        def apply(V: np.ndarray) -> np.ndarray:
            return np.array([scaled.backward(scaled.forward(v)) for v in V])

        trace = float((problem.column_variances / scaled.root**2).sum() * problem.sum_weights)
        if not problem.fit_intercept:
            mean = problem.means[0] / scaled.root
            trace += float(mean @ mean) * problem.sum_weights
    damping = alphas[:, None] * (problem.scale > 0.0)
    step = 1.0 / np.maximum(_largest_eigenvalue(apply, p, trace) + alphas[:, None], 1e-290)
    V, n_iter, active = _descend(apply, right, damping, step, tol, max_iter or 10_000, nesterov)
    message = _not_converged(
        np.flatnonzero(active).tolist(),
        "gd",
        max_iter or 10_000,
        ", set nesterov=True or standardize=True",
    )
    return Solution(coef(V), "gd", None, np.maximum(n_iter, 1), message)


def _largest_eigenvalue(apply: Callable[[np.ndarray], np.ndarray], p: int, trace: float) -> float:
    """Of a positive semi-definite operator, from above; its trace where Lanczos gives up."""
    if p < 3 or trace <= 0.0:
        return trace
    operator = spla.LinearOperator((p, p), matvec=lambda v: apply(v.reshape(1, p))[0], dtype=float)
    start = 1.0 + np.arange(p) % 7 * 0.1
    try:
        found = spla.eigsh(operator, k=1, v0=start, tol=1e-4, return_eigenvectors=False)
    except spla.ArpackError:
        return trace
    return min(trace, float(found[0]) * 1.001)


def _descend(
    apply: Callable[[np.ndarray], np.ndarray],
    right: np.ndarray,
    damping: np.ndarray,
    step: np.ndarray,
    tol: float,
    max_iter: int,
    nesterov: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient descent for all targets; a target that has converged stays where it is."""
    goal = tol * np.linalg.norm(right, axis=1)
    V = np.zeros_like(right)
    ahead, momentum = V, np.ones(len(V))
    n_iter = np.zeros(len(V), dtype=np.intc)
    active = np.linalg.norm(right, axis=1) > 0.0
    for _ in range(max_iter):
        gradient = apply(ahead) - right + damping * ahead
        active = active & ~(np.linalg.norm(gradient, axis=1) <= goal)
        if not active.any():
            return ahead, n_iter, active
        n_iter[active] += 1
        new = np.where(active[:, None], ahead - step * gradient, ahead)
        if nesterov:
            restart = ((ahead - new) * (new - V)).sum(axis=1) > 0.0
            previous = np.where(restart, 1.0, momentum)
            momentum = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * previous**2))
            push = np.where(active, (previous - 1.0) / momentum, 0.0)[:, None]
            ahead = new + push * (new - V)
        else:
            ahead = new
        V = new
    return V, n_iter, active


def solve_nonnegative(problem: RidgeProblem, max_iter: int | None) -> Solution:
    """Ridge with coefficients >= 0, by Lawson and Hanson's active sets on a triangle.

    With R'R = X'WX + diag(penalty): minimise ||R v - R'^-1 X'Wy|| over v >= 0 (Lawson and
    Hanson, "Solving Least Squares Problems", 1974, chapter 23).
    """
    upper, xy = problem.moments
    p, t = xy.shape
    coef = np.zeros((t, p))
    full = symmetric(upper)
    reduced = None
    limit = 30 * p if max_iter is None else max_iter
    for k in range(t):
        penalty = problem.alphas[k] * problem.scale
        diagonal = np.diagonal(full) + penalty
        some = np.flatnonzero(diagonal > 0.0)  # a constant column has no say
        if not len(some):
            continue
        length = np.sqrt(diagonal[some])
        scaled = (full + np.diag(penalty))[np.ix_(some, some)] / length / length[:, None]
        target = xy[some, k] / length
        if Factor(scaled, np.zeros(len(some)), problem.n_threads).rcond > 1e-12:
            R = np.linalg.cholesky(scaled).T
            right = scipy.linalg.solve_triangular(R, target, trans="T")
        elif problem.X is None:
            values, V = np.linalg.eigh(scaled)
            kept = values > p * np.finfo(float).eps * values[-1:]
            R = np.sqrt(values[kept])[:, None] * V[:, kept].T
            right = (V[:, kept].T @ target) / np.sqrt(values[kept])
        else:
            if reduced is None:
                reduced = triangle(problem)
            R = np.vstack([reduced[0], np.diag(np.sqrt(penalty))])[:, some] / length
            right = np.concatenate([reduced[1][:, k], np.zeros(p)])
        try:
            solved = call_lapack(len(some), scipy.optimize.nnls, R, right, maxiter=limit)[0]
        except RuntimeError:
            raise ValueError(
                f"positive=True did not converge within max_iter={limit}: increase max_iter or "
                "alpha."
            ) from None
        coef[k, some] = solved / length
    return Solution(coef, "nnls", None)
