"""save and load: the model is the one that was saved, and no other file loads."""

import json
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge as SklearnRidge

import fastridge
from fastridge import (
    ElasticNet,
    ElasticNetCV,
    GramStatistics,
    Lasso,
    LassoCV,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from fastridge.data.one_hot import NumericColumn
from fastridge.io.archive import read_archive, write_archive
from fastridge.io.model_file import read_model, write_model

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 4))
Y = X @ RNG.normal(size=(4, 3)) + 0.1 * RNG.normal(size=(60, 3))
LABELS = np.array(["a", "bé", "c"])[np.arange(60) % 3]


def assert_same_value(found, wanted):
    if isinstance(wanted, list | tuple):
        assert type(found) is type(wanted)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same_value(one, other)
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert_same_value(found[key], value)
    elif isinstance(wanted, GramStatistics):
        assert type(found) is GramStatistics
        assert found.n_samples == wanted.n_samples
        assert found.feature_names == wanted.feature_names
        assert found.target_names == wanted.target_names
        assert found.y_ndim == wanted.y_ndim
        assert found.sum_weights == wanted.sum_weights
        for name in ("x_mean", "y_mean", "xx", "xy", "yy"):
            assert_array_equal(getattr(found, name), getattr(wanted, name), strict=True)
    elif sp.issparse(wanted):
        assert type(found) is type(wanted)
        assert_array_equal(found.toarray(), wanted.toarray(), strict=True)
    elif isinstance(wanted, np.ndarray):
        assert_array_equal(found, wanted, strict=True)
    else:
        assert type(found) is type(wanted)
        assert found == wanted or (found != found and wanted != wanted)


def assert_same_model(found, wanted):
    assert type(found) is type(wanted)
    assert vars(found).keys() == wanted.__getstate__().keys()
    for name, value in wanted.__getstate__().items():
        assert_same_value(vars(found)[name], value)


def frame():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=["größe", "航班", "a b", "✈"])


MODELS = {
    "plain": lambda: Ridge().fit(X, Y[:, 0]),
    "column": lambda: Ridge().fit(X, Y[:, :1]),
    "targets": lambda: Ridge(alpha=np.array([0.1, 1.0, 10.0])).fit(X, Y),
    "alpha list": lambda: Ridge(alpha=[0.1, 1.0, 10.0]).fit(X, Y),
    "alpha tuple": lambda: Ridge(alpha=(0.1, 1.0, 10.0)).fit(X, Y),
    "alpha scalar": lambda: Ridge(alpha=np.float32(0.5)).fit(X, Y),
    "float32": lambda: Ridge().fit(X.astype(np.float32), Y[:, 0].astype(np.float32)),
    "no intercept": lambda: Ridge(fit_intercept=False).fit(X, Y),
    "options": lambda: Ridge(
        2, alpha_scale="mean", standardize=True, penalty_factors=[0.0, 1.0, 2.0, 3.0], n_threads=1
    ).fit(X, Y),
    "iterative": lambda: Ridge(solver="lsqr", max_iter=50, tol=1e-8, random_state=3).fit(X, Y),
    "gd": lambda: Ridge(solver="gd", nesterov=True).fit(X, Y[:, 0]),
    "svd": lambda: Ridge(alpha=0, solver="svd").fit(X, Y),
    "positive": lambda: Ridge(positive=True).fit(X, Y[:, 0]),
    "wide": lambda: Ridge().fit(X[:3], Y[:3]),
    "sparse": lambda: Ridge().fit(sp.csr_array(X), Y[:, 0]),
    "names": lambda: Ridge().fit(frame(), Y[:, 0]),
    "partial": lambda: Ridge().partial_fit(X[:30], Y[:30]).partial_fit(X[30:], Y[30:]),
    "statistics": lambda: Ridge().fit_statistics(
        GramStatistics.from_data(X, Y[:, 0], feature_names=list("äbcd"), target_names=["y"])
    ),
    "lasso": lambda: Lasso(0.1).fit(X, Y[:, 0]),
    "lasso targets": lambda: Lasso(0.1, positive=True).fit(frame(), Y),
    "elastic net": lambda: ElasticNet(
        0.1, l1_ratio=0.3, bounds=(-1.0, np.full(4, 2.0)), penalty_factors=[0.0, 1.0, 2.0, 3.0]
    ).fit(X.astype(np.float32), Y[:, 0].astype(np.float32)),
    "elastic net ridge": lambda: ElasticNet(0.0, standardize=True).fit(X, Y[:, :1]),
    "elastic net partial": lambda: ElasticNet(0.1).partial_fit(X, Y),
    "lasso cv": lambda: LassoCV(selection="1se", cv=3, alphas=7).fit(frame(), Y[:, 0]),
    "lasso cv split": lambda: LassoCV(cv=[(np.arange(40), np.arange(40, 60))], alphas=[0.1]).fit(
        X, Y[:, 0]
    ),
    "elastic net cv": lambda: ElasticNetCV(l1_ratio=[0.1, 1.0], alphas=7).fit(X, Y[:, 0]),
    "elastic net cv folds": lambda: ElasticNetCV(
        l1_ratio=np.array([0.1, 0.9]), alphas=5
    ).fit_statistics([GramStatistics.from_data(X[k::3], Y[k::3, 0]) for k in range(3)]),
    "sgd": lambda: SGDRegressor(random_state=0).fit(X, Y[:, 0]),
    "sgd targets": lambda: SGDRegressor(average=True, penalty="l1").fit(X, Y),
    "sgd auto": lambda: SGDRegressor(learning_rate="auto").fit(X.astype(np.float32), Y[:, 0]),
    "sgd labels": lambda: SGDClassifier(class_weight={"a": 2.0}).fit(X, LABELS),
    "sgd numbers": lambda: SGDClassifier(
        "log_loss",
        class_weight={0: 2.0, np.int64(1): 1},
        multi_class="multinomial",
        optimizer="adam",
        learning_rate="constant",
    ).fit(X, np.arange(60) % 3),
    "sgd sparsified": lambda: SGDClassifier(penalty="l1").fit(X, Y[:, 0] > 0).sparsify(),
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"average": True},
        {"learning_rate": "auto"},
        {"learning_rate": "constant", "optimizer": "adagrad", "decay": "decoupled"},
        {"learning_rate": "constant", "optimizer": "adam", "batch_size": 4},
    ],
)
def test_sgd_partial_fit_after_loading_resumes(path, options, sparse):
    rows = sp.csr_matrix(X) if sparse else X
    begun = SGDRegressor(random_state=0, shuffle=False, **options).partial_fit(rows, Y[:, 0])
    fastridge.save(begun, path)
    found = fastridge.load(path).partial_fit(rows, Y[:, 0])
    assert_array_equal(found.coef_, begun.partial_fit(rows, Y[:, 0]).coef_)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.fastridge"


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_round_trip_keeps_values(path, make):
    model = make()
    fastridge.save(model, path)
    found = fastridge.load(path)
    assert_same_model(found, model)
    if not hasattr(model, "feature_names_in_"):
        assert_array_equal(found.predict(X), model.predict(X), strict=True)


