"""The result of every solver of kernel ridge."""

from typing import NamedTuple

import numpy as np

_NONE = np.ones(0, dtype=np.intc)


class KernelResult(NamedTuple):
    """Dual coefficients, and how they were found.

    Attributes
    ----------
    dual_coef : ndarray of shape (n_targets, n_rows)
        Coefficients of the kernel functions of the rows, or of `components`.
    solver : str
        The solver that gave the coefficients.
    rcond : float or None
        Reciprocal condition number of the system with unit diagonal that was solved.
    status : {"solved", "singular", "indefinite", "not converged"}
    warning : str or None
        What the user should know, and what to do.
    n_iter : ndarray of shape (n_targets,)
    residual : float or None
        The relative residual of an iterative solver, in the metric of its preconditioner.
    components : ndarray of shape (n_components,) or None
        The inducing rows.
    """

    dual_coef: np.ndarray
    solver: str
    rcond: float | None = None
    status: str = "solved"
    warning: str | None = None
    n_iter: np.ndarray = _NONE
    residual: float | None = None
    components: np.ndarray | None = None
