"""Rows of a file as features, targets and parts; the training rows as a scan for the estimators."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from fastridge.cli.errors import CommandError, require
from fastridge.cli.reading import BATCH_ROWS, Source
from fastridge.cli.splitting import HELD_OUT, Split
from fastridge.data.batches import Batch, Reading
from fastridge.data.columns import kind_of
from fastridge.data.encoding import CategoricalColumn, Encoder
from fastridge.data.scan import Scan
from fastridge.linear_model.streamed import Accumulation
from fastridge.statistics.gram_statistics import GramStatistics

MIN_BATCH_ROWS = 256
_BATCH_VALUES = 1 << 23  # of the dense rows in memory at once: 64 MB


def encoded_rows(
    source: Source,
    target: str,
    encoder: Encoder,
    split: Split,
    advance: Callable[[int], None],
    held_out: bool | None = None,
    skip: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Features, target and part of the rows that have a target, batch by batch, sorted by part.

    `held_out` chooses the rows that are held out (True), the others (False) or all (None). The
    first `skip` batches are left out.
    """
    pa = require("pyarrow", "cli")
    parts = split.start()
    rows = max(MIN_BATCH_ROWS, min(BATCH_ROWS, _BATCH_VALUES // encoder.n_features))
    for number, batch in enumerate(source.batches([target, *encoder.names], rows)):
        n_rows = batch.num_rows
        part = parts.draw(n_rows)
        if number >= skip:
            y = encoder.encode_target(batch.column(target), target)
            chosen = ~np.isnan(y)
            if held_out is not None:
                chosen &= (part == HELD_OUT) == held_out
            order = np.flatnonzero(chosen)
            order = order[np.argsort(part[order], kind="stable")]
            yield encoder.encode(batch.take(pa.array(order))), y[order], part[order]
        advance(n_rows)


class TrainingRows:
    """The training rows as a source of a scan; see `fastridge.data.batches.RowSource`.

    Features are of `dtype`. Each row comes with its fold where `folds` is true.
    """

    repeatable = True
    decodes = True
    n_rows = None

    def __init__(
        self,
        source: Source,
        target: str,
        encoder: Encoder,
        split: Split,
        advance: Callable[[int], None],
        *,
        dtype: Any = np.float64,
        folds: bool = True,
    ) -> None:
        self._of = source, target, encoder, split, advance
        self._dtype, self._folds = np.dtype(dtype), folds
        self.feature_names: list[str] | None = encoder.feature_names if folds else None
        self.target_names: list[str] | None = [target] if folds else None

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`; batches are those of `encoded_rows`, in their order."""
        for X, y, part in encoded_rows(*self._of, held_out=False, skip=reading.skip):
            features = X.astype(self._dtype, copy=False)
            yield Batch(features, y, None, part if self._folds else None)

    def identity(self) -> dict[str, Any]:
        """What tells these rows from others, in plain values."""
        source, target, encoder, split, _ = self._of
        return {
            "kind": "training rows",
            "files": [list(known) for known in source.identity()],
            "target": target,
            "columns": encoder.to_json(),
            "classes": encoder.classes,
            "split": asdict(split),
            "dtype": str(self._dtype),
        }


def accumulate(
    source: Source,
    args: argparse.Namespace,
    encoder: Encoder,
    split: Split,
    advance: Callable[[int], None],
) -> list[GramStatistics]:
    """The statistics of each fold that has rows, from one pass over the training rows.

    With ``--checkpoint`` they are kept in that file, from which the same command goes on.
    """
    rows = Scan(TrainingRows(source, args.target, encoder, split, advance), None)
    try:
        folds = Accumulation(
            rows, split.n_folds, args.checkpoint, args.checkpoint_every, args.n_threads
        ).run()
    except ValueError as error:
        raise CommandError(str(error)) from None
    return [fold for fold in folds if fold.n_samples]


def declare_types(source: Source, encoder: Encoder, target: str | None) -> None:
    """Read the columns of a CSV file as what the encoder expects, not as what they look like.

    `target` is a column of numbers, or None where it is not to be read.
    """
    source.check_columns(encoder.names)
    pa = require("pyarrow", "cli")
    arrow_types = {
        "text": pa.string(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
    wanted = {c.name: arrow_types[c.kind] for c in encoder.columns if c.kind in arrow_types}
    for column in encoder.columns:
        if (
            isinstance(column, CategoricalColumn)
            and column.kind == "number"
            and any(re.fullmatch(r"-?\d{16,}", level) for level in column.levels)
        ):  # codes that float64 does not tell apart
            wanted[column.name] = pa.int64()
    if target is not None and encoder.classes is None:
        wanted[target] = arrow_types.get(kind_of(source.types[target]), pa.float64())
    source.declare(wanted)
