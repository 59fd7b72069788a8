"""Find the files that hold rows, and the folders above them whose names are columns."""

from __future__ import annotations

import datetime
import glob
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError
from fastridge.data.columns import require_pyarrow
from fastridge.data.spooling import Spool

if TYPE_CHECKING:
    import pyarrow as pa

#: Endings of files of tables; what a file holds is found in its first bytes.
ENDINGS = (
    *(".parquet", ".pq", ".feather", ".arrow", ".ipc", ".csv", ".tsv", ".gz", ".bz2", ".zst"),
    *(".svm", ".svmlight", ".libsvm"),
)
_NUMBER = re.compile(r"-?([0-9]+)(\.[0-9]+)?")
_MOST_DIGITS = 18  # that a whole number of 64 bits may have
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def files_of(source: PathLike | Sequence[PathLike]) -> tuple[Sequence[PathLike], str | None]:
    """Return the files of a path, a folder, a pattern or a list, and the folder they are below.

    Folders named ``key=value`` directly above that folder are below it too: so a single file has
    the keys that it has in the folder of all.

    In a folder, files with other endings than those of tables are ignored, and what begins with a
    dot or an underscore. Files named .txt, .data or .dat, or without an ending, count where there
    are no others.
    """
    files, folder = _listed(source)
    while folder is not None and _is_key(os.path.basename(os.path.abspath(folder))):
        folder = os.path.dirname(os.path.abspath(folder))
    return files, folder


def _is_key(name: str) -> bool:
    key, equals, _ = name.partition("=")
    return bool(key and equals)


def _listed(source: PathLike | Sequence[PathLike]) -> tuple[Sequence[PathLike], str | None]:
    """Return the files, and the folder that is theirs whatever keys are above it."""
    if not isinstance(source, (str, os.PathLike)):
        files = [os.path.abspath(path) for path in source]
        try:
            folder = os.path.commonpath(list(map(os.path.dirname, files)))
        except ValueError:  # on several drives
            folder = None
        return list(source), folder
    if isinstance(source, Spool):
        return [source], None
    path = os.fspath(source)
    if not path:
        raise ScanError("the name of the file is empty: give a path.")
    if re.match(r"[a-z][a-z0-9]+://", path):
        raise ScanError(f"{path} is an address, not a file: copy it to this machine first.")
    if os.path.isdir(path):
        found = _files_in(path, ENDINGS) or _files_in(path, (".txt", ".data", ".dat", ""))
        if not found:
            raise ScanError(
                f"{path} is a folder without tables: it holds no files named {', '.join(ENDINGS)}."
            )
        return found, path
    if glob.has_magic(path) and not os.path.exists(path):
        found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not found:
            folders = glob.glob(path, recursive=True)
            hint = f", but folders do: give {os.path.join(path, '*')}" if folders else "."
            raise ScanError(f"no file matches {path}{hint}")
        folder = path
        while glob.has_magic(folder):
            folder = os.path.dirname(folder)
        return found, folder
    return [path], os.path.dirname(path)


def _files_in(folder: str, endings: Sequence[str]) -> list[str]:
    """Return the files in a folder and those below it that have one of the endings, in order.

    Pipes are no files.

    The ending of a name without a dot is empty.
    """
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [
            os.path.join(where, name)
            for name in names
            if os.path.splitext(name)[1].lower() in endings and not name.startswith((".", "_"))
        ]
    return sorted(path for path in found if os.path.isfile(path) or not os.path.exists(path))


def folder_keys(
    files: Sequence[PathLike], folder: str | None
) -> tuple[list[dict[str, str | None]], dict[str, pa.DataType]]:
    """Return the values of ``key=value`` in the path of each file, and the type of each key.

    Only folders below `folder` count. Values are numbers, or dates, where all of a key are.
    """
    texts: list[dict[str, str | None]] = []
    for file in files:
        below = "" if folder is None else os.path.relpath(file, folder or ".")
        parts = os.path.dirname(below).split(os.sep)
        pairs = [part.partition("=") for part in parts]
        texts.append(
            {
                unquote(key): None if value == _NO_VALUE else unquote(value)
                for key, equals, value in pairs
                if equals
            }
        )
    names = list(dict.fromkeys(name for own in texts for name in own))
    types, values = {}, []
    for name in names:
        types[name] = _type_of([text for own in texts if (text := own.get(name)) is not None])
    for own in texts:
        values.append({name: own.get(name) for name in names})
    return values, types


def _type_of(texts: Sequence[str]) -> pa.DataType:
    """Return the type that all values of a key have."""
    pa = require_pyarrow()
    numbers = [_NUMBER.fullmatch(text) for text in texts]
    if all(number and len(number[1]) <= _MOST_DIGITS for number in numbers):
        return pa.float64() if any(number and number[2] for number in numbers) else pa.int64()
    return pa.date32() if all(map(_is_date, texts)) else pa.string()


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
