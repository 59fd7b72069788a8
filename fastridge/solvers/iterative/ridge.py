"""Iterative solvers: LSQR, conjugate gradients, gradient descent.

They touch X only through products with vectors, centred and scaled implicitly, and stop by the
gradient of coefficients in whose units every column has length one (`equilibrated`).
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse.linalg as spla

from fastridge.solvers.iterative.conjugate_gradients import Found, normal_equations
from fastridge.solvers.iterative.equilibrated import Equilibrated
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result
from fastridge.statistics.accumulate import symmetric

_GRAM_FEATURES = 4096  # up to here gradient descent works on the Gram
ACCURACY = 1e-11  # the default accuracy of conjugate gradients
_WARNED_ACCURACY = 1e-6
_WARNED_RESIDUAL = 1e-8
_FULL_RANK = 1e-5
_FELT = 1e-6  # a penalty over a column's square, from which it is felt at any tolerance
_ALIKE = 100.0  # of squares of columns, between which their own units are not needed
_MORE_DIGITS = (1e-3, 1e-6, 1e-9)  # times the tolerance of LSQR, where it ended too early
_LEAST_TOL = 1e-15
_LEFT_BY_ROUNDING = 1e-13
_VECTOR_VALUES = 1 << 22  # of vectors as long as a row and a column together


def _not_converged(targets: np.ndarray, solver: str, limit: object, remedy: str) -> str | None:
    """Return the warning about targets that did not converge, or None."""
    if not len(targets):
        return None
    some = ", ".join(map(str, targets[:5])) + ("..." if len(targets) > 5 else "")
    return (
        f"Ridge solver {solver!r} did not converge for target {some} within {limit} iterations. "
        f"Increase max_iter or tol{remedy}, or use solver='auto'."
    )


def scaled_problem(
    problem: Problem, alphas: np.ndarray, targets: np.ndarray | None = None
) -> Equilibrated:
    """Return the problem for these alphas, in units that suit conjugate gradients.

    The units of the columns are the fastest where their lengths differ. Those of the penalty keep
    the iterates in the span of the rows, where the solution is; this counts where the rows leave
    a direction undetermined, as with fewer rows than columns, and the penalty is small.
    """
    n, p = problem.design.n_counted, problem.design.shape[1]
    scaled = Equilibrated(problem, alphas, np.arange(len(alphas)) if targets is None else targets)
    scaled.project_out_free()
    if p > n or not alphas.any() or _are_alike(scaled):
        scaled.measure_by(_by_penalty(scaled))
    elif not alphas.all():
        scaled.measure_by(np.where(alphas > 0.0, scaled.unit, _by_penalty(scaled)))
    return scaled


def _are_alike(scaled: Equilibrated) -> bool:
    """Return whether the columns have about the same length in units of their penalties."""
    scale = scaled.problem.scale
    penalised = (scale > 0.0) & scaled.varies[:, 0]
    lengths = scaled.squares[penalised] / scale[penalised]
    return len(lengths) > 0 and bool(lengths.max() <= _ALIKE * lengths.min())


def _by_penalty(scaled: Equilibrated) -> np.ndarray:
    """Return lengths in which all penalties are equal, and those of columns that have none."""
    penalised = scaled.problem.scale > 0.0
    return np.where(penalised[:, None], scaled.penalty_lengths(), scaled.unit)


def solve_lsqr(problem: Problem, tol: float, max_iter: int | None) -> Result:
    """Run LSQR (Paige and Saunders, ACM TOMS 8, 1982) on the rows over the penalty's roots.

    Stops when the residual or the gradient is below `tol` relative; without a penalty it
    tends to the minimum-norm solution. Where the gradient of equilibrated coefficients is larger
    then, it is run again to more digits, and where that does not help, by `solve_cg`.
    """
    n, p = problem.design.shape
    limit = 10 * max(n, p) if max_iter is None else max_iter
    scaled = scaled_problem(problem, problem.alphas)
    if p <= problem.design.n_counted:
        _choose_units(scaled, limit, np.inf)
    t = len(problem.alphas)
    V, n_iter = np.empty((p, t)), np.zeros(t, dtype=np.intc)
    condition, stuck = 1.0, np.zeros(t, dtype=bool)
    for k in range(t):
        for digits in (tol, *(tol * share for share in _MORE_DIGITS if tol * share > _LEAST_TOL)):
            V[:, k], steps, found = _by_lsqr(scaled, k, digits, limit - int(n_iter[k]))
            n_iter[k] += max(1, steps)
            condition = max(condition, found)
            stuck[k] = _is_left(scaled, V[:, k : k + 1], np.array([k]), tol)
            if not stuck[k] or n_iter[k] >= limit:
                break
    if stuck.any() and n_iter.max() < limit:
        return solve_cg(problem, tol, max_iter)
    message = _not_converged(np.flatnonzero(stuck), "lsqr", n_iter.max(), "")
    return Result(scaled.coef(V), problem.centre, "lsqr", 1.0 / condition, n_iter, message)


def _by_lsqr(scaled: Equilibrated, k: int, tol: float, limit: int) -> tuple[np.ndarray, int, float]:
    """Return the solution for one target, the number of iterations and the condition number."""
    n, p = scaled.design.shape
    some = np.array([k])
    root = np.sqrt(scaled.penalty[:, min(k, scaled.penalty.shape[1] - 1)])

    def forward(v: np.ndarray) -> np.ndarray:
        return np.r_[scaled.forward(v.reshape(p, 1), some)[:, 0], root * v.ravel()]

    def backward(u: np.ndarray) -> np.ndarray:
        u = u.reshape(n + p, 1)
        return scaled.backward(u[:n], some)[:, 0] + root * u[n:, 0]

    result = spla.lsqr(
        spla.LinearOperator((n + p, p), matvec=forward, rmatvec=backward, dtype=float),
        np.r_[scaled.Y[:, k], np.zeros(p)],
        atol=tol,
        btol=tol,
        conlim=0.0,
        iter_lim=limit,
    )
    return result[0], result[2], result[6]


def _is_left(scaled: Equilibrated, V: np.ndarray, some: np.ndarray, tol: float) -> bool:
    """Return whether more than `tol` of the gradient at zero, and of rounding, is left."""
    residual = scaled.Y[:, some] - scaled.forward(V, some)
    gradient = scaled.by_unit(scaled.normal_gradient(residual, V, some), some)
    before = scaled.by_unit(scaled.backward(scaled.Y[:, some], some), some)
    size = 1.0 + float(np.linalg.norm(scaled.in_units(V, some)))
    goal = 3.0 * tol * float(np.linalg.norm(before)) + _LEFT_BY_ROUNDING * size
    return float(np.linalg.norm(gradient)) > goal


def solve_cg(problem: Problem, tol: float, max_iter: int | None) -> Result:
    """Solve by conjugate gradients on the normal equations (`conjugate_gradients`).

    Stops when the gradient of the equilibrated coefficients is below `tol` times that at zero.
    """
    coef, found, limit = _by_cg(problem, tol, max_iter, np.inf)
    message = _not_converged(np.flatnonzero(found.residual > 3.0 * tol), "sparse_cg", limit, "")
    return _cg_result(problem, coef, found, message)


def solve_large(problem: Problem) -> Result:
    """Run conjugate gradients to the digits of the data, if X is too large to be factored."""
    coef, found, limit = _by_cg(problem, ACCURACY, None, ACCURACY)
    return _cg_result(problem, coef, found, inaccurate(found, limit))


def inaccurate(found: Found, limit: int) -> str | None:
    """Return the warning about targets that did not reach the required digits, or None."""
    stuck = np.flatnonzero((found.error > _WARNED_ACCURACY) | (found.residual > _WARNED_RESIDUAL))
    if not len(stuck):
        return None
    some = ", ".join(map(str, stuck[:5])) + ("..." if len(stuck) > 5 else "")
    return (
        "X is too large for a direct solver, and conjugate gradients ended with a relative error "
        f"of about {found.error.max():.0e} for target {some} after {found.n_iter.max()} of "
        f"{limit} iterations: the features are nearly collinear (reciprocal condition number "
        f"about {found.rcond.min():.0e}). Increase alpha, or leave out features."
    )


def _by_cg(
    problem: Problem, tol: float, max_iter: int | None, accuracy: float
) -> tuple[np.ndarray, Found, int]:
    """Return the coefficients of every target, solved for some targets at a time."""
    n, p = problem.design.shape
    limit = 10 * max(n, p) if max_iter is None else max_iter
    alphas = problem.alphas
    coefs, parts = [], []
    step = max(1, _VECTOR_VALUES // (n + p))
    for begin in range(0, len(alphas), step):
        some = np.arange(begin, min(begin + step, len(alphas)))
        scaled = scaled_problem(problem, alphas[some], some)
        known = p <= problem.design.n_counted and _choose_units(scaled, limit, accuracy)
        own, precise = scaled.in_units_of_columns, np.isfinite(accuracy)
        first = limit if own or not precise else -(-limit // 2)
        digits = tol if own and not known and not precise else accuracy
        found = normal_equations(scaled, tol, first, digits)
        coef = scaled.coef(found.V)
        short = (found.residual > 3.0 * tol) | (found.error > 3.0 * accuracy)
        rest = limit - int(found.n_iter.max(initial=0))
        if not own and alphas[some].all() and short.any() and rest > 0:
            # rounding of long columns hides the short ones: in the units of the columns, as far
            # as the penalty, which alone keeps the solution among the rows, is felt
            scaled.measure_by(scaled.unit)
            other = normal_equations(scaled, tol, rest, min(accuracy, tol))
            if not precise:  # a small gradient says nothing about what the rows leave open
                vague = other.error > _WARNED_ACCURACY
                other.residual[vague] = np.maximum(other.residual, other.error)[vague]
            left = (other.error, found.error) if precise else (other.residual, found.residual)
            better = short & (left[0] < left[1])
            coef[better] = scaled.coef(other.V)[better]
            found = found.with_columns(other, better)
        coefs.append(coef)
        parts.append(found)
    if len(parts) == 1:
        return coefs[0], parts[0], limit
    together = Found(
        np.empty((p, 0)),
        np.concatenate([part.n_iter for part in parts]),
        np.concatenate([part.residual for part in parts]),
        np.concatenate([part.rcond for part in parts]),
        np.concatenate([part.error for part in parts]),
    )
    return np.concatenate(coefs), together, limit


def _choose_units(scaled: Equilibrated, limit: int, accuracy: float) -> bool:
    """Set units by whether the rows determine the solution, where the penalty hardly does.

    If they do, those of the columns are the fastest; otherwise those of the penalty are right. With
    a penalty the iteration finds that out by itself, but only after many digits. Return whether
    it is known now.
    """
    felt = scaled.penalty[scaled.problem.scale > 0.0].min(initial=np.inf)
    doubtful = felt < _FELT and accuracy > ACCURACY and not _are_alike(scaled)
    if scaled.alphas.any() and not doubtful:
        return False
    full = _has_full_rank(scaled.problem, float(scaled.alphas.min()), limit)
    scaled.measure_by(scaled.unit if full else _by_penalty(scaled))
    return True


def _has_full_rank(problem: Problem, alpha: float, limit: int) -> bool:
    """Return whether least squares recover known coefficients from their own predictions."""
    scaled = Equilibrated(problem, np.array([alpha]), np.zeros(1, dtype=np.intp))
    scaled.project_out_free()
    p = problem.design.shape[1]
    V = np.cos(np.arange(1.0, p + 1.0) ** 2)[:, None] * scaled.varies
    scaled.Y = scaled.forward(V)
    found = normal_equations(scaled, 1e-12, limit, 1e-8)
    return bool(np.abs(found.V - V).max(initial=0.0) <= _FULL_RANK)


def _cg_result(problem: Problem, coef: np.ndarray, found: Found, message: str | None) -> Result:
    n_iter, rcond = np.maximum(found.n_iter, 1), float(found.rcond.min(initial=1.0))
    return Result(coef, problem.centre, "sparse_cg", rcond, n_iter, message)


def solve_gd(problem: Problem, tol: float, max_iter: int | None, nesterov: bool = False) -> Result:
    """Run full-batch gradient descent with step 1 / (largest eigenvalue + alpha).

        v <- v - step (X'W(Xv - y) + alpha v)

    With `nesterov`, momentum with restarts (O'Donoghue and Candes, Found. Comput. Math. 15,
    2015). Stops when the gradient is below `tol` times its norm at zero, both in units in which
    every column has length one.
    """
    n, p = problem.design.shape
    if not problem.design.has_rows or (p <= _GRAM_FEATURES and p <= n):
        problem = problem.accumulated()
        upper, xy = problem.design.gram, problem.xy
        diagonal = np.diagonal(upper)
        scale = np.where(problem.scale > 0.0, problem.scale, 1.0)
        size = float(np.max(diagonal / scale, initial=0.0))
        root = np.sqrt(scale) * (np.sqrt(size) if size > 0.0 else 1.0)
        G = symmetric(upper) / root / root[:, None]
        y_size = np.abs(xy / root[:, None]).max(axis=0)
        y_size[y_size == 0.0] = 1.0
        right = (xy / root[:, None] / y_size).T
        damping = (problem.alphas / (size if size > 0.0 else 1.0))[:, None] * (problem.scale > 0.0)
        length = np.sqrt(diagonal / root**2 + damping)
        by_unit = 1.0 / np.where(length > 0.0, length, 1.0)

        def apply(V: np.ndarray) -> np.ndarray:
            return V @ G

        def coef(V: np.ndarray) -> np.ndarray:
            return V * y_size[:, None] / root

        trace = float(np.trace(G))
    else:
        alphas = problem.alphas
        scaled = Equilibrated(problem, alphas, np.arange(len(alphas)))
        scaled.project_out_free()
        scaled.measure_by(scaled.penalty_lengths())
        right, damping = scaled.backward(scaled.Y).T, scaled.penalty.T
        by_unit = scaled.by_unit(np.ones((p, 1))).T

        def apply(V: np.ndarray) -> np.ndarray:
            return scaled.backward(scaled.forward(V.T)).T

        def coef(V: np.ndarray) -> np.ndarray:
            return scaled.coef(V.T)

        trace = float((scaled.squares / scaled.penalty_lengths()[:, 0] ** 2).sum())
    largest = largest_eigenvalue(apply, p, trace) + damping.max(axis=1, initial=0.0)
    step = 1.0 / np.maximum(largest, 1e-290)[:, None]
    limit = max_iter or 10_000
    V, n_iter, active = _descend(apply, right, damping, by_unit, step, tol, limit, nesterov)
    remedy = ", set nesterov=True or standardize=True"
    message = _not_converged(np.flatnonzero(active), "gd", limit, remedy)
    return Result(coef(V), problem.centre, "gd", None, np.maximum(n_iter, 1), message)


def largest_eigenvalue(apply: Callable[[np.ndarray], np.ndarray], p: int, trace: float) -> float:
    """Return an upper bound on it, for a semi-definite operator; the trace if Lanczos fails."""
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
    by_unit: np.ndarray,
    step: np.ndarray,
    tol: float,
    max_iter: int,
    nesterov: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run gradient descent for all targets; a target that has converged no longer moves."""
    goal = tol * np.linalg.norm(right * by_unit, axis=1)
    V = np.zeros_like(right)
    at, momentum = V, np.ones(len(V))
    n_iter = np.zeros(len(V), dtype=np.intc)
    active = np.linalg.norm(right, axis=1) > 0.0
    for _ in range(max_iter):
        gradient = apply(at) - right + damping * at
        active = active & ~(np.linalg.norm(gradient * by_unit, axis=1) <= goal)
        if not active.any():
            return at, n_iter, active
        n_iter[active] += 1
        new = np.where(active[:, None], at - step * gradient, at)
        if nesterov:
            restart = ((at - new) * (new - V)).sum(axis=1) > 0.0
            previous = np.where(restart, 1.0, momentum)
            momentum = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * previous**2))
            push = np.where(active, (previous - 1.0) / momentum, 0.0)[:, None]
            at = new + push * (new - V)
        else:
            at = new
        V = new
    return V, n_iter, active
