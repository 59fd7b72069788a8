"""A CSV file as Arrow record batches: its dialect, its encoding, and where a value is in it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError
from fastridge.data.columns import Fits, kind_of, require_pyarrow
from fastridge.data.csv_options import CsvOptions
from fastridge.data.csv_sniffing import (
    SNIFFED,
    charset_of,
    dialect_of,
    in_other_charset,
    not_utf8,
)
from fastridge.data.csv_text import (
    csv_stream,
    keeps_line_breaks,
    read_options,
    record_batches,
    whole_rows,
)
from fastridge.data.notations import numbers_of_text
from fastridge.data.table_files import SURROGATES, Request, TableFile, conversion_error

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv

CSV_BLOCK = 1 << 20
"""Bytes of a CSV file that are parsed at once; the first of them decide the types of columns."""
_DAMAGED = re.compile("compress|inflate|bz2|zstd|lz4", re.IGNORECASE)
_MANY_COLUMNS = 50
"""From here on, marks with blanks around them cost pyarrow more than looking for blanks first."""
_COLUMN_BYTES = 1280
"""Bytes of a block for each of many columns, as each costs a little in every block."""
_MOST_BYTES = 16 << 20
"""Most bytes of such a block."""


class CsvFile(TableFile):
    """A CSV file, also compressed.

    Parameters
    ----------
    source : path
    keys : mapping of str to value
        Columns that the names of its folders give.
    compression : str or None
    options : CsvOptions
    empty_text : bool
        Whether an empty cell is text and not missing.
    """

    format = "CSV"
    parsed = has_lines = True

    def __init__(
        self,
        source: PathLike,
        keys: Mapping[str, object],
        compression: str | None,
        options: CsvOptions,
        *,
        empty_text: bool = False,
    ) -> None:
        self._at(source)
        self.keys, self.options = keys, options
        self._compression, self._charset = compression, options.charset
        with self.naming("as CSV"):
            with csv_stream(self.location, compression, self._charset) as stream:
                start = stream.read(SNIFFED)
            if self._charset is None and charset_of(start) is not None:
                self._charset = charset_of(start)
                with csv_stream(self.location, compression, self._charset) as stream:
                    start = stream.read(SNIFFED)
        self._dialect = dialect_of(self.path, start, options)
        self._parse = require_pyarrow().csv.ParseOptions(
            delimiter=self._dialect.delimiter, newlines_in_values=True
        )
        delimiter = self._dialect.delimiter.encode()
        n_columns = start.partition(b"\n")[0].count(delimiter)
        padded, self._block = True, CSV_BLOCK
        if n_columns >= _MANY_COLUMNS and not delimiter.isspace():
            padded = self._has_padded_cells()
            self._block = max(CSV_BLOCK, min(_COLUMN_BYTES * n_columns, _MOST_BYTES))
        self._convert_options = options.conversion(empty_text=empty_text, padded=padded)
        #: Names of the columns where the header does not give them.
        self._names: list[str] | None = None
        with self.naming("as CSV"):
            self.schema = self._sniffed_schema()

    def _has_padded_cells(self) -> bool:
        """Return whether there are blanks next to delimiters, quotes or line ends."""
        ends = rb"[\"\n\r" + re.escape(self._dialect.delimiter.encode()) + rb"]"
        next_to_end = re.compile(rb"(?:^|" + ends + rb")[ \t]|[ \t](?:" + ends + rb"|$)")
        with self.naming("as CSV"), self._open() as stream:
            while block := stream.read(CSV_BLOCK):
                if (b" " in block or b"\t" in block) and next_to_end.search(block):
                    return True
        return False

    def _sniffed_schema(self) -> pa.Schema:
        """Return the types that the first block suggests."""
        pa = require_pyarrow()
        with self._open() as stream:
            reader = self._first_reader(stream)
            names = reader.schema.names
            if not self._has_header:
                self._names = [str(k) for k in range(len(names))]
            elif "" in names:
                self._names = [name or f"Unnamed: {k}" for k, name in enumerate(names)]
            first = reader.read_next_batch() if self._may_clean(reader.schema) else None
            types = reader.schema.types
        for k, (name, dtype) in enumerate(zip(self._names or names, types, strict=True)):
            if name in self.options.numeric:
                types[k] = pa.float64()
            elif first is not None and pa.types.is_string(dtype):
                try:
                    numbers_of_text(first.column(k), self.options, any_notation=False)
                    types[k] = pa.float64()
                except ValueError:
                    pass
        return pa.schema(list(zip(self._names or names, types, strict=True)))

    def _first_reader(self, stream: pa.NativeFile) -> pa.csv.CSVStreamingReader:
        """Return a reader of the first rows, however long they are."""
        if not self._through_python:
            try:
                return self._reader(stream, self._conversion())
            except require_pyarrow().ArrowInvalid as error:
                if not _is_long_row(error):
                    raise
            stream = self._open()
        rows = next(whole_rows(stream, self._dialect.delimiter, self._block), b"")
        block = max(self._block, len(rows) + 1)
        return self._reader(require_pyarrow().BufferReader(rows), self._conversion(), block)

    def _may_clean(self, schema: pa.Schema) -> bool:
        is_string = require_pyarrow().types.is_string
        return self.options.thousands is not None and any(map(is_string, schema.types))

    def not_utf8(self, column: str) -> ScanError:
        """Return the error for a column whose text is in another encoding."""
        where, shown = self.path, ""
        for line, row in self._rows():
            bad = next((cell for cell in row if SURROGATES.search(cell)), None)
            if bad is not None:
                raw = bad.encode("utf-8", "surrogateescape")
                where, shown = f"{self.path}, line {line}", f" holds {raw[:40]!r}, which"
                break
        return not_utf8(f"{where}: column {column!r}{shown}")

    @property
    def _has_header(self) -> bool:
        return self.options.header is not False

    @property
    def _through_python(self) -> bool:
        """True if Python makes the text: threads of pyarrow must not ask for it."""
        return self._charset is not None or self._parse.delimiter == " "

    def _open(self) -> pa.NativeFile:
        blanks = self._parse.delimiter == " "
        return csv_stream(self.location, self._compression, self._charset, blanks=blanks)

    def _conversion(
        self, columns: Sequence[str] | None = None, types: Mapping[str, pa.DataType] | None = None
    ) -> pa.csv.ConvertOptions:
        return require_pyarrow().csv.ConvertOptions(
            include_columns=columns, column_types=types, **self._convert_options
        )

    def _reader(
        self, stream: pa.NativeFile, convert: pa.csv.ConvertOptions, block: int | None = None
    ) -> pa.csv.CSVStreamingReader:
        how = read_options(
            block or self._block,
            self._names,
            skip_rows=self._dialect.skip_rows,
            header=self._has_header,
        )
        return require_pyarrow().csv.open_csv(stream, how, self._parse, convert)

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        pa = require_pyarrow()
        own = self.schema.names
        wanted = [name for name in own if name not in self.keys]
        if request.filter is None:
            asked = set(request.columns)
            wanted = [name for name in wanted if name in asked]
        kept = wanted or own[:1]
        types = {name: request.schema.field(name).type for name in kept}
        cleaned = [name for name in kept if self._is_cleaned(name, types[name])]
        types |= dict.fromkeys(cleaned, pa.string())
        convert = self._conversion(kept, types)
        has_text = any(kind_of(dtype) == "text" for dtype in types.values())
        safe = self._compression is None and keeps_line_breaks(self.source, self._block)
        done = 0
        if not (self._through_python or (has_text and not safe)):
            try:
                with self._open() as stream:
                    for batch in self._reader(stream, convert):
                        yield from self._finished(self._cleaned([batch], cleaned), request)
                        done += batch.num_rows
                return
            except pa.ArrowInvalid as error:
                if not _is_long_row(error):
                    raise
        batches = record_batches(
            self.location,
            own,
            self._parse,
            convert,
            compression=self._compression,
            charset=self._charset,
            skip_rows=self._dialect.skip_rows,
            header=self._has_header,
            n_bytes=8 * self._block,
            block=self._block,
        )
        rest = _without_first(batches, done)
        yield from self._finished(self._cleaned(rest, cleaned), request)

    def _is_cleaned(self, name: str, dtype: pa.DataType) -> bool:
        """Return whether the numbers of a column are read here, not by pyarrow."""
        of_numbers = require_pyarrow().types.is_floating(dtype)
        return of_numbers and (self.options.thousands is not None or name in self.options.numeric)

    def _cleaned(
        self, batches: Iterable[pa.RecordBatch], names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield record batches with texts of some columns as numbers."""
        for given in batches:
            batch = given
            for name in names:
                k = batch.schema.get_field_index(name)
                any_notation = name in self.options.numeric
                try:
                    numbers = numbers_of_text(
                        batch.column(k), self.options, any_notation=any_notation
                    )
                except ValueError as error:
                    raise conversion_error(self, name, str(error), "a number") from None
                batch = batch.set_column(k, name, numbers)
            yield batch

    def line_of(self, column: str, fits: Fits) -> int | None:
        """Return the first line of the file with a value of a column that fits, if it is found."""
        try:
            k = self.schema.names.index(column)
            for line, row in self._rows():
                if k < len(row) and fits(row[k]):
                    return line
        except (csv.Error, OSError, ValueError):
            pass
        return None

    def unreadable(self, column: str, text: str) -> ScanError:
        """See `TableFile`."""
        return self.not_utf8(column) if "UTF8" in text else super().unreadable(column, text)

    def undecodable(self) -> ScanError:
        """See `TableFile`; says in which line."""
        charset = self._charset or "utf-8"
        decoder, line = codecs.getincrementaldecoder(charset)(), 1
        with csv_stream(self.location, self._compression) as stream:
            try:
                while block := stream.read(SNIFFED):
                    line += decoder.decode(block).count("\n")
                decoder.decode(b"", final=True)
            except UnicodeError as error:
                if isinstance(error, UnicodeDecodeError):
                    line += error.object[: error.start].count(b"\n")
        return in_other_charset(f"{self.path}, line {line}: the text", charset)

    def failed(self, what: str, text: str) -> ScanError:
        """See `TableFile`; says in which line."""
        if self._compression is not None and _DAMAGED.search(text):
            return ScanError(
                f"{self.path} is damaged as {self._compression}, or something follows its end "
                f"({text}): copy or compress it again"
            )
        found = re.search(r"Expected (\d+) columns, got (\d+)", text)
        line = None if found is None else self._line_of_width(int(found[1]))
        if found is None or line is None:
            return super().failed(what, text)
        fix = f"mend the line, or put fields that hold {self._dialect.delimiter!r} in quotes"
        if int(found[2]) < int(found[1]):
            fix = "mend the line, or delete it"
        return ScanError(f"{self.path}, line {line}: {found[0]}: {fix}")

    def _line_of_width(self, width: int) -> int | None:
        """Return the first line of another number of columns."""
        try:
            for line, row in self._rows(with_header=True):
                if len(row) != width:
                    return line
        except (csv.Error, OSError):
            pass
        return None

    def _rows(self, *, with_header: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Yield the line of each row that is not blank, and its fields."""
        skipped = self._dialect.skip_rows
        with self._open() as stream:
            text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
            for _ in range(skipped):
                text.readline()
            rows = csv.reader(text, delimiter=self._dialect.delimiter)
            has_header = self._has_header and not with_header
            last = 0
            for row in rows:
                begin, last = last + 1, rows.line_num
                if row and has_header:
                    has_header = False
                elif row:
                    yield begin + skipped, row


def _is_long_row(error: Exception) -> bool:
    """Return whether pyarrow says that a row, or the header, is longer than a block."""
    return "straddling" in str(error) or "cannot infer number of columns" in str(error)


def _without_first(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of record batches after the first ones."""
    for batch in batches:
        if n_rows < batch.num_rows:
            yield batch.slice(n_rows)
        n_rows = max(0, n_rows - batch.num_rows)
