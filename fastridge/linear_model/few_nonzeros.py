"""Dense rows that are mostly zeros, such as one-hot columns, as sparse rows."""

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix

_LEAST_VALUES = 1 << 18
_MOST_STORED = 0.2  # of the values: the copy then takes at most a third of the memory of X
_SAMPLED_ROWS = 256
_BLOCK_VALUES = 1 << 16


def without_zeros(X: Matrix) -> Matrix:
    """Return large dense X as CSR if most of it is zeros, otherwise X itself.

    Solvers that read X many times gain more than the copy costs.
    """
    if not isinstance(X, np.ndarray) or X.size < _LEAST_VALUES:
        return X
    n, p = X.shape
    sampled = X[:: max(1, n // _SAMPLED_ROWS)]
    if np.count_nonzero(sampled) > _MOST_STORED * sampled.size:
        return X
    data, indices = [], []
    indptr = np.zeros(n + 1, dtype=np.int64)
    step, stored = max(1, _BLOCK_VALUES // p), 0
    for begin in range(0, n, step):
        some = np.ascontiguousarray(X[begin : begin + step])
        mask = some != 0.0
        rows = mask.sum(axis=1)
        indptr[begin + 1 : begin + 1 + len(some)] = rows
        stored += int(rows.sum())
        if stored > _MOST_STORED * X.size:
            return X
        data.append(some[mask])
        indices.append((np.flatnonzero(mask) % p).astype(np.int32))
    np.cumsum(indptr, out=indptr)
    if stored < np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    parts = np.concatenate(data), np.concatenate(indices).astype(indptr.dtype, copy=False), indptr
    return sp.csr_array(parts, shape=X.shape)
