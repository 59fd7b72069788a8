"""Fitted models as scikit-learn's own classes, for tools that dispatch by class."""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastridge._typing import Matrix

_ATTRIBUTES = (
    "coef_",
    "intercept_",
    "n_features_in_",
    "feature_names_in_",
    "classes_",
    "n_iter_",
    "alpha_",
    "C_",
    "Cs_",
    "coefs_paths_",
    "scores_",
    "l1_ratios_",
    "best_score_",
    "cv_results_",
    "l1_ratio_",
    "mse_path_",
    "dual_gap_",
    "t_",
    "_standard_coef",
    "_standard_intercept",
    "_average_coef",
    "_average_intercept",
)
"""Fitted attributes that have the same meaning in scikit-learn."""

_SOLVERS = {"eigh": "svd", "qr": "svd", "gd": "lsqr", "nnls": "lbfgs"}
"""The scikit-learn solvers that stand for solvers of our own."""

_NEWTON = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "GammaRegressor",
    "TweedieRegressor",
)

_SVM = ("LinearSVC", "LinearSVR")


class ToSklearnMixin:
    """`to_sklearn` of a fitted model."""

    def to_sklearn(self) -> BaseEstimator:
        """Return the fitted model as scikit-learn's class of the same name.

        For tools that know scikit-learn's classes only, such as exporters of code and loggers of
        models.

        Returns
        -------
        estimator of scikit-learn
            Model with copies of the fitted attributes that its class has, the same predictions, and
            the parameters that its class has. What scikit-learn's class does not know is omitted,
            or replaced by its default: `coef_` keeps the effect, but fitting the returned model
            again may give another one.

            Several targets of `SGDRegressor` give a `sklearn.multioutput.MultiOutputRegressor`, and
            a softmax of more than two classes a `sklearn.linear_model.LogisticRegression`, as
            scikit-learn's SGD has neither.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from fastridge import Ridge
        >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
        >>> model = Ridge(alpha=2.0, standardize=True).fit(X, [1.0, 2.0, 6.0, 7.0])
        >>> theirs = model.to_sklearn()
        >>> type(theirs).__module__, theirs
        ('sklearn.linear_model._ridge', Ridge(alpha=2.0))
        >>> bool(np.allclose(theirs.predict(X), model.predict(X)))
        True
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "coef_")
        name = next(
            kind.__name__ for kind in type(self).__mro__ if kind.__module__.startswith("fastridge.")
        )
        if name == "SGDRegressor" and len(self.__dict__["intercept_"]) > 1:
            return _several_targets(self)
        if name == "SGDClassifier" and _is_softmax(self):
            return _softmax(self)
        return _converted(self, name)


def _converted(model: BaseEstimator, name: str) -> BaseEstimator:
    import sklearn.linear_model
    import sklearn.svm

    kind = getattr(sklearn.svm if name in _SVM else sklearn.linear_model, name)
    new = kind(**_accepted(kind, _parameters(model, name, kind)))
    for attribute in _ATTRIBUTES:
        if attribute in model.__dict__:
            setattr(new, attribute, copy.deepcopy(model.__dict__[attribute]))
    if name in _NEWTON or name in _SVM:
        del new.dual_gap_
        if name in _NEWTON and not name.startswith("LogisticRegression"):
            new._base_loss = new._get_loss()
    elif name in ("Ridge", "RidgeClassifier"):
        new.solver_ = _SOLVERS.get(model.solver_, model.solver_)
        if model.solver_ not in ("lsqr", "sparse_cg", "gd"):
            new.n_iter_ = None  # as theirs has of direct solvers
    elif name in ("RidgeCV", "RidgeClassifierCV"):
        del new.n_iter_
    elif name.endswith("CV"):
        new.alphas_ = np.copy(model.alphas_)
    if name.startswith("RidgeClassifier"):
        new._label_binarizer = _label_binarizer(model)
    return new


def _label_binarizer(model: BaseEstimator) -> BaseEstimator:
    """Return the binarizer by which scikit-learn's ridge classifiers know the labels."""
    from sklearn.preprocessing import LabelBinarizer

    binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
    if model._multilabel:
        return binarizer.fit(np.eye(len(model.classes_), dtype=np.int64))
    return binarizer.fit(model.classes_)


