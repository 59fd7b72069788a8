"""Elastic net and lasso that choose their penalty by cross-validation."""

from typing import ClassVar, Literal

from numpy.typing import ArrayLike

from fastridge._typing import Bounds, Folds, RandomState
from fastridge.linear_model.constraints import ELASTIC_NET_CV, LASSO_CV, Constraints
from fastridge.linear_model.elastic_net_path import lasso_path
from fastridge.linear_model.elastic_net_selection import CrossValidatedMixin


class ElasticNetCV(CrossValidatedMixin):
    """Elastic net that chooses alpha and l1_ratio, as `sklearn.linear_model.ElasticNetCV`.

    Minimises the objective of `fastridge.ElasticNet` at the penalty that predicts best by
    cross-validation. With more training rows than columns, X is read once for all splits, alphas
    and l1_ratios; otherwise each pass over X serves several splits' paths at once.

    Parameters
    ----------
    l1_ratio : float or array-like of shape (n_l1_ratios,), default=0.5
        Shares of the L1 norm in the penalty to try, from 0 to 1; above 0 where alphas are found
        automatically.
    eps : float, default=1e-3
        Ratio of the least to the largest alpha of a grid, above 0.
    alphas : int or array-like of shape (n_alphas,), default=100
        Penalties to try, at least 0; or the number of them on a grid from the least alpha at which
        all coefficients are zero down to `eps` times that. None is 100.
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
    precompute : "auto", bool or array-like of shape (n_features, n_features), default="auto"
        Accepted for compatibility and ignored, but for a check of its values: whether Gram matrices
        are made depends on the shape of X.
    max_iter : int or None, default=1000
        Most iterations, at least 1; None is 1000. An iteration is a sweep over the coordinates with
        the Newton step before it, or a last Newton step; eight Newton steps that let in a single
        feature each count as one. A solver run that starts from zero at a small alpha may take half
        of them at larger ones.
    tol : float, default=1e-4
        Coordinate descent stops at a duality gap of ``tol ||y||^2 / n``, with y about its mean if
        there is an intercept. At least 0.
    cv : int, splitter, iterable or None, default=None
        Number of folds (of consecutive rows), a scikit-learn splitter, or pairs of arrays of row
        indices. None is 5 folds.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    verbose : bool or int, default=0
        Print a line for each split's path.
    n_jobs : int, default=None
        Number of threads where `n_threads` is None.
    positive : bool, default=False
        Allow no negative coefficients.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing is random.
    selection : {"cyclic", "random", "min", "1se"}, default="cyclic"
        ``"1se"`` takes the largest alpha whose mean error is within one standard error of the
        least. The others take the alpha of the least mean error; ``"cyclic"`` and ``"random"`` are
        scikit-learn's.
    n_alphas : int, default=None
        Number of alphas where `alphas` is not an array, as in older versions of scikit-learn.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
        without a penalty. Infinity excludes it: its coefficient is 0, and the others are those
        without its column. The factors are not rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``. None is without bounds.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations, which are
        those of the training rows of each split; `coef_` and `bounds` stay in the units of X.
    n_threads : int, default=None
        Number of threads for the passes over X and for the splits' paths; None is `n_jobs` if that
        is given, otherwise ``FASTRIDGE_NUM_THREADS`` or all usable cores. Negative numbers count
        back from all of them.

    Attributes
    ----------
    alpha_ : float
        The chosen alpha, by `selection`.
    alpha_min_ : float
        The alpha of the least mean error.
    alpha_1se_ : float
        The largest alpha whose mean error is within one standard error of the least; NaN with a
        single split.
    l1_ratio_ : float
        The l1_ratio of the least mean error.
    coef_ : ndarray of shape (n_features,)
        Coefficients at the chosen penalty, in the units of X: float32 for float32 X, otherwise
        float64.
    intercept_ : float
        Intercept at the chosen penalty; 0.0 with ``fit_intercept=False``.
    mse_path_ : ndarray of shape (n_l1_ratios, n_alphas, n_splits)
        Mean squared error of each split; axes of length one are dropped.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        Alphas that were tried, in decreasing order.
    dual_gap_ : float
        Most by which the objective of the final model is above its minimum, for `coef_` as it is
        stored, computed in float64; NaN where there is no certificate.
    n_iter_ : int
        Number of iterations for the final model.
    status_ : {"converged", "not converged", "no certificate"}
        Whether the final model reached its tolerance. "no certificate" where features with little
        or no penalty are nearly collinear and only their statistics are known, or are too many for
        a basis of their columns.
    solver_ : str
        Solver of the final model: "gram" for coordinate descent on X'X, "working set" for that on
        the Gram matrix of some columns, "ridge ..." where no L1 penalty is left.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.
    statistics_ : GramStatistics
        Statistics of all rows. Only after `partial_fit`, `fit_statistics` or a fit to a
        `fastridge.scan`.
    fold_statistics_ : list of GramStatistics
        Statistics of the rows of each fold. Only after `partial_fit`, `fit_statistics` or a fit to
        a `fastridge.scan`.

    See Also
    --------
    fastridge.LassoCV : With ``l1_ratio=1``.
    fastridge.ElasticNet : At a given penalty; notes and references.

    Notes
    -----
    Memory beyond X is O(n_features^2) for each thread and split with more training rows than
    columns, for fewer splits at a time where that would be more than twice X. Otherwise, and for
    sparse X whose Gram matrix would be larger than that, it is a copy of the columns in use for
    each path of a pass. CSC is turned into CSR for the former, CSR into CSC for the latter.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import ElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> y = X @ [3.0, 0.0, 0.0, 1.0, 0.0] + rng.normal(size=60)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 0.9, 1.0], cv=5).fit(X, y)
    >>> model.l1_ratio_, round(model.alpha_, 3), int((model.coef_ != 0.0).sum())
    (1.0, 0.041, 5)
    """

    _parameter_constraints: ClassVar[Constraints] = ELASTIC_NET_CV

    def __init__(
        self,
        *,
        l1_ratio: ArrayLike = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike | None = 100,
        fit_intercept: bool = True,
        precompute: bool | ArrayLike | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Folds | None = None,
        copy_X: bool = True,
        verbose: bool | int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: RandomState = None,
        selection: Literal["cyclic", "random", "min", "1se"] = "cyclic",
        n_alphas: int | None = None,
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_alphas = n_alphas
        self.penalty_factors = penalty_factors
        self.bounds = bounds
        self.standardize = standardize
        self.n_threads = n_threads


class LassoCV(CrossValidatedMixin):
    """Lasso that chooses alpha by cross-validation, as `sklearn.linear_model.LassoCV`.

    Minimises the objective of `fastridge.Lasso` at the alpha that predicts best by
    cross-validation. With more training rows than columns, X is read once for all splits and
    alphas; otherwise each pass over X serves several splits' paths at once.

    Parameters
    ----------
    eps : float, default=1e-3
        Ratio of the least to the largest alpha of a grid, above 0.
    alphas : int or array-like of shape (n_alphas,), default=100
        Penalties to try, at least 0; or the number of them on a grid from the least alpha at which
        all coefficients are zero down to `eps` times that. None is 100.
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
    precompute : "auto", bool or array-like of shape (n_features, n_features), default="auto"
        Accepted for compatibility and ignored, but for a check of its values: whether Gram matrices
        are made depends on the shape of X.
    max_iter : int or None, default=1000
        Most iterations, at least 1; None is 1000. An iteration is a sweep over the coordinates with
        the Newton step before it, or a last Newton step; eight Newton steps that let in a single
        feature each count as one. A solver run that starts from zero at a small alpha may take half
        of them at larger ones.
    tol : float, default=1e-4
        Coordinate descent stops at a duality gap of ``tol ||y||^2 / n``, with y about its mean if
        there is an intercept. At least 0.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    cv : int, splitter, iterable or None, default=None
        Number of folds (of consecutive rows), a scikit-learn splitter, or pairs of arrays of row
        indices. None is 5 folds.
    verbose : bool or int, default=False
        Print a line for each split's path.
    n_jobs : int, default=None
        Number of threads where `n_threads` is None.
    positive : bool, default=False
        Allow no negative coefficients.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing is random.
    selection : {"cyclic", "random", "min", "1se"}, default="cyclic"
        ``"1se"`` takes the largest alpha whose mean error is within one standard error of the
        least. The others take the alpha of the least mean error; ``"cyclic"`` and ``"random"`` are
        scikit-learn's.
    n_alphas : int, default=None
        Number of alphas where `alphas` is not an array, as in older versions of scikit-learn.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
        without a penalty. Infinity excludes it: its coefficient is 0, and the others are those
        without its column. The factors are not rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``. None is without bounds.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations, which are
        those of the training rows of each split; `coef_` and `bounds` stay in the units of X.
    n_threads : int, default=None
        Number of threads for the passes over X and for the splits' paths; None is `n_jobs` if that
        is given, otherwise ``FASTRIDGE_NUM_THREADS`` or all usable cores. Negative numbers count
        back from all of them.

    Attributes
    ----------
    alpha_ : float
        The chosen alpha, by `selection`.
    alpha_min_ : float
        The alpha of the least mean error.
    alpha_1se_ : float
        The largest alpha whose mean error is within one standard error of the least; NaN with a
        single split.
    coef_ : ndarray of shape (n_features,)
        Coefficients at the chosen penalty, in the units of X: float32 for float32 X, otherwise
        float64.
    intercept_ : float
        Intercept at the chosen penalty; 0.0 with ``fit_intercept=False``.
    mse_path_ : ndarray of shape (n_alphas, n_splits)
        Mean squared error of each split; axes of length one are dropped.
    alphas_ : ndarray of shape (n_alphas,)
        Alphas that were tried, in decreasing order.
    dual_gap_ : float
        Most by which the objective of the final model is above its minimum, for `coef_` as it is
        stored, computed in float64; NaN where there is no certificate.
    n_iter_ : int
        Number of iterations for the final model.
    status_ : {"converged", "not converged", "no certificate"}
        Whether the final model reached its tolerance. "no certificate" where features with little
        or no penalty are nearly collinear and only their statistics are known, or are too many for
        a basis of their columns.
    solver_ : str
        Solver of the final model: "gram" for coordinate descent on X'X, "working set" for that on
        the Gram matrix of some columns, "ridge ..." where no L1 penalty is left.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.
    statistics_ : GramStatistics
        Statistics of all rows. Only after `partial_fit`, `fit_statistics` or a fit to a
        `fastridge.scan`.
    fold_statistics_ : list of GramStatistics
        Statistics of the rows of each fold. Only after `partial_fit`, `fit_statistics` or a fit to
        a `fastridge.scan`.

    See Also
    --------
    fastridge.Lasso : At a given alpha.
    fastridge.ElasticNetCV : With an L2 penalty, too; notes on memory.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> y = X @ [3.0, 0.0, 0.0, 1.0, 0.0] + rng.normal(size=60)
    >>> LassoCV(selection="1se").fit(X, y).coef_.round(1)
    array([2.6, 0. , 0. , 0.6, 0. ])
    """

    _parameter_constraints: ClassVar[Constraints] = LASSO_CV

    path = staticmethod(lasso_path)

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike | None = 100,
        fit_intercept: bool = True,
        precompute: bool | ArrayLike | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Folds | None = None,
        verbose: bool | int = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: RandomState = None,
        selection: Literal["cyclic", "random", "min", "1se"] = "cyclic",
        n_alphas: int | None = None,
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_alphas = n_alphas
        self.penalty_factors = penalty_factors
        self.bounds = bounds
        self.standardize = standardize
        self.n_threads = n_threads
