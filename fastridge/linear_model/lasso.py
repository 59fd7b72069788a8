"""The lasso: an elastic net without an L2 penalty."""

from typing import Any, ClassVar, Literal, Self

from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import Bounds, RandomState
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import LASSO, Constraints
from fastridge.linear_model.elastic_net import ElasticNet
from fastridge.linear_model.options import store_parameters


@documented(texts.ELASTIC_NET)
class Lasso(ElasticNet):
    """Linear regression with an L1 penalty, as `sklearn.linear_model.Lasso`.

    Minimises ``||y - Xw - b||^2 / (2 n) + alpha |w|_1`` (with weights, the weighted mean of squares
    in place of ``||.||^2 / n``) and says how near it came: the objective is at most `dual_gap_`
    above its minimum. It is `fastridge.ElasticNet` with ``l1_ratio=1``.

    Parameters
    ----------
    alpha, fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state,
    selection, penalty_factors, bounds, standardize, n_threads

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, status_, solver_, n_features_in_,
    feature_names_in_, encoding_, statistics_

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
        store_parameters(self, {"l1_ratio": 1.0, **locals()})

    @classmethod
    def _from_alpha(cls, alpha: float, l1_ratio: float, params: dict[str, Any]) -> Self:
        if alpha > 0.0 and l1_ratio != 1.0:
            raise ValueError("l2 must be 0 for Lasso: use ElasticNet.from_lambdas.")
        return cls(alpha, **params)
