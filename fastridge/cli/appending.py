"""All columns of the files that ``fastridge predict --append`` repeats, next to predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastridge._typing import PathLike
from fastridge.cli.errors import CommandError, require
from fastridge.cli.rows import open_table
from fastridge.data.columns import kind_of, to_text
from fastridge.data.csv_options import CsvOptions
from fastridge.data.feature_encoding import EncodingOptions
from fastridge.data.sparse_batch import SparseBatch

if TYPE_CHECKING:
    import pyarrow as pa

_STEP_ROWS = 1 << 14


class AppendedRows:
    """Rows of files with all their columns, taken in their order, some at a time.

    Parameters
    ----------
    source : path
    csv : CsvOptions
        How CSV files are laid out. Their cells are repeated as they are written.
    as_text : bool
        Whether columns of other files become text, too.
    """

    def __init__(self, source: PathLike, csv: CsvOptions, *, as_text: bool) -> None:
        pa = require("pyarrow", "cli")
        layout = CsvOptions(
            keep_default_na=False,
            header=csv.header,
            skip_rows=csv.skip_rows,
            delimiter=csv.delimiter,
            charset=csv.charset,
        )
        table = open_table(source, csv=layout)
        table.unify(table.names, EncodingOptions(None, 1, None, 1, None, "error"), ())
        if table.format == "CSV":
            table.types = dict.fromkeys(table.types, pa.string())
        self._table, self._as_text = table, as_text
        self._batches = self._read()
        self._held = pa.schema(list(table.types.items())).empty_table()

    def _read(self) -> Iterator[pa.Table]:
        pa = require("pyarrow", "cli")
        for run in self._table.runs:
            for batch, _ in self._table.tables(run, self._table.names, _STEP_ROWS, 1):
                rows = batch.record_batch() if isinstance(batch, SparseBatch) else batch
                yield pa.Table.from_batches([rows]).cast(self._held.schema)

    def refuse(self, names: list[str]) -> None:
        """Raise CommandError if a column has one of these names."""
        for name in names:
            if name in self._table.names:
                raise CommandError(
                    f"{self._table.name} has a column {name!r} already: rename it, or leave out "
                    "--append"
                )

    def take(self, n_rows: int) -> dict[str, pa.Array]:
        """Return the columns of the next rows."""
        pa = require("pyarrow", "cli")
        tables = [self._held]
        missing = n_rows - self._held.num_rows
        while missing > 0:
            tables.append(next(self._batches))
            missing -= tables[-1].num_rows
        together = pa.concat_tables(tables)
        self._held = together.slice(n_rows)
        taken = together.slice(0, n_rows)
        columns = {name: _whole(taken[name]) for name in taken.column_names}
        if self._as_text:
            columns = {name: _text(column) for name, column in columns.items()}
        return columns


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.combine_chunks() if hasattr(whole, "chunks") else whole


def _text(column: pa.Array) -> pa.Array:
    if kind_of(column.type) != "unusable":
        return to_text(column)
    texts = [None if value is None else str(value) for value in column.to_pylist()]
    return require("pyarrow", "cli").array(texts, "string")
