"""The kernel of a model, checks of its rows, and predictions."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from fastridge._docstrings import documented
from fastridge._typing import Matrix, RowsLike
from fastridge._validation import check_weight, dtype_of_rows, numeric_targets, refuse_array_api
from fastridge.designs.kernel_functions import DENSE_ONLY, Kernel, kernel_of
from fastridge.designs.kernel_matrix import (
    FunctionKernel,
    GivenKernel,
    KernelMatrix,
    PackedKernel,
    SparseKernel,
)
from fastridge.designs.kernel_products import kernel_products
from fastridge.linear_model import parameter_texts as linear
from fastridge.linear_model.constraints import Constraints
from fastridge.runtime.memory import memory_size
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.runtime.threads import resolve_threads

KERNEL_NAMES = {*PAIRWISE_KERNEL_FUNCTIONS, "precomputed"}
KERNEL_CONSTRAINTS: Constraints = {
    "kernel": [StrOptions(KERNEL_NAMES), callable],
    "kernel_params": [dict, None],
}


class KernelModelMixin:
    """The kernel of a model, checks of its rows, and `predict`."""

    kernel: str | Callable[..., float]
    degree: float
    coef0: float
    kernel_params: dict[str, Any] | None
    n_threads: int | None
    dual_coef_: np.ndarray
    X_fit_: Matrix

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = self.kernel not in DENSE_ONLY
        tags.input_tags.pairwise = self.kernel == "precomputed"
        tags.input_tags.positive_only = self.kernel in DENSE_ONLY
        return tags

    def _check_fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None
    ) -> tuple[Matrix, np.ndarray, np.ndarray | None]:
        """Return rows, targets as they are given, and weights."""
        refuse_array_api(X=X, y=y)
        refuse_malformed(X)
        refuse_malformed(y, "y")
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=("csr", "csc"),
            accept_large_sparse=True,
            multi_output=True,
            y_numeric=True,
            dtype=dtype_of_rows(X),
        )
        X, y = in_canonical_form(X), numeric_targets(y)
        if self.kernel == "precomputed" and X.shape[0] != X.shape[1]:
            raise ValueError(
                "kernel='precomputed' needs the kernel matrix, of shape (n_samples, n_samples), "
                f"got X of shape {X.shape}."
            )
        return X, y, check_weight(sample_weight, X)

    def _check_values(self, kernel: Kernel, X: Matrix) -> None:
        if sp.issparse(X) and kernel.name in DENSE_ONLY:
            raise TypeError(
                f"kernel={kernel.name!r} needs dense rows, got a sparse matrix: use X.toarray()."
            )
        if kernel.name in DENSE_ONLY and X.min() < 0:
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}: "
                f"kernel={kernel.name!r} needs values of at least 0."
            )

    def _kernel(self, gamma: float | None, n_features: int) -> Kernel:
        return kernel_of(
            self.kernel, gamma, self.coef0, self.degree, self.kernel_params, n_features
        )

    def to_sklearn(self) -> BaseEstimator:
        """Return the fitted model as `sklearn.kernel_ridge.KernelRidge`.

        Returns
        -------
        estimator of scikit-learn
            Model with copies of the rows and the dual coefficients, the same predictions, and the
            alpha and gamma of the fit. With inducing rows it holds these alone.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from fastridge import KernelRidge
        >>> X, y = np.arange(4.0)[:, None], np.array([1.0, 2.0, 2.0, 1.0])
        >>> model = KernelRidge(kernel="rbf").fit(X, y)
        >>> bool(np.allclose(model.to_sklearn().predict(X), model.predict(X)))
        True
        """
        from sklearn.kernel_ridge import KernelRidge

        check_is_fitted(self, "dual_coef_")
        model: Any = self
        given = model.get_params(deep=False)
        options = {name: given[name] for name in ("kernel", "degree", "coef0", "kernel_params")}
        fitted = self.__dict__
        for name in ("alpha", "gamma"):
            options[name] = copy.copy(fitted.get(f"{name}_", given.get(name)))
        new = KernelRidge(**options)
        for name in ("dual_coef_", "X_fit_", "n_features_in_", "feature_names_in_"):
            if name in fitted:
                setattr(new, name, copy.deepcopy(fitted[name]))
        return new

    @documented(linear.PREDICT)
    def predict(self, X: RowsLike) -> np.ndarray:
        """Predict targets, the sum of the kernel functions of the fitted rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows; with ``kernel="precomputed"`` their kernel values with the rows of the fit, of
            shape (n_samples, n_samples_fit).

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted targets.

        Raises: NotFittedError, ValueError
        """
        check_is_fitted(self, "dual_coef_")
        refuse_array_api(X=X)
        refuse_malformed(X)
        X = validate_data(
            self,
            X,
            accept_sparse=("csr", "csc"),
            accept_large_sparse=True,
            dtype=dtype_of_rows(X),
            reset=False,
        )
        X = in_canonical_form(X)
        coef = self.dual_coef_
        if self.kernel == "precomputed":
            index = getattr(self, "component_indices_", None)
            return (X if index is None else X[:, index]) @ coef
        kernel = self._kernel(self._fitted_gamma(), X.shape[1])
        self._check_values(kernel, X)
        vectors = coef.reshape(len(coef), -1).T
        products = kernel_products(kernel, X, self.X_fit_, vectors, resolve_threads(self.n_threads))
        return products[0] if coef.ndim == 1 else products.T

    def _fitted_gamma(self) -> float | None:
        raise NotImplementedError


def matrix_of(kernel: Kernel, X: Matrix) -> KernelMatrix:
    """Return the kernel matrix of rows."""
    if kernel.name == "callable":
        return FunctionKernel(kernel, X)
    if not isinstance(X, np.ndarray):
        if kernel.is_of_products:
            return SparseKernel(kernel, X)
        X = X.toarray()
    return GivenKernel(kernel, X) if kernel.name == "precomputed" else PackedKernel(kernel, X)


def check_memory(n_rows: int, n_matrices: int, advice: str) -> None:
    """Raise MemoryError if kernel matrices do not fit the memory of this machine."""
    needed, size = 8.0 * n_rows * n_rows * n_matrices, memory_size()
    if needed > size:
        raise MemoryError(
            f"the kernel matrix of {n_rows} rows takes {needed / 1e9:.3g} GB, and this machine has "
            f"{size / 1e9:.3g}: {advice}."
        )


def counted_rows(
    kernel: Kernel, X: Matrix, weight: np.ndarray | None
) -> tuple[Matrix, np.ndarray | slice]:
    """Return the rows whose weight is above 0, and their indices."""
    if weight is None or weight.all():
        return X, slice(None)
    index = np.flatnonzero(weight)
    some = X[index]
    return (some[:, index] if kernel.name == "precomputed" else some), index
