"""Rows of data frames, and of other tables that speak Arrow's C stream protocol."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastridge.sources.batches import Batch, Reading, ScanError, rows_of_batch
from fastridge.sources.buffers import Buffers
from fastridge.sources.columns import require_pyarrow
from fastridge.sources.encoded import EncodingOptions
from fastridge.sources.parts import Columns
from fastridge.sources.pieces import Piece, in_batches, joined, mixed


class FrameRows:
    """Rows of a data frame or another table that speaks Arrow's C stream protocol."""

    repeatable = True
    decodes = True

    def __init__(
        self,
        frame: Any,
        *,
        features: Sequence[str] | None,
        target: Any,
        weights: str | None,
        fold: str | None,
        encode: EncodingOptions,
    ) -> None:
        pa = require_pyarrow()
        self.frame, self._buffers = frame, Buffers()
        self.repeatable = not isinstance(frame, pa.RecordBatchReader)
        # Of a table in memory, parts of which can be taken.
        self._length: int | None = None
        if hasattr(frame, "slice") and hasattr(frame, "num_rows"):
            self._length = int(frame.num_rows)
        elif hasattr(frame, "__len__") and (hasattr(frame, "iloc") or hasattr(frame, "slice")):
            self._length = len(frame)
        self.n_rows = self._length if encode.nulls == "error" else None
        schema = self._open().schema
        self.columns = Columns(
            schema.names, features, target, weights, fold, encode.nulls, "the table"
        )
        self.types = dict(zip(schema.names, schema.types, strict=True))
        self.columns.encode(encode, self.types, "the table", self._all_tables)
        self.dtype = self.columns.float_type(self.types)
        self.feature_names: list[str] | None = self.columns.feature_names
        self.target_names: list[str] | None = self.columns.targets or None

    def _open(self) -> Any:
        pa = require_pyarrow()
        if isinstance(self.frame, pa.RecordBatchReader):
            return self.frame
        if hasattr(self.frame, "iloc"):  # pandas converts all of itself at once
            return pa.RecordBatchReader.from_stream(self.frame.iloc[:0])
        return pa.RecordBatchReader.from_stream(self.frame)

    def _all_tables(self) -> Iterator[Any]:
        """All rows that are taken, as record batches."""
        if not self.repeatable:
            raise ScanError(
                "these rows can be read only once, and how they are encoded needs a pass before: "
                "give the categories of each column, or the encoding of another scan."
            )
        for table, where in self._tables(1 << 16):
            yield self.columns.without_nulls(table, where)

    def _tables(self, step: int, first: int = 0, last: int | None = None) -> Iterator[Any]:
        """Record batches of at most so many rows, and where each is from."""
        if self._length is not None:
            for begin in range(first, self._length if last is None else last, step):
                end = min(begin + step, self._length)
                for table in self._part(begin, end):
                    yield table, f"the table, from row {begin} on"
            return
        done = 0
        for table in self._open():
            chosen = table.select(self.columns.all)
            for begin in range(0, chosen.num_rows, step):
                yield chosen.slice(begin, step), f"the table, from row {done + begin} on"
            done += chosen.num_rows

    def _part(self, begin: int, end: int) -> list[Any]:
        """Rows of a table that is in memory."""
        pa = require_pyarrow()
        names = self.columns.all
        if hasattr(self.frame, "iloc"):
            rows = self.frame.iloc[begin:end][names]
            return [pa.RecordBatch.from_pandas(rows, preserve_index=False)]
        rows = self.frame.slice(begin, end - begin)
        return [table.select(names) for table in pa.RecordBatchReader.from_stream(rows)]

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`; rows of a stream come in their order only."""
        step = reading.n_rows or rows_of_batch(self.columns.n_features)

        def pieces(first: int, last: int | None = None) -> Iterator[Piece]:
            for table, where in self._tables(step, first, last):
                yield self.columns.piece(table, where)

        shares = in_batches(pieces(0), step, reading.skip * step)
        if reading.seed is not None and self._length is not None:
            begins = range(0, self._length, step)
            shares = mixed(begins, reading.seed, lambda b: pieces(b, b + step), step, reading.skip)
        for batch in shares:
            yield joined(batch, self.dtype, reading.row_major, self._buffers)

    def identity(self) -> dict[str, Any]:
        """See `RowSource`."""
        return {
            "kind": "table",
            "n_rows": self.n_rows,
            "rows_of_batch": rows_of_batch(self.columns.n_features),
            **self.columns.identity(),
        }
