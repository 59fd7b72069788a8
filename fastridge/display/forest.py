"""Odds and rate ratios with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge.display.axes import names_of, new_axes, plain
from fastridge.display.parameter_texts import DISPLAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastridge.linear_model.glm_inference import GLMInference

_ROW = 0.28  # inches


@documented(DISPLAY)
class ForestDisplay:
    """Draw the ratios of odds or means of each feature with their intervals.

    Parameters
    ----------
    ratios : array-like of shape (n_features, 3)
        Each ratio with the lower and upper bound of its interval, above 0.
    feature_names : sequence of str, default=None
        Names of the features; None is x0, x1, ...
    label : str, default="ratio"
        Label of the axis.

    Attributes
    ----------
    ratios : ndarray of shape (n_features, 3)
        The ratios with their bounds.
    feature_names : list of str
        Names of the features.
    ax_, figure_
    points_ : matplotlib.lines.Line2D
        The ratios.
    intervals_ : matplotlib.collections.LineCollection
        The intervals.

    Raises
    ------
    ValueError
        If a ratio is not above 0, or if shapes differ.

    See Also
    --------
    fastridge.linear_model.GLMInference.ratios : The numbers.
    fastridge.linear_model.GLMSummary : A table of them.

    Examples
    --------
    >>> from fastridge.display import ForestDisplay
    >>> ForestDisplay(ratios=[[2.0, 1.2, 3.5]], feature_names=["dose"]).feature_names
    ['dose']
    """

    def __init__(
        self,
        *,
        ratios: ArrayLike,
        feature_names: Sequence[str] | None = None,
        label: str = "ratio",
    ) -> None:
        values = np.asarray(ratios, dtype=float)
        if values.ndim != 2 or values.shape[1] != 3 or not (values[:, 0] > 0.0).all():
            raise ValueError(
                "ratios must have shape (n_features, 3) with ratios above 0 in the first column, "
                f"got shape {values.shape}."
            )
        self.ratios, self.label = values, label
        self.feature_names = names_of(feature_names, None, len(values))

    @classmethod
    @documented(DISPLAY)
    def from_inference(
        cls,
        inference: GLMInference,
        *,
        level: float = 0.95,
        method: Literal["wald", "profile"] = "wald",
        class_index: int = 0,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the ratios of a fitted model.

        Parameters
        ----------
        inference : GLMInference
            What `inference` of a logistic or generalized linear model returned.
        level : float, default=0.95
            Probability that the intervals cover, between 0 and 1.
        method : {"wald", "profile"}, default="wald"
            Intervals from standard errors, or by the profile of the likelihood.
        class_index : int, default=0
            Index among `inference.classes`, where there are several.
        ax

        Returns: Self

        Raises
        ------
        ValueError
            If the model has the identity link, or if `level` or `method` is not supported.
        ImportError
        """
        ratios = inference.ratios(level, method)
        label = "odds ratio" if inference._likelihood.power is None else "ratio of means"
        if inference.classes:
            ratios = ratios[class_index]
            label += f" of class {inference.classes[class_index]}"
        made = cls(ratios=ratios, feature_names=inference.feature_names, label=label)
        return made.plot(ax)

    @documented(DISPLAY)
    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a line per feature, the first at the top.

        Intervals without a bound end at the border.

        Parameters: ax

        Returns: Self

        Raises: ImportError
        """
        n = len(self.ratios)
        self.ax_, self.figure_ = new_axes(ax, height=max(2.0, 1.2 + _ROW * n))
        height = np.arange(n)
        ratio, lower, upper = self.ratios.T
        known = np.isfinite(ratio) & (lower > 0.0) & np.isfinite(upper)
        ends = self.ratios[known] if known.any() else np.ones((1, 3))
        least, most = float(min(1.0, ends.min())) / 1.3, float(max(1.0, ends.max())) * 1.3
        self.intervals_: Any = self.ax_.hlines(
            height, np.maximum(lower, least), np.minimum(upper, most), color="C0", linewidth=1.5
        )
        (self.points_,) = self.ax_.plot(ratio, height, "o", color="C0", markersize=5)
        self.ax_.axvline(1.0, color="0.4", linewidth=0.8, linestyle="--")
        self.ax_.set_xscale("log")
        self.ax_.set_xlim(least, most)
        self.ax_.set_ylim(n - 0.4, -0.6)
        self.ax_.set_yticks(height, [plain(name) for name in self.feature_names])
        self.ax_.set_xlabel(plain(self.label))
        return self