def test_ridge_partial_fit_after_loading_resumes(path):
    fastridge.save(Ridge().partial_fit(X[:30], Y[:30]), path)
    found = fastridge.load(path).partial_fit(X[30:], Y[30:])
    wanted = Ridge().partial_fit(X[:30], Y[:30]).partial_fit(X[30:], Y[30:])
    assert_array_equal(found.coef_, wanted.coef_)


def test_predict_after_loading_checks_names(path):
    rows = frame()
    fastridge.save(Ridge().fit(rows, Y), path)
    found = fastridge.load(path)
    found.predict(rows)
    with pytest.raises(ValueError, match="feature names"):
        found.predict(rows.rename(columns={"✈": "x"}))


def test_load_gives_writable_arrays(path):
    fastridge.save(Ridge().fit(X, Y), path)
    fastridge.load(path).coef_[...] = 0


def test_read_model_returns_the_table(path):
    table = {"target": "größe", "columns": [NumericColumn("a", "number", 0.1, False).__dict__]}
    write_model(path, Ridge().fit(X, Y), table)
    assert read_model(path)[1] == table
    fastridge.load(path)


def test_save_of_an_unfitted_model_raises(path):
    with pytest.raises(NotFittedError):
        fastridge.save(Ridge(), path)
    assert not path.exists()


class Subclass(Ridge):
    pass


class Namesake(BaseEstimator):
    pass


Namesake.__name__ = "Ridge"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SklearnRidge().fit(X, Y), "sklearn.*Ridge"),
        (Subclass().fit(X, Y), "Subclass"),
        (Namesake(), "Ridge"),
        (GramStatistics.from_data(X, Y), "GramStatistics"),
        ({"coef_": 1}, "builtins.dict"),
    ],
    ids=["sklearn", "subclass", "namesake", "statistics", "dict"],
)
def test_save_of_another_class_raises_with_its_name(path, model, name):
    with pytest.raises(TypeError, match=name):
        fastridge.save(model, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "value",
    [np.random.RandomState(0), np.random.default_rng(0), lambda: 0, {1, 2}, np.array([{1}])],
    ids=["RandomState", "Generator", "function", "set", "objects"],
)
def test_save_of_an_unsupported_value_raises_with_its_name(path, value):
    model = Ridge().fit(X, Y)
    model.random_state = value
    with pytest.raises(TypeError, match=r"Ridge\.random_state"):
        fastridge.save(model, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "value",
    [np.inf, -np.inf, np.nan, 10**30, -0.0, 5e-324, "", "é\n", True, None, [], (), [(1, [2.5])]]
    + [{"a": {"b": np.inf}}, np.float32(1.5), np.bool_(True), np.int8(-3)],
    ids=repr,
)
def test_round_trip_of_values_is_exact(path, value):
    model = Ridge().fit(X, Y)
    model.extra_ = value
    fastridge.save(model, path)
    assert_same_value(fastridge.load(path).extra_, value)


