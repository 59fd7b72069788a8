"""scikit-learn's estimator checks of kernel models: all of them, none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastridge import KernelRidge


@parametrize_with_checks(
    [
        KernelRidge(),
        KernelRidge(kernel="rbf", gamma=0.1),
        KernelRidge(kernel="precomputed"),
        KernelRidge(kernel="chi2"),
        KernelRidge(kernel="laplacian", solver="eigh"),
    ]
)
@pytest.mark.filterwarnings("ignore:the kernel:UserWarning")
def test_estimator_check(estimator, check):
    check(estimator)
