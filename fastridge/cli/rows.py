"""Rows of files for the command line; the training rows as a scan for the estimators."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Float, Index, Matrix, PathLike
from fastridge.cli.column_lists import columns_of
from fastridge.cli.errors import CommandError
from fastridge.cli.saved import copied
from fastridge.data.batches import Batch, Reading
from fastridge.data.column_roles import unknown_column
from fastridge.data.csv_options import DEFAULT_CSV, CsvOptions
from fastridge.data.feature_encoding import Encoding, EncodingOptions
from fastridge.data.files import Block, FileTable
from fastridge.data.one_hot import Encoder
from fastridge.data.scan import Scan
from fastridge.data.schema import RowCounts
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.data.table_rows import TableRows
from fastridge.designs.scanned import ScanDesign
from fastridge.io.archive import read_header
from fastridge.io.checkpoint import Checkpoint, CheckpointError
from fastridge.statistics.gram_statistics import GramStatistics

ROLES = ("weights", "offset", "exposure")
"""Options that name columns which are neither features nor the target."""
BATCH_ROWS: int | None = None
"""Most rows of a batch; by default those of some 8 MB."""
FileRows: TypeAlias = TableRows[Block]


class Rows(NamedTuple):
    """Rows with their target, and with weights, folds and offsets if they have such.

    X is dense, or CSR if the file is sparse.
    """

    X: Matrix
    y: np.ndarray
    weight: np.ndarray | None = None
    fold: np.ndarray | None = None
    offset: np.ndarray | None = None

    @property
    def weights(self) -> np.ndarray:
        """The weights, 1 unless given."""
        return np.ones(len(self.y)) if self.weight is None else self.weight

    def copied(self) -> Rows:
        """Return a copy of the rows."""
        parts = (None if part is None else part.copy() for part in self)
        return Rows(*parts)  # type: ignore[arg-type]

    def taken(self, index: Index) -> Rows:
        """Return some of the rows."""
        return Rows(*(None if part is None else part[index] for part in self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Schema:
    """The features that columns become, and the numbers of rows."""

    encoder: Encoder
    counts: RowCounts
    choices: list[tuple[str, str]]
    """Decisions about the columns, each as heading and text."""
    reading: CsvOptions


def open_table(
    path: PathLike, encoding: Encoding | None = None, csv: CsvOptions = DEFAULT_CSV
) -> FileTable:
    """Open a file, a folder of files, or the files that a pattern matches; "-" is a pipe."""
    return FileTable(copied(path), _known(encoding), csv=csv)


def read_numeric(table: FileTable, words: Sequence[str]) -> list[str]:
    """Read the columns that ``--numeric`` lists as numbers of any notation, and return them."""
    names = columns_of("--numeric", words, table) or []
    if names and table.format == "CSV":
        table.read_as_numbers(list(dict.fromkeys([*map(str, table.csv.numeric), *names])))
    return names


def check_columns(table: FileTable, names: Sequence[str]) -> None:
    """Raise CommandError for a column that the files do not have."""
    for name in names:
        if name not in table.types:
            raise unknown_column(name, list(table.types), table.name)


def encoded_rows(
    table: FileTable,
    encoding: Encoding,
    target: str | None,
    weights: str | None = None,
    offset: str | None = None,
    exposure: str | None = None,
    *,
    keeps_all: bool = False,
) -> FileRows:
    """Return the rows of files as features of a known encoding.

    Rows without the target are left out, unless `keeps_all`.
    """
    others = [name for name in (target, weights, offset, exposure) if name is not None]
    table.add_indices(encoding.names)
    check_columns(table, [*encoding.names, *others])
    options = _known(encoding)
    return TableRows(
        table,
        target=target,
        weights=weights,
        offset=offset,
        exposure=exposure,
        options=options,
        keeps_all=keeps_all,
    )


def _known(encoding: Encoding | None) -> EncodingOptions:
    options = EncodingOptions(None, 1, None, 1, encoding, "error", empty_is_missing=True)
    return replace(options, labels=encoding is not None and encoding.encoder.classes is not None)


def training_rows(
    args: argparse.Namespace,
    table: FileTable,
    features: Sequence[str] | None,
    categorical: Sequence[str],
    keep: Sequence[str],
    drop: Sequence[str],
    split: Split,
    labels: bool,
    progress: Callable[[int], None],
) -> tuple[FileRows, Schema]:
    """Return the rows and the schema that their training rows suggest.

    With ``--checkpoint`` the schema is kept in a file next to it. Raises CommandError where that is
    damaged, or of other data or columns.
    """
    roles = {role: getattr(args, role) for role in ROLES}

    def infer() -> FileRows:
        options = EncodingOptions(
            categorical, args.max_categories, None, 1, None, "error", infer=True, labels=labels,
            keep=keep, drop=drop,
        )  # fmt: skip
        return TableRows(
            table,
            features=features,
            target=args.target,
            **roles,
            options=options,
            split=split,
            progress=progress,
        )

    if args.checkpoint is None:
        return _with_schema(infer())
    identity = {
        "files": table.identity()["files"],
        "target": args.target,
        **{role: name for role, name in roles.items() if role == "weights" or name is not None},
        "features": None if features is None else list(features),
        "categorical": list(categorical),
        "keep": list(keep),
        "drop": list(drop),
        "reading": table.csv.given(),
        "max_categories": args.max_categories,
        "labels": labels,
        "split": asdict(split),
    }
    for path in (args.checkpoint, args.checkpoint + ".columns"):
        _refuse_other_file(path)
    checkpoint = Checkpoint(args.checkpoint + ".columns", "checkpoint of columns", identity)
    try:
        kept = checkpoint.read()
        if kept is None:
            rows, schema = _with_schema(infer())
            checkpoint.write(
                {
                    "columns": schema.encoder.to_json(),
                    "classes": schema.encoder.classes,
                    "rows": asdict(schema.counts),
                    "choices": [list(choice) for choice in schema.choices],
                },
                {},
            )
            return rows, schema
        meta = kept[0]
        encoder = replace(Encoder.from_json(meta["columns"]), classes=meta["classes"])
    except CheckpointError as error:
        raise CommandError(
            f"--checkpoint {args.checkpoint} is of other data or columns: {error.difference}: "
            f"delete it and {checkpoint.path.name}, or name another"
        ) from None
    options = _known(Encoding(encoder, fills=True))
    rows = TableRows(table, target=args.target, **roles, options=options, split=split)
    choices = [(str(heading), str(text)) for heading, text in meta["choices"]]
    return rows, Schema(encoder, RowCounts(**meta["rows"]), choices, table.csv)


def _refuse_other_file(path: str) -> None:
    """Raise CommandError if there is a file that is no checkpoint, before one is written."""
    if not os.path.exists(path):
        return
    try:
        kind = read_header(path)["kind"]
    except ValueError as error:
        raise CommandError(f"--checkpoint {error}: delete it, or name another file") from None
    if "checkpoint" not in kind:
        raise CommandError(f"--checkpoint {path} is a {kind}: name another file")


def _with_schema(rows: FileRows) -> tuple[FileRows, Schema]:
    encoding = rows.columns.encoding
    assert encoding is not None
    assert rows.counts is not None
    reading = rows.table.csv  # type: ignore[attr-defined]
    return rows, Schema(encoding.encoder, rows.counts, list(encoding.report), reading)


def read_rows(
    rows: FileRows,
    part: str | None,
    progress: Callable[[int], None] | None = None,
    dtype: Float = np.float64,
    *,
    dense: bool = False,
) -> Iterator[Rows]:
    """Yield the rows, or those of a part, batch by batch; X is of `dtype`, and `dense` if asked."""
    some = rows.rows_of(part, progress, dtype, dense=dense)
    for X, y, weight, fold, offset in Scan(some, BATCH_ROWS):
        assert y is not None
        yield Rows(X, y, weight, fold, offset)


def by_part(
    rows: FileRows, part: str | None, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[Rows, Rows]]:
    """Yield the held-out rows and the training rows, batch by batch.

    `part` chooses one of them, ``"held out"`` or ``"training"``.
    """
    for some in read_rows(rows, part, progress):
        if part is None:
            assert some.fold is not None
            held_out = some.fold == HELD_OUT
            yield some.taken(held_out), some.taken(~held_out)
        elif part == "held out":
            yield some, some.taken(slice(0))
        else:
            yield some.taken(slice(0)), some


def held_rows(
    rows: FileRows,
    schema: Schema,
    progress: Callable[[int], None],
    dtype: Float = np.float64,
    *,
    dense: bool = False,
) -> Rows:
    """Return all training rows, in the order of the files; X is of `dtype`."""
    if rows.is_sparse and not dense:
        return together(list(read_rows(rows, "training", progress, dtype)))
    X = np.empty((schema.counts.n_train, schema.encoder.n_features), dtype)
    others: list[Rows] = []
    done = 0
    for some in read_rows(rows, "training", progress, dtype, dense=True):
        end = done + len(some.y)
        X[done:end] = some.X
        others.append(some._replace(X=X[:0]))
        done = end
    return together(others)._replace(X=X[:done])


def n_held_values(rows: FileRows, schema: Schema, *, dense: bool = False) -> int:
    """Return about how many numbers all training rows are in memory, with their indices."""
    values, n, p = rows.table.values_per_row, schema.counts.n_train, schema.encoder.n_features
    return n * p if dense or values is None else min(n * p, round(2 * n * values))


def together(parts: Sequence[Rows]) -> Rows:
    """Return several parts as one."""
    X, *others = zip(*parts, strict=True)
    joined = sp.vstack(X, format="csr") if sp.issparse(X[0]) else np.concatenate(X)
    rest = (None if one[0] is None else np.concatenate(one) for one in others)
    return Rows(joined, *rest)  # type: ignore[arg-type]


class _WatchedScan(Scan):
    """All rows, those held out as fold 0; `watch` is called with the training rows of each batch.

    The thread that reads calls it.
    """

    def __init__(self, source: FileRows, watch: Callable[[Rows], None]) -> None:
        super().__init__(source, BATCH_ROWS)
        self._watch = watch

    def _read(self, reading: Reading) -> Iterator[Batch]:
        for batch in super()._read(reading):
            assert isinstance(batch.X, np.ndarray)
            assert batch.y is not None
            assert batch.fold is not None
            held_out = int(np.searchsorted(batch.fold, HELD_OUT, side="right"))
            rows = Rows(batch.X, batch.y, batch.weight, batch.fold)
            self._watch(rows.taken(slice(held_out, None)))
            yield batch._replace(fold=batch.fold + 1)


def accumulate(
    rows: FileRows,
    args: argparse.Namespace,
    progress: Callable[[int], None],
    watch: Callable[[Rows], None] | None = None,
) -> tuple[list[GramStatistics], GramStatistics | None]:
    """Return the statistics of each fold that has rows, from one pass over the training rows.

    With ``--checkpoint`` they are kept in that file, from which the same command resumes. If
    `watch` is given, it is called with the training rows of each batch, and the statistics of the
    held-out rows are returned, too.
    """
    scan = Scan(rows.rows_of("training", progress), BATCH_ROWS)
    if watch is not None:
        scan = _WatchedScan(rows.rows_of(None, progress), watch)
    checkpoint = args.checkpoint, args.checkpoint_every
    folds = ScanDesign(scan, args.folds, *checkpoint, args.n_threads).folds
    held_out = None if watch is None else folds.pop(0)
    filled = [fold for fold in folds if fold.n_samples]
    if not filled:
        raise no_weight(args.weights)
    return filled, held_out


def no_weight(name: str) -> CommandError:
    """Return the error where all training rows have the weight zero."""
    return CommandError(f"--weights {name}: it is 0 in all training rows")
