"""Rows as stochastic gradient descent reads them: in place, through a tile, or sparse."""

from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import sgd, sgd_auto, sgd_order

_SLICE_NS = 4e6  # of one kernel call, by a cautious estimate
_MOST_ROWS = 1 << 16
_TILE_BYTES = 1 << 22


class Rows(Protocol):
    """What a descent needs of X."""

    n_rows: int
    n_features: int
    dtype: np.dtype[Any]
    slice_rows: int  # how many rows one kernel call takes
    block_rows: int  # how many neighbouring rows a block shuffle keeps together
    sparse: bool
    gathered: bool

    def step(
        self,
        order: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        coef: np.ndarray,
        beside: np.ndarray,
        figures: np.ndarray,
        choices: np.ndarray,
    ) -> int:
        """Take the steps of these rows; returns how many were taken."""


class DenseRows:
    """Dense X whose rows are contiguous, read where it lies."""

    sparse = gathered = False

    def __init__(self, X: np.ndarray, auto: bool = False) -> None:
        self.kernel = sgd_auto if auto else sgd
        self.X = X
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        row_bytes = self.n_features * X.itemsize
        self.block_rows = max(1, min(64, 4096 // row_bytes))
        self.slice_rows = max(1, min(_MOST_ROWS, int(_SLICE_NS / (50.0 + 0.25 * row_bytes))))

    def step(self, order: np.ndarray, *rest: Any) -> int:
        return self.kernel.descend_rows(self.X, order, *rest)


class GatheredRows:
    """Dense X in another layout, of which a tile of rows is copied at a time."""

    sparse, gathered = False, True

    def __init__(self, X: np.ndarray, auto: bool = False) -> None:
        self.kernel = sgd_auto if auto else sgd
        self.X = X
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        row_bytes = self.n_features * X.itemsize
        self.block_rows = 64 if row_bytes <= 4096 else 8
        by_time = int(_SLICE_NS / (100.0 + row_bytes))
        self.slice_rows = max(1, min(_MOST_ROWS, _TILE_BYTES // row_bytes, by_time))
        self.tile = np.empty((min(self.slice_rows, self.n_rows), self.n_features), X.dtype)

    def step(self, order: np.ndarray, *rest: Any) -> int:
        tile = self.tile[: len(order)]
        sgd_order.gather_rows(self.X, order, tile)
        return self.kernel.descend_rows(tile, order, *rest)


class SparseRows:
    """CSR X."""

    sparse, gathered = True, False

    def __init__(self, X: Any, auto: bool = False) -> None:
        self.kernel = sgd_auto if auto else sgd
        indices, indptr = X.indices, X.indptr
        # Kernels want one type of index, of 4 or 8 bytes.
        wide = indices.dtype.itemsize > 4 or indptr.dtype.itemsize > 4
        kind = np.longlong if wide else np.intc
        self.parts = X.data, indices.astype(kind, copy=False), indptr.astype(kind, copy=False)
        self.n_rows, self.n_features = X.shape
        self.dtype = X.data.dtype
        mean = X.nnz / max(1, self.n_rows)
        self.block_rows = max(1, min(64, int(4096 / (12.0 * mean + 1.0))))
        self.slice_rows = max(1, min(_MOST_ROWS, int(_SLICE_NS / (50.0 + 4.0 * mean))))

    def step(self, order: np.ndarray, *rest: Any) -> int:
        return self.kernel.descend_sparse(*self.parts, order, *rest)


def rows_of(X: Any, auto: bool = False) -> Rows:
    """X as rows: CSR, or a float array of any strides; for the kernels with a rate a feature."""
    if sp.issparse(X):
        return SparseRows(X, auto)
    if X.strides[1] == X.itemsize and X.strides[0] % X.itemsize == 0 and X.flags.aligned:
        return DenseRows(X, auto)
    return GatheredRows(X if X.flags.aligned else X.copy(), auto)
