"""The table of a logistic or generalized linear model: as text, as HTML, as a DataFrame."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Literal

import numpy as np

from fastridge._docstrings import documented
from fastridge.linear_model import glm_texts as texts
from fastridge.linear_model.glm_inference import GLMInference
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

_PENALISED = (
    "The penalty biases estimates towards zero. Errors, p-values and intervals are about the "
    "expected value of the penalised estimator, not about the true coefficients; a penalty chosen "
    "by the same data makes them too narrow."
)
_FIRTH = (
    "Estimates maximise Firth's penalised likelihood, and so do profile intervals and likelihood "
    "ratio tests; with few rows or separable classes Wald intervals mean little: use "
    "method='profile'."
)
_FORMATS = ("{:.5g}", "{:.4g}", "{:.3f}", "{:.4f}", "{:.5g}", "{:.5g}")


@documented(texts.INFERENCE)
class GLMSummary:
    """A table of the coefficients, for each class where there are several, and of the fit.

    Parameters
    ----------
    inference : GLMInference
        The inference that the table shows.
    level, method

    Attributes
    ----------
    inference : GLMInference
        The inference that the table shows.
    level : float
        Probability that the intervals cover.
    method : str
        "wald" or "profile".
    names : list of str
        Names of the rows: the intercept, where there is one, and the features.
    columns : list of str
        Headings of the columns.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1, or if `method` is unknown or unsupported.

    See Also
    --------
    fastridge.LogisticRegression.summary : Makes it.
    fastridge.linear_model.GLMInference : The numbers, as arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import PoissonRegressor
    >>> X, y = np.arange(8.0)[:, None], [1, 0, 2, 3, 3, 6, 9, 14]
    >>> summary = PoissonRegressor(alpha=0).fit(X, y).summary(X, y)
    >>> print(str(summary).splitlines()[0])
    PoissonRegressor
    >>> summary.to_frame().round(2).loc["x0", ["coef", "std err", "ratio"]].tolist()
    [0.44, 0.09, 1.56]
    """

    def __init__(
        self,
        inference: GLMInference,
        level: float = 0.95,
        method: Literal["wald", "profile"] = "wald",
    ) -> None:
        inference.quantile(level)  # refuses a level that is none
        self.inference, self.level, self.method = inference, level, method
        self._fitted_intercept = bool(inference._model.fit_intercept)
        intercept = ["(intercept)"] if self._fitted_intercept else []
        self.names = intercept + inference.feature_names
        letter = "t" if inference._estimated else "z"
        self.columns = ["coef", "std err", letter, f"P>|{letter}|", "lower", "upper"]
        if inference.has_ratios:
            self.columns += ["ratio", "ratio lower", "ratio upper"]
        self._tables = self._made()

    def _made(self) -> list[np.ndarray]:
        found = self.inference
        coef, errors = np.atleast_2d(found.coef), np.atleast_2d(found.standard_errors)
        ends = found.confidence_intervals(self.level, self.method)
        ends = ends.reshape(len(coef), -1, 2)
        if self._fitted_intercept:
            of_intercept = found.intercept_confidence_interval(self.level, self.method)
            coef = np.column_stack([np.atleast_1d(found.intercept), coef])
            errors = np.column_stack([np.atleast_1d(found.intercept_standard_error), errors])
            ends = np.concatenate([of_intercept.reshape(len(coef), 1, 2), ends], axis=1)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # nothing can be said of a coefficient that nothing determines
            ratio = np.where(np.isinf(errors), np.nan, coef / errors)
            parts = [coef, errors, ratio, found._p_values(ratio), ends[..., 0], ends[..., 1]]
            if found.has_ratios:
                parts += [np.exp(coef), np.exp(ends[..., 0]), np.exp(ends[..., 1])]
        return [np.column_stack([part[k] for part in parts]) for k in range(len(coef))]

    def values(self, index: int = 0) -> np.ndarray:
        """Return the numbers of the table.

        Parameters
        ----------
        index : int, default=0
            Index of the class among `inference.classes`, where there are several.

        Returns
        -------
        ndarray of shape (n_names, n_columns)
            For each of `names` the numbers of `columns`.
        """
        return self._tables[index].copy()

    def facts(self) -> list[tuple[str, str]]:
        """Return headings and texts about the whole fit.

        Returns
        -------
        list of (str, str)
            Pairs of a heading and its text, such as the number of rows.
        """
        found, model = self.inference, self.inference._model
        facts = [
            ("rows", f"{found.n_samples:,}"),
            ("effective dof", f"{found.dof:.2f}"),
            ("deviance", f"{found.deviance:.6g}"),
            ("null deviance", f"{found.null_deviance:.6g}"),
            ("deviance explained", f"{found.deviance_explained:.4f}"),
            ("McFadden R²", f"{found.mcfadden_r2:.4f}"),
            ("log-likelihood", f"{found.log_likelihood:.6g}"),
            ("AIC", f"{found.aic:.6g}"),
            ("BIC", f"{found.bic:.6g}"),
            ("Pearson chi²", f"{found.pearson_chi2:.6g}"),
            ("dispersion", f"{found.dispersion:.5g}"),
            ("solver", f"{model.solver_}"),
            ("status", f"{getattr(model, 'status_', 'converged')}"),
            ("covariance", found.cov_type),
            ("intervals", f"{self.method}, level {self.level:g}"),
        ]
        return [(heading, text) for heading, text in facts if text != "nan"]

    @property
    def _notes(self) -> list[str]:
        found, notes = self.inference, []
        if found._likelihood.firth is not None:
            notes.append(_FIRTH)
        if found.is_penalised:
            notes.append(_PENALISED)
        if found.has_ratios:
            several = "against the baseline" if found._baseline is not None else ""
            what = "odds ratios" if found._likelihood.power is None else "ratios of means"
            if found.classes and not several:
                several = "against the geometric mean of all classes"
            notes.append(f"Ratios are {what} {several}".strip() + ", per unit of the feature.")
        return notes

    @property
    def _title(self) -> str:
        return type(self.inference._model).__name__

    def _headings(self) -> list[str]:
        """Return a heading for each table."""
        found = self.inference
        if not found.classes:
            return [""]
        baseline = found._baseline
        against = "" if baseline is None else f" against {baseline}"
        return [f"class {label}{against}" for label in found.classes]

    def _cells(self, index: int) -> list[list[str]]:
        formats = [*_FORMATS, *["{:.4g}"] * 3][: len(self.columns)]
        return cells_of(self.names, self._tables[index], formats)

    def __str__(self) -> str:
        parts = ["\n".join([self._title, "", *text_of_facts(self.facts())])]
        for index, heading in enumerate(self._headings()):
            lines = text_of_table([heading, *self.columns], self._cells(index))
            parts.append("\n".join(lines))
        return "\n\n".join(parts + self._notes)

    def _repr_html_(self) -> str:
        parts = [f"<h4>{html.escape(self._title)}</h4>{html_of_facts(self.facts())}"]
        for index, heading in enumerate(self._headings()):
            parts.append(html_of_table([heading, *self.columns], self._cells(index)))
        return "".join(parts + [f"<p>{html.escape(note)}</p>" for note in self._notes])

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for each of `names`; with several classes for each class and name.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame_of(self._tables, self.names, self.columns, self.inference.classes, "class")
