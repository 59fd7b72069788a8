"""Turn Dask arrays and data frames into lists of delayed partitions that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from dask.array import Array
    from dask.dataframe import DataFrame, Series
    from dask.delayed import Delayed

    Partition: TypeAlias = tuple[
        Delayed, Delayed, Delayed | None, Delayed | None, Delayed | None, Delayed | None
    ]
    """X, y, weight, fold, offset and exposure."""


def is_frame(X: object) -> bool:
    """Return whether X is a Dask data frame."""
    return hasattr(X, "dask") and hasattr(X, "map_partitions") and hasattr(X, "columns")


def check_array(X: object) -> None:
    """Raise TypeError if X is not a Dask array of two dimensions."""
    if not (hasattr(X, "dask") and hasattr(X, "map_blocks") and getattr(X, "ndim", 0) == 2):
        raise TypeError(
            "X must be a Dask array of 2 dimensions or a Dask data frame, got "
            f"{type(X).__module__}.{type(X).__name__}."
        )


def whole_rows(X: Array) -> Array:
    """Return X with all columns of a row in one chunk."""
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def begins_of(X: Array | DataFrame) -> list[int] | None:
    """Return the number of rows before each partition, and of all; None if sizes are unknown."""
    if is_frame(X) or any(np.isnan(size) for size in X.chunks[0]):
        return None
    return [0, *np.cumsum(X.chunks[0]).tolist()]


def partitions(
    X: Array | DataFrame,
    y: Array | Series | str | Sequence[str] | None,
    sample_weight: Array | Series | str | None,
    fold: Array | Series | str | None,
    features: Sequence[str] | None,
    *,
    offset: Array | Series | str | None = None,
    exposure: Array | Series | str | None = None,
) -> tuple[list[Partition], list[str] | None, list[str] | None]:
    """Return the parts of each partition, lazily; names of features and targets."""
    given = {"y": y, "sample_weight": sample_weight, "fold": fold}
    given |= {"offset": offset, "exposure": exposure}
    if y is None:
        raise ValueError("y must be given: a Dask array, or the name of a column of X.")
    names = target_names = None
    if is_frame(X):
        columns = [str(name) for name in X.columns]
        used: list[str] = []
        for what, value in given.items():
            if isinstance(value, (str, list, tuple)):
                chosen = [value] if isinstance(value, str) else list(value)
                missing = [name for name in chosen if name not in columns]
                if missing:
                    raise ValueError(
                        f"{what}: X has no column {missing[0]!r}; there are {columns}."
                    )
                used += chosen
                given[what] = X[value if isinstance(value, str) else chosen]
                if what == "y":
                    target_names = chosen
        names = [name for name in columns if name not in used] if features is None else features
        unknown = [name for name in names if name not in columns]
        if unknown:
            raise ValueError(f"features: X has no column {unknown[0]!r}; there are {columns}.")
        rows = X[list(names)]
        n_partitions = rows.npartitions
    else:
        check_array(X)
        if features is not None:
            raise ValueError("features is supported only for data frames.")
        rows = whole_rows(X)
        n_partitions = rows.numblocks[0]
    lists = [_delayed(rows, "X", n_partitions, None)]
    for what, value in given.items():
        sizes = None if is_frame(X) else rows.chunks[0]
        lists.append(
            [None] * n_partitions if value is None else _delayed(value, what, n_partitions, sizes)
        )
    return list(zip(*lists, strict=True)), None if names is None else list(names), target_names


def _delayed(
    values: Array | Series | DataFrame, what: str, n_partitions: int, sizes: tuple[int, ...] | None
) -> list[Delayed]:
    if not hasattr(values, "to_delayed"):
        raise TypeError(
            f"{what} must be a Dask collection partitioned as X is, got {type(values).__name__}."
        )
    if sizes is not None and any(np.isnan(size) for size in sizes):
        sizes = None
    if sizes is not None and hasattr(values, "chunks") and values.chunks[0] != sizes:
        if values.shape[0] != sum(sizes):
            raise ValueError(f"{what} has {values.shape[0]} rows, but X has {sum(sizes)}.")
        values = values.rechunk({0: sizes})
    if getattr(values, "ndim", 1) == 2 and hasattr(values, "numblocks"):
        values = whole_rows(values)
    delayed = np.asarray(values.to_delayed(), dtype=object).ravel().tolist()
    if len(delayed) != n_partitions:
        raise ValueError(
            f"{what} has {len(delayed)} partitions, but X has {n_partitions}: they must have the "
            "same rows in each."
        )
    return delayed
