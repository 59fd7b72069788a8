"""scikit-learn's own tests of Ridge and RidgeCV, with fastridge's classes in place of theirs.

The module `sklearn/linear_model/tests/test_ridge.py` of the installed scikit-learn is read, and
before it is run its syntax tree is changed in two places:

- after its imports stands `from fastridge import Ridge, RidgeCV`;
- in lists of solver names those that fastridge refuses are left out (`test_refused_solvers` below
  holds that they are refused), and the list `SOLVERS` gains those that only fastridge has.

Tests that come near neither (RidgeClassifier, ridge_regression, private functions) are not run:
whether one does is read off its syntax tree. Of the others, what cannot pass is in
EXCLUSIONS with its reason; an excluded test is run all the same, and must fail. The xfails with the
reason "Ridge does not provide the minimum norm solution" are calls in scikit-learn's own tests.
"""

import ast
import importlib.util
import sys
import types

import numpy as np
import pytest

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


def names_in(node):
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} | {
        child.arg for child in ast.walk(node) if isinstance(child, ast.arg)
    }


def functions_that_use(tree, target):
    """Names of the module's functions that refer to `target`, themselves or through another."""
    uses = {node.name: names_in(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = {name for name, used in uses.items() if target in used}
    while True:
        more = {name for name, used in uses.items() if used & found} | found
        if more == found:
            return found
        found = more


class OfferedSolvers(ast.NodeTransformer):
    """Leave the refused names out of every literal collection of solver names."""

    def visit_collection(self, node):
        self.generic_visit(node)
        node.elts = [
            element
            for element in node.elts
            if not (isinstance(element, ast.Constant) and element.value in REFUSED)
        ]
        return node

    visit_List = visit_Tuple = visit_Set = visit_collection

    def visit_Assign(self, node):
        self.generic_visit(node)
        if any(isinstance(target, ast.Name) and target.id == "SOLVERS" for target in node.targets):
            node.value.elts += [ast.Constant(name) for name in ADDED]
        return node


def load_suite():
    """The changed module, and the names of its tests that concern Ridge."""
    spec = importlib.util.find_spec("sklearn.linear_model.tests.test_ridge")
    if spec is None:
        pytest.skip("scikit-learn is installed without its tests", allow_module_level=True)
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    concerned = sorted(
        name
        for name in functions_that_use(tree, "Ridge") | functions_that_use(tree, "RidgeCV")
        if name.startswith("test_")
    )
    tree = OfferedSolvers().visit(tree)
    last_import = max(
        position
        for position, node in enumerate(tree.body)
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    tree.body[last_import + 1 : last_import + 1] = ast.parse(
        "from fastridge import Ridge, RidgeCV"
    ).body
    suite = types.ModuleType("sklearn_ridge_suite")
    suite.__file__ = spec.origin
    sys.modules[suite.__name__] = suite
    exec(compile(ast.fix_missing_locations(tree), spec.origin, "exec"), vars(suite))
    return suite, concerned


def with_lists(function):
    """Parametrised values that are generators become lists: pytest deprecates the former."""
    function.pytestmark = [
        pytest.mark.parametrize(mark.args[0], list(mark.args[1]), **mark.kwargs).mark
        if mark.name == "parametrize"
        else mark
        for mark in getattr(function, "pytestmark", [])
    ]
    return function


SUITE, CONCERNED = load_suite()
for _name in CONCERNED:
    globals()[_name] = with_lists(vars(SUITE)[_name])
ols_ridge_dataset = SUITE.ols_ridge_dataset


@pytest.fixture(params=[42])
def global_random_seed(request):
    """scikit-learn's fixture of this name, at its default."""
    return request.param


@pytest.fixture(autouse=True)
def excluded_tests_must_fail(request):
    name = request.function.__name__
    params = getattr(request.node, "callspec", None)
    solver = params.params.get("solver") if params else None
    excluded = EXCLUSIONS | OF_OLDER_VERSIONS
    reason = excluded.get(name) or excluded.get(f"{name}[{solver}]")
    if reason:
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


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
