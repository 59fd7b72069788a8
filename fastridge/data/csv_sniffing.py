"""Sniffing: encoding, delimiter and header of a text file from its first bytes."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from fastridge.data.batches import Remedy, ScanError, quoted
from fastridge.data.csv_options import CsvOptions
from fastridge.data.notations import plain_number

#: Bytes that are looked at.
SNIFFED = 1 << 16
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MOST_LINES = 20
_SVMLIGHT = re.compile(
    rb"[+-]?[\d.]+(?:[eE][+-]?\d+)?(?:,[\d.]+)*((?:\s+(?:qid|-?\d+):\S+)*)\s*(?:#.*)?"
)
_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save it as CSV",
    b"\xfd7zXZ\x00": "compressed by xz: unpack it, or compress it by gzip or zstd",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV",
    b"PARE": "an encrypted Parquet file: decrypt it first",
    b"\x89HDF": "an HDF5 file: write it as Parquet",
    b"\x93NUMPY": "a NumPy file: its name must end in .npy",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
    b"Obj\x01": "an Avro file: write it as Parquet",
    b"ORC": "an ORC file: write it as Parquet",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
}


class Dialect(NamedTuple):
    """The form of the rows of a text file.

    Attributes
    ----------
    delimiter : str
    skip_rows : int
        Lines before the header, or before the first row.
    first_row : list of str
        The header, or the first row if there is none.
    """

    delimiter: str
    skip_rows: int
    first_row: list[str]


def charset_of(start: bytes) -> str | None:
    """Return the encoding that a byte order mark names, None for UTF-8."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)


def refuse_other_formats(path: str, start: bytes) -> None:
    """Raise ScanError for a file whose first bytes are those of a format that is not read."""
    for magic, what in _FORMATS.items():
        if start.startswith(magic):
            raise ScanError(f"{path} is {what}.")


def is_svmlight(start: bytes) -> bool:
    """Return whether the first lines are those of a svmlight file, but for a few mistakes.

    Rows may hold zeros only, but not all of them.
    """
    lines = [line for line in start.split(b"\n") if line.strip() and not line.startswith(b"#")]
    if len(start) == SNIFFED:
        lines = lines[:-1] or lines
    found = [_SVMLIGHT.fullmatch(line.strip()) for line in lines[:_MOST_LINES]]
    if not found or found[0] is None or found.count(None) > len(found) // 10:
        return False
    rest = (_SVMLIGHT.fullmatch(line.strip()) for line in lines[_MOST_LINES:])
    return any(row is not None and row[1] for row in itertools.chain(found, rest))


def dialect_of(path: str, start: bytes, options: CsvOptions) -> Dialect:
    """Return how rows are cut from a file, of whose text in UTF-8 these are the first bytes.

    Raises ScanError for text that is no table, and for what only a user can tell.
    """
    if start.startswith((b"PAR1", b"ARROW1")) or is_svmlight(start):
        raise ScanError(f"{path} is a compressed Parquet, Arrow or svmlight file: unpack it.")
    start = start.removeprefix(codecs.BOM_UTF8)
    if b"\x00" in start:
        message = f"{path} is not a Parquet, CSV (in UTF-8) or Arrow file"
        if start[1::2].count(b"\x00") > len(start) // 4 and b"\x00" not in start[::2]:
            raise ScanError(message, Remedy("charset", "utf-16-le", "for text of Windows"))
        raise ScanError(f"{message}.")
    skip, delimiter = options.skip_rows, options.delimiter
    lines = start.split(b"\n")
    told = re.fullmatch(rb"(?i)sep=(.)\r?", lines[skip]) if skip < len(lines) else None
    if told:  # as Excel writes it
        skip, delimiter = skip + 1, delimiter or told[1].decode("latin-1")
    rest = b"\n".join(lines[skip:])
    if not rest.strip():
        raise ScanError(f"{path} holds no rows: nothing but blanks and ends of lines.")
    if re.match(rb"\s*(\[\s*)?\{", rest):
        raise ScanError(
            f"{path} holds JSON, which is not read: write it as CSV or Parquet, for example by "
            "pandas.read_json(path, lines=True).to_parquet(...)."
        )
    if re.match(rb"(?i)\s*<(!doctype|html|\?xml)", rest):
        raise ScanError(f"{path} holds HTML or XML, not a table: save the data as CSV.")
    if re.match(rb"(?i)\s*@relation", rest):
        raise ScanError(f"{path} is an ARFF file, which is not read: write it as CSV.")
    if len(start) < SNIFFED and not re.search(rb"[\r\n]", rest.lstrip()):
        raise ScanError(f"{path} holds nothing but one line, which has no end: add a line break.")
    header = rest.split(b"\n", 1)[0]
    try:
        header.decode()
    except UnicodeDecodeError as error:
        near = header[max(0, error.start - 20) : error.end + 20]
        raise not_utf8(f"{path}, line {skip + 1}: the header holds {near!r}, which") from None
    whole = [line for line in _unquoted(rest) if line.strip()] or [b""]
    if delimiter is None:
        _refuse_preamble(path, whole, rest, skip)
        delimiter = " " if _has_blanks(whole) else _delimiter(whole)
    rows = _rows(rest, delimiter)
    first = rows[0] if rows else []
    if options.header is not False and rows[1:]:
        _refuse_short_header(path, len(first), rows[1:], skip)
    if options.header is None and _is_row(first, rows[1:], options):
        shown = ", ".join(map(quoted, first[:3]))
        raise ScanError(
            f"{path} seems to have no header: its first line holds {shown}"
            f"{', ...' if len(first) > 3 else ''}, as the lines after it do",
            Remedy("header", False, "(columns are then 0, 1, ..., and -1 is the last)"),
            Remedy("header", True, "if these are names"),
        )
    return Dialect(delimiter, skip, first)


