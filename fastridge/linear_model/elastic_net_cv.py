"""Elastic net and lasso that choose their penalty by cross-validation."""

from typing import ClassVar, Literal

from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import Bounds, Folds, RandomState
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import ELASTIC_NET_CV, LASSO_CV, Constraints
from fastridge.linear_model.elastic_net_cv_base import CrossValidatedMixin
from fastridge.linear_model.elastic_net_path import lasso_path
from fastridge.linear_model.options import store_parameters


@documented(texts.ELASTIC_NET_CV)
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
    eps, alphas, fit_intercept, precompute, max_iter, tol, cv, copy_X
    verbose : bool or int, default=0
    n_jobs, positive, random_state, selection, n_alphas, penalty_factors, bounds, standardize,
    n_threads

    Attributes
    ----------
    alpha_, alpha_min_, alpha_1se_
    l1_ratio_ : float
        The l1_ratio of the least mean error.
    coef_, intercept_
    mse_path_ : ndarray of shape (n_l1_ratios, n_alphas, n_splits)
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
    dual_gap_, n_iter_, status_, solver_, n_features_in_, feature_names_in_, encoding_, statistics_,
    fold_statistics_

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
    >>> from sklearn.datasets import make_regression
    >>> from fastridge import ElasticNetCV
    >>> X, y = make_regression(60, 5, n_informative=2, noise=10.0, random_state=0)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 0.9, 1.0], cv=5).fit(X, y)
    >>> model.l1_ratio_, round(model.alpha_, 3), int((model.coef_ != 0.0).sum())
    (1.0, 1.169, 3)
    """

    _parameter_constraints: ClassVar[Constraints] = ELASTIC_NET_CV

    l1_ratio: ArrayLike

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
        store_parameters(self, locals())


@documented(texts.ELASTIC_NET_CV)
class LassoCV(CrossValidatedMixin):
    """Lasso that chooses alpha by cross-validation, as `sklearn.linear_model.LassoCV`.

    Minimises the objective of `fastridge.Lasso` at the alpha that predicts best by
    cross-validation. With more training rows than columns, X is read once for all splits and
    alphas; otherwise each pass over X serves several splits' paths at once.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive,
    random_state, selection, n_alphas, penalty_factors, bounds, standardize, n_threads

    Attributes
    ----------
    alpha_, alpha_min_, alpha_1se_, coef_, intercept_, mse_path_, alphas_, dual_gap_, n_iter_,
    status_, solver_, n_features_in_, feature_names_in_, encoding_, statistics_, fold_statistics_

    See Also
    --------
    fastridge.Lasso : At a given alpha.
    fastridge.ElasticNetCV : With an L2 penalty, too; notes on memory.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from fastridge import LassoCV
    >>> X, y = make_regression(60, 5, n_informative=2, noise=10.0, random_state=0)
    >>> LassoCV(selection="1se").fit(X, y).coef_.round(1)
    array([34.5, 59.9,  0. ,  0. ,  0. ])
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
        store_parameters(self, locals())
