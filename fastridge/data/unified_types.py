"""One type for each column of several files, or an error that names the file and the column."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, TypeAlias

from fastridge.data.batches import Remedy, ScanError
from fastridge.data.columns import kind_of, require_pyarrow
from fastridge.data.csv_options import CsvOptions
from fastridge.data.doubtful_text import Position
from fastridge.data.feature_encoding import EncodingOptions

if TYPE_CHECKING:
    import pyarrow as pa

    Types: TypeAlias = dict[str, pa.DataType]
    Place: TypeAlias = tuple[str, pa.DataType]

#: Types whose values fit into float32.
SMALL = ("bool", "int8", "uint8", "int16", "uint16", "halffloat", "float")


def _unified(
    one: pa.DataType, other: pa.DataType, *, as_text: bool, parsed: bool
) -> pa.DataType | None:
    """Return a type that stands for two Arrow types, None where they do not go together.

    Parameters
    ----------
    one, other : pyarrow.DataType
    as_text : bool
        Whether the values are told apart by their text.
    parsed : bool
        Whether both are guesses at what text in a file means.
    """
    pa = require_pyarrow()
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    kinds = {kind_of(one), kind_of(other)}
    if "unusable" in kinds:
        return None
    if "text" in kinds:
        return pa.string() if parsed or kinds == {"text"} else None
    if as_text and (kinds != {"number"} or _has_decimals(one, other)):
        return pa.string() if parsed else None
    if kinds <= {"number", "boolean"}:
        return _number(one, other)
    if kinds <= {"date", "timestamp"} and "timestamp" in kinds:
        stamps = [dtype for dtype in (one, other) if pa.types.is_timestamp(dtype)]
        return stamps[0] if len({dtype.tz for dtype in stamps}) == 1 else None
    return one if len(kinds) == 1 else None


def _has_decimals(one: pa.DataType, other: pa.DataType) -> bool:
    types = require_pyarrow().types
    return bool(types.is_decimal(one) or types.is_decimal(other))


def _number(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return a type whose values are those of both, as far as float64 has them."""
    pa = require_pyarrow()
    if str(one) in SMALL and str(other) in SMALL:
        return pa.float32()
    both = (one, other)
    if all(map(pa.types.is_unsigned_integer, both)):
        return pa.uint64()
    return pa.int64() if all(map(pa.types.is_integer, both)) else pa.float64()


def read_types(
    types: Types,
    files: Iterable[tuple[str, Types]],
    used: Collection[str],
    options: EncodingOptions,
    droppable: Collection[str],
    text: CsvOptions | None,
    position_of: Position,
) -> Types:
    """Return one type for each column over all files.

    Parameters
    ----------
    types : dict of str to pyarrow.DataType
        Types of columns that may be in no file: keys of folders.
    files : iterable of (str, dict of str to pyarrow.DataType)
        Path and types of each file.
    used : collection of str
        The columns that are read. ScanError names the first of them whose types differ too much.
    options : EncodingOptions
    droppable : collection of str
        Columns that need not be read.
    text : CsvOptions or None
        How text becomes values, where the types are guesses at what it means.
    position_of : callable
        Returns file and line of the first value of a column that fits.
    """
    pa = require_pyarrow()
    parsed = text is not None
    found: Types = {}
    first: dict[str, Place] = {}
    seen: Types = {}
    for path, own in files:
        for name in types:
            if name not in own:
                continue
            if own[name] == seen.get(name):
                continue
            seen[name] = own[name]
            dtype, as_text = own[name], options.as_text(name)
            if parsed:
                dtype = options.parsed_type(name, dtype)
            if name in used:
                options.check(name, dtype, path, text, position_of)
            together = _unified(found.get(name, pa.null()), dtype, as_text=as_text, parsed=parsed)
            known = name in first
            if known and together is not None and not options.takes_text(name):
                became_text = kind_of(together) == "text" != kind_of(found[name])
                together = None if became_text else together
            if together is None:
                if name in used:
                    where, held = first[name]
                    fixes: list[Remedy] = []
                    if name in droppable:
                        fixes = [Remedy("drop", [name], "to leave it out, or the files one type")]
                    raise ScanError(
                        f"{path}: column {name!r} holds {dtype}, where {where} has {held}", *fixes
                    )
                together = found[name]
            if not known and not pa.types.is_null(dtype):
                first[name] = path, dtype
            found[name] = together
    return {**types, **found}
