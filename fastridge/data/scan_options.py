"""The options of `fastridge.scan`, in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from numpy.typing import ArrayLike

from fastridge._typing import PathLike
from fastridge.data.column_roles import Name
from fastridge.data.csv_options import CsvOptions
from fastridge.data.feature_encoding import Encoding
from fastridge.data.splitting import Split

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

Categorical: TypeAlias = Literal["auto"] | Sequence[Name] | Mapping[Name, Sequence[object]]


class Roles(NamedTuple):
    """The parts of a source that are not all of its rows, as a user gives them; see `scan`."""

    target: PathLike | ArrayLike | None
    features: Sequence[str] | ArrayLike | slice | None
    weights: PathLike | ArrayLike | None
    fold: PathLike | ArrayLike | Split | None
    offset: PathLike | ArrayLike | None
    exposure: PathLike | ArrayLike | None


class Tabular(NamedTuple):
    """The options of `scan` that belong to tables; None stands for one that was not given."""

    filter: pa.dataset.Expression | None
    nulls: str
    categorical: Categorical | None
    hashed: Sequence[Name] | None
    encoding: Encoding | None
    infer: bool | None
    keep: Sequence[Name] | None
    drop: Sequence[Name] | None
    csv: CsvOptions

    def given(self) -> dict[str, object]:
        """Return the options that were given."""
        own = {k: v for k, v in self._asdict().items() if k != "csv" and v is not None}
        if self.nulls == "error":
            del own["nulls"]
        return own | self.csv.given()
