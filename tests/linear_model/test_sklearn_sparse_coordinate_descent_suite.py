"""scikit-learn's own tests of coordinate descent on sparse X, with fastridge's in place of theirs.

The module `sklearn/linear_model/tests/test_sparse_coordinate_descent.py` of the installed
scikit-learn, read and run as `sklearn_suites` says.

What cannot pass is in EXCLUSIONS with its reason; it is run all the same, and must fail.
"""

from sklearn_suites import adopt_suite

import fastridge

OURS = ["ElasticNet", "Lasso", "ElasticNetCV", "LassoCV"]

EXCLUSIONS = {
    # a Newton step solves for four equal columns
    "test_sparse_enet_coordinate_descent": "wants two iterations not to be enough",
}
"""Tests that cannot pass, and why."""

SUITE, CONCERNED = adopt_suite(
    globals(),
    "sklearn.linear_model.tests.test_sparse_coordinate_descent",
    OURS,
    set(),
    EXCLUSIONS,
)


def test_the_suite_runs_our_classes():
    assert all(getattr(SUITE, name) is getattr(fastridge, name) for name in OURS)
    assert len(CONCERNED) >= 10
    assert set(EXCLUSIONS) <= set(CONCERNED)
