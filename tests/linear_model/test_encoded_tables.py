"""Models that know the encoding of a table: `predict` takes such a table, wherever it is."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

import fastridge
from fastridge import (
    ElasticNetCV,
    Lasso,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    load,
    save,
    scan,
)
from fastridge.cli import main

pytest.importorskip("rich")
N = 300


def make_frame(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(N)
    city = rng.choice(["Ōsaka", "São Paulo", "x,y"], size=N)
    y = 2 * x + (city == "Ōsaka") + 0.1 * rng.standard_normal(N)
    x[rng.random(N) < 0.1] = np.nan
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 400, N), "D")
    return pd.DataFrame({"x": x, "city": city, "day": day, "y": y})


FRAME = make_frame()
KINDS = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "reordered": lambda frame: frame[["y", "city", "day", "x"]].assign(more="text"),
    "categories": lambda frame: frame.assign(city=frame["city"].astype("category")),
}
MODELS = [
    Ridge(),
    RidgeCV(cv=3),
    Lasso(0.01),
    ElasticNetCV(cv=3),
    SGDRegressor(learning_rate="auto", random_state=0),
]


def rows(frame=FRAME, **options):
    return scan(frame, "y", infer=True, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_predict_a_table_of_a_model_of_a_scan_is_that_of_its_scan(model, kind):
    model.fit(rows())
    table = KINDS[kind](make_frame(1))
    wanted = model.predict(scan(table, encoding=model.encoding_))
    assert wanted.shape == (N,)
    assert_array_equal(model.predict(table), wanted)
    y = make_frame(1)["y"]
    assert model.score(table, y) == r2_score(y, wanted)


@pytest.mark.parametrize("copied", ["saved", "pickled"])
def test_encoding_is_kept_in_files_and_pickles(tmp_path, copied):
    model = Ridge().fit(rows())
    save(model, tmp_path / "m")
    again = load(tmp_path / "m") if copied == "saved" else pickle.loads(pickle.dumps(model))
    assert again.encoding_ == model.encoding_
    assert_array_equal(again.predict(FRAME), model.predict(FRAME))


def test_encoding_with_hashed_columns_is_kept_in_files(tmp_path):
    complete = FRAME.dropna()
    hashed = scan(complete, "y", hashed=["city"], n_hashed=16)
    model = Ridge().fit(hashed)
    save(model, tmp_path / "m")
    assert_array_equal(load(tmp_path / "m").predict(complete), model.predict(hashed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", [[], ["--l1-ratio", "1"], ["--method", "sgd"]], ids=str)
def test_model_of_the_command_line_predicts_tables(tmp_path, kind, words):
    path, model = tmp_path / "d.parquet", tmp_path / "m"
    FRAME.to_parquet(path)
    assert main(["fit", str(path), "--target", "y", "--save", str(model), *words]) == 0
    new = make_frame(1)
    new.to_parquet(path)
    output = tmp_path / "o.parquet"
    assert main(["predict", str(model), str(path), "--output", str(output)]) == 0
    fitted = load(model)
    found = fitted.predict(KINDS[kind](new))
    assert_allclose(found, pq.read_table(output)["prediction"], rtol=1e-12)
    assert_array_equal(fitted.predict(scan(path, encoding=fitted.encoding_)), found)


def test_classifier_of_the_command_line_predicts_tables(tmp_path):
    path, model = tmp_path / "d.csv", tmp_path / "m"
    frame = FRAME.assign(y=np.where(FRAME["y"] > 0, "high", "low"))
    frame.to_csv(path, index=False)
    words = ["--method", "sgd", "--loss", "log_loss", "--save", str(model)]
    assert main(["fit", str(path), "--target", "y", *words]) == 0
    fitted = load(model)
    scanned = scan(path, encoding=fitted.encoding_)
    assert fitted.score(frame, frame["y"]) > 0.9
    assert_array_equal(fitted.predict(frame), fitted.predict(scanned))
    assert_allclose(fitted.predict_proba(frame), fitted.predict_proba(scanned))
    assert fitted.decision_function(frame).shape == (N,)


def test_classifier_of_a_scan_predicts_tables():
    model = SGDClassifier(random_state=0).fit(rows(FRAME.assign(y=(FRAME["y"] > 0) * 1.0)))
    assert_array_equal(model.predict(FRAME), model.predict(rows(FRAME)))


def test_values_that_the_fit_did_not_see_count_as_in_a_scan():
    model = Ridge().fit(rows())
    new = FRAME[:2].assign(city=["unknown", None], x=[None, 1.0])
    base = FRAME[:2].assign(city="Ōsaka", x=[None, 1.0])
    effects = dict(zip(model.feature_names_in_, model.coef_, strict=True))
    step = model.predict(new) - model.predict(base)
    assert_allclose(step, -effects["city=Ōsaka"], atol=1e-12)


def test_table_that_lacks_a_column_is_refused_by_name():
    model = Ridge().fit(rows())
    with pytest.raises(ValueError, match="no column 'city'"):
        model.predict(FRAME[["x", "day"]])
    with pytest.raises(ValueError, match="X has no rows"):
        model.predict(FRAME[:0])


@pytest.mark.parametrize("model", [Ridge(), SGDRegressor(learning_rate="auto")], ids=str)
def test_fit_to_arrays_forgets_the_encoding(model):
    X = np.random.default_rng(0).standard_normal((40, 2))
    model.fit(rows())
    assert hasattr(model, "encoding_")
    model.fit(X, X[:, 0])
    assert not hasattr(model, "encoding_")
    model.fit(rows())
    model.fit(pd.DataFrame(X, columns=["a", "b"]), X[:, 0])
    assert not hasattr(model, "encoding_")
    model.fit(rows()).fit(scan(X, X[:, 0]))
    assert not hasattr(model, "encoding_")


def test_table_of_the_features_themselves_is_taken_as_it_is():
    model = Ridge().fit(rows())
    features = np.concatenate([batch.X for batch in rows()])
    names = list(model.feature_names_in_)
    wanted = model.predict(rows())
    assert_allclose(model.predict(pd.DataFrame(features, columns=names)), wanted, rtol=1e-12)
    assert_allclose(fastridge.Ridge.predict(model, rows()), wanted)
