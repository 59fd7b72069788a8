"""The result of every solver of kernel ridge."""

from typing import NamedTuple

import numpy as np


class KernelResult(NamedTuple):
    """Dual coefficients, and how they were found.

    Attributes
    ----------
    dual_coef : ndarray of shape (n_targets, n_rows)
        Coefficients of the kernel functions of the rows.
    solver : str
        The solver that gave the coefficients.
    rcond : float or None
        Reciprocal condition number of the system with unit diagonal that was solved.
    status : {"solved", "singular", "indefinite", "not converged"}
    warning : str or None
        What the user should know, and what to do.
    """

    dual_coef: np.ndarray
    solver: str
    rcond: float | None = None
    status: str = "solved"
    warning: str | None = None
