"""scan of tables whose columns are text, codes or incomplete."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

import fastridge
from fastridge import Ridge, RidgeCV, SGDClassifier, scan
from fastridge.data.batches import ScanError
from fastridge.data.feature_encoding import Encoding

N = 500


def table(seed=0):
    rng = np.random.default_rng(seed)
    city = rng.choice(["Oslo", "Rome", "Wien"], N, p=[0.5, 0.3, 0.2])
    x = rng.standard_normal(N)
    y = x + 2.0 * (city == "Rome") - (city == "Wien") + 0.1 * rng.standard_normal(N)
    holes = np.where(rng.random(N) < 0.1, np.nan, x)
    return pd.DataFrame({"x": x, "city": city, "code": rng.integers(0, 4, N), "h": holes, "y": y})


@pytest.fixture
def files(tmp_path):
    frame = table()
    for k, part in enumerate(np.array_split(np.arange(N), 3)):
        rows = pa.Table.from_pandas(frame.iloc[part], preserve_index=False)
        pq.write_table(rows, tmp_path / f"{k}.parquet")
    return str(tmp_path / "*.parquet")


def read(rows):
    batches = list(rows)
    join = sp.vstack if sp.issparse(batches[0].X) else np.concatenate
    return join([one.X for one in batches]), np.concatenate([one.y for one in batches])


@pytest.mark.parametrize("kind", ["files", "pandas", "arrow"])
def test_scan_categories_equal_those_of_scikit_learn(files, kind):
    frame = table()
    source = {"files": files, "pandas": frame, "arrow": pa.Table.from_pandas(frame)}[kind]
    rows = scan(
        source, "y", features=["x", "city", "code"], categorical=["city", "code"], batch_rows=64
    )
    X, y = read(rows)
    encoder = OneHotEncoder(
        categories=[["Oslo", "Rome", "Wien"], sorted(frame["code"].unique())], sparse_output=False
    )
    wanted = make_column_transformer(("passthrough", ["x"]), (encoder, ["city", "code"]))
    order = [rows.feature_names.index(f"code={code}") for code in range(4)]
    found = np.column_stack([X[:, :4], X[:, order]])
    assert rows.feature_names[:4] == ["x", "city=Oslo", "city=Rome", "city=Wien"]
    assert_array_equal(found, wanted.fit_transform(frame))
    assert_array_equal(y, frame["y"])
    assert ("one-hot", "city (3), code (4)") in rows.encoding.report
    model = Ridge().fit(rows)
    assert model.feature_names_in_.tolist() == rows.feature_names
    assert_allclose(model.coef_, Ridge().fit(X, y).coef_, rtol=1e-10)


def test_scan_replaces_missing_values_by_means_and_marks_them(files):
    frame = table()
    rows = scan(files, "y", features=["x", "h"], nulls="mean")
    # pandas writes NaN as null
    X, _ = read(rows)
    assert rows.feature_names == ["x", "h", "h missing"]
    wanted = SimpleImputer(add_indicator=True).fit_transform(frame[["x", "h"]])
    assert_allclose(X, wanted, rtol=1e-13)
    heading, text = rows.encoding.report[-1]
    assert heading == "missing"
    assert f"{frame['h'].isna().sum()} became the mean" in text


def test_scan_with_means_drops_rows_without_a_target():
    rows = pa.table({"x": [1.0, None, 3.0], "c": ["a", None, "b"], "y": [1.0, 2.0, None]})
    X, y = read(scan(rows, "y", nulls="mean", categorical="auto"))
    assert_array_equal(y, [1.0, 2.0])
    assert_array_equal(X, [[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0]])


def test_scan_hashed_columns_equal_those_of_scikit_learn(files):
    frame = table()
    rows = scan(files, "y", features=["x", "city", "code"], hashed=["city", "code"], n_hashed=32)
    X, y = read(rows)
    texts = [[f"city={c}", f"code={k}"] for c, k in zip(frame["city"], frame["code"], strict=True)]
    hashed = FeatureHasher(32, input_type="string").transform(texts)
    assert_array_equal(X.toarray(), np.column_stack([frame["x"], hashed.toarray()]))
    assert rows.feature_names is None
    coef = Ridge().fit(rows).coef_
    assert_allclose(coef, Ridge().fit(X, y).coef_, rtol=1e-8, atol=1e-10)


def test_scan_encoding_gives_other_rows_the_same_features(files, tmp_path):
    train = scan(files, "y", categorical="auto", nulls="mean")
    model = RidgeCV(cv=3).fit(train)
    encoding = Encoding.from_json(json.loads(json.dumps(train.encoding.to_json())))
    assert encoding == train.encoding
    other = table(1)
    other.loc[3, "city"] = "Bern"
    rows = scan(other, "y", encoding=encoding)
    X, _ = read(rows)
    assert rows.feature_names == train.feature_names
    cities = [train.feature_names.index(f"city={c}") for c in ("Oslo", "Rome", "Wien")]
    assert_array_equal(X[:, cities].sum(axis=1) == 0.0, other["city"] == "Bern")
    fastridge.write_predictions(model, rows, tmp_path / "p.parquet")
    predicted = pq.read_table(tmp_path / "p.parquet")["prediction"].to_numpy()
    assert_allclose(predicted, X @ model.coef_ + model.intercept_, rtol=1e-10)
    assert np.corrcoef(predicted, other["y"])[0, 1] > 0.99


def test_scan_given_categories_needs_no_extra_pass():
    batches = pa.RecordBatchReader.from_batches(
        pa.schema([("c", pa.string()), ("y", pa.float64())]),
        [pa.record_batch({"c": ["b", "a", "z"], "y": [1.0, 2.0, 3.0]})],
    )
    X, _ = read(scan(batches, "y", categorical={"c": ["a", "b"]}))
    assert_array_equal(X, [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ScanError, match="read only once"):
        scan(pa.RecordBatchReader.from_batches(batches.schema, []), "y", categorical="auto")


def test_sgd_of_encoded_rows_resumes_from_checkpoints(files, tmp_path):
    frame = table()
    frame["y"] = (frame["y"] > 0.5).astype(float)
    options = {"categorical": "auto", "nulls": "mean", "batch_rows": 100}
    model = SGDClassifier(learning_rate="auto", random_state=0)
    model.fit(scan(frame, "y", **options), checkpoint=tmp_path / "c")
    X, y = read(scan(frame, "y", **options))
    assert model.score(pd.DataFrame(X, columns=model.feature_names_in_), y) > 0.9
    with pytest.raises(ValueError, match="of other rows"):
        more = {**options, "max_categories": 2}
        model.fit(scan(frame, "y", **more), checkpoint=tmp_path / "c")


def test_scan_merges_rare_categories():
    frame = pd.DataFrame({"c": [*"aaabbcd", None], "y": np.arange(8.0)})
    rows = scan(frame, "y", categorical="auto", max_categories=2, nulls="mean")
    X, _ = read(rows)
    assert rows.feature_names == ["c=a", "c=b", "c=(other)", "c=(missing)"]
    assert_array_equal(X.sum(axis=0), [3.0, 2.0, 2.0, 1.0])


def test_scan_reads_polars_frames():
    polars = pytest.importorskip("polars")
    frame = table()
    rows = scan(polars.from_pandas(frame.drop(columns="h")), "y", categorical=["city"])
    wanted = scan(frame.drop(columns="h"), "y", categorical=["city"])
    for one, two in zip(read(rows), read(wanted), strict=True):
        assert_array_equal(one, two)
    plain = frame[["x", "code", "y"]]
    assert_allclose(
        Ridge().fit(scan(polars.from_pandas(plain), "y")).coef_,
        Ridge().fit(plain[["x", "code"]], plain["y"]).coef_,
        rtol=1e-10,
    )


def test_scan_with_invalid_encoding_options_raises(files, tmp_path):
    encoding = scan(files, "y", categorical="auto", nulls="mean").encoding
    cases = [
        (lambda: scan(files, "y"), r"'city' holds text.* categorical=.* or hashed="),
        (lambda: scan(files, "y", categorical=["code"]), "categorical=.* or hashed="),
        (lambda: scan(files, "y", categorical="all"), "categorical must be 'auto'"),
        (lambda: scan(files, "y", categorical=["z"]), "'z' is not among the features"),
        (lambda: scan(files, "y", hashed="city"), "hashed must be a list"),
        (lambda: scan(files, "y", hashed=["city"], n_hashed=0), "n_hashed must be"),
        (
            lambda: scan(files, "y", hashed=["city"], categorical=["city"]),
            "'city' is hashed and categorical too",
        ),
        (lambda: scan(files, "y", encoding=encoding, nulls="mean"), "leave out categorical"),
        (lambda: scan(files, "y", encoding="x"), "that of another scan"),
        (lambda: scan(table()[["y"]], "y", encoding=encoding), "no column"),
        (lambda: scan(np.ones((3, 2)), np.ones(3), categorical="auto"), "not supported for arrays"),
        (lambda: scan(files, "city", features=["x"], nulls="mean"), "'city' holds"),
        (lambda: list(scan(files, "y", categorical="auto")), "missing values"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
    odd = pa.table({"x": ["a"], "city": ["b"], "code": [1], "h": [1.0], "y": [1.0]})
    pq.write_table(odd, tmp_path / "9.parquet")
    with pytest.raises(ScanError, match=r"9.parquet: column 'x' holds string"):
        scan(files, "y", categorical="auto", nulls="mean")
