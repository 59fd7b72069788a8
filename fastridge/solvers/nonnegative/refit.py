"""Solve for the coefficients that are free at the minimum, as Ridge does without a bound.

The conditions of the minimum may hold to rounding while coefficients are still wrong by the square
of the condition number, along directions in which the rows hardly vary. Ridge refines such
coefficients by the rows.
"""

from collections.abc import Callable

import numpy as np

from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import call_once_over
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result

Solver = Callable[[Problem], Result]


def free_coef(problem: Problem, solve: Solver, k: int, columns: np.ndarray) -> np.ndarray:
    """Return the k-th target's coefficients of `columns`, all others zero; NaN if not found."""
    design = problem.design
    size = design.n_values if design.sparse else design.shape[0] * len(columns)
    alpha = problem.alphas[k if len(problem.alphas) > 1 else 0][None]
    part = Problem(
        call_once_over(4 * size, design.columns, columns),
        problem.loss.target(k).columns(columns),
        L2Penalty(alpha, factors=problem.scale[columns]),
    )
    found = solve(part)
    return np.full(len(columns), np.nan) if found.not_converged else found.coef[0]
