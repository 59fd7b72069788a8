"""scikit-learn's own tests of coordinate descent, with fastridge's in place of theirs.

The module `sklearn/linear_model/tests/test_coordinate_descent.py` of the installed scikit-learn,
read and run as `sklearn_suites` says, with our ElasticNet, Lasso, ElasticNetCV, LassoCV, enet_path
and lasso_path. The MultiTask classes stay theirs, and are left out of parametrised lists.

What cannot pass is in EXCLUSIONS with its reason; it is run all the same, and must fail.
"""

import pytest
import sklearn
from sklearn.utils.fixes import parse_version
from sklearn_suites import adopt_suite

import fastridge

OURS = ["ElasticNet", "Lasso", "ElasticNetCV", "LassoCV", "enet_path", "lasso_path"]
# their MultiTask classes warn of their own defaults in some versions
pytestmark = pytest.mark.filterwarnings("ignore:.*alphas:FutureWarning")

MULTI_TASK = {
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
}

EXCLUSIONS = {
    # a defect or an internal of theirs
    "test_check_input_false": "wants X in C order refused with check_input=False",
    "test_enet_copy_X_False_check_input_False": "wants X overwritten; it is never written to",
    "test_lassoCV_does_not_set_precompute": "replaces a class inside their module",
    "test_lasso_alpha_warning": "wants advice against alpha=0, which is solved exactly here",
    # digits that the tolerance leaves open
    "test_lasso_dual_gap": "compares two gaps that are rounding",
    "test_1d_multioutput_enet_and_multitask_enet_cv": "wants 7 digits of theirs at tol=1e-4",
    "test_1d_multioutput_lasso_and_multitask_lasso_cv": "wants 7 digits of theirs at tol=1e-4",
}
"""Tests that cannot pass (with a parameter's value, where it stands in brackets), and why."""

OF_SOME_VERSIONS = {
    "test_linear_model_cv_deprecated_alphas_none": "wants warnings of what older versions offer",
    "test_linear_model_cv_deprecated_n_alphas": "wants warnings of what older versions offer",
    "test_linear_model_cv_alphas_n_alphas_unset": "calls a private method",
    "test_linear_model_cv_alphas": "calls a private method",
    "test_enet_coordinate_descent": "wants one iteration not to be enough",
    "test_enet_coordinate_descent_raises_convergence": "wants one iteration not to be enough",
}
"""The same, of tests that not every version of scikit-learn has."""

_version = parse_version(sklearn.__version__)
if _version < parse_version("1.9"):
    OF_SOME_VERSIONS |= {
        "test_enet_l1_ratio": "wants a warning where l1_ratio=0, which is ridge here",
        "test_sparse_input_convergence_warning": "wants one iteration not to be enough",
        "test_warm_start_convergence": "wants an iteration even if the start has converged",
    }
if parse_version("1.7") <= _version < parse_version("1.8"):
    OF_SOME_VERSIONS["test_path_parameters"] = "reads a private attribute"

SUITE, CONCERNED = adopt_suite(
    globals(),
    "sklearn.linear_model.tests.test_coordinate_descent",
    OURS,
    MULTI_TASK,
    EXCLUSIONS | OF_SOME_VERSIONS,
)


def test_the_suite_runs_our_classes():
    assert all(getattr(SUITE, name) is getattr(fastridge, name) for name in OURS)
    assert len(CONCERNED) >= 40
    assert {name.partition("[")[0] for name in EXCLUSIONS} <= set(CONCERNED)
