"""scikit-learn's own tests of Ridge and RidgeCV, with fastridge's classes in place of theirs.

The module `sklearn/linear_model/tests/test_ridge.py` of the installed scikit-learn is read and run
as `sklearn_suites` says. In lists of solver names those that fastridge refuses are left out
(`test_refused_solvers` below holds that they are refused), and the list `SOLVERS` gains those that
only fastridge has.

Tests that come near neither class (RidgeClassifier, ridge_regression, private functions) are not
run. Of the others, what cannot pass is in EXCLUSIONS with its reason; an excluded test is run all
the same, and must fail. The xfails with the reason "Ridge does not provide the minimum norm
solution" are calls in scikit-learn's own tests.
"""

import ast

import numpy as np
import pytest
from sklearn_suites import expect_failure, load_suite, names_in, with_lists

from fastridge import Ridge, RidgeCV

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

REFUSED = {"sag", "saga", "lbfgs"}
ADDED = ["eigh", "qr"]

EXCLUSIONS = {
    "test_lbfgs_solver_error": "is of solver='lbfgs', which is refused",
    "test_ridge_fit_intercept_sparse_sag": "is of solver='sag', which is refused",
    "test_ridge_sag_with_X_fortran": "is of solver='sag', which is refused",
    "test_ridgeclassifier_multilabel": "fits Ridge(solver='sag') at its end",
    "test_n_iter": "wants n_iter_ None of direct solvers; the estimator checks want at least 1",
    "test_ridge_fit_intercept_sparse_error[cholesky]": "fastridge fits that intercept",
    "test_ridge_cv_individual_penalties": "wants alpha_per_target with cv refused; we offer it",
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


SUITE, CONCERNED = load_suite(
    "sklearn.linear_model.tests.test_ridge", ["Ridge", "RidgeCV"], REFUSED, add_solvers
)
for _name in CONCERNED:
    globals()[_name] = with_lists(vars(SUITE)[_name])
ols_ridge_dataset = SUITE.ols_ridge_dataset


@pytest.fixture(params=[42])
def global_random_seed(request):
    """scikit-learn's fixture of this name, at its default."""
    return request.param


@pytest.fixture(autouse=True)
def excluded_tests_must_fail(request):
    expect_failure(request, EXCLUSIONS | OF_OLDER_VERSIONS)


def test_the_suite_runs_our_classes():
    assert SUITE.Ridge is Ridge
    assert SUITE.RidgeCV is RidgeCV
    assert len(CONCERNED) >= 40
    assert {name.partition("[")[0] for name in EXCLUSIONS} <= set(CONCERNED)


@pytest.mark.parametrize("solver", sorted(REFUSED))
@pytest.mark.parametrize("positive", [False, True])
def test_refused_solvers(solver, positive):
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    with pytest.raises(ValueError, match=solver) as error:
        Ridge(solver=solver, positive=positive).fit(X, y)
    assert "lsqr" in str(error.value)
