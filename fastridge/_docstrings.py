"""Docstrings that share the texts of parameters and attributes."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, TypeVar

Entries: TypeAlias = Mapping[str, tuple[str, str]]
"""Type and text of parameters, attributes and exceptions, by name; exceptions have no type."""

Documented = TypeVar("Documented")

_HEADINGS = ("Parameters", "Attributes", "Returns", "Raises")


def entries(section: str) -> dict[str, tuple[str, str]]:
    """Return the entries of a numpydoc section, which begins at the left margin."""
    found = {}
    for entry in re.split(r"\n(?=\S)", section.strip("\n")):
        head, _, text = entry.partition("\n")
        name, _, kind = head.partition(" : ")
        found[name] = kind, text
    return found


def documented(shared: Entries) -> Callable[[Documented], Documented]:
    """Complete the docstring of a class or function from shared entries.

    Names alone, separated by commas, stand for the shared entries of these names, and
    ``Parameters: X, y`` stands for a section of them. The shared entry ``Self`` is given the name
    of the class. An entry that has a type but no text takes the shared text.
    """

    def complete(what: Documented) -> Documented:
        if what.__doc__ is not None:  # it is None with python -OO
            owner = getattr(what, "__qualname__", "").rpartition(".")[0].rpartition(".")[2]
            what.__doc__ = "\n".join(_completed(what.__doc__.split("\n"), shared, owner))
        return what

    return complete


def _completed(lines: list[str], shared: Entries, owner: str) -> Iterator[str]:
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        heading, _, entry = line.strip().partition(": ")
        if heading not in _HEADINGS:
            heading, entry = "", line.strip()
        name, _, kind = entry.partition(" : ")
        names = [name] if name in shared else name.rstrip(",").split(", ")
        if names[0] not in shared or _margin(following) > _margin(line):
            yield line
            continue
        margin = " " * _margin(line)
        if heading:
            yield margin + heading
            yield margin + "-" * len(heading)
        for name in names:
            shared_kind, text = shared[name]
            shown = owner if name == "Self" else name
            yield margin + " : ".join(filter(None, (shown, kind or shared_kind)))
            yield margin + text.replace("\n", "\n" + margin)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())
