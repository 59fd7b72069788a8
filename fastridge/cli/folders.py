"""Several files as one source of rows: a folder, or the files that a pattern matches."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastridge.cli.errors import CommandError, require
from fastridge.cli.reading import CSVSource, Source, TypesChangedError, open_source
from fastridge.data.columns import kind_of
from fastridge.data.listing import files_in

_ENDINGS = (
    ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".csv", ".tsv", ".txt", ".gz", ".bz2", ".zst"
)  # fmt: skip


def open_data(path: str) -> Source:
    """Open a file, a folder of files, or the files that a pattern matches, in order of their names.

    In a folder, files with other endings than those of tables and what begins with a dot or an
    underscore are left alone; folders in it named ``key=value`` are columns.
    """
    require("pyarrow", "cli")
    if os.path.isdir(path):
        files = files_in(path, _ENDINGS)
        if not files:
            raise CommandError(f"{path} is a folder without files named {', '.join(_ENDINGS)}")
        return Files(path, files, [_keys(os.path.relpath(file, path)) for file in files])
    if glob.has_magic(path) and not os.path.exists(path):
        files = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
        if not files:
            raise CommandError(f"no file matches {path}")
        return Files(path, files, [{} for _ in files])
    return open_source(path)


def _keys(path: str) -> dict[str, str]:
    parts = os.path.dirname(path).split(os.sep)
    return {key: value for key, equals, value in (part.partition("=") for part in parts) if equals}


class Files(Source):
    """Files with the same columns, one after the other; one is open at a time."""

    def __init__(self, path: str, paths: Sequence[str], keys: Sequence[dict[str, str]]) -> None:
        self.path, self._keys = path, dict(zip(paths, keys, strict=True))
        self._declared: dict[str, Any] = {}
        first = open_source(self.paths[0])
        self.format = f"{len(self.paths)} files, {first.format}"
        self.types = {**first.types, **self._types_of_keys()}
        self.index = first.index
        sizes = [self._opened(file).n_rows for file in self.paths]
        known = [size for size in sizes if size is not None]
        self.n_rows = sum(known) if len(known) == len(sizes) else None

    @property
    def paths(self) -> list[str]:
        """The files."""
        return list(self._keys)

    def _types_of_keys(self) -> dict[str, Any]:
        pa = require("pyarrow", "cli")
        types = {}
        for name in self._keys[self.paths[0]]:
            values = [keys.get(name, "") for keys in self._keys.values()]
            whole = all(value.removeprefix("-").isdecimal() for value in values)
            types[name] = pa.int64() if whole else pa.string()
        return types

    def _opened(self, path: str) -> Source:
        """One of the files, whose columns are of the kinds of the first."""
        file = open_source(path)
        keys = self._keys[path]
        for name, dtype in self.types.items():
            if name in keys:
                continue
            if name not in file.types:
                raise CommandError(f"{path} has no column {name!r}, which {self.paths[0]} has")
            own = file.types[name]
            if kind_of(dtype) == "empty":  # the first file with values says what they are
                self.types[name] = own
            elif isinstance(file, CSVSource):
                file.types[name] = dtype
            elif kind_of(own) not in (kind_of(dtype), "empty"):
                raise CommandError(
                    f"{path}: column {name!r} holds {own}, where {self.paths[0]} has {dtype}"
                )
        if self._declared:
            file.declare({n: t for n, t in self._declared.items() if n not in keys})
        return file

    def declare(self, types: Mapping[str, Any]) -> None:
        """See `Source.declare`."""
        self._declared = dict(types)
        keys = self._keys[self.paths[0]]
        self.types.update({name: dtype for name, dtype in types.items() if name in keys})

    def _read(self, columns: list[str]) -> Iterator[Any]:
        pa = require("pyarrow", "cli")
        for path, keys in self._keys.items():
            file = self._opened(path)
            own = [name for name in columns if name not in keys]
            try:
                for batch in file.batches(own or list(file.types)[:1]):
                    arrays = [
                        pa.repeat(pa.scalar(keys[name]).cast(self.types[name]), batch.num_rows)
                        if name in keys
                        else batch.column(name)
                        for name in columns
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, names=columns)
            except TypesChangedError:
                self.types.update({name: file.types[name] for name in own})
                raise
