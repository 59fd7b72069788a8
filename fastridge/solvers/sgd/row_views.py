"""Rows as stochastic gradient descent reads them: in place, through a tile, or sparse."""

import copy

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import sgd, sgd_auto, sgd_batches, sgd_order
from fastridge._typing import Matrix
from fastridge.solvers.sgd.settings import Kernel, Plan, Rest, Rows

_SLICE_NS = 4e6  # of one kernel call, by a cautious estimate
_MOST_ROWS = 1 << 16
_TILE_BYTES = 1 << 19  # stays in a core's cache
_TILE_ROWS = 256  # at least: a call has its cost
_STEP_NS = 3.0  # of an optimizer's step, a weight
_LAZY_NS = 60.0  # of a value whose weight first catches up; most of it waits for memory
_KERNELS: dict[str, Kernel] = {"plain": sgd, "auto": sgd_auto, "batches": sgd_batches}


class _Dense:
    """Dense X, and the kernels that take its steps."""

    sparse = False

    def __init__(self, X: np.ndarray, plan: Plan) -> None:
        self.kernel = _KERNELS[plan.kernel]
        self.X = X
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        self.row_bytes = self.n_features * X.itemsize


class DenseRows(_Dense):
    """Dense X whose rows are contiguous, read where it lies."""

    def __init__(self, X: np.ndarray, plan: Plan, n_outputs: int = 1) -> None:
        super().__init__(X, plan)
        self.block_rows = max(1, min(64, 4096 // self.row_bytes))
        cost = n_outputs * (50.0 + 0.25 * self.row_bytes)
        cost += _step_cost(plan, self.n_features, n_outputs)
        self.slice_rows = max(1, min(_MOST_ROWS, int(_SLICE_NS / cost)))

    def apart(self) -> Rows:
        return self

    def step(self, order: np.ndarray, *rest: *Rest) -> int:
        return self.kernel.step_dense(self.X, False, order, *rest)


class GatheredRows(_Dense):
    """Dense X in another layout; a tile of rows is copied at a time."""

    def __init__(self, X: np.ndarray, plan: Plan, n_outputs: int = 1) -> None:
        super().__init__(X, plan)
        self.block_rows = 64 if self.row_bytes <= 4096 else 8
        cost = n_outputs * (100.0 + self.row_bytes) + _step_cost(plan, self.n_features, n_outputs)
        by_time = int(_SLICE_NS / cost)
        by_size = max(_TILE_ROWS, _TILE_BYTES // self.row_bytes)
        self.slice_rows = max(1, min(_MOST_ROWS, by_size, by_time))
        self.tile = np.empty((min(self.slice_rows, self.n_rows), self.n_features), X.dtype)

    def apart(self) -> Rows:
        own = copy.copy(self)
        own.tile = np.empty_like(self.tile)
        return own

    def step(self, order: np.ndarray, *rest: *Rest) -> int:
        tile = self.tile[: len(order)]
        sgd_order.gather_rows(self.X, order, tile)
        return self.kernel.step_dense(tile, True, order, *rest)


class SparseRows:
    """CSR X."""

    sparse = True

    def __init__(
        self, X: sp.csr_matrix, plan: Plan, n_outputs: int = 1, counted: np.ndarray | None = None
    ) -> None:
        self.kernel = _KERNELS[plan.kernel]
        indices, indptr = X.indices, X.indptr
        # Kernels want one type of index, of 4 or 8 bytes.
        wide = indices.dtype.itemsize > 4 or indptr.dtype.itemsize > 4
        kind = np.longlong if wide else np.intc
        self.csr_arrays = X.data, indices.astype(kind, copy=False), indptr.astype(kind, copy=False)
        self.n_rows, self.n_features = X.shape
        self.dtype = X.data.dtype
        if counted is None:
            mean = X.nnz / max(1, self.n_rows)
        else:
            mean = float((indptr[counted + 1] - indptr[counted]).sum()) / max(1, len(counted))
        self.block_rows = max(1, min(64, int(4096 / (12.0 * mean + 1.0))))
        lazy = plan.kernel == "batches" and plan.lazy(True)
        cost = n_outputs * (50.0 + (_LAZY_NS if lazy else 4.0) * mean)
        if not lazy:
            cost += _step_cost(plan, self.n_features, n_outputs)
        self.slice_rows = max(1, min(_MOST_ROWS, int(_SLICE_NS / cost)))

    def apart(self) -> Rows:
        return self

    def step(self, order: np.ndarray, *rest: *Rest) -> int:
        data, indices, indptr = self.csr_arrays
        return self.kernel.step_csr(data, indices, indptr, order, *rest)


def rows_of(X: Matrix, plan: Plan, n_outputs: int = 1, counted: np.ndarray | None = None) -> Rows:
    """Return X as rows for the kernels of a plan: CSR, or a float array of any strides.

    `counted` are the rows with weight, None for all.
    """
    if not isinstance(X, np.ndarray):
        return SparseRows(X, plan, n_outputs, counted)
    if not X.flags.aligned:
        X = X.copy()
    if X.strides[1] == X.itemsize and X.strides[0] % X.itemsize == 0:
        return DenseRows(X, plan, n_outputs)
    return GatheredRows(X, plan, n_outputs)


def _step_cost(plan: Plan, n_features: int, n_outputs: int) -> float:
    """Return the ns per row of steps of all weights; 0 if only the row's own weights move."""
    if plan.kernel != "batches":
        return 0.0
    return _STEP_NS * n_features * n_outputs / plan.batch_size
