"""Select the solver of ridge: the requested one, or the cheapest that keeps the digits.

The fallback chain of `auto` begins with Cholesky, corrected by residuals from X if few digits are
left. If that is not accurate enough, it continues with eigenvectors of the Gram matrix if there is
no X, with QR (and the singular values of its triangle) if X has at least as many rows as columns,
and otherwise with the SVD of dense X, or eigenvectors or LSQR for sparse X. Large sparse X goes to
conjugate gradients at once, and many targets with many alphas to eigenvectors.
"""

from fastridge.designs.sparse import DENSE_VALUES
from fastridge.solvers.direct import cholesky, orthogonal
from fastridge.solvers.iterative import ridge as iterative
from fastridge.solvers.nonnegative.solve import solve_nonnegative
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result

_EXACT = ("sag", "saga", "lbfgs")  # what scikit-learn iterates for: the fallback chain runs here
SOLVERS = ("auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd", *_EXACT)
_SPARSE_ORDER = 3000  # largest dense Gram made of sparse data
# What runs in place of a solver that needs the data, where only statistics are given.
_FOR_STATISTICS = {"svd": "eigh", "qr": "auto", "lsqr": "auto", "sparse_cg": "auto"}


def check_solver(solver: object, positive: bool = False) -> None:
    """Raise ValueError if `solver` is not supported, with scikit-learn's message if it has one."""
    if not isinstance(solver, str) or solver not in SOLVERS:
        supported = ", ".join(map(repr, SOLVERS))
        raise ValueError(
            f"The 'solver' parameter must be one of {supported}. Got {solver!r} instead."
        )
    if positive and solver not in ("auto", "lbfgs"):
        raise ValueError(
            f"solver='{solver}' does not support positive fitting. Please set the solver to 'auto' "
            "or 'lbfgs', or set `positive=False`"
        )
    if solver == "lbfgs" and not positive:
        raise ValueError(
            "'lbfgs' solver can be used only when positive=True. Please use another solver."
        )


def solve(
    problem: Problem,
    solver: str = "auto",
    *,
    positive: bool = False,
    tol: float = 1e-4,
    max_iter: int | None = None,
    nesterov: bool = False,
) -> Result:
    """Solve `problem` by `solver`; ``"auto"`` and ``"cholesky"`` use the fallback chain."""
    if positive:
        return solve_nonnegative(problem, max_iter, solve)
    if solver in _EXACT:
        solver = "auto"
    design = problem.design
    if not design.has_rows:
        solver = _FOR_STATISTICS.get(solver, solver)
    if solver == "lsqr":
        return iterative.solve_lsqr(problem, tol, max_iter)
    if solver == "sparse_cg":
        return iterative.solve_cg(problem, tol, max_iter)
    if solver == "gd":
        return iterative.solve_gd(problem, tol, max_iter, nesterov)
    if solver == "qr":
        return orthogonal.solve_qr(problem)
    if solver == "svd":
        return orthogonal.solve_svd(problem)
    if solver == "eigh":
        return orthogonal.solve_eigh(problem)
    # the fallback chain
    n, p = design.n_counted, design.shape[1]
    wide = design.has_rows and p > n
    if solver == "auto" and design.sparse and min(n, p) > _SPARSE_ORDER:
        return iterative.solve_large(problem)
    if not wide:
        if design.statistics is None:
            assert problem.loss.y is not None
            problem = problem.with_statistics(design.accumulate(problem.loss.y))
        if problem.loss.n_targets > 10 and len(cholesky.alpha_groups(problem.alphas)) > 10:
            by_eigenvectors = orthogonal.solve_eigh(problem)
            if (by_eigenvectors.rcond or 0.0) >= cholesky.ACCURATE:
                return by_eigenvectors
    found = cholesky.solve_dual(problem) if wide else cholesky.solve_primal(problem)
    if found is not None and found.finite:
        refined = design.has_rows  # residuals from the rows have recovered lost digits
        if refined or (found.rcond or 0.0) >= cholesky.ACCURATE:
            return found
    if not design.has_rows:
        return orthogonal.solve_eigh(problem)
    if not wide:
        return orthogonal.solve_qr(problem)
    if not design.sparse:
        return orthogonal.solve_svd(problem)
    if n * p <= DENSE_VALUES:
        return orthogonal.solve_eigh(problem)
    return iterative.solve_lsqr(problem, 1e-14, None)
