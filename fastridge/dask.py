"""Fits and predictions of Dask arrays and data frames, on any Dask cluster.

Each partition becomes statistics where it lies; they are merged in a tree on the workers and solved
on the client. `GramStatistics` are small (some 8 p^2 bytes) and add up exactly, so the result is
that of one machine within rounding, however many workers there are and whichever of them die.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastridge.linear_model.fold_statistics import N_FOLDS, fold_bounds, fold_ids, with_rows
from fastridge.statistics import GramStatistics

_FAN_IN = 8  # statistics that one task merges

__all__ = ["fit", "predict"]


def fit(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    fold: Any = None,
    features: Sequence[str] | None = None,
) -> Any:
    """Fit an estimator to a Dask array or data frame.

    Parameters
    ----------
    estimator : Ridge, RidgeCV, ElasticNet, Lasso, ElasticNetCV or LassoCV
        Fitted in place by its `fit_statistics`. RidgeCV needs `cv`, or a method without rows.
    X : dask.array.Array of shape (n_samples, n_features), or dask.dataframe.DataFrame
        Chunks of unknown sizes do. Sparse chunks may be SciPy CSR matrices.
    y : dask array of shape (n_samples,) or (n_samples, n_targets); for a data frame also the name \
            of a column, or a list of names
        Partitioned by rows as X is.
    sample_weight, fold : dask array of shape (n_samples,), or the name of a column, optional
        `fold` has whole numbers from 0 up. Without it the estimators that cross-validate have
        `cv` folds (5 if that is None) of consecutive rows, as scikit-learn's KFold makes them,
        where all sizes of chunks are known; else row i of partition j is in fold
        ``(i + j) % cv``.
    features : list of str, optional
        Columns of a data frame to use; all that have no other part unless given.

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        Where parts do not fit each other, or an option is not offered.
    TypeError
        Where X is no Dask collection, or the estimator has no `fit_statistics`.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import fastridge.dask
    >>> from fastridge import Ridge
    >>> X = np.arange(20.0).reshape(10, 2) % 7
    >>> y = X @ [1.0, -1.0]
    >>> rows = da.from_array(X, chunks=(4, 2)), da.from_array(y, chunks=4)
    >>> fastridge.dask.fit(Ridge(alpha=1e-8), *rows).coef_.round(6)
    array([ 1., -1.])
    """
    import dask

    if not hasattr(estimator, "fit_statistics"):
        raise TypeError(
            f"{type(estimator).__name__} has no fit_statistics: give one of Ridge, RidgeCV, "
            "ElasticNet, Lasso, ElasticNetCV, LassoCV."
        )
    chooses = hasattr(estimator, "cv")
    parts, names, target_names = _partitions(X, y, sample_weight, fold, features)
    n_folds = None
    if chooses:
        n_folds = N_FOLDS if estimator.cv is None else estimator.cv
        if isinstance(n_folds, bool) or not hasattr(n_folds, "__index__") or n_folds < 2:
            raise ValueError(
                f"cv must be None or a number of folds from 2 up for Dask collections, got "
                f"{estimator.cv!r}: give the fold of each row instead."
            )
    begins = _begins(X) if fold is None else None
    make = dask.delayed(_statistics, pure=True)
    leaves = []
    for place, part in enumerate(parts):
        begin = None if begins is None else (begins[place], begins[-1])
        leaves.append(make(*part, place, begin, n_folds, names, target_names))
    merge = dask.delayed(_merged, pure=True)
    while len(leaves) > 1:
        leaves = [
            merge(leaves[begin : begin + _FAN_IN]) for begin in range(0, len(leaves), _FAN_IN)
        ]
    (folds,) = dask.compute(leaves[0])
    if not any(stats.n_samples for stats in folds):
        raise ValueError("X has no rows: at least one is needed.")
    return estimator.fit_statistics(folds if chooses else folds[0])


def predict(estimator: Any, X: Any, *, features: Sequence[str] | None = None) -> Any:
    """Predictions of a Dask array or data frame, as a lazy Dask array or series.

    Parameters
    ----------
    estimator : fitted estimator
        Goes to the workers with each task.
    X : dask.array.Array or dask.dataframe.DataFrame
    features : list of str, optional
        Columns of a data frame; those that the estimator was fitted to unless given.

    Returns
    -------
    y : dask.array.Array of shape (n_samples,) or (n_samples, n_targets), or dask.dataframe.Series
    """
    if _is_frame(X):
        import pandas as pd

        names = getattr(estimator, "feature_names_in_", None)
        if features is None and names is not None:
            features = [str(name) for name in names]
        rows = X if features is None else X[list(features)]
        empty = _predicted_frame(rows._meta_nonempty, estimator).iloc[:0]
        if isinstance(empty, pd.DataFrame):
            return rows.map_partitions(_predicted_frame, estimator, meta=empty)
        return rows.map_partitions(_predicted_frame, estimator, meta=("prediction", empty.dtype))
    _check_array(X)
    rows = _whole_rows(X)
    example = estimator.predict(np.zeros((1, rows.shape[1]), dtype=rows.dtype))
    if example.ndim == 1:
        return rows.map_blocks(estimator.predict, dtype=example.dtype, drop_axis=1)
    chunks = (rows.chunks[0], (example.shape[1],))
    return rows.map_blocks(estimator.predict, dtype=example.dtype, chunks=chunks)


def _is_frame(X: Any) -> bool:
    return hasattr(X, "dask") and hasattr(X, "map_partitions") and hasattr(X, "columns")


def _check_array(X: Any) -> None:
    if not (hasattr(X, "dask") and hasattr(X, "map_blocks") and getattr(X, "ndim", 0) == 2):
        raise TypeError(
            "X must be a Dask array of 2 dimensions or a Dask data frame, got "
            f"{type(X).__module__}.{type(X).__name__}."
        )


def _whole_rows(X: Any) -> Any:
    """X with all columns of a row in one chunk."""
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def _begins(X: Any) -> list[int] | None:
    """The number of rows before each partition, and of all; None where sizes are not known."""
    if _is_frame(X) or any(np.isnan(size) for size in X.chunks[0]):
        return None
    return [0, *np.cumsum(X.chunks[0]).tolist()]


def _partitions(
    X: Any, y: Any, sample_weight: Any, fold: Any, features: Sequence[str] | None
) -> tuple[list[tuple[Any, ...]], list[str] | None, list[str] | None]:
    """X, y, weight and fold of each partition, lazily; names of features and targets."""
    given = {"y": y, "sample_weight": sample_weight, "fold": fold}
    if y is None:
        raise ValueError("y must be given: a Dask array, or the name of a column of X.")
    names = target_names = None
    if _is_frame(X):
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
        n_parts = rows.npartitions
    else:
        _check_array(X)
        if features is not None:
            raise ValueError("features is offered for data frames only.")
        rows = _whole_rows(X)
        n_parts = rows.numblocks[0]
    lists = [_delayed(rows, "X", n_parts, None)]
    for what, value in given.items():
        sizes = None if _is_frame(X) else rows.chunks[0]
        lists.append([None] * n_parts if value is None else _delayed(value, what, n_parts, sizes))
    return list(zip(*lists, strict=True)), None if names is None else list(names), target_names


def _delayed(values: Any, what: str, n_parts: int, sizes: Any) -> list[Any]:
    if not hasattr(values, "to_delayed"):
        raise TypeError(
            f"{what} must be a Dask collection partitioned as X is, got {type(values).__name__}."
        )
    known = sizes is not None and not any(np.isnan(size) for size in sizes)
    if known and hasattr(values, "chunks") and values.chunks[0] != sizes:
        if values.shape[0] != sum(sizes):
            raise ValueError(f"{what} has {values.shape[0]} rows, but X has {sum(sizes)}.")
        values = values.rechunk({0: sizes})
    if getattr(values, "ndim", 1) == 2 and hasattr(values, "numblocks"):
        values = _whole_rows(values)
    parts = np.asarray(values.to_delayed(), dtype=object).ravel().tolist()
    if len(parts) != n_parts:
        raise ValueError(
            f"{what} has {len(parts)} partitions, but X has {n_parts}: they must have the same "
            "rows in each."
        )
    return parts


def _statistics(
    X: Any,
    y: Any,
    weight: Any,
    fold: Any,
    place: int,
    begin: tuple[int, int] | None,
    n_folds: int | None,
    names: list[str] | None,
    target_names: list[str] | None,
) -> list[GramStatistics]:
    """The statistics of a partition's rows: of all of them, or one a fold. Runs on a worker."""
    X, y, weight, fold = (
        part.to_numpy() if hasattr(part, "iloc") else part for part in (X, y, weight, fold)
    )
    n = X.shape[0]
    if n_folds is None:
        ids = np.zeros(n, dtype=np.intp)
    elif fold is not None:
        ids = fold_ids(fold, n, 0, n_folds)
    elif begin is not None:
        places = np.arange(begin[0], begin[0] + n)
        ids = np.searchsorted(fold_bounds(begin[1], n_folds), places, side="right") - 1
    else:
        ids = fold_ids(None, n, place, n_folds)
    if not n:
        return []
    folds = with_rows([], ids, X, np.asarray(y), weight, names=names, n_threads=1)
    for stats in folds:
        stats.target_names = target_names
        stats.n_threads = None
    return folds


def _merged(parts: list[list[GramStatistics]]) -> list[GramStatistics]:
    """The sums fold by fold, in the order of the partitions."""
    longest = max(parts, key=len)
    merged = []
    for k in range(len(longest)):
        some = [folds[k] for folds in parts if k < len(folds) and folds[k].n_samples]
        merged.append(sum(some[1:], some[0]) if some else longest[k])
    return merged


def _predicted_frame(rows: Any, estimator: Any) -> Any:
    import pandas as pd

    known = hasattr(estimator, "feature_names_in_")
    predicted = estimator.predict(rows if known else rows.to_numpy())
    if predicted.ndim == 1:
        return pd.Series(predicted, index=rows.index, name="prediction")
    columns = [f"prediction_{k}" for k in range(predicted.shape[1])]
    return pd.DataFrame(predicted, index=rows.index, columns=columns)