@pytest.mark.parametrize(
    "value",
    [
        np.array(2.5),
        np.zeros((0, 3), dtype=np.float32),
        np.array(["a", "ß"], dtype=object).reshape(1, 2),
        np.array([1 + 2j]),
        np.asfortranarray(np.ones((2, 3), dtype=np.int64)),
    ],
    ids=["0-d", "empty", "texts", "complex", "fortran"],
)
def test_round_trip_of_arrays_is_exact(path, value):
    model = Ridge().fit(X, Y)
    model.extra_ = value
    fastridge.save(model, path)
    assert_array_equal(fastridge.load(path).extra_, value, strict=True)


def rewritten(path, change):
    """The file of a model whose meta data `change` has changed, well sealed."""
    fastridge.save(Ridge().fit(X, Y), path)
    meta, arrays = read_archive(path, "model")
    change(meta, arrays)
    write_archive(path, "model", meta, arrays)
    return path


def changes():
    def at(*keys, value):
        def change(meta, arrays):
            for key in keys[:-1]:
                meta = meta[key]
            meta[keys[-1]] = value

        return change

    yield "class", at("class", value="os.system"), "os.system"
    yield "class later", at("class", value="SparseGroup"), "SparseGroup.*knows Ridge"
    yield "class list", at("class", value=["Ridge"]), "model"
    yield "parameter", at("parameters", "l1_ratio", value=1), "l1_ratio.*lacks"
    yield "method", at("attributes", "predict", value=1), "'predict' is not an attribute"
    yield "dunder", at("attributes", "__class__", value=1), "__class__"
    yield "name", at("attributes", "not a name", value=1), "not a name"
    yield "parameter as attribute", at("attributes", "alpha", value=1), "alpha"
    yield "array", at("attributes", "coef_", value={"array": "array_99"}), "array_99"
    yield "type", at("attributes", "coef_", value={"pickle": "gAS"}), "pickle"
    yield "float", at("attributes", "coef_", value={"float": "one"}), "one"
    yield "texts", at("attributes", "coef_", value={"texts": ["a"], "shape": [2]}), "model"
    yield "tuple", at("attributes", "coef_", value={"tuple": 3}), "model"
    yield "statistics", at("attributes", "coef_", value={"statistics": {}}), "model"
    yield "parameters", at("parameters", value=[]), "model"
    yield "attributes", at("attributes", value=None), "model"
    yield "table", at("table", value=[]), "columns"
    yield "no class", lambda meta, arrays: meta.pop("class"), "class"
    yield "no arrays", lambda meta, arrays: arrays.clear(), "array_0"


@pytest.mark.parametrize(
    ("change", "reason"), [pytest.param(*rest, id=name) for name, *rest in changes()]
)
def test_load_of_invalid_contents_raises(path, change, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        fastridge.load(rewritten(path, change))
    assert "model.fastridge" in str(caught.value)


def test_load_of_another_kind_raises(path):
    GramStatistics.from_data(X, Y).save(path)
    with pytest.raises(ValueError, match="holds a GramStatistics, not a model"):
        fastridge.load(path)


def test_load_of_statistics_from_a_model_raises(path):
    fastridge.save(Ridge().fit(X, Y), path)
    with pytest.raises(ValueError, match="holds a model, not a GramStatistics"):
        GramStatistics.load(path)


def test_load_of_a_damaged_file_raises(path):
    fastridge.save(Ridge().fit(X, Y), path)
    good = path.read_bytes()
    for position in range(0, len(good), 97):
        damaged = bytearray(good)
        damaged[position] ^= 255
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model\.fastridge"):
            fastridge.load(path)


def test_save_writes_json_and_arrays(path):
    fastridge.save(Ridge().fit(X, Y), path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        header = json.loads(archive.read(names[0]))
    assert names[0] == "fastridge.json"
    assert all(name.endswith(".npy") for name in names[1:])
    assert header["meta"]["class"] == "Ridge"
