"""Rows of data frames, and of other tables that speak Arrow's C stream protocol."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastridge.data.batches import Batch, Reading, ScanError, rows_of_batch
from fastridge.data.batching import Piece, in_batches, joined, mixed
from fastridge.data.column_roles import Columns
from fastridge.data.columns import index_columns, require_pyarrow
from fastridge.data.encoded import EncodingOptions
from fastridge.runtime.buffers import Buffers


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
        if hasattr(frame, "iloc") and not hasattr(frame, "columns"):
            raise ValueError("source must be a table, got a Series: give its to_frame().")
        self.frame, self._buffers = frame, Buffers()
        self.repeatable = not isinstance(frame, pa.RecordBatchReader)
        # Of a table in memory, parts of which can be taken.
        self._length: int | None = None
        if hasattr(frame, "slice") and hasattr(frame, "num_rows"):
            self._length = int(frame.num_rows)
        elif hasattr(frame, "__len__") and (hasattr(frame, "iloc") or hasattr(frame, "slice")):
            self._length = len(frame)
        self.n_rows = self._length if encode.nulls == "error" else None
        self._schema = schema = self._schema_of_frame()
        index = () if hasattr(frame, "iloc") else index_columns(schema)
        self.columns = Columns(
            schema.names, features, target, weights, fold, encode, "the table", index
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
        return pa.RecordBatchReader.from_stream(self.frame)

    def _schema_of_frame(self) -> Any:
        """Return names and types of the columns; the index of a pandas frame is none of them."""
        if not hasattr(self.frame, "iloc"):
            return self._open().schema
        pa = require_pyarrow()
        names = [str(name) for name in self.frame.columns]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"the table has more than one column {twice[0]!r}: rename one.")
        self._places = {name: place for place, name in enumerate(names)}
        top = self.frame.iloc[:0].set_axis(names, axis=1)
        schema = pa.Schema.from_pandas(top, preserve_index=False)
        self._has_objects = False
        for place, (name, dtype) in enumerate(zip(names, self.frame.dtypes, strict=True)):
            if str(dtype) != "object":
                continue
            self._has_objects = True  # only their values say what type they are
            try:
                held = pa.array(self.frame.iloc[:, place], from_pandas=True)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                text = str(error).splitlines()[0]
                raise ScanError(f"the table: column {name!r} is of mixed types: {text}") from None
            schema = schema.set(place, pa.field(name, held.type))
        return schema

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
            rows = self.frame.iloc[begin:end, [self._places[name] for name in names]]
            rows = rows.set_axis(names, axis=1)
            types = None
            if self._has_objects:
                types = pa.schema([self._schema.field(name) for name in names])
            # Columns may be in several chunks, each with its own.
            return pa.Table.from_pandas(rows, types, preserve_index=False).to_batches()
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
