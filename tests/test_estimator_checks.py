"""scikit-learn's estimator checks: all of them, none expected to fail."""

import pytest
import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from fastridge import Ridge, RidgeCV

SOLVERS = ["auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"]
if parse_version(sklearn.__version__) < parse_version("1.7"):
    SOLVERS.remove("svd")  # their check of weights with sparse data does not ask for the sparse tag


@parametrize_with_checks(
    [
        *(Ridge(solver=solver) for solver in SOLVERS),
        Ridge(positive=True),
        Ridge(standardize=True),
        Ridge(alpha_scale="mean"),
        Ridge(alpha=0.0),
        Ridge(fit_intercept=False),
        Ridge(solver="gd", nesterov=False),
        RidgeCV(),
        RidgeCV(alphas="auto"),
        RidgeCV(cv=3),
        RidgeCV(cv=3, selection="1se", alpha_per_target=True),
        RidgeCV(method="kfold", scoring="neg_mean_absolute_error"),
        RidgeCV(gcv_mode="svd", alpha_per_target=True),
        RidgeCV(standardize=True),
    ]
)
@pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning")
@pytest.mark.filterwarnings("ignore:The 'svd' mode is not supported:FutureWarning")
def test_estimator_check(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [RidgeCV(method=method) for method in ("gcv", "em", "marginal_likelihood")]
)
@pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning")
def test_estimator_check_of_criteria(estimator, check):
    # weights are precisions there and no counts of rows; and the check gives folds as `cv`
    if "check_sample_weight_equivalence" in repr(check):
        with pytest.raises(ValueError, match="makes no splits"):
            check(estimator)
    else:
        check(estimator)
