"""Fits to rows that a scan reads."""

from typing import Any

from fastridge._typing import PathLike
from fastridge.data.batches import ScanError
from fastridge.data.scan import Scan
from fastridge.designs.scanned import ScanDesign
from fastridge.statistics.gram_statistics import GramStatistics


def refuse_checkpoint(checkpoint: PathLike | None, checkpoint_every: int | None) -> None:
    """Raise ValueError if checkpoints are given for rows in memory."""
    if checkpoint is not None or checkpoint_every is not None:
        raise ValueError(
            "checkpoint and checkpoint_every are offered where X is a fastridge.scan; these rows "
            "are in memory."
        )


def statistics_of(
    rows: Scan,
    y: Any,
    sample_weight: Any,
    *,
    n_folds: int | None,
    checkpoint: PathLike | None,
    checkpoint_every: int | None,
    n_threads: int | None,
) -> list[GramStatistics]:
    """Return the statistics of a scan that was given to `fit` in place of X, one per fold.

    A ScanError on the way has what was reached as its `statistics`.
    """
    refuse_targets(y, sample_weight)
    design = ScanDesign(rows, n_folds, checkpoint, checkpoint_every, n_threads)
    try:
        return design.accumulate()
    except ScanError as error:
        error.statistics = design.folds
        raise


def refuse_targets(y: Any, sample_weight: Any) -> None:
    """Raise ValueError if targets or weights are given next to a scan, which has its own."""
    if y is not None or sample_weight is not None:
        raise ValueError(
            "X is a scan, which has its own target and weights: give scan(..., target=, weights=) "
            "and neither y nor sample_weight here."
        )
