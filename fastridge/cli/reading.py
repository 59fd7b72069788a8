"""Parquet, CSV and Arrow files as batches of rows."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fastridge.cli.errors import CommandError, require, unknown_column
from fastridge.data.columns import index_columns, kind_of, without_views
from fastridge.data.csv_text import NULL_MARKS, keeps_line_breaks, record_batches

BATCH_ROWS = 16384
_CSV_BLOCK = 1 << 20  # bytes parsed at once; the first block decides the types of the columns
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}


class TypesChangedError(Exception):
    """A CSV value did not fit its column's type; the type is wider now: read again."""


class Source:
    """Rows of a file, or of several.

    Attributes
    ----------
    path : str
    format : str
        ``"Parquet"``, ``"Arrow"`` or ``"CSV"``.
    types : dict of str to pyarrow.DataType
        Type of each column, in the order of the file. Those of a CSV file come from its first
        block of rows and may be widened by reading on (`TypesChangedError`).
    n_rows : int or None
        Number of rows, where the file states it.
    index : set of str
        Columns that were the index of a pandas frame.
    """

    path: str
    format: str
    types: dict[str, Any]
    n_rows: int | None
    index: Collection[str] = ()

    @property
    def paths(self) -> list[str]:
        """The files."""
        return [self.path]

    def identity(self) -> list[tuple[str, int, int]]:
        """Name, size and time of change of each file."""
        known = [(os.path.basename(path), os.stat(path)) for path in self.paths]
        return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in known]

    def declare(self, types: Mapping[str, Any]) -> None:
        """Read these columns of CSV as these types; a value that does not fit is an error then."""

    def batches(self, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[Any]:
        """Record batches of these columns with at most `rows` rows each."""
        pa = require("pyarrow", "cli")
        self.check_columns(columns)
        try:
            for batch in map(without_views, self._read(list(columns))):
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows)
        except pa.ArrowException as error:
            raise self._unreadable(error) from None
        except OSError as error:
            raise self._unreadable(error) from None

    def check_columns(self, columns: Sequence[str]) -> None:
        """Raise CommandError for a column that the file has not."""
        for name in columns:
            if name not in self.types:
                raise unknown_column(name, list(self.types), self.path)

    def _read(self, columns: list[str]) -> Iterator[Any]:
        raise NotImplementedError

    def _set_schema(self, schema: Any) -> None:
        names = schema.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise CommandError(f"{self.path} has more than one column named {twice[0]!r}")
        if not names:
            raise CommandError(f"{self.path} has no columns")
        self.types = dict(zip(names, schema.types, strict=True))
        self.index = index_columns(schema)

    def _unreadable(self, error: Exception) -> CommandError:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else "damaged"
        return CommandError(f"{self.path} cannot be read as {self.format}: {first_line}")


class ParquetSource(Source):
    """A Parquet file, read in streams of 1 MB; pre-buffering would keep all of it in memory."""

    format = "Parquet"

    def __init__(self, path: str) -> None:
        pq = require("pyarrow.parquet", "cli")
        self.path = path
        try:
            self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        self._set_schema(self._file.schema_arrow)
        self.n_rows = self._file.metadata.num_rows

    def _read(self, columns: list[str]) -> Iterator[Any]:
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            yield batch.select(columns)


class ArrowSource(Source):
    """An Arrow file (also called Feather) or an Arrow stream."""

    format = "Arrow"

    def __init__(self, path: str, *, stream: bool) -> None:
        self.path = path
        self._stream = stream
        self.n_rows = None
        pa = require("pyarrow", "cli")
        try:
            with self._open() as reader:
                self._set_schema(reader.schema)
                if not stream:
                    self.n_rows = self._count(reader)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from None

    def _open(self) -> Any:
        ipc = require("pyarrow.ipc", "cli")
        file = require("pyarrow", "cli").OSFile(self.path)
        return ipc.open_stream(file) if self._stream else ipc.open_file(file)

    @staticmethod
    def _count(reader: Any) -> int | None:
        # Old versions of pyarrow cannot count without reading.
        count = getattr(reader, "count_rows", None)
        return None if count is None else count()

    def _read(self, columns: list[str]) -> Iterator[Any]:
        with self._open() as reader:
            if self._stream:
                for batch in reader:
                    yield batch.select(columns)
            else:
                for index in range(reader.num_record_batches):
                    yield reader.get_batch(index).select(columns)


