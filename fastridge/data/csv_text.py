"""CSV files with text, whose line breaks inside quotes stay whole.

pyarrow parses CSV block by block. Where a block ends in CR and the next begins with LF, it drops
the LF: it takes both for the end of a line. Inside quotes they are part of a value, which would
become another. So whole rows are cut out of such files here, and parsed in blocks that keep CR and
LF together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastridge._typing import PathLike
from fastridge.data.blanks import SingleBlanks
from fastridge.data.columns import require_pyarrow
from fastridge.data.csv_options import CsvOptions

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv

_BYTES = 1 << 23  # that are parsed at once, in blocks that threads span
_BLOCK = 1 << 20
_STEP = 4099  # from one size of blocks that is tried to the next
_QUOTE, _CR, _LF = b'"\r\n'


def csv_stream(
    path: str,
    compression: str | None = "detect",
    charset: str | None = None,
    *,
    blanks: bool = False,
) -> pa.NativeFile:
    """Open a file whose text is read as UTF-8, whatever its encoding.

    With `blanks`, there is one for each run of blanks that separates columns.
    """
    pa = require_pyarrow()
    stream = pa.input_stream(path, compression=compression)
    if charset is not None:
        stream = pa.transcoding_input_stream(stream, charset, "utf-8")
    return pa.PythonFile(SingleBlanks(stream), mode="r") if blanks else stream


def type_of_cell(text: str, options: CsvOptions) -> pa.DataType:
    """Return the type that a column of CSV with this cell, which is not missing, has."""
    pa = require_pyarrow()
    rows = '"{}"\n'.format(text.replace('"', '""')).encode()
    convert = pa.csv.ConvertOptions(**options.conversion(padded=False))
    how = read_options(max(_BLOCK, len(rows) + 1), None, header=False)
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    return pa.csv.read_csv(pa.BufferReader(rows), how, parse, convert).schema.types[0]


def read_options(
    block: int, names: Sequence[str] | None, *, skip_rows: int = 0, header: bool = True
) -> pa.csv.ReadOptions:
    """Return how blocks are read from the beginning of a file.

    `names` replace the header; None takes it, or numbers columns if there is none.
    """
    return require_pyarrow().csv.ReadOptions(
        block_size=block,
        skip_rows=skip_rows,
        column_names=names,
        autogenerate_column_names=names is None and not header,
        skip_rows_after_names=int(names is not None and header),
    )


def record_batches(
    path: str,
    names: Sequence[str],
    parse_options: pa.csv.ParseOptions,
    convert_options: pa.csv.ConvertOptions,
    *,
    compression: str | None = "detect",
    charset: str | None = None,
    skip_rows: int = 0,
    header: bool = True,
    n_bytes: int = _BYTES,
    block: int = _BLOCK,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV file as record batches.

    Parameters
    ----------
    path : str
    names : sequence of str
        Of all columns of the file.
    parse_options : pyarrow.csv.ParseOptions
        With quotes that are doubled inside quotes, and no other escapes.
    convert_options : pyarrow.csv.ConvertOptions
    compression : str or None, default="detect"
        As for `pyarrow.input_stream`.
    charset : str, optional
        The encoding, if it is not UTF-8.
    skip_rows : int, default=0
        Lines before the header.
    header : bool, default=True
        Whether the first row is a header.
    n_bytes, block : int, optional
        Bytes of rows that are read at once, and that a thread parses.
    """
    pa = require_pyarrow()
    # Threads of older versions may wait for each other forever if a row is longer than a block.
    threads = int(pa.__version__.partition(".")[0]) >= 23
    n_rows = int(header)
    blanks = parse_options.delimiter == " "
    with csv_stream(path, compression, charset, blanks=blanks) as stream:
        for _ in range(skip_rows):
            _skip_line(stream)
        for number, rows in enumerate(whole_rows(stream, parse_options.delimiter, n_bytes)):
            if number and rows.isspace():
                continue
            first = 0 if number or not header else rows.find(b"\n") + 1  # is in the first block
            size = _block_size(rows, max(block, first))
            options = read_options(size, names, header=header and not number)
            options.use_threads = threads
            how = parse_options, convert_options
            try:
                table = pa.csv.read_csv(pa.BufferReader(rows), options, *how)
            except pa.ArrowInvalid:  # a row longer than a block, or an error: which row has it?
                options.use_threads, options.block_size = False, len(rows) + 1
                try:
                    table = pa.csv.read_csv(pa.BufferReader(rows), options, *how)
                except pa.ArrowInvalid as error:
                    message = _counted_on(str(error), n_rows if number else 0)
                    raise pa.ArrowInvalid(message) from None
            n_rows += table.num_rows
            yield from table.to_batches()


