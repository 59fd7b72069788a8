"""What the types of columns mean, and their values as numbers or as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastridge.sources.batches import ScanError

#: Kinds of columns that become one column of numbers, and the unit of these numbers.
UNITS = {
    "number": "",
    "boolean": "0 or 1",
    "date": "days since 1970",
    "timestamp": "seconds since 1970",
    "time": "seconds since midnight",
    "duration": "seconds",
}
_DAY = 86400.0
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def require_pyarrow() -> Any:
    """pyarrow with its dataset module; ImportError says how to install it."""
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.csv
        import pyarrow.dataset
    except ImportError:
        raise ImportError(
            "reading tables needs pyarrow, which is not installed: pip install "
            "'fastridge-solvers[data]'."
        ) from None
    return pa


def kind_of(dtype: Any) -> str:
    """``"text"``, ``"empty"``, ``"unusable"`` or one of `UNITS` for an Arrow type."""
    types = require_pyarrow().types
    if types.is_boolean(dtype):
        return "boolean"
    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype):
        return "number"
    if types.is_date(dtype):
        return "date"
    for kind in ("timestamp", "time", "duration"):
        if getattr(types, f"is_{kind}")(dtype):
            return kind
    if types.is_null(dtype):
        return "empty"
    if types.is_dictionary(dtype):
        return "unusable" if kind_of(dtype.value_type) == "unusable" else "text"
    if types.is_string(dtype) or types.is_large_string(dtype):
        return "text"
    is_view = getattr(types, "is_string_view", None)  # pyarrow 16
    return "text" if is_view is not None and is_view(dtype) else "unusable"


def to_numbers(array: Any, wanted: str, name: str) -> np.ndarray:
    """The values of an Arrow array as float64 in the unit of the kind `wanted`, NaN where missing.

    Raises ScanError if the array holds something of another kind, or an infinity.
    """
    pa = require_pyarrow()
    kind = kind_of(array.type)
    if kind == "empty":
        return np.full(len(array), np.nan)
    if kind != wanted and {kind, wanted} not in ({"number", "boolean"}, {"date", "timestamp"}):
        raise ScanError(f"column {name!r} holds {array.type} where {wanted}s are expected")
    factor = 1.0
    if kind == "date":
        array = array.cast(pa.date32()).cast(pa.int32())
    elif kind in ("timestamp", "time", "duration"):
        factor = _SECONDS[array.type.unit]
        array = array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64())
    values: np.ndarray = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if kind != wanted and wanted == "date":
        factor /= _DAY
    elif kind != wanted and wanted == "timestamp":
        factor *= _DAY
    if factor != 1.0:
        values = values * factor
    if np.isinf(values).any():
        raise ScanError(f"column {name!r} holds an infinite number: remove or replace it")
    return values


def to_text(array: Any) -> Any:
    """The values of an Arrow array as an Arrow array of strings, null where missing."""
    pa = require_pyarrow()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        pc = require_pyarrow().compute
        array = pc.if_else(pc.is_nan(array), None, array)
    return array.cast(pa.string())
