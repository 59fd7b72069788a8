"""Read files of rows as Arrow record batches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError, quoted
from fastridge.data.columns import Fits, require_pyarrow
from fastridge.data.file_state import FileState
from fastridge.data.spooling import name_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset


#: Bytes that are not UTF-8, in text that was decoded all the same.
SURROGATES = re.compile("[\udc80-\udcff]")


class ConversionError(ScanError):
    """A value of a CSV file that its column's type does not fit.

    Attributes
    ----------
    file : TableFile
    column, value, wanted : str
    """

    file: TableFile
    column: str = ""
    value: str = ""
    wanted: str = ""


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
    source : path
        The path, or the copy of a pipe.
    path : str
        What errors call the file.
    location : str
        The path by which pyarrow reads it, in UTF-8 whatever the locale.
    format : str
        ``"Parquet"``, ``"Arrow"`` or ``"CSV"``.
    parsed : bool
        Whether its types are guesses at what text means.
    has_lines : bool
        Whether `line_of` finds lines.
    schema : pyarrow.Schema
    keys : dict of str to value
        Columns that the names of folders give.
    """

    source: PathLike
    path: str
    location: str
    format: str
    parsed = False
    has_lines = False
    schema: pa.Schema
    keys: Mapping[str, object]
    _state: FileState | None = None

    def _at(self, source: PathLike) -> None:
        """Take the file of a path, or of a copy of a pipe."""
        self.source, self.path = source, name_of(source)
        self.location = os.fsencode(source).decode()

    def remember(self) -> None:
        """Keep size and time of the file as it is opened."""
        self._state = FileState(self.source)

    def check_unchanged(self) -> None:
        """Raise ScanError if the file is not as it was when it was opened."""
        if self._state is not None:
            self._state.check()

    def identity(self) -> list[object]:
        """Return what tells the file from others: its name, size and time, or its content."""
        return FileState(self.source).identity()

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

    def not_utf8(self, column: str) -> ScanError:
        """Return the error for a column of text whose bytes are not UTF-8."""
        return self.unreadable(column, "it is not UTF-8")

    def unreadable(self, column: str, text: str) -> ScanError:
        """Return the error for a column in which pyarrow cannot read a value."""
        return ScanError(f"{self.path}: column {column!r} cannot be read: {text}")

    def undecodable(self) -> ScanError:
        """Return the error for bytes that are no text in the encoding of the file."""
        return ScanError(f"{self.path}: text is damaged: it is not UTF-8.")

    def failed(self, what: str, text: str) -> ScanError:
        """Return the error for what pyarrow says about the file."""
        why = "" if self.parsed or "filter" in what else ", it seems to be damaged"
        return ScanError(f"{self.path} cannot be read {what}{why}: {text[:200]}")

    def line_of(self, column: str, fits: Fits) -> int | None:
        """Return the first line with a value of a column that fits, where there are lines."""
        return None

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
        if isinstance(error, (pa.ArrowException, OSError, UnicodeError)):
            self.file.check_unchanged()
        if isinstance(error, UnicodeError):
            raise self.file.undecodable() from None
        if not isinstance(error, (pa.ArrowException, OSError)):
            return
        text = (str(error).strip() or "damaged").splitlines()[0]
        found = re.match(r"In CSV column #(\d+): .*CSV conversion error to ([\w.]+)(.*)", text)
        if found is not None and hasattr(self.file, "schema"):
            column = self.file.schema.names[int(found[1])]
            value = re.search(r"(?:value|offset in) '(.*)'", str(error), re.DOTALL)
            if value is not None and not SURROGATES.search(value[1]):
                raise conversion_error(self.file, column, value[1], _words_for(found[2])) from None
            text = "invalid UTF8 data" if value is not None else found[3].strip(" :")
            raise self.file.unreadable(column, text) from None
        raise self.file.failed(self.what, text) from None


def _words_for(dtype: str) -> str:
    """Return what the values of a type of pyarrow are, in a user's words."""
    words = {"date": "a date", "time": "a date and time", "bool": "true or false"}
    found = re.match("date|time(?=stamp)|bool", dtype)
    if found is not None:
        return words[found[0]]
    return "a time of day" if dtype.startswith("time") else "a number"


def conversion_error(file: TableFile, column: str, value: str, wanted: str) -> ConversionError:
    """Return the error for a value of a column that is not a number, or another wanted thing."""
    error = ConversionError(f"{file.path}: column {column!r} holds {quoted(value)}, not {wanted}")
    error.file, error.column, error.value, error.wanted = file, column, value, wanted
    return error


class FragmentFile(TableFile):
    """A file that `pyarrow.dataset` reads, or a part of a dataset that somebody made."""

    def __init__(
        self,
        fragment: pa.dataset.Fragment,
        types: Mapping[str, pa.DataType],
        source: PathLike | None = None,
        csv_options: pa.dataset.CsvFragmentScanOptions | None = None,
    ) -> None:
        names = {"parquet": "Parquet", "feather": "Arrow", "arrow": "Arrow", "csv": "CSV"}
        extension = str(getattr(getattr(fragment, "format", None), "default_extname", ""))
        self.format = names.get(extension, "a table")
        self.parsed = self.format == "CSV"
        self._fragment, self._csv_options = fragment, csv_options
        self._at(source or str(getattr(fragment, "path", "the table in memory")))
        expression = fragment.partition_expression
        self.keys = dict(require_pyarrow().dataset.get_partition_keys(expression))
        self.keys = dict.fromkeys(types) | self.keys
        with self.naming(f"as {self.format}"):
            self.schema = fragment.physical_schema

    def count_rows(self) -> int | None:
        """See `TableFile`."""
        if self.parsed:
            return None
        try:
            return int(self._fragment.count_rows())
        except (require_pyarrow().ArrowException, OSError):  # named where damage is read
            return None

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
                use_buffered_stream=True,
                buffer_size=1 << 17,
                pre_buffer=False,
                page_checksum_verification=True,  # of pages that have one
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
            memory_pool=_memory_pool(),
        )
        batches = iter(scanner.to_batches())
        return batches if self.format != "Arrow" else _validated(batches)


def _memory_pool() -> pa.MemoryPool:
    """Return an allocator that keeps its memory from batch to batch, if there is one.

    mimalloc returns it to the system, which clears it before it is used again.
    """
    pa = require_pyarrow()
    if "jemalloc" in pa.supported_memory_backends():
        return pa.jemalloc_memory_pool()
    return pa.default_memory_pool()


class StreamFile(TableFile):
    """An Arrow stream."""

    format = "Arrow"

    def __init__(self, source: PathLike, keys: Mapping[str, object]) -> None:
        self._at(source)
        self.keys = keys
        with self.naming("as Arrow"), self._open() as reader:
            self.schema = reader.schema

    def _open(self) -> pa.RecordBatchStreamReader:
        pa = require_pyarrow()
        return pa.ipc.open_stream(pa.OSFile(self.location))

    def read(self, request: Request) -> Iterator[pa.RecordBatch]:
        """See `TableFile`."""
        with self._open() as reader:
            yield from self._finished(_validated(reader), request)


def _validated(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield record batches whose memory was checked: pyarrow believes what Arrow files say."""
    for batch in batches:
        batch.validate(full=True)
        yield batch
