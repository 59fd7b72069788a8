"""Kernel ridge regression with scikit-learn's interface."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix, RandomState, RowsLike
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import GivenKernel
from fastridge.kernel_ridge import parameter_texts as texts
from fastridge.kernel_ridge.kernel_model import (
    KERNEL_CONSTRAINTS,
    KernelModelMixin,
    check_memory,
    counted_rows,
    matrix_of,
)
from fastridge.linear_model.constraints import Constraints, check_parameters
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.kernel.direct import solve_kernel
from fastridge.solvers.kernel.iterative import IterationOptions, by_inducing_rows, by_products
from fastridge.solvers.kernel.result import KernelResult

_ASYMMETRIC = 1e-8
_MAX_ITER = 1000


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
    solver : {"auto", "cholesky", "eigh", "nystrom", "pcg"}, default="auto"
        ``"cholesky"`` factors the kernel matrix where it was written; where that has no factor,
        ``"eigh"`` takes its eigenvectors. ``"auto"`` is ``"cholesky"``, but ``"eigh"`` if there are
        more than six different alphas. For more rows than memory holds, ``"nystrom"`` restricts f
        to the kernel functions of `n_components` random rows, and ``"pcg"`` solves the same
        equations as ``"cholesky"`` by conjugate gradients. Neither stores a kernel matrix; both
        need alpha above 0.
    n_components : int, default=None
        Number of random rows of ``"nystrom"`` (None is 2000), and rank of the preconditioner of
        ``"pcg"`` (None is what 256 MB hold, at most 1000); at most the number of rows.
    tol : float, default=1e-4
        ``"nystrom"`` and ``"pcg"`` stop when the residual, in the metric of the preconditioner, is
        below this fraction of the right side.
    max_iter : int, default=None
        Most iterations of ``"nystrom"`` and ``"pcg"``, at least 1. None is 1000.
    random_state : int, RandomState instance or None, default=None
        Seed of the random rows of ``"nystrom"``, and of the pivots of ``"pcg"``.
    n_threads

    Attributes
    ----------
    dual_coef_, X_fit_
    component_indices_ : ndarray of shape (n_components,)
        Indices of the random rows, which `X_fit_` and `dual_coef_` are of. Only of ``"nystrom"``.
    solver_ : {"cholesky", "eigh", "nystrom", "pcg"}
        The solver that gave the coefficients.
    rcond_ : float or None
        Reciprocal condition number of the system with unit diagonal (for ``"eigh"`` of the system
        itself), near 0 where rows are nearly equal. None for iterative solvers.
    status_ : {"solved", "singular", "indefinite", "not converged"}
        ``"singular"`` if the least of several solutions was taken, ``"indefinite"`` if the kernel
        has negative eigenvalues beyond alpha.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations, for each target where y has two dimensions; 1 for direct solvers.
    residual_ : float or None
        What `tol` bounds, computed again from the coefficients, the largest of all targets; None
        for direct solvers.
    n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.Ridge : Linear functions of the features, with an intercept.

    Notes
    -----
    The kernel matrix is made by threads, its upper triangle alone, and factored in place. Memory
    beyond X is 8 n_samples^2 bytes and a copy of X in float64; X of many features is packed in
    parts. Values are float64 also for float32 X. Predictions take blocks of kernel values that
    are never stored as a whole.

    ``"nystrom"`` takes memory for two to four matrices of `n_components` squared, and computes all
    kernel values with the random rows again in every iteration. Its preconditioner comes from ten
    times as many rows. ``"pcg"`` computes the kernel matrix again in every iteration.

    References
    ----------
    Saunders, Gammerman and Vovk, "Ridge regression learning algorithm in dual variables", ICML
    1998. Meanti et al., "Kernel methods through the roof: handling billions of points efficiently",
    NeurIPS 2020. Diaz et al., "Robust, randomized preconditioning for kernel ridge regression",
    2023.

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
        "solver": [StrOptions({"auto", "cholesky", "eigh", "nystrom", "pcg"})],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
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
        n_components: int | None = None,
        tol: float = 1e-4,
        max_iter: int | None = None,
        random_state: RandomState = None,
        n_threads: int | None = None,
    ) -> None:
        self.alpha: Any = alpha
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.solver = solver
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
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
        MemoryError
            If the kernel matrix does not fit the memory of this machine.

        Warns
        -----
        UserWarning
            If the system is singular, the kernel matrix not positive semidefinite or not
            symmetric, or the kernel the same or zero between all rows.
        ConvergenceWarning
            If an iterative solver ended above `tol`.
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
        forget(self, "component_indices_")
        with np.errstate(all="ignore"):
            if self.solver in ("nystrom", "pcg"):
                result = self._iterate(kernel, rows, Y[:, index], alpha, counted, n_threads)
            else:
                result = self._factor(kernel, rows, Y[:, index], alpha, counted, n_threads)
        if result.components is not None:
            self.component_indices_ = np.arange(len(y))[index][result.components]
            self.X_fit_, coef = X[self.component_indices_], result.dual_coef
        else:
            coef = np.zeros(Y.shape)
            coef[:, index] = result.dual_coef
            self.X_fit_ = X
        self.dual_coef_ = coef[0] if y.ndim == 1 else np.ascontiguousarray(coef.T)
        self.solver_, self.rcond_, self.status_ = result.solver, result.rcond, result.status
        self.residual_ = result.residual
        self.n_iter_ = int(result.n_iter[0]) if y.ndim == 1 else result.n_iter
        if result.warning is not None:
            kind = ConvergenceWarning if result.status == "not converged" else UserWarning
            warnings.warn(result.warning, kind, stacklevel=2)
        return self

    def _factor(
        self,
        kernel: Kernel,
        X: Matrix,
        Y: np.ndarray,
        alpha: np.ndarray,
        weight: np.ndarray | None,
        n_threads: int,
    ) -> KernelResult:
        check_memory(X.shape[0], 1, "use solver='nystrom' or 'pcg'")
        matrix = matrix_of(kernel, X)
        result = solve_kernel(matrix, Y, alpha, weight, self.solver, n_threads)
        if isinstance(matrix, GivenKernel) and matrix.asymmetry() > _ASYMMETRIC:
            warning = "the precomputed kernel matrix is not symmetric: its upper triangle counts."
            return result._replace(warning=warning)
        return result

    def _iterate(
        self,
        kernel: Kernel,
        X: Matrix,
        Y: np.ndarray,
        alpha: np.ndarray,
        weight: np.ndarray | None,
        n_threads: int,
    ) -> KernelResult:
        if not alpha.all():
            raise ValueError(f"solver={self.solver!r} needs alpha above 0, got {self.alpha!r}.")
        if kernel.name == "callable":
            raise ValueError(
                f"solver={self.solver!r} makes kernel values in every iteration, for which a "
                "function is too slow: use solver='cholesky', or a kernel with a name."
            )
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        options = IterationOptions(
            self.n_components, self.tol, self.max_iter or _MAX_ITER, np.random.default_rng(seed)
        )
        if self.solver == "nystrom":
            return by_inducing_rows(kernel, X, Y, alpha, weight, options, n_threads)
        matrix = matrix_of(kernel, X)
        return by_products(kernel, X, matrix, Y, alpha, weight, options, n_threads)

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
