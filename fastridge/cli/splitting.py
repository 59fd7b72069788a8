"""Which rows are held out, and which fold each of the others is in.

Row i of the file draws the i-th number u of a PCG64 stream, uniform on [0, 1). It is held out if
u < test_size; the others are dealt to the folds in equal shares of the interval that is left. A
row's part depends on the seed and on its place in the file alone: not on the size of the batches,
on the columns chosen, or on values that are missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The part of rows that are held out; the folds are 0, 1, ...
HELD_OUT = -1


@dataclass(frozen=True)
class Split:
    """How rows are dealt out.

    Examples
    --------
    >>> from fastridge.cli.splitting import Split
    >>> parts = Split(seed=0, test_size=0.2, n_folds=5).start()
    >>> parts.draw(8)
    array([ 2,  0, -1, -1,  3,  4,  2,  3])
    """

    seed: int
    test_size: float
    n_folds: int

    def start(self) -> Parts:
        """The parts of the rows, from the first one on."""
        return Parts(self)


class Parts:
    """A stream of the parts of rows."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._generator = np.random.Generator(np.random.PCG64(split.seed))

    def draw(self, n_rows: int) -> np.ndarray:
        """The parts of the next `n_rows` rows."""
        split = self._split
        uniform = self._generator.random(n_rows)
        share = (uniform - split.test_size) / (1.0 - split.test_size)
        fold = np.minimum((share * split.n_folds).astype(np.intp), split.n_folds - 1)
        return np.where(uniform < split.test_size, HELD_OUT, fold)
