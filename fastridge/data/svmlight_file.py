"""A svmlight file as a table: the column ``target``, and one for each index that a row has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from fastridge._typing import PathLike
from fastridge.data.batches import Reading, ScanError
from fastridge.data.columns import require_pyarrow
from fastridge.data.svmlight import MOST_FEATURES, SvmlightRows
from fastridge.data.table_files import Request, TableFile

if TYPE_CHECKING:
    import pyarrow as pa

#: Name of the column of labels, or numbers, with which lines begin.
TARGET = "target"
_MOST_COLUMNS = 20_000
"""Different indices that become columns."""
_BATCH_VALUES = 1 << 21  # 16 MB


class SvmlightFile(TableFile):
    """A svmlight file; columns are named by their index in the file."""

    format = "svmlight"

    def __init__(self, source: PathLike) -> None:
        self._at(source)
        self.keys = {}
        self._rows = SvmlightRows(source, MOST_FEATURES, zero_based=True, finite=False)
        #: The indices in the file that are columns, in their order.
        self.indices = np.empty(0, dtype=np.intp)
        for X, _, _, _ in self._rows.batches(Reading()):
            self.indices = np.union1d(self.indices, sp.csr_matrix(X).indices)
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
        names = [TARGET, *map(str, self.indices)]
        self.schema = pa.schema([(name, pa.float64()) for name in names])

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        return self._finished(self._batches(request.step), request)

    def _batches(self, step: int) -> Iterator[pa.RecordBatch]:
        pa = require_pyarrow()
        step = min(step, max(64, _BATCH_VALUES // len(self.schema)))
        for batch in self._rows.batches(Reading(step)):
            columns = [batch.y, *self._columns(sp.csr_matrix(batch.X))]
            yield pa.record_batch([pa.array(c) for c in columns], schema=self.schema)

    def _columns(self, X: sp.csr_matrix) -> np.ndarray:
        """Return the values of sparse rows, column by column."""
        values = np.zeros((len(self.indices), X.shape[0]))
        if len(self.indices):
            column = np.minimum(np.searchsorted(self.indices, X.indices), len(self.indices) - 1)
            row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
            known = self.indices[column] == X.indices
            values[column[known], row[known]] = X.data[known]
        return values
