"""Predictions of rows of any size, written to a file batch by batch."""

import contextlib
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastridge._typing import PathLike
from fastridge.data.columns import require_pyarrow
from fastridge.data.scan import Scan
from fastridge.io.atomic import replacing
from fastridge.linear_model.prediction import LinearModelMixin, check_names, predicted_batches
from fastridge.linear_model.sgd_base import BaseSGD
from fastridge.runtime.prefetch import prefetched

_GROUP_ROWS = 1 << 20
_AHEAD = 16  # batches of predictions


def write_predictions(
    model: LinearModelMixin | BaseSGD, rows: Scan, path: PathLike, *, name: str = "prediction"
) -> int:
    """Predict every row of a scan, and write the predictions to a Parquet file.

    Parameters
    ----------
    model : fitted estimator
        One of fastridge's linear models.
    rows : Scan
        Rows from `fastridge.scan`; their target, if any, does not enter the result.
    path : str or os.PathLike
        File to write. It appears, whole, only once all rows are predicted; an older file of this
        name is replaced.
    name : str, default="prediction"
        Name of the column; several targets have ``"<name>_0"`` and so on.

    Returns
    -------
    int
        Number of rows that were predicted.

    Raises
    ------
    ValueError
        If features are not those that the model was fitted to, or if rows cannot be read.
    OSError
        If the file cannot be written.
    ImportError
        If pyarrow is not installed.

    See Also
    --------
    fastridge.scan : Makes the rows.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from fastridge import Ridge, scan, write_predictions
    >>> X = np.arange(12.0).reshape(6, 2) % 5
    >>> model = Ridge().fit(X, X[:, 0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_predictions(model, scan(X), os.path.join(folder, "y.parquet"))
    6
    """
    pa = require_pyarrow()
    import pyarrow.parquet as pq

    check_is_fitted(model, "coef_")
    check_names(model, rows)
    writer, held, n_held, n_rows = None, [], 0, 0
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(replacing(path))
        # A thread predicts on while a row group is written here.
        predictions = prefetched(predicted_batches(model, rows), _AHEAD)
        stack.callback(predictions.close)  # type: ignore[attr-defined]
        for predicted in predictions:
            held.append(predicted)
            n_held += len(predicted)
            n_rows += len(predicted)
            if writer is None:
                schema = _schema(pa, predicted, name)
                writer = pq.ParquetWriter(temporary, schema, use_dictionary=False)
                stack.callback(writer.close)
            if n_held >= _GROUP_ROWS:
                writer.write_table(_table(pa, writer.schema, held))
                held, n_held = [], 0
        if writer is None:
            raise ValueError("the scan gave no rows: at least one is needed.")
        if held:
            writer.write_table(_table(pa, writer.schema, held))
    return n_rows


def _schema(pa: Any, predicted: np.ndarray, name: str) -> Any:
    kind = pa.from_numpy_dtype(predicted.dtype)
    if predicted.ndim == 1:
        return pa.schema([(name, kind)])
    return pa.schema([(f"{name}_{k}", kind) for k in range(predicted.shape[1])])


def _table(pa: Any, schema: Any, held: list[np.ndarray]) -> Any:
    together = np.concatenate(held)
    columns = [together] if together.ndim == 1 else list(together.T)
    return pa.table([np.ascontiguousarray(column) for column in columns], schema=schema)
