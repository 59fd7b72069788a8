"""scikit-learn's own tests of logistic regression, with fastridge's class in place of theirs.

The module `sklearn/linear_model/tests/test_logistic.py` of the installed scikit-learn, read and run
as `sklearn_suites` says, with our LogisticRegression and LogisticRegressionCV. What
cannot pass is in EXCLUSIONS with its reason; it is run all the same, and must fail.
"""

import ast

import pytest
from sklearn_suites import adopt_suite

from fastridge import LogisticRegression, LogisticRegressionCV

# marks of their module
pytestmark = [
    pytest.mark.filterwarnings("ignore:The default value for l1_ratios.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*use_legacy_attributes.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The default value.*scoring.*:FutureWarning"),
    # which are no errors there
    pytest.mark.filterwarnings("ignore:Inconsistent values:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

EXCLUSIONS = {
    # private functions
    "test_logistic_cv_multinomial_score": "gives our parameters to a private function",
    # what their solvers cannot do is done
    "test_large_sparse_matrix[liblinear]": "wants 64-bit indices refused",
    "test_large_sparse_matrix[sag]": "wants 64-bit indices refused",
    "test_large_sparse_matrix[saga]": "wants 64-bit indices refused",
    "test_liblinear_with_large_values": "wants values above 1e30 refused",
    "test_liblinear_dual_random_state": "wants different answers of different seeds",
    "test_newton_cholesky_fallback_to_lbfgs": "wants the warning of a failed Cholesky",
    # hooks of callbacks are not called
    "test_logistic_regression_callback_support": "wants set_callbacks",
    "test_logistic_regression_callback_fitted_estimator": "wants set_callbacks",
    "test_logistic_regression_callback_support_warning": "wants set_callbacks",
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
    "sklearn.linear_model.tests.test_logistic",
    ["LogisticRegression", "LogisticRegressionCV"],
    set(),
    EXCLUSIONS,
    WithoutMarks().visit,
)


def test_the_suite_runs_our_class():
    assert SUITE.LogisticRegression is LogisticRegression
    assert SUITE.LogisticRegressionCV is LogisticRegressionCV
    assert len(CONCERNED) >= 40
    assert {name.partition("[")[0] for name in EXCLUSIONS} <= set(CONCERNED)
