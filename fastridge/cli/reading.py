"""The options of the command line that say how files are read; those of `fastridge.scan`."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import fields

from fastridge.cli.errors import CommandError
from fastridge.data.batches import Remedy
from fastridge.data.csv_options import CsvOptions

_TEXT_OPTIONS = ("na_values", "decimal", "thousands", "date_format", "skip_rows", "delimiter")
_FLAGS = {
    "header": {True: "--header", False: "--no-header"},
    "keep_default_na": {False: "--no-default-na"},
    "charset": "--encoding",
}
_OF_PYTHON: dict[str, dict[object, str]] = {"nulls": {"drop": "rows that have none"}, "hashed": {}}
"""Options that the command line does not have, and what to do instead for some of their values."""


def add_reading(command: argparse.ArgumentParser) -> None:
    """Add the options that say what text in CSV files means."""
    group = command.add_argument_group("CSV files")
    group.add_argument(
        "--na-values",
        metavar="TEXT",
        action="append",
        default=[],
        help="cells that are missing values, in addition to blanks, NA, N/A, NaN, null, None, "
        "<NA>, \\N, ?, - and . (may be given several times)",
    )
    group.add_argument(
        "--no-default-na",
        dest="keep_default_na",
        action="store_false",
        help="only empty cells and --na-values are missing values",
    )
    group.add_argument("--decimal", metavar="CHAR", default=".", help="decimal point, such as ,")
    group.add_argument("--thousands", metavar="CHAR", help="what separates thousands, such as ,")
    group.add_argument(
        "--date-format",
        metavar="FORMAT",
        action="append",
        help="how dates, or times, are written, such as %%d/%%m/%%Y, in addition to ISO 8601 (may "
        "be given several times)",
    )
    group.add_argument(
        "--numeric",
        metavar="COL,COL,...",
        action="append",
        default=[],
        help="columns of numbers with signs of currencies or percents, or in parentheses",
    )
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether the first line names the columns; otherwise they are 0, 1, ...",
    )
    group.add_argument(
        "--skip-rows", metavar="N", type=int, default=0, help="lines before the header"
    )
    group.add_argument("--delimiter", metavar="CHAR", help="what separates values: , ; | or \\t")
    group.add_argument(
        "--encoding",
        dest="charset",
        metavar="NAME",
        help="encoding of text, such as latin-1 (default: UTF-8)",
    )


def add_keep_and_drop(columns: argparse._ArgumentGroup) -> None:
    """Add the options that change which columns are features."""
    columns.add_argument(
        "--keep",
        metavar="COL,COL,...",
        action="append",
        default=[],
        help="columns to use although they number or identify the rows, or are constant",
    )
    columns.add_argument(
        "--drop",
        metavar="COL,COL,...",
        action="append",
        default=[],
        help="columns not to predict from",
    )


def csv_options(args: argparse.Namespace) -> CsvOptions:
    """Return the options of `add_reading`. Raises CommandError for values that cannot be.

    Those that name columns are left out, as the names are not known before the files are opened.
    """
    names = [field.name for field in fields(CsvOptions) if field.name != "numeric"]
    given = {name: getattr(args, name) for name in names}
    if args.delimiter in ("\\t", "tab"):
        given["delimiter"] = "\t"
    try:
        return CsvOptions(**given)
    except ValueError as error:
        words = re.sub(rf"\b({'|'.join(_TEXT_OPTIONS)})\b", _flag_of, str(error))
        raise CommandError(words.replace("charset", "--encoding").rstrip(".")) from None


def _flag_of(found: re.Match[str]) -> str:
    return "--" + found[0].replace("_", "-")


def as_option(remedy: Remedy) -> str:
    """Return a remedy of `scan` as an option of the command line, if there is such."""
    if remedy.option in _OF_PYTHON:
        instead = _OF_PYTHON[remedy.option]
        return next((words for value, words in instead.items() if value == remedy.value), "")
    flag = _FLAGS.get(remedy.option, "--" + remedy.option.replace("_", "-"))
    values = remedy.value if isinstance(remedy.value, list) else [remedy.value]
    if isinstance(flag, dict):
        written = flag[bool(remedy.value)]
    else:
        quoted = [
            str(value) if remedy.option == "model" else _quoted(str(value)) for value in values
        ]
        written = " ".join(
            f"{flag}={value}" if value.startswith("-") else f"{flag} {value}" for value in quoted
        )
    return f"{written} {remedy.when}".rstrip()


def _quoted(value: str) -> str:
    """Return a value as a shell reads it; line breaks and the like are escaped."""
    if value.isprintable():
        return shlex.quote(value)
    return f"$'{''.join(map(_escaped, value))}'"


def _escaped(character: str) -> str:
    code = ord(character)
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 128 else f"\\U{code:08x}"
