"""The methods by which a fitted ridge model gives its inference and its summary."""

from __future__ import annotations

from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import CovType, RowsLike
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.inference import RidgeInference
from fastridge.linear_model.summary import RidgeSummary


class InferenceMixin:
    """`inference` and `summary` of a fitted ridge model."""

    @documented(texts.INFERENCE | texts.NOT_INFERRED)
    def inference(
        self,
        X: RowsLike | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        cov_type: CovType = "nonrobust",
    ) -> RidgeInference:
        """Compute variances, intervals and criteria of the fitted model.

        Parameters
        ----------
        X, y, sample_weight
        cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3"}, default="nonrobust"
            Covariance of the coefficients: sigma^2 A^-1 X'WX A^-1, or the sandwich
            A^-1 X'W diag(r^2) W X A^-1 that allows each row a variance of its own (MacKinnon
            and White, Journal of Econometrics 29, 1985). HC2 and HC3 are NaN where a row has
            leverage 1, HC1 where no residual degrees of freedom are left.

        Returns
        -------
        RidgeInference
            Standard errors, intervals, information criteria and the rest.

        Raises: ValueError
        """
        return RidgeInference(self, X, y, sample_weight, cov_type)

    @documented(texts.INFERENCE)
    def summary(
        self,
        X: RowsLike | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        cov_type: CovType = "nonrobust",
        level: float = 0.95,
    ) -> RidgeSummary:
        """Make a table of the coefficients with their errors, and of the fit.

        Parameters: X, y, sample_weight, cov_type, level

        Returns
        -------
        RidgeSummary
            Prints as text, shows as HTML in a notebook; `to_frame` gives a DataFrame.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1, or if `inference` refuses the arguments.
        """
        return RidgeSummary(self.inference(X, y, sample_weight, cov_type=cov_type), level)
