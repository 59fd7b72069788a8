"""scikit-learn's own tests of coordinate descent on sparse X, with fastridge's in place of theirs.

The module `sklearn/linear_model/tests/test_sparse_coordinate_descent.py` of the installed
scikit-learn, read and run as `sklearn_suites` says.

What cannot pass is in EXCLUSIONS with its reason; it is run all the same, and must fail.
"""

import pytest
from sklearn_suites import expect_failure, load_suite, with_lists

import fastridge

OURS = ["ElasticNet", "Lasso", "ElasticNetCV", "LassoCV"]

EXCLUSIONS = {
    # a Newton step solves for four equal columns
    "test_sparse_enet_coordinate_descent": "wants two iterations not to be enough",
}
"""Tests that cannot pass, and why."""

SUITE, CONCERNED = load_suite(
    "sklearn.linear_model.tests.test_sparse_coordinate_descent", OURS, set()
)
for _name in CONCERNED:
    globals()[_name] = with_lists(vars(SUITE)[_name])


@pytest.fixture(params=[42])
def global_random_seed(request):
    """scikit-learn's fixture of this name, at its default."""
    return request.param


@pytest.fixture(autouse=True)
def excluded_tests_must_fail(request):
    expect_failure(request, EXCLUSIONS)


def test_the_suite_runs_our_classes():
    assert all(getattr(SUITE, name) is getattr(fastridge, name) for name in OURS)
    assert len(CONCERNED) >= 10
    assert set(EXCLUSIONS) <= set(CONCERNED)
