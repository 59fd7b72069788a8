"""Kernel ridge regression with scikit-learn's interface."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from fastridge._docstrings import documented
from fastridge._typing import Matrix, RowsLike
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import GivenKernel
from fastridge.kernel_ridge import parameter_texts as texts
from fastridge.kernel_ridge.kernel_model import (
    KERNEL_CONSTRAINTS,
    KernelModelMixin,
    counted_rows,
    matrix_of,
)
from fastridge.linear_model.constraints import Constraints, check_parameters
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.kernel.direct import solve_kernel
from fastridge.solvers.kernel.result import KernelResult

_ASYMMETRIC = 1e-8


@documented(texts.KERNEL)
class KernelRidge(KernelModelMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression on functions of a kernel, as `sklearn.kernel_ridge.KernelRidge`.

    Minimises ``sum_i v_i (y_i - f(x_i))^2 + alpha |f|^2`` over the functions ``f(x) = sum_i c_i
    k(x, x_i)`` with ``|f|^2 = c'Kc``, exactly. There is no intercept: centre y, or add a constant
    to the kernel.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Penalty, at least 0; an array has one for each target. With 0 the fit interpolates the rows
        as far as the kernel can, with the least dual coefficients.
    kernel
    gamma : float, default=None
        Parameter of the kernels rbf, laplacian, polynomial, sigmoid (None is 1 / n_features) and
        chi2 (None is 1), at least 0. Other kernels ignore it.
    degree, coef0, kernel_params
    solver : {"auto", "cholesky", "eigh"}, default="auto"
        ``"cholesky"`` factors the kernel matrix where it was written; where that has no factor,
        ``"eigh"`` takes its eigenvectors. ``"auto"`` is ``"cholesky"``, but ``"eigh"`` if there are
        more than six different alphas.
    n_threads

    Attributes
    ----------
    dual_coef_, X_fit_
    solver_ : {"cholesky", "eigh"}
        The solver that gave the coefficients.
    rcond_ : float
        Reciprocal condition number of the system with unit diagonal (for ``"eigh"`` of the system
        itself), near 0 where rows are nearly equal.
    status_ : {"solved", "singular", "indefinite"}
        ``"singular"`` if the least of several solutions was taken, ``"indefinite"`` if the kernel
        has negative eigenvalues beyond alpha.
    n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.Ridge : Linear functions of the features, with an intercept.

    Notes
    -----
    The kernel matrix is made by threads, its upper triangle alone, and factored in place. Memory
    beyond X is 4 n_samples^2 bytes and a copy of X in float64; X of many features is packed in
    parts. Values are float64 also for float32 X. Predictions take blocks of kernel values that
    are never stored as a whole.

    References
    ----------
    Saunders, Gammerman and Vovk, "Ridge regression learning algorithm in dual variables", ICML
    1998.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import KernelRidge
    >>> X = np.linspace(0.0, 6.0, 13)[:, None]
    >>> model = KernelRidge(alpha=0.01, kernel="rbf", gamma=1.0).fit(X, np.sin(X[:, 0]))
    >>> model.predict([[1.6]]).round(2)
    array([0.99])
    >>> model.solver_
    'cholesky'
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        **KERNEL_CONSTRAINTS,
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "degree": [Interval(Real, 0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "solver": [StrOptions({"auto", "cholesky", "eigh"})],
        "n_threads": [Integral, None],
    }

    def __init__(
        self,
        alpha: ArrayLike = 1,
        *,
        kernel: str | Callable[..., float] = "linear",
        gamma: float | None = None,
        degree: float = 3,
        coef0: float = 1,
        kernel_params: dict[str, Any] | None = None,
        solver: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        self.alpha: Any = alpha
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.solver = solver
        self.n_threads = n_threads

    @documented(texts.FIT)
    def fit(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to these rows alone.

        Parameters: X, y, sample_weight

        Returns: Self

        Raises
        ------
        ValueError
            If a parameter is not supported, if X, y or `sample_weight` is malformed or not finite,
            or if kernel values are not finite.

        Warns
        -----
        UserWarning
            If the system is singular, the kernel matrix not positive semidefinite or not
            symmetric, or the kernel the same or zero between all rows.
        """
        check_parameters(self)
        n_threads = resolve_threads(self.n_threads)
        X, y, weight = self._check_fit(X, y, sample_weight)
        kernel = self._kernel(self.gamma, X.shape[1])
        self._check_values(kernel, X)
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1).T
        alpha = self._alpha_of_targets(len(Y))
        rows, index = counted_rows(kernel, X, weight)
        counted = None if weight is None else weight[index]
        with np.errstate(all="ignore"):
            result = self._solve(kernel, rows, Y[:, index], alpha, counted, n_threads)
        coef = np.zeros(Y.shape)
        coef[:, index] = result.dual_coef
        self.dual_coef_ = coef[0] if y.ndim == 1 else np.ascontiguousarray(coef.T)
        self.X_fit_ = X
        self.solver_, self.rcond_, self.status_ = result.solver, result.rcond, result.status
        if result.warning is not None:
            warnings.warn(result.warning, UserWarning, stacklevel=2)
        return self

    def _solve(
        self,
        kernel: Kernel,
        X: Matrix,
        Y: np.ndarray,
        alpha: np.ndarray,
        weight: np.ndarray | None,
        n_threads: int,
    ) -> KernelResult:
        matrix = matrix_of(kernel, X)
        result = solve_kernel(matrix, Y, alpha, weight, self.solver, n_threads)
        if isinstance(matrix, GivenKernel) and matrix.asymmetry() > _ASYMMETRIC:
            warning = "the precomputed kernel matrix is not symmetric: its upper triangle counts."
            return result._replace(warning=warning)
        return result

    def _alpha_of_targets(self, n_targets: int) -> np.ndarray:
        alpha = np.atleast_1d(np.asarray(self.alpha, dtype=np.float64))
        if alpha.ndim != 1 or alpha.size not in (1, n_targets):
            raise ValueError(
                f"alpha must be a number or have one value for each of {n_targets} targets, got "
                f"shape {alpha.shape}."
            )
        if not (np.isfinite(alpha).all() and (alpha >= 0.0).all()):
            raise ValueError(f"alpha must be finite and at least 0, got {self.alpha!r}.")
        return np.broadcast_to(alpha, (n_targets,))

    def _fitted_gamma(self) -> float | None:
        return self.gamma
