"""scikit-learn's estimator checks: all of them, none expected to fail."""

import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from fastridge import Ridge

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
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)
