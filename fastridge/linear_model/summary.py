"""The table of a ridge fit: as text, as HTML, as a DataFrame."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from fastridge._docstrings import documented
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.inference import RidgeInference
from fastridge.linear_model.tables import (
    cells_of,
    frame_of,
    html_of_facts,
    html_of_table,
    text_of_facts,
    text_of_table,
)

if TYPE_CHECKING:
    import pandas as pd

_NOTE = (
    "Ridge estimates are biased towards zero. Errors, p-values and intervals are about the "
    "expected value of the ridge estimator at this alpha, not about the true coefficients; an "
    "alpha chosen by the same data makes them too narrow."
)
_FORMATS = ("{:.5g}", "{:.4g}", "{:.3f}", "{:.4f}", "{:.5g}", "{:.5g}", "{:.3g}")
_COLUMNS = ("coef", "std err", "t", "P>|t|", "lower", "upper", "VIF")


@documented(texts.INFERENCE)
class RidgeSummary:
    """A table of the coefficients of one or more targets, and of the fit.

    Parameters
    ----------
    inference : RidgeInference
        The inference that the table shows.
    level

    Attributes
    ----------
    inference : RidgeInference
        The inference that the table shows.
    level : float
        Probability that the intervals cover.
    names : list of str
        Names of the rows: the intercept, where there is one, and the features.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1.

    See Also
    --------
    fastridge.Ridge.summary : Makes it.
    fastridge.linear_model.RidgeInference : The numbers, as arrays.

    Examples
    --------
    >>> from fastridge import Ridge
    >>> X, y = [[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]], [1.0, 2.0, 6.0, 7.0]
    >>> summary = Ridge(1.0).fit(X, y).summary(X, y)
    >>> print(str(summary).splitlines()[0])
    Ridge regression, alpha = 1
    >>> summary.names
    ['(intercept)', 'x0', 'x1']
    """

    def __init__(self, inference: RidgeInference, level: float = 0.95) -> None:
        inference.quantile(level)  # refuses a level that is none
        self.inference, self.level = inference, level
        model = inference._model
        features = getattr(model, "feature_names_in_", None)
        p = inference._coef.shape[1]
        names = [f"x{j}" for j in range(p)] if features is None else [str(f) for f in features]
        self.names = (["(intercept)"] if model.fit_intercept else []) + names

    @documented(texts.INFERENCE)
    def values(self, target: int = 0) -> np.ndarray:
        """Return the numbers of the table.

        Parameters: target

        Returns
        -------
        ndarray of shape (n_names, 7)
            For each of `names` the coefficient, its standard error, t, the p-value, the lower and
            upper bound of its interval, and its variance inflation (NaN for the intercept).
        """
        from scipy.stats import t

        found = self.inference
        coef = found._coef[target]
        errors = np.atleast_2d(found.standard_errors)[target]
        vif = np.atleast_2d(found.vif)[target]
        if found._model.fit_intercept:
            coef = np.append(found._intercepts[target], coef)
            errors = np.append(np.atleast_1d(found.intercept_standard_error)[target], errors)
            vif = np.append(np.nan, vif)
        with np.errstate(divide="ignore", invalid="ignore"):
            # nothing can be said of a coefficient that nothing determines
            ratio = np.where(np.isinf(errors), np.nan, coef / errors)
        reach = found.quantile(self.level, target) * errors
        p_value = 2.0 * t.sf(np.abs(ratio), found._residual_dof[target])
        return np.column_stack([coef, errors, ratio, p_value, coef - reach, coef + reach, vif])

    @documented(texts.INFERENCE)
    def facts(self, target: int = 0) -> list[tuple[str, str]]:
        """Return headings and texts about the whole fit.

        Parameters: target

        Returns
        -------
        list of (str, str)
            Pairs of a heading and its text, such as the number of rows.
        """
        found, model = self.inference, self.inference._model

        def one(name: str) -> float:
            return float(np.atleast_1d(getattr(found, name))[target])

        rcond = getattr(model, "rcond_", None)
        condition = "not known" if not rcond else f"{1.0 / float(rcond):.3g}"
        return [
            ("rows", f"{found.n_samples:,}"),
            ("effective dof", f"{one('dof'):.2f}"),
            ("residual dof", f"{one('residual_dof'):.2f}"),
            ("residual variance", f"{one('residual_variance'):.5g}"),
            ("R²", f"{one('r2'):.4f}"),
            ("log-likelihood", f"{one('log_likelihood'):.6g}"),
            ("AIC", f"{one('aic'):.6g}"),
            ("BIC", f"{one('bic'):.6g}"),
            ("GCV", f"{one('gcv'):.5g}"),
            ("solver", f"{model.solver_}"),
            ("condition number", condition),
            ("covariance", found.cov_type),
        ]

    def _title(self, target: int) -> str:
        alpha = float(np.atleast_1d(self.inference.alpha)[target])
        title = f"Ridge regression, alpha = {alpha:.4g}"
        return title if self._n_targets == 1 else f"{title}, target {target}"

    @property
    def _n_targets(self) -> int:
        return len(self.inference._coef)

    def _cells(self, target: int) -> list[list[str]]:
        return cells_of(self.names, self.values(target), _FORMATS)

    def __str__(self) -> str:
        parts = []
        for target in range(self._n_targets):
            lines = [self._title(target), "", *text_of_facts(self.facts(target)), ""]
            lines += text_of_table(["", *_COLUMNS], self._cells(target))
            parts.append("\n".join(lines))
        parts.append(f"Intervals of level {self.level:g}. {_NOTE}")
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        parts = []
        for target in range(self._n_targets):
            title = html.escape(self._title(target))
            table = html_of_table(["", *_COLUMNS], self._cells(target))
            parts.append(f"<h4>{title}</h4>{html_of_facts(self.facts(target))}{table}")
        return "".join(parts) + f"<p>Intervals of level {self.level:g}. {html.escape(_NOTE)}</p>"

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for each of `names`; with several targets for each target and name.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        tables = [self.values(target) for target in range(self._n_targets)]
        return frame_of(tables, self.names, _COLUMNS, range(len(tables)), "target")
