"""Data frames, and other tables that speak Arrow's C stream protocol, as Arrow record batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastridge._typing import ArrowStream
from fastridge.data.batches import ScanError
from fastridge.data.columns import Fits, first_row, index_columns, require_pyarrow
from fastridge.data.feature_encoding import EncodingOptions

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Rows(NamedTuple):
    """Consecutive rows of a table in memory; None stands for its end."""

    begin: int = 0
    end: int | None = None


class FrameTable:
    """The rows of a data frame or another table; see `fastridge.data.table_rows.Table`."""

    name = "the table"
    prefetches = False
    filter = None
    text = None
    frame: pd.DataFrame | pa.Table | pa.RecordBatchReader

    def __init__(self, frame: pd.DataFrame | ArrowStream) -> None:
        pa = require_pyarrow()
        if hasattr(frame, "iloc") and not hasattr(frame, "columns"):
            raise ValueError("source must be a table, got a Series: give its to_frame().")
        self.frame = frame
        self.repeatable = not isinstance(frame, pa.RecordBatchReader)
        # Known for a table in memory, of which slices can be taken.
        self.n_rows: int | None = None
        if hasattr(frame, "slice") and hasattr(frame, "num_rows"):
            self.n_rows = int(frame.num_rows)
        elif hasattr(frame, "__len__") and (hasattr(frame, "iloc") or hasattr(frame, "slice")):
            self.n_rows = len(self.frame)
        self._schema = schema = self._schema_of_frame()
        self.index = set() if hasattr(frame, "iloc") else index_columns(schema)
        self.names = list(schema.names)
        self.types = dict(zip(schema.names, schema.types, strict=True))

    runs = (Rows(),)
    """All rows: there is one run."""

    def count(self, run: Rows) -> int:
        """Return the number of rows, which is known."""
        assert self.n_rows is not None
        return self.n_rows

    def blocks(self, least: int) -> list[Rows]:
        """Return parts of the table that can be read by themselves, if it is in memory."""
        begins = range(0, self.n_rows or 0, least)
        return [Rows(begin, begin + least) for begin in begins]

    def from_row(self, run: Rows, row: int) -> tuple[Rows, int]:
        """Return what to read for the rows from `row` on, and how many of those come before it."""
        return Rows(row), 0

    def unify(
        self, columns: Sequence[str], options: EncodingOptions, droppable: Collection[str]
    ) -> None:
        """Find one type for each column: there is only one."""

    def position_of(self, name: str, fits: Fits) -> str:
        """Return the row of the first value of a column that fits, if the table is in memory."""
        if not self.repeatable:
            return self.name
        tables = self.tables(Rows(), [name], 1 << 16, 1)
        row = first_row((table.column(name) for table, _ in tables), fits)
        return self.name if row is None else f"{self.name}, row {row}"

    def widen(self, name: str, value: str) -> bool:
        """Return False: types of a table are not guesses."""
        return False

    def _open(self) -> pa.RecordBatchReader:
        pa = require_pyarrow()
        if isinstance(self.frame, pa.RecordBatchReader):
            return self.frame
        return pa.RecordBatchReader.from_stream(self.frame)

    def _schema_of_frame(self) -> pa.Schema:
        """Return names and types of the columns; that of a pandas index is left out."""
        if not hasattr(self.frame, "iloc"):
            return self._open().schema
        pa = require_pyarrow()
        names = [str(name) for name in self.frame.columns]
        twice = [name for name, n in Counter(names).items() if n > 1]
        if twice:
            raise ValueError(f"the table has more than one column {twice[0]!r}: rename one.")
        self._indices = {name: index for index, name in enumerate(names)}
        top = self.frame.iloc[:0].set_axis(names, axis=1)
        schema = pa.Schema.from_pandas(top, preserve_index=False)
        self._has_objects = False
        for index, (name, dtype) in enumerate(zip(names, self.frame.dtypes, strict=True)):
            if str(dtype) != "object":
                continue
            self._has_objects = True  # only their values say what type they are
            try:
                held = pa.array(self.frame.iloc[:, index], from_pandas=True)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                text = str(error).splitlines()[0]
                raise ScanError(f"the table: column {name!r} is of mixed types: {text}") from None
            schema = schema.set(index, pa.field(name, held.type))
        return schema

    def tables(
        self, block: Rows, columns: Sequence[str], step: int, prefetch: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield record batches of at most `step` rows, and where each is from."""
        if self.n_rows is not None:
            last = self.n_rows if block.end is None else min(block.end, self.n_rows)
            for begin in range(block.begin, last, step):
                for table in self._rows(begin, min(begin + step, last), columns):
                    yield table, f"the table, from row {begin} on"
            return
        done = 0
        for table in self._open():
            chosen = table.select(columns)
            for begin in range(0, chosen.num_rows, step):
                yield chosen.slice(begin, step), f"the table, from row {done + begin} on"
            done += chosen.num_rows

    def _rows(self, begin: int, end: int, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Return rows of a table that is in memory."""
        pa = require_pyarrow()
        names = list(columns)
        if hasattr(self.frame, "iloc"):
            rows = self.frame.iloc[begin:end, [self._indices[name] for name in names]]
            rows = rows.set_axis(names, axis=1)
            types = None
            if self._has_objects:
                types = pa.schema([self._schema.field(name) for name in names])
            # Columns may be in several chunks, each with its own.
            return pa.Table.from_pandas(rows, types, preserve_index=False).to_batches()
        rows = self.frame.slice(begin, end - begin)
        return [table.select(names) for table in pa.RecordBatchReader.from_stream(rows)]

    def identity(self) -> dict[str, object]:
        """See `RowSource`."""
        return {"kind": "table", "n_rows": self.n_rows}
