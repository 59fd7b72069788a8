"""Columns whose types differ from file to file: one type for all, or an error that names both."""

import itertools
import json

import numpy as np
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import Ridge, scan
from fastridge.data.batches import ScanError
from fastridge.data.columns import to_text
from fastridge.data.feature_encoding import Encoding

NUMBERS = {
    "bool": pa.array([True, False]),
    "int8": pa.array([-3, 2], pa.int8()),
    "int64": pa.array([7, 2**53 + 1], pa.int64()),
    "uint64": pa.array([2**63 + 5, 4], pa.uint64()),
    "half": pa.array(np.array([1.5, 2.0], np.float16)),
    "float32": pa.array([0.1, 3e38], pa.float32()),
    "float64": pa.array([1e300, 0.1]),
    "decimal": pa.array([1, 2], pa.int64()).cast(pa.decimal128(22, 2)),
}
TEXT = {
    "string": pa.array(["a", "b"]),
    "large string": pa.array(["a", "b"], pa.large_string()),
    "dictionary": pa.array(["a", "b"]).dictionary_encode(),
}
TIMES = {
    "date": pa.array([1, 2], pa.date32()),
    "timestamp": pa.array([10**15, 2], pa.timestamp("us")),
}
EVERY = {**NUMBERS, **TEXT, **TIMES}
EMPTY = pa.nulls(2)


def folder_of(path, *columns, kind="parquet"):
    """Write a file for each column x, next to a column y."""
    path.mkdir(exist_ok=True)
    for k, column in enumerate(columns):
        table = pa.table({"x": column, "y": np.arange(2.0) + k})
        if kind == "parquet":
            pq.write_table(table, path / f"{k}.parquet")
        else:
            pyarrow.feather.write_feather(table, str(path / f"{k}.feather"))
    return path


def csv_folder(path, *texts):
    """Write a CSV file for each text, one value of x for each line of it."""
    path.mkdir(exist_ok=True)
    for k, text in enumerate(texts):
        lines = [f"{value},{row}" for row, value in enumerate(text.split())]
        (path / f"{k}.csv").write_text("\n".join(["x,y", *lines, ""]).replace("_", ""))
    return path


def features(rows):
    return np.concatenate([batch.X for batch in rows])


def texts(rows):
    """Return the category of each row."""
    names = np.array([name.removeprefix("x=") for name in rows.feature_names])
    X = features(rows)
    assert_array_equal(X.sum(axis=1), 1.0)
    return names[X.argmax(axis=1)].tolist()


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_scan_numbers_of_other_types_keep_their_values(tmp_path, kind):
    for first, second in itertools.product(NUMBERS, NUMBERS):
        if kind == "feather" and "half" in (first, second):
            continue
        held = NUMBERS[first].to_pylist() + NUMBERS[second].to_pylist()
        wanted = np.array([float(value) for value in held])
        where = folder_of(tmp_path / "d", NUMBERS[first], NUMBERS[second], kind=kind)
        for nulls in ("error", "mean") if kind == "parquet" else ("error",):
            found = features(scan(where, "y", nulls=nulls))[:, 0]
            assert_array_equal(found, wanted, err_msg=f"{first}, {second}")


def test_ridge_flags_before_integers_in_a_folder_has_their_coefficient(tmp_path):
    rng = np.random.default_rng(0)
    flags, counts = rng.random(50) < 0.5, rng.integers(0, 9, 50)
    for k, x in enumerate((flags, counts)):
        pq.write_table(pa.table({"x": x, "y": 2.0 * x}), tmp_path / f"{k}.parquet")
    assert_allclose(Ridge(1e-9).fit(scan(tmp_path, "y")).coef_, [2.0], rtol=1e-9)
    # targets, weights and folds too
    rows = scan(tmp_path, "x", features=["y"])
    wanted = np.concatenate([flags, counts]).astype(float)
    assert_array_equal(np.concatenate([batch.y for batch in rows]), wanted)
    rows = scan(tmp_path, "y", filter=pyarrow.dataset.field("x") > 1.5)
    with pytest.raises(ScanError, match=r"0.parquet cannot be read \(its columns and the filter\)"):
        list(rows)


