"""A svmlight file as a table: the column ``target``, and one for each index that a row has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from fastridge._typing import PathLike
from fastridge.data.batches import Reading, ScanError
from fastridge.data.columns import require_pyarrow
from fastridge.data.sparse_batch import SparseBatch
from fastridge.data.svmlight import MOST_FEATURES, SvmlightRows
from fastridge.data.table_files import Request, TableFile
from fastridge.runtime.prefetch import prefetched

if TYPE_CHECKING:
    import pyarrow as pa

#: Name of the column of labels, or numbers, with which lines begin.
TARGET = "target"
_MOST_COLUMNS = 20_000
"""Different indices that become columns."""
_LEAST_ZERO = 0.8
"""The part of all values from which those that are zero are not stored."""


class SvmlightFile(TableFile):
    """A svmlight file; columns are named by their index in the file.

    Attributes
    ----------
    indices : ndarray
        The indices that are columns, in their order.
    n_rows, n_values : int
        Numbers of rows, and of values that the file has for them.
    """

    format = "svmlight"

    def __init__(self, source: PathLike) -> None:
        self._at(source)
        self.keys = {}
        self._rows = SvmlightRows(source, MOST_FEATURES, zero_based=True, finite=False)
        self.indices = np.empty(0, dtype=np.intp)
        self.n_rows = self.n_values = 0
        with closing(prefetched(self._rows.parts(), 1)) as parts:
            for X, y in parts:
                self.indices = np.union1d(self.indices, X.indices)
                self.n_rows, self.n_values = self.n_rows + len(y), self.n_values + X.nnz
        self.set_indices(self.indices.tolist())

    def set_indices(self, indices: Collection[int]) -> None:
        """Have columns of these indices: 0 where the file does not have them."""
        if len(indices) > _MOST_COLUMNS:
            raise ScanError(
                f"{self.path} has {len(indices):,} different indices, more than the "
                f"{_MOST_COLUMNS:,} that are read as columns: in Python, fastridge.scan(path) "
                "reads them as sparse rows"
            )
        pa = require_pyarrow()
        self.indices = np.array(sorted(indices), dtype=np.intp)
        names = [str(index) for index in self.indices.tolist()]
        self._positions = {name: k for k, name in enumerate(names)}
        self.schema = pa.schema([(name, pa.float64()) for name in (TARGET, *names)])

    @property
    def values_per_row(self) -> float | None:
        """Values that a row has on average; None if most of all columns are."""
        n_all = self.n_rows * len(self.indices)
        is_sparse = self.n_values <= (1.0 - _LEAST_ZERO) * n_all
        return self.n_values / self.n_rows if self.n_rows and is_sparse else None

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`; the batches are sparse unless they are filtered."""
        batches = self._batches(request.step)
        if request.filter is None:
            return batches
        return self._finished((batch.record_batch() for batch in batches), request)

    def _batches(self, step: int) -> Iterator[SparseBatch]:
        for batch in self._rows.batches(Reading(step)):
            assert batch.y is not None
            yield SparseBatch(self.schema, batch.y, self._columns(batch.X), self._positions)

    def _columns(self, X: sp.csr_matrix) -> sp.csr_matrix:
        """Return sparse rows with their values in the order of the columns."""
        shape = X.shape[0], len(self.indices)
        if not len(self.indices):
            return sp.csr_matrix(shape)
        column = np.searchsorted(self.indices, X.indices)
        known = column < len(self.indices)
        known &= self.indices[np.minimum(column, len(self.indices) - 1)] == X.indices
        if not known.all():  # the file has changed
            raise ScanError(f"{self.path} changed while it was read: read it again.")
        return sp.csr_matrix((X.data, column, X.indptr), shape=shape)
