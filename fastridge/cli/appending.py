"""All columns of the files that ``fastridge predict --append`` repeats, next to predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fastridge._typing import PathLike
from fastridge.cli.errors import CommandError, require
from fastridge.cli.rows import open_table
from fastridge.data.columns import kind_of, to_text
from fastridge.data.csv_options import CsvOptions
from fastridge.data.feature_encoding import EncodingOptions
from fastridge.data.table_files import ConversionError

if TYPE_CHECKING:
    import pyarrow as pa

    from fastridge.data.files import FileTable

_STEP_ROWS = 1 << 14


class AppendedRows:
    """Rows of files with all their columns, taken in their order, some at a time.

    Parameters
    ----------
    source : path
    csv : CsvOptions
        How CSV files are laid out, and what their cells mean.
    as_text : bool
        Whether columns become text: cells of CSV files are repeated as they are written then.
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
        table = open_table(source, csv=layout if as_text else csv)
        # As categories, whole numbers stay so.
        options = EncodingOptions(table.names, 1, None, 1, None, "error")
        table.unify(table.names, options, ())
        if table.format == "CSV" and as_text:
            table.types = dict.fromkeys(table.types, pa.string())
        elif table.format == "CSV":
            _find_types(table, options)
        self._table, self._as_text = table, as_text
        self._batches = self._read()
        self._held = pa.schema(list(table.types.items())).empty_table()

    def _read(self) -> Iterator[pa.Table]:
        pa = require("pyarrow", "cli")
        for batch in _batches(self._table, self._table.names):
            yield pa.Table.from_batches([batch]).cast(self._held.schema)

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


def _find_types(table: FileTable, options: EncodingOptions) -> None:
    """Read all cells of CSV files, to find types that they all fit; codes as 00501 are text."""
    pa = require("pyarrow", "cli")
    whole = [name for name, dtype in table.types.items() if pa.types.is_integer(dtype)]
    table.types |= dict.fromkeys(whole, pa.string())
    codes: set[str] = set()
    for batch in _batches(table, whole):
        for name in whole:
            found = pa.compute.match_substring_regex(batch.column(name), r"^\s*[+-]?0\d")
            if pa.compute.any(found).as_py():
                codes.add(name)
    for _ in range(2):  # to numbers with fractions, then to text
        table.unify(table.names, options, ())
        for name in codes:
            table.widen(name, "")
    while True:
        table.unify(table.names, options, ())
        try:
            for _ in _batches(table, table.names):
                pass
        except ConversionError as error:
            if not table.widen(error.column, error.value):
                raise
        else:
            return


def _batches(table: FileTable, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for run in table.runs if names else ():
        for batch, _ in table.tables(run, names, _STEP_ROWS, 1):
            yield batch


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.combine_chunks() if hasattr(whole, "chunks") else whole


def _text(column: pa.Array) -> pa.Array:
    if kind_of(column.type) != "unusable":
        return to_text(column)
    texts = [None if value is None else str(value) for value in column.to_pylist()]
    return require("pyarrow", "cli").array(texts, "string")
