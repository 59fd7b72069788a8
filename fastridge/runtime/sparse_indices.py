"""Validation of sparse X: a malformed one is rejected before anything reads it.

SciPy does not check the arrays of a matrix, and neither its conversions nor the kernels check
indices. An index outside the shape would read or write foreign memory.
"""

from collections.abc import Iterable
from itertools import chain

import numpy as np
import scipy.sparse as sp

from fastridge._kernels import sparse_form
from fastridge._typing import Matrix, SparseLike

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def refuse_malformed(X: object, name: str = "X") -> None:
    """Raise ValueError if the arrays of a sparse X do not fit its shape, in one pass over them.

    Call this before SciPy or scikit-learn converts X.
    """
    if not sp.issparse(X):
        return
    matrix: SparseLike = X
    if len(matrix.shape) != 2:
        raise ValueError(
            f"{name} must have 2 dimensions, got a sparse array of shape {matrix.shape}: reshape "
            "it."
        )
    check = _CHECKS.get(matrix.format)
    if check is None:
        return
    try:
        found = check(matrix)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        found = f"its arrays cannot be read ({error})"
    if found is not None:
        raise ValueError(
            f"{name} is a malformed sparse matrix: {found}. Construct it with the right shape, for "
            "instance by scipy.sparse.coo_array((values, (rows, columns)), shape)."
        )


def in_canonical_form(X: Matrix, *, zeros: bool = True) -> Matrix:
    """Return CSR or CSC X with sorted, unique indices in each row (column): X itself or a copy.

    It holds float32 or float64. Without `zeros`, zero entries are not stored.
    """
    if isinstance(X, np.ndarray):
        return X
    data = X.data if X.data.dtype in _FLOATS else X.data.astype(np.float64)
    # A new object, because the flags that SciPy caches are neither trusted nor written.
    X = type(X)((np.ascontiguousarray(data), X.indices, X.indptr), shape=X.shape, copy=False)
    unsorted, with_zeros = _stored_form(X)
    if unsorted:
        X = X.copy()
        X.sum_duplicates()
        with_zeros = True  # perhaps: repeated entries may cancel
    if with_zeros and not zeros:
        X = X if unsorted else X.copy()
        X.eliminate_zeros()
    return X


def _stored_form(X: SparseLike) -> tuple[bool, bool]:
    indices, indptr = X.indices, X.indptr
    wide = indices.dtype.itemsize > 4 or indptr.dtype.itemsize > 4
    kind = np.longlong if wide else np.intc
    return sparse_form.stored_form(
        X.data, np.ascontiguousarray(indices, kind), np.ascontiguousarray(indptr, kind)
    )


def _outside(indices: np.ndarray, bound: int, what: str) -> str | None:
    """Return what is wrong with some indices, or None."""
    indices = np.asarray(indices)
    if indices.dtype.kind not in "iu":
        return f"its {what} are of type {indices.dtype}, and must be integers"
    # As an unsigned number a negative index is a large one, so one pass is enough.
    unsigned = indices.view(indices.dtype.str.replace("i", "u"))
    if indices.size and int(unsigned.max()) >= bound:
        return f"its {what} are {indices.min()}..{indices.max()}, which is outside 0..{bound - 1}"
    return None


def _compressed(X: SparseLike, n_major: int, n_minor: int, n_values: int) -> str | None:
    indices, indptr = np.asarray(X.indices), np.asarray(X.indptr)
    if indices.ndim != 1 or indptr.ndim != 1 or indptr.dtype.kind not in "iu":
        return "its indices and indptr must be arrays of integers with one dimension"
    if len(indptr) != n_major + 1:
        return f"its indptr has length {len(indptr)}, and must have {n_major + 1}"
    begin, end = int(indptr[0]), int(indptr[-1])
    if begin != 0:
        return f"its indptr begins with {begin}, and must begin with 0"
    if (indptr[1:] < indptr[:-1]).any():
        return "its indptr decreases"
    if end > min(len(indices), n_values):
        return (
            f"its indptr ends with {end}, but it has {len(indices)} indices and {n_values} values"
        )
    return _outside(indices[:end], n_minor, "indices")


def _rows(X: SparseLike) -> str | None:
    n, p = X.shape
    return _compressed(X, n, p, _length(X.data, 1))


def _columns(X: SparseLike) -> str | None:
    n, p = X.shape
    return _compressed(X, p, n, _length(X.data, 1))


def _blocks(X: SparseLike) -> str | None:
    count = _length(X.data, 3)
    (n, p), (height, width) = X.shape, X.data.shape[1:]
    if height < 1 or width < 1 or n % height or p % width:
        return f"its blocks have shape {(height, width)}, of which {(n, p)} cannot be made"
    return _compressed(X, n // height, p // width, count)


def _coordinates(X: SparseLike) -> str | None:
    count = _length(X.data, 1)
    for indices, bound, what in zip(
        (X.row, X.col), X.shape, ("row indices", "column indices"), strict=True
    ):
        if _length(indices, 1) != count:
            return f"it has {len(indices)} {what} and {count} values"
        found = _outside(indices, bound, what)
        if found is not None:
            return found
    return None


def _diagonals(X: SparseLike) -> str | None:
    offsets, count = np.asarray(X.offsets), _length(X.data, 2)
    if offsets.dtype.kind not in "iu" or _length(offsets, 1) != count:
        return f"it has {count} diagonals, and must have an offset for each"
    if len(np.unique(offsets)) < count:
        return "an offset of its diagonals comes twice"
    # SciPy keeps diagonals outside the shape, and adds their offsets to 32-bit indices.
    reach = 2**31 - 1 - max(*X.shape, X.data.shape[1])
    if count and (int(offsets.min()) < -reach or int(offsets.max()) > reach):
        return f"its diagonals have offsets {offsets.min()}..{offsets.max()}, outside its shape"
    return None


def _lists(X: SparseLike) -> str | None:
    rows, values = X.rows, X.data
    if len(rows) != X.shape[0] or list(map(len, rows)) != list(map(len, values)):
        return "its rows and its data do not have the same lengths"
    return _outside(_flat(chain.from_iterable(rows)), X.shape[1], "column indices")


def _keys(X: SparseLike) -> str | None:
    keys = X.keys()  # iterating over X itself may yield its rows
    for axis, what in ((0, "row indices"), (1, "column indices")):
        found = _outside(_flat(key[axis] for key in keys), X.shape[axis], what)
        if found is not None:
            return found
    return None


def _flat(indices: Iterable[int]) -> np.ndarray:
    found = np.array(list(indices))
    return found if len(found) else found.astype(np.intp)


def _length(values: np.ndarray, n_dimensions: int) -> int:
    if np.ndim(values) != n_dimensions:
        raise ValueError(f"one has {np.ndim(values)} dimensions, and must have {n_dimensions}")
    return len(values)


_CHECKS = {
    "csr": _rows,
    "csc": _columns,
    "bsr": _blocks,
    "coo": _coordinates,
    "dia": _diagonals,
    "lil": _lists,
    "dok": _keys,
}
