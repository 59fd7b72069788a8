"""X seen as an operator, with the weights of its rows and its centre."""

import warnings

import numpy as np

from fastridge._typing import Matrix
from fastridge.designs.dense import DenseDesign
from fastridge.designs.sparse import DENSE_VALUES, SparseDesign

_FAR = 1e3  # of a mean over the standard deviation: squares lose six digits
_WARNED_FAR = 1e5


def design_of(
    X: Matrix, weight: np.ndarray | None = None, fit_intercept: bool = True, n_threads: int = 1
) -> DenseDesign | SparseDesign:
    """Return the design of validated rows, dense or sparse."""
    kind = DenseDesign if isinstance(X, np.ndarray) else SparseDesign
    return kind(X, weight, fit_intercept, n_threads)


def design_for_columns(
    X: Matrix, weight: np.ndarray | None, fit_intercept: bool, n_threads: int
) -> DenseDesign | SparseDesign:
    """Return the design for solvers that use some columns at a time.

    Sparse X is made dense if columns are so far from zero that centring them would cancel.
    """
    design = design_of(X, weight, fit_intercept, n_threads)
    if not isinstance(design, SparseDesign):
        return design
    far = design.far_columns(_FAR)
    if not len(far):
        return design
    if design.shape[0] * design.shape[1] <= DENSE_VALUES:
        return DenseDesign(design.dense(), weight, fit_intercept, n_threads)
    far = design.far_columns(_WARNED_FAR)
    if len(far):
        warnings.warn(
            f"the mean of column {far[0]} of sparse X is more than {_WARNED_FAR:.0e} times its "
            "standard deviation, so that centring it loses digits: subtract a constant from it.",
            stacklevel=3,
        )
    return design
