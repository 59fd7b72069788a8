"""Elastic net and lasso that choose their penalty by cross-validation."""

from typing import Any, ClassVar

from fastridge.linear_model.constraints import ELASTIC_NET_CV, LASSO_CV, Constraints
from fastridge.linear_model.elastic_net_path import lasso_path
from fastridge.linear_model.elastic_net_selection import CrossValidatedMixin


class ElasticNetCV(CrossValidatedMixin):
    """Elastic net that chooses alpha and l1_ratio, as `sklearn.linear_model.ElasticNetCV`.

    Minimises the objective of `fastridge.ElasticNet` at the penalty that predicts best by
    cross-validation. With more training rows than columns, X is read once for all splits, alphas
    and l1_ratios; else each pass over X serves several splits' paths at once.

    Parameters
    ----------
    l1_ratio : float or array-like of shape (n_l1_ratios,), default=0.5
    eps : float, default=1e-3
        The least alpha over the largest.
    alphas : int or array-like of shape (n_alphas,), default=100
        The alphas, or how many to try for each l1_ratio from the least alpha at which all
        coefficients are zero down. None is as 100.
    fit_intercept : bool, default=True
    precompute : "auto", bool or array-like, default="auto"
        Taken for compatibility: see `fastridge.ElasticNet`.
    max_iter : int, default=1000
    tol : float, default=1e-4
    cv : int, splitter, iterable or None, default=None
        Number of folds (consecutive rows), a scikit-learn splitter, or pairs of arrays of row
        numbers; None is 5 folds.
    copy_X : bool, default=True
        Taken for compatibility: X is never written to.
    verbose : bool or int, default=0
        Print a line for each split's path.
    n_jobs : int or None, default=None
        Threads, where `n_threads` is None and this is not.
    positive : bool, default=False
    random_state : int, RandomState instance or None, default=None
        Taken for compatibility: nothing is random.
    selection : {"cyclic", "random", "min", "1se"}, default="cyclic"
        ``"1se"`` takes the largest alpha whose mean error is within one standard error of the
        least (at the best l1_ratio). The others take the least; "cyclic" and "random" are
        scikit-learn's.
    n_alphas : int, optional
        How many alphas, where `alphas` is not an array (older versions of scikit-learn).
    penalty_factors, bounds, standardize
        As for `fastridge.ElasticNet`; deviations are those of the training rows of each split.
    n_threads : int, optional
        Threads of the passes over X and of the splits' paths; None is ``FASTRIDGE_NUM_THREADS``
        or all usable cores.

    Attributes
    ----------
    alpha_ : float
    alpha_min_, alpha_1se_ : float
        The alpha of the least mean error, and that within one standard error of it (NaN with a
        single split).
    l1_ratio_ : float
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    mse_path_ : ndarray of shape (n_l1_ratios, n_alphas, n_splits)
        Mean squared error of each split; axes of length one are dropped.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
    dual_gap_, n_iter_, status_, solver_
        As of `fastridge.ElasticNet`, for the final model.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had names.
    statistics_ : GramStatistics
        Of all rows, as the next only after `partial_fit` or `fit_statistics`.
    fold_statistics_ : list of GramStatistics

    See Also
    --------
    fastridge.LassoCV : With ``l1_ratio=1``.
    fastridge.ElasticNet : At a given penalty; notes and references.

    Notes
    -----
    Memory beyond X is O(n_features^2) a thread and split with more training rows than columns, of
    fewer splits at a time where that would be more than twice X; else, and for sparse X whose Gram
    would be larger than that, a copy of the columns in use for each path of a pass. CSC is turned
    into CSR for the former, CSR into CSC for the latter.

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
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: Any = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        n_alphas: int | None = None,
        penalty_factors: Any = None,
        bounds: Any = None,
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

    `fastridge.ElasticNetCV`, which see for all parameters and attributes, with ``l1_ratio=1``.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive
        As for `fastridge.ElasticNetCV`.
    random_state, selection, n_alphas, penalty_factors, bounds, standardize, n_threads
        As for `fastridge.ElasticNetCV`.

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
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: Any = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        n_alphas: int | None = None,
        penalty_factors: Any = None,
        bounds: Any = None,
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
