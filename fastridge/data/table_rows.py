"""Rows of files, data frames and other tables: one way from Arrow record batches to numbers."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from fastridge.data.batches import Batch, Reading, ScanError, rows_of_batch
from fastridge.data.batching import MIXED_BLOCKS, Chunk, Features, Span, in_batches, joined, mixed
from fastridge.data.column_roles import Columns
from fastridge.data.columns import CellError, require_pyarrow, without_views
from fastridge.data.doubtful_text import notation_error, stray_error
from fastridge.data.feature_encoding import Encoding, EncodingOptions
from fastridge.data.notations import notation_remedies, numbers_among
from fastridge.data.schema import Numbers, RowCounts, Texts, check_rows
from fastridge.data.sparse_batch import SparseBatch
from fastridge.data.splitting import HELD_OUT, FoldStream, Split
from fastridge.data.table_files import ConversionError
from fastridge.data.tables import B, Table
from fastridge.runtime.buffers import Buffers
from fastridge.runtime.prefetch import prefetched

if TYPE_CHECKING:
    import pyarrow as pa

_PREFETCHED = 4  # batches that pyarrow reads before they are used
_PASS_ROWS = 1 << 16  # of a record batch where a pass needs only columns


class Selection(NamedTuple):
    """Which rows of a pass are taken.

    Attributes
    ----------
    folds : FoldStream or None
        Draws the folds of rows that come in their order.
    part : {"training", "held out"} or None
    counts : RowCounts or None
        Counts the rows.
    """

    folds: FoldStream | None = None
    part: str | None = None
    counts: RowCounts | None = None


class Taken(NamedTuple):
    """A record batch, and which of its rows are taken.

    Attributes
    ----------
    table : pyarrow.RecordBatch or SparseBatch
    rows : ndarray or None
        Indices, None for all.
    fold : ndarray or None
        Of all rows.
    where : str
        The file, and the first row.
    """

    table: pa.RecordBatch | SparseBatch
    rows: np.ndarray | None
    fold: np.ndarray | None
    where: str


class TableRows(Generic[B]):
    """Rows of a table as a source of a scan; see `fastridge.data.batches.RowSource`.

    Parameters
    ----------
    table : Table
    features, target, weights, fold, offset, exposure
        See `fastridge.scan`.
    options : EncodingOptions
    split : Split, optional
        Draws the fold of each row, and which rows are held out. Rows come in their order then.
    progress : callable, optional
        Called with the number of rows of each record batch of the pass that infers the schema.
    keeps_all : bool, default=False
        Whether rows without a target are kept, with NaN.

    Attributes
    ----------
    counts : RowCounts
        Of the pass that found the encoding, if there was one.
    part : {"training", "held out"} or None
        The rows to give where there is a `split`; None gives all.
    progress : callable or None
    """

    decodes = True
    part: str | None = None
    _asked_dense = False

    def __init__(
        self,
        table: Table[B],
        *,
        features: Sequence[str] | None = None,
        target: str | Sequence[str] | None = None,
        weights: str | None = None,
        fold: str | None = None,
        offset: str | None = None,
        exposure: str | None = None,
        options: EncodingOptions,
        split: Split | None = None,
        progress: Callable[[int], None] | None = None,
        keeps_all: bool = False,
    ) -> None:
        self.table, self.split, self.progress = table, split, progress
        self._options = options
        self.repeatable = table.repeatable
        self._buffers = Buffers()
        self.counts = RowCounts()
        names = table.names, features, target, weights, fold
        self.columns = Columns(
            *names,
            options,
            table.name,
            table.index,
            keeps_all=keeps_all,
            offset=offset,
            exposure=exposure,
        )
        table.unify(self.columns.all, options, self.columns.droppable)
        self.columns.check(table)
        if options.active:
            self.columns.use(self._encoding_of(options))
            self.dtype: DTypeLike = np.float64
        else:
            self.dtype = self.columns.float_type(table.types)
        self.feature_names: list[str] | None = self.columns.feature_names
        self.target_names: list[str] | None = self.columns.targets or None
        takes_all = table.filter is None and self.columns.nulls == "error" and split is None
        self.n_rows = table.n_rows if takes_all else None

    @property
    def offset(self) -> str | None:
        """Column of offsets."""
        return self.columns.offset

    @property
    def exposure(self) -> str | None:
        """Column of exposures."""
        return self.columns.exposure

    @property
    def files(self) -> list[str]:
        """Paths of the files that are read."""
        return [os.fspath(file.source) for file in getattr(self.table, "files", ())]

    def rows_of(
        self,
        part: str | None,
        progress: Callable[[int], None] | None = None,
        dtype: DTypeLike | None = None,
        *,
        dense: bool = False,
    ) -> TableRows[B]:
        """Return these rows, or a part of them; encoded features are of `dtype`, and `dense`."""
        rows = copy.copy(self)
        rows.part, rows.progress = part, progress
        rows.dtype = self.dtype if dtype is None else dtype
        rows._asked_dense = dense
        return rows

    @property
    def is_sparse(self) -> bool:
        """True if batches are CSR matrices because most values of the table are zero."""
        return self.table.values_per_row is not None and not self._asked_dense

    @property
    def _is_dense(self) -> bool:
        hashed = self.columns.encoding is not None and self.columns.encoding.hashed
        return not self.is_sparse and not hashed

    @property
    def _width(self) -> int:
        """The number of values that a row of a batch has."""
        if self.is_sparse:
            return max(1, round(self.table.values_per_row or 0.0))
        return self.columns.n_features

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`."""
        step = reading.n_rows or rows_of_batch(self._width)
        blocks: Sequence[B] = ()
        if reading.seed is not None and self.split is None:
            blocks = self.table.blocks(step)
        spans = self._in_order(step, reading.skip)
        if blocks:
            each = max(1, _PREFETCHED // MIXED_BLOCKS)
            spans = mixed(
                blocks,
                int(reading.seed or 0),
                lambda block: self._chunks(block, step, each, Selection()),
                step,
                reading.skip,
                prefetch=self.table.prefetches,
            )
        try:
            with closing(spans):
                for batch in spans:
                    how = self.dtype, reading.row_major, self._buffers
                    yield joined(batch, *how, by_fold=reading.by_fold)
        except (ConversionError, CellError) as error:
            raise self._located(error) from None
        except UnicodeDecodeError:
            raise ScanError(f"{self.table.name}: text is damaged: it is not UTF-8.") from None

    def _in_order(self, step: int, skip: int) -> Generator[list[Span], None, None]:
        """Yield batches of one run after the other, without the first `skip`."""
        selection = Selection(self._folds(), self.part)
        for run in self.table.runs:
            block, before = run, skip * step
            if self.n_rows is not None:
                n_rows = self.table.count(run)
                if skip and n_rows <= before:
                    skip -= -(-n_rows // step)
                    continue
                block, before = self.table.from_row(run, before)
                skip = 0
            passed = [0]
            chunks = self._chunks(block, step, _PREFETCHED, selection, before, passed)
            yield from in_batches(chunks, step)
            skip = max(0, skip - -(-passed[0] // step))

    def _chunks(
        self,
        block: B,
        step: int,
        prefetch: int,
        selection: Selection,
        before: int = 0,
        passed: list[int] | None = None,
    ) -> Iterator[Chunk]:
        """Yield the rows of a block as numbers, without the first; `passed` counts all of them."""
        done = 0
        for taken in self._tables(block, self.columns.all, step, prefetch, selection):
            table, rows, fold, where = taken
            if rows is not None:
                table = table.take(rows)
                fold = None if fold is None else fold[rows]
            left_out = min(max(0, before - done), table.num_rows)
            done += table.num_rows
            if passed is not None:
                passed[0] = done
            if left_out == table.num_rows:
                continue
            chunk = self.columns.chunk(table.slice(left_out), where)
            X = chunk.X
            if not isinstance(X, (list, Features)):
                if self._is_dense and not isinstance(X, np.ndarray):
                    X = X.toarray()
                chunk = chunk._replace(X=X.astype(self.dtype, copy=False))
            yield chunk if fold is None else chunk._replace(fold=fold[left_out:])

    def _tables(
        self, block: B, columns: Sequence[str], step: int, prefetch: int, selection: Selection
    ) -> Generator[Taken, None, None]:
        """Yield record batches, which of their rows are taken, and where these are."""
        for given, where in self.table.tables(block, columns, step, prefetch):
            table, n_rows = given, given.num_rows
            if not isinstance(given, SparseBatch):
                table = without_views(given)
            taken = complete = self.columns.complete(table, where)
            fold = held_out = None
            if selection.folds is not None:
                fold = selection.folds.draw(n_rows)
                held_out = fold == HELD_OUT
                if selection.part is not None:
                    of_part = held_out if selection.part == "held out" else ~held_out
                    taken = of_part if complete is None else complete & of_part
            if selection.counts is not None:
                selection.counts.add(n_rows, complete, held_out)
            rows = None if taken is None or taken.all() else np.flatnonzero(taken)
            yield Taken(table, rows, fold, where)
            if self.progress is not None:
                self.progress(n_rows)

    def _encoding_of(self, options: EncodingOptions) -> Encoding:
        """Return the encoding, from a pass over the training rows where one is needed.

        Where a later value of a CSV file does not fit the type of the first ones, the pass starts
        again with a wider type.
        """
        table, columns = self.table, self.columns
        while True:
            target: Numbers | Texts | None = None
            if options.infer and options.encoding is None and isinstance(columns.target, str):
                name = columns.target
                is_text = options.labels
                target = Texts(name, "text", False) if is_text else Numbers(name, "number")
            self.counts = RowCounts()
            try:
                encoding = options.encoding_of(
                    columns.features,
                    table.types,
                    table.name,
                    functools.partial(self._training_tables, target, self.counts),
                    chosen=columns.chosen,
                    index=table.index,
                    text=table.text,
                    position_of=table.position_of,
                )
            except ConversionError as error:
                if not (
                    options.takes_text(error.column) and table.widen(error.column, error.value)
                ):
                    raise self._located(error) from None
                table.unify(columns.all, options, columns.droppable)
                columns.check(table)
                if self.progress is not None:
                    self.progress(-self.counts.n_rows)
                continue
            except CellError as error:
                raise self._located(error) from None
            except UnicodeDecodeError:
                raise ScanError(f"{self.table.name}: text is damaged: it is not UTF-8.") from None
            if isinstance(target, Texts):
                encoder = replace(encoding.encoder, classes=sorted(target.counts))
                encoding = replace(encoding, encoder=encoder)
            return encoding

    def _located(self, error: ConversionError | CellError) -> ScanError:
        """Return an error with the line of the value, and what to do about it."""
        if isinstance(error, CellError):
            where = self.table.position_of(error.column, error.fits)
            return ScanError(f"{where}: {error.message}", *error.remedies)
        name, value, text = error.column, error.value, self.table.text
        line = error.file.line_of(name, lambda held: str(held).strip() == value.strip())
        where = error.file.path if line is None else f"{error.file.path}, line {line}"
        codes = self._options.encoding is None and name in self.columns.features
        decimal = "." if text is None else text.decimal
        if error.wanted == "a number":
            plain, number, _ = numbers_among(require_pyarrow().array([value]), decimal)
            if number[0].as_py() and not plain[0].as_py():
                remedies = notation_remedies(name, [value], text)
                return notation_error(where, name, value, 1, remedies, codes=codes)
        return stray_error(where, name, [value], wanted=error.wanted, codes=codes)

    def _training_tables(
        self, target: Numbers | Texts | None, counts: RowCounts, features: Sequence[str]
    ) -> Generator[tuple[pa.RecordBatch, np.ndarray | None], None, None]:
        """Yield record batches and their training rows; add them to a summary of the target."""
        if not self.repeatable:
            raise ScanError(
                "these rows can be read only once, and how they are encoded needs a pass before: "
                "give the categories of each column, or the encoding of another scan."
            )
        columns = self.columns
        names = columns.all
        if columns.nulls == "mean":
            names = list(dict.fromkeys([*features, *columns.others]))
        selection = Selection(self._folds(), "training", counts)
        for run in self.table.runs:
            tables = self._tables(run, names, _PASS_ROWS, _PREFETCHED, selection)
            if self.table.prefetches:
                tables = prefetched(tables)
            with closing(tables):
                for table, rows, _, _ in tables:
                    if target is not None:
                        target.add(table.column(str(columns.target)), rows)
                    yield table, rows
        if target is not None:
            name, position_of = self.table.name, self.table.position_of
            check_rows(counts, target, str(columns.target), name, position_of)

    def _folds(self) -> FoldStream | None:
        return None if self.split is None else self.split.start()

    def identity(self) -> dict[str, object]:
        """See `RowSource`."""
        known = {
            **self.table.identity(),
            "rows_of_batch": rows_of_batch(self._width),
            **self.columns.identity(),
        }
        if self.split is not None:
            split = self.split
            known["split"] = [split.seed, split.test_size, split.n_folds]
            known["part"] = self.part
            known["dtype"] = np.dtype(self.dtype).name
        return known
