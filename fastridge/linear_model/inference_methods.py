"""The methods by which a fitted ridge model gives its inference and its summary."""

from __future__ import annotations

from typing import Any

from fastridge.linear_model.inference import RidgeInference
from fastridge.linear_model.summary import RidgeSummary


class InferenceMixin:
    """`inference` and `summary` of a fitted ridge model."""

    def inference(
        self, X: Any = None, y: Any = None, sample_weight: Any = None, *,
        cov_type: str = "nonrobust",
    ) -> RidgeInference:  # fmt: skip
        """Variances, intervals and criteria of the fitted model.

        Parameters
        ----------
        X, y, sample_weight
            The rows that the model was fitted to; it does not keep them. Not needed after
            `partial_fit` or `fit_statistics`, but for what looks at single rows. Weights are
            precisions: a row's variance is sigma^2 over its weight.
        cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3"}, default="nonrobust"
            Covariance of the coefficients: sigma^2 A^-1 X'WX A^-1, or the sandwich
            A^-1 X'W diag(r^2) W X A^-1 that allows each row a variance of its own (MacKinnon
            and White, Journal of Econometrics 29, 1985). HC2 and HC3 are NaN where a row has
            leverage 1, HC1 where no residual degrees of freedom are left.

        Returns
        -------
        RidgeInference

        Raises
        ------
        ValueError
            Without rows or statistics, with rows of other data, for ``positive=True``, for
            other values of `cov_type`, with more than 10,000 features, and where the
            covariances of all targets take more than 2 GB.

        Examples
        --------
        >>> import numpy as np
        >>> from fastridge import Ridge
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(50, 2))
        >>> y = X @ [1.0, 2.0] + rng.normal(size=50)
        >>> Ridge(1.0).fit(X, y).inference(X, y).standard_errors.round(3)
        array([0.146, 0.138])
        """
        return RidgeInference(self, X, y, sample_weight, cov_type)

    def summary(
        self, X: Any = None, y: Any = None, sample_weight: Any = None, *,
        cov_type: str = "nonrobust", level: float = 0.95,
    ) -> RidgeSummary:  # fmt: skip
        """A table of the coefficients with their errors, and of the fit.

        Parameters
        ----------
        X, y, sample_weight, cov_type
            As for `inference`.
        level : float, default=0.95
            Of the intervals.

        Returns
        -------
        RidgeSummary
            Prints as text, shows as HTML in a notebook; `to_frame` gives a DataFrame.
        """
        return RidgeSummary(self.inference(X, y, sample_weight, cov_type=cov_type), level)
