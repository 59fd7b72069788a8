"""Errors that the command line prints as one line."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Sequence
from types import ModuleType


class CommandError(Exception):
    """A mistake in the arguments or the data: its text is the one line that is printed."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != package:
            raise
        raise CommandError(
            f"{package} is not installed: run  pip install 'fastridge-solvers[{extra}]'"
        ) from None


def printable(text: str) -> str:
    r"""Return text with every character that a terminal would obey, or not show, escaped.

    Examples
    --------
    >>> from fastridge.cli.errors import printable
    >>> print(printable("a\x1b[31m, Ōsaka\n"))
    a\x1b[31m, Ōsaka\n
    """
    if text.isprintable():
        return text
    with contextlib.suppress(UnicodeEncodeError):  # names of files in another locale than theirs
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def decoded(word: str) -> str:
    """Return an argument as UTF-8, whatever the locale, if it is text in UTF-8."""
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        return word


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def reason(error: OSError) -> str:
    """Return why a file cannot be read or written, in the words of the system."""
    return os.strerror(error.errno) if error.errno else str(error)


def name_list(names: Sequence[str], limit: int = 12) -> str:
    """``a, b, c`` or, of many, the first of them and how many more there are."""
    shown = ", ".join(names[:limit])
    more = len(names) - limit
    return f"{shown} and {more} more" if more > 0 else shown
