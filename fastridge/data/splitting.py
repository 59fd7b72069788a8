"""A random split of rows into held-out rows and folds.

Row i draws the i-th number u of a PCG64 stream, uniform on [0, 1). It is held out if u < test_size;
the rest of the interval is divided evenly among the folds. The fold of a row therefore depends only
on the seed and on its position: not on the size of batches, on the columns chosen, or on missing
values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The fold of rows that are held out; the others are 0, 1, ...
HELD_OUT = -1


@dataclass(frozen=True)
class Split:
    """A random split of rows into held-out ones and folds; `test_size` is the share of the former.

    Examples
    --------
    >>> from fastridge.data.splitting import Split
    >>> folds = Split(seed=0, test_size=0.2, n_folds=5).start()
    >>> folds.draw(8)
    array([ 2,  0, -1, -1,  3,  4,  2,  3])
    """

    seed: int
    test_size: float
    n_folds: int

    def start(self) -> FoldStream:
        """Return the folds of the rows, from the first one on."""
        return FoldStream(self)


class FoldStream:
    """The folds of consecutive rows."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._generator = np.random.Generator(np.random.PCG64(split.seed))

    def draw(self, n_rows: int) -> np.ndarray:
        """Return the folds of the next `n_rows` rows."""
        split = self._split
        uniform = self._generator.random(n_rows)
        held_out = uniform < split.test_size
        uniform -= split.test_size
        uniform /= 1.0 - split.test_size
        uniform *= split.n_folds
        fold = uniform.astype(np.intp)
        np.minimum(fold, split.n_folds - 1, out=fold)
        fold[held_out] = HELD_OUT
        return fold
