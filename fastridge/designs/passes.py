"""Sums over rows that every pass reads again, batch by batch, with checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

from fastridge.data.batches import Batch, ScanError
from fastridge.designs.scanned import ScanDesign
from fastridge.io.checkpoint import Checkpoint

Sums: TypeAlias = dict[str, np.ndarray]
"""Arrays by name, each of which is a sum over rows."""
Work: TypeAlias = Callable[[Sums, Batch], Sums]
"""Makes the sums of a batch at a point, which is also arrays by name."""

KIND = "kind"
"""Name in a point of the number that tells points of other sums."""


class Passes(Protocol):
    """Reads the rows again for each point."""

    n_passes: int
    note: Any

    def restart(self, note: object) -> None:
        """Forget all passes, and keep a note instead."""

    def total(self, point: Sums, work: Work) -> tuple[Sums, Sums]:
        """Return a point and the sums of all rows there; the point is that of a checkpoint, if any.

        A checkpoint's differs from the given one by rounding at most.
        """


def added(total: Mapping[str, np.ndarray] | None, part: Sums) -> Sums:
    """Return the sum of sums."""
    if total is None:
        return part
    return {name: np.asarray(total[name] + value) for name, value in part.items()}


class ScanPasses:
    """Passes over a scan, whose batches are added in the order of the rows.

    With a checkpoint, the points and sums of all passes so far are in the file, and so are those of
    a part of the present pass. A fit that resumes is given them again instead of its first passes.

    Attributes
    ----------
    n_passes : int
        How many times all rows were read, before this fit resumed too.
    note : object
        What `restart` was given, in plain values; None if it was not called.
    """

    def __init__(self, design: ScanDesign, checkpoint: Checkpoint | None = None) -> None:
        self._design, self._checkpoint = design, checkpoint
        self._log: list[tuple[Sums, Sums]] = []
        self._point: Sums | None = None  # of the pass that has begun
        self._sums: Sums | None = None
        self._n_batches = self._n_seen = 0
        self.n_passes = 0
        self.note: Any = None
        self._resume()

    def restart(self, note: object) -> None:
        """Forget all passes, and keep a note instead."""
        self._log, self._point, self._sums = [], None, None
        self._n_batches = self.n_passes = 0
        self.note = note
        self._save()

    def total(self, point: Sums, work: Work) -> tuple[Sums, Sums]:
        """See `Passes`."""
        if self.n_passes < len(self._log):
            found = self._log[self.n_passes]
            if found[0][KIND] == point[KIND]:
                self.n_passes += 1
                return found
            del self._log[self.n_passes :]
            self._point = None
        if self._point is None or self._point[KIND] != point[KIND]:
            self._point, self._sums, self._n_batches = point, None, 0
        point = self._point
        sums = self._read(point, work)
        self.n_passes += 1
        self._point, self._sums, self._n_batches = None, None, 0
        if self._checkpoint is not None:
            self._log.append((point, sums))
            self._save()
        return point, sums

    def _read(self, point: Sums, work: Work) -> Sums:
        batches = self._design.batches(self._n_batches)
        complete = False
        try:
            for batch in batches:
                sums = added(self._sums, work(point, batch))
                n_seen = self._n_seen + batch.X.shape[0]
                # All or nothing of a batch, whenever Ctrl-C comes.
                self._sums, self._n_batches, self._n_seen = sums, self._n_batches + 1, n_seen
                if self._checkpoint is not None and self._checkpoint.due(n_seen):
                    self._save()
            complete = True
        finally:
            batches.close()
            if not complete and self._n_batches:
                self._save()
        if self._sums is None:
            raise ScanError("the scan gave no rows: at least one is needed.")
        return self._sums

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        passes = list(self._log)
        if self._point is not None and self._sums is not None:
            passes.append((self._point, self._sums))
        arrays = {
            f"{what}_{k}_{name}": value
            for k, parts in enumerate(passes)
            for what, part in zip(("point", "sums"), parts, strict=True)
            for name, value in part.items()
        }
        meta = {
            "note": self.note,
            "n_complete": len(self._log),
            "n_passes": len(passes),
            "n_batches": self._n_batches,
            "n_seen": self._n_seen,
        }
        self._checkpoint.write(meta, arrays, self._n_seen)

    def _resume(self) -> None:
        kept = None if self._checkpoint is None else self._checkpoint.read()
        if self._checkpoint is None or kept is None:
            return
        meta, arrays = kept
        self.note = meta["note"]
        passes = []
        for k in range(int(meta["n_passes"])):
            beginnings = f"point_{k}_", f"sums_{k}_"
            point, sums = (
                {n.removeprefix(b): a for n, a in arrays.items() if n.startswith(b)}
                for b in beginnings
            )
            passes.append((point, sums))
        n_complete = int(meta["n_complete"])
        self._log = passes[:n_complete]
        if len(passes) > n_complete:
            self._point, self._sums = passes[n_complete]
            self._n_batches = int(meta["n_batches"])
        self._n_seen = self._checkpoint.saved = int(meta["n_seen"])
