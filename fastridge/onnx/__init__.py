"""Conversion to ONNX with sklearn-onnx."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import scipy.sparse as sp

from fastridge.linear_model.elastic_net import ElasticNet
from fastridge.linear_model.elastic_net_cv import ElasticNetCV, LassoCV
from fastridge.linear_model.lasso import Lasso
from fastridge.linear_model.logistic import LogisticRegression
from fastridge.linear_model.logistic_cv import LogisticRegressionCV
from fastridge.linear_model.ridge import Ridge
from fastridge.linear_model.ridge_cv import RidgeCV
from fastridge.linear_model.sgd_classifier import SGDClassifier
from fastridge.linear_model.sgd_regressor import SGDRegressor

if TYPE_CHECKING:
    from skl2onnx.common._container import ModelComponentContainer
    from skl2onnx.common._topology import Operator, Scope

__all__ = ["register_converters"]

_REGRESSORS = (Ridge, RidgeCV, ElasticNet, ElasticNetCV, Lasso, LassoCV, SGDRegressor)


def register_converters() -> None:
    """Let sklearn-onnx convert fastridge's estimators, alone and within pipelines.

    This needs the packages of ``pip install "fastridge-solvers[onnx]"``. A second call has no
    effect. Generalized linear models are not converted. Classifiers have the options of
    scikit-learn's: ``zipmap``, ``output_class_labels``, ``raw_scores`` and ``nocl``. With more than
    two classes sklearn-onnx predicts the label of the largest probability, and for "modified_huber"
    there may be ties.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    fastridge.save : Writes a model to a file of fastridge's own.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import Ridge
    >>> from fastridge.onnx import register_converters
    >>> from skl2onnx import to_onnx
    >>> X = np.arange(12.0).reshape(6, 2) % 5
    >>> register_converters()
    >>> model = to_onnx(Ridge().fit(X, X[:, 0]), X[:1])
    >>> [node.op_type for node in model.graph.node]
    ['MatMul', 'Add', 'Reshape']
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import (
            calculate_linear_classifier_output_shapes,
            calculate_linear_regressor_output_shapes,
        )
        from skl2onnx.operator_converters.linear_classifier import (
            convert_sklearn_linear_classifier,
        )
        from skl2onnx.operator_converters.linear_regressor import convert_sklearn_linear_regressor
        from skl2onnx.operator_converters.sgd_classifier import convert_sklearn_sgd_classifier
    except ImportError as error:
        raise ImportError(
            'conversion to ONNX needs skl2onnx: pip install "fastridge-solvers[onnx]"'
        ) from error
    for regressor in _REGRESSORS:
        update_registered_converter(
            regressor,
            f"Fastridge{regressor.__name__}",
            calculate_linear_regressor_output_shapes,
            _WithDenseCoefficients(convert_sklearn_linear_regressor),
        )
    converters = {
        SGDClassifier: convert_sklearn_sgd_classifier,
        LogisticRegression: _as_sklearn(convert_sklearn_linear_classifier),
        LogisticRegressionCV: _as_sklearn(convert_sklearn_linear_classifier),
    }
    for classifier, convert in converters.items():
        update_registered_converter(
            classifier,
            f"Fastridge{classifier.__name__}",
            calculate_linear_classifier_output_shapes,
            _WithDenseCoefficients(convert),
            options={
                "nocl": [True, False],
                "zipmap": [True, False, "columns"],
                "output_class_labels": [False, True],
                "raw_scores": [True, False],
            },
        )


def _as_sklearn(convert: Callable[..., None]) -> Callable[..., None]:
    """Return a converter that passes on scikit-learn's model, by whose class it chooses."""

    def converted(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
        model = operator.raw_operator
        operator.raw_operator = model.to_sklearn()
        try:
            convert(scope, operator, container)
        finally:
            operator.raw_operator = model

    return converted


class _WithDenseCoefficients:
    """A converter that passes the model on with dense coefficients."""

    def __init__(self, convert: Callable[..., None]) -> None:
        self.convert = convert

    def __call__(
        self, scope: Scope, operator: Operator, container: ModelComponentContainer
    ) -> None:
        model = operator.raw_operator
        if sp.issparse(model.coef_):
            operator.raw_operator = dense = copy.copy(model)
            dense.coef_ = model.coef_.toarray()
            if dense.coef_.shape[0] == 1 and not hasattr(model, "classes_"):
                dense.coef_ = dense.coef_[0]
        try:
            self.convert(scope, operator, container)
        finally:
            operator.raw_operator = model
