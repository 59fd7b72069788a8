"""The protocol of a table, for the code that reads its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from fastridge.data.columns import Fits
from fastridge.data.csv_options import CsvOptions
from fastridge.data.feature_encoding import EncodingOptions

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

B = TypeVar("B")


class Table(Protocol[B]):
    """A table whose rows can be read again from some row on; a block is a part of it.

    Attributes
    ----------
    name : str
        What errors call it.
    names : list of str
    types : dict of str to pyarrow.DataType
    index : set of str
        Columns that number the rows.
    text : CsvOptions or None
        How text becomes values, where types are guesses at what it means.
    filter : pyarrow.dataset.Expression or None
    n_rows : int or None
        None if it is not known without reading.
    runs : sequence of blocks
        All rows, in blocks; no batch holds rows of two blocks.
    repeatable : bool
        Whether it can be read more than once.
    prefetches : bool
        Whether threads should read blocks in advance.
    """

    name: str
    names: list[str]
    types: dict[str, pa.DataType]
    index: set[str]

    @property
    def text(self) -> CsvOptions | None: ...

    @property
    def filter(self) -> pa.dataset.Expression | None: ...

    @property
    def n_rows(self) -> int | None: ...

    @property
    def runs(self) -> Sequence[B]: ...

    @property
    def repeatable(self) -> bool: ...

    @property
    def prefetches(self) -> bool: ...

    def count(self, run: B) -> int:
        """Return the number of rows of a run, where `n_rows` is known."""

    def blocks(self, least: int) -> Sequence[B]:
        """Return blocks of at least some `least` rows; none if there is only one order."""

    def from_row(self, run: B, row: int) -> tuple[B, int]:
        """Return what to read for the rows from `row` on, and how many of those come before it."""

    def tables(
        self, block: B, columns: Sequence[str], step: int, prefetch: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield record batches of at most `step` rows, and where each is from."""

    def unify(
        self, columns: Sequence[str], options: EncodingOptions, droppable: Collection[str]
    ) -> None:
        """Find one type for each column, of which some need not be read."""

    def widen(self, name: str, value: str) -> bool:
        """Read a column as a wider type, which holds a value; return whether there is one."""

    def position_of(self, name: str, fits: Fits) -> str:
        """Return where the first value of a column is whose text fits."""

    def identity(self) -> dict[str, object]:
        """See `RowSource`."""
