"""CSV files whose line breaks inside quotes stay whole, however they are cut into blocks.

Where a block ends in CR and the next begins with LF, pyarrow drops the LF: it takes both for the
end of a line. Inside quotes they are part of a value, which would become another.
"""

from __future__ import annotations

from typing import Any

from fastridge.sources.columns import require_pyarrow


class WholeLineBreaks:
    """A file for `pyarrow.PythonFile`, no part of which ends in CR but at the end of the file.

    Parameters
    ----------
    stream : pyarrow.NativeFile
        Closed with this one.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._held = False  # a CR that was left out

    def read(self, n: int) -> Any:
        """Return some `n` bytes, and at least one but at the end."""
        pa = require_pyarrow()
        data = self._stream.read_buffer(max(1, n - self._held))
        if self._held:
            data = pa.py_buffer(b"\r" + data.to_pybytes())
        self._held = False
        while data.size and memoryview(data)[-1] == ord("\r"):
            if data.size > 1:
                self._held = True
                return data.slice(0, data.size - 1)
            more = self._stream.read(1)
            if not more:
                break
            data = pa.py_buffer(b"\r" + more)
        return data

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def opened(path: str, compression: str | None = "detect") -> Any:
    """Return the bytes of a CSV file, decompressed, as a pyarrow file.

    `compression` is as for `pyarrow.input_stream`.
    """
    pa = require_pyarrow()
    return pa.PythonFile(WholeLineBreaks(pa.input_stream(path, compression=compression)), mode="r")
