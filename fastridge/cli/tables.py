"""Tables and lines on the standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from fastridge.cli.errors import printable, require

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 100  # where the output is no terminal
_LONGEST = 300  # of a list of columns


def print_pairs(title: str, rows: Sequence[tuple[str, str]]) -> Console:
    """Print a table of headings and texts; the console it went to."""
    console = open_console()
    print_table(console, title, rows)
    return console


def open_console() -> Console:
    """Return the standard output for tables."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH
    console = require("rich.console", "cli").Console(file=sys.stdout, width=width, highlight=False)
    console.on_broken_pipe = _broken_pipe  # rich would end the process
    return console


def _broken_pipe() -> NoReturn:
    raise BrokenPipeError


def print_table(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a table of headings and texts, of which long ones are cut."""
    print_title(console, title)
    table = require("rich.table", "cli").Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text in rows:
        table.add_row(heading, escape(_cut(text)))
    console.print(table)


def print_title(console: Console, title: str) -> None:
    """Print the heading of a table."""
    console.print(escape(title), style="bold", soft_wrap=True)


def print_line(console: Console, text: str) -> None:
    """Print a line that is not broken."""
    console.print(escape(text), soft_wrap=True)


def _cut(text: str) -> str:
    """Return text without the ends of long lists, but with the reasons after them."""
    if len(text) <= _LONGEST:
        return text
    parts = []
    for part in text.split("; "):
        names, colon, why = part.rpartition(": ")
        parts.append(_cut_list(names) + colon + why if colon else _cut_list(why))
    return "; ".join(parts)


def _cut_list(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    end = text.rfind(", ", 0, _LONGEST)
    return text[: end if end > 0 else _LONGEST] + ", ... (--json has all)"


def escape(text: str) -> str:
    """Return text that a terminal only shows, and whose brackets are not markup."""
    escaped: str = require("rich.markup", "cli").escape(printable(text))
    return escaped
