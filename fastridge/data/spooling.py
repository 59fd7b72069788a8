"""Pipes as files: what can be read only once is copied to a temporary file first."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import sys
import tempfile
import weakref

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError

#: The path of the standard input; it need not be the name of a file.
STANDARD_INPUT = "/dev/stdin"
_OPENED = "/proc/self/fd"
_BINARY = getattr(os, "O_BINARY", 0)
_BYTES = 1 << 20


class Spool(os.PathLike[str]):
    """A copy of a pipe, whose path is that of a temporary file; it is deleted with this object.

    Attributes
    ----------
    name : str
        What the user calls it.
    digest : str
        Tells its content from others.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        stays_open = os.path.isdir(_OPENED)
        try:
            if stays_open:  # without a name nothing is left, however the process ends
                with tempfile.TemporaryFile() as file:
                    copy = os.dup(file.fileno())
                self._path = f"{_OPENED}/{copy}"
                delete = functools.partial(os.close, copy)
            else:
                copy, self._path = tempfile.mkstemp(prefix="fastridge-")
                delete = functools.partial(os.unlink, self._path)
        except OSError as error:
            raise self._failed(error) from None
        self._delete = weakref.finalize(self, delete)
        try:
            self.digest = self._filled(copy)
        except BaseException:
            self._delete()
            raise
        finally:
            if not stays_open:
                os.close(copy)

    def _filled(self, copy: int) -> str:
        """Copy all bytes; return their digest."""
        digest = hashlib.blake2b(digest_size=16)
        try:
            is_input = self.name == STANDARD_INPUT
            source = os.dup(0) if is_input else os.open(self.name, os.O_RDONLY | _BINARY)
        except OSError as error:
            raise ScanError(f"cannot read {self.name}: {error.strerror}.") from None
        try:
            while part := os.read(source, _BYTES):
                digest.update(part)
                while part:
                    part = part[os.write(copy, part) :]
        except OSError as error:
            raise self._failed(error) from None
        finally:
            os.close(source)
        return digest.hexdigest()

    def _failed(self, error: OSError) -> ScanError:
        return ScanError(
            f"cannot copy {self.name} to a temporary file: {error.strerror}: let TMPDIR name a "
            "folder with room."
        )

    def __fspath__(self) -> str:
        return self._path

    def __str__(self) -> str:
        return self.name


def name_of(source: PathLike) -> str:
    """Return the name that errors have for a file."""
    return source.name if isinstance(source, Spool) else os.fspath(source)


def is_pipe(path: PathLike) -> bool:
    """Return whether a path is that of a pipe, or stands for the standard input.

    Raises ScanError for a device, such as a terminal.
    """
    if isinstance(path, Spool):
        return False
    name = os.fspath(path)
    is_input = name == STANDARD_INPUT
    if is_input and sys.stdin is None:
        raise ScanError("the standard input is closed: pipe a table into it, or give a path.")
    try:
        mode = os.fstat(0).st_mode if is_input else os.stat(name).st_mode
    except OSError:
        return False
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise ScanError(
            f"{name} is a device such as a terminal or /dev/null: pipe a table, or give a path."
        )
    return is_input or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def spooled(path: PathLike) -> PathLike:
    """Return a path, or a `Spool` of what can be read only once."""
    return Spool(os.fspath(path)) if is_pipe(path) else path
