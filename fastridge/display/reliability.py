"""Show how often a class occurs where it is predicted with a probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.display.axes import new_axes, plain
from fastridge.display.parameter_texts import DISPLAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator


@documented(DISPLAY)
class ReliabilityDisplay:
    """Draw the frequency of a class against its predicted probability.

    Rows are grouped by their probability, in groups of nearly equal weight.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples,)
        Predicted probabilities of the class, from 0 to 1.
    occurs : array-like of shape (n_samples,)
        Whether the row has this class: 0 or 1.
    sample_weight
    n_bins : int, default=10
        Number of groups, at least 1.
    label

    Attributes
    ----------
    predicted : ndarray of shape (n_groups,)
        Mean probability of each group.
    observed : ndarray of shape (n_groups,)
        Weighted frequency of the class in each group.
    weights : ndarray of shape (n_groups,)
        Sum of the weights of each group.
    ax_, figure_
    line_ : matplotlib.lines.Line2D
        The curve.

    Raises
    ------
    ValueError
        If a probability is not from 0 to 1, if no row has weight, or if shapes differ.

    See Also
    --------
    fastridge.LogisticRegression : Predicts probabilities.
    ForestDisplay : Odds ratios.

    Examples
    --------
    >>> from fastridge.display import ReliabilityDisplay
    >>> made = ReliabilityDisplay(probabilities=[0.1, 0.3, 0.6, 0.8], occurs=[0, 0, 1, 1], n_bins=2)
    >>> made.predicted, made.observed
    (array([0.2, 0.7]), array([0., 1.]))
    """

    def __init__(
        self,
        *,
        probabilities: ArrayLike,
        occurs: ArrayLike,
        sample_weight: ArrayLike | None = None,
        n_bins: int = 10,
        label: str | None = None,
    ) -> None:
        p, y = np.asarray(probabilities, dtype=float), np.asarray(occurs, dtype=float)
        weight = np.ones(p.shape) if sample_weight is None else np.asarray(sample_weight, float)
        weight = np.broadcast_to(weight, p.shape)
        if p.ndim != 1 or p.shape != y.shape or not ((p >= 0.0) & (p <= 1.0)).all():
            raise ValueError(
                "probabilities must be from 0 to 1, one for each row, got shape "
                f"{p.shape} for {y.shape[0] if y.ndim else 0} rows."
            )
        if n_bins < 1 or not weight.sum() > 0.0:
            raise ValueError("n_bins must be at least 1, and at least one row needs weight.")
        order = np.argsort(p, kind="stable")
        order = order[weight[order] > 0.0]
        p, y, weight = p[order], y[order], weight[order]
        middle = np.cumsum(weight) - 0.5 * weight
        group = np.minimum((middle / weight.sum() * n_bins).astype(int), n_bins - 1)
        total = np.bincount(group, weight, n_bins)
        kept = total > 0.0
        self.weights = total[kept]
        self.predicted = np.bincount(group, weight * p, n_bins)[kept] / self.weights
        self.observed = np.bincount(group, weight * y, n_bins)[kept] / self.weights
        self.label = label

    @classmethod
    @documented(DISPLAY)
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        pos_label: Any = None,
        n_bins: int = 10,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the reliability of a fitted classifier on rows, best those it was not fitted to.

        Parameters
        ----------
        estimator : classifier
            A fitted classifier with `predict_proba`.
        X, y, sample_weight
        pos_label : object, default=None
            The class whose probability is drawn; None is the last of `classes_`.
        n_bins : int, default=10
            Number of groups, at least 1.
        ax

        Returns: Self

        Raises
        ------
        ValueError
            If `pos_label` is not a class, or if the rows are malformed.
        ImportError
        """
        classes = np.asarray(estimator.classes_)
        label = classes[-1] if pos_label is None else pos_label
        at = np.flatnonzero(classes == label)
        if not len(at):
            raise ValueError(f"pos_label must be one of classes_, got {pos_label!r}.")
        made = cls(
            probabilities=estimator.predict_proba(X)[:, at[0]],
            occurs=np.asarray(y) == label,
            sample_weight=sample_weight,
            n_bins=n_bins,
            label=f"{type(estimator).__name__}, {label}",
        )
        return made.plot(ax)

    @documented(DISPLAY)
    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curve, and the line on which probabilities are frequencies.

        Parameters: ax

        Returns: Self

        Raises: ImportError
        """
        self.ax_, self.figure_ = new_axes(ax, width=4.8, height=4.6)
        self.ax_.plot([0.0, 1.0], [0.0, 1.0], color="0.4", linewidth=0.8, linestyle="--",
                      label="perfect")  # fmt: skip
        label = "groups of rows" if self.label is None else plain(self.label)
        (self.line_,) = self.ax_.plot(
            self.predicted, self.observed, marker="o", markersize=4, linewidth=1.2, label=label
        )
        self.ax_.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        self.ax_.set_xlabel("predicted probability")
        self.ax_.set_ylabel("observed frequency")
        self.ax_.legend(fontsize="small", loc="upper left")
        return self
