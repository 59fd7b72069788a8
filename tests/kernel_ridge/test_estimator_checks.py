"""scikit-learn's estimator checks of kernel models: all of them, none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastridge import KernelRidge, KernelRidgeCV


@parametrize_with_checks(
    [
        KernelRidge(),
        KernelRidge(kernel="rbf", gamma=0.1),
        KernelRidge(kernel="precomputed"),
        KernelRidge(kernel="chi2"),
        KernelRidge(kernel="laplacian", solver="eigh"),
        KernelRidge(kernel="rbf", solver="nystrom", tol=1e-8),
        KernelRidge(kernel="rbf", solver="pcg", tol=1e-12),
        KernelRidgeCV(kernel="rbf", gamma=[0.01, 1.0], alpha_per_target=True),
        KernelRidgeCV([0.1, 1.0], cv=3),
    ]
)
@pytest.mark.filterwarnings("ignore:the kernel:UserWarning")
@pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning")
def test_estimator_check(estimator, check):
    check(estimator)
