"""Read files of rows as Arrow record batches; the first bytes of a file tell its format."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from fastridge.data.batches import ScanError
from fastridge.data.columns import kind_of, require_pyarrow
from fastridge.data.csv_text import NULL_MARKS, keeps_line_breaks, record_batches

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.dataset

CSV_BLOCK = 1 << 20
"""Bytes of a CSV file that are parsed at once; the first of them decide the types of columns."""
_SNIFFED = 1 << 16
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}


class CsvConversion(TypedDict):
    """Options of `pyarrow.csv.ConvertOptions`: which cells are missing values."""

    null_values: list[str]
    strings_can_be_null: bool


class ConversionError(ScanError):
    """A value of a CSV file that its column's type does not fit.

    Attributes
    ----------
    column : str
    """

    column: str = ""


class Request(NamedTuple):
    """The part of a file to read.

    Attributes
    ----------
    columns : sequence of str
    schema : pyarrow.Schema
        The types to read columns as.
    step, prefetch : int
        Most rows of a batch; how many batches may be prefetched.
    filter : pyarrow.dataset.Expression, optional
    groups : sequence of int, optional
        Row groups to read; all unless given.
    """

    columns: Sequence[str]
    schema: pa.Schema
    step: int
    prefetch: int
    filter: pa.dataset.Expression | None = None
    groups: Sequence[int] | None = None


class TableFile:
    """A file of rows.

    Attributes
    ----------
    path : str
    format : str
        ``"Parquet"``, ``"Arrow"`` or ``"CSV"``.
    parsed : bool
        Whether its types are guesses at what text means.
    schema : pyarrow.Schema
    keys : dict of str to value
        Columns that the names of folders give.
    """

    path: str
    format: str
    parsed = False
    schema: pa.Schema
    keys: Mapping[str, object]

    def count_rows(self) -> int | None:
        """Return the number of rows where the file states it."""
        return None

    def row_groups(self) -> list[int] | None:
        """Return the numbers of rows of groups that can be read by themselves."""
        return None

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """Yield record batches."""
        raise NotImplementedError

    def _finished(
        self, batches: Iterable[pa.RecordBatch], request: Request
    ) -> Iterator[pa.RecordBatch]:
        """Add the columns of the keys, apply the filter, and choose columns."""
        pa = require_pyarrow()
        for batch in batches:
            table = pa.Table.from_batches([batch])
            table = table.drop_columns([name for name in self.keys if name in batch.schema.names])
            for name, value in self.keys.items():
                scalar = pa.scalar(value).cast(request.schema.field(name).type)
                table = table.append_column(name, pa.repeat(scalar, table.num_rows))
            if request.filter is not None:
                table = table.filter(request.filter)
            yield from table.select(request.columns).to_batches(max_chunksize=request.step)

    def naming(self, what: str) -> Naming:
        """Return a context in which what pyarrow raises becomes a `ScanError`."""
        return Naming(self, what)


class Naming:
    """A context in which what pyarrow raises becomes a `ScanError` that names the file."""

    def __init__(self, file: TableFile, what: str) -> None:
        self.file, self.what = file, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        pa = require_pyarrow()
        if not isinstance(error, (pa.ArrowException, OSError)):
            return
        text = (str(error).strip() or "damaged").splitlines()[0]
        found = re.match(r"In CSV column #(\d+): (.*CSV conversion error.*)", text)
        if found is None:
            raise ScanError(f"{self.file.path} cannot be read {self.what}: {text}") from None
        column = self.file.schema.names[int(found[1])]
        refused = ConversionError(
            f"{self.file.path} cannot be read {self.what}: column {column!r}: {found[2]}"
        )
        refused.column = column
        raise refused from None


class FragmentFile(TableFile):
    """A file that `pyarrow.dataset` reads, or a part of a dataset that somebody made."""

    def __init__(
        self,
        fragment: pa.dataset.Fragment,
        types: Mapping[str, pa.DataType],
        path: str | None = None,
        csv_options: pa.dataset.CsvFragmentScanOptions | None = None,
    ) -> None:
        names = {"parquet": "Parquet", "feather": "Arrow", "arrow": "Arrow", "csv": "CSV"}
        extension = str(getattr(getattr(fragment, "format", None), "default_extname", ""))
        self.format = names.get(extension, "a table")
        self.parsed = self.format == "CSV"
        self._fragment, self._csv_options = fragment, csv_options
        self.path = path or str(getattr(fragment, "path", "the table in memory"))
        expression = fragment.partition_expression
        self.keys = dict(require_pyarrow().dataset.get_partition_keys(expression))
        self.keys = dict.fromkeys(types) | self.keys
        with self.naming(f"as {self.format}"):
            self.schema = fragment.physical_schema

    def count_rows(self) -> int | None:
        """See `TableFile`."""
        if self.parsed:
            return None
        with self.naming("(its number of rows)"):
            return int(self._fragment.count_rows())

    def row_groups(self) -> list[int] | None:
        """See `TableFile`."""
        if self.format != "Parquet":
            return None
        with self.naming("(its row groups)"):
            return [group.num_rows for group in self._fragment.row_groups]

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        pa = require_pyarrow()
        options = self._csv_options
        if self.format == "Parquet":
            # What is prefetched is bounded by the stream's buffer, not by a row group.
            options = pa.dataset.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=1 << 17, pre_buffer=False
            )
        fragment = self._fragment
        if request.groups is not None:
            fragment = fragment.subset(row_group_ids=request.groups)
        scanner = fragment.scanner(
            schema=request.schema,
            columns=list(request.columns),
            filter=request.filter,
            batch_size=request.step,
            batch_readahead=request.prefetch,
            fragment_readahead=1,
            fragment_scan_options=options,
        )
        return iter(scanner.to_batches())


class StreamFile(TableFile):
    """An Arrow stream."""

    format = "Arrow"

    def __init__(self, path: str, keys: Mapping[str, object]) -> None:
        self.path, self.keys = path, keys
        with self.naming("as Arrow"), self._open() as reader:
            self.schema = reader.schema

    def _open(self) -> pa.RecordBatchStreamReader:
        pa = require_pyarrow()
        return pa.ipc.open_stream(pa.OSFile(self.path))

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        with self._open() as reader:
            yield from self._finished(reader, request)


class CsvFile(TableFile):
    """A CSV file, also compressed; the delimiter is found in the first line."""

    format = "CSV"
    parsed = True

    def __init__(
        self,
        path: str,
        keys: Mapping[str, object],
        compression: str | None,
        convert_options: CsvConversion,
    ) -> None:
        self.path, self.keys = path, keys
        self._compression, self._convert_options = compression, convert_options
        with self.naming("as CSV"), self._open() as stream:
            start = stream.read(_SNIFFED)
        if b"\x00" in start:
            raise ScanError(f"{path} is not a Parquet, CSV (in UTF-8) or Arrow file.")
        self._parse = require_pyarrow().csv.ParseOptions(
            delimiter=_delimiter(start), newlines_in_values=True
        )
        with self.naming("as CSV"), self._open() as stream:
            self.schema = self._reader(stream, self._conversion()).schema

    def _open(self) -> pa.NativeFile:
        return require_pyarrow().input_stream(self.path, compression=self._compression)

    def _conversion(
        self, columns: Sequence[str] | None = None, types: Mapping[str, pa.DataType] | None = None
    ) -> pa.csv.ConvertOptions:
        csv = require_pyarrow().csv
        return csv.ConvertOptions(
            include_columns=columns, column_types=types, **self._convert_options
        )

    def _reader(
        self, stream: pa.NativeFile, convert: pa.csv.ConvertOptions
    ) -> pa.csv.CSVStreamingReader:
        csv = require_pyarrow().csv
        return csv.open_csv(stream, csv.ReadOptions(block_size=CSV_BLOCK), self._parse, convert)

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        own = self.schema.names
        wanted = [name for name in own if name not in self.keys]
        if request.filter is None:
            wanted = [name for name in wanted if name in request.columns]
        kept = wanted or own[:1]
        types = {name: request.schema.field(name).type for name in kept}
        convert = self._conversion(kept, types)
        has_text = any(kind_of(dtype) == "text" for dtype in types.values())
        safe = self._compression is None and keeps_line_breaks(self.path, CSV_BLOCK)
        if has_text and not safe:
            batches = record_batches(
                self.path,
                own,
                self._parse,
                convert,
                compression=self._compression,
                n_bytes=8 * CSV_BLOCK,
                block=CSV_BLOCK,
            )
            yield from self._finished(batches, request)
            return
        with self._open() as stream:
            yield from self._finished(self._reader(stream, convert), request)


def csv_conversion(na_values: Sequence[str], *, empty_text: bool) -> CsvConversion:
    """Return how cells of CSV files become values: which are missing, in text as in numbers."""
    return {"null_values": [*NULL_MARKS, *na_values], "strings_can_be_null": not empty_text}


def open_file(
    path: str,
    keys: Mapping[str, object],
    types: Mapping[str, pa.DataType],
    convert_options: CsvConversion,
) -> TableFile:
    """Open a file of rows; its format is found in its first bytes.

    Parameters
    ----------
    path : str
    keys : mapping of str to value
        Columns that the names of its folders give, and
    types : mapping of str to pyarrow.DataType
        their types.
    convert_options : dict
        Of `pyarrow.csv.ConvertOptions`.

    Raises
    ------
    ScanError
        With one line that names the file, if it cannot be read.
    """
    pa = require_pyarrow()
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise ScanError(f"{path} does not exist: {error.strerror}.") from None
    except OSError as error:
        raise ScanError(f"cannot read {path}: {error.strerror}.") from None
    if not start:
        raise ScanError(f"{path} is empty.")
    if start[:4] == b"FEA1":
        raise ScanError(f"{path} is a Feather file of version 1: write it again as version 2.")
    if start[:4] == b"\xff\xff\xff\xff":
        return StreamFile(path, keys)
    if start[:4] == b"PAR1" or start[:6] == b"ARROW1":
        kind = pa.dataset.ParquetFileFormat if start[:1] == b"P" else pa.dataset.IpcFileFormat
        expression = None
        for name, value in keys.items():
            one = pa.dataset.field(name) == pa.scalar(value).cast(types[name])
            if value is None:
                one = pa.dataset.field(name).is_null()
            expression = one if expression is None else expression & one
        given = {} if expression is None else {"partition_expression": expression}
        files = pa.fs.LocalFileSystem()
        fragment = kind().make_fragment(os.path.abspath(path), files, **given)
        return FragmentFile(fragment, types, path)
    compression = [name for magic, name in _COMPRESSED.items() if start.startswith(magic)]
    return CsvFile(path, keys, compression[0] if compression else None, convert_options)


def _delimiter(start: bytes) -> str:
    """Return which of ``, ; tab |`` separates the first lines, outside quotes.

    It is as often in each of them; if none is, the most frequent one of the first line.
    """
    lines = re.sub(rb'"[^"]*"', b"", start).split(b"\n")
    if len(start) == _SNIFFED:  # the last line is cut
        lines = lines[:-1] or lines
    lines = [line for line in lines[:20] if line.strip()] or [b""]

    def rank(delimiter: str) -> tuple[bool, int]:
        counts = [line.count(delimiter.encode()) for line in lines]
        return 0 < min(counts) == max(counts), counts[0]

    return max(",;\t|", key=rank)
