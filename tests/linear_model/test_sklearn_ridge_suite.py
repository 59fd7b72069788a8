"""scikit-learn's own tests of ridge, with fastridge's classes in place of theirs.

The module `sklearn/linear_model/tests/test_ridge.py` of the installed scikit-learn is read and run
as `sklearn_suites` says, and the list `SOLVERS` gains the solvers that only fastridge has.

Tests that come near no class (ridge_regression, private functions) are not run. Of the others, what
cannot pass is in EXCLUSIONS with its reason; an excluded test is run all the same, and must fail.
The xfails with the reason "Ridge does not provide the minimum norm solution" are calls in
scikit-learn's own tests.
"""

import ast

import pytest
from sklearn_suites import adopt_suite, names_in

from fastridge import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV

pytestmark = [
    # theirs is silent where conjugate gradients stop early, and so expects no warning
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # their own RidgeCV scores folds of one sample
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    # older ones fall back to 'eigen' without a word
    pytest.mark.filterwarnings("ignore:The 'svd' mode is not supported:FutureWarning"),
    # their RidgeClassifierCV is given classes of two members and three folds
    pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning"),
]

ADDED = ["eigh", "qr"]

EXCLUSIONS = {
    # `solver_` says what ran, which solves for these two exactly
    "test_ridge_regression[sag]": "wants solver_ to be the solver that was requested",
    "test_ridge_regression[saga]": "wants solver_ to be the solver that was requested",
    # one iteration is enough for the exact answer
    "test_lbfgs_solver_error": "wants one iteration not to be enough",
    "test_n_iter": "wants n_iter_ None of direct solvers; the estimator checks want at least 1",
    # what scikit-learn cannot do is done
    "test_ridge_fit_intercept_sparse_error[cholesky]": "wants that intercept refused",
    "test_ridge_fit_intercept_sparse_error[saga]": "wants that intercept refused",
    "test_ridge_fit_intercept_sparse_sag": "wants a warning that many iterations are needed",
    "test_ridge_cv_individual_penalties": "wants alpha_per_target with cv refused",
}
"""Tests that cannot pass (of one solver, where it stands in brackets), each with its reason."""

OF_OLDER_VERSIONS = {
    "test_ridge_cv_values_deprecated": "is of an attribute deprecated in 1.5, gone in 1.7",
    "test_ridge_store_cv_values_deprecated": "is of a parameter deprecated in 1.5, gone in 1.7",
}
"""The same, of tests that scikit-learn has dropped since."""


def add_solvers(tree):
    """Append what only fastridge has to the list `SOLVERS`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and names_in(node) & {"SOLVERS"}:
            node.value.elts += [ast.Constant(name) for name in ADDED]


SUITE, CONCERNED = adopt_suite(
    globals(),
    "sklearn.linear_model.tests.test_ridge",
    ["Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV"],
    set(),
    EXCLUSIONS | OF_OLDER_VERSIONS,
    add_solvers,
)
ols_ridge_dataset = SUITE.ols_ridge_dataset


def test_the_suite_runs_our_classes():
    assert SUITE.Ridge is Ridge
    assert SUITE.RidgeCV is RidgeCV
    assert SUITE.RidgeClassifier is RidgeClassifier
    assert SUITE.RidgeClassifierCV is RidgeClassifierCV
    assert len(CONCERNED) >= 40
    assert {name.partition("[")[0] for name in EXCLUSIONS} <= set(CONCERNED)
