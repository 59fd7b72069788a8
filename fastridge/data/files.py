"""Files with the same columns as one table: a file, a folder, a pattern, a list or a dataset.

Each file is read as the types that it has; only batches of numbers have one type for all.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from fastridge._typing import PathLike
from fastridge.data.batches import Remedy, ScanError, UnusedOptionError
from fastridge.data.column_roles import column_named, unknown_column
from fastridge.data.columns import Fits, first_row, index_columns, kind_of, require_pyarrow
from fastridge.data.csv_file import CsvFile
from fastridge.data.csv_options import DEFAULT_CSV, CsvOptions
from fastridge.data.csv_text import type_of_cell
from fastridge.data.feature_encoding import EncodingOptions
from fastridge.data.listing import files_of, folder_keys
from fastridge.data.opening import open_file
from fastridge.data.spooling import name_of, spooled
from fastridge.data.svmlight_file import SvmlightFile
from fastridge.data.table_files import FragmentFile, Request, TableFile
from fastridge.data.unified_types import read_types

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

    Types: TypeAlias = dict[str, pa.DataType]
    Schemas: TypeAlias = dict[str, pa.Schema]


class Block(NamedTuple):
    """A file, or some of its row groups; `first` is the number of their first row in the file."""

    file: TableFile
    groups: list[int] | None = None
    first: int = 0


class FileTable:
    """The rows of files; blocks of them can be read by themselves.

    Attributes
    ----------
    files : list of TableFile
    format : str
    types : dict of str to pyarrow.DataType
        Of the first file that has the column, and after `unify` of all files.
    """

    repeatable = True
    prefetches = True

    def __init__(
        self,
        source: PathLike | Sequence[PathLike] | pa.dataset.Dataset,
        options: EncodingOptions,
        *,
        filter: pa.dataset.Expression | None = None,
        csv: CsvOptions = DEFAULT_CSV,
    ) -> None:
        pa = require_pyarrow()
        self._options, self.filter, self.csv = options, filter, csv
        self._declared = False
        self._is_dataset = isinstance(source, pa.dataset.Dataset)
        #: Types that values of CSV files were found to need.
        self._widened: Types = {}
        #: Columns of CSV files in whose first rows there are no values.
        self._empty: set[str] = set()
        if isinstance(source, pa.dataset.Dataset):
            self.name = "the dataset"
            self.files = _fragments(source, options, csv)
            self.types = dict(zip(source.schema.names, source.schema.types, strict=True))
            # The types of a dataset of CSV files were chosen, or are guesses that pyarrow keeps to.
            self._declared = self.files[0].parsed
        else:
            paths = [source] if isinstance(source, (str, os.PathLike)) else list(source)
            self.name = name_of(paths[0]) + (", ..." if len(paths) > 1 else "")
            self.files, keys = _opened(source, self.name, options, csv)
            first = self.files[0].schema
            self.types = {**dict(zip(first.names, first.types, strict=True)), **keys}
            if not self.types:
                raise ScanError(f"{self.name} has no columns.")
            for file in self.files[1:]:  # which may have columns that the first one lacks
                index = index_columns(file.schema)
                own = {n: dtype for n, dtype in _own_types(file).items() if n not in index}
                self.types |= {n: dtype for n, dtype in own.items() if n not in self.types}
            options.check_marks(csv.marks())
        self.format, self._parsed = self.files[0].format, self.files[0].parsed
        self._key_types = {name: self.types[name] for name in self.files[0].keys}
        self.names = list(self.types)
        if self.text is not None and csv.numeric:
            self.read_as_numbers([column_named(one, self.names, self.name) for one in csv.numeric])
        self.index = index_columns(self.files[0].schema)
        self._schemas: Schemas = {}

    @property
    def text(self) -> CsvOptions | None:
        """Options that say how text becomes values; None where types are no guesses."""
        return self.csv if self._parsed and not self._declared else None

    def refuse_unused(self, given: CsvOptions) -> None:
        """Raise ScanError for options of CSV files that these files have no use for."""
        used = {"na_values", "keep_default_na", "decimal", "date_format"}
        unused = [name for name in given.given() if self.format != "CSV" or self._is_dataset]
        unused = [name for name in unused if not (self.format == "CSV" and name in used)]
        if unused:
            what = "a pyarrow dataset" if self._is_dataset else f"{self.format} files"
            option = Remedy(unused[0], given.given()[unused[0]])
            raise UnusedOptionError(self.name, option, what)
        for name in map(str, given.numeric):
            if column_named(name, self.names, self.name) not in self.names:
                raise unknown_column(name, self.names, self.name)

    def read_as_numbers(self, names: Sequence[str]) -> None:
        """Read columns of CSV files as numbers of any notation."""
        pa = require_pyarrow()
        self.csv = replace(self.csv, numeric=names)
        for file in self.files:
            if isinstance(file, CsvFile):
                file.read_as_numbers(names)
                own = [name for name in names if name in file.schema.names]
                self.types |= {name: pa.float64() for name in own if name not in file.keys}

    def add_indices(self, names: Sequence[str]) -> None:
        """Give svmlight files columns that they lack: there the values are 0."""
        if self.format == "svmlight":
            _set_indices(self.files, names)
            self._schemas.clear()
            self.types |= _own_types(self.files[0])
            self.names = list(self.types)

    def position_of(self, name: str, fits: Fits) -> str:
        """Return file and line, or row, of the first value of a column that fits."""
        of_filter = "" if self.filter is None else " of those that the filter takes"
        for file in self.files:
            if file.has_lines and not of_filter:
                line = file.line_of(name, fits)
                if line is not None:
                    return f"{file.path}, line {line}"
                continue
            row = None
            with contextlib.suppress(ScanError):  # of another value
                tables = self.tables(Block(file), [name], 1 << 16, 1)
                row = first_row((table.column(name) for table, _ in tables), fits)
            if row is not None:
                return f"{file.path}, row {row}{of_filter}"
        return self.name

    @property
    def values_per_row(self) -> float | None:
        """See `Table`: of the svmlight file that has most."""
        counts = [f.values_per_row if isinstance(f, SvmlightFile) else None for f in self.files]
        known = [count for count in counts if count is not None]
        return max(known) if known and len(known) == len(counts) else None

    @property
    def common(self) -> set[str]:
        """The columns that each file has."""
        return set.intersection(*({*file.schema.names, *file.keys} for file in self.files))

    @property
    def n_rows(self) -> int | None:
        """Number of rows, where all files state it and all rows are taken."""
        counts = [None if self.filter is not None else file.count_rows() for file in self.files]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    @property
    def runs(self) -> list[Block]:
        """The files: no batch holds rows of two."""
        return [Block(file) for file in self.files]

    def count(self, run: Block) -> int:
        """Return the number of rows of a file, which states it."""
        count = run.file.count_rows()
        assert count is not None
        return count

    def blocks(self, least: int) -> list[Block]:
        """Return row groups, small ones with those after, and files without these whole."""
        return [block for file in self.files for block in _row_groups(file, least)]

    def from_row(self, run: Block, row: int) -> tuple[Block, int]:
        """Return what to read for the rows from `row` on, and how many of those come before it."""
        sizes = run.file.row_groups()
        if not row or sizes is None:
            return run, row
        number = first = 0
        while first + sizes[number] <= row:
            first += sizes[number]
            number += 1
        return Block(run.file, list(range(number, len(sizes))), first), row - first

    def tables(
        self, block: Block, columns: Sequence[str], step: int, prefetch: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield record batches of at most `step` rows, and where each is from."""
        file, done = block.file, block.first
        file.check_unchanged()
        with file.naming("(its columns and the filter)"):
            schema = self._schema_of(file)
            tables = file.read(Request(columns, schema, step, prefetch, self.filter, block.groups))
        while True:
            where = f"from row {done} on"
            with file.naming(f"({where})"):
                table = next(tables, None)
            if table is None:
                file.check_unchanged()
                return
            if table.num_rows:
                yield table, f"{file.path}, {where}"
            done += table.num_rows

    def unify(
        self, columns: Sequence[str], options: EncodingOptions, droppable: Collection[str]
    ) -> None:
        """Find one type for each column; raise ScanError if a file lacks one, or has another."""
        pa = require_pyarrow()
        self._options = options
        self._schemas.clear()
        files = []
        for file in self.files:
            own = _own_types(file)
            known = {**own, **file.keys}
            missing = [name for name in columns if name not in known]
            if missing:
                lacking = missing[0]
                fixes: list[Remedy] = []
                if lacking in droppable:
                    fixes = [Remedy("drop", [lacking], "to leave it out, or the file this column")]
                other = next(o.path for o in self.files if lacking in {*o.schema.names, *o.keys})
                raise ScanError(f"{file.path} has no column {lacking!r}, which {other} has", *fixes)
            damaged = [name for name in columns if name in own and pa.types.is_binary(own[name])]
            if damaged and file.parsed and not self._declared:
                raise file.not_utf8(damaged[0])
            files.append(
                (file.path, {**own, **{n: t for n, t in self._widened.items() if n in own}})
            )
        if self._declared:
            return
        how = self._options, droppable, self.text, self.position_of
        types = read_types(self.types, files, set(columns), *how)
        if self._parsed:
            # A column without values is one of numbers, should some come later.
            rest = {True: pa.string(), False: pa.float64()}
            empty = [name for name, dtype in types.items() if pa.types.is_null(dtype)]
            types |= {name: rest[self._options.as_text(name)] for name in empty}
            self._empty.update(empty)
        self.types = types

    def widen(self, name: str, value: str) -> bool:
        """Read a column of CSV as a wider type from now on; return whether there is one.

        That of a column without values so far is the type of `value`, if that is a date or time.
        """
        pa = require_pyarrow()
        narrow = self.types[name]
        if not self._parsed or self._declared or kind_of(narrow) == "text":
            return False
        if name in self.csv.numeric:
            return False
        wide = pa.float64() if pa.types.is_integer(narrow) else pa.string()
        if name in self._empty and name not in self._widened:
            own = type_of_cell(value, self.csv)
            is_time = kind_of(own) in ("date", "time", "timestamp")
            wide = own if is_time and getattr(own, "tz", None) is None else wide
        self._widened[name] = wide
        return True

    def _schema_of(self, file: TableFile) -> pa.Schema:
        """Return the types to read the columns of a file as."""
        pa = require_pyarrow()
        if file.path in self._schemas:
            return self._schemas[file.path]
        own = _own_types(file)
        fields = []
        for name, wanted in self.types.items():
            dtype = own.get(name, self._key_types.get(name, wanted))
            if self._declared:
                dtype = wanted
            elif self._parsed and name in own:
                dtype = self._widened.get(name, self._options.parsed_type(name, dtype))
                if kind_of(wanted) == "text":
                    dtype = pa.string()
                elif pa.types.is_null(dtype):
                    dtype = pa.float64() if kind_of(wanted) == "number" else wanted
            fields.append(pa.field(name, dtype))
        self._schemas[file.path] = pa.schema(fields)
        return self._schemas[file.path]

    def identity(self) -> dict[str, object]:
        """See `RowSource`."""
        filter = None if self.filter is None else str(self.filter)
        files = [file.identity() for file in self.files]
        return {"kind": "files", "files": files, "filter": filter}


