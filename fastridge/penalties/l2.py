"""The L2 penalty of ridge.

    sum_kj alpha_k s_j coef_kj^2,   s_j = f_j d_j^2

with alpha_k of the k-th target, penalty factors f and, where columns are standardised, the lengths
d by which they are divided: the penalty of the coefficients of X / d, in the units of X.
"""

from typing import Self

import numpy as np


class L2Penalty:
    """The penalty, at alpha = 1 unless given. Immutable.

    Parameters
    ----------
    alpha : ndarray of shape (1,) or (n_targets,), optional
    alpha_scale : {"sum", "mean"}
        Whether alpha is added to the sum of squares, or to their mean.
    standardize : bool
        Penalise the coefficients of standardised columns.
    factors : ndarray of shape (n_features,), optional
    """

    def __init__(
        self,
        alpha: np.ndarray | None = None,
        alpha_scale: str = "sum",
        standardize: bool = False,
        factors: np.ndarray | None = None,
    ) -> None:
        self.alpha = np.ones(1) if alpha is None else alpha
        self.alpha_scale, self.standardize, self.factors = alpha_scale, standardize, factors

    def at(self, alpha: np.ndarray) -> Self:
        """Return the penalty at this alpha."""
        return type(self)(alpha, self.alpha_scale, self.standardize, self.factors)

    def columns(self, index: np.ndarray) -> Self:
        """Return the penalty of some features."""
        return self if self.factors is None else self.scaled_by(np.asarray(self.factors)[index])

    def scaled_by(self, factors: np.ndarray | None) -> Self:
        """Return the penalty with these factors."""
        return type(self)(self.alpha, self.alpha_scale, self.standardize, factors)

    def on_sums(self, alphas: np.ndarray, sum_weights: float) -> np.ndarray:
        """Return alphas given on `alpha_scale` as those of the sum of squares."""
        return alphas * sum_weights if self.alpha_scale == "mean" else alphas

    @property
    def is_uniform(self) -> bool:
        """True if s is one for each feature."""
        return self.factors is None and not self.standardize

    def scale(self, n_features: int, squares: np.ndarray | None) -> np.ndarray:
        """Return s, one for each feature; `squares` are d^2, or None where all are one."""
        if squares is None:
            return np.ones(n_features) if self.factors is None else np.asarray(self.factors)
        return squares if self.factors is None else self.factors * squares


UNIT_PENALTY = L2Penalty()
