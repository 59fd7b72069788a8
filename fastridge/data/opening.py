"""A file of rows is opened by what its first bytes say, whatever its name ends in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError
from fastridge.data.columns import require_pyarrow
from fastridge.data.csv_file import CsvFile
from fastridge.data.csv_options import CsvOptions
from fastridge.data.csv_sniffing import SNIFFED, is_svmlight, refuse_other_formats
from fastridge.data.spooling import name_of
from fastridge.data.svmlight_file import SvmlightFile
from fastridge.data.table_files import FragmentFile, StreamFile, TableFile

if TYPE_CHECKING:
    import pyarrow as pa

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}


def first_bytes(source: PathLike, n_bytes: int = 16) -> bytes:
    """Return the first bytes of a file. Raises ScanError if it cannot be read."""
    try:
        with open(source, "rb") as file:
            return file.read(n_bytes)
    except FileNotFoundError as error:
        raise ScanError(f"{name_of(source)} does not exist: {error.strerror}.") from None
    except OSError as error:
        raise ScanError(f"cannot read {name_of(source)}: {error.strerror}.") from None


def _compression_of(start: bytes) -> str | None:
    """Return how a file is compressed that begins with these bytes."""
    return next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None)


def open_file(
    source: PathLike,
    keys: Mapping[str, object],
    types: Mapping[str, pa.DataType],
    options: CsvOptions,
    *,
    empty_text: bool = False,
) -> TableFile:
    """Open a file of rows; its format is found in its first bytes.

    Parameters
    ----------
    source : path
    keys : mapping of str to value
        Columns that the names of its folders give, and
    types : mapping of str to pyarrow.DataType
        their types.
    options : CsvOptions
    empty_text : bool, default=False
        Whether an empty cell of a CSV file is text and not missing.

    Raises
    ------
    ScanError
        With one line that names the file, if it cannot be read.
    """
    file = _opened(source, keys, types, options, empty_text=empty_text)
    file.remember()
    return file


def _opened(
    source: PathLike,
    keys: Mapping[str, object],
    types: Mapping[str, pa.DataType],
    options: CsvOptions,
    *,
    empty_text: bool,
) -> TableFile:
    pa = require_pyarrow()
    path, start = name_of(source), first_bytes(source)
    try:
        location = os.fsencode(os.path.abspath(source)).decode()
    except UnicodeDecodeError:
        raise ScanError(f"the name {path!r} of a file is not UTF-8: rename it.") from None
    if not start:
        raise ScanError(f"{path} is empty.")
    if start[:4] == b"FEA1":
        raise ScanError(f"{path} is a Feather file of version 1: write it again as version 2.")
    refuse_other_formats(path, start)
    if start[:4] == b"\xff\xff\xff\xff":
        return StreamFile(source, keys)
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
        fragment = kind().make_fragment(location, files, **given)
        return FragmentFile(fragment, types, source)
    if is_svmlight(first_bytes(source, SNIFFED)):
        return SvmlightFile(source)
    return CsvFile(source, keys, _compression_of(start), options, empty_text=empty_text)
