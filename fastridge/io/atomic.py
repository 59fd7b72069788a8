"""Files that get their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the name of a temporary file in the same folder, which then takes the name `path`.

    A reader sees the old file or the new one, never half of one. If the block raises, the
    temporary file is deleted and the old file is unchanged.

    Parameters
    ----------
    path : path
        The file to write; a link is followed.

    Raises
    ------
    OSError
        If `path` exists and is not a regular file, or cannot be replaced.

    Examples
    --------
    >>> import os, pathlib, tempfile
    >>> from fastridge.io.atomic import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.txt")
    ...     with replacing(path) as temporary, open(temporary, "x") as file:
    ...         _ = file.write("whole")
    ...     pathlib.Path(path).read_text()
    'whole'
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        raise OSError(f"{os.fspath(path)!r} exists and is not a regular file: choose another name")
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".fastridge-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make the new name survive a power failure, on systems that can sync folders (POSIX)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
