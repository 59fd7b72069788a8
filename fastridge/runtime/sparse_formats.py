"""X in the format that an algorithm reads; dense X is returned as it is."""

import numpy as np

from fastridge._typing import Matrix


def as_csr(X: Matrix) -> Matrix:
    """Return sparse X as CSR, itself if it is that already."""
    return X if isinstance(X, np.ndarray) else X.tocsr()


def as_csc(X: Matrix) -> Matrix:
    """Return sparse X as CSC, itself if it is that already."""
    return X if isinstance(X, np.ndarray) else X.tocsc()


def as_dense(X: Matrix) -> np.ndarray:
    """Return sparse X as a dense array."""
    return X if isinstance(X, np.ndarray) else X.toarray()
