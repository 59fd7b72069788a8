"""The state of a file as it was opened, so that a change between passes is noticed."""

from __future__ import annotations

import os

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError
from fastridge.data.spooling import Spool, name_of


class FileState:
    """Size and time of a file, of this moment."""

    def __init__(self, source: PathLike) -> None:
        self._source = source
        self._known = self._now()

    def _now(self) -> list[int] | None:
        try:
            known = os.stat(self._source)
        except OSError:
            return None
        return [known.st_size, known.st_mtime_ns]

    def check(self) -> None:
        """Raise ScanError if the file is not as it was."""
        now = self._now()
        if now != self._known:
            what = "is gone" if now is None else "changed"
            raise ScanError(
                f"{name_of(self._source)} {what} since it was opened, or while it was read: read "
                "it again when nothing writes to it."
            )

    def identity(self) -> list[object]:
        """Return what tells the file from others: its name, size and time, or its content."""
        if isinstance(self._source, Spool):
            return ["pipe", self._source.digest]
        return [os.path.basename(name_of(self._source)), self._known]
