"""Classification by ridge regression, with scikit-learn's interface."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from fastridge._docstrings import documented
from fastridge._typing import AlphaScale, RandomState, RowsLike
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import RIDGE_CLASSIFIER, Constraints
from fastridge.linear_model.options import check_ridge_parameters
from fastridge.linear_model.prediction import named_in_errors
from fastridge.linear_model.ridge_classes import RidgeClassesMixin
from fastridge.linear_model.ridge_fits import RidgeFitMixin, dtype_of_coef
from fastridge.solvers.solver_selection import solve


@documented(texts.RIDGE_CLASSIFIER)
class RidgeClassifier(RidgeClassesMixin, RidgeFitMixin, BaseEstimator):
    """Classification by ridge regression, as `sklearn.linear_model.RidgeClassifier`.

    Fits ``||y - Xw - b||^2 + alpha ||w||^2`` to targets of 1 in the rows of a class and -1 in the
    others, for all classes at once, and predicts the class with the largest score.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Penalty, at least 0; an array has one for each class.
    fit_intercept
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    max_iter : int, default=None
        Most iterations of `lsqr`, `sparse_cg`, `gd` and of ``positive=True``, at least 1. None
        leaves the limit to the solver.
    tol : float, default=1e-4
        Relative precision at which `lsqr`, `sparse_cg` and `gd` stop.
    class_weight
    solver : {"auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd", "sag", "saga", \
            "lbfgs"}, default="auto"
        ``"auto"`` takes Cholesky, and falls back on QR and SVD where the condition number demands
        it; the others are those that `fastridge.Ridge` describes.
    positive : bool, default=False
        Allow no coefficients below 0.
    random_state, calibration, alpha_scale
    standardize : bool, default=False
        Penalise the coefficients of standardised columns; `coef_` stays in the units of X.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a
        feature without a penalty. Infinity excludes it.
    nesterov : bool, default=False
        Use Nesterov's momentum for ``solver="gd"``.
    n_threads

    Attributes
    ----------
    coef_, intercept_, classes_
    n_iter_ : ndarray of shape (n_targets,)
        Iterations of an iterative solver for each target; at least 1 for a direct solver.
    solver_ : str
        The solver that gave the coefficients: one of `solver`'s names, or ``"nnls"``.
    rcond_ : float or None
        Reciprocal condition number of what `solver_` solved.
    calibration_, n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.RidgeClassifierCV : Chooses alpha from the data.
    fastridge.LogisticRegression : Fits probabilities themselves.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines and comparisons to regularized
    likelihood methods", Advances in Large Margin Classifiers (1999).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from fastridge import RidgeClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RidgeClassifier(calibration="loo").fit(X, y)
    >>> round(model.score(X, y), 4)
    0.9596
    >>> model.predict_proba(X[:2]).round(3)
    array([[1.   , 0.   ],
           [0.995, 0.005]])
    """

    _parameter_constraints: ClassVar[Constraints] = RIDGE_CLASSIFIER

    def __init__(
        self,
        alpha: ArrayLike = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        solver: str = "auto",
        positive: bool = False,
        random_state: RandomState = None,
        calibration: Literal["loo"] | None = None,
        alpha_scale: AlphaScale = "sum",
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        nesterov: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.alpha: Any = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.calibration = calibration
        self.alpha_scale = alpha_scale
        self.standardize = standardize
        self.penalty_factors = penalty_factors
        self.nesterov = nesterov
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver != "svd"
        return tags

    @documented(texts.FIT_CLASSES)
    def fit(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to these rows.

        Parameters: X, y, sample_weight

        Returns: Self

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            If an iterative solver stopped at `max_iter`, or if the conditions of the minimum do not
            hold with ``positive=True``.
        """
        check_ridge_parameters(self)
        self._check_calibration()
        rows = self._check_classes(X, y, sample_weight)
        with named_in_errors(self, rows.X), np.errstate(all="ignore"):
            problem, kept = self._problem_of(rows.X, rows.Y, rows.weight)
            result = solve(problem, **self._solver_options())
            self._store_result(problem, result, rows.Y.ndim, dtype_of_coef(rows.X))
        self._finish(problem, result, kept)
        self._calibrate(problem, rows)
        return self

    def _check_calibration(self) -> None:
        if self.calibration is None:
            return
        if self.positive:
            raise ValueError(
                "calibration='loo' is not supported with positive=True, whose coefficients are not "
                "linear in the targets: use sklearn.calibration.CalibratedClassifierCV."
            )
        if not np.all(np.asarray(self.alpha) > 0.0):
            raise ValueError(
                f"calibration='loo' needs alpha above 0, got alpha={self.alpha!r}: give a small "
                "one, such as 1e-6."
            )