def test_scan_filter_compares_the_values_that_each_file_has(tmp_path):
    where = folder_of(tmp_path, NUMBERS["int8"], NUMBERS["float64"])
    rows = scan(where, "y", filter=pyarrow.dataset.field("x") > 0.05)
    assert_array_equal(features(rows)[:, 0], [2.0, 1e300, 0.1])


def test_scan_incompatible_types_raise_with_file_and_column(tmp_path):
    refused = 0
    for first, second in itertools.permutations(EVERY, 2):
        kinds = [next(k for k, d in enumerate((NUMBERS, TEXT, TIMES)) if n in d)
                 for n in (first, second)]  # fmt: skip
        if kinds[0] == kinds[1]:
            continue
        where = folder_of(tmp_path / "d", EVERY[first], EVERY[second])
        for options in ({"nulls": "mean", "categorical": "auto"}, {"categorical": ["x"]}):
            with pytest.raises(ScanError, match=r"1.parquet: column 'x' holds .*0.parquet has"):
                list(scan(where, "y", **options))
            refused += 1
    assert refused == 2 * 2 * (8 * 3 + 8 * 2 + 3 * 2)


@pytest.mark.parametrize("empty", [0, 1])
def test_scan_a_column_without_values_in_one_file_is_missing_there(tmp_path, empty):
    for name, column in EVERY.items():
        where = folder_of(tmp_path / "d", *([EMPTY, column] if empty == 0 else [column, EMPTY]))
        rows = scan(where, "y", categorical="auto", nulls="mean")
        X = features(rows)
        assert rows.feature_names[-1] in ("x missing", "x=(missing)"), name
        assert_array_equal(X[:, -1], np.repeat([1.0, 0.0] if empty == 0 else [0.0, 1.0], 2))
        if name in NUMBERS:
            assert len(features(scan(where, "y", nulls="drop"))) == 2
            with pytest.raises(ScanError, match=rf"{empty}.parquet, row 0: column 'x' has missing"):
                list(scan(where, "y"))


def test_scan_codes_of_other_number_types_are_the_same_categories(tmp_path):
    big = 2**53
    where = folder_of(tmp_path, pa.array([1, 123456789012345]), pa.array([123456789012345.0, 1.0]))
    assert texts(scan(where, "y", categorical=["x"])) == [
        "1", "123456789012345", "123456789012345", "1"
    ]  # fmt: skip
    where = folder_of(tmp_path, pa.array([big, big + 1]), pa.array([big + 1, big], pa.uint64()))
    found = texts(scan(where, "y", categorical=["x"]))
    assert found == [str(big), str(big + 1), str(big + 1), str(big)]
    where = folder_of(tmp_path, NUMBERS["bool"], NUMBERS["int8"])
    with pytest.raises(ScanError, match=r"1.parquet: column 'x' holds int8"):
        scan(where, "y", categorical=["x"])


def test_to_text_whole_numbers_have_one_text_whatever_their_type():
    values = [0, 1, -7, 10**7, 10**14, 123456789012345, 2**53]
    wanted = [str(value) for value in values]
    assert to_text(pa.array(values)).to_pylist() == wanted
    assert to_text(pa.array([float(v) for v in values])).to_pylist() == wanted
    assert to_text(pa.array([-0.0, np.nan, 0.5, 1e300, None])).to_pylist() == [
        "0", None, "0.5", "1e+300", None
    ]  # fmt: skip
    assert to_text(pa.array(np.array([2.0, 0.5], np.float16))).to_pylist() == ["2", "0.5"]