def _skip_line(stream: pa.NativeFile) -> None:
    while stream.read(1) not in (b"\n", b""):
        pass


def keeps_line_breaks(path: PathLike, block: int = _BLOCK) -> bool:
    """Return whether no two blocks of a file have a CR and its LF between them.

    pyarrow can read such a file by itself.
    """
    with open(path, "rb", buffering=0) as file:
        length = file.seek(0, os.SEEK_END)
        for position in range(block, length, block):
            file.seek(position - 1)
            if file.read(2) == b"\r\n":
                return False
    return True


def _counted_on(message: str, n_rows: int) -> str:
    """Return an error of pyarrow that counts rows from the beginning of the file."""
    return re.sub(r"Row #(\d+)", lambda found: f"Row #{int(found[1]) + n_rows}", message, count=1)


def whole_rows(stream: pa.NativeFile, delimiter: str, n_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a stream in parts that end where a row does."""
    rest, wanted = b"", n_bytes
    while True:
        part = stream.read(max(1, wanted - len(rest)))
        rest += part
        end = _end_of_rows(rest, ord(delimiter)) if part else len(rest)
        if end:
            yield rest[:end]
        if not part:
            return
        # A row longer than what was read is looked for in twice as much.
        wanted = n_bytes if end else 2 * max(wanted, len(rest))
        rest = rest[end:]


def _end_of_rows(data: bytes, delimiter: int) -> int:
    """Return the position after the last LF outside quotes, 0 if there is none.

    `data` begin at a row. A quote opens where a field begins, and closes unless another follows.
    """
    end = data.rfind(b"\n")
    if b'"' not in data:
        return end + 1
    begins, ends = _quoted(data, delimiter)
    while end >= 0:
        k = int(np.searchsorted(begins, end)) - 1  # the last that begins before
        if k < 0 or ends[k] < end:
            return end + 1
        end = data.rfind(b"\n", 0, int(begins[k]))
    return 0


def _quoted(data: bytes, delimiter: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where quoted parts of fields begin and end; one that does not ends after all."""
    values = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(values == _QUOTE)
    if len(quotes):
        before = values[quotes[::2] - 1]  # of the first it may be anything: see below
        opens = (before == delimiter) | (before == _LF) | (before == _CR) | (before == _QUOTE)
        if not (opens[1:].all() and (opens[0] or quotes[0] == 0)):
            return _quoted_one_by_one(data, quotes.tolist(), delimiter)
    begins, ends = quotes[::2], quotes[1::2]
    return begins, ends if len(ends) == len(begins) else np.append(ends, len(data))


def _quoted_one_by_one(
    data: bytes, quotes: list[int], delimiter: int
) -> tuple[np.ndarray, np.ndarray]:
    """See `_quoted`; some quotes are inside fields that are not quoted."""
    begins: list[int] = []
    ends: list[int] = []
    skipped = -1
    for k, position in enumerate(quotes):
        if position == skipped:
            continue
        if len(begins) == len(ends):
            if position == 0 or data[position - 1] in (delimiter, _LF, _CR):
                begins.append(position)
        elif k + 1 < len(quotes) and quotes[k + 1] == position + 1:
            skipped = position + 1
        else:
            ends.append(position)
    if len(ends) < len(begins):
        ends.append(len(data))
    return np.array(begins, dtype=np.intp), np.array(ends, dtype=np.intp)


def _block_size(rows: bytes, least: int) -> int:
    """Return a size of blocks, from `least` up, that separates no CR from its LF."""
    for size in range(least, len(rows), _STEP):
        if all(rows[k - 1 : k + 1] != b"\r\n" for k in range(size, len(rows), size)):
            return size
    return max(least, len(rows))
