"""The factors by which a penalty shrinks y along each principal direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.display.axes import new_axes
from fastridge.display.parameter_texts import DISPLAY
from fastridge.display.paths import checked_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from fastridge.statistics.gram_statistics import GramStatistics


@documented(DISPLAY)
class ShrinkageDisplay:
    """Draw the shrinkage d^2 / (d^2 + alpha) of each principal direction.

    Parameters: eigenvalues, alpha

    Attributes
    ----------
    eigenvalues : ndarray of shape (n_directions,)
        The eigenvalues in decreasing order.
    alphas : ndarray of shape (n_alphas,)
        The penalties.
    shrinkage : ndarray of shape (n_alphas, n_directions)
        The shrinkage of each direction by each penalty, from 0 to 1.
    ax_, figure_
    lines_ : list of matplotlib.lines.Line2D
        One line per alpha.

    Raises
    ------
    ValueError
        If an eigenvalue or an alpha is negative or not finite.

    See Also
    --------
    PenaltyGeometryDisplay : What penalties do to two coefficients.
    fastridge.effective_dof : The sum of the shrinkage, and what is not penalised.

    Examples
    --------
    >>> from fastridge.display import ShrinkageDisplay
    >>> ShrinkageDisplay.from_spectrum([1.0, 4.0], 1.0).shrinkage
    array([[0.8, 0.5]])
    """

    def __init__(self, *, eigenvalues: ArrayLike, alpha: ArrayLike) -> None:
        values = np.sort(np.asarray(eigenvalues, dtype=float))[::-1]
        if values.ndim == 1 and len(values):  # below zero by rounding
            values = np.where(np.abs(values) <= 1e-12 * values[0], np.maximum(values, 0.0), values)
        if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values >= 0.0)).all():
            raise ValueError(f"eigenvalues must be finite numbers from 0 up, got {eigenvalues!r}.")
        alphas = np.atleast_1d(np.asarray(alpha, dtype=float))  # on the scale of sums
        if not ((alphas >= 0.0) & np.isfinite(alphas)).all():
            raise ValueError(f"alpha must be finite and at least 0, got {alpha!r}.")
        self.eigenvalues, self.alphas = values, alphas
        total = values + alphas[:, None]
        self.shrinkage = np.divide(values, total, out=np.zeros_like(total), where=total > 0.0)

    @classmethod
    @documented(DISPLAY)
    def from_spectrum(cls, eigenvalues: ArrayLike, alpha: ArrayLike) -> Self:
        """Take eigenvalues, such as `eigenvalues` of `fastridge.Ridge.inference`.

        Parameters: eigenvalues, alpha

        Returns
        -------
        ShrinkageDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If an eigenvalue or an alpha is negative or not finite.
        """
        return cls(eigenvalues=eigenvalues, alpha=alpha)

    @classmethod
    @documented(DISPLAY)
    def from_statistics(
        cls, stats: GramStatistics, alpha: ArrayLike, *, ax: Axes | None = None, **options: Any
    ) -> Self:
        """Draw the shrinkage of statistics.

        Parameters
        ----------
        stats
        alpha : float or array-like of shape (n_alphas,)
            Penalties on the scale of ``alpha_scale``, at least 0.
        ax
        **options : dict
            Options of `fastridge.effective_dof`: ``fit_intercept``, ``alpha_scale``,
            ``standardize`` and ``penalty_factors``.

        Returns: Self

        Raises
        ------
        ValueError
            If an alpha or an option is not supported.
        ImportError
        """
        from fastridge.solvers.direct.path import statistics_path

        options = checked_options(options, stats.n_features)
        spectrum = statistics_path(stats, np.ones(1), **options).spectrum
        scale = stats.sum_weights if options.get("alpha_scale") == "mean" else 1.0
        return cls(eigenvalues=spectrum, alpha=np.asarray(alpha) * scale).plot(ax)

    @classmethod
    @documented(DISPLAY)
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the shrinkage of a fitted Ridge or RidgeCV at its alpha.

        Parameters
        ----------
        estimator : Ridge or RidgeCV
            A fitted estimator; the other arguments are those of its fit.
        X, y, sample_weight, ax

        Returns: Self

        Raises
        ------
        ValueError
            If the rows are not those of the fit, or if `inference` refuses the model.
        ImportError
        """
        found = estimator.inference(X, y, sample_weight)
        return cls(eigenvalues=found.eigenvalues, alpha=np.unique(found.alpha)).plot(ax)

    @documented(DISPLAY)
    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the shrinkage of each direction.

        Parameters: ax

        Returns: Self

        Raises: ImportError
        """
        self.ax_, self.figure_ = new_axes(ax)
        number = np.arange(1, len(self.eigenvalues) + 1)
        marker = "o" if len(number) <= 40 else None
        self.lines_ = []
        for alpha, values in zip(self.alphas, self.shrinkage, strict=True):
            label = f"alpha = {alpha:.3g}, sum {values.sum():.1f} of {len(values)}"
            (line,) = self.ax_.plot(
                number, values, marker=marker, markersize=4, linewidth=1.2, label=label
            )
            self.lines_.append(line)
        self.ax_.set_ylim(-0.03, 1.03)
        if len(number) <= 12:
            self.ax_.set_xticks(number)
        self.ax_.set_xlabel("principal direction, strongest first")
        self.ax_.set_ylabel("shrinkage  d² / (d² + alpha)")
        self.ax_.legend(fontsize="small")
        return self
