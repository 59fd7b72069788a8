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
        names = getattr(estimator, "feature_names_in_", None)
        if features is None and names is not None:
            features = [str(name) for name in names]
        rows = X if features is None else X[list(features)]
        example = _predicted_frame(rows._meta_nonempty, estimator, None)
        none = example.to_numpy()[:0]
        meta = example.iloc[:0] if example.ndim == 2 else ("prediction", example.dtype)
        return rows.map_partitions(_predicted_frame, estimator, none, meta=meta)
    check_array(X)
    rows = whole_rows(X)
    example = estimator.predict(np.zeros((1, rows.shape[1]), dtype=rows.dtype))
    options: dict[str, Any] = {"drop_axis": 1}
    if example.ndim == 2:
        options = {"chunks": (rows.chunks[0], (example.shape[1],))}
    return rows.map_blocks(_predicted, estimator, example[:0], dtype=example.dtype, **options)


def _predicted(rows: Any, estimator: Any, none: Any) -> Any:
    """Return the predictions of a block; those of a block without rows are `none`."""
    return estimator.predict(rows) if rows.shape[0] else none


def _predicted_frame(rows: Any, estimator: Any, none: Any) -> Any:
    import pandas as pd

    known = hasattr(estimator, "feature_names_in_")
    predicted = _predicted(rows if known else rows.to_numpy(), estimator, none)
    if predicted.ndim == 1:
        return pd.Series(predicted, index=rows.index, name="prediction")
    columns = [f"prediction_{k}" for k in range(predicted.shape[1])]
    return pd.DataFrame(predicted, index=rows.index, columns=columns)
