"""The estimators, with scikit-learn's names, and the paths of their coefficients."""

import importlib

_PUBLIC = {
    "ElasticNet": "elastic_net",
    "ElasticNetCV": "elastic_net_cv",
    "ElasticNetPath": "path_results",
    "GLMInference": "glm_inference",
    "GLMPath": "path_results",
    "GLMSummary": "glm_summary",
    "GammaRegressor": "glm",
    "Lasso": "lasso",
    "LassoCV": "elastic_net_cv",
    "LikelihoodRatioTest": "glm_inference",
    "LogisticPath": "path_results",
    "LogisticRegression": "logistic",
    "LogisticRegressionCV": "logistic_cv",
    "PathCertificate": "path_results",
    "PoissonRegressor": "glm",
    "Ridge": "ridge",
    "RidgeCV": "ridge_cv",
    "RidgeClassifier": "ridge_classifier",
    "RidgeClassifierCV": "ridge_classifier_cv",
    "RidgeInference": "inference",
    "RidgePath": "path_results",
    "RidgeSummary": "summary",
    "SGDClassifier": "sgd_classifier",
    "SGDRegressor": "sgd_regressor",
    "SmoothPathCertificate": "path_results",
    "TweedieRegressor": "glm",
    "effective_dof": "path",
    "enet_path": "elastic_net_path",
    "glm_path": "smooth_path",
    "lasso_path": "elastic_net_path",
    "logistic_path": "smooth_path",
    "ridge_path": "path",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fastridge.linear_model' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fastridge.linear_model.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_PUBLIC))
