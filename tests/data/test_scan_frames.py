"""scan of data frames: any index, columns in chunks, files that pandas wrote, generators."""

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.feather
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge as SklearnRidge

from fastridge import (
    ElasticNet,
    ElasticNetCV,
    LassoCV,
    Ridge,
    RidgeCV,
    SGDRegressor,
    scan,
    write_predictions,
)
from fastridge.data.batches import ScanError

N = 60


def frame():
    rng = np.random.default_rng(0)
    held = pd.DataFrame({"a": rng.standard_normal(N), "b": rng.integers(0, 5, N)})
    return held.assign(y=held["a"] - 2.0 * held["b"] + 0.1 * rng.standard_normal(N))


def indices():
    """Return frames of the same columns with every kind of index."""
    held = frame()
    number = pd.Index(np.arange(N) + 0.5, name="number")
    return {
        "range": held,
        "other begin": held.set_axis(range(7, N + 7)),
        "permuted": held.set_axis(np.roll(np.arange(N), 7)),
        "not contiguous": pd.concat([held, held]).iloc[::2].iloc[: N // 2],
        "named": held.set_axis(number),
        "named as a level": held.set_axis(pd.Index(range(3, N + 3), name="__index_level_0__")),
        "text": held.set_axis([f"row {k}" for k in range(N)]),
        "named text": held.set_axis(pd.Index([f"row {k}" for k in range(N)], name="who")),
        "duplicated": held.set_axis([0] * N),
        "times": held.set_axis(pd.date_range("2020-01-01", periods=N, name="when")),
        "multi": held.set_axis(pd.MultiIndex.from_arrays([np.arange(N), number])),
    }


def check_rows(rows, held):
    assert rows.feature_names == ["a", "b"]
    batches = list(rows)
    assert_array_equal(np.concatenate([batch.X for batch in batches]), held[["a", "b"]])
    assert_array_equal(np.concatenate([batch.y for batch in batches]), held["y"])


@pytest.mark.parametrize("name", indices())
def test_scan_frame_with_any_index_has_its_columns_only(tmp_path, name):
    held = indices()[name]
    check_rows(scan(held, "y", batch_rows=16), held)
    table = pa.Table.from_pandas(held)
    check_rows(scan(table, "y", batch_rows=16), held)
    held.to_parquet(tmp_path / "one.parquet")
    pyarrow.feather.write_feather(table, str(tmp_path / "one.feather"))
    for file in ("one.parquet", "one.feather"):
        check_rows(scan(tmp_path / file, "y", batch_rows=16), held)


def test_scan_index_that_is_named_as_a_feature_is_one(tmp_path):
    held = indices()["named"]
    held.to_parquet(tmp_path / "one.parquet")
    rows = scan(tmp_path / "one.parquet", "y", features=["number", "a"])
    assert_array_equal(next(iter(rows)).X[:, 0], held.index)
    rows = scan(tmp_path / "one.parquet", "number")
    assert rows.feature_names == ["a", "b", "y"]


def test_scan_columns_in_chunks_are_read(tmp_path):
    text = frame().assign(c=np.resize(["u", "v", "w"], N))
    kinds = {
        "text": text,
        "arrow": text.convert_dtypes(dtype_backend="pyarrow"),
        "objects": text.astype({"c": object}),
        "categories": text.astype({"c": "category"}),
        "nullable": text.convert_dtypes(),
    }
    for name, one in kinds.items():
        twice = pd.concat([one.iloc[:25], one.iloc[25:], one.iloc[:7]])
        for options in ({"categorical": "auto"}, {"categorical": ["c"], "nulls": "mean"}):
            rows = scan(twice, "y", batch_rows=16, **options)
            assert rows.feature_names == ["a", "b", "c=u", "c=v", "c=w"], name
            wanted = pd.get_dummies(text.drop(columns="y"), columns=["c"]).to_numpy(float)
            wanted = np.concatenate([wanted, wanted[:7]])
            assert_array_equal(np.concatenate([batch.X for batch in rows]), wanted)
    parts = [polars.from_pandas(text.iloc[part]) for part in (slice(25), slice(25, N), slice(7))]
    rows = scan(polars.concat(parts, rechunk=False), "y", batch_rows=16, categorical="auto")
    assert_array_equal(np.concatenate([batch.X for batch in rows]), wanted)


def test_scan_object_columns_have_the_type_of_all_their_values():
    held = frame().assign(c=pd.Series([1, 2, 3] * 10 + [0.5] * 30, dtype=object))
    rows = scan(held, "y", batch_rows=16)
    assert_array_equal(np.concatenate([batch.X[:, 2] for batch in rows]), held["c"].astype(float))
    held = frame().assign(c=pd.Series([1, "2"] * 30, dtype=object))
    with pytest.raises(ScanError, match="column 'c' is of mixed types"):
        scan(held, "y", categorical="auto")


def test_scan_frame_with_column_names_that_are_not_text_uses_their_text():
    held = frame()
    numbered = held.set_axis([0, 1, "y"], axis=1)
    rows = scan(numbered, "y", batch_rows=16)
    assert rows.feature_names == ["0", "1"]
    assert_array_equal(np.concatenate([batch.X for batch in rows]), held[["a", "b"]])
    assert numbered.columns.tolist() == [0, 1, "y"]
    with pytest.raises(ValueError, match="got a Series"):
        scan(held["a"])
    with pytest.raises(ValueError, match="more than one column 'a'"):
        scan(held.set_axis(["a", "a", "y"], axis=1), "y")


def parts_of(held, columns=("a", "b")):
    """Return a function whose iterators give frames of 20 rows, each with another index."""

    def parts():
        for k, begin in enumerate(range(0, N, 20)):
            rows = held.iloc[begin : begin + 20]
            yield rows[list(columns)].set_axis(rows.index[::-1] * k), rows["y"]

    return parts


@pytest.mark.parametrize(
    "model",
    [
        Ridge(0.1),
        RidgeCV(cv=3),
        RidgeCV(method="gcv"),
        ElasticNet(0.01),
        ElasticNetCV(cv=3),
        LassoCV(cv=3),
        SGDRegressor(random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_fit_generator_of_frames_equals_that_of_arrays(model):
    held = frame()
    X, y = held[["a", "b"]].to_numpy(float), held["y"].to_numpy()
    arrays = [(X[begin : begin + 20], y[begin : begin + 20]) for begin in range(0, N, 20)]
    wanted = model.fit(scan(arrays)).coef_.copy()
    for kind in ("pandas", "nullable", "arrow", "polars", "tables"):
        parts = parts_of(held)
        if kind == "nullable":
            parts = parts_of(held.convert_dtypes())
        elif kind == "arrow":
            parts = parts_of(held.convert_dtypes(dtype_backend="pyarrow"))
        elif kind == "polars":
            own = parts_of(held)
            parts = lambda own=own: ((polars.from_pandas(X), y) for X, y in own())  # noqa: E731
        elif kind == "tables":
            own = parts_of(held)
            parts = lambda own=own: (  # noqa: E731
                (pa.Table.from_pandas(X, preserve_index=False), y) for X, y in own()
            )
        assert_allclose(model.fit(scan(parts)).coef_, wanted, rtol=1e-12, err_msg=kind)
        assert model.feature_names_in_.tolist() == ["a", "b"]


def test_scan_generator_of_frames_with_changing_columns_raises(tmp_path):
    held = frame()
    right, other = parts_of(held), parts_of(held, "ba")
    model = Ridge(1e-6).fit(scan(right))
    wanted = SklearnRidge(1e-6).fit(held[["a", "b"]], held["y"]).predict(held[["a", "b"]])
    assert_allclose(model.predict(scan(lambda: (X for X, _ in right()))), wanted, rtol=1e-8)

    def mixed():
        yield from list(right())[:1]
        yield from list(other())[1:]

    with pytest.raises(ScanError, match=r"batch 1 of the iterator has columns \['b', 'a'\]"):
        Ridge().fit(scan(mixed))
    with pytest.raises(ValueError, match=r"scan has features \['b', 'a'\]"):
        model.predict(scan(other))
    with pytest.raises(ValueError, match=r"scan has features \['b', 'a'\]"):
        write_predictions(model, scan(other), tmp_path / "p.parquet")
    with pytest.raises(ValueError, match=r"scan has features \['b', 'a'\]"):
        SGDRegressor().fit(scan(right)).predict(scan(other))
    text = held.assign(a="no number")
    with pytest.raises(ScanError, match="batch 0 of the iterator: X must hold numbers"):
        Ridge().fit(scan(parts_of(text)))
