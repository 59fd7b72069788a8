"""scikit-learn's own tests of linear support vector machines, with our classes in place of theirs.

The module `sklearn/svm/tests/test_svm.py` of the installed scikit-learn, read and run as
`sklearn_suites` says. What cannot pass is in EXCLUSIONS with its reason; it is run all the same,
and must fail.
"""

import ast

import pytest
from sklearn_suites import adopt_suite

from fastridge import LinearSVC, LinearSVR

# which are no errors there
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EXCLUSIONS = {
    "test_linear_svm_convergence_warnings": "wants two iterations not to be enough",
}
"""Tests that cannot pass, and why."""


class WithoutMarks(ast.NodeTransformer):
    """Leave out a mark that only their own configuration knows."""

    def visit_FunctionDef(self, node):
        node.decorator_list = [
            decorator
            for decorator in node.decorator_list
            if "thread_unsafe" not in ast.unparse(decorator)
        ]
        return node


SUITE, CONCERNED = adopt_suite(
    globals(),
    "sklearn.svm.tests.test_svm",
    ["LinearSVC", "LinearSVR"],
    set(),
    EXCLUSIONS,
    WithoutMarks().visit,
    "svm",
)


def test_the_suite_runs_our_classes():
    assert SUITE.LinearSVC is LinearSVC
    assert SUITE.LinearSVR is LinearSVR
    assert len(CONCERNED) >= 19
