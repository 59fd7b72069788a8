"""The result of every ridge solver."""

from math import isfinite
from typing import Self

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Float


class Result:
    """Coefficients of every target, and how they were found. Immutable.

    Attributes
    ----------
    coef : ndarray of shape (n_targets, n_features)
    centre : (x_centre, y_centre)
        What was subtracted from X and the targets: their means, or zeros without an intercept.
    solver : str
        The solver that gave the coefficients.
    rcond : float or None
        Reciprocal condition number of what was solved.
    n_iter : ndarray of shape (n_targets,) or None
        Iterations; None for a direct solver.
    not_converged : str or None
        Which targets did not converge, and what to do.
    """

    def __init__(
        self,
        coef: np.ndarray,
        centre: tuple[np.ndarray, np.ndarray],
        solver: str,
        rcond: float | None = None,
        n_iter: np.ndarray | None = None,
        not_converged: str | None = None,
    ) -> None:
        self.coef, self.centre = coef, centre
        self.solver, self.rcond, self.n_iter = solver, rcond, n_iter
        self.not_converged = not_converged

    @computed_once
    def finite(self) -> bool:
        """True if all coefficients are finite."""
        flat = self.coef.ravel()
        if isfinite(flat.dot(flat)):  # overflow is rare
            return True
        return bool(np.isfinite(self.coef).all())

    @property
    def intercept(self) -> np.ndarray:
        """Intercepts of the coefficients as they are, of shape (n_targets,)."""
        x_centre, y_centre = self.centre
        intercept: np.ndarray = y_centre - self.coef.dot(x_centre)
        return intercept

    def rounded(self, dtype: Float) -> Self:
        """Return this result with coefficients that `dtype` holds exactly."""
        with np.errstate(all="ignore"):  # infinite where `dtype` has no such number
            coef = self.coef.astype(dtype, copy=False).astype(np.float64, copy=False)
        rest = (self.solver, self.rcond, self.n_iter, self.not_converged)
        return type(self)(coef, self.centre, *rest)
