"""Linear support vector regression, with scikit-learn's interface."""

from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from fastridge._docstrings import documented
from fastridge._typing import RandomState, RowsLike
from fastridge.linear_model import svm_models, svm_texts
from fastridge.linear_model.constraints import LINEAR_SVR, Constraints
from fastridge.linear_model.prediction import LinearModelMixin
from fastridge.linear_model.smooth_models import named_overflow
from fastridge.solvers.svm.problem import regression
from fastridge.solvers.svm.solve import solve


@documented(svm_texts.MODEL)
class LinearSVR(LinearModelMixin, RegressorMixin, BaseEstimator):
    """Linear support vector regression, as `sklearn.svm.LinearSVR`.

    Minimises ``||w||^2 / 2 + C sum_i v_i loss(y_i - x_i'w - b)`` with the loss ``max(0, |r| -
    epsilon)`` or its square, and certifies it by the duality gap.

    Parameters
    ----------
    epsilon : float, default=0.0
        Residuals up to this size have no loss. Below 0 it counts as 0.
    tol, C
    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, default="epsilon_insensitive"
        The loss.
    fit_intercept, intercept_scaling, dual, verbose, random_state, max_iter, penalize_intercept
    n_threads

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients in the units of X.
    intercept_
    n_iter_, dual_gap_, solver_, status_, n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.LinearSVC : The same for classes.
    fastridge.Ridge : The squared loss.

    Notes
    -----
    With ``epsilon=0`` this is regression to the median with an L2 penalty.

    References
    ----------
    Ho and Lin, "Large-scale linear support vector regression", JMLR 13 (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import LinearSVR
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> model = LinearSVR(C=100.0, penalize_intercept=False).fit(X, [1.0, 3.0, 5.0, 7.0, 90.0])
    >>> model.predict([[5.0]]).round(2)
    array([11.])
    """

    _parameter_constraints: ClassVar[Constraints] = LINEAR_SVR

    def __init__(
        self,
        *,
        epsilon: float = 0.0,
        tol: float = 1e-4,
        C: float = 1.0,
        loss: Literal["epsilon_insensitive", "squared_epsilon_insensitive"] = "epsilon_insensitive",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dual: bool | Literal["auto"] = "auto",
        verbose: int = 0,
        random_state: RandomState = None,
        max_iter: int = 1000,
        penalize_intercept: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.tol = tol
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dual = dual
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.penalize_intercept = penalize_intercept
        self.n_threads = n_threads

    @documented(svm_texts.FIT)
    def fit(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to these rows.

        Parameters
        ----------
        X
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight

        Returns: Self

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            If `max_iter` steps or epochs did not reach the tolerance.
        """
        svm_models.check_options(self)
        X, y = svm_models.check_rows(self, X, y, numeric=True)
        rows = svm_models.rows_with_weight(self, X, y.astype(np.float64), sample_weight)
        epsilon, penalty = max(float(self.epsilon), 0.0), svm_models.intercept_penalty(self)
        squared = self.loss.startswith("squared")
        terms = rows.design, rows.y, rows.weight, epsilon, penalty
        generator, tol = svm_models.generator(self), svm_models.solver_tol(self)
        with named_overflow(self, X):
            problem = regression(*terms, squared=squared)
            found = solve(problem, epsilon, generator, tol=tol, max_iter=int(self.max_iter))
        self.coef_ = found.coef
        self.intercept_ = np.array([found.intercept]) if self.fit_intercept else 0.0
        svm_models.store(self, [found])
        return self
