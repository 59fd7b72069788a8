"""Columns as the options of the command line list them: names, indices and patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fastridge.cli.arguments import split_commas
from fastridge.cli.errors import CommandError
from fastridge.data.column_roles import column_named

if TYPE_CHECKING:
    from fastridge.data.files import FileTable

_MAGIC = re.compile(r"[*?]|\[.+\]")


def columns_of(
    flag: str, words: Sequence[str] | None, table: FileTable, others: Sequence[str] = ()
) -> list[str] | None:
    """Return the columns that words name: by commas, indices, or patterns such as ``x*``.

    A pattern does not stand for the columns of `others`.
    """
    if words is None:
        return None
    given: list[str] = []
    for word in words:
        parts = [word] if word in table.types else split_commas([word])
        given += parts
        if not parts:
            raise CommandError(f"argument {flag}: {word!r} names no column")
    names: list[str] = []
    for word in given:
        name = column_named(word, table.names, table.name)
        if name in table.types or not _MAGIC.search(name):
            names.append(name)
            continue
        found = [one for one in table.names if fnmatchcase(one, name) and one not in others]
        if not found:
            raise CommandError(f"argument {flag}: no column of {table.name} matches {name!r}")
        names += found
    return list(dict.fromkeys(names))
