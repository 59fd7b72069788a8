"""The asv suite of stochastic gradient descent; that of `fastridge.optim` is in `optim_steps.py`.

Quote ``python -m benchmarks.sgd`` instead, which compares rivals in turns within one process.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from . import sgd_race
from .cases import FASTRIDGE, SKLEARN
from .sgd import LOSSES, RIVER, SHAPES, csr_rows, dense_rows, epoch_model, objective, single_row

_BOTH = [FASTRIDGE, SKLEARN]
_N_BYTES = 40e6  # bytes of X


class SGDEpoch:
    """One shuffled epoch on dense rows: seconds, peak memory, and the loss that it reaches."""

    param_names: ClassVar[list[str]] = ["rival", "loss", "columns", "dtype"]
    params: ClassVar[list[list[Any]]] = [
        _BOTH, list(LOSSES), list(SHAPES), ["float64", "float32"],
    ]  # fmt: skip

    def setup(self, rival: str, loss: str, columns: int, dtype: str) -> None:
        """Make the rows."""
        self.X, self.y = dense_rows(columns, dtype, loss != "squared_error", _N_BYTES)
        self.model = epoch_model(rival, loss)

    def time_fit(self, rival: str, loss: str, columns: int, dtype: str) -> None:
        """Seconds of an epoch."""
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, rival: str, loss: str, columns: int, dtype: str) -> None:
        """Peak resident memory, including the data."""
        self.model.fit(self.X, self.y)

    def track_loss(self, rival: str, loss: str, columns: int, dtype: str) -> float:
        """The regularised loss after an epoch."""
        return objective(self.model.fit(self.X, self.y), self.X, self.y)


class SGDSparseEpoch:
    """One shuffled epoch on CSR rows of 100,000 columns."""

    param_names: ClassVar[list[str]] = ["rival"]
    params: ClassVar[list[list[Any]]] = [_BOTH]

    def setup(self, rival: str) -> None:
        """Make the rows."""
        self.X, self.y = csr_rows(4)
        self.model = epoch_model(rival, "log_loss")

    def time_fit(self, rival: str) -> None:
        """Seconds of an epoch."""
        self.model.fit(self.X, self.y)


class SGDThreads:
    """An epoch of rows of 1000 columns on several threads."""

    param_names: ClassVar[list[str]] = ["threads"]
    params: ClassVar[list[list[Any]]] = [[1, 2]]

    def setup(self, threads: int) -> None:
        """Make the rows."""
        self.X, self.y = dense_rows(1000, "float32", True, _N_BYTES)
        self.model = epoch_model(FASTRIDGE, "log_loss", n_threads=threads)

    def time_fit(self, threads: int) -> None:
        """Seconds of an epoch."""
        self.model.fit(self.X, self.y)


class SGDOneRow:
    """`partial_fit` of a single row of 20 columns."""

    param_names: ClassVar[list[str]] = ["rival"]
    params: ClassVar[list[list[Any]]] = [[*_BOTH, RIVER]]

    def setup(self, rival: str) -> None:
        """Make the call; NotImplementedError makes asv skip a library that is not installed."""
        try:
            self.call: Callable[[], Any] = single_row(rival)
        except ImportError as error:
            raise NotImplementedError(str(error)) from error

    def time_row(self, rival: str) -> None:
        """Seconds per row."""
        self.call()


class SGDDefaults:
    """Loss that the defaults of each library reach on unscaled features, over the optimum."""

    param_names: ClassVar[list[str]] = ["rival"]
    params: ClassVar[list[list[Any]]] = [_BOTH]
    timeout = 300

    def track_excess(self, rival: str) -> float:
        """Excess of the loss over its minimum, relative to it."""
        race = sgd_race.flights()
        scales = np.logspace(-3, 3, race.X.shape[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = {name: excess for name, excess, _ in sgd_race.by_defaults(race, scales)}
        return next(excess for name, excess in found.items() if name.startswith(rival))
