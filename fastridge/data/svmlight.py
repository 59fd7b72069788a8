"""Rows of a svmlight (libsvm) file, read by scikit-learn some bytes at a time."""

import io
import os
from collections.abc import Iterator
from contextlib import closing
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from fastridge._typing import PathLike
from fastridge.data.batches import Batch, Reading, ScanError
from fastridge.data.columns import is_finite
from fastridge.data.file_state import FileState
from fastridge.data.spooling import name_of
from fastridge.runtime.prefetch import prefetched

_BATCH_BYTES = 1 << 23
_PARSED_BYTES = 1 << 17
MOST_FEATURES = (1 << 31) - 1
Rows: TypeAlias = tuple[sp.csr_matrix, np.ndarray]


def _parsed(lines: bytes, n_features: int, zero_based: bool) -> Rows:
    """Return the rows of lines, some of which are parsed at a time.

    scikit-learn keeps all other threads waiting, and that which handles signals.
    """
    from sklearn.datasets import load_svmlight_file

    found = []
    begin = 0
    while begin < len(lines):
        end = lines.find(b"\n", begin + _PARSED_BYTES) + 1 or len(lines)
        some = io.BytesIO(lines[begin:end])
        found.append(load_svmlight_file(some, n_features=n_features, zero_based=zero_based))
        begin = end
    if len(found) == 1:
        return found[0]
    X, y = zip(*found, strict=True)
    return sp.vstack(X, format="csr"), np.concatenate(y)


def _are_finite(X: sp.csr_matrix, y: np.ndarray) -> bool:
    return is_finite(X.data) and is_finite(y)


class SvmlightRows:
    """Sparse rows; `n_features` None is found by a first pass.

    Numbers that are not finite are errors, if `finite`.
    """

    repeatable = True
    decodes = True
    n_rows = None
    feature_names = target_names = None

    def __init__(
        self,
        source: PathLike,
        n_features: int | None,
        zero_based: bool | str = "auto",
        *,
        finite: bool = True,
    ) -> None:
        self.source, self.path, self._finite = source, name_of(source), finite
        self._state = FileState(source)
        self.files = [os.fspath(source)]
        try:
            self.size = os.stat(source).st_size
        except OSError as error:
            raise ScanError(f"{self.path} cannot be read: {error.strerror}.") from None
        is_open = isinstance(zero_based, str)  # as scikit-learn: from 1, unless 0 is used anywhere
        begins_at_0 = not is_open and bool(zero_based)
        most = -1
        if n_features is None or is_open:
            first_pass = prefetched(self._parts(MOST_FEATURES, is_open or begins_at_0), 1)
            with closing(first_pass):
                for X, _ in first_pass:
                    most = max(most, int(X.indices.max(initial=-1)))
                    begins_at_0 = begins_at_0 or (is_open and not X.indices.all())
                    if begins_at_0 and n_features is not None:
                        break
        self.zero_based = begins_at_0
        if n_features is None:
            n_features = most + (0 if is_open and not begins_at_0 else 1)
        self.n_features = max(0, int(n_features))

    def parts(self) -> Iterator[Rows]:
        """Yield the rows, some MB of the file at a time."""
        return self._parts(self.n_features, self.zero_based)

    def _parts(self, n_features: int, zero_based: bool) -> Iterator[Rows]:
        for begin, lines in self._lines():
            try:
                X, y = _parsed(lines, n_features, zero_based)
            except (OSError, ValueError, OverflowError) as error:
                self._state.check()
                hint = ""
                if "too large to convert" in str(error):
                    hint = f". The largest index that is read is {MOST_FEATURES - 1:,}."
                if not zero_based and "Invalid index 0" in str(error):
                    hint = " Give zero_based=True or 'auto', as indices begin at 0."
                where = self._line_of_error(begin, lines, zero_based)
                raise ScanError(
                    f"{self.path}, {where}: not a row of a svmlight file: {error}{hint}"
                ) from None
            if self._finite and not _are_finite(X, y):
                self._state.check()
                where = self._line_of_error(begin, lines, zero_based)
                raise ScanError(f"{self.path}, {where}: NaN and infinity are not supported.")
            yield X, y

    def _line_of_error(self, begin: int, lines: bytes, zero_based: bool) -> str:
        """Return which line cannot be read, and what it holds; some lines come before these."""
        from sklearn.datasets import load_svmlight_file

        with open(self.source, "rb") as file:
            number = 0
            for position in range(0, begin, _BATCH_BYTES):
                number += file.read(min(_BATCH_BYTES, begin - position)).count(b"\n")
        for line in lines.split(b"\n"):
            number += 1
            try:
                rows = load_svmlight_file(
                    io.BytesIO(line), n_features=MOST_FEATURES, zero_based=zero_based
                )
                wrong = self._finite and not _are_finite(*rows)
            except (OSError, ValueError, OverflowError):
                wrong = True
            if wrong:
                return f"line {number}, {line[:40].decode('utf-8', 'replace')!r}"
        return f"from byte {begin} on"

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that begin in each 8 MB, and the position of the first of them."""
        self._state.check()
        try:
            with open(self.source, "rb") as file:
                for end in range(_BATCH_BYTES, self.size + _BATCH_BYTES, _BATCH_BYTES):
                    begin = file.tell()
                    if begin <= end:  # else a line continues
                        lines = file.read(end - begin) + file.readline()
                        if lines:
                            yield begin, lines
        except OSError as error:
            raise ScanError(f"{self.path} cannot be read: {error.strerror}.") from None
        self._state.check()

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`; rows come in their order only."""
        number = 0
        for X, y in self.parts():
            step = reading.n_rows or max(1, X.shape[0])
            for begin in range(0, X.shape[0], step):
                number += 1
                if number > reading.skip:
                    yield Batch(X[begin : begin + step], y[begin : begin + step])

    def identity(self) -> dict[str, object]:
        """See `RowSource`."""
        return {
            "kind": "svmlight",
            "file": self._state.identity(),
            "n_features": self.n_features,
        }