def _parameters(model: BaseEstimator, name: str, kind: type[BaseEstimator]) -> dict[str, Any]:
    """Return the model's parameters, in scikit-learn's terms where those differ."""
    given: dict[str, Any] = model.get_params(deep=False)
    if name in ("Ridge", "RidgeClassifier"):
        given["solver"] = _SOLVERS.get(given["solver"], given["solver"])
        if given["positive"]:
            given["solver"] = "auto"
        summed = model.__dict__.get("_summed_alpha")
        if given["alpha_scale"] == "mean" and summed is not None:
            given["alpha"] = np.copy(summed) if np.size(summed) > 1 else float(summed[0])
    elif name in ("RidgeCV", "RidgeClassifierCV"):
        if isinstance(given["alphas"], str):
            tried = model.alphas_ if model.alphas_ is not None else np.atleast_1d(model.alpha_)
            given["alphas"] = np.copy(tried[np.isfinite(tried) & (tried > 0.0)])
            if not len(given["alphas"]):
                del given["alphas"]
        if given["method"] == "kfold" and given["cv"] is None:
            given["cv"] = 5
        if given["cv"] is not None:
            given.pop("alpha_per_target", None)  # they do not go together there
    elif name in ("ElasticNetCV", "LassoCV"):
        n_alphas = given.pop("n_alphas")
        if np.ndim(given["alphas"]) == 0:
            count = given["alphas"] if n_alphas is None else n_alphas
            given["alphas"] = 100 if count is None else count
            if inspect.signature(kind).parameters["alphas"].default is None:
                given["n_alphas"] = given.pop("alphas")  # before version 1.7
    elif name.startswith("SGD"):
        given["shuffle"] = bool(given["shuffle"])
    if name not in ("Ridge", "RidgeClassifier") and given.get("max_iter", 0) is None:
        del given["max_iter"]  # theirs takes None and fails
    return given


def _accepted(kind: type[BaseEstimator], given: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that scikit-learn's class has, with values that it accepts."""
    from sklearn.utils._param_validation import validate_parameter_constraints

    accepted = {}
    for name in kind._get_param_names():
        if name not in given:
            continue
        constraint = {name: kind._parameter_constraints[name]}
        try:
            validate_parameter_constraints(constraint, {name: given[name]}, kind.__name__)
        except ValueError:
            continue
        accepted[name] = given[name]
    return accepted


def _several_targets(model: BaseEstimator) -> BaseEstimator:
    """Return a model of scikit-learn for each target of `SGDRegressor`."""
    from sklearn.base import clone
    from sklearn.multioutput import MultiOutputRegressor

    models = []
    for k in range(len(model.intercept_)):
        one = _converted(model, "SGDRegressor")
        for name in ("coef_", "intercept_", *_ATTRIBUTES[-4:]):
            if name in one.__dict__ and one.__dict__[name] is not None:
                part = one.__dict__[name][k : k + 1]
                setattr(one, name, part if "intercept" in name else np.ravel(_dense(part)))
        models.append(one)
    several = MultiOutputRegressor(clone(models[0]))
    several.estimators_ = models
    several.n_features_in_ = model.n_features_in_
    if hasattr(model, "feature_names_in_"):
        several.feature_names_in_ = np.copy(model.feature_names_in_)
    return several


def _dense(part: Matrix) -> Matrix:
    return part.toarray() if hasattr(part, "toarray") else part


def _is_softmax(model: BaseEstimator) -> bool:
    return model.multi_class == "multinomial" and len(model.classes_) > 2


def _softmax(model: BaseEstimator) -> BaseEstimator:
    """Return the softmax regression of scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    given = model.get_params(deep=False)
    kept = ("tol", "fit_intercept", "max_iter", "class_weight", "random_state", "warm_start")
    options = {name: given[name] for name in kept}
    n_rows = (model.t_ - 1.0) / max(model.n_iter_, 1)
    if given["alpha"] > 0.0 and n_rows > 0.0:
        options["C"] = 1.0 / (given["alpha"] * n_rows)
    new = LogisticRegression(**_accepted(LogisticRegression, options))
    for name in _ATTRIBUTES[:5]:
        if hasattr(model, name):
            setattr(new, name, copy.deepcopy(getattr(model, name)))
    new.n_iter_ = np.array([model.n_iter_], dtype=np.int32)
    return new
