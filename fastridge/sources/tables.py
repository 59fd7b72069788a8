"""Rows of tables: Parquet, Arrow (Feather) and CSV files, folders of them, and data frames.

Files are read by `pyarrow.dataset`, in their order, a row group or block ahead of what is asked
for. Columns go into a batch one by one, in column order; a batch is the only copy that is made.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastridge.sources.batches import Batch, ScanError, checked_folds, rows_of_batch

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
_SMALL = ("bool", "int8", "uint8", "int16", "uint16", "halffloat", "float")  # fit into float32
_NULLS = ("error", "drop")


def require_pyarrow() -> Any:
    """pyarrow with its dataset module; ImportError says how to install it."""
    try:
        import pyarrow as pa
        import pyarrow.dataset
    except ImportError:
        raise ImportError(
            "reading tables needs pyarrow, which is not installed: pip install "
            "'fastridge-solvers[data]'."
        ) from None
    return pa


class Columns:
    """Which columns of a table are features, target, weights and fold, and how they are read.

    `features` None takes all that have no other part. `nulls` is "error" or "drop".
    """

    def __init__(
        self,
        names: Sequence[str],
        features: Sequence[str] | None,
        target: str | Sequence[str] | None,
        weights: str | None,
        fold: str | None,
        nulls: str,
        what: str,
    ) -> None:
        if nulls not in _NULLS:
            raise ValueError(f"nulls must be one of {', '.join(_NULLS)}, got {nulls!r}.")
        self.nulls = nulls
        self.target = target
        targets = [] if target is None else [target] if isinstance(target, str) else list(target)
        others = [*targets, *(name for name in (weights, fold) if name is not None)]
        if features is None:
            features = [name for name in names if name not in others]
        elif isinstance(features, str):
            raise ValueError(f"features must be a list of column names, got {features!r}.")
        self.features, self.targets = list(features), targets
        self.weights, self.fold = weights, fold
        self.all = list(dict.fromkeys([*self.features, *others]))
        for name in self.all:
            if not isinstance(name, str):
                raise ValueError(
                    f"columns of a table are chosen by name, got {name!r}: there are "
                    f"{_some(names)}."
                )
            if name not in names:
                raise ValueError(f"{what} has no column {name!r}; there are {_some(names)}.")
        twice = set(self.features) & set(others)
        if twice:
            raise ValueError(f"column {min(twice)!r} is a feature and something else too.")
        if not self.features:
            raise ValueError(f"{what} has no column that is left as a feature.")

    def check_types(self, types: dict[str, Any], what: str) -> None:
        """ScanError for the first column that holds no numbers."""
        for name in self.all:
            if name in types and not _is_numeric(types[name]):
                raise ScanError(
                    f"{what}: column {name!r} holds {types[name]}, which is not a number: leave "
                    "it out with features=, or encode it first."
                )

    def float_type(self, types: dict[str, Any]) -> Any:
        """float32 where it holds every feature exactly, else float64."""
        small = all(str(types[name]) in _SMALL for name in self.features)
        return np.float32 if small else np.float64

    def batch(self, table: Any, dtype: Any, where: str) -> Batch:
        """A record batch as numbers; rows with a null are refused or left out."""
        arrays = {name: table.column(name) for name in self.all}
        keep = None
        empty = [name for name, array in arrays.items() if array.null_count]
        if empty and self.nulls == "error":
            raise ScanError(
                f"{where}: column {empty[0]!r} has {arrays[empty[0]].null_count} missing values: "
                "nulls='drop' leaves such rows out."
            )
        if empty:
            keep = np.ones(table.num_rows, dtype=bool)
            for name in empty:
                keep &= arrays[name].is_valid().to_numpy(zero_copy_only=False)
        n_rows = table.num_rows if keep is None else int(keep.sum())

        def numbers(name: str) -> np.ndarray:
            values = _numbers(arrays[name])
            return values if keep is None else values[keep]

        X = np.empty((len(self.features), n_rows), dtype)
        for place, name in enumerate(self.features):
            X[place] = numbers(name)
        y = None
        if isinstance(self.target, str):
            y = numbers(self.target).astype(np.float64)
        elif self.targets:
            y = np.column_stack([numbers(name) for name in self.targets]).astype(np.float64)
        weight = None if self.weights is None else numbers(self.weights).astype(np.float64)
        fold = None if self.fold is None else checked_folds(numbers(self.fold), where)
        return Batch(X.T, y, weight, fold)


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:20]))
    return listed + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _is_numeric(dtype: Any) -> bool:
    types = require_pyarrow().types
    return bool(
        types.is_integer(dtype)
        or types.is_floating(dtype)
        or types.is_boolean(dtype)
        or types.is_decimal(dtype)
        or types.is_null(dtype)
    )


def _numbers(array: Any) -> np.ndarray:
    pa = require_pyarrow()
    if array.null_count or pa.types.is_decimal(array.type) or pa.types.is_null(array.type):
        array = array.cast(pa.float64())
    return np.asarray(array.to_numpy(zero_copy_only=False))


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
        nulls: str,
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
        self.columns = Columns(schema.names, features, target, weights, fold, nulls, self.name)
        self.types = dict(zip(schema.names, schema.types, strict=True))
        self.columns.check_types(self.types, self.name)
        self.dtype = self.columns.float_type(self.types)
        self.feature_names: list[str] | None = self.columns.features
        self.target_names: list[str] | None = self.columns.targets or None
        self.n_rows = self._counted()

    def _counted(self) -> int | None:
        """The number of rows, where files state it and all of them are taken."""
        if self.filter is not None or self.columns.nulls == "drop":
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
        step = n_rows or rows_of_batch(len(self.columns.features))
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

    def _tables(self, fragment: Any, step: int) -> Iterator[Any]:
        """Record batches of so many rows but for the last; those of a filter may be smaller."""
        pa = require_pyarrow()
        options: dict[str, Any] = {}
        if _format_of(fragment) == "parquet":
            # What is read ahead is bounded by the stream's buffer, not by a row group.
            options["fragment_scan_options"] = pa.dataset.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=1 << 20, pre_buffer=False
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
            if place >= 0 and not _is_numeric(schema.field(place).type):
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
            "columns": self.columns.all,
            "filter": None if self.filter is None else str(self.filter),
            "nulls": self.columns.nulls,
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
        nulls: str,
    ) -> None:
        pa = require_pyarrow()
        self.frame = frame
        self.repeatable = not isinstance(frame, pa.RecordBatchReader)
        self.n_rows = None
        if hasattr(frame, "__len__") and nulls == "error":
            self.n_rows = len(frame)
        elif hasattr(frame, "num_rows") and nulls == "error":
            self.n_rows = frame.num_rows
        self._reader = self._open()
        schema = self._reader.schema
        self.columns = Columns(schema.names, features, target, weights, fold, nulls, "the table")
        self.types = dict(zip(schema.names, schema.types, strict=True))
        self.columns.check_types(self.types, "the table")
        self.dtype = self.columns.float_type(self.types)
        self.feature_names: list[str] | None = self.columns.features
        self.target_names: list[str] | None = self.columns.targets or None

    def _open(self) -> Any:
        pa = require_pyarrow()
        if isinstance(self.frame, pa.RecordBatchReader):
            return self.frame
        if hasattr(self.frame, "iloc"):  # pandas converts all of itself at once
            return pa.RecordBatchReader.from_stream(self.frame.iloc[:0])
        return pa.RecordBatchReader.from_stream(self.frame)

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
        for table in self._tables(n_rows or rows_of_batch(len(self.columns.features))):
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
            "columns": self.columns.all,
            "nulls": self.columns.nulls,
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
