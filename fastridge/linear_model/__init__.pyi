from fastridge.linear_model.elastic_net import ElasticNet as ElasticNet
from fastridge.linear_model.elastic_net_cv import ElasticNetCV as ElasticNetCV
from fastridge.linear_model.elastic_net_cv import LassoCV as LassoCV
from fastridge.linear_model.elastic_net_path import enet_path as enet_path
from fastridge.linear_model.elastic_net_path import lasso_path as lasso_path
from fastridge.linear_model.glm import GammaRegressor as GammaRegressor
from fastridge.linear_model.glm import PoissonRegressor as PoissonRegressor
from fastridge.linear_model.glm import TweedieRegressor as TweedieRegressor
from fastridge.linear_model.glm_inference import GLMInference as GLMInference
from fastridge.linear_model.glm_inference import LikelihoodRatioTest as LikelihoodRatioTest
from fastridge.linear_model.glm_summary import GLMSummary as GLMSummary
from fastridge.linear_model.inference import RidgeInference as RidgeInference
from fastridge.linear_model.lasso import Lasso as Lasso
from fastridge.linear_model.logistic import LogisticRegression as LogisticRegression
from fastridge.linear_model.logistic_cv import LogisticRegressionCV as LogisticRegressionCV
from fastridge.linear_model.path import effective_dof as effective_dof
from fastridge.linear_model.path import ridge_path as ridge_path
from fastridge.linear_model.path_results import ElasticNetPath as ElasticNetPath
from fastridge.linear_model.path_results import GLMPath as GLMPath
from fastridge.linear_model.path_results import LogisticPath as LogisticPath
from fastridge.linear_model.path_results import PathCertificate as PathCertificate
from fastridge.linear_model.path_results import RidgePath as RidgePath
from fastridge.linear_model.path_results import SmoothPathCertificate as SmoothPathCertificate
from fastridge.linear_model.ridge import Ridge as Ridge
from fastridge.linear_model.ridge_classifier import RidgeClassifier as RidgeClassifier
from fastridge.linear_model.ridge_classifier_cv import RidgeClassifierCV as RidgeClassifierCV
from fastridge.linear_model.ridge_cv import RidgeCV as RidgeCV
from fastridge.linear_model.sgd_classifier import SGDClassifier as SGDClassifier
from fastridge.linear_model.sgd_regressor import SGDRegressor as SGDRegressor
from fastridge.linear_model.smooth_path import glm_path as glm_path
from fastridge.linear_model.smooth_path import logistic_path as logistic_path
from fastridge.linear_model.summary import RidgeSummary as RidgeSummary

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "ElasticNetPath",
    "GLMInference",
    "GLMPath",
    "GLMSummary",
    "GammaRegressor",
    "Lasso",
    "LassoCV",
    "LikelihoodRatioTest",
    "LogisticPath",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PathCertificate",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "RidgeInference",
    "RidgePath",
    "RidgeSummary",
    "SGDClassifier",
    "SGDRegressor",
    "SmoothPathCertificate",
    "TweedieRegressor",
    "effective_dof",
    "enet_path",
    "glm_path",
    "lasso_path",
    "logistic_path",
    "ridge_path",
]
