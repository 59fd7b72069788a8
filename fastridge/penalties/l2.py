"""The L2 penalty of ridge.

    sum_kj alpha_k s_j coef_kj^2,   s_j = f_j d_j^2

with alpha_k of the k-th target, penalty factors f and, where columns are standardised, the lengths
d by which they are divided: the penalty of the coefficients of X / d, in the units of X.
"""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class L2Penalty:
    """The penalty, at alpha = 1 unless given.

    Parameters
    ----------
    alpha : ndarray of shape (1,) or (n_targets,)
    alpha_scale : {"sum", "mean"}
        Whether alpha is added to the sum of squares, or to their mean.
    standardize : bool
        Penalise the coefficients of standardised columns.
    factors : ndarray of shape (n_features,), optional
    """

    alpha: np.ndarray = field(default_factory=lambda: np.ones(1))
    alpha_scale: str = "sum"
    standardize: bool = False
    factors: np.ndarray | None = None

    def at(self, alpha: np.ndarray) -> Self:
        """Return the penalty at this alpha."""
        return replace(self, alpha=alpha)

    def columns(self, index: np.ndarray) -> Self:
        """Return the penalty of some features."""
        return (
            self if self.factors is None else replace(self, factors=np.asarray(self.factors)[index])
        )

    def on_sums(self, alphas: np.ndarray, sum_weights: float) -> np.ndarray:
        """Return alphas given on `alpha_scale` as those of the sum of squares."""
        return alphas * sum_weights if self.alpha_scale == "mean" else alphas

    def scale(self, n_features: int, squares: np.ndarray | None) -> np.ndarray:
        """Return s, one for each feature; `squares` are d^2, or None where all are one."""
        if squares is None:
            return np.ones(n_features) if self.factors is None else np.asarray(self.factors)
        return squares if self.factors is None else self.factors * squares


UNIT_PENALTY = L2Penalty()
