"""Read what a model file says, for ``fastridge predict`` and ``fastridge info``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from fastridge._typing import PathLike
from fastridge.cli.errors import CommandError, reason
from fastridge.data.one_hot import Encoder
from fastridge.data.spooling import STANDARD_INPUT, is_pipe, spooled

M = TypeVar("M")

SCORES = (
    ("R²", "r2"),
    ("RMSE", "rmse"),
    ("RMSE of the mean", "baseline_rmse"),
    ("accuracy", "accuracy"),
    ("log loss", "log_loss"),
    ("D²", "d2"),
    ("deviance", "deviance"),
    ("deviance of the null model", "null_deviance"),
    ("AUC", "auc"),
    ("Brier score", "brier"),
)


def copied(path: PathLike) -> PathLike:
    """Return a path, or of a pipe its copy, and say so; "-" is the standard input."""
    path = STANDARD_INPUT if path == "-" else path
    if is_pipe(path):
        print(f"note: {path} is read to its end into a temporary file first", file=sys.stderr)
    return spooled(path)


def loaded(
    path: str, load: Callable[[str], tuple[M, dict[str, Any] | None]]
) -> tuple[M, dict[str, Any] | None]:
    """Return the model of a file and what it says about its table."""
    try:
        return load(path)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {reason(error)}") from None
    except ValueError as error:
        if "is not a fastridge file" not in str(error):
            raise CommandError(str(error)) from None
        raise CommandError(
            f"{path} is not a model: name first a file that `fastridge fit --save` wrote"
        ) from None


def encoder_of(table: dict[str, Any], path: str) -> Encoder:
    """Return how a model file says that columns become features."""
    try:
        return Encoder.from_json(table["columns"])
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(f"{path} does not say how its columns are encoded: {error}") from None
