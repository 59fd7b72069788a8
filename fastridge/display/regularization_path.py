"""Coefficients against the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.display.axes import (
    checked_alphas,
    checked_target,
    names_of,
    new_axes,
    plain,
    scale_alpha,
)
from fastridge.display.parameter_texts import DISPLAY
from fastridge.display.paths import (
    PathOfRows,
    checked_options,
    spectrum_alphas,
    statistics_path_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from sklearn.base import BaseEstimator

    from fastridge.statistics.gram_statistics import GramStatistics


@documented(DISPLAY)
class RegularizationPathDisplay:
    """Draw coefficients against alpha or, for ridge, against the effective degrees of freedom.

    Parameters
    ----------
    alphas, coefs
    dof : array-like of shape (n_alphas,), default=None
        Effective degrees of freedom, including one for the intercept. ``plot(x="dof")`` needs
        them.
    n_nonzero : array-like of shape (n_alphas,), default=None
        Number of nonzero coefficients for each alpha, written above the axes.
    feature_names : sequence of str, default=None
        Names of the features; None is x0, x1, and so on.
    alpha : float, default=None
        A chosen alpha to mark.

    Attributes
    ----------
    ax_, figure_
    lines_ : list of matplotlib.lines.Line2D
        One line per feature.
    alpha_line_ : matplotlib.lines.Line2D or None
        The mark of `alpha`.
    nonzero_axis_ : matplotlib.axes.Axes or None
        The axis with the numbers of nonzero coefficients.

    Raises: ValueError

    See Also
    --------
    AlphaSelectionDisplay : The score at every alpha.
    fastridge.ridge_path : Coefficients of ridge.
    fastridge.enet_path : Coefficients of the elastic net, transposed.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.display import RegularizationPathDisplay
    >>> alphas = np.logspace(-2, 2, 5)
    >>> path = RegularizationPathDisplay.from_path(alphas, np.ones((5, 2)) / (1 + alphas[:, None]))
    >>> path.feature_names
    ['x0', 'x1']
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike,
        coefs: ArrayLike,
        dof: ArrayLike | None = None,
        n_nonzero: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        alpha: float | None = None,
    ) -> None:
        self.alphas = checked_alphas(alphas)
        self.coefs = np.asarray(coefs, dtype=float)
        if self.coefs.ndim != 2 or len(self.coefs) != len(self.alphas):
            raise ValueError(
                f"coefs must have shape (n_alphas, n_features) with {len(self.alphas)} alphas, "
                f"got {self.coefs.shape}: give one target at a time."
            )
        self.dof = None if dof is None else np.asarray(dof, dtype=float)
        if self.dof is not None and self.dof.shape != self.alphas.shape:
            raise ValueError(f"dof must have shape {self.alphas.shape}, got {self.dof.shape}.")
        self.n_nonzero = None if n_nonzero is None else np.asarray(n_nonzero, dtype=int)
        if self.n_nonzero is not None and self.n_nonzero.shape != self.alphas.shape:
            raise ValueError(
                f"n_nonzero must have shape {self.alphas.shape}, got {self.n_nonzero.shape}."
            )
        self.feature_names = names_of(feature_names, None, self.coefs.shape[1])
        self.alpha = alpha

    @classmethod
    @documented(DISPLAY)
    def from_path(
        cls, alphas: ArrayLike, coefs: ArrayLike, *, ax: Axes | None = None, **options: Any
    ) -> Self:
        """Take arrays as `fastridge.ridge_path` returns them, and draw them if `ax` is given.

        Parameters
        ----------
        alphas, coefs
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None does not draw yet.
        **options : dict
            ``dof``, ``n_nonzero``, ``feature_names`` and ``alpha`` of the class.

        Returns
        -------
        RegularizationPathDisplay
            The display.

        Raises: ValueError
        """
        display = cls(alphas=alphas, coefs=coefs, **options)
        return display if ax is None else display.plot(ax)

    @classmethod
    @documented(DISPLAY)
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RowsLike,
        y: ArrayLike,
        *,
        alphas: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        target: int = 0,
        feature_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **plot: Any,
    ) -> Self:
        """Draw the path for the options of an estimator on these rows, and mark its alpha.

        Parameters
        ----------
        estimator : Ridge, ElasticNet, Lasso or one of their CV classes
            A fitted or unfitted estimator. The alpha of a fitted one is marked.
        X, y
        alphas : array-like of shape (n_alphas,), default=None
            Penalties. None is those that a CV class tried, otherwise 100 that depend on the data:
            for ridge on the spectrum; for an elastic net they decrease from the smallest alpha at
            which all coefficients are zero.
        sample_weight, target
        feature_names : sequence of str, default=None
            Names of the features; None is those of the estimator or of X.
        ax
        **plot : dict
            Arguments of `plot`.

        Returns: Self

        Raises
        ------
        ValueError
            If the estimator has ``positive=True`` and is a ridge, if an unfitted ElasticNetCV has
            several l1_ratios, or if the data are malformed or not finite.
        ImportError
        """
        found = PathOfRows(estimator, X, y, alphas, sample_weight, target).computed()
        alpha = getattr(estimator, "alpha_", None)
        if alpha is None and hasattr(estimator, "coef_"):
            alpha = estimator.alpha
        if alpha is not None:
            alpha = np.atleast_1d(alpha)
            alpha = float(alpha[min(target, len(alpha) - 1)])
        if feature_names is None and hasattr(estimator, "feature_names_in_"):
            feature_names = estimator.feature_names_in_
        names = names_of(feature_names, X, found["coefs"].shape[1])
        display = cls(**found, feature_names=names, alpha=alpha)
        return display.plot(ax, **plot)

    @classmethod
    @documented(DISPLAY)
    def from_statistics(
        cls,
        stats: GramStatistics,
        alphas: ArrayLike | None = None,
        *,
        target: int = 0,
        l1_ratio: float | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw the path from statistics only.

        It is the path of ridge, or with an `l1_ratio` that of the elastic net.

        Parameters
        ----------
        stats
        alphas : int or array-like of shape (n_alphas,), default=None
            Penalties, or for an elastic net their number. None is 100 that depend on the data.
        target
        l1_ratio : float, default=None
            Share of the L1 norm in the penalty of an elastic net, from 0 to 1; None is ridge.
        ax
        **options : dict
            Options of `fastridge.effective_dof`, or with an `l1_ratio` of `fastridge.ElasticNet`.

        Returns: Self

        Raises
        ------
        ValueError
            If an alpha or an option is not supported, or if there is no such target.
        ImportError
        """
        from fastridge.linear_model.path import effective_dof
        from fastridge.solvers.direct.path import statistics_path

        if l1_ratio is not None:
            found = statistics_path_of(stats, alphas, l1_ratio, target, options)
            names = names_of(stats.feature_names, None, stats.n_features)
            return cls(**found, feature_names=names).plot(ax)
        options = checked_options(options, stats.n_features)
        if alphas is None:
            alphas = spectrum_alphas(stats, options)
        alphas = np.sort(checked_alphas(alphas))
        coefs = statistics_path(stats, alphas, **options).coefs
        coefs = coefs[:, checked_target(target, coefs.shape[1])]
        dof = effective_dof(stats, alphas, **options)
        names = names_of(stats.feature_names, None, coefs.shape[1])
        return cls(alphas=alphas, coefs=coefs, dof=dof, feature_names=names).plot(ax)

    @documented(DISPLAY)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        x: str = "alpha",
        n_labels: int = 8,
        scale: ArrayLike | None = None,
        ylabel: str = "coefficient",
    ) -> Self:
        """Draw the path.

        Parameters
        ----------
        ax
        x : {"alpha", "dof"}, default="alpha"
            Quantity on the horizontal axis.
        n_labels : int, default=8
            Number of coefficients to label, the largest ones. The others are drawn in grey.
        scale : array-like of shape (n_features,), default=None
            Factors for the coefficients, such as standard deviations, to make them comparable.
        ylabel : str, default="coefficient"
            Label of the vertical axis.

        Returns: Self

        Raises
        ------
        ValueError
            If `x` is another one, or is ``"dof"`` without degrees of freedom.
        ImportError
        """
        if x not in ("alpha", "dof"):
            raise ValueError(f"x must be 'alpha' or 'dof', got {x!r}.")
        if x == "dof" and self.dof is None:
            raise ValueError("x='dof' needs the degrees of freedom: give dof.")
        self.ax_, self.figure_ = new_axes(ax)
        order = np.argsort(self.alphas)
        at = self.alphas[order] if x == "alpha" else np.asarray(self.dof)[order]
        coefs = self.coefs[order] * (1.0 if scale is None else np.asarray(scale, dtype=float))
        size = np.abs(np.where(np.isfinite(coefs), coefs, 0.0)).max(axis=0)
        alone = "o" if len(at) == 1 else None
        strongest = np.argsort(-size, kind="stable")[:n_labels]
        self.lines_: list[Line2D | None] = [None] * coefs.shape[1]
        for j in range(coefs.shape[1]):
            if j not in strongest:
                (self.lines_[j],) = self.ax_.plot(
                    at, coefs[:, j], color="0.8", linewidth=0.7, marker=alone
                )
        for j in strongest:
            label = plain(self.feature_names[j])
            (self.lines_[j],) = self.ax_.plot(
                at, coefs[:, j], linewidth=1.6, label=label, marker=alone
            )
        self.ax_.axhline(0.0, color="0.5", linewidth=0.6, zorder=0)
        self.alpha_line_ = None
        if x == "alpha":
            scale_alpha(self.ax_, self.alphas)
        else:
            self.ax_.set_xlabel("effective degrees of freedom")
        if self.alpha is not None and np.isfinite(self.alpha):
            where = self.alpha
            if x == "dof":
                where = float(np.interp(self.alpha, self.alphas[order], at))
            label = f"alpha = {self.alpha:.3g}"
            self.alpha_line_ = self.ax_.axvline(
                where, color="0.3", linestyle="--", linewidth=1.0, label=label
            )
        self.nonzero_axis_ = None
        if x == "alpha" and self.n_nonzero is not None:
            self.nonzero_axis_ = _write_above(self.ax_, at, self.n_nonzero[order])
        self.ax_.set_ylabel(ylabel)
        if len(strongest) or self.alpha_line_ is not None:
            self.ax_.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return self


def _write_above(ax: Axes, at: np.ndarray, numbers: np.ndarray) -> Axes:
    """Add an axis above with the number of nonzero coefficients at some alphas."""
    above = ax.twiny()
    if ax.get_xscale() == "log":
        above.set_xscale("log")
    else:
        scale: Any = ax.xaxis.get_transform()
        above.set_xscale("symlog", linthresh=scale.linthresh)
    x_position = ax.transData.transform(np.column_stack([at, np.zeros(len(at))]))[:, 0]
    left, right = ax.bbox.x0, ax.bbox.x1
    some: list[int] = []
    for wanted in np.linspace(x_position.min(), x_position.max(), 9):
        k = int(np.abs(x_position - wanted).argmin())
        if not some or x_position[k] - x_position[some[-1]] > 0.05 * (right - left):
            some.append(k)
    above.set_xticks(at[some], [str(number) for number in numbers[some]])
    above.minorticks_off()
    above.tick_params(labelsize="small")
    above.set_xlabel("coefficients other than zero", fontsize="small")
    above.set_xlim(ax.get_xlim())
    ax.callbacks.connect("xlim_changed", lambda axes: above.set_xlim(axes.get_xlim()))
    return above
