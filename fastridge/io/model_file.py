"""Fitted models in files that hold no code: `save` and `load`.

A model file holds the class name, the constructor parameters and the fitted attributes. Numbers and
texts are in the JSON header of the archive, arrays in its members (see `fastridge.io.archive`). A
value without a JSON type is written as an object with one key that names its type::

    {"float": "inf"}  {"array": "array_0"}  {"scalar": "array_1"}  {"texts": [...], "shape": [...]}
    {"tuple": [...]}  {"dict": {...}}       {"pairs": [[key, value], ...]}
    {"csr": [data, indices, indptr], "shape": [...]}           {"statistics": {...}}
    {"encoding": {...}}

Only the classes listed below can be written or read, so a file cannot name any other.
"""

from __future__ import annotations

import importlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from fastridge._docstrings import documented
from fastridge._typing import PathLike
from fastridge.io.archive import read_archive, write_archive
from fastridge.io.parameter_texts import LOAD, SAVE

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["load", "save"]

_KIND = "model"
_CLASSES = {
    "Ridge": "fastridge.linear_model.ridge",
    "RidgeCV": "fastridge.linear_model.ridge_cv",
    "RidgeClassifier": "fastridge.linear_model.ridge_classifier",
    "RidgeClassifierCV": "fastridge.linear_model.ridge_classifier_cv",
    "ElasticNet": "fastridge.linear_model.elastic_net",
    "Lasso": "fastridge.linear_model.lasso",
    "ElasticNetCV": "fastridge.linear_model.elastic_net_cv",
    "LassoCV": "fastridge.linear_model.elastic_net_cv",
    "LinearSVC": "fastridge.linear_model.linear_svc",
    "LinearSVR": "fastridge.linear_model.linear_svr",
    "LogisticRegression": "fastridge.linear_model.logistic",
    "LogisticRegressionCV": "fastridge.linear_model.logistic_cv",
    "PoissonRegressor": "fastridge.linear_model.glm",
    "GammaRegressor": "fastridge.linear_model.glm",
    "TweedieRegressor": "fastridge.linear_model.glm",
    "SGDClassifier": "fastridge.linear_model.sgd_classifier",
    "SGDRegressor": "fastridge.linear_model.sgd_regressor",
    "KernelRidge": "fastridge.kernel_ridge.kernel_ridge",
    "KernelRidgeCV": "fastridge.kernel_ridge.kernel_ridge_cv",
}
_PARTS = {
    "GramStatistics": "fastridge.statistics.gram_statistics",
    "Encoding": "fastridge.data.feature_encoding",
}
_FIXED_WIDTH = re.compile("[<>]U[0-9]+")


@documented(SAVE)
def save(model: BaseEstimator, path: PathLike) -> None:
    """Write a fitted model to a file that holds no code.

    Parameters
    ----------
    model : estimator
        A fitted estimator of this package.
    path

    Raises
    ------
    TypeError
        If the model is of another class, or has a value that a file cannot hold.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    OSError

    See Also
    --------
    load : Reads the model again.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import fastridge
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 2.0])
    >>> model = fastridge.Ridge(alpha=0.0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "line.fastridge")
    ...     fastridge.save(model, path)
    ...     again = fastridge.load(path)
    >>> np.array_equal(again.predict(X), model.predict(X))
    True
    """
    write_model(path, model, None)


@documented(LOAD)
def load(path: PathLike) -> BaseEstimator:
    """Read a model that `save` or ``fastridge fit --save`` wrote.

    No code of the file runs.

    Parameters: path

    Returns
    -------
    estimator
        Model with the parameters and the fitted attributes it was saved with. That of the command
        line has an `encoding_`, so that it predicts tables with the columns it was fitted to.

    Raises
    ------
    ValueError
        If the file is damaged, from another program or a newer version, or holds no model; the
        message names the file and the reason.
    OSError

    See Also
    --------
    save : Writes a model.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import fastridge
    >>> model = fastridge.Lasso(alpha=0.1).fit(np.eye(3), [1.0, 2.0, 3.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "lasso.fastridge")
    ...     fastridge.save(model, path)
    ...     fastridge.load(path)
    Lasso(alpha=0.1)
    """
    model, table = read_model(path)
    if table is not None:
        encoding: dict[str, Any] = {
            "columns": table.get("columns"),
            "hashed": [],
            "n_hashed": 0,
            "fills": True,
        }
        try:
            model.encoding_ = _class("Encoding").from_json(encoding)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)!r} does not say its columns: {error}") from None
    return model


def write_model(path: PathLike, model: BaseEstimator, table: Mapping[str, object] | None) -> None:
    """Write a model and, as plain JSON values, how it encodes the columns of a table."""
    from sklearn.utils.validation import check_is_fitted

    name = type(model).__name__
    if name not in _CLASSES or type(model) is not _class(name):
        raise TypeError(
            f"a {type(model).__module__}.{name} cannot be saved: only {', '.join(_CLASSES)} "
            "of fastridge can"
        )
    check_is_fitted(model)
    parameters = model.get_params(deep=False)
    held = model.__getstate__()
    attributes = {key: value for key, value in held.items() if key not in parameters}
    arrays: dict[str, np.ndarray] = {}
    meta = {
        "class": name,
        "parameters": _plain_values(parameters, arrays, name),
        "attributes": _plain_values(attributes, arrays, name),
        "table": None if table is None else dict(table),
        "text": repr(model),
    }
    write_archive(path, _KIND, meta, arrays)


