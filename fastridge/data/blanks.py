"""Text whose columns runs of blanks separate, as text with one blank between them."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_BYTES = 1 << 20
_RUNS = re.compile(rb'("[^"\n]*")|[ \t]+')
_ENDS = re.compile(rb"^ | (?=\r?$)", re.MULTILINE)


class SingleBlanks(io.RawIOBase):
    """A binary file with one blank for each run of blanks and tabs, and none around a line."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._rest = self._ready = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer; return their number, 0 at the end."""
        while not self._ready:
            part = self._stream.read(_BYTES)
            text = self._rest + part
            end = text.rfind(b"\n") + 1 if part else len(text)
            self._rest, self._ready = text[end:], _single(text[:end])
            if not part and not self._ready:
                return 0
        n_bytes = min(len(buffer), len(self._ready))
        buffer[:n_bytes] = self._ready[:n_bytes]
        self._ready = self._ready[n_bytes:]
        return n_bytes

    def close(self) -> None:
        """Close the file that is read, too."""
        self._stream.close()
        super().close()


def _single(lines: bytes) -> bytes:
    if b'"' in lines:
        lines = _RUNS.sub(lambda found: found[1] or b" ", lines)
    else:
        lines = re.sub(rb"[ \t]+", b" ", lines)
    return _ENDS.sub(b"", lines)
