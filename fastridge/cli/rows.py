"""Rows of files for the command line; the training rows as a scan for the estimators."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

import numpy as np

from fastridge._typing import PathLike
from fastridge.cli.errors import CommandError
from fastridge.data.column_roles import unknown_column
from fastridge.data.csv_options import DEFAULT_CSV, CsvOptions
from fastridge.data.feature_encoding import Encoding, EncodingOptions
from fastridge.data.files import Block, FileTable
from fastridge.data.one_hot import Encoder
from fastridge.data.scan import Scan
from fastridge.data.schema import RowCounts
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.data.spooling import STANDARD_INPUT, is_pipe, spooled
from fastridge.data.table_rows import TableRows
from fastridge.designs.scanned import ScanDesign
from fastridge.io.checkpoint import Checkpoint, CheckpointError
from fastridge.statistics.gram_statistics import GramStatistics

BATCH_ROWS: int | None = None
"""Most rows of a batch; by default those of some 8 MB."""
Labelled: TypeAlias = tuple[np.ndarray, np.ndarray]
FileRows: TypeAlias = TableRows[Block]


@dataclass(frozen=True)
class Schema:
    """The features that columns become, and the numbers of rows."""

    encoder: Encoder
    counts: RowCounts
    choices: list[tuple[str, str]]
    """Decisions about the columns, each as heading and text."""
    reading: CsvOptions


def open_table(
    path: PathLike, encoder: Encoder | None = None, csv: CsvOptions = DEFAULT_CSV
) -> FileTable:
    """Open a file, a folder of files, or the files that a pattern matches; "-" is a pipe."""
    return FileTable(copied(path), _known(encoder), csv=csv)


def copied(path: PathLike) -> PathLike:
    """Return a path, or of a pipe its copy, and say so; "-" is the standard input."""
    path = STANDARD_INPUT if path == "-" else path
    if is_pipe(path):
        print(f"note: {path} is read to its end into a temporary file first", file=sys.stderr)
    return spooled(path)


def check_columns(table: FileTable, names: Sequence[str]) -> None:
    """Raise CommandError for a column that the files do not have."""
    for name in names:
        if name not in table.types:
            raise unknown_column(name, list(table.types), table.name)


def encoded_rows(
    table: FileTable, encoder: Encoder, target: str | None, *, keeps_all: bool = False
) -> FileRows:
    """Return the rows of files as features of a known encoder.

    Rows without the target are left out, unless `keeps_all`.
    """
    check_columns(table, [*encoder.names, *([] if target is None else [target])])
    return TableRows(table, target=target, options=_known(encoder), keeps_all=keeps_all)


def _known(encoder: Encoder | None) -> EncodingOptions:
    encoding = None if encoder is None else Encoding(encoder, fills=True)
    options = EncodingOptions(None, 1, None, 1, encoding, "error", by_value=True)
    return replace(options, labels=encoder is not None and encoder.classes is not None)


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

    def infer() -> FileRows:
        options = EncodingOptions(
            categorical, args.max_categories, None, 1, None, "error", infer=True, labels=labels,
            keep=keep, drop=drop,
        )  # fmt: skip
        return TableRows(
            table,
            features=features,
            target=args.target,
            options=options,
            split=split,
            progress=progress,
        )

    if args.checkpoint is None:
        return _with_schema(infer())
    identity = {
        "files": table.identity()["files"],
        "target": args.target,
        "features": None if features is None else list(features),
        "categorical": list(categorical),
        "keep": list(keep),
        "drop": list(drop),
        "reading": table.csv.given(),
        "max_categories": args.max_categories,
        "labels": labels,
        "split": asdict(split),
    }
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
    except OSError as error:
        raise CommandError(f"cannot write {checkpoint.path}: {error.strerror or error}") from None
    rows = TableRows(table, target=args.target, options=_known(encoder), split=split)
    choices = [(str(heading), str(text)) for heading, text in meta["choices"]]
    return rows, Schema(encoder, RowCounts(**meta["rows"]), choices, table.csv)


def _with_schema(rows: FileRows) -> tuple[FileRows, Schema]:
    encoding = rows.columns.encoding
    assert encoding is not None
    assert rows.counts is not None
    reading = rows.table.csv  # type: ignore[attr-defined]
    return rows, Schema(encoding.encoder, rows.counts, list(encoding.report), reading)


def by_part(
    rows: FileRows, part: str | None, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[Labelled, Labelled]]:
    """Yield X and y of the held-out rows and of the training rows, batch by batch.

    `part` chooses one of them, ``"held out"`` or ``"training"``.
    """
    for X, y, _, fold in Scan(rows.rows_of(part, progress), BATCH_ROWS):
        assert y is not None
        assert fold is not None
        if part == "held out":
            yield (X, y), (X[:0], y[:0])
        elif part == "training":
            yield (X[:0], y[:0]), (X, y)
        else:
            held_out = fold == HELD_OUT
            yield (X[held_out], y[held_out]), (X[~held_out], y[~held_out])


def accumulate(
    rows: FileRows, args: argparse.Namespace, progress: Callable[[int], None]
) -> list[GramStatistics]:
    """Return the statistics of each fold that has rows, from one pass over the training rows.

    With ``--checkpoint`` they are kept in that file, from which the same command resumes.
    """
    scan = Scan(rows.rows_of("training", progress), BATCH_ROWS)
    checkpoint = args.checkpoint, args.checkpoint_every
    try:
        folds = ScanDesign(scan, args.folds, *checkpoint, args.n_threads).folds
    except ValueError as error:
        raise CommandError(str(error)) from None
    return [fold for fold in folds if fold.n_samples]
