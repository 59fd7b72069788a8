"""Files of predictions, written batch by batch."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO, TypeAlias

import numpy as np

from fastridge.io.atomic import replacing

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    Writer: TypeAlias = TextIOWrapper | pa.RecordBatchFileWriter | pq.ParquetWriter

__all__ = ["ENDINGS", "PredictionFile", "prediction_file", "write_lines"]

ENDINGS = (".csv", ".parquet", ".feather", ".arrow")
_GROUP_ROWS = 1 << 20


class PredictionFile:
    """A file that is being written; the first predictions decide its columns and their type."""

    def __init__(self, path: str, ending: str, name: str) -> None:
        self._path, self._ending, self._name = path, ending, name
        self._writer: Writer | None = None
        self._held: list[np.ndarray] = []
        self._n_held = 0

    def write(self, predicted: np.ndarray) -> None:
        """Write predictions of shape (n_rows,) or (n_rows, n_targets)."""
        if self._writer is None:
            self._writer = self._open(predicted)
        self._held.append(predicted)
        self._n_held += len(predicted)
        if self._n_held >= _GROUP_ROWS or self._ending == ".csv":
            self._flush()

    def close(self) -> None:
        """Write what is held back, and close the file."""
        if self._held:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def _open(self, predicted: np.ndarray) -> Writer:
        names = [self._name]
        if predicted.ndim == 2:
            names = [f"{self._name}_{k}" for k in range(predicted.shape[1])]
        if self._ending == ".csv":
            file = open(self._path, "x", encoding="utf-8", newline="")  # noqa: SIM115
            csv.writer(file, lineterminator="\n").writerow(names)
            return file
        import pyarrow as pa
        import pyarrow.parquet as pq

        dtype = (
            pa.string() if predicted.dtype.kind in "OUT" else pa.from_numpy_dtype(predicted.dtype)
        )
        self._schema = pa.schema([(name, dtype) for name in names])
        if self._ending in (".feather", ".arrow"):
            return pa.ipc.new_file(self._path, self._schema)
        return pq.ParquetWriter(self._path, self._schema, use_dictionary=dtype == pa.string())

    def _flush(self) -> None:
        together = np.concatenate(self._held)
        self._held, self._n_held = [], 0
        if isinstance(self._writer, TextIOWrapper):
            write_lines(together, self._writer)
            return
        assert self._writer is not None
        import pyarrow as pa

        columns = [together] if together.ndim == 1 else list(together.T)
        arrays = [pa.array(np.ascontiguousarray(column)) for column in columns]
        self._writer.write_table(pa.table(arrays, schema=self._schema))


@contextmanager
def prediction_file(
    path: str | os.PathLike[str], name: str = "prediction"
) -> Iterator[PredictionFile]:
    """Open a file of predictions, which appears under its name when it is whole.

    Parameters
    ----------
    path : path
        The ending says the format, one of `ENDINGS`; any other is written as Parquet.
    name : str, default="prediction"
        Of the column; several targets have ``"<name>_0"`` and so on.

    Examples
    --------
    >>> import os, pathlib, tempfile
    >>> import numpy as np
    >>> from fastridge.io.predictions import prediction_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "y.csv")
    ...     with prediction_file(path) as file:
    ...         file.write(np.array([1.5, 2.0]))
    ...     pathlib.Path(path).read_text().split()
    ['prediction', '1.5', '2.0']
    """
    ending = os.path.splitext(path)[1].lower()
    with replacing(path) as temporary:
        file = PredictionFile(temporary, ending, name)
        try:
            yield file
        except BaseException:
            with contextlib.suppress(Exception):
                file.close()
            raise
        file.close()


def write_lines(predicted: np.ndarray, file: TextIO) -> None:
    """Write predictions as lines of CSV: a number in the fewest digits, or a label."""
    if predicted.dtype.kind == "f" and predicted.ndim == 1:
        file.write("".join(f"{number!r}\n" for number in predicted.tolist()))
        return
    rows = predicted.tolist()
    if predicted.ndim == 1:
        rows = [[label] for label in rows]
    csv.writer(file, lineterminator="\n").writerows(rows)
