"""Predictions of rows of any size, written to a file batch by batch."""

import os
from contextlib import closing

from sklearn.utils.validation import check_is_fitted

from fastridge._typing import PathLike
from fastridge.data.columns import require_pyarrow
from fastridge.data.scan import Scan
from fastridge.io.predictions import prediction_file
from fastridge.linear_model.prediction import LinearModelMixin, check_names, predicted_batches
from fastridge.linear_model.sgd_base import BaseSGD
from fastridge.runtime.prefetch import prefetched

_PREFETCHED = 16  # batches of predictions


def write_predictions(
    model: LinearModelMixin | BaseSGD, rows: Scan, path: PathLike, *, name: str = "prediction"
) -> int:
    """Predict every row of a scan, and write the predictions to a file.

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
        If features are not those that the model was fitted to, if rows cannot be read, or if the
        file is one that is read.
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
    require_pyarrow()
    check_is_fitted(model, "coef_")
    check_names(model, rows)
    if any(os.path.exists(path) and os.path.samefile(file, path) for file in rows.files):
        raise ValueError(f"{path} is a file that is read: name another.")
    n_rows = 0
    with prediction_file(path, name) as file:
        # A thread predicts on while a row group is written here.
        predictions = prefetched(predicted_batches(model, rows), _PREFETCHED)
        with closing(predictions):
            for predicted in predictions:
                file.write(predicted)
                n_rows += len(predicted)
        if not n_rows:
            raise ValueError("the scan gave no rows: at least one is needed.")
    return n_rows
