"""Categories are values: neither unit, width nor spelling makes others of them."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from fastridge import scan
from fastridge.data.columns import to_text
from fastridge.data.feature_encoding import Encoding

UNITS = ("s", "ms", "us", "ns")
NOON = datetime.datetime(2020, 1, 1, 12)
TIMES = [NOON, datetime.datetime(1950, 2, 3, 4, 5, 6)]
NUMBERS = [1.5, 0.1, -2.0, 100.0, 0.0]
DECIMALS = [Decimal(text) for text in ("1.50", "0.10", "-2.00", "100.00", "0.00")]
SAME = {
    "timestamp": [
        pa.array(TIMES, pa.timestamp("s")).cast(pa.timestamp(unit, zone))
        for unit in UNITS
        for zone in (None, "UTC", "Europe/Oslo")
    ],
    "time": [
        pa.array([datetime.time(12), datetime.time(1, 2, 3)], dtype)
        for dtype in (*map(pa.time32, UNITS[:2]), *map(pa.time64, UNITS[2:]))
    ],
    "duration": [pa.array([1000, -5], pa.duration("s")).cast(pa.duration(unit)) for unit in UNITS],
    "date": [pa.array([1, -400], pa.date32()), pa.array([1, -400], pa.date32()).cast(pa.date64())],
    "number": [
        pa.array(DECIMALS, pa.decimal128(5, 2)),
        pa.array(DECIMALS, pa.decimal128(7, 3)),
        pa.array(DECIMALS, pa.decimal256(50, 3)),
        pa.array(NUMBERS),
        pa.array(NUMBERS, pa.float32()),
        pa.array([np.float16(number) for number in NUMBERS], pa.float16()),
    ],
}


def table(array):
    return pa.table({"x": array, "y": np.arange(float(len(array)))})


def read(rows):
    X = [batch.X.toarray() if hasattr(batch.X, "toarray") else batch.X for batch in rows]
    return np.concatenate(X)


@pytest.mark.parametrize("kind", SAME)
def test_scan_encoding_reads_equal_values_of_every_type_alike(kind):
    for option in ("categorical", "hashed"):
        for one in SAME[kind]:
            rows = scan(table(one), "y", **{option: ["x"]})
            encoding = Encoding.from_json(json.loads(json.dumps(rows.encoding.to_json())))
            assert encoding == rows.encoding
            for other in SAME[kind]:
                found = read(scan(table(other), "y", encoding=encoding))
                assert_array_equal(found, read(rows), err_msg=f"{one.type}, {other.type}")


@pytest.mark.parametrize("kind", ["timestamp", "time", "duration"])
def test_scan_encoding_reads_dictionaries_of_every_unit_alike(kind):
    first, *others = [array.dictionary_encode() for array in SAME[kind]]
    rows = scan(table(first), "y", categorical=["x"])
    for other in others:
        assert_array_equal(read(scan(table(other), "y", encoding=rows.encoding)), read(rows))


def test_to_text_gives_the_fractions_of_the_value():
    for unit in ("ms", "us", "ns"):
        at = pa.array([500, -1500, None], pa.duration("ms")).cast(pa.duration(unit))
        assert to_text(at).to_pylist() == ["0.5", "-1.5", None]
        at = pa.array([500, -1500, None], pa.timestamp("ms")).cast(pa.timestamp(unit))
        assert to_text(at).to_pylist() == ["1970-01-01 00:00:00.5", "1969-12-31 23:59:58.5", None]
    far = to_text(pa.array([10**14, 10**14 + 1, 1], pa.timestamp("s"))).to_pylist()
    assert len(set(far)) == 3
    values = [
        Decimal("0.00001"),
        Decimal(10) ** 20,
        Decimal(2**53 + 1),
        Decimal("1.00000000000000001"),
    ]
    assert to_text(pa.array(values, pa.decimal128(38, 17))).to_pylist() == [
        *to_text(pa.array([1e-5, 1e20])).to_pylist(), str(2**53 + 1), "1.00000000000000001"
    ]  # fmt: skip
    halves = pa.array([np.float16(65504), np.float16("nan"), None, np.float16("inf")], pa.float16())
    assert to_text(halves).to_pylist() == ["65504", None, None, "inf"]


def older(column, **values):
    return Encoding.from_json(
        {"columns": column, "hashed": [], "n_hashed": 0, "fills": False, **values}
    )


def test_scan_older_encoding_matches_what_it_matched():
    cases = [
        ("duration", pa.array([1000, 7], pa.duration("ms")), ["7", "1000"]),
        ("number", pa.array(DECIMALS[:2], pa.decimal128(5, 2)), ["0.10", "1.50"]),
        ("number", pa.array(np.array([1.5, 0.1], np.float16)), ["0.099975586", "1.5"]),
        ("timestamp", pa.array(TIMES, pa.timestamp("ms", "UTC")),
         ["1950-02-03 04:05:06.000Z", "2020-01-01 12:00:00.000Z"]),
    ]  # fmt: skip
    for kind, array, levels in cases:
        column = {"name": "x", "kind": kind, "levels": levels, "other": False, "missing": False}
        encoding = older([column])
        assert_array_equal(read(scan(table(array), "y", encoding=encoding)), [[0, 1], [1, 0]])
        again = Encoding.from_json(json.loads(json.dumps(encoding.to_json())))
        assert again == encoding
        assert encoding.to_json()["columns"] == [column]
        # hashed text is that of the type too
        hashed = older([], hashed=["x"], n_hashed=64, hashed_kinds=[kind])
        wanted = older([], hashed=["x"], n_hashed=64, hashed_kinds=["text"])
        texts = table(pa.array(levels[::-1]))
        assert_array_equal(
            read(scan(table(array), "y", encoding=hashed)), read(scan(texts, "y", encoding=wanted))
        )


GIVEN = [
    (pa.array([1, 2]), [1.0, "2"], ["1", "2"]),
    (pa.array([100000, 2]), ["1e5", np.int8(2)], ["100000", "2"]),
    (pa.array([1.5, 2.0]), ["1.50", Decimal("2.0")], ["1.5", "2"]),
    (pa.array([0.1, 0.5], pa.float32()), [float(np.float32(0.1)), 0.5], ["0.1", "0.5"]),
    (pa.array(DECIMALS[:2], pa.decimal128(5, 2)), [1.5, "0.1"], ["1.5", "0.1"]),
    (pa.array([True, False]), [True, np.False_], ["true", "false"]),
    (pa.array([True, False]), ["True", "FALSE"], ["true", "false"]),
    (pa.array(["7", "a"]), [7, "a"], ["7", "a"]),
    (pa.array([1, 2]).dictionary_encode(), [1.0, 2.0], ["1", "2"]),
    (pa.array([NOON]), [pd.Timestamp(NOON)], ["2020-01-01 12:00:00"]),
    (pa.array([NOON]), [NOON.replace(tzinfo=datetime.UTC)], ["2020-01-01 12:00:00"]),
    (pa.array([NOON]), ["2020-01-01T13:00+01:00"], ["2020-01-01 12:00:00"]),
    (pa.array([NOON], pa.timestamp("s", "Asia/Tokyo")), ["2020-01-01T12:00:00.000Z"],
     ["2020-01-01 12:00:00"]),
    (pa.array([NOON]), [np.datetime64("2020-01-01T12")], ["2020-01-01 12:00:00"]),
    (pa.array([NOON.date()]), [pd.Timestamp("2020-01-01")], ["2020-01-01"]),
    (pa.array([NOON.date()]), ["2020-01-01 00:00:00"], ["2020-01-01"]),
    (pa.array([NOON.time()]), [datetime.time(12)], ["12:00:00"]),
    (pa.array([NOON.time()], pa.time32("s")), ["12:00:00.0"], ["12:00:00"]),
    (pa.array([1500], pa.duration("ms")), [pd.Timedelta("1.5s")], ["1.5"]),
    (pa.array([2], pa.duration("s")), ["2.0"], ["2"]),
]  # fmt: skip


@pytest.mark.parametrize(("array", "levels", "texts"), GIVEN)
def test_scan_given_categories_are_values_of_their_column(array, levels, texts):
    rows = scan(table(array), "y", categorical={"x": levels})
    assert rows.feature_names == [f"x={text}" for text in texts]
    assert_array_equal(read(rows), np.eye(len(texts)))


REFUSED = [
    (pa.array([1, 2]), 1.5),
    (pa.array([1, 2]), True),
    (pa.array([1, 2]), "a"),
    (pa.array([1, 2], pa.int8()), 300),
    (pa.array([1, 2]), "1e999"),
    (pa.array([1.0], pa.float32()), 1e39),
    (pa.array([1.0]), 1j),
    (pa.array([1.0]), float("inf")),
    (pa.array(DECIMALS, pa.decimal128(5, 2)), 1.123),
    (pa.array([True]), 2),
    (pa.array(["a"]), 1.0),
    (pa.array(["a"]), b"a"),
    (pa.array([NOON]), "1 January 2020"),
    (pa.array([NOON]), "2020-13-01"),
    (pa.array([NOON]), 5),
    (pa.array([NOON], pa.timestamp("s")), "2020-01-01T12:00:00.5"),
    (pa.array([NOON.date()]), NOON),
    (pa.array([NOON.time()]), "25:00"),
    (pa.array([1], pa.duration("ms")), 1),
]


@pytest.mark.parametrize(("array", "level"), REFUSED)
def test_scan_given_impossible_categories_raises(array, level):
    with pytest.raises(ValueError, match="cannot be a value of column 'x', which holds"):
        scan(table(array), "y", categorical={"x": [level]})


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ("ab", r"column 'x' needs a list of categories, got 'ab'"),
        (5, r"column 'x' needs a list of categories, got 5"),
        ([], r"column 'x' has an empty list"),
        ([1, None], r"None is no category of column 'x'"),
        ([1, float("nan")], r"nan is no category of column 'x'"),
        ([1, pd.NaT], r"NaT is no category of column 'x'"),
        ([np.datetime64("NaT")], r"NaT.* is no category of column 'x'"),
        ([1, 2, 1.0], r"1 and 1.0 are one category of column 'x', '1'"),
    ],
)
def test_scan_given_useless_categories_raises(levels, message):
    with pytest.raises(ValueError, match=message):
        scan(table(pa.array([1, 2])), "y", categorical={"x": levels})


def test_scan_given_categories_of_csv_have_the_type_of_the_column(tmp_path):
    cases = [
        ("1.5 2.5", ["1.50", "2.5"], ["1.5", "2.5"]),
        ("100000 2", ["1e5", "2.0"], ["100000", "2"]),
        ("true false", ["True", False], ["true", "false"]),
        ("00501 00502", ["00501", "00502"], ["00501", "00502"]),
        ("501 502", ["501", "A1", "502"], ["501", "A1", "502"]),
        ("2020-01-01T12:00:00 2020-01-01T13:00:00", [NOON], ["2020-01-01 12:00:00"]),
    ]
    for values, levels, texts in cases:
        rows = "".join(f"{value},{k}\n" for k, value in enumerate(values.split()))
        (tmp_path / "a.csv").write_text("x,y\n" + rows)
        made = scan(tmp_path / "a.csv", "y", categorical={"x": levels})
        assert made.feature_names == [f"x={text}" for text in texts]
        assert read(made).sum() == len(values.split()) - (levels == [NOON])
