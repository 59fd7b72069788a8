"""A svmlight file as a table: the column ``target``, and one for each index, 0 where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import scipy.sparse as sp

from fastridge.data.batches import Reading
from fastridge.data.columns import require_pyarrow
from fastridge.data.svmlight import SvmlightRows
from fastridge.data.table_files import Request, TableFile

if TYPE_CHECKING:
    import pyarrow as pa

#: Name of the column of labels, or numbers, with which lines begin.
TARGET = "target"
_BATCH_VALUES = 1 << 21  # 16 MB


class SvmlightFile(TableFile):
    """A svmlight file; columns are named by their index in the file."""

    format = "svmlight"

    def __init__(self, path: str) -> None:
        self.path, self.keys = path, {}
        self._rows = SvmlightRows(path, None)
        first = 0 if self._rows.zero_based else 1
        self.extend(range(first, first + self._rows.n_features))

    def extend(self, indices: range) -> None:
        """Have columns of these indices, too: they are 0 where the file does not have them."""
        pa = require_pyarrow()
        first = min(0 if self._rows.zero_based else 1, indices.start)
        last = max(self.indices.stop, indices.stop)
        self._rows.zero_based, self._rows.n_features = first == 0, last - first
        self.schema = pa.schema([(n, pa.float64()) for n in [TARGET, *map(str, self.indices)]])

    @property
    def indices(self) -> range:
        """Indices of the columns."""
        first = 0 if self._rows.zero_based else 1
        return range(first, first + self._rows.n_features)

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        return self._finished(self._batches(request.step), request)

    def _batches(self, step: int) -> Iterator[pa.RecordBatch]:
        pa = require_pyarrow()
        step = min(step, max(64, _BATCH_VALUES // len(self.schema)))
        for batch in self._rows.batches(Reading(step)):
            columns = [batch.y, *sp.csr_matrix(batch.X).toarray().T]
            yield pa.record_batch([pa.array(c) for c in columns], schema=self.schema)
