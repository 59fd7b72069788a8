"""The lasso: an elastic net without an L2 penalty."""

from typing import Any, ClassVar, Literal, Self

from numpy.typing import ArrayLike

from fastridge._typing import Bounds, RandomState
from fastridge.linear_model.constraints import LASSO, Constraints
from fastridge.linear_model.elastic_net import ElasticNet


class Lasso(ElasticNet):
    """Linear regression with an L1 penalty, as `sklearn.linear_model.Lasso`.

    Minimises ``||y - Xw - b||^2 / (2 n) + alpha |w|_1`` (with weights, the weighted mean of squares
    in place of ``||.||^2 / n``) and says how near it came: the objective is at most `dual_gap_`
    above its minimum. It is `fastridge.ElasticNet` with ``l1_ratio=1``.

    Parameters
    ----------
    alpha : float, default=1.0
        Penalty, at least 0. With 0 the fit is least squares, solved as `fastridge.Ridge` solves it.
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
    precompute : bool or array-like of shape (n_features, n_features), default=False
        Accepted for compatibility and ignored, but for a check of its values: whether a Gram matrix
        is made depends on the shape of X.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    max_iter : int or None, default=1000
        Most iterations, at least 1; None is 1000. An iteration is a sweep over the coordinates with
        the Newton step before it, or a last Newton step; eight Newton steps that let in a single
        feature each count as one. A solver run that starts from zero at a small alpha may take half
        of them at larger ones.
    tol : float, default=1e-4
        Coordinate descent stops at a duality gap of ``tol ||y||^2 / n``, with y about its mean if
        there is an intercept. At least 0.
    warm_start : bool, default=False
        Start from `coef_` of the last fit.
    positive : bool, default=False
        Allow no negative coefficients.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing is random.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility and ignored: coordinates are taken in the order in which they
        joined the working set.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
        without a penalty. Infinity excludes it: its coefficient is 0, and the others are those
        without its column. The factors are not rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``. None is without bounds.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations; `coef_` and
        `bounds` stay in the units of X.
    n_threads : int, default=None
        Number of threads for the passes over X and for the targets; None is
        ``FASTRIDGE_NUM_THREADS`` or all usable cores. Negative numbers count back from all of them.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients in the units of X: float32 for float32 X, otherwise float64.
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
        `coef_` in CSR format, a new matrix each time.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 with ``fit_intercept=False``.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Most by which the objective is above its minimum, for `coef_` as it is stored, computed in
        float64. Infinite after Ctrl-C, NaN where there is no certificate. See Notes.
    n_iter_ : int or list of int
        Number of iterations, for each target where there are several. 0 where a warm start was
        within the tolerance.
    status_ : {"converged", "not converged", "no certificate", "interrupted"}
        With several targets the first that is not "converged". "no certificate" where features with
        little or no penalty are nearly collinear and only their statistics are known, or are too
        many for a basis of their columns. After Ctrl-C the model holds the coefficients reached by
        then (those of an earlier fit where there are none).
    solver_ : str
        "gram" for coordinate descent on X'X, "working set" for that on the Gram matrix of some
        columns, "ridge ..." where no L1 penalty is left.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.
    statistics_ : GramStatistics
        Statistics of all rows so far. Only after `partial_fit`, `fit_statistics` or a fit to a
        `fastridge.scan`.

    See Also
    --------
    fastridge.LassoCV : Chooses alpha.
    fastridge.lasso_path : Coefficients at many alphas.
    fastridge.ElasticNet : With an L2 penalty, too.

    Notes
    -----
    The algorithm, its memory and the duality gap are described for `fastridge.ElasticNet`.

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 58 (1996).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import Lasso
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> Lasso(alpha=0.5).fit(X, [1.0, 2.0, 6.0, 7.0]).coef_.round(2)
    array([1.5, 0.5])
    """

    _parameter_constraints: ClassVar[Constraints] = LASSO

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: bool | ArrayLike = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: RandomState = None,
        selection: Literal["cyclic", "random"] = "cyclic",
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_factors=penalty_factors,
            bounds=bounds,
            standardize=standardize,
            n_threads=n_threads,
        )

    @classmethod
    def _from_alpha(cls, alpha: float, l1_ratio: float, params: dict[str, Any]) -> Self:
        if alpha > 0.0 and l1_ratio != 1.0:
            raise ValueError("l2 must be 0 for Lasso: use ElasticNet.from_lambdas.")
        return cls(alpha, **params)
