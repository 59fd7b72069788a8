"""L2-regularised linear models at the speed of the hardware.

The classes keep scikit-learn's names, parameters and attributes; what fastridge adds is
keyword-only. `GramStatistics` holds the sufficient statistics of a squared loss.
"""

import importlib

try:
    from fastridge._version import __version__
except ModuleNotFoundError as error:
    if error.name != "fastridge._version":
        raise
    raise ImportError(
        "fastridge is imported from its source folder, which holds no compiled kernels. "
        "Build and install it with `pip install .` in that folder, then start Python in "
        "another folder (or with `python -P`)."
    ) from None

_PUBLIC = {
    "ElasticNet": "fastridge.linear_model.elastic_net",
    "ElasticNetCV": "fastridge.linear_model.elastic_net_cv",
    "GammaRegressor": "fastridge.linear_model.glm",
    "GramStatistics": "fastridge.statistics.gram_statistics",
    "KernelRidge": "fastridge.kernel_ridge.kernel_ridge",
    "KernelRidgeCV": "fastridge.kernel_ridge.kernel_ridge_cv",
    "Lasso": "fastridge.linear_model.lasso",
    "LassoCV": "fastridge.linear_model.elastic_net_cv",
    "LinearSVC": "fastridge.linear_model.linear_svc",
    "LinearSVR": "fastridge.linear_model.linear_svr",
    "LogisticRegression": "fastridge.linear_model.logistic",
    "LogisticRegressionCV": "fastridge.linear_model.logistic_cv",
    "PoissonRegressor": "fastridge.linear_model.glm",
    "Ridge": "fastridge.linear_model.ridge",
    "RidgeCV": "fastridge.linear_model.ridge_cv",
    "RidgeClassifier": "fastridge.linear_model.ridge_classifier",
    "RidgeClassifierCV": "fastridge.linear_model.ridge_classifier_cv",
    "SGDClassifier": "fastridge.linear_model.sgd_classifier",
    "SGDRegressor": "fastridge.linear_model.sgd_regressor",
    "TweedieRegressor": "fastridge.linear_model.glm",
    "effective_dof": "fastridge.linear_model.path",
    "enet_path": "fastridge.linear_model.elastic_net_path",
    "glm_path": "fastridge.linear_model.smooth_path",
    "lasso_path": "fastridge.linear_model.elastic_net_path",
    "load": "fastridge.io.model_file",
    "logistic_path": "fastridge.linear_model.smooth_path",
    "ridge_path": "fastridge.linear_model.path",
    "save": "fastridge.io.model_file",
    "scan": "fastridge.data.scan",
    "show_config": "fastridge._config",
    "write_predictions": "fastridge.linear_model.predicted_files",
}

__all__ = ["__version__"] + list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fastridge' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_PUBLIC))
