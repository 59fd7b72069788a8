"""Lazy predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastridge._typing import Matrix
from fastridge.dask.partitions import check_array, is_frame, whole_rows

if TYPE_CHECKING:
    import pandas as pd
    from dask.array import Array
    from dask.dataframe import DataFrame, Series
    from sklearn.base import BaseEstimator


def predict(
    estimator: BaseEstimator, X: Array | DataFrame, *, features: Sequence[str] | None = None
) -> Array | DataFrame | Series:
    """Predict for a Dask array or data frame, lazily.

    Parameters
    ----------
    estimator : fitted estimator
        Model to predict by. It goes to the workers with each task.
    X : dask.array.Array of shape (n_samples, n_features), or dask.dataframe.DataFrame
        Rows.
    features : sequence of str, default=None
        Columns of a data frame; None is those that the estimator was fitted to.

    Returns
    -------
    dask.array.Array of shape (n_samples,) or (n_samples, n_targets), or dask.dataframe.Series
        Predicted targets, partitioned as X is. A data frame gives a series ``"prediction"``, or
        with several targets a data frame of columns ``"prediction_0"`` and so on.

    Raises
    ------
    TypeError
        If X is not a Dask collection.

    See Also
    --------
    fastridge.dask.fit : Fits an estimator to a Dask collection.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastridge.dask
    >>> from fastridge import Ridge
    >>> model = Ridge(alpha=0.5).fit([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 1.0, 2.0])
    >>> fastridge.dask.predict(model, da.zeros((3, 2), chunks=(2, 2))).compute().round(2)
    array([0.6, 0.6, 0.6])
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
    options: dict[str, object] = {"drop_axis": 1}
    if example.ndim == 2:
        options = {"chunks": (rows.chunks[0], (example.shape[1],))}
    return rows.map_blocks(_predicted, estimator, example[:0], dtype=example.dtype, **options)


def _predicted(rows: Matrix, estimator: BaseEstimator, none: np.ndarray | None) -> np.ndarray:
    """Return the predictions of a block; those of a block without rows are `none`."""
    return estimator.predict(rows) if none is None or rows.shape[0] else none


def _predicted_frame(
    rows: pd.DataFrame, estimator: BaseEstimator, none: np.ndarray | None
) -> pd.Series | pd.DataFrame:
    import pandas as pd

    known = hasattr(estimator, "feature_names_in_")
    predicted = _predicted(rows if known else rows.to_numpy(), estimator, none)
    if predicted.ndim == 1:
        return pd.Series(predicted, index=rows.index, name="prediction")
    columns = [f"prediction_{k}" for k in range(predicted.shape[1])]
    return pd.DataFrame(predicted, index=rows.index, columns=columns)
