"""Kernel ridge for more rows than a kernel matrix in memory allows."""

from typing import NamedTuple

import numpy as np

from fastridge._typing import Matrix
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import KernelMatrix
from fastridge.solvers.kernel.nystrom import InducingRows
from fastridge.solvers.kernel.pivoted import partial_factor, solve_by_products
from fastridge.solvers.kernel.result import KernelResult

_INDUCING_ROWS = 2000
_FACTOR_VALUES = 1 << 25  # of the preconditioner, 256 MB
_GREATEST_RANK = 1000
_REPORTED = 10.0  # times `tol`: rounding may leave a little more than `tol`

NOT_CONVERGED = (
    "solver={!r} ended after {} iterations with a residual of {:.2g}, and not at tol={:.2g}: "
    "increase max_iter, n_components or alpha."
)


class IterationOptions(NamedTuple):
    """Options of iterative solvers, which replace a missing `n_components`."""

    n_components: int | None
    tol: float
    max_iter: int
    rng: np.random.Generator


def by_inducing_rows(
    kernel: Kernel,
    X: Matrix,
    Y: np.ndarray,
    alpha: np.ndarray,
    weight: np.ndarray | None,
    options: IterationOptions,
    n_threads: int,
) -> KernelResult:
    """Return the coefficients of the kernel functions of random rows."""
    n = X.shape[0]
    count = min(n, options.n_components or _INDUCING_ROWS)
    index = np.sort(options.rng.choice(n, count, replace=False))
    weight = np.ones(n) if weight is None else weight
    coef, n_iter = np.empty((len(Y), count)), np.empty(len(Y), dtype=np.intc)
    residual = np.empty(len(Y))
    for one in np.unique(alpha):
        targets = np.flatnonzero(alpha == one)
        system = InducingRows(kernel, X, index, weight, float(one), options.rng, n_threads)
        solved = system.solve(Y[targets], options.tol, options.max_iter)
        coef[targets], n_iter[targets], residual[targets] = solved
    return _result("nystrom", coef, n_iter, residual, options)._replace(components=index)


def by_products(
    kernel: Kernel,
    X: Matrix,
    matrix: KernelMatrix,
    Y: np.ndarray,
    alpha: np.ndarray,
    weight: np.ndarray | None,
    options: IterationOptions,
    n_threads: int,
) -> KernelResult:
    """Return the dual coefficients of all rows, by preconditioned conjugate gradients."""
    n = matrix.n_rows
    root = np.ones(n) if weight is None else np.sqrt(weight)
    rank = min(n, options.n_components or max(1, min(_GREATEST_RANK, _FACTOR_VALUES // n)))
    factor = partial_factor(kernel, X, matrix, root, rank, options.rng, n_threads)
    solved = solve_by_products(
        matrix, factor, Y, alpha, root, options.tol, options.max_iter, n_threads
    )
    return _result("pcg", *solved, options)


def _result(
    solver: str,
    coef: np.ndarray,
    n_iter: np.ndarray,
    residual: np.ndarray,
    options: IterationOptions,
) -> KernelResult:
    worst = float(residual.max())
    result = KernelResult(coef, solver, n_iter=n_iter, residual=worst)
    if worst <= _REPORTED * options.tol:
        return result
    warning = NOT_CONVERGED.format(solver, n_iter.max(), worst, options.tol)
    return result._replace(status="not converged", warning=warning)
