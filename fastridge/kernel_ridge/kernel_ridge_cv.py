"""Kernel ridge regression that chooses its penalty and gamma."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Folds, RowsLike, Scoring
from fastridge.designs.kernel_functions import Kernel
from fastridge.kernel_ridge import parameter_texts as texts
from fastridge.kernel_ridge.kernel_alpha_selection import KernelSelection, KernelSelector
from fastridge.kernel_ridge.kernel_model import KERNEL_CONSTRAINTS, KernelModelMixin, check_memory
from fastridge.linear_model.constraints import Constraints, check_parameters
from fastridge.linear_model.options import given_alphas
from fastridge.linear_model.planned_splits import planned_splits
from fastridge.runtime.threads import resolve_threads


@documented(texts.KERNEL)
class KernelRidgeCV(KernelModelMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel ridge regression that chooses alpha and gamma by exact leave-one-out.

    Minimises the objective of `KernelRidge`. One reduction of the kernel matrix serves every
    alpha; without cross-validation, two criteria choose in the same way.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), float or "auto", default="auto"
        Penalties to try, above 0. ``"auto"`` tries eight for each factor of ten, from hardly any
        shrinkage to nearly all, and warns where the choice is at a grid boundary.
    kernel
    gamma : float or array-like of shape (n_gammas,), default=None
        Parameter of the kernels rbf, laplacian, polynomial, sigmoid (None is 1 / n_features) and
        chi2 (None is 1), at least 0. With several, the best pair of alpha and gamma is chosen.
    degree, coef0, kernel_params
    scoring : str, callable or None, default=None
        A scikit-learn scorer for the predictions of the rows left out. None is minus the mean of
        the squared errors times their weights, and R^2 with folds, as in `fastridge.RidgeCV`.
    cv : int, splitter, iterable or None, default=None
        Number of folds (of consecutive rows), a scikit-learn splitter, or pairs of arrays of row
        indices. None is leave-one-out.
    method : {"loo", "gcv", "marginal_likelihood"}, default="loo"
        What chooses: exact leave-one-out error, generalised cross-validation, or the marginal
        likelihood of a Gaussian process with this kernel.
    selection : {"min", "1se"}, default="min"
        ``"min"`` takes the pair of the best mean score, ``"1se"`` the largest alpha whose mean
        score is within one standard error of the best with the same gamma.
    alpha_per_target : bool, default=False
        Choose an alpha for each target; gamma is that of the best mean over targets.
    n_threads

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha; one for each target with `alpha_per_target`.
    gamma_ : float or None
        The chosen gamma; None if the kernel has none.
    best_score_ : float or ndarray of shape (n_targets,)
        Mean score of the choice (for ``"gcv"`` minus the criterion, for
        ``"marginal_likelihood"`` the log evidence up to a constant).
    alphas_ : ndarray of shape (n_alphas,)
        The alphas that were tried.
    mean_scores_ : ndarray of shape (n_alphas,), (n_gammas, n_alphas) or with n_targets at the end
        Mean score of each alpha, of each gamma if there are several, and of each target with
        `alpha_per_target`; greater is better. NaN where K + alpha I is not positive definite.
    standard_errors_ : ndarray of the shape of `mean_scores_`
        Standard error of each mean score over the rows; NaN where there is none.
    alpha_min_ : float or ndarray of shape (n_targets,)
        What ``selection="min"`` gives.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        What ``selection="1se"`` gives; NaN where there is no standard error.
    fold_scores_ : ndarray of shape (n_alphas, n_splits), with axes as `mean_scores_`
        Score of each alpha on each split. Only with folds.
    method_ : str
        What chose alpha: `method`, or ``"kfold"`` where `cv` was given.
    scoring_ : str
        Name of the scores in `mean_scores_`.
    dual_coef_, X_fit_
    solver_ : str
        ``"tridiagonal"``; with folds one of the names of `KernelRidge`.
    rcond_ : float
        Reciprocal condition number of the system at `alpha_`, near 0 where rows are nearly equal.
    n_features_in_, feature_names_in_

    See Also
    --------
    KernelRidge : The model at a given alpha.
    fastridge.RidgeCV : Linear functions of the features, with an intercept.

    Notes
    -----
    The kernel matrix is reduced to a tridiagonal T = Q'KQ in its own memory, 8 n_samples^2 bytes;
    several gammas take that twice if there are 100 features or more, because they share the
    distances. A factor of T + alpha I costs O(n_samples), and the diagonal of (K + alpha I)^-1, by
    which the residuals of leave-one-out are divided, is one pass over Q for all alphas. With
    folds there is one reduction for each. Weights count in fitting and in scores.

    References
    ----------
    Rifkin and Lippert, "Notes on regularized least squares", MIT-CSAIL-TR-2007-025.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import KernelRidgeCV
    >>> rng = np.random.default_rng(0)
    >>> X = np.linspace(0.0, 6.0, 60)[:, None]
    >>> y = np.sin(X[:, 0]) + 0.1 * rng.standard_normal(60)
    >>> model = KernelRidgeCV(kernel="rbf", gamma=[0.1, 1.0, 10.0]).fit(X, y)
    >>> model.gamma_
    1.0
    >>> model.predict([[1.6]]).round(1)
    array([0.9])
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "alphas": ["array-like", Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        **KERNEL_CONSTRAINTS,
        "gamma": [Interval(Real, 0, None, closed="left"), "array-like", None],
        "degree": [Interval(Real, 0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "scoring": [str, callable, None],
        "cv": ["cv_object"],
        "method": [StrOptions({"loo", "gcv", "marginal_likelihood"})],
        "selection": [StrOptions({"min", "1se"})],
        "alpha_per_target": ["boolean"],
        "n_threads": [Integral, None],
    }

    def __init__(
        self,
        alphas: ArrayLike | Literal["auto"] = "auto",
        *,
        kernel: str | Callable[..., float] = "linear",
        gamma: ArrayLike | None = None,
        degree: float = 3,
        coef0: float = 1,
        kernel_params: dict[str, Any] | None = None,
        scoring: Scoring | None = None,
        cv: Folds | None = None,
        method: Literal["loo", "gcv", "marginal_likelihood"] = "loo",
        selection: Literal["min", "1se"] = "min",
        alpha_per_target: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.scoring = scoring
        self.cv = cv
        self.method = method
        self.selection = selection
        self.alpha_per_target = alpha_per_target
        self.n_threads = n_threads

    @documented(texts.FIT)
    def fit(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Choose alpha and gamma, and fit the model to all rows.

        Parameters: X, y, sample_weight

        Returns: Self

        Raises
        ------
        ValueError
            If a parameter is not supported, parameters exclude each other, if X, y or
            `sample_weight` is malformed or not finite, or if no alpha makes the kernel matrix
            positive definite.
        MemoryError
            If the kernel matrix does not fit the memory of this machine.

        Warns
        -----
        UserWarning
            If the choice is at a grid boundary of ``alphas="auto"``, or the kernel with the chosen
            gamma is the same or zero between all rows.
        """
        self._check_parameters()
        alphas = given_alphas(self.alphas, zero=False)
        n_threads = resolve_threads(self.n_threads)
        X, y, weight = self._check_fit(X, y, sample_weight)
        kernel = self._kernel(None, X.shape[1])
        self._check_values(kernel, X)
        gammas = self._gammas(kernel)
        n_counted = len(y) if weight is None else np.count_nonzero(weight)
        if n_counted < 2:
            raise ValueError(
                "choosing alpha needs at least 2 rows whose sample_weight is above 0, got "
                f"n_samples={n_counted}: use KernelRidge with an alpha of your own."
            )
        check_memory(len(y), 1, "use KernelRidge with solver='nystrom', or fewer rows")
        splits = [] if self.cv is None else planned_splits(self.cv, X, y, {})
        with np.errstate(all="ignore"):
            selector = KernelSelector(self, kernel, X, y, weight, alphas, n_threads)
            if self.cv is None:
                selected = selector.by_criterion(gammas)
            else:
                selected = selector.by_folds(gammas, splits)
        coef = selected.dual_coef
        self.dual_coef_ = coef[0] if y.ndim == 1 else np.ascontiguousarray(coef.T)
        self.X_fit_ = X
        self._store(selected, kernel)
        return self

    def _check_parameters(self) -> None:
        check_parameters(self)
        if self.cv is not None and self.method != "loo":
            raise ValueError(f"method={self.method!r} makes no splits: leave cv=None.")
        if self.method != "loo" and (self.scoring is not None or self.selection != "min"):
            raise ValueError(
                f"method={self.method!r} has a criterion of its own, without a standard error: "
                "leave scoring=None and selection='min', or use method='loo'."
            )

    def _gammas(self, kernel: Kernel) -> np.ndarray:
        if self.gamma is None or not kernel.has_gamma:
            return np.array([kernel.gamma])
        gammas = np.atleast_1d(np.asarray(self.gamma, dtype=np.float64))
        if gammas.ndim != 1 or not gammas.size:
            raise ValueError(f"gamma must be a number or a list of them, got {self.gamma!r}.")
        if not (np.isfinite(gammas).all() and (gammas >= 0.0).all()):
            raise ValueError(f"gamma must be finite and at least 0, got {self.gamma!r}.")
        return gammas

    def _store(self, selected: KernelSelection, kernel: Kernel) -> None:
        per_target = self.alpha_per_target and self.dual_coef_.ndim > 1

        def one(values: np.ndarray) -> Any:
            return values.copy() if per_target else float(values[0])

        several = self.gamma is not None and np.ndim(self.gamma) > 0

        def table(values: np.ndarray) -> np.ndarray:
            values = values if per_target else values[..., 0]
            return values if several else values[0]

        self.alpha_, self.best_score_ = one(selected.alpha), one(selected.best_score)
        self.alpha_min_, self.alpha_1se_ = one(selected.alpha_min), one(selected.alpha_1se)
        self.gamma_ = selected.gamma if kernel.has_gamma else None
        self.alphas_ = selected.alphas
        self.method_ = self.method if self.cv is None else "kfold"
        self.scoring_ = selected.scoring
        self.mean_scores_, self.standard_errors_ = table(selected.mean), table(selected.error)
        forget(self, "fold_scores_")
        if selected.fold_scores is not None:
            self.fold_scores_ = table(selected.fold_scores)
        self.solver_, self.rcond_ = selected.solver, selected.rcond
        if selected.warning is not None:
            warnings.warn(selected.warning, UserWarning, stacklevel=3)
        if isinstance(self.alphas, str):
            for end, which, advice in ((0, "smallest", "smaller"), (-1, "largest", "larger")):
                if (selected.alpha_min == selected.alphas[end]).any():
                    warnings.warn(
                        f"the best alpha is {selected.alphas[end]:.3g}, the {which} that "
                        f"alphas='auto' tried: give {advice} alphas, or another kernel.",
                        UserWarning,
                        stacklevel=3,
                    )

    def _fitted_gamma(self) -> float | None:
        return self.gamma_
