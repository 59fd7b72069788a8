"""Results of path functions with named fields, which unpack as scikit-learn's tuples."""

from dataclasses import Field, dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np


class PathResult(tuple[Any, ...]):  # noqa: SLOT001  the data class keeps the fields
    """The tuple of what was requested of a path; a data class that also names it."""

    _order: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __new__(cls, *values: object, **named: object) -> Self:
        known = dict(zip(cls.__dataclass_fields__, values, strict=False)) | named
        return super().__new__(cls, [known[k] for k in cls._order if known.get(k) is not None])

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)


class PathCertificate(NamedTuple):
    """Gaps, iterations and statuses of an elastic-net path, one value for each alpha.

    Parameters
    ----------
    dual_gaps : ndarray of shape (n_alphas,)
        Most by which each objective is above its minimum.
    n_iters : ndarray of shape (n_alphas,)
        Number of iterations at each alpha.
    n_nonzeros : ndarray of shape (n_alphas,)
        Number of coefficients other than zero.
    statuses : ndarray of shape (n_alphas,)
        Each "converged", "not converged" or "no certificate".
    intercepts : ndarray of shape (n_alphas,)
        Intercepts; 0 with ``fit_intercept=False``.

    See Also
    --------
    fastridge.enet_path : Gives it with ``return_certificate=True``.

    Examples
    --------
    >>> from fastridge import lasso_path
    >>> X = [[1.0, 2.3], [2.0, 5.4], [3.1, 4.3]]
    >>> path = lasso_path(X, [1.0, 2.0, 3.1], alphas=[5.0, 1.0], return_certificate=True)
    >>> path.certificate.n_nonzeros, path.certificate.statuses
    (array([1, 1]), array(['converged', 'converged'], dtype='<U9'))
    """

    dual_gaps: np.ndarray
    n_iters: np.ndarray
    n_nonzeros: np.ndarray
    statuses: np.ndarray
    intercepts: np.ndarray


@dataclass(frozen=True, eq=False)
class ElasticNetPath(PathResult):
    """The elastic net at many alphas, as `fastridge.enet_path` and `fastridge.lasso_path` give it.

    It is the tuple that scikit-learn returns: `alphas`, `coefs`, `dual_gaps`, and those of
    `n_iters` and `certificate` that were requested.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Penalties, in decreasing order.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients at each alpha: float32 for float32 X, otherwise float64.
    dual_gaps : ndarray of shape (n_alphas,)
        Most by which each objective is above its minimum.
    n_iters : list of int, default=None
        Number of iterations at each alpha. Only with ``return_n_iter=True``, otherwise None.
    certificate : PathCertificate, default=None
        Gaps, iterations, statuses and intercepts. Only with ``return_certificate=True``, otherwise
        None.

    See Also
    --------
    fastridge.enet_path : Computes it.
    fastridge.lasso_path : Computes it for the lasso.

    Examples
    --------
    >>> from fastridge import lasso_path
    >>> X = [[1.0, 2.3], [2.0, 5.4], [3.1, 4.3]]
    >>> path = lasso_path(X, [1.0, 2.0, 3.1], alphas=[5.0, 1.0], return_n_iter=True)
    >>> path.alphas, len(path)
    (array([5., 1.]), 4)
    >>> alphas, coefs, dual_gaps, n_iters = path
    """

    _order = ("alphas", "coefs", "dual_gaps", "n_iters", "certificate")

    alphas: np.ndarray
    coefs: np.ndarray
    dual_gaps: np.ndarray
    n_iters: list[int] | None = None
    certificate: PathCertificate | None = None


@dataclass(frozen=True, eq=False)
class RidgePath(PathResult):
    """Ridge at many alphas, as `fastridge.ridge_path` returns it if more than `coefs` is requested.

    It is the tuple of `coefs` and those of `intercepts`, `dof`, `gcv` and `loo` that were
    requested, in this order.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Penalties, in the order given. They are no part of the tuple.
    coefs : ndarray of shape (n_alphas, n_features) or (n_alphas, n_targets, n_features)
        Coefficients at each alpha, in float64.
    intercepts : ndarray of shape (n_alphas,) or (n_alphas, n_targets), default=None
        Intercepts; 0 with ``fit_intercept=False``. Only with ``return_intercept=True``, otherwise
        None.
    dof : ndarray of shape (n_alphas,), default=None
        Effective degrees of freedom, the trace of the hat matrix, with one for the intercept.
        Only with ``return_dof=True``, otherwise None.
    gcv : ndarray of shape (n_alphas,) or (n_alphas, n_targets), default=None
        Generalised cross-validation, n RSS / (n - dof)^2; NaN where no degree of freedom is left.
        Only with ``return_gcv=True``, otherwise None.
    loo : ndarray of shape (n_alphas,) or (n_alphas, n_targets), default=None
        Mean over the rows of the squared leave-one-out errors, times their weights. Only with
        ``return_loo=True``, otherwise None.

    See Also
    --------
    fastridge.ridge_path : Computes it.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import ridge_path
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> path = ridge_path(X, [1.0, 2.0, 6.0, 7.0], [0.1, 10.0], return_gcv=True)
    >>> float(path.alphas[path.gcv.argmin()])
    0.1
    >>> coefs, gcv = path
    """

    _order = ("coefs", "intercepts", "dof", "gcv", "loo")

    alphas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray | None = None
    dof: np.ndarray | None = None
    gcv: np.ndarray | None = None
    loo: np.ndarray | None = None


