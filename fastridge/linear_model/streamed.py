"""Fits to rows that a scan reads."""

from fastridge._typing import PathLike


def refuse_checkpoint(checkpoint: PathLike | None, checkpoint_every: int | None) -> None:
    """Raise ValueError if checkpoints are given for rows in memory."""
    if checkpoint is not None or checkpoint_every is not None:
        raise ValueError(
            "checkpoint and checkpoint_every are supported only if X is a fastridge.scan; these "
            "rows are in memory."
        )


def refuse_targets(y: object, sample_weight: object) -> None:
    """Raise ValueError if targets or weights are given next to a scan, which has its own."""
    if y is not None or sample_weight is not None:
        raise ValueError(
            "X is a scan, which has its own target and weights: give scan(..., target=, weights=) "
            "and neither y nor sample_weight here."
        )
