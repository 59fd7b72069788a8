"""Fits and predictions of Dask arrays and data frames, on any Dask cluster.

For a squared loss each partition becomes statistics where it lies; they are merged in a tree on the
workers and solved on the client. `GramStatistics` are small (some 8 p^2 bytes) and add up exactly,
so the result is that of one machine within rounding, however many workers there are and whichever
of them die. For logistic regression and generalized linear models every pass sums the loss and its
derivatives in the same way. Stochastic gradient descent averages local models epoch by epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastridge.dask.newton import fit_newton
from fastridge.dask.partitions import begins_of, partitions
from fastridge.dask.prediction import predict
from fastridge.dask.sgd import fit_sgd
from fastridge.designs.distributed import DaskDesign
from fastridge.linear_model.glm import GeneralizedLinearModel
from fastridge.linear_model.logistic import LogisticRegression
from fastridge.linear_model.sgd_base import BaseSGD
from fastridge.statistics.fold_statistics import N_FOLDS

if TYPE_CHECKING:
    from dask.array import Array
    from dask.dataframe import DataFrame, Series
    from sklearn.base import BaseEstimator

__all__ = ["fit", "predict"]


def fit(
    estimator: BaseEstimator,
    X: Array | DataFrame,
    y: Array | Series | str | Sequence[str] | None = None,
    *,
    sample_weight: Array | Series | str | None = None,
    fold: Array | Series | str | None = None,
    features: Sequence[str] | None = None,
    offset: Array | Series | str | None = None,
    exposure: Array | Series | str | None = None,
    n_models: int | None = None,
) -> BaseEstimator:
    r"""Fit an estimator to a Dask array or data frame.

    Parameters
    ----------
    estimator : Ridge, RidgeCV, ElasticNet, Lasso, ElasticNetCV, LassoCV, LogisticRegression, \
            PoissonRegressor, GammaRegressor, TweedieRegressor, SGDRegressor or SGDClassifier
        Fitted in place. RidgeCV needs `cv`, or a method without rows. Logistic regression and
        generalized linear models read the rows some times, those of SGD in every epoch (`persist`
        what fits into the memory of the workers). For SGD `early_stopping`, `standardize` and
        `warm_start` are not supported.
    X : dask.array.Array of shape (n_samples, n_features), or dask.dataframe.DataFrame
        Rows. Chunks may be of unknown sizes, and may be SciPy CSR matrices.
    y : dask.array.Array of shape (n_samples,) or (n_samples, n_targets), str or list of str
        Targets, partitioned by rows as X is; for a data frame also the name of a column, or a
        list of names. It must be given.
    sample_weight : dask.array.Array of shape (n_samples,) or str, default=None
        Weights of the rows, at least 0, or the name of their column; None is 1 for each.
    fold : dask.array.Array of shape (n_samples,) or str, default=None
        The fold of each row, an integer from 0 up, or the name of its column; only for
        estimators that cross-validate. None gives `cv` folds (5 if that is None) of consecutive
        rows, as scikit-learn's KFold makes them, where all sizes of chunks are known; otherwise
        row i of partition j is in fold ``(i + j) % cv``.
    features : sequence of str, default=None
        Columns of a data frame to use; None is all that have no other role.
    offset : dask.array.Array or str, default=None
        For logistic regression and generalized linear models: known terms of the linear
        predictors, or the name of their column; None is 0 for each row.
    exposure : dask.array.Array of shape (n_samples,) or str, default=None
        For models with a log link: exposures above 0, whose logarithms are added to the offset, or
        the name of their column; None is 1 for each row.
    n_models : int, default=None
        For SGD: number of models that in each epoch take the steps of consecutive partitions,
        from the same weights, and are averaged by their rows; None is the number of threads of
        the cluster. The result depends on it and on `random_state`, not on which worker does
        what.

    Returns
    -------
    estimator
        The estimator, fitted.

    Raises
    ------
    ValueError
        If parts do not fit each other, or if an option is not supported.
    TypeError
        If X is not a Dask collection, or if the estimator is of another kind.

    See Also
    --------
    fastridge.dask.predict : Predicts lazily.

    Notes
    -----
    For a squared loss each partition becomes statistics on its worker, and these are merged in a
    tree. Newton's method begins on some rows of four partitions, and each of its passes adds the
    gradients and Hessians of all partitions in a tree. SGD averages local models in every epoch:
    McDonald, Hall and Mann, "Distributed training strategies for the structured perceptron", NAACL
    (2010).

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import fastridge.dask
    >>> from fastridge import Ridge
    >>> X = np.arange(20.0).reshape(10, 2) % 7
    >>> y = X @ [1.0, -1.0]
    >>> rows = da.from_array(X, chunks=(4, 2)), da.from_array(y, chunks=4)
    >>> fastridge.dask.fit(Ridge(alpha=1e-8), *rows).coef_.round(6)
    array([ 1., -1.])
    """
    is_sgd = isinstance(estimator, BaseSGD)
    is_newton = isinstance(estimator, (LogisticRegression, GeneralizedLinearModel))
    if not is_sgd and not is_newton and not hasattr(estimator, "fit_statistics"):
        raise TypeError(
            f"{type(estimator).__name__} has no fit_statistics: give one of Ridge, RidgeCV, "
            "ElasticNet, Lasso, ElasticNetCV, LassoCV, LogisticRegression, PoissonRegressor, "
            "GammaRegressor, TweedieRegressor, SGDRegressor, SGDClassifier."
        )
    if (is_sgd or is_newton) and fold is not None:
        raise ValueError("fold is supported only for estimators that cross-validate.")
    if not is_sgd and n_models is not None:
        raise ValueError("n_models is supported only for SGDRegressor and SGDClassifier.")
    if not is_newton and (offset is not None or exposure is not None):
        raise ValueError(
            "offset and exposure are supported only for LogisticRegression and generalized linear "
            "models."
        )
    parts, names, target_names = partitions(
        X, y, sample_weight, fold, features, offset=offset, exposure=exposure
    )
    if is_newton:
        return fit_newton(estimator, parts, names, begins_of(X))
    if is_sgd:
        return fit_sgd(estimator, parts, names, n_models)
    import dask

    chooses = hasattr(estimator, "cv")
    n_folds = None
    if chooses:
        n_folds = N_FOLDS if estimator.cv is None else estimator.cv
        if isinstance(n_folds, bool) or not hasattr(n_folds, "__index__") or n_folds < 2:
            raise ValueError(
                f"cv must be None or a number of folds from 2 up for Dask collections, got "
                f"{estimator.cv!r}: give the fold of each row instead."
            )
    design = DaskDesign(dask, parts, begins_of(X), n_folds, names, target_names)
    return estimator.fit_statistics(design.folds if chooses else design.folds[0])