class SmoothPathCertificate(NamedTuple):
    """Certificates of a path of logistic regression or of a generalized linear model.

    Parameters
    ----------
    gradient_norms : ndarray of shape (n_penalties,)
        Norms of the gradients, in the metric of the Hessian, relative to the roots of the
        objectives: `gradient_norm_` of the estimators.
    dual_gaps : ndarray of shape (n_penalties,)
        Most by which each objective is above its minimum; NaN with an L1 or without an L2 penalty.
    n_iters : ndarray of shape (n_penalties,)
        Number of Newton steps of each fit.
    statuses : ndarray of shape (n_penalties,)
        Each "converged", "not converged" or "separated", where there is no minimum.

    See Also
    --------
    fastridge.logistic_path, fastridge.glm_path : Give it.

    Examples
    --------
    >>> from fastridge import glm_path
    >>> X = [[1, 2], [2, 3], [3, 4], [4, 3]]
    >>> path = glm_path(X, [12, 17, 22, 21], alphas=[1.0, 0.1])
    >>> path.certificate.statuses
    array(['converged', 'converged'], dtype='<U9')
    """

    gradient_norms: np.ndarray
    dual_gaps: np.ndarray
    n_iters: np.ndarray
    statuses: np.ndarray


@dataclass(frozen=True, eq=False)
class LogisticPath(PathResult):
    """Logistic regression at many Cs, as `fastridge.logistic_path` gives it.

    It is the tuple of `coefs`, `Cs` and `n_iters`, as in scikit-learn.

    Parameters
    ----------
    coefs : ndarray of shape (n_cs, n_features + 1) or (n_cs, n_classes, n_features + 1)
        Coefficients at each C, in float64, and the intercepts as the last column; without that
        column with ``fit_intercept=False``.
    Cs : ndarray of shape (n_cs,)
        Inverses of the strength of the penalty, in the order given.
    n_iters : ndarray of shape (n_cs,)
        Number of Newton steps of each fit.
    classes : ndarray of shape (n_classes,), default=None
        Labels of the classes, in increasing order. They are no part of the tuple.
    certificate : SmoothPathCertificate, default=None
        Gradient norms, gaps, iterations and statuses. It is no part of the tuple.

    See Also
    --------
    fastridge.logistic_path : Computes it.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import logistic_path
    >>> X = np.array([[-1.0, 0.5], [0.5, -1.0], [1.0, 0.0], [-0.5, 0.0], [2.0, 1.0]])
    >>> path = logistic_path(X, ["no", "no", "yes", "no", "yes"], Cs=[0.1, 1.0, 10.0])
    >>> path.coefs.shape, path.Cs, path.classes
    ((3, 3), array([ 0.1,  1. , 10. ]), array(['no', 'yes'], dtype='<U3'))
    >>> coefs, Cs, n_iters = path
    """

    _order = ("coefs", "Cs", "n_iters")

    coefs: np.ndarray
    Cs: np.ndarray
    n_iters: np.ndarray
    classes: np.ndarray | None = None
    certificate: SmoothPathCertificate | None = None


@dataclass(frozen=True, eq=False)
class GLMPath(PathResult):
    """A generalized linear model at many alphas, as `fastridge.glm_path` gives it.

    It is the tuple of `alphas`, `coefs`, `intercepts` and `n_iters`.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths of the penalty, in the order given.
    coefs : ndarray of shape (n_alphas, n_features)
        Coefficients at each alpha, in float64.
    intercepts : ndarray of shape (n_alphas,)
        Intercepts; 0 with ``fit_intercept=False``.
    n_iters : ndarray of shape (n_alphas,)
        Number of Newton steps of each fit.
    certificate : SmoothPathCertificate, default=None
        Gradient norms, gaps, iterations and statuses. It is no part of the tuple.

    See Also
    --------
    fastridge.glm_path : Computes it.

    Examples
    --------
    >>> from fastridge import glm_path
    >>> X = [[1, 2], [2, 3], [3, 4], [4, 3]]
    >>> path = glm_path(X, [12, 17, 22, 21], alphas=[1.0, 0.1])
    >>> path.coefs.shape, path.intercepts.round(3)
    ((2, 2), array([2.089, 2.035]))
    >>> alphas, coefs, intercepts, n_iters = path
    """

    _order = ("alphas", "coefs", "intercepts", "n_iters")

    alphas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    n_iters: np.ndarray
    certificate: SmoothPathCertificate | None = None
