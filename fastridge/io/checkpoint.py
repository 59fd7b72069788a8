"""Checkpoints: files from which a long computation over given data resumes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastridge.io.archive import read_archive, write_archive

__all__ = ["CHECKPOINT_ROWS", "Checkpoint", "CheckpointError", "check_checkpoint"]

CHECKPOINT_ROWS = 10_000_000
"""Default number of rows from one checkpoint to the next."""


class CheckpointError(ValueError):
    """The checkpoint belongs to other data or another computation.

    Attributes
    ----------
    difference : str
        The first difference between the two.
    """

    difference: str = ""


class Checkpoint:
    """A file that a computation resumes from.

    Parameters
    ----------
    path : path
        File of the checkpoint.
    kind : str
        Kind of the archive; see `fastridge.io.archive`.
    identity : dict
        Plain values that distinguish this computation from others.
    every : int, default=CHECKPOINT_ROWS
        Number of rows from one checkpoint to the next.
    what : str, default="rows"
        Word for the data in the error about a checkpoint that does not fit.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from fastridge.io.checkpoint import Checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(os.path.join(folder, "c"), "example", {"n": 3})
    ...     print(checkpoint.read())
    ...     checkpoint.write({"done": 1}, {"x": np.ones(2)}, n_rows=50)
    ...     meta, arrays = checkpoint.read()
    None
    >>> meta["done"], arrays["x"].tolist()
    (1, [1.0, 1.0])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        kind: str,
        identity: Mapping[str, object],
        every: int = CHECKPOINT_ROWS,
        what: str = "rows",
    ) -> None:
        self.path, self.kind, self.identity = Path(path), kind, identity
        self.every, self.what = every, what
        self.saved = 0

    def due(self, n_rows: int) -> bool:
        """Return whether `n_rows` rows are enough for another checkpoint."""
        return n_rows - self.saved >= self.every

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return the values that were written, or None if there is no file.

        Raises
        ------
        CheckpointError
            If the checkpoint belongs to other data or another computation.
        ValueError
            If the file is damaged.
        """
        if not self.path.exists():
            return None
        meta, arrays = read_archive(str(self.path), self.kind)
        if meta["identity"] != self.identity:
            found = _difference(meta["identity"], self.identity)
            error = CheckpointError(
                f"checkpoint={str(self.path)!r} is of other {self.what}: {found}. Delete the file, "
                "or name another."
            )
            error.difference = found
            raise error
        return meta, arrays

    def write(
        self, meta: Mapping[str, object], arrays: Mapping[str, np.ndarray], n_rows: int = 0
    ) -> None:
        """Write the state after `n_rows` rows.

        Raises
        ------
        OSError
            If the file, which the error names, cannot be written. An older one is unchanged then.
        """
        try:
            write_archive(self.path, self.kind, {"identity": self.identity, **meta}, arrays)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(self.path)) from None
        self.saved = n_rows


def check_checkpoint(checkpoint: object, every: int | None) -> tuple[Path | None, int]:
    """Return the checkpoint file, if any, and the rows from one checkpoint to the next."""
    if checkpoint is None:
        if every is not None:
            raise ValueError("checkpoint_every needs checkpoint, the file to write.")
        return None, CHECKPOINT_ROWS
    if not isinstance(checkpoint, (str, os.PathLike)):
        raise ValueError(f"checkpoint must be a path, got {checkpoint!r}.")
    folder = Path(checkpoint).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"checkpoint={str(checkpoint)!r} cannot be written: there is no folder {folder}."
        )
    if Path(checkpoint).is_dir():
        raise IsADirectoryError(f"checkpoint={str(checkpoint)!r} is a folder, not a file.")
    if every is None:
        return Path(checkpoint), CHECKPOINT_ROWS
    if isinstance(every, bool) or not hasattr(every, "__index__") or every < 1:
        raise ValueError(f"checkpoint_every must be a number of rows from 1 up, got {every!r}.")
    return Path(checkpoint), int(every)


def _difference(before: object, now: object) -> str:
    """Return the first difference between two identities."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            if before.get(key) != now.get(key):
                inner = _difference(before.get(key), now.get(key))
                return f"{key}: {inner}" if not isinstance(now.get(key), dict) else inner
    return f"it has {_short(before)}, now there is {_short(now)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
