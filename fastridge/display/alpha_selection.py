"""The score of every alpha, and the chosen alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge.display.axes import checked_alphas, checked_target, new_axes, scale_alpha
from fastridge.display.parameter_texts import DISPLAY
from fastridge.model_selection.one_standard_error import choose, standard_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.typing import ColorType
    from sklearn.base import BaseEstimator

_LABELS = {
    "neg_mean_squared_error": "mean squared error",
    "neg_root_mean_squared_error": "root mean squared error",
    "neg_mean_absolute_error": "mean absolute error",
    "gcv": "generalised cross-validation",
    "r2": "R²",
    "log_evidence": "log marginal likelihood",
}


@documented(DISPLAY)
class AlphaSelectionDisplay:
    """Draw the score of every alpha with its standard error, and mark the chosen alphas.

    Parameters
    ----------
    alphas, mean_scores
    standard_errors : array-like of shape (n_alphas,), default=None
        Standard error of each mean score; None draws no band.
    scoring
    alpha_min : float, default=None
        Alpha of the best score, to be marked.
    alpha_1se : float, default=None
        Alpha of the one-standard-error rule, to be marked.
    label

    Attributes
    ----------
    ax_, figure_
    line_ : matplotlib.lines.Line2D
        The curve.
    band_ : matplotlib.collections.PolyCollection or None
        The band of the standard errors.
    bars_ : matplotlib.container.ErrorbarContainer or None
        The standard errors as bars.
    alpha_min_line_ : matplotlib.lines.Line2D or None
        The mark of `alpha_min`.
    alpha_1se_line_ : matplotlib.lines.Line2D or None
        The mark of `alpha_1se`.

    Raises: ValueError

    See Also
    --------
    RegularizationPathDisplay : The coefficients at every alpha.

    Examples
    --------
    >>> from fastridge.display import AlphaSelectionDisplay
    >>> display = AlphaSelectionDisplay.from_scores([0.1, 1.0, 10.0], [-3.0, -2.0, -4.0])
    >>> display.alpha_min
    1.0
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike,
        mean_scores: ArrayLike,
        standard_errors: ArrayLike | None = None,
        scoring: str = "score",
        alpha_min: float | None = None,
        alpha_1se: float | None = None,
        label: str | None = None,
    ) -> None:
        self.alphas = checked_alphas(alphas)
        self.mean_scores = np.asarray(mean_scores, dtype=float)
        if self.mean_scores.shape != self.alphas.shape:
            raise ValueError(
                f"mean_scores must have shape {self.alphas.shape}, one per alpha, got "
                f"{self.mean_scores.shape}."
            )
        errors = None if standard_errors is None else np.asarray(standard_errors, dtype=float)
        if errors is not None and errors.shape != self.alphas.shape:
            raise ValueError(
                f"standard_errors must have shape {self.alphas.shape}, got {errors.shape}."
            )
        self.standard_errors = None if errors is None or np.isnan(errors).all() else errors
        self.scoring = scoring
        self.alpha_min, self.alpha_1se = alpha_min, alpha_1se
        self.label = label

    @classmethod
    @documented(DISPLAY)
    def from_scores(
        cls,
        alphas: ArrayLike,
        mean_scores: ArrayLike,
        standard_errors: ArrayLike | None = None,
        *,
        scoring: str = "score",
        label: str | None = None,
    ) -> Self:
        """Take the scores and find the best alpha and that of the one-standard-error rule.

        Parameters
        ----------
        alphas, mean_scores
        standard_errors : array-like of shape (n_alphas,), default=None
            Standard error of each mean score, for the one-standard-error rule.
        scoring, label

        Returns
        -------
        AlphaSelectionDisplay
            The display, not drawn yet.

        Raises: ValueError
        """
        display = cls(
            alphas=alphas,
            mean_scores=mean_scores,
            standard_errors=standard_errors,
            scoring=scoring,
            label=label,
        )
        best, within = choose(display.alphas, -display.mean_scores, display.standard_errors)
        display.alpha_min = float(display.alphas[best])
        if within >= 0:
            display.alpha_1se = float(display.alphas[within])
        return display

    @classmethod
    @documented(DISPLAY)
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        target: int = 0,
        l1_ratio: float | None = None,
        ax: Axes | None = None,
        **plot: Any,
    ) -> Self:
        """Draw the scores of a fitted RidgeCV, ElasticNetCV or LassoCV.

        Parameters
        ----------
        estimator : RidgeCV, ElasticNetCV or LassoCV
            A fitted estimator.
        target : int, default=0
            Index of the target, if each target has its own alpha.
        l1_ratio : float, default=None
            An l1_ratio that an ElasticNetCV tried; None is the chosen one. Only its curve has the
            chosen alphas marked.
        ax
        **plot : dict
            Arguments of `plot`.

        Returns: Self

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If ``method="em"``, which has no grid, or if the l1_ratio was not tried.
        ImportError
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator, "alpha_")
        if hasattr(estimator, "mse_path_"):
            return cls._of_elastic_net(estimator, l1_ratio).plot(ax, **plot)
        if l1_ratio is not None:
            raise ValueError("l1_ratio is for an ElasticNetCV: leave it out.")
        if estimator.alphas_ is None:
            raise ValueError(
                f"method={estimator.method_!r} tries no grid of alphas, so there is no curve: use "
                "method='marginal_likelihood', 'loo', 'gcv' or 'kfold'."
            )

        def one(values: ArrayLike) -> np.ndarray:
            values = np.asarray(values)
            if estimator.alpha_per_target and values.ndim and np.ndim(estimator.alpha_):
                return values[..., checked_target(target, values.shape[-1])]
            return values

        low, high = float(one(estimator.alpha_min_)), float(one(estimator.alpha_1se_))
        display = cls(
            alphas=estimator.alphas_,
            mean_scores=one(estimator.mean_scores_),
            standard_errors=one(estimator.standard_errors_),
            scoring=estimator.scoring_,
            alpha_min=low,
            alpha_1se=None if np.isnan(high) else high,
        )
        return display.plot(ax, **plot)

    @classmethod
    def _of_elastic_net(cls, estimator: BaseEstimator, l1_ratio: float | None) -> Self:
        chosen = getattr(estimator, "l1_ratio_", 1.0)
        tried = [float(ratio) for ratio in np.atleast_1d(getattr(estimator, "l1_ratio", 1.0))]
        wanted = chosen if l1_ratio is None else float(l1_ratio)
        if wanted not in tried:
            raise ValueError(f"l1_ratio must be one that was tried, {tried}, got {l1_ratio!r}.")
        shape = len(tried), estimator.alphas_.shape[-1]
        k = tried.index(wanted)
        mse = estimator.mse_path_.reshape(*shape, -1)[k]
        errors = standard_error(mse) if mse.shape[1] > 1 else None
        display = cls(
            alphas=np.broadcast_to(estimator.alphas_, shape)[k],
            mean_scores=-mse.mean(axis=1),
            standard_errors=errors,
            scoring="neg_mean_squared_error",
        )
        if wanted == chosen:
            display.alpha_min = estimator.alpha_min_
            display.alpha_1se = None if np.isnan(estimator.alpha_1se_) else estimator.alpha_1se_
        return display

    @documented(DISPLAY)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        label: str | None = None,
        color: ColorType | None = None,
        bars: bool | tuple[int, int] = False,
    ) -> Self:
        """Draw the curve, its band and the alphas.

        Parameters
        ----------
        ax
        label : str, default=None
            Label of the curve; None is that of the display.
        color : matplotlib color, default=None
            Color of the curve; None is the next of the axes.
        bars : bool or (first, step), default=False
            Draw standard errors as bars instead of a band: for all alphas, or from `first` on for
            every `step`-th.

        Returns: Self

        Raises: ImportError
        """
        self.ax_, self.figure_ = new_axes(ax)
        sign = -1.0 if self.scoring.startswith("neg_") or self.scoring == "gcv" else 1.0
        order = np.argsort(self.alphas)
        alphas, score = self.alphas[order], sign * self.mean_scores[order]
        label = label or self.label
        self._labelled = label is not None
        alone = "o" if len(alphas) == 1 else None
        (self.line_,) = self.ax_.plot(
            alphas, score, color=color, label=label or "mean", marker=alone
        )
        self.band_ = self.bars_ = None
        if self.standard_errors is not None and bars:
            self.bars_ = self.ax_.errorbar(
                alphas,
                score,
                self.standard_errors[order],
                fmt="none",
                errorevery=1 if bars is True else bars,
                ecolor=self.line_.get_color(),
                elinewidth=0.8,
                capsize=1.5,
                alpha=0.6,
                label=None if label else "± one standard error",
            )
        elif self.standard_errors is not None:
            error = self.standard_errors[order]
            self.band_ = self.ax_.fill_between(
                alphas,
                score - error,
                score + error,
                color=self.line_.get_color(),
                alpha=0.2,
                linewidth=0,
                label=None if label else "± one standard error",
            )
        self.alpha_min_line_ = self._mark(self.alpha_min, "--", "best")
        self.alpha_1se_line_ = self._mark(self.alpha_1se, ":", "1-SE rule")
        scale_alpha(self.ax_, self.alphas)
        self.ax_.set_ylabel(_LABELS.get(self.scoring, self.scoring.removeprefix("neg_")))
        self.ax_.legend(fontsize="small")
        return self

    def _mark(self, alpha: float | None, style: str, name: str) -> Line2D | None:
        if alpha is None or not np.isfinite(alpha):
            return None
        label = None if self._labelled else f"{name}: alpha = {alpha:.3g}"
        color = self.line_.get_color() if self._labelled else "0.3"
        return self.ax_.axvline(alpha, color=color, linestyle=style, linewidth=1.2, label=label)
