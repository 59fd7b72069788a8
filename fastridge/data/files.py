"""Rows of Parquet, Arrow (Feather) and CSV files, and of folders of them.

Files are read by `pyarrow.dataset`, in their order or by row groups in random order, some batches
ahead of what is asked for. Columns go into a batch one by one, or interleaved as rows; a batch is
the only copy that is made.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from fastridge.data.batches import Batch, Reading, ScanError, rows_of_batch
from fastridge.data.batching import MIXED_BLOCKS, Piece, Share, in_batches, joined, mixed
from fastridge.data.column_roles import Columns
from fastridge.data.columns import index_columns, kind_of, require_pyarrow
from fastridge.data.csv_text import NULL_MARKS, keeps_line_breaks, record_batches
from fastridge.data.encoded import EncodingOptions
from fastridge.data.listing import files_in
from fastridge.data.unified_types import read_types
from fastridge.runtime.buffers import Buffers

_READ_AHEAD = 4  # batches that pyarrow reads before they are asked for

_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".ipc": "feather",
    ".csv": "csv",
    ".tsv": "csv",
    ".gz": "csv",
    ".bz2": "csv",
    ".zst": "csv",
}


class FileRows:
    """Rows of files that `pyarrow.dataset` reads; every file must have the columns.

    Each file is read as the types that it has, and only batches have one type for all.
    """

    repeatable = True
    decodes = True

    def __init__(
        self,
        source: Any,
        *,
        features: Sequence[str] | None,
        target: Any,
        weights: str | None,
        fold: str | None,
        filter: Any,
        encode: EncodingOptions,
    ) -> None:
        pa = require_pyarrow()
        if isinstance(source, pa.dataset.Dataset):
            self.dataset, self.name = source, "the dataset"
        else:
            paths = [source] if isinstance(source, (str, os.PathLike)) else list(source)
            self.name = os.fspath(paths[0]) + (", ..." if len(paths) > 1 else "")
            self.dataset = _opened(source, self.name, encode)
        self.fragments = sorted(self.dataset.get_fragments(), key=_path_of)
        if not self.fragments:
            raise ScanError(f"{self.name} holds no files.")
        schema = self.dataset.schema
        self.filter = filter
        self._buffers = Buffers()
        with _Naming(self.fragments[0], "its columns"):
            index = index_columns(self.fragments[0].physical_schema)
        self.columns = Columns(
            schema.names, features, target, weights, fold, encode, self.name, index
        )
        self._encode, self._parsed = encode, _format_of(self.fragments[0]) == "csv"
        # The types of a dataset of CSV files were chosen, or are guesses that pyarrow keeps to.
        self._declared = self._parsed and self.dataset is source
        if self._parsed:
            convert = _with_null_marks(self.fragments[0].format, encode).convert_options
            encode.check_marks(convert.null_values if convert.strings_can_be_null else ())
        self.types = dict(zip(schema.names, schema.types, strict=True))
        self._schemas: dict[str, Any] = {}
        self.types = self._types_of_files()
        kinds = {kind_of(dtype) for dtype in map(self.types.get, self.columns.features)}
        takes_text = "text" in kinds or filter is not None
        self._takes_text = self._parsed and not self._declared and takes_text
        self.columns.encode(encode, self.types, self.name, self._all_tables)
        self.dtype = self.columns.float_type(self.types)
        self.feature_names: list[str] | None = self.columns.feature_names
        self.target_names: list[str] | None = self.columns.targets or None
        self.n_rows = self._counted()

    def _counted(self) -> int | None:
        """The number of rows, where files state it and all of them are taken."""
        if self.filter is not None or self.columns.nulls != "error":
            return None
        if any(_format_of(fragment) == "csv" for fragment in self.fragments):
            return None
        total = 0
        for fragment in self.fragments:
            with _Naming(fragment, "its number of rows"):
                total += fragment.count_rows()
        return total

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`."""
        step = reading.n_rows or rows_of_batch(self.columns.n_features)
        shares = self._in_order(step, reading.skip)
        if reading.seed is not None:
            blocks = [block for fragment in self.fragments for block in _blocks(fragment, step)]
            each = max(1, _READ_AHEAD // MIXED_BLOCKS)
            shares = mixed(
                blocks,
                reading.seed,
                lambda block: self._pieces(block, step, each),
                step,
                reading.skip,
                ahead=True,
            )
        with closing(shares):  # type: ignore[type-var]
            for batch in shares:
                yield joined(batch, self.dtype, reading.row_major, self._buffers)

    def _in_order(self, step: int, skip: int) -> Iterator[list[Share]]:
        """Batches of one file after the other; none holds rows of two files."""
        for fragment in self.fragments:
            block, drop = _Block(fragment), 0
            if self.n_rows is not None:
                n_batches = -(-fragment.count_rows() // step)
                if skip >= n_batches:
                    skip -= n_batches
                    continue
                block, drop = _from_row(fragment, skip * step)
                skip = 0
            for shares in in_batches(self._pieces(block, step, _READ_AHEAD), step, drop):
                if skip:
                    skip -= 1
                else:
                    yield shares

    def _all_tables(self) -> Iterator[Any]:
        """All rows that are taken, as record batches."""
        for fragment in self.fragments:
            for table, where in self._tables(_Block(fragment), 1 << 16, _READ_AHEAD):
                yield self.columns.without_nulls(table, where)

    def _pieces(self, block: "_Block", step: int, ahead: int) -> Iterator[Piece]:
        for table, where in self._tables(block, step, ahead):
            yield self.columns.piece(table, where)

    def _tables(self, block: "_Block", step: int, ahead: int) -> Iterator[tuple[Any, str]]:
        """Record batches of at most so many rows, and where each is from."""
        pa = require_pyarrow()
        fragment, done = block.fragment, block.first
        options: dict[str, Any] = {}
        if _format_of(fragment) == "parquet":
            # What is read ahead is bounded by the stream's buffer, not by a row group.
            options["fragment_scan_options"] = pa.dataset.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=1 << 17, pre_buffer=False
            )
        elif self._declared:
            options["fragment_scan_options"] = _with_null_marks(fragment.format, self._encode)
        if block.groups is not None:
            fragment = fragment.subset(row_group_ids=block.groups)
        with _Naming(block.fragment, "its columns and the filter"):
            if self._takes_text and not _is_safe(fragment):
                tables = self._parsed_text(fragment, step)
            else:
                tables = fragment.scanner(
                    schema=self._schema_of(block.fragment),
                    columns=self.columns.all,
                    filter=self.filter,
                    batch_size=step,
                    batch_readahead=ahead,
                    fragment_readahead=1,
                    **options,
                ).to_batches()
        while True:
            where = f"from row {done} on"
            with _Naming(block.fragment, where):
                table = next(tables, None)
            if table is None:
                return
            if table.num_rows:
                yield table, f"{_path_of(block.fragment)}, {where}"
            done += table.num_rows

    def _types_of_files(self) -> dict[str, Any]:
        """Return one type for each column; ScanError where a file lacks one, or has another."""
        pa = require_pyarrow()
        files = []
        for fragment in self.fragments:
            own, path = self._own_types(fragment), _path_of(fragment)
            known = {**own, **_partition_of(fragment)}
            missing = [name for name in self.columns.all if name not in known]
            if missing:
                raise ScanError(
                    f"{path} has no column {missing[0]!r}, which {_path_of(self.fragments[0])} has."
                )
            files.append((path, own))
        if self._declared:
            return self.types
        types = read_types(
            self.types, files, set(self.columns.all), self._encode, parsed=self._parsed
        )
        if not self._parsed:
            return types
        # A column without values is one of numbers, should some come later.
        rest = {True: pa.string(), False: pa.float64()}
        empty = [name for name, dtype in types.items() if pa.types.is_null(dtype)]
        return {**types, **{name: rest[self._encode.as_text(name)] for name in empty}}

    def _own_types(self, fragment: Any) -> dict[str, Any]:
        with _Naming(fragment, "its columns"):
            schema = fragment.physical_schema
        return dict(zip(schema.names, schema.types, strict=True))

    def _schema_of(self, fragment: Any) -> Any:
        """Return the types to read the columns of a file as."""
        pa = require_pyarrow()
        same = not self._parsed and fragment.physical_schema.equals(self.dataset.schema)
        if self._declared or same:
            return self.dataset.schema
        path = _path_of(fragment)
        if path in self._schemas:
            return self._schemas[path]
        own = self._own_types(fragment)
        fields = []
        for field in self.dataset.schema:
            dtype, wanted = own.get(field.name, field.type), self.types[field.name]
            if self._parsed and field.name in own:
                dtype = self._encode.parsed_type(field.name, dtype)
                if kind_of(wanted) == "text":
                    dtype = pa.string()
                elif pa.types.is_null(dtype):
                    dtype = pa.float64() if kind_of(wanted) == "number" else wanted
            fields.append(pa.field(field.name, dtype))
        self._schemas[path] = pa.schema(fields)
        return self._schemas[path]

    def _parsed_text(self, fragment: Any, step: int) -> Iterator[Any]:
        """Yield what a scan of a CSV file gives; line breaks in quotes are whole."""
        pa = require_pyarrow()
        schema, own = self._schema_of(fragment), self._own_types(fragment)
        keys = _partition_of(fragment)
        kept = [name for name in own if self.filter is not None or name in self.columns.all]
        convert = _conversion(self._encode)
        convert.include_columns = kept
        convert.column_types = {name: schema.field(name).type for name in kept}
        fields = pa.schema([schema.field(name) for name in (*kept, *keys)])
        for batch in record_batches(
            _path_of(fragment), list(own), fragment.format.parse_options, convert
        ):
            constant = [
                pa.repeat(pa.scalar(value, schema.field(name).type), batch.num_rows)
                for name, value in keys.items()
            ]
            table = pa.Table.from_arrays([*batch.columns, *constant], schema=fields)
            if self.filter is not None:
                table = table.filter(self.filter)
            yield from table.select(self.columns.all).to_batches(max_chunksize=step)

    def identity(self) -> dict[str, Any]:
        """See `RowSource`."""
        files = []
        for fragment in self.fragments:
            path = _path_of(fragment)
            known = os.stat(path) if os.path.exists(path) else None
            size = None if known is None else [known.st_size, known.st_mtime_ns]
            files.append([os.path.basename(path), size])
        return {
            "kind": "files",
            "files": files,
            "filter": None if self.filter is None else str(self.filter),
            "rows_of_batch": rows_of_batch(self.columns.n_features),
            **self.columns.identity(),
        }


class _Block(NamedTuple):
    """A file, or some of its row groups; `first` is the number of their first row in the file."""

    fragment: Any
    groups: list[int] | None = None
    first: int = 0


def _blocks(fragment: Any, least: int) -> list[_Block]:
    """The row groups of a Parquet file, small ones together with those after; other files whole."""
    if _format_of(fragment) != "parquet":
        return [_Block(fragment)]
    blocks: list[_Block] = []
    groups: list[int] = []
    first = n_rows = 0
    for number, size in enumerate(_sizes(fragment)):
        groups.append(number)
        n_rows += size
        if n_rows >= least:
            blocks.append(_Block(fragment, groups, first))
            groups, first, n_rows = [], first + n_rows, 0
    if groups:
        blocks.append(_Block(fragment, groups, first))
    return blocks


def _from_row(fragment: Any, row: int) -> tuple[_Block, int]:
    """What to read for the rows from `row` on, which is there; how many of those come before it."""
    if not row or _format_of(fragment) != "parquet":
        return _Block(fragment), row
    sizes = _sizes(fragment)
    number = first = 0
    while first + sizes[number] <= row:
        first += sizes[number]
        number += 1
    return _Block(fragment, list(range(number, len(sizes))), first), row - first


def _sizes(fragment: Any) -> list[int]:
    with _Naming(fragment, "its row groups"):
        return [group.num_rows for group in fragment.row_groups]


def _is_safe(fragment: Any) -> bool:
    """Return whether pyarrow can be left to cut a CSV file into blocks."""
    path = _path_of(fragment)
    return path.lower().endswith((".csv", ".tsv")) and keeps_line_breaks(path)


class _Naming:
    """A context in which what pyarrow raises becomes a `ScanError` that names the file."""

    def __init__(self, fragment: Any, what: str) -> None:
        self.fragment, self.what = fragment, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        pa = require_pyarrow()
        if isinstance(error, (pa.ArrowException, OSError)):
            text = str(error).strip() or "damaged"
            raise ScanError(
                f"{_path_of(self.fragment)} cannot be read ({self.what}): {text.splitlines()[0]}"
            ) from None


def _path_of(fragment: Any) -> str:
    return str(getattr(fragment, "path", "the table in memory"))


def _format_of(fragment: Any) -> str:
    return str(getattr(getattr(fragment, "format", None), "default_extname", ""))


def _partition_of(fragment: Any) -> dict[str, Any]:
    return dict(require_pyarrow().dataset.get_partition_keys(fragment.partition_expression))


def _opened(source: Any, name: str, encode: EncodingOptions) -> Any:
    """The dataset of a file, a folder, a pattern, or a list of files.

    Keys of folders have the types by which they are encoded.
    """
    pa = require_pyarrow()
    files, folder = _files(source)
    formats = {_FORMATS.get(os.path.splitext(path)[1].lower()) for path in files}
    if len(formats) != 1 or None in formats:
        odd = next((p for p in files if os.path.splitext(p)[1].lower() not in _FORMATS), files[0])
        raise ScanError(
            f"{name}: all files must be of one format, known by its name ({' '.join(_FORMATS)}), "
            f"got {odd}."
        )
    kind = formats.pop()
    if kind == "csv":
        delimiter = "\t" if files[0].lower().endswith(".tsv") else ","
        kind = pa.dataset.CsvFileFormat(
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=_conversion(encode),
        )

    def dataset(keys: Any) -> Any:
        return pa.dataset.dataset(files, format=kind, partitioning=keys, partition_base_dir=folder)

    try:
        made = dataset("hive")
        keys = [made.schema.field(name) for name in _partition_of(next(made.get_fragments()))]
        wanted = [key.with_type(encode.parsed_type(key.name, key.type)) for key in keys]
        if wanted == keys:
            return made
        return dataset(pa.dataset.partitioning(pa.schema(wanted), flavor="hive"))
    except (pa.ArrowException, OSError) as error:
        text = str(error).strip() or "damaged"
        raise ScanError(f"{name} cannot be read: {text.splitlines()[0]}") from None


def _conversion(encode: EncodingOptions) -> Any:
    """Return how cells of CSV files become values: which are missing, in text as in numbers."""
    return require_pyarrow().csv.ConvertOptions(
        null_values=NULL_MARKS, strings_can_be_null=not encode.has_empty_text
    )


def _with_null_marks(kind: Any, encode: EncodingOptions) -> Any:
    """Return how to read CSV files of a dataset: as ours, unless somebody chose how."""
    pa = require_pyarrow()
    options = kind.default_fragment_scan_options
    if not options.convert_options.equals(pa.csv.ConvertOptions()):
        return options
    return pa.dataset.CsvFragmentScanOptions(
        convert_options=_conversion(encode), read_options=options.read_options
    )


def _files(source: Any) -> tuple[list[str], str | None]:
    """The files of a path, a pattern or a list of paths, and the folder they are in, if it is one.

    In a folder, files that are none of tables are left alone.
    """
    if not isinstance(source, (str, os.PathLike)):
        return [os.fspath(path) for path in source], None
    path = os.fspath(source)
    if os.path.isdir(path):
        found = files_in(path, tuple(_FORMATS))
        if not found:
            raise ScanError(f"{path} holds no files named {', '.join(_FORMATS)}.")
        return found, path
    if os.path.exists(path):
        return [path], None
    if not glob.has_magic(path):
        raise ScanError(f"{path} does not exist.")
    found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
    if not found:
        raise ScanError(f"no file matches {path}.")
    return found, None
