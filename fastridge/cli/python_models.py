"""Models that `fastridge.save` wrote: which columns of a file are their features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastridge.cli.errors import CommandError
from fastridge.data.feature_encoding import Encoding
from fastridge.data.one_hot import Encoder, NumericColumn

if TYPE_CHECKING:
    from fastridge.data.files import FileTable


def encoding_of_python(model: Any, path: str, table: FileTable) -> Encoding:
    """Return how the columns of a table become the features of a model.

    The features are columns of numbers: those of their names, or of a model without names all
    columns, in their order. A missing value is an error, as for the model in Python.
    """
    encoding = getattr(model, "encoding_", None)
    if isinstance(encoding, Encoding):
        return encoding
    known = getattr(model, "feature_names_in_", None)
    names = _columns(int(model.n_features_in_), path, table) if known is None else list(known)
    return Encoding(Encoder([NumericColumn(name, "number", 0.0, False) for name in names]))


def _columns(n_features: int, path: str, table: FileTable) -> list[str]:
    """Return the columns that are the features of a model that has no names for them."""
    if table.format == "svmlight":
        indices = [int(name) for name in table.names if name.isdecimal()]
        first = 0 if 0 in indices else 1
        if max(indices, default=0) < first + n_features:
            return [str(index) for index in range(first, first + n_features)]
        raise CommandError(
            f"{table.name} has the index {max(indices)}, and {path} was fitted to {n_features:,} "
            "features"
        )
    for names in ([n for n in table.names if n not in table.index], table.names):
        if len(names) == n_features:
            return names
    raise CommandError(
        f"{table.name} has {len(table.names)} columns, and {path} was fitted in Python to "
        f"{n_features} features without names: give a file of these columns, in their order"
    )
