"""The asv suite of logistic regression and the generalized linear models.

Quote ``python -m benchmarks.glm`` instead, which compares rivals in turns within one process.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from .cases import FASTRIDGE, SKLEARN
from .glm_cases import CASES, objective
from .glm_rivals import settings

_CASES = {case.name: case for case in CASES}
_SHRINK = 4


class GLMFit:
    """One fit: seconds, peak memory, and how the objective compares with that of fastridge."""

    param_names: ClassVar[list[str]] = ["rival", "case"]
    params: ClassVar[list[list[Any]]] = [[FASTRIDGE, SKLEARN], list(_CASES)]

    def setup(self, rival: str, case: str) -> None:
        """Make the rows."""
        warnings.simplefilter("ignore")
        self.case = _CASES[case]
        self.X, self.y = self.case.data(_SHRINK)
        self.fit = next(settings(self.case, self.X, rival))[1]

    def time_fit(self, rival: str, case: str) -> None:
        """Seconds of a fit."""
        self.fit(self.X, self.y)

    def peakmem_fit(self, rival: str, case: str) -> None:
        """Peak resident memory, including the data."""
        self.fit(self.X, self.y)

    def track_excess(self, rival: str, case: str) -> float:
        """Objective less that of fastridge at its defaults, relative to it."""
        ours = next(settings(self.case, self.X, FASTRIDGE))[1](self.X, self.y)
        least = objective(self.case, self.X, self.y, *ours)
        found = objective(self.case, self.X, self.y, *self.fit(self.X, self.y))
        return (found - least) / abs(least)
