"""Lazy predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastridge.dask.partitions import check_array, is_frame, whole_rows


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
    if is_frame(X):
        import pandas as pd

        names = getattr(estimator, "feature_names_in_", None)
        if features is None and names is not None:
            features = [str(name) for name in names]
        rows = X if features is None else X[list(features)]
        empty = _predicted_frame(rows._meta_nonempty, estimator).iloc[:0]
        if isinstance(empty, pd.DataFrame):
            return rows.map_partitions(_predicted_frame, estimator, meta=empty)
        return rows.map_partitions(_predicted_frame, estimator, meta=("prediction", empty.dtype))
    check_array(X)
    rows = whole_rows(X)
    example = estimator.predict(np.zeros((1, rows.shape[1]), dtype=rows.dtype))
    if example.ndim == 1:
        return rows.map_blocks(estimator.predict, dtype=example.dtype, drop_axis=1)
    chunks = (rows.chunks[0], (example.shape[1],))
    return rows.map_blocks(estimator.predict, dtype=example.dtype, chunks=chunks)


def _predicted_frame(rows: Any, estimator: Any) -> Any:
    import pandas as pd

    known = hasattr(estimator, "feature_names_in_")
    predicted = estimator.predict(rows if known else rows.to_numpy())
    if predicted.ndim == 1:
        return pd.Series(predicted, index=rows.index, name="prediction")
    columns = [f"prediction_{k}" for k in range(predicted.shape[1])]
    return pd.DataFrame(predicted, index=rows.index, columns=columns)
