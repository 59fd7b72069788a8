"""X seen as an operator, with the weights of its rows and its centre."""

import numpy as np

from fastridge._typing import Matrix
from fastridge.designs.dense import DenseDesign
from fastridge.designs.sparse import SparseDesign


def design_of(
    X: Matrix, weight: np.ndarray | None = None, fit_intercept: bool = True, n_threads: int = 1
) -> DenseDesign | SparseDesign:
    """Return the design of validated rows, dense or sparse."""
    kind = DenseDesign if isinstance(X, np.ndarray) else SparseDesign
    return kind(X, weight, fit_intercept, n_threads)