class SavedModel:
    """A model as its file describes it, without its class, which takes a second to import."""

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._parameters = _values(meta["parameters"], arrays)
        given = ", ".join(f"{name}={value!r}" for name, value in self._parameters.items())
        self._text = str(meta.get("text", f"{meta['class']}({given})"))
        vars(self).update(self._parameters | _values(meta["attributes"], arrays))

    def get_params(self, deep: bool = False) -> dict[str, Any]:
        """Return the parameters, as an estimator does."""
        return dict(self._parameters)

    def __repr__(self) -> str:
        return self._text


def read_model(path: PathLike) -> tuple[BaseEstimator, dict[str, Any] | None]:
    """Read a model and the description of its table, as given to `write_model`."""
    meta, arrays = read_archive(path, _KIND)
    with _loading(path):
        name = _known_class(meta)
        model_class = _class(name)
        parameters = _values(meta["parameters"], arrays)
        unknown = sorted(set(parameters) - set(model_class._get_param_names()))
        if unknown:
            raise ValueError(f"its {name} has a parameter {unknown[0]!r} that this version lacks")
        model = model_class(**parameters)
        for key, value in _values(meta["attributes"], arrays).items():
            if not key.isidentifier() or hasattr(model_class, key) or key in parameters:
                raise ValueError(f"{key!r} is not an attribute of a fitted {name}")
            setattr(model, key, value)
        return model, _table(meta)


def describe_model(path: PathLike) -> tuple[SavedModel, dict[str, Any] | None]:
    """Read what `read_model` reads, as a `SavedModel` of a class of the same name."""
    meta, arrays = read_archive(path, _KIND)
    with _loading(path):
        described = type(_known_class(meta), (SavedModel,), {})
        return described(meta, arrays), _table(meta)


@contextmanager
def _loading(path: PathLike) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{os.fspath(path)!r} is not a model that can be loaded: {error}"
        ) from None


def _known_class(meta: Mapping[str, Any]) -> str:
    name = str(meta["class"])
    if name not in _CLASSES:
        raise ValueError(f"it holds a {name!r}, and this version knows {', '.join(_CLASSES)}")
    return name


def _table(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    table = meta["table"]
    if not (table is None or isinstance(table, dict)):
        raise ValueError("its description of columns is malformed")
    return table


def _class(name: str) -> Any:
    return getattr(importlib.import_module((_CLASSES | _PARTS)[name]), name)


def _plain_values(
    values: Mapping[str, object], arrays: dict[str, np.ndarray], where: str
) -> dict[str, Any]:
    return {key: _plain(value, arrays, f"{where}.{key}") for key, value in values.items()}


def _plain(value: Any, arrays: dict[str, np.ndarray], where: str) -> Any:
    """Return the value as JSON, and add its arrays to `arrays`."""
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUT":
        texts = value.ravel().tolist()
        if all(text is None or isinstance(text, str) for text in texts):
            width = {"dtype": value.dtype.str} if value.dtype.kind == "U" else {}
            return {"texts": texts, "shape": list(value.shape), **width}
    elif isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
        member = f"array_{len(arrays)}"
        arrays[member] = np.asarray(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": member}
    elif isinstance(value, list):
        return [_plain(entry, arrays, where) for entry in value]
    elif isinstance(value, tuple) and type(value) is tuple:
        return {"tuple": [_plain(entry, arrays, where) for entry in value]}
    elif isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": _plain_values(value, arrays, where)}
    elif isinstance(value, Mapping):
        pairs = [[_plain(entry, arrays, where) for entry in pair] for pair in value.items()]
        return {"pairs": pairs}
    elif sp.issparse(value) and value.format == "csr":
        csr = [_plain(array, arrays, where) for array in (value.data, value.indices, value.indptr)]
        return {"csr": csr, "shape": list(value.shape)}
    elif type(value).__name__ in _PARTS and type(value) is _class(type(value).__name__):
        if type(value).__name__ == "Encoding":
            return {"encoding": _plain_values(value.to_json(), arrays, where)}
        return {"statistics": _plain_values(value._state(), arrays, where)}
    raise TypeError(
        f"{where} is a {type(value).__module__}.{type(value).__name__}, which a model file cannot "
        "hold: use plain numbers, texts or arrays"
    )


def _values(plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {key: _value(entry, arrays) for key, entry in plain.items()}


def _value(plain: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Invert `_plain`."""
    if isinstance(plain, list):
        return [_value(entry, arrays) for entry in plain]
    if not isinstance(plain, dict):
        return plain
    if "float" in plain:
        return float(plain["float"])
    if "array" in plain:
        return arrays[plain["array"]]
    if "scalar" in plain:
        return arrays[plain["scalar"]][()]
    if "texts" in plain:
        texts = np.empty(len(plain["texts"]), dtype=object)
        texts[:] = plain["texts"]
        width = plain.get("dtype", "O")
        if width != "O" and not _FIXED_WIDTH.fullmatch(width):
            raise ValueError(f"texts of the type {width!r}")
        return texts.reshape(plain["shape"]).astype(width)
    if "tuple" in plain:
        return tuple(_value(entry, arrays) for entry in plain["tuple"])
    if "dict" in plain:
        return _values(plain["dict"], arrays)
    if "pairs" in plain:
        return {_value(key, arrays): _value(value, arrays) for key, value in plain["pairs"]}
    if "csr" in plain:
        csr = tuple(_value(array, arrays) for array in plain["csr"])
        matrix = sp.csr_matrix(csr, shape=tuple(plain["shape"]))
        matrix.check_format(full_check=True)
        return matrix
    if "encoding" in plain:
        return _class("Encoding").from_json(_values(plain["encoding"], arrays))
    if "statistics" in plain:
        return _class("GramStatistics")._from_state(_values(plain["statistics"], arrays))
    raise ValueError(f"a value of the unknown type {', '.join(plain)!r}")