def test_scan_csv_files_that_look_different_are_read_alike(tmp_path):
    cases = [
        ("true false", "3 1.5", [1.0, 0.0, 3.0, 1.5]),
        ("3 1", "true false", [3.0, 1.0, 1.0, 0.0]),
        ("1 2", "1e300 0.1", [1.0, 2.0, 1e300, 0.1]),
        ("9007199254740993", "0.1", [9007199254740992.0, 0.1]),
    ]
    for one, two, wanted in cases:
        where = csv_folder(tmp_path / "d", one, two)
        assert_array_equal(features(scan(where, "y"))[:, 0], wanted)
    # codes are text in all files as soon as one has a letter, whichever comes first
    for one, two in (("00501 00502", "A1 00501"), ("A1 00501", "00501 00502")):
        where = csv_folder(tmp_path / "d", one, two)
        for categorical in ("auto", ["x"]):
            found = texts(scan(where, "y", categorical=categorical))
            assert found == f"{one} {two}".split()
        with pytest.raises(ScanError, match="column 'x' holds"):
            scan(where, "y")
    where = csv_folder(tmp_path / "d", "true false", "1 0")
    assert texts(scan(where, "y", categorical=["x"])) == ["true", "false", "1", "0"]
    for one, two in (("_ _", "5 6"), ("5 6", "_ _")):
        where = csv_folder(tmp_path / "d", one, two)
        assert_array_equal(features(scan(where, "y", nulls="drop"))[:, 0], [5.0, 6.0])
        assert features(scan(where, "y", nulls="mean"))[:, 0].tolist().count(5.5) == 2
        X = features(scan(where, "y", nulls="mean", categorical=["x"]))
        assert_array_equal(X.sum(axis=0), [1.0, 1.0, 2.0])


def test_scan_csv_column_that_begins_empty_may_have_numbers_later(tmp_path):
    n = 300_000
    lines = ["x,y", *(f",{k % 7}" for k in range(n)), "2.5,1", "3.5,2", ""]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert_array_equal(features(scan(tmp_path / "a.csv", "y", nulls="drop"))[:, 0], [2.5, 3.5])


def test_scan_dataset_with_chosen_types_keeps_them_for_csv(tmp_path):
    where = csv_folder(tmp_path, "00501 00502", "00501 00503")
    schema = pa.schema([("x", pa.string()), ("y", pa.float64())])
    rows = pyarrow.dataset.dataset(str(where), format="csv", schema=schema)
    found = texts(scan(rows, "y", categorical="auto"))
    assert found == ["00501", "00502", "00501", "00503"]


@pytest.mark.parametrize("option", ["categorical", "hashed"])
def test_scan_encoding_reads_text_codes_as_text(tmp_path, option):
    train = csv_folder(tmp_path / "train", "00501 A1 00502 00501")
    other = csv_folder(tmp_path / "other", "00502 00501 00501")
    rows = scan(train, "y", **{option: ["x"]})
    encoding = Encoding.from_json(json.loads(json.dumps(rows.encoding.to_json())))
    assert encoding == rows.encoding
    made = scan(other, "y", encoding=encoding)
    together = scan(csv_folder(tmp_path / "both", "00501 A1 00502 00501", "00502 00501 00501"),
                    "y", **{option: ["x"]})  # fmt: skip
    wanted = list(together)[-1].X
    found = next(iter(made)).X
    if option == "hashed":
        wanted, found = wanted.toarray(), found.toarray()
    assert_array_equal(found, wanted[-3:])
    # what has no such text any more is refused
    numbers = pa.table({"x": [502, 501, 501], "y": [0.0, 1.0, 2.0]})
    pq.write_table(numbers, tmp_path / "n.parquet")
    for source in (numbers, numbers.to_pandas(), polars.from_arrow(numbers)):
        with pytest.raises(ScanError, match=r"the table: column 'x' holds int64.*text"):
            scan(source, "y", encoding=encoding)
    with pytest.raises(ScanError, match=r"n.parquet: column 'x' holds int64.*text"):
        scan(tmp_path / "n.parquet", "y", encoding=encoding)


