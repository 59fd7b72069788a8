"""Tables of coefficients: as text, as HTML, as a DataFrame."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Facts = Sequence[tuple[str, str]]


def cells_of(names: Sequence[str], values: np.ndarray, formats: Sequence[str]) -> list[list[str]]:
    """Return each name with its values as text, empty for NaN."""
    return [
        [name, *("" if np.isnan(v) else f.format(v) for f, v in zip(formats, row, strict=True))]
        for name, row in zip(names, values, strict=True)
    ]


def text_of_facts(facts: Facts) -> list[str]:
    """Return a line for each fact, their texts below each other."""
    width = max(len(heading) for heading, _ in facts)
    return [f"{heading:<{width}}  {text}" for heading, text in facts]


def text_of_table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for the headings and one for each row, columns to the right but the first."""
    table = [headings, *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        first = f"{row[0]:<{widths[0]}}"
        rest = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([first, *rest]).rstrip())
    return lines


def html_of_facts(facts: Facts) -> str:
    """Return an HTML table of facts."""
    rows = (
        f"<tr><th>{html.escape(heading)}</th><td>{html.escape(text)}</td></tr>"
        for heading, text in facts
    )
    return f"<table>{''.join(rows)}</table>"


def html_of_table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return an HTML table, the first cell of each row as its heading."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr><th>{html.escape(row[0])}</th>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in cells
    )  # fmt: skip
    return f"<table><tr>{head}</tr>{body}</table>"


def frame_of(
    tables: Sequence[np.ndarray],
    names: Sequence[str],
    columns: Sequence[str],
    keys: Iterable[object],
    what: str,
) -> pd.DataFrame:
    """Return a table as a DataFrame, or several below each other, with a key for each of `what`."""
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            "to_frame needs pandas, which is not installed: run  pip install pandas"
        ) from None
    frames = [pd.DataFrame(table, index=names, columns=list(columns)) for table in tables]
    if len(frames) == 1:
        return frames[0]
    return pd.concat(frames, keys=keys, names=[what, "name"])
