"""Rows of tables: Parquet, Arrow (Feather) and CSV files, folders of them, and data frames.

Files are read by `pyarrow.dataset`, in their order, a row group or block ahead of what is asked
for. Columns go into a batch one by one, in column order; a batch is the only copy that is made.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from typing import Any

from fastridge.sources.batches import Batch, ScanError, rows_of_batch
from fastridge.sources.columns import require_pyarrow
from fastridge.sources.encoded import EncodingOptions
from fastridge.sources.parts import Columns

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
    """Rows of files that `pyarrow.dataset` reads; every file must have the columns."""

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
            self.dataset = _opened(source, self.name)
        self.fragments = sorted(self.dataset.get_fragments(), key=_path_of)
        if not self.fragments:
            raise ScanError(f"{self.name} holds no files.")
        schema = self.dataset.schema
        self.filter = filter
        self.columns = Columns(
            schema.names, features, target, weights, fold, encode.nulls, self.name
        )
        self.types = dict(zip(schema.names, schema.types, strict=True))
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

    def batches(self, n_rows: int | None, skip: int) -> Iterator[Batch]:
        """See `RowSource`; no batch holds rows of two files."""
        step = n_rows or rows_of_batch(self.columns.n_features)
        for fragment in self.fragments:
            skip = yield from self._batches_of(fragment, step, skip)

    def _batches_of(self, fragment: Any, step: int, skip: int) -> Any:
        path = _path_of(fragment)
        self._check_schema(fragment, path)
        done = 0
        parts = self._tables(fragment, step)
        while True:
            where = f"{path}, from row {done} on"
            with _Naming(fragment, f"from row {done} on"):
                table = next(parts, None)
            if table is None:
                return skip
            done += table.num_rows
            if skip:
                skip -= 1
                continue
            yield self.columns.batch(table, self.dtype, where)

    def _all_tables(self) -> Iterator[Any]:
        """All rows that are taken, as record batches."""
        for fragment in self.fragments:
            path = _path_of(fragment)
            self._check_schema(fragment, path)
            with _Naming(fragment, "its rows"):
                for table in self._tables(fragment, 1 << 16):
                    yield self.columns.without_nulls(table, path)

    def _tables(self, fragment: Any, step: int) -> Iterator[Any]:
        """Record batches of so many rows but for the last; those of a filter may be smaller."""
        pa = require_pyarrow()
        options: dict[str, Any] = {}
        if _format_of(fragment) == "parquet":
            # What is read ahead is bounded by the stream's buffer, not by a row group.
            options["fragment_scan_options"] = pa.dataset.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=1 << 17, pre_buffer=False
            )
        scanner = fragment.scanner(
            schema=self.dataset.schema,
            columns=self.columns.all,
            filter=self.filter,
            batch_size=step,
            batch_readahead=4,
            fragment_readahead=1,
            **options,
        )
        for table in scanner.to_batches():
            if table.num_rows:
                yield table

    def _check_schema(self, fragment: Any, path: str) -> None:
        """ScanError where a file has not the columns, or other types, than the first one."""
        with _Naming(fragment, "its columns"):
            schema = fragment.physical_schema
        partition = set(_partition_of(fragment))
        for name in self.columns.all:
            place = schema.get_field_index(name)
            if place < 0 and name not in partition:
                raise ScanError(
                    f"{path} has no column {name!r}, which {_path_of(self.fragments[0])} has."
                )
            if place < 0:
                continue
            if not self.columns.check_type(name, schema.field(place).type, self.types[name]):
                raise ScanError(
                    f"{path}: column {name!r} holds {schema.field(place).type}, where "
                    f"{_path_of(self.fragments[0])} has {self.types[name]}."
                )

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
            **self.columns.identity(),
        }


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
        self.frame = frame
        self.repeatable = not isinstance(frame, pa.RecordBatchReader)
        self.n_rows = None
        if hasattr(frame, "__len__") and encode.nulls == "error":
            self.n_rows = len(frame)
        elif hasattr(frame, "num_rows") and encode.nulls == "error":
            self.n_rows = frame.num_rows
        self._reader = self._open()
        schema = self._reader.schema
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
        for table in self._tables(1 << 16):
            yield self.columns.without_nulls(table, "the table")

    def _tables(self, step: int) -> Iterator[Any]:
        pa = require_pyarrow()
        if hasattr(self.frame, "iloc"):
            frame = self.frame[self.columns.all]
            for begin in range(0, len(frame), step):
                part = frame.iloc[begin : begin + step]
                yield pa.RecordBatch.from_pandas(part, preserve_index=False)
            return
        for table in self._open():
            chosen = table.select(self.columns.all)
            for begin in range(0, chosen.num_rows, step):
                yield chosen.slice(begin, step)

    def batches(self, n_rows: int | None, skip: int) -> Iterator[Batch]:
        """See `RowSource`."""
        done = 0
        for table in self._tables(n_rows or rows_of_batch(self.columns.n_features)):
            where = f"the table, from row {done} on"
            done += table.num_rows
            if skip:
                skip -= 1
                continue
            yield self.columns.batch(table, self.dtype, where)

    def identity(self) -> dict[str, Any]:
        """See `RowSource`."""
        return {
            "kind": "table",
            "n_rows": self.n_rows,
            **self.columns.identity(),
        }


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


def _opened(source: Any, name: str) -> Any:
    """The dataset of a file, a folder, a pattern, or a list of files."""
    pa = require_pyarrow()
    paths = source
    if isinstance(source, (str, os.PathLike)):
        paths = os.fspath(source)
        if glob.has_magic(paths) and not os.path.exists(paths):
            found = sorted(glob.glob(paths, recursive=True))
            if not found:
                raise ScanError(f"no file matches {paths}.")
            paths = found
        elif not os.path.exists(paths):
            raise ScanError(f"{paths} does not exist.")
    else:
        paths = [os.fspath(path) for path in source]
    files = _files(paths)
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
            parse_options=pa.csv.ParseOptions(delimiter=delimiter),
        )
    try:
        return pa.dataset.dataset(paths, format=kind, partitioning="hive")
    except (pa.ArrowException, OSError) as error:
        text = str(error).strip() or "damaged"
        raise ScanError(f"{name} cannot be read: {text.splitlines()[0]}") from None


def _files(paths: Any) -> list[str]:
    if not isinstance(paths, str):
        if not paths:
            raise ScanError("the list of files is empty.")
        return list(paths)
    if not os.path.isdir(paths):
        return [paths]
    found = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(paths)
        for name in names
        if not name.startswith((".", "_"))
    ]
    if not found:
        raise ScanError(f"{paths} holds no files.")
    return found
