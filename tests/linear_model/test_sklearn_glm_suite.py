"""scikit-learn's own tests of generalized linear models, with fastridge's in place of theirs.

The module `sklearn/linear_model/_glm/tests/test_glm.py` of the installed scikit-learn, read and run
as `sklearn_suites` says. Some of its tests ask models for their private loss, from which they make
data: ours are given that of theirs for the time of the tests. What cannot pass is in EXCLUSIONS
with its reason; it is run all the same, and must fail.
"""

import pytest
import sklearn.linear_model as theirs
from sklearn_suites import adopt_suite

from fastridge import GammaRegressor, PoissonRegressor, TweedieRegressor

OURS = {kind.__name__: kind for kind in (GammaRegressor, PoissonRegressor, TweedieRegressor)}

EXCLUSIONS = {
    "test_linalg_warning_with_newton_solver": "wants a warning that X is singular",
}
"""Tests that cannot pass, and why."""

SUITE, CONCERNED = adopt_suite(
    globals(),
    "sklearn.linear_model._glm.tests.test_glm",
    list(OURS),
    set(),
    EXCLUSIONS,
)
glm_dataset, regression_data = SUITE.glm_dataset, SUITE.regression_data


@pytest.fixture(autouse=True, scope="module")
def losses_of_theirs():
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in OURS.items():
            loss = getattr(theirs, name)._get_loss
            patch.setattr(kind, "_get_loss", loss, raising=False)
            patch.setattr(kind, "_base_loss", property(loss), raising=False)
        yield


def test_the_suite_runs_our_classes():
    for name, kind in OURS.items():
        assert getattr(SUITE, name) is kind
    assert len(CONCERNED) >= 10
    assert {name.partition("[")[0] for name in EXCLUSIONS} <= set(CONCERNED)
