"""Tables as X: the encoding of a model says which features their columns are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sklearn.base import BaseEstimator

from fastridge._kernels.attributes import forget
from fastridge.data.scan import Scan, scan

if TYPE_CHECKING:
    from fastridge.data.feature_encoding import Encoding

Rows = TypeVar("Rows")


def remember_encoding(model: BaseEstimator, rows: Scan) -> None:
    """Keep the encoding of the rows that a model is fitted to, if they have one."""
    forget(model, "encoding_")
    if rows.encoding is not None:
        model.encoding_ = rows.encoding


def encoded(model: BaseEstimator, X: Rows) -> Rows | Scan:
    """Return a table as a scan that the model's encoding makes, and anything else as it is.

    A table whose columns are the features already is not encoded.
    """
    encoding: Encoding | None = model.__dict__.get("encoding_")
    is_frame = hasattr(X, "iloc") and hasattr(X, "columns")
    if encoding is None or not (is_frame or hasattr(X, "__arrow_c_stream__")):
        return X
    names = X.column_names if hasattr(X, "column_names") else getattr(X, "columns", ())
    if [*map(str, names)] == encoding.feature_names != encoding.names:
        return X
    return scan(X, encoding=encoding)