def _set_indices(files: Sequence[TableFile], names: Sequence[str]) -> None:
    """Give all svmlight files the columns that one of them has, and those of `names`."""
    sparse = [file for file in files if isinstance(file, SvmlightFile)]
    indices = {int(name) for name in names if name.isdecimal()}
    indices.update(*(file.indices.tolist() for file in sparse))
    for each in sparse:
        each.set_indices(indices)


def _own_types(file: TableFile) -> Types:
    return dict(zip(file.schema.names, file.schema.types, strict=True))


def _row_groups(file: TableFile, least: int) -> list[Block]:
    """Return the row groups of a file, small ones together with those after, or all of it."""
    sizes = file.row_groups()
    if sizes is None:
        return [Block(file)]
    blocks: list[Block] = []
    groups: list[int] = []
    first = n_rows = 0
    for number, size in enumerate(sizes):
        groups.append(number)
        n_rows += size
        if n_rows >= least:
            blocks.append(Block(file, groups, first))
            groups, first, n_rows = [], first + n_rows, 0
    if groups:
        blocks.append(Block(file, groups, first))
    return blocks


def _fragments(
    dataset: pa.dataset.Dataset, options: EncodingOptions, csv: CsvOptions
) -> list[TableFile]:
    """Return the files of a dataset; those of CSV are read as ours, unless somebody chose how."""
    pa = require_pyarrow()
    files: list[TableFile] = []
    marks: Sequence[str] = ()
    csv_options = None
    for fragment in sorted(dataset.get_fragments(), key=lambda one: str(getattr(one, "path", ""))):
        if csv_options is None and isinstance(
            getattr(fragment, "format", None), pa.dataset.CsvFileFormat
        ):
            csv_options = fragment.format.default_fragment_scan_options
            if csv_options.convert_options.equals(pa.csv.ConvertOptions()):
                how = csv.conversion(empty_text=options.has_empty_text)
                csv_options = pa.dataset.CsvFragmentScanOptions(
                    convert_options=pa.csv.ConvertOptions(**how),
                    read_options=csv_options.read_options,
                )
            convert = csv_options.convert_options
            marks = convert.null_values if convert.strings_can_be_null else ()
        files.append(FragmentFile(fragment, {}, csv_options=csv_options))
    if not files:
        raise ScanError("the dataset holds no files.")
    options.check_marks(marks)
    return files


def _opened(
    source: PathLike | Sequence[PathLike],
    name: str,
    options: EncodingOptions,
    csv: CsvOptions,
) -> tuple[list[TableFile], Types]:
    """Return the files of a path, a folder, a pattern, or a list, and the types of their keys."""
    pa = require_pyarrow()
    paths, folder = files_of(source)
    values, types = folder_keys(paths, folder)
    for key, dtype in types.items():  # codes such as 00501 are text
        if kind_of(options.parsed_type(key, dtype)) == "text":
            types[key] = pa.string()
    empty_text = options.has_empty_text
    files = [
        open_file(spooled(path), keys, types, csv, empty_text=empty_text)
        for path, keys in zip(paths, values, strict=True)
    ]
    known = [] if options.encoding is None else options.encoding.names
    _set_indices(files, known)
    formats = {file.format for file in files}
    if len(formats) > 1:
        found = ", ".join(sorted(formats))
        raise ScanError(f"{name}: all files must be of one format, got {found}.")
    for file in files:
        with file.naming("(its columns)"):
            names = file.schema.names
        twice = sorted(name for name, n in Counter(names).items() if n > 1)
        if twice:
            raise ScanError(f"{file.path} has more than one column named {twice[0]!r}.")
    return files, types
