"""Bias, variance and error of ridge against alpha, estimated by resampling."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import RandomState, RowsLike
from fastridge.display.axes import checked_alphas, new_axes, scale_alpha
from fastridge.display.parameter_texts import DISPLAY
from fastridge.display.paths import checked_options, spectrum_alphas

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@documented(DISPLAY)
class BiasVarianceDisplay:
    """Draw the squared bias, variance and error of ridge predictions against alpha.

    Parameters
    ----------
    alphas
    bias : array-like of shape (n_alphas,)
        Squared bias for each alpha, as a mean over the rows.
    variance : array-like of shape (n_alphas,)
        Variance for each alpha, as a mean over the rows.
    noise : float
        Variance of the noise. Added to `error`, it gives the expected squared error of predicting
        a new observation.

    Attributes
    ----------
    error : ndarray of shape (n_alphas,)
        Expected squared error of the fit: `bias` plus `variance`.
    ax_, figure_
    lines_ : dict of str to matplotlib.lines.Line2D
        The curves ``"bias"``, ``"variance"`` and ``"error"``.

    Raises: ValueError

    See Also
    --------
    AlphaSelectionDisplay : Scores of cross-validation at every alpha.

    Notes
    -----
    `from_data` uses a parametric bootstrap of the noise with the rows of X fixed. The fit at the
    alpha of the smallest generalised cross-validation error takes the role of the truth f, and its
    residual variance (RSS over n - dof) that of the noise. Each resample draws y = f + noise and is
    fitted at every alpha. Ridge is linear in y, so the mean over all resamples is the fit of f
    itself, and the bias computed from it has no sampling error. It is the bias relative to this f,
    not to the unknown truth.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.display import BiasVarianceDisplay
    >>> display = BiasVarianceDisplay(
    ...     alphas=[0.1, 1.0], bias=[0.0, 1.0], variance=[2.0, 0.5], noise=1.0)
    >>> display.error
    array([2. , 1.5])
    """

    def __init__(
        self, *, alphas: ArrayLike, bias: ArrayLike, variance: ArrayLike, noise: float
    ) -> None:
        self.alphas = checked_alphas(alphas)
        self.bias, self.variance = np.asarray(bias, float), np.asarray(variance, float)
        if not self.bias.shape == self.variance.shape == self.alphas.shape:
            raise ValueError(
                f"bias and variance must have shape {self.alphas.shape}, one per alpha, got "
                f"{self.bias.shape} and {self.variance.shape}."
            )
        self.noise = float(noise)

    @property
    def error(self) -> np.ndarray:
        """Return the expected squared error of the fit."""
        total: np.ndarray = self.bias + self.variance
        return total

    @classmethod
    @documented(DISPLAY)
    def from_data(
        cls,
        X: RowsLike,
        y: ArrayLike,
        alphas: ArrayLike | None = None,
        *,
        n_resamples: SupportsIndex = 100,
        random_state: RandomState = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Estimate the values from rows (see Notes of the class) and draw them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Target.
        alphas : array-like of shape (n_alphas,), default=None
            Penalties, finite and at least 0; None is 100, chosen from the spectrum of the data.
        n_resamples : int, default=100
            Number of resamples, at least 2.
        random_state : int, RandomState instance or None, default=None
            Seed of the resamples.
        ax
        **options : dict
            ``fit_intercept``, ``standardize`` and ``penalty_factors`` of `fastridge.ridge_path`.

        Returns: Self

        Raises
        ------
        ValueError
            If `n_resamples` is not an integer of at least 2, or if the data or alphas are malformed
            or not finite.
        ImportError
        """
        from sklearn.utils import check_random_state, check_X_y

        from fastridge.linear_model.path import ridge_path
        from fastridge.statistics.gram_statistics import GramStatistics

        if isinstance(n_resamples, bool) or not isinstance(n_resamples, Integral):
            raise ValueError(f"n_resamples must be a whole number, got {n_resamples!r}.")
        if n_resamples < 2:
            raise ValueError(f"n_resamples must be at least 2, got {n_resamples!r}.")
        checked: tuple[np.ndarray, np.ndarray] = check_X_y(X, y, dtype=np.float64, y_numeric=True)
        X, y = checked
        options = checked_options(options, X.shape[1])
        if alphas is None:
            alphas = spectrum_alphas(GramStatistics.from_data(X, y), options)
        alphas = np.sort(checked_alphas(alphas))
        coefs, intercepts, dof, gcv = ridge_path(
            X, y, alphas, return_intercept=True, return_dof=True, return_gcv=True, **options
        )
        best = int(np.nanargmin(gcv))
        truth = X @ coefs[best] + intercepts[best]
        noise = ((y - truth) ** 2).sum() / (len(y) - dof[best])
        draws = check_random_state(random_state).standard_normal((len(y), int(n_resamples)))
        Y = np.column_stack([truth, truth[:, None] + np.sqrt(noise) * draws])
        bias, variance = np.empty(len(alphas)), np.empty(len(alphas))
        coefs, intercepts = ridge_path(X, Y, alphas, return_intercept=True, **options)
        for a in range(len(alphas)):
            fit = X @ coefs[a].T + intercepts[a]
            variance[a] = fit[:, 1:].var(axis=1, ddof=1).mean()
            bias[a] = ((fit[:, 0] - truth) ** 2).mean()
        return cls(alphas=alphas, bias=bias, variance=variance, noise=noise).plot(ax)

    @documented(DISPLAY)
    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the three curves on logarithmic axes.

        Parameters: ax

        Returns: Self

        Raises: ImportError
        """
        self.ax_, self.figure_ = new_axes(ax)
        order = np.argsort(self.alphas)
        at = self.alphas[order]
        curves = {
            "bias": (self.bias, "squared bias", "-"),
            "variance": (self.variance, "variance", "-"),
            "error": (self.error, "error: their sum", "-"),
        }
        self.lines_ = {}
        for name, (values, label, style) in curves.items():
            width = 2.0 if name == "error" else 1.3
            (self.lines_[name],) = self.ax_.plot(
                at, values[order], style, linewidth=width, label=label
            )
        best = self.alphas[int(self.error.argmin())]
        self.ax_.axvline(
            best, color="0.3", linestyle="--", linewidth=1.0, label=f"least: alpha = {best:.3g}"
        )
        scale_alpha(self.ax_, self.alphas)
        if self.error.min() > 0.0:
            self.ax_.set_yscale("log")
            self.ax_.set_ylim(bottom=0.02 * self.error.min())
        self.ax_.set_ylabel("mean over the rows")
        self.ax_.legend(fontsize="small", title=f"noise, not drawn: {self.noise:.3g}")
        return self
