"""What logistic regression, generalized linear models and their paths have in common."""

import inspect

import numpy as np
import pytest

import fastridge as fr

PARAMETERS = {"penalty_factors", "bounds", "standardize", "alpha_scale", "n_threads"}
ATTRIBUTES = ("n_iter_", "gradient_norm_", "dual_gap_", "solver_", "rcond_", "status_")
CV = {"l1_ratios": (0.0,), "use_legacy_attributes": False, "scoring": "neg_log_loss", "cv": 3}
MODELS = {
    "LogisticRegression": {},
    "LogisticRegressionCV": CV,
    "PoissonRegressor": {},
    "GammaRegressor": {},
    "TweedieRegressor": {"power": 1.5},
}


def keywords_of(function):
    parameters = inspect.signature(function).parameters.values()
    return {one.name for one in parameters if one.kind == one.KEYWORD_ONLY}


@pytest.mark.parametrize("name", MODELS)
def test_smooth_model_takes_the_keywords_and_has_the_attributes_of_all(name):
    kind = getattr(fr, name)
    assert keywords_of(kind) >= PARAMETERS
    exposed = not name.startswith("Logistic")
    chooses = name.endswith("CV")
    assert ("exposure" in keywords_of(kind.fit)) == exposed
    assert keywords_of(kind.fit) >= ({"groups", "X_val", "y_val"} if chooses else {"checkpoint"})
    assert "offset" in keywords_of(kind.fit)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = rng.poisson(np.exp(0.3 * X[:, 0])) + 1.0
    y = (y > 1.0) if name.startswith("Logistic") else y
    for bounds in (None, (0.0, 0.5)):
        model = kind(bounds=bounds, **MODELS[name]).fit(X, y, offset=0.1 * X[:, 1])
        assert set(ATTRIBUTES) <= vars(model).keys()
        assert model.status_ == "converged"
        assert model.gradient_norm_ <= 1e-5
        assert 0.0 <= model.dual_gap_ <= 1e-6
        assert (model.rcond_ is None) == (bounds is not None)


@pytest.mark.parametrize("path", [fr.logistic_path, fr.glm_path])
def test_smooth_path_takes_the_keywords_of_all(path):
    assert keywords_of(path) >= PARAMETERS | {"offset", "l1_ratio", "tol", "max_iter"}
    assert ("exposure" in keywords_of(path)) == (path is fr.glm_path)
