"""Files of predictions, written batch by batch."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO, TypeAlias

import numpy as np

from fastridge.io.atomic import replacing

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    Columns: TypeAlias = Mapping[str, np.ndarray | pa.Array]
    Writer: TypeAlias = TextIOWrapper | pa.RecordBatchFileWriter | pq.ParquetWriter

__all__ = ["ENDINGS", "PredictionFile", "prediction_file", "write_header", "write_lines"]

ENDINGS = (".csv", ".parquet", ".feather", ".arrow")
_GROUP_ROWS = 1 << 20


class PredictionFile:
    """A file that is being written; the first rows decide its columns and their types."""

    def __init__(self, path: str, ending: str, name: str) -> None:
        self._path, self._ending, self._name = path, ending, name
        self._writer: Writer | None = None
        self._held: list[Columns] = []
        self._n_held = 0

    def write(self, predicted: np.ndarray) -> None:
        """Write predictions of shape (n_rows,) or (n_rows, n_targets)."""
        several = predicted.ndim == 2
        columns = predicted.T if several else [predicted]
        names = [f"{self._name}_{k}" for k in range(len(columns))] if several else [self._name]
        self.write_columns(dict(zip(names, columns, strict=True)))

    def write_columns(self, columns: Columns) -> None:
        """Write rows of several columns; to a CSV file, those of pyarrow must be text."""
        if self._writer is None:
            self._writer = self._open(columns)
        self._held.append(columns)
        self._n_held += len(next(iter(columns.values())))
        if self._n_held >= _GROUP_ROWS or self._ending == ".csv":
            self._flush()

    def close(self) -> None:
        """Write what is held back, and close the file."""
        if self._held:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def _open(self, columns: Columns) -> Writer:
        if self._ending == ".csv":
            file = open(self._path, "x", encoding="utf-8", newline="")  # noqa: SIM115
            write_header(columns, file)
            return file
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = _table(columns).schema
        path = os.fsencode(self._path).decode()  # pyarrow's names are UTF-8 in every locale
        if self._ending in (".feather", ".arrow"):
            return pa.ipc.new_file(path, self._schema)
        is_text = [name for name in columns if pa.types.is_string(self._schema.field(name).type)]
        return pq.ParquetWriter(path, self._schema, use_dictionary=is_text)

    def _flush(self) -> None:
        held, self._held, self._n_held = self._held, [], 0
        if isinstance(self._writer, TextIOWrapper):
            for columns in held:
                write_lines(columns, self._writer)
            return
        assert self._writer is not None
        import pyarrow as pa

        tables = [_table(columns).cast(self._schema) for columns in held]
        self._writer.write_table(pa.concat_tables(tables).combine_chunks())


def _table(columns: Columns) -> pa.Table:
    import pyarrow as pa

    arrays = [pa.array(np.ascontiguousarray(c)) if isinstance(c, np.ndarray) else c
              for c in columns.values()]  # fmt: skip
    return pa.table(arrays, names=list(columns))


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


def write_header(names: Iterable[str], file: TextIO) -> None:
    """Write the names of columns as a line of CSV."""
    csv.writer(file, lineterminator="\n").writerow(names)


def write_lines(columns: Columns, file: TextIO) -> None:
    """Write rows as lines of CSV: numbers in the fewest digits, labels, texts."""
    first, *others = columns.values()
    if not others and isinstance(first, np.ndarray) and first.dtype.kind == "f":
        file.write("".join(f"{number!r}\n" for number in first.tolist()))
        return
    rows = zip(*(_cells(column) for column in columns.values()), strict=True)
    csv.writer(file, lineterminator="\n").writerows(rows)


def _cells(column: np.ndarray | pa.Array) -> list[object]:
    cells: list[object] = column.tolist()
    truths = {True: "true", False: "false"}
    is_bool = isinstance(column, np.ndarray) and column.dtype.kind == "b"
    return [truths[cell] for cell in cells] if is_bool else cells  # type: ignore[index]
