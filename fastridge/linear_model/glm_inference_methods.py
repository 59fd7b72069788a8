"""The methods by which a fitted generalized linear model gives its inference and its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.linear_model import glm_texts as texts

if TYPE_CHECKING:
    from fastridge.linear_model.glm_inference import GLMCovType, GLMInference
    from fastridge.linear_model.glm_summary import GLMSummary


class GLMInferenceMixin:
    """`inference` and `summary` of logistic regression and generalized linear models."""

    @documented(texts.INFERENCE)
    def inference(
        self,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
        cov_type: GLMCovType = "nonrobust",
        groups: ArrayLike | None = None,
        baseline: Any = None,
    ) -> GLMInference:
        """Compute standard errors, intervals, tests and criteria of the fitted model.

        Parameters: X, y, sample_weight, offset, exposure, cov_type, groups, baseline

        Returns
        -------
        GLMInference
            Standard errors, intervals, likelihood ratio tests, deviance, AIC and the rest.

        Raises: ValueError
        """
        from fastridge.linear_model.glm_inference import GLMInference

        return GLMInference(
            self,
            X,
            y,
            sample_weight,
            offset=offset,
            exposure=exposure,
            cov_type=cov_type,
            groups=groups,
            baseline=baseline,
        )

    @documented(texts.INFERENCE)
    def summary(
        self,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
        cov_type: GLMCovType = "nonrobust",
        groups: ArrayLike | None = None,
        baseline: Any = None,
        level: float = 0.95,
        method: Literal["wald", "profile"] = "wald",
    ) -> GLMSummary:
        """Make a table of the coefficients with their errors and ratios, and of the fit.

        Parameters: X, y, sample_weight, offset, exposure, cov_type, groups, baseline, level, method

        Returns
        -------
        GLMSummary
            Prints as text, shows as HTML in a notebook; `to_frame` gives a DataFrame.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1, or if `method` or what `inference` takes is refused.
        """
        from fastridge.linear_model.glm_summary import GLMSummary

        found = self.inference(
            X,
            y,
            sample_weight,
            offset=offset,
            exposure=exposure,
            cov_type=cov_type,
            groups=groups,
            baseline=baseline,
        )
        return GLMSummary(found, level, method)
