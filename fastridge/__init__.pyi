from fastridge._config import show_config as show_config
from fastridge._version import __version__ as __version__
from fastridge.data.scan import scan as scan
from fastridge.io.model_file import load as load
from fastridge.io.model_file import save as save
from fastridge.kernel_ridge.kernel_ridge import KernelRidge as KernelRidge
from fastridge.kernel_ridge.kernel_ridge_cv import KernelRidgeCV as KernelRidgeCV
from fastridge.linear_model.elastic_net import ElasticNet as ElasticNet
from fastridge.linear_model.elastic_net_cv import ElasticNetCV as ElasticNetCV
from fastridge.linear_model.elastic_net_cv import LassoCV as LassoCV
from fastridge.linear_model.elastic_net_path import enet_path as enet_path
from fastridge.linear_model.elastic_net_path import lasso_path as lasso_path
from fastridge.linear_model.glm import GammaRegressor as GammaRegressor
from fastridge.linear_model.glm import PoissonRegressor as PoissonRegressor
from fastridge.linear_model.glm import TweedieRegressor as TweedieRegressor
from fastridge.linear_model.lasso import Lasso as Lasso
from fastridge.linear_model.linear_svc import LinearSVC as LinearSVC
from fastridge.linear_model.linear_svr import LinearSVR as LinearSVR
from fastridge.linear_model.logistic import LogisticRegression as LogisticRegression
from fastridge.linear_model.logistic_cv import LogisticRegressionCV as LogisticRegressionCV
from fastridge.linear_model.path import effective_dof as effective_dof
from fastridge.linear_model.path import ridge_path as ridge_path
from fastridge.linear_model.predicted_files import write_predictions as write_predictions
from fastridge.linear_model.ridge import Ridge as Ridge
from fastridge.linear_model.ridge_classifier import RidgeClassifier as RidgeClassifier
from fastridge.linear_model.ridge_classifier_cv import RidgeClassifierCV as RidgeClassifierCV
from fastridge.linear_model.ridge_cv import RidgeCV as RidgeCV
from fastridge.linear_model.sgd_classifier import SGDClassifier as SGDClassifier
from fastridge.linear_model.sgd_regressor import SGDRegressor as SGDRegressor
from fastridge.linear_model.smooth_path import glm_path as glm_path
from fastridge.linear_model.smooth_path import logistic_path as logistic_path
from fastridge.statistics.gram_statistics import GramStatistics as GramStatistics

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "GramStatistics",
    "KernelRidge",
    "KernelRidgeCV",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
    "__version__",
    "effective_dof",
    "enet_path",
    "glm_path",
    "lasso_path",
    "load",
    "logistic_path",
    "ridge_path",
    "save",
    "scan",
    "show_config",
    "write_predictions",
]
