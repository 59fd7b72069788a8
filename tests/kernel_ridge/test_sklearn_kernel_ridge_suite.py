"""scikit-learn's own tests of KernelRidge, with fastridge's class in place of theirs."""

from sklearn_suites import adopt_suite

from fastridge import KernelRidge

SUITE, CONCERNED = adopt_suite(
    globals(), "sklearn.tests.test_kernel_ridge", ["KernelRidge"], set(), {}
)


def test_the_suite_runs_our_class():
    assert SUITE.KernelRidge is KernelRidge
    assert len(CONCERNED) >= 6
