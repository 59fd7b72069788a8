"""Batches of rows, which every source gives, and errors that say where."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from fastridge._typing import Matrix

_BATCH_VALUES = 1 << 20  # of X in a batch: 8 MB of float64
_LEAST_ROWS, _MOST_ROWS = 256, 1 << 16


MOST_QUOTED = 40
"""Characters of a cell that an error quotes."""


def quoted(text: str) -> str:
    """Return a text in quotes; of a long one the beginning."""
    if len(text) <= MOST_QUOTED:
        return repr(text)
    return f"{text[:MOST_QUOTED]!r}... ({len(text):,} characters)"


class Remedy(NamedTuple):
    """One thing to do about an error: an option of `scan`, its value, and when it is right.

    The command line writes the same option as its own.

    Attributes
    ----------
    option : str
    value : object
    when : str
        Such as "if it stands for a missing value"; empty if always.
    """

    option: str
    value: object
    when: str = ""

    def __str__(self) -> str:
        return f"{self.option}={self.value!r} {self.when}".rstrip()


class ScanError(ValueError):
    """A source that cannot be read on; the message names the file and the rows.

    Parameters
    ----------
    message : str
    *remedies : Remedy or tuple of Remedy
        What to do about it; of a tuple all are needed.

    Attributes
    ----------
    statistics : sequence of GramStatistics
        The statistics of the rows before, of the whole or of each fold.
    """

    statistics: Sequence[Any] = ()

    def __init__(self, message: str, *remedies: Remedy | tuple[Remedy, ...]) -> None:
        self.message, self.remedies = message, remedies
        super().__init__(self.worded(str))

    def worded(self, written: Callable[[Remedy], str]) -> str:
        """Return the message with the remedies as `written`; one that is empty is left out."""
        ways = [
            " and ".join(map(written, each)) if type(each) is tuple else written(each)  # type: ignore[arg-type]
            for each in self.remedies
        ]
        *others, last = [way for way in ways if way] or [""]
        if not last:
            return self.message
        either = f"{', '.join(others)}, or {last}" if others else last
        return f"{self.message}: give {either}"


class UnusedOptionError(ScanError):
    """An option that what is read has no use for."""

    def __init__(self, where: str, given: Remedy, what: str) -> None:
        self._where, self._given, self._what = where, given, what
        super().__init__(self.worded(str))

    def worded(self, written: Callable[[Remedy], str]) -> str:
        """Return the message with the option as `written`."""
        given = written(self._given)
        return f"{self._where}: {given} is not supported for {self._what}: leave it out"


class Batch(NamedTuple):
    """Consecutive rows.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,) or (n_rows, n_targets), or None
    weight : ndarray of shape (n_rows,), or None
    fold : ndarray of shape (n_rows,), or None
        Whole numbers from 0 up.
    offset : ndarray of shape (n_rows,) or (n_rows, n_classes), or None
        Known terms of the linear predictors: offsets and logarithms of exposures.
    """

    X: Matrix
    y: np.ndarray | None = None
    weight: np.ndarray | None = None
    fold: np.ndarray | None = None
    offset: np.ndarray | None = None


class Reading(NamedTuple):
    """A way to read rows.

    Attributes
    ----------
    n_rows : int or None
        Most rows of a batch.
    skip : int
        How many batches to skip at the beginning.
    seed : int or None
        The seed of a random order of blocks of rows, some of which are mixed. Sources that can
        only be read in one order ignore it.
    row_major : bool
        Whether rows should be contiguous if a batch is a copy.
    by_fold : bool
        Whether the rows of a batch may be ordered by their folds, in which they keep their order.
    """

    n_rows: int | None = None
    skip: int = 0
    seed: int | None = None
    row_major: bool = False
    by_fold: bool = False


class RowSource(Protocol):
    """Rows in an order that stays.

    Attributes
    ----------
    n_rows : int or None
        Where it is known without reading.
    feature_names, target_names : list of str or None
    repeatable : bool
        Whether `batches` can be called again.
    decodes : bool
        Whether a batch takes a processor's time to make, and is no view.
    """

    @property
    def n_rows(self) -> int | None: ...

    @property
    def feature_names(self) -> list[str] | None: ...

    @property
    def target_names(self) -> list[str] | None: ...

    @property
    def repeatable(self) -> bool: ...

    @property
    def decodes(self) -> bool: ...

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """Yield the rows, batch by batch.

        Where batches end depends on the source and on `reading` only.
        """

    def identity(self) -> dict[str, object]:
        """Return what tells these rows from others, in plain values: paths, sizes, options."""


def rows_of_batch(n_features: int) -> int:
    """Return the number of rows, a power of two, that makes a batch of some MB.

    Row groups mostly have such numbers of rows, and then no batch is cut short.
    """
    whole = 1 << round(math.log2(max(1.0, _BATCH_VALUES / max(1, n_features))))
    return min(max(whole, _LEAST_ROWS), _MOST_ROWS)


def known_terms(
    offset: np.ndarray | None,
    exposure: np.ndarray | None,
    refuse: Callable[[str, np.ndarray, str], Exception],
) -> np.ndarray | None:
    """Return offsets and logarithms of exposures as the known terms of linear predictors.

    `refuse` makes the error for the rows of one of the two that are marked, of what must be there.
    """
    if offset is not None:
        offset = np.asarray(offset, dtype=np.float64)
        finite = np.isfinite(offset)
        if not finite.all():
            raise refuse("offset", ~finite, "finite")
    if exposure is None:
        return offset
    exposure = np.asarray(exposure, dtype=np.float64)
    inside = (exposure > 0.0) & np.isfinite(exposure)
    if not inside.all():
        raise refuse("exposure", ~inside, "finite and above 0")
    terms: np.ndarray = np.log(exposure)
    return terms if offset is None else terms + offset


def checked_folds(values: ArrayLike, where: str) -> np.ndarray:
    """Return folds as whole numbers from 0 up; raise ScanError if they are something else."""
    folds = np.asarray(values)
    if folds.dtype.kind == "f" and (folds == np.floor(folds)).all():
        folds = folds.astype(np.int64)
    if folds.dtype.kind not in "iu" or (folds < 0).any():
        raise ScanError(
            f"{where}: fold must hold whole numbers from 0 up, got {folds.dtype} "
            f"{folds[:3].tolist()}..."
        )
    return folds.astype(np.intp, copy=False)
