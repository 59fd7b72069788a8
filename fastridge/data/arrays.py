"""Rows of arrays in memory or mapped from disk, of SciPy matrices, and of iterators."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from fastridge._typing import Matrix, RowsLike
from fastridge.data.batches import (
    Batch,
    Reading,
    ScanError,
    checked_folds,
    known_terms,
    rows_of_batch,
)
from fastridge.data.batching import Chunk, joined, mixed
from fastridge.data.file_state import FileState
from fastridge.runtime.buffers import Buffers
from fastridge.runtime.sparse_indices import refuse_malformed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ColumnIndex: TypeAlias = slice | np.ndarray
Batches: TypeAlias = Iterable[RowsLike | tuple[RowsLike | None, ...]]
"""X, (X, y), (X, y, weight) or (X, y, weight, fold), as the items of a user's iterable."""


class ArrayRows:
    """Rows of arrays; batches are views where `features` takes all columns or a slice of them.

    Files with these `states` are mapped.
    """

    repeatable = True
    decodes = False

    def __init__(
        self,
        X: Matrix,
        y: np.ndarray | None,
        weight: np.ndarray | None,
        fold: np.ndarray | None,
        features: ColumnIndex | None,
        name: str = "X",
        states: Sequence[FileState] = (),
        *,
        offset: np.ndarray | None = None,
        exposure: np.ndarray | None = None,
    ) -> None:
        self._states = states
        refuse_malformed(X, name)
        self.X: Matrix = X if isinstance(X, np.ndarray) else X.tocsr()
        self.y, self.weight, self.fold, self.name = y, weight, fold, name
        if self.X.ndim != 2:
            raise ValueError(f"{name} must have 2 dimensions, got shape {self.X.shape}.")
        self.n_rows = int(self.X.shape[0])
        self.offset, self.exposure = offset, exposure
        given = {"target": y, "weights": weight, "fold": fold}
        for what, values in {**given, "offset": offset, "exposure": exposure}.items():
            if values is not None and len(values) != self.n_rows:
                raise ValueError(
                    f"{what} has {len(values)} rows, but {name} has {self.n_rows}: give a value "
                    "for each row."
                )
        self.columns = features
        self.feature_names: list[str] | None = None
        self.target_names: list[str] | None = None

    @property
    def n_features(self) -> int:
        """Number of features of a batch."""
        return int(
            self.X[:0].shape[1] if self.columns is None else self.X[:0, self.columns].shape[1]
        )

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`."""
        for state in self._states:
            state.check()
        yield from self._batches(reading)
        for state in self._states:
            state.check()

    def _batches(self, reading: Reading) -> Iterator[Batch]:
        step = reading.n_rows or rows_of_batch(self.n_features)
        begins = range(0, self.n_rows, step)
        if reading.seed is None or self.n_rows <= step:
            for begin in begins[reading.skip :]:
                yield self._rows(begin, step)
            return
        for batch in mixed(
            begins, reading.seed, lambda begin: [self._chunk(begin, step)], step, reading.skip
        ):
            yield joined(batch, None, True, Buffers())

    def _rows(self, begin: int, step: int) -> Batch:
        part = slice(begin, min(begin + step, self.n_rows))
        X = self.X[part]
        if self.columns is not None:
            X = X[:, self.columns]
        return Batch(
            X,
            None if self.y is None else np.asarray(self.y[part]),
            None if self.weight is None else np.asarray(self.weight[part]),
            None if self.fold is None else checked_folds(self.fold[part], self.name),
            self._terms(part),
        )

    def _terms(self, part: slice) -> np.ndarray | None:
        given = self.offset, self.exposure

        def refuse(what: str, marked: np.ndarray, wanted: str) -> ScanError:
            row = part.start + int(np.flatnonzero(marked.reshape(len(marked), -1).any(axis=1))[0])
            value = given[what == "exposure"][row]  # type: ignore[index]
            return ScanError(f"{what} must be {wanted}, but {what}[{row}] is {value}.")

        offset, exposure = (None if values is None else values[part] for values in given)
        return known_terms(offset, exposure, refuse)

    def _chunk(self, begin: int, step: int) -> Chunk:
        rows = self._rows(begin, step)
        return Chunk(rows.X.shape[0], *rows)

    def identity(self) -> dict[str, object]:
        """See `RowSource`; of what arrays in memory hold, only shapes and types."""
        parts = [self.X, self.y, self.weight, self.fold]
        if self.offset is not None or self.exposure is not None:
            parts += [self.offset, self.exposure]
        return {
            "kind": "arrays",
            "files": [state.identity() for state in self._states],
            "arrays": [None if a is None else [list(a.shape), str(a.dtype)] for a in parts],
            "columns": None if self.columns is None else _plain_columns(self.columns),
            "rows_of_batch": rows_of_batch(self.n_features),
        }


def _plain_columns(columns: ColumnIndex) -> list[int | None]:
    if isinstance(columns, slice):
        return [columns.start, columns.stop, columns.step]
    return np.asarray(columns).tolist()


class IteratorRows:
    """Rows of an iterable of X, (X, y), (X, y, weight) or (X, y, weight, fold)."""

    n_rows = None
    target_names = None

    decodes = True

    def __init__(self, make: Callable[[], Batches], repeatable: bool) -> None:
        self.make, self.repeatable = make, repeatable
        self.feature_names: list[str] | None = None

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """See `RowSource`; batches are those of the iterable, cut where they have too many rows."""
        number, names = 0, None
        for index, given in enumerate(self.make()):
            where = f"batch {index} of the iterator"
            parts = given if isinstance(given, tuple) else (given,)
            if not 1 <= len(parts) <= 4:
                raise ScanError(
                    f"{where} has {len(parts)} parts: give X, (X, y), (X, y, weight) or "
                    "(X, y, weight, fold)."
                )
            X, y, weight, fold = (*parts, None, None, None)[:4]
            if hasattr(X, "columns"):
                names = _names_of(X) if names is None else names
                X = _values_of_frame(X, names, where)
                texts = [name for name in names if isinstance(name, str)]
                if len(texts) == len(names):
                    self.feature_names = texts
            if sp.issparse(X):
                refuse_malformed(X, f"{where}: X")
                X = X.tocsr()
            else:
                X = np.asarray(X)
            if len(X.shape) != 2:
                raise ScanError(f"{where}: X must have 2 dimensions, got shape {X.shape}.")
            y, weight, fold = (
                None if part is None else np.asarray(part) for part in (y, weight, fold)
            )
            for values, what in ((y, "y"), (weight, "weight"), (fold, "fold")):
                if values is not None and len(values) != X.shape[0]:
                    raise ScanError(f"{where}: {what} has {len(values)} rows, X has {X.shape[0]}.")
            step = reading.n_rows or max(1, X.shape[0])
            for begin in range(0, X.shape[0], step):
                number += 1
                if number <= reading.skip:
                    continue
                part = slice(begin, begin + step)
                yield Batch(
                    X[part],
                    None if y is None else y[part],
                    None if weight is None else weight[part],
                    None if fold is None else checked_folds(fold[part], where),
                )

    def identity(self) -> dict[str, object]:
        """See `RowSource`; nothing is known before reading."""
        return {"kind": "iterator"}


def _names_of(X: pd.DataFrame | pa.Table) -> list[object]:
    """Return the names of the columns of a data frame, or of an Arrow table."""
    return list(X.column_names if hasattr(X, "column_names") else X.columns)


def _values_of_frame(X: pd.DataFrame | pa.Table, names: list[object], where: str) -> np.ndarray:
    """Return the numbers of a data frame, NaN where missing; it must have these columns."""
    if _names_of(X) != names:
        raise ScanError(
            f"{where} has columns {_names_of(X)[:5]}..., the first had {names[:5]}...: give the "
            "same columns in the same order."
        )
    values: np.ndarray = np.asarray(X)
    if values.dtype != object:
        return values
    try:
        held = X.to_numpy(na_value=np.nan) if hasattr(X, "iloc") else values
        return np.asarray(held, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ScanError(f"{where}: X must hold numbers: {error}.") from None


def mapped(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the array of a ``.npy`` file, mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ScanError(f"{path} cannot be read as .npy: {error}") from None
    return array


def column_split(
    X: np.ndarray, target: int, features: ArrayLike | slice | None
) -> tuple[np.ndarray, ArrayLike | slice]:
    """Return a column of a matrix as y, and the other columns as features."""
    n = X.shape[1]
    if not -n <= target < n:
        raise ValueError(f"target={target!r} is no column of X, which has {n}.")
    target = int(target) % n
    if features is None:
        features = np.setdiff1d(np.arange(n), [target])
        if target in (0, n - 1):
            features = slice(1, n) if target == 0 else slice(0, n - 1)  # views, no copies
    return X[:, target], features
