"""Kernels by name: their parameters, and their values from inner products."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastridge._kernels import kernel_matrix as _kernel

_SYNONYMS = {"poly": "polynomial", "cosine": "linear"}  # cosine: of rows of length one
DENSE_ONLY = ("chi2", "additive_chi2")  # and of values of at least 0
_GREATEST_POWER = 64


class Kernel(NamedTuple):
    """A kernel with all its parameters.

    Attributes
    ----------
    name : str
        One of scikit-learn's names, ``"precomputed"``, or ``"callable"``.
    function : callable or None
        A function of two rows, with `parameters`.
    raw : bool
        Stop at inner products or distances, which serve any gamma up to this one.
    """

    name: str
    gamma: float = 1.0
    coef0: float = 1.0
    degree: float = 3.0
    function: Callable[..., float] | None = None
    parameters: Mapping[str, Any] = {}
    raw: bool = False

    @property
    def has_gamma(self) -> bool:
        """True if values depend on gamma."""
        return self.name in ("rbf", "laplacian", "chi2", "poly", "polynomial", "sigmoid")

    @property
    def is_radial(self) -> bool:
        """True if values depend on differences of rows only, so that rows may be shifted."""
        return self.name in ("rbf", "laplacian")

    @property
    def is_normalised(self) -> bool:
        """True if values are those of rows divided by their lengths."""
        return self.name == "cosine"

    @property
    def is_of_products(self) -> bool:
        """True if values are functions of inner products of rows."""
        return self.name not in ("laplacian", *DENSE_ONLY, "callable", "precomputed")

    def compiled(self) -> "_kernel.KernelFunction":
        """Return this kernel as the compiled code takes it."""
        index = _kernel.NAMES.index(_SYNONYMS.get(self.name, self.name))
        whole = 0 <= self.degree <= _GREATEST_POWER and self.degree == int(self.degree)
        power = int(self.degree) if whole else -1
        return _kernel.KernelFunction(index, self.gamma, self.coef0, self.degree, power, self.raw)


def kernel_of(
    kernel: str | Callable[..., float],
    gamma: float | None,
    coef0: float,
    degree: float,
    parameters: Mapping[str, Any] | None,
    n_features: int,
) -> Kernel:
    """Return a kernel with scikit-learn's defaults."""
    if callable(kernel):
        return Kernel("callable", function=kernel, parameters=parameters or {})
    if gamma is None:
        gamma = 1.0 if kernel == "chi2" else 1.0 / n_features
    return Kernel(kernel, float(gamma), float(coef0), float(degree))


def inverse_lengths(squares: np.ndarray) -> np.ndarray:
    """Return 1 / |x| from |x|^2, and 0 for rows of zeros."""
    lengths = np.sqrt(squares)
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