class CSVSource(Source):
    """A CSV file, also compressed; the delimiter is found in the first line."""

    format = "CSV"

    def __init__(self, path: str, compression: str | None) -> None:
        pa = require("pyarrow", "cli")
        self.path = path
        self.n_rows = None
        self._compression = compression
        self._settled = False
        try:
            with self._open() as file:
                start = file.read(1 << 16)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from None
        if b"\x00" in start:
            raise CommandError(f"{path} is not a Parquet, CSV (in UTF-8) or Arrow file")
        self._delimiter = _delimiter(start)
        try:
            with self._open() as file:
                self._set_schema(self._reader(file, None).schema)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from None

    def declare(self, types: Mapping[str, Any]) -> None:
        """See `Source.declare`."""
        self._settled = True
        self.types.update(types)

    def _open(self) -> Any:
        return require("pyarrow", "cli").input_stream(self.path, compression=self._compression)

    def _options(self, columns: list[str] | None) -> tuple[Any, Any]:
        """Return how to parse the file, and how to convert these columns."""
        csv = require("pyarrow.csv", "cli")
        types = None if columns is None else {name: self.types[name] for name in columns}
        return csv.ParseOptions(
            delimiter=self._delimiter, newlines_in_values=True
        ), csv.ConvertOptions(
            include_columns=columns,
            column_types=types,
            null_values=[*NULL_MARKS, "?"],
            strings_can_be_null=True,
        )

    def _reader(self, file: Any, columns: list[str] | None) -> Any:
        csv = require("pyarrow.csv", "cli")
        read = csv.ReadOptions(block_size=_CSV_BLOCK)
        return csv.open_csv(file, read, *self._options(columns))

    def _read(self, columns: list[str]) -> Iterator[Any]:
        pa = require("pyarrow", "cli")
        try:
            has_text = any(kind_of(self.types[name]) == "text" for name in columns)
            safe = self._compression is None and keeps_line_breaks(self.path, _CSV_BLOCK)
            if has_text and not safe:
                yield from record_batches(
                    self.path,
                    list(self.types),
                    *self._options(columns),
                    compression=self._compression,
                    n_bytes=8 * _CSV_BLOCK,
                    block=_CSV_BLOCK,
                )
            else:
                with self._open() as file:
                    yield from self._reader(file, columns)
        except pa.ArrowInvalid as error:
            self._widen(str(error))
            raise

    def _widen(self, message: str) -> None:
        """Raise TypesChangedError if the error says that a value did not fit an inferred type."""
        found = re.match(r"In CSV column #(\d+): (?:Row #\d+: )?(CSV conversion error.*)", message)
        if found is None:
            return
        name = list(self.types)[int(found[1])]
        if self._settled:
            raise CommandError(
                f"column {name!r} of {self.path}: {found[2].splitlines()[0]}"
            ) from None
        pa = require("pyarrow", "cli")
        narrow = self.types[name]
        if pa.types.is_null(narrow) or pa.types.is_integer(narrow):
            self.types[name] = pa.float64()
        elif pa.types.is_string(narrow):
            return
        else:
            self.types[name] = pa.string()
        raise TypesChangedError


def open_source(path: str) -> Source:
    """Open a file of rows; its format is found in its first bytes.

    Raises CommandError, with one line that names the file, if it cannot be read.
    """
    require("pyarrow", "cli")
    if os.path.isdir(path):
        raise CommandError(f"{path} is a folder: give one file")
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    if not start:
        raise CommandError(f"{path} is empty")
    if start[:4] == b"PAR1":
        return ParquetSource(path)
    if start[:6] == b"ARROW1":
        return ArrowSource(path, stream=False)
    if start[:4] == b"\xff\xff\xff\xff":
        return ArrowSource(path, stream=True)
    if start[:4] == b"FEA1":
        raise CommandError(f"{path} is a Feather file of version 1: write it again as version 2")
    for magic, compression in _COMPRESSED.items():
        if start.startswith(magic):
            return CSVSource(path, compression)
    return CSVSource(path, None)


def _delimiter(start: bytes) -> str:
    """The most frequent of ``, ; tab |`` outside quotes in the first line."""
    line = re.sub(rb'"[^"]*"', b"", start).split(b"\n", 1)[0]
    return max(",;\t|", key=lambda delimiter: line.count(delimiter.encode()))