def test_scan_encoding_of_other_kinds_is_kept_or_rejected(tmp_path):
    flags = csv_folder(tmp_path / "flags", "true false true")
    encoding = scan(flags, "y", categorical=["x"]).encoding
    other = scan(csv_folder(tmp_path / "other", "1 0 0"), "y", encoding=encoding)
    assert texts(other) == ["true", "false", "false"]
    codes = scan(csv_folder(tmp_path / "codes", "501 502 501"), "y", categorical=["x"]).encoding
    with pytest.raises(ScanError, match=r"0.csv, line 2: column 'x' holds 'A1', not a number"):
        list(scan(csv_folder(tmp_path / "other", "A1 00501"), "y", encoding=codes))
    assert texts(scan(csv_folder(tmp_path / "other", "501 502"), "y", encoding=codes)) == [
        "501", "502"
    ]  # fmt: skip
    numbers = scan(csv_folder(tmp_path / "codes", "1.5 _ 2"), "y", nulls="mean").encoding
    with pytest.raises(ScanError, match=r"csv, line .: column 'x' holds 'x', not a number"):
        list(scan(csv_folder(tmp_path / "other", "1 x 3"), "y", encoding=numbers))
    X = features(scan(csv_folder(tmp_path / "other", "true false _"), "y", encoding=numbers))
    assert_array_equal(X, [[1.0, 0.0], [0.0, 0.0], [1.75, 1.0]])
    X = features(scan(csv_folder(tmp_path / "other", "_ _"), "y", encoding=numbers))
    assert_array_equal(X, [[1.75, 1.0], [1.75, 1.0]])


def test_scan_given_categories_with_leading_zeros_are_read_as_text(tmp_path):
    where = csv_folder(tmp_path, "00501 00502 501")
    rows = scan(where, "y", categorical={"x": ["00501", "00502", "501"]})
    assert texts(rows) == ["00501", "00502", "501"]
    rows = scan(where, "y", categorical={"x": [501, 502]})
    assert texts(rows) == ["501", "502", "501"]


@pytest.mark.parametrize("dtype", [polars.String, polars.Categorical, polars.Enum(["a", "b"])])
def test_scan_polars_text_is_read_and_left_out_by_row(tmp_path, dtype):
    x = polars.Series(["a", "b", None, "a"], dtype=dtype)
    frame = polars.DataFrame({"x": x, "y": [1.0, 2.0, 3.0, None]})
    frame.write_ipc(tmp_path / "p.arrow")
    frame.write_parquet(tmp_path / "p.parquet")
    for source in (tmp_path / "p.arrow", tmp_path / "p.parquet", frame):
        assert texts(scan(source, "y", categorical="auto", nulls="drop")) == ["a", "b"]
        assert texts(scan(source, categorical={"x": ["a", "b"]}, features=["x"], nulls="drop")) == [
            "a", "b", "a"
        ]  # fmt: skip
    filled = scan(tmp_path / "p.arrow", "y", categorical="auto", nulls="mean")
    assert filled.feature_names == ["x=a", "x=b", "x=(missing)"]
    hashed = next(iter(scan(frame, "y", hashed=["x"], nulls="drop"))).X
    assert hashed.shape == (2, 1024)


def test_scan_encoding_reads_keys_of_folders_as_text(tmp_path):
    for where, keys in (("train", ("A1", "00501")), ("other", ("00501", "501"))):
        for k, key in enumerate(keys):
            (tmp_path / where / f"x={key}").mkdir(parents=True)
            pq.write_table(pa.table({"y": [float(k)]}), tmp_path / where / f"x={key}" / "a.parquet")
    rows = scan(tmp_path / "train", "y", categorical=["x"])
    assert rows.feature_names == ["x=00501", "x=A1"]
    other = scan(tmp_path / "other", "y", encoding=rows.encoding)
    assert_array_equal(features(other), [[1.0, 0.0], [0.0, 0.0]])
    rows = scan(tmp_path / "other", "y", categorical={"x": ["501", "00501"]})
    assert texts(rows) == ["00501", "501"]
