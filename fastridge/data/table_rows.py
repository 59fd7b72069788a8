"""Rows of files, data frames and other tables: one way from Arrow record batches to numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from fastridge.data.batches import Batch, Reading, ScanError, rows_of_batch
from fastridge.data.batching import MIXED_BLOCKS, Piece, Share, in_batches, joined, mixed
from fastridge.data.column_roles import Columns
from fastridge.data.columns import require_pyarrow, without_views
from fastridge.data.encoded import Encoding, EncodingOptions, no_features
from fastridge.data.schema import Numbers, RowCounts, SchemaInference, Texts, check_rows
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.data.table_files import ConversionError
from fastridge.runtime.buffers import Buffers

_PREFETCHED = 4  # batches that pyarrow reads before they are asked for
_PASS_ROWS = 1 << 16  # of a record batch where a pass needs only columns


class Table(Protocol):
    """Columns of any types, as record batches; blocks of its rows can be read by themselves.

    Attributes
    ----------
    name : str
        What errors call it.
    names : list of str
        Of its columns.
    types : dict of str to pyarrow.DataType
    index : collection of str
        Columns that number the rows.
    n_rows : int or None
        Where it is known without reading.
    filter : pyarrow.dataset.Expression or None
    repeatable : bool
        Whether the rows can be read more than once.
    prefetches : bool
        Whether reading several blocks at once takes several threads.
    runs : sequence of blocks
        All rows, in their order; no batch holds rows of two runs.
    """

    name: str
    names: list[str]
    types: dict[str, Any]
    filter: Any
    repeatable: bool
    prefetches: bool

    @property
    def index(self) -> Collection[str]: ...

    @property
    def n_rows(self) -> int | None: ...

    @property
    def runs(self) -> Sequence[Any]: ...

    def count(self, run: Any) -> int: ...

    def blocks(self, least: int) -> Sequence[Any]: ...

    def from_row(self, run: Any, row: int) -> tuple[Any, int]: ...

    def unify(self, columns: Sequence[str], options: EncodingOptions) -> None: ...

    def widen(self, name: str) -> bool: ...

    def tables(
        self, block: Any, columns: Sequence[str], step: int, ahead: int
    ) -> Iterator[tuple[Any, str]]: ...

    def identity(self) -> dict[str, Any]: ...


class TableRows:
    """Rows of a table as a source of a scan; see `fastridge.data.batches.RowSource`.

    Parameters
    ----------
    table : Table
    features, target, weights, fold
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
    counts : RowCounts or None
        Of the pass that inferred the schema, if there was one.
    part : {"training", "held out"} or None
        The rows to give where there is a `split`; None gives all.
    progress : callable or None
    """

    decodes = True
    part: str | None = None

    def __init__(
        self,
        table: Table,
        *,
        features: Sequence[str] | None = None,
        target: Any = None,
        weights: str | None = None,
        fold: str | None = None,
        options: EncodingOptions,
        split: Split | None = None,
        progress: Callable[[int], None] | None = None,
        keeps_all: bool = False,
    ) -> None:
        self.table, self.split, self.progress = table, split, progress
        self.repeatable = table.repeatable
        self._buffers = Buffers()
        self.counts: RowCounts | None = None
        names = table.names, features, target, weights, fold
        self.columns = Columns(*names, options, table.name, table.index, keeps_all=keeps_all)
        table.unify(self.columns.all, options)
        self.columns.check(table.types)
        if options.infer and options.encoding is None:
            self.columns.use(self._inferred(options))
        else:
            self.columns.encode(table.types, self._all_tables)
        self.dtype = np.float64
        if self.columns.encoding is None:
            self.dtype = self.columns.float_type(table.types)
        self.feature_names: list[str] | None = self.columns.feature_names
        self.target_names: list[str] | None = self.columns.targets or None
        takes_all = table.filter is None and self.columns.nulls == "error" and split is None
        self.n_rows = table.n_rows if takes_all else None

    def rows_of(
        self,
        part: str | None,
        progress: Callable[[int], None] | None = None,
        dtype: Any = None,
    ) -> TableRows:
        """Return these rows, or a part of them; encoded features are of `dtype`."""
        rows = copy.copy(self)
        rows.part, rows.progress = part, progress
        rows.dtype = self.dtype if dtype is None else dtype
        return rows

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`."""
        step = reading.n_rows or rows_of_batch(self.columns.n_features)
        blocks: Sequence[Any] = ()
        if reading.seed is not None and self.split is None:
            blocks = self.table.blocks(step)
        shares = self._in_order(step, reading.skip)
        if blocks:
            each = max(1, _PREFETCHED // MIXED_BLOCKS)
            shares = mixed(
                blocks,
                int(reading.seed or 0),
                lambda block: self._pieces(block, step, each),
                step,
                reading.skip,
                ahead=self.table.prefetches,
            )
        with closing(shares):  # type: ignore[type-var]
            for batch in shares:
                yield joined(batch, self.dtype, reading.row_major, self._buffers)

    def _in_order(self, step: int, skip: int) -> Iterator[list[Share]]:
        """Yield batches of one run after the other, without the first `skip`."""
        folds = None if self.split is None else self.split.start()
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
            yield from in_batches(
                self._pieces(block, step, _PREFETCHED, folds, before, passed), step
            )
            skip = max(0, skip - -(-passed[0] // step))

    def _pieces(
        self,
        block: Any,
        step: int,
        ahead: int,
        folds: Any = None,
        before: int = 0,
        passed: list[int] | None = None,
    ) -> Iterator[Piece]:
        """Yield the rows of a block as numbers, without the first; `passed` counts all of them."""
        done = 0
        for table, fold, where in self._tables(block, self.columns.all, step, ahead, folds):
            left_out = min(max(0, before - done), table.num_rows)
            done += table.num_rows
            if passed is not None:
                passed[0] = done
            if left_out == table.num_rows:
                continue
            piece = self.columns.piece(table.slice(left_out), where)
            if self.columns.encoding is not None and isinstance(piece.X, np.ndarray):
                piece = piece._replace(X=piece.X.astype(self.dtype, copy=False))
            yield piece if fold is None else piece._replace(fold=fold[left_out:])

    def _tables(
        self, block: Any, columns: Sequence[str], step: int, ahead: int, folds: Any
    ) -> Iterator[tuple[Any, np.ndarray | None, str]]:
        """Yield the rows that are taken as record batches, with their folds, and where they are."""
        pa = require_pyarrow()
        for given, where in self.table.tables(block, columns, step, ahead):
            table = without_views(given)
            taken, n_rows = self.columns.complete(table, where), table.num_rows
            fold = None if folds is None else folds.draw(n_rows)
            if fold is not None and self.part is not None:
                of_part = (fold == HELD_OUT) == (self.part == "held out")
                taken = of_part if taken is None else taken & of_part
            if taken is not None and not taken.all():
                table = table.filter(pa.array(taken))
                fold = None if fold is None else fold[taken]
            yield table, fold, where
            if self.progress is not None:
                self.progress(n_rows)

    def _all_tables(self) -> Iterator[Any]:
        """Yield all rows that are taken as record batches."""
        if not self.repeatable:
            raise ScanError(
                "these rows can be read only once, and how they are encoded needs a pass before: "
                "give the categories of each column, or the encoding of another scan."
            )
        for run in self.table.runs:
            for table, _, _ in self._tables(run, self.columns.all, _PASS_ROWS, _PREFETCHED, None):
                yield table

    def _inferred(self, options: EncodingOptions) -> Encoding:
        """Return the encoding that a pass over the training rows suggests.

        Where a later value of a CSV file does not fit the type of the first ones, the pass begins
        anew with a wider type.
        """
        while True:
            self.counts = RowCounts()
            try:
                return self._infer(options, self.counts)
            except ConversionError as error:
                if not self.table.widen(error.column):
                    raise
                self.table.unify(self.columns.all, options)
                self.columns.check(self.table.types)
                if self.progress is not None:
                    self.progress(-self.counts.n_rows)

    def _infer(self, options: EncodingOptions, counts: RowCounts) -> Encoding:
        pa, columns = require_pyarrow(), self.columns
        codes = () if options.categorical == "auto" else options.categorical or ()
        inference = SchemaInference(
            self.table.types, columns.features, codes, chosen=columns.chosen, index=self.table.index
        )
        target: Numbers | Texts | None = None
        if isinstance(columns.target, str):
            labels = options.labels
            target = Texts("text") if labels else Numbers(columns.target, "number")
        names = list(dict.fromkeys([*inference.names, *columns.others]))
        folds = None if self.split is None else self.split.start()
        for run in self.table.runs:
            for given, where in self.table.tables(run, names, _PASS_ROWS, _PREFETCHED):
                table, n_rows = without_views(given), given.num_rows
                complete = columns.complete(table, where)
                complete = np.ones(n_rows, dtype=bool) if complete is None else complete
                held_out = np.zeros(n_rows, dtype=bool)
                if folds is not None:
                    held_out = folds.draw(n_rows) == HELD_OUT
                training = complete & ~held_out
                counts.n_rows += n_rows
                counts.n_without_target += n_rows - int(np.count_nonzero(complete))
                counts.n_train += int(np.count_nonzero(training))
                counts.n_test += int(np.count_nonzero(complete & held_out))
                table = table.filter(pa.array(training))
                if target is not None:
                    target.add(table.column(columns.target))
                inference.add(table)
                if self.progress is not None:
                    self.progress(n_rows)
        if target is not None:
            check_rows(counts, target, str(columns.target), self.table.name)
        encoder, report = inference.encoder(options.max_categories)
        if not encoder.columns:
            raise no_features(self.table.name)
        if isinstance(target, Texts):
            encoder = replace(encoder, classes=sorted(target.counts))
        return Encoding(encoder, fills=True, report=report)

    def identity(self) -> dict[str, Any]:
        """See `RowSource`."""
        known = {
            **self.table.identity(),
            "rows_of_batch": rows_of_batch(self.columns.n_features),
            **self.columns.identity(),
        }
        if self.split is not None:
            split = self.split
            known["split"] = [split.seed, split.test_size, split.n_folds]
            known["part"] = self.part
            known["dtype"] = np.dtype(self.dtype).name
        return known