def not_utf8(what: str) -> ScanError:
    """Return the error for text in another encoding than UTF-8."""
    return in_other_charset(what, "UTF-8")


def in_other_charset(what: str, charset: str) -> ScanError:
    """Return the error for text in another encoding than `charset`."""
    if charset.lower().replace("_", "-") == "utf-16":  # it lacks the mark that says the order
        likely = {"utf-16-le": "for text of Windows", "utf-8": "for that of most other programs"}
    else:
        likely = {"cp1252": "for text of Western Windows", "latin-1": ""}
    fixes = [Remedy("charset", *one) for one in likely.items() if one[0] != charset]
    *others, last = fixes
    last = last._replace(when=f"{last.when} or the encoding that it was written in".strip())
    return ScanError(f"{what} is not {charset}", *others, last)


def _unquoted(rest: bytes) -> list[bytes]:
    """Return the first lines without what is in quotes."""
    lines = re.sub(rb'"[^"]*"', b'""', rest).split(b"\n")
    if len(rest) >= SNIFFED // 2:  # the last line may be cut
        lines = lines[:-1] or lines
    return lines[:_MOST_LINES]


def _delimiter(lines: Sequence[bytes]) -> str:
    """Return which of ``, ; tab |`` separates the first lines.

    It is as often in each of them; if none is, the most frequent one of the first line.
    """

    def rank(delimiter: str) -> tuple[bool, int]:
        counts = [line.count(delimiter.encode()) for line in lines]
        return 0 < min(counts) == max(counts), counts[0]

    return max(",;\t|", key=rank)


def _refuse_preamble(path: str, lines: Sequence[bytes], rest: bytes, skip: int) -> None:
    """Raise ScanError where lines before the header are comments, or a title.

    `lines` are those of the `rest` that are not blank.
    """
    n_comments = 0
    while n_comments < len(lines) and lines[n_comments].startswith((b"#", b"%", b"//")):
        n_comments += 1
    if len(lines) < n_comments + 2:
        return
    if n_comments and _widest(lines[0]) < _widest(lines[n_comments]):
        n_before = n_comments
    else:
        widths = [_widest(line) for line in lines]
        body = widths[-1]
        n_before = next((k for k, width in enumerate(widths) if width == body), 0)
        if not 0 < n_before < len(lines) - 1 or body < 2 or max(widths[:n_before]) > 1:
            return
    shown = lines[0].strip()[:40].decode("utf-8", "replace")
    positions = [k for k, line in enumerate(rest.split(b"\n"), skip) if line.strip()]
    raise ScanError(
        f"{path} does not begin with a header: line {positions[0] + 1} holds {shown!r}, and later "
        "lines more columns",
        Remedy("skip_rows", positions[n_before], "to skip what comes before the header"),
    )


def _widest(line: bytes) -> int:
    return 1 + max(line.count(mark) for mark in (b",", b";", b"\t", b"|"))


def _has_blanks(lines: Sequence[bytes]) -> bool:
    """Return whether blanks separate columns, some of which hold numbers."""
    if any(mark in lines[0] for mark in (b",", b";", b"|", b"\t")):
        return False
    number = re.compile(plain_number(".").encode(), re.IGNORECASE)
    has_numbers = any(number.match(word) for line in lines[1:] for word in line.split())
    header, *widths = (len(line.split()) for line in lines)
    is_even = len({*widths, header}) == 1 or {*widths} == {header + 1}  # as R writes tables
    return has_numbers and is_even and header > 1


def _refuse_short_header(path: str, n: int, rows: Sequence[Sequence[str]], skip: int) -> None:
    """Raise ScanError where each row has one field more than the header, as R writes them."""
    if any(len(row) != n + 1 for row in rows):
        return
    raise ScanError(
        f"{path}: the header has {n} names, and each line after it {n + 1} fields: add a name to "
        "the header, or do without it",
        (
            Remedy("skip_rows", skip + 1),
            Remedy("header", False, "(columns are then 0, 1, ..., and -1 is the last)"),
        ),
    )


def _rows(rest: bytes, delimiter: str) -> list[list[str]]:
    """Return the fields of the first rows."""
    text = rest.decode("utf-8", "replace")
    if delimiter == " ":
        text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 and len(rest) >= SNIFFED // 2:
        lines = lines[:-1]
    try:
        rows = csv.reader(lines[:_MOST_LINES], delimiter=delimiter)
        return [row for row in rows if row]
    except csv.Error:
        return []


def _is_row(first: Sequence[str], rows: Sequence[Sequence[str]], options: CsvOptions) -> bool:
    """Return whether the first row holds numbers wherever the other rows do."""
    number = re.compile(plain_number(options.decimal), re.IGNORECASE)
    rows = [row for row in rows if len(row) == len(first)]
    if not rows or not first:
        return False
    marks = set(options.marks())
    n_numbers = 0
    for k, field in enumerate(first):
        held = [row[k].strip() for row in rows if row[k].strip() not in marks]
        if held and all(number.match(value) for value in held):
            if number.match(field):
                n_numbers += 1
            elif field.strip() not in marks - {""}:
                return False
    return n_numbers > 0
