"""Types that signatures share."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

PathLike: TypeAlias = str | os.PathLike[str]

# ---- rows: SciPy declares no types, so its classes stand here for readers ----

SparseLike: TypeAlias = sp.spmatrix | sp.sparray
"""A SciPy sparse matrix or array of any format."""

RowsLike: TypeAlias = ArrayLike | SparseLike
"""Rows of shape (n_samples, n_features) as users give them: an array-like or a sparse matrix."""


class ArrowStream(Protocol):
    """A table that speaks Arrow's C stream protocol, such as a Polars data frame."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule of the stream."""


Matrix: TypeAlias = np.ndarray | sp.csr_matrix | sp.csc_matrix
"""Rows after validation: an array of any layout, or a sparse matrix."""

Index: TypeAlias = slice | np.ndarray
"""Some rows or columns: a slice, indices or a mask."""

Float: TypeAlias = type[np.float32] | type[np.float64]
"""The type of the numbers that an estimator stores."""

# ---- parameters of estimators ----

RandomState: TypeAlias = int | np.random.RandomState | None
AlphaScale: TypeAlias = Literal["sum", "mean"]
CovType: TypeAlias = Literal["nonrobust", "HC0", "HC1", "HC2", "HC3"]
Bounds: TypeAlias = tuple[ArrayLike, ArrayLike]
Scoring: TypeAlias = str | Callable[..., float]


class Splitter(Protocol):
    """The interface of scikit-learn's splitters."""

    def split(
        self, X: RowsLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the indices of training and test rows of each split."""


Folds: TypeAlias = int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]]
"""Number of folds, a splitter, or pairs of row indices."""
