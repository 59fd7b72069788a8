"""The file format of fastridge: a sealed zip of one JSON header and plain NumPy arrays.

Models and sufficient statistics are written as one uncompressed zip file::

    fastridge.json    {"format": "fastridge", "version": 1, "kind": ..., "writer": ...,
                       "meta": {...}, "arrays": {name: {"dtype": ..., "shape": ..., "sha256": ...}}}
    <name>.npy        one member per array, in the order of the header
    (zip comment)     "fastridge-sha256:" and the SHA-256 of every byte before it

- It contains no code, and reading it runs none: only JSON, and ``.npy`` members of numbers or
  booleans. `numpy.load` opens the file too, as an ``.npz``.
- The seal covers the whole file, so a changed, missing or added byte is found before anything is
  used. A seal is not a signature: it detects accidents, but does not say who wrote the file.
- The file appears under its name in one step (`fastridge.io.atomic`). Equal contents give equal
  bytes.
- The name of the header member, its keys ``format`` and ``version``, and the seal stay the same in
  every later version of the format, so that a newer file is recognised as such.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tokenize
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, TypedDict

import numpy as np

from fastridge._typing import PathLike
from fastridge.io.atomic import replacing

__all__ = ["FORMAT_VERSION", "read_archive", "read_header", "write_archive"]

FORMAT = "fastridge"
FORMAT_VERSION = 1
HEADER_MEMBER = "fastridge.json"

_SEAL = b"fastridge-sha256:"
_SEAL_LENGTH = len(_SEAL) + 64
_CHUNK = 1 << 20
_EPOCH = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the earliest in a zip; fixed, so that equal contents give equal bytes
_DTYPES = {
    np.dtype(code).newbyteorder("<").str: np.dtype(code).newbyteorder("<")
    for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
}


class Entry(TypedDict):
    """An array in the header of an archive."""

    dtype: str
    shape: list[int]
    sha256: str


def write_archive(
    path: PathLike,
    kind: str,
    meta: Mapping[str, object],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write arrays and a JSON-serialisable dictionary to a sealed file, atomically.

    Parameters
    ----------
    path : str or os.PathLike
        File to write. An existing regular file is replaced once the new one is complete.
    kind : str
        Kind of contents, such as ``"gram-statistics"``, which `read_archive` checks.
    meta : mapping
        Values that strict JSON can hold (no NaN, no infinity).
    arrays : mapping of str to ndarray
        Boolean or numeric arrays of any shape; the names must be identifiers.

    Raises
    ------
    TypeError
        If `meta` or an array holds something other than plain values or numbers.
    ValueError
        If a name or a value in `meta` cannot be stored.
    OSError
        If the file cannot be written. An existing file is unchanged then.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from fastridge.io.archive import read_archive, write_archive
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.fastridge")
    ...     write_archive(path, "example", {"n": 3}, {"x": np.arange(3.0)})
    ...     read_archive(path, "example")
    ({'n': 3}, {'x': array([0., 1., 2.])})
    """
    plain = {name: _plain_array(name, array) for name, array in arrays.items()}
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": kind,
        "writer": _writer(),
        "meta": dict(meta),
        "arrays": {
            name: {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": _sha256(array)}
            for name, array in plain.items()
        },
    }
    try:
        text = json.dumps(header, allow_nan=False, indent=1)
    except ValueError as error:
        raise ValueError(f"the meta data of a {kind} cannot be stored as JSON: {error}") from None

    with replacing(path) as temporary, open(temporary, "x+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_member(HEADER_MEMBER), text.encode("ascii"))
            for name, array in plain.items():
                with archive.open(_member(name + ".npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            archive.comment = _SEAL + b"0" * 64
        _write_seal(file)
        file.flush()
        os.fsync(file.fileno())


def read_archive(path: PathLike, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a file written by `write_archive`.

    Parameters
    ----------
    path : str or os.PathLike
        File to read.
    kind : str
        Kind of contents that is required.

    Returns
    -------
    meta : dict
        The dictionary that was written.
    arrays : dict of str to ndarray
        New, writable arrays in the byte order of this machine.

    Raises
    ------
    ValueError
        If the file is damaged, truncated, from another program, from a newer version, or of
        another kind; the message names the file and the reason.
    OSError
        If the file cannot be opened.
    """
    with open(path, "rb") as file:
        header = _checked_header(file, path)
        if header["kind"] != kind:
            raise ValueError(f"{os.fspath(path)!r} holds a {header['kind']}, not a {kind}")
        try:
            with zipfile.ZipFile(file) as archive:
                expected = [HEADER_MEMBER] + [name + ".npy" for name in header["arrays"]]
                if archive.namelist() != expected:
                    raise ValueError("its members are not those its header lists")
                arrays = {
                    name: _read_array(archive, name, entry)
                    for name, entry in header["arrays"].items()
                }
        except _MALFORMED as error:
            raise _malformed(path, error) from None
    return header["meta"], arrays


def read_header(path: PathLike) -> dict[str, Any]:
    """Return the header of a file: its kind, version, writer, meta data and list of arrays.

    The seal of the whole file is checked first. Errors are those of `read_archive`.
    """
    with open(path, "rb") as file:
        return _checked_header(file, path)


# Errors that the standard library and NumPy raise for malformed zip, JSON and .npy contents.
_MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
)


def _malformed(path: PathLike, error: Exception) -> ValueError:
    return ValueError(f"{os.fspath(path)!r} is not a valid fastridge file: {error}")


def _checked_header(file: BinaryIO, path: PathLike) -> dict[str, Any]:
    """Return the header of an open file after checking its seal and version."""
    name = os.fspath(path)
    _check_seal(file, name)
    try:
        with zipfile.ZipFile(file) as archive:
            info = archive.getinfo(HEADER_MEMBER)
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError("its header is compressed")
            header = json.loads(archive.read(info))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError("its header is not one of fastridge")
        version = header.get("version")
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r}")
    except _MALFORMED as error:
        raise _malformed(path, error) from None
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{name!r} was written by a newer fastridge ({header.get('writer')}): its format is "
            f"{version} and this version reads up to {FORMAT_VERSION}; upgrade fastridge to read it"
        )
    for key, wanted in (("kind", str), ("writer", str), ("meta", dict), ("arrays", dict)):
        if not isinstance(header.get(key), wanted):
            raise _malformed(path, ValueError(f"its header has no usable {key!r}"))
    return header


def _check_seal(file: BinaryIO, name: str) -> None:
    """Raise ValueError unless this is a complete file of fastridge."""
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise ValueError(f"{name!r} is empty")
    start = file.read(30 + len(HEADER_MEMBER))
    if start[:4] != b"PK\x03\x04" or start[30:] != HEADER_MEMBER.encode():
        raise ValueError(f"{name!r} is not a fastridge file (its first bytes are {start[:8]!r})")
    if size < len(start) + _SEAL_LENGTH:
        raise ValueError(f"{name!r} is cut short: it has {size} bytes and no seal")
    file.seek(size - _SEAL_LENGTH)
    seal = file.read(_SEAL_LENGTH)
    if not seal.startswith(_SEAL):
        raise ValueError(
            f"{name!r} is damaged: the seal at its end is missing (cut short, or bytes were added)"
        )
    file.seek(0)
    if seal != _seal(file, size - _SEAL_LENGTH):
        raise ValueError(f"{name!r} is damaged: its contents do not match its checksum")
    file.seek(0)


def _seal(file: BinaryIO, n_bytes: int) -> bytes:
    """Compute the seal of the next `n_bytes` of a file."""
    digest = hashlib.sha256()
    while n_bytes > 0:
        chunk = file.read(min(_CHUNK, n_bytes))
        if not chunk:
            break
        digest.update(chunk)
        n_bytes -= len(chunk)
    return _SEAL + digest.hexdigest().encode("ascii")


def _write_seal(file: BinaryIO) -> None:
    """Replace the blank seal at the end of a finished zip with the computed one."""
    n_bytes = file.seek(0, os.SEEK_END) - _SEAL_LENGTH
    file.seek(0)
    seal = _seal(file, n_bytes)
    file.seek(n_bytes)
    file.write(seal)


def _plain_array(name: str, array: object) -> np.ndarray:
    """Return the array as it is stored: little-endian, of a portable numeric or boolean type."""
    if not name.isidentifier():
        raise ValueError(f"an array cannot be stored under the name {name!r}: use an identifier")
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES:
        raise TypeError(
            f"array {name!r} has dtype {array.dtype}: only booleans and numbers of at most "
            "64 bits per component can be stored"
        )
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = np.ascontiguousarray(array)
    plain: np.ndarray = array.astype(dtype, order="K", copy=False)
    return plain


def _sha256(array: np.ndarray) -> str:
    """Compute the SHA-256 of an array in storage order."""
    stored = array if array.flags.c_contiguous else array.T
    return hashlib.sha256(np.ascontiguousarray(stored).reshape(-1).view(np.uint8)).hexdigest()


def _read_array(archive: zipfile.ZipFile, name: str, entry: Entry) -> np.ndarray:
    """Read one array of the archive, if its .npy header agrees with the header of the archive."""
    dtype = _DTYPES[entry["dtype"]]
    shape = tuple(entry["shape"])
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"array {name!r} has the shape {shape}")
    n_bytes = math.prod(shape) * dtype.itemsize
    info = archive.getinfo(name + ".npy")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size < n_bytes:
        raise ValueError(f"array {name!r} is not stored as its header says")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"array {name!r} has .npy version {version}")
        found = np.lib.format.read_array_header_1_0(member)
        if found[0] != shape or found[2] != dtype:
            raise ValueError(f"array {name!r} is not stored as its header says")
        fortran_order = found[1]
        array = np.empty(shape[::-1] if fortran_order else shape, dtype)
        buffer = memoryview(array.reshape(-1).view(np.uint8))
        position = 0
        while chunk := member.read(_CHUNK):
            if position + len(chunk) > n_bytes:
                raise ValueError(f"array {name!r} is longer than its header says")
            buffer[position : position + len(chunk)] = chunk
            position += len(chunk)
    if position != n_bytes:
        raise ValueError(f"array {name!r} is shorter than its header says")
    if fortran_order:
        array = array.T
    if _sha256(array) != entry["sha256"]:
        raise ValueError(f"array {name!r} does not match its checksum")
    return array.astype(dtype.newbyteorder("="), order="K", copy=False)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    return info


def _writer() -> str:
    from fastridge._version import __version__

    return f"fastridge {__version__}"
