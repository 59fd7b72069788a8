"""A file means the same to `scan` and to the command line: features, bit for bit."""

import bz2
import datetime
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from fastridge import Ridge, load, scan
from fastridge.data.batches import ScanError
from fastridge.data.splitting import Split

pytest.importorskip("rich")

from fastridge.cli import main
from fastridge.cli.arguments import build_parser
from fastridge.cli.fitting import prepare
from fastridge.cli.progress import Stages
from fastridge.data.scan import Scan

N = 200


def columns(n=N, seed=0):
    """Numbers, flags, dates, times and text, most of them with gaps, and the target y."""
    rng = np.random.default_rng(seed)
    gaps = rng.random(n) < 0.1
    x = rng.standard_normal(n)
    start = datetime.datetime(2020, 1, 1)
    when = [start + datetime.timedelta(hours=int(k)) for k in rng.integers(0, 999, n)]
    return {
        "x": pa.array(x, mask=gaps),
        "n": rng.integers(0, 9, n),
        "city": pa.array(rng.choice(["Oslo", "Rome", "a,b", 'q"'], n), mask=rng.random(n) < 0.1),
        "flag": rng.random(n) < 0.4,
        "day": pa.array([one.date() for one in when]),
        "when": pa.array(when, pa.timestamp("s")),
        "same": np.ones(n),
        "y": pa.array(x + rng.standard_normal(n), mask=rng.random(n) < 0.05),
    }


def as_csv(table, **options):
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(**options))
    return sink.getvalue().to_pybytes()


def csv_lines(header, rows):
    return ("\n".join([header, *rows]) + "\n").encode()


def parquet(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def odd_files(folder):
    """Yield name, source and further options of the command line for odd files."""
    table = pa.table(columns())
    text = as_csv(table)

    def written(name, data):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    yield "csv", written("plain.csv", text)
    yield "no ending", written("plain", text)
    yield "semicolons", written("semicolon.csv", as_csv(table, delimiter=";"))
    other = [f"{k % 11},{k % 3};{k % 2},{k}" for k in range(N)]
    yield "other delimiters in names", written("names.csv", csv_lines("a|b|c|d,x;z,y", other))
    yield "tabs named csv", written("tabs.csv", as_csv(table, delimiter="\t"))
    yield (
        "CR LF and a byte order mark",
        written("bom.csv", b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")),
    )
    yield "gzip", written("a.csv.gz", gzip.compress(text))
    yield "gzip named csv", written("gzip.csv", gzip.compress(text))
    yield "bzip2 without an ending", written("bz2", bz2.compress(text))
    yield "zstd", written("a.csv.zst", pa.compress(text, "zstd", asbytes=True))
    parquet(folder / "named.csv", table, row_group_size=30)
    yield "Parquet named csv", folder / "named.csv"
    pyarrow.feather.write_feather(table, str(folder / "a.feather"), chunksize=37)
    yield "feather", folder / "a.feather"
    with (
        pa.OSFile(str(folder / "stream"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=41)
    yield "Arrow stream", folder / "stream"
    marks = ["NA", "", "?", "NaN", "null", "n/a"]
    cells = [
        (marks[k % 6] if k % 4 == 0 else k, marks[k % 6] if k % 9 == 0 else "v", k % 7)
        for k in range(N)
    ]
    lines = [",".join(map(str, row)) for row in cells]
    yield "marks", written("marks.csv", csv_lines("x,c,y", lines))
    late = [f"{k},{k % 3},{k % 7}" for k in range(N)]
    late += [f"{k}.5,A{k % 3},{k % 7}.25" for k in range(N)]
    yield "types that change late", written("late.csv", csv_lines("x,c,y", late))
    begins = [f"{k},,{k % 7}" for k in range(N)] + [f"{k},{k % 5}.5,{k % 7}" for k in range(N)]
    yield "a column that begins empty", written("begins.csv", csv_lines("x,c,y", begins))
    quoted = [f'{k},"two\r\nlines, {k % 2}",{k % 7}' for k in range(N)]
    yield "lines inside quotes", written("quoted.csv", csv_lines("x,c,y", quoted))
    for k in range(3):
        some = pa.table(columns(seed=k))
        parquet(folder / "keys" / f"k={k}" / f"z=a{k % 2}" / "a.parquet", some)
        written(f"texts/k=0{k}/a.csv", as_csv(some))
    (folder / "keys" / "README.txt").write_text("no data\n")
    (folder / "keys" / "_SUCCESS").write_text("")
    yield "keys of folders", folder / "keys"
    yield "a pattern over folders", f"{folder}/keys/*/*/*.parquet"
    yield "keys and csv", folder / "texts"
    whole = columns()
    for k, unit in enumerate(("s", "us", "ns")):
        other = {**whole, "when": whole["when"].cast(pa.timestamp(unit))}
        other["n"] = pa.array(whole["n"]).cast([pa.int8(), pa.float32(), pa.int64()][k])
        parquet(folder / "units" / f"{k}.parquet", pa.table(other))
    yield "other units and widths", folder / "units"
    parquet(folder / "empty" / "0.parquet", pa.table({**whole, "x": pa.nulls(N)}))
    parquet(folder / "empty" / "1.parquet", table)
    yield "a column without values in one file", folder / "empty"
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": np.arange(50.0), "y": np.arange(50.0) ** 2})
    frame.set_axis(pandas.Index(np.roll(np.arange(50), 7), name="row")).to_parquet(
        folder / "pandas.parquet"
    )
    yield "an index of pandas", folder / "pandas.parquet"


def features_of_command(source, *words):
    words = ["fit", str(source), "--target", "y", *map(str, words)]
    task = prepare(build_parser().parse_args(words), Stages())
    return gathered(Scan(task.rows.rows_of("training"), None)), task


def gathered(rows):
    batches = list(rows)
    return [
        None if part[0] is None else np.concatenate(part) for part in zip(*batches, strict=True)
    ]


def test_scan_odd_files_have_the_features_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("fastridge.data.csv_file.CSV_BLOCK", 512)
    n_files = 0
    for name, source in odd_files(tmp_path):
        n_files += 1
        rows = scan(source, "y", infer=True, fold=Split(3, 0.2, 5), categorical=())
        (X, y, _, fold, _), task = features_of_command(source, "--seed", 3)
        found = gathered(rows)
        assert rows.feature_names == task.rows.feature_names, name
        assert rows.encoding.report == [
            choice for choice in task.schema.choices if choice[0] != "files"
        ], name
        assert_array_equal(found[0], X, err_msg=name)
        assert_array_equal(found[1], y, err_msg=name)
        assert_array_equal(found[3], fold, err_msg=name)
        assert not np.isnan(found[0]).any(), name
        held_out = gathered(rows.held_out)
        assert_array_equal(held_out[0], gathered(Scan(task.rows.rows_of("held out"), None))[0])
        # and the encoding of one reads other rows as the other does
        again = gathered(scan(source, "y", encoding=rows.encoding))
        both = np.concatenate([found[0], held_out[0]])
        assert_array_equal(np.sort(again[0], axis=0), np.sort(both, axis=0), err_msg=name)
    assert n_files == 23


def test_scan_and_an_estimator_are_the_fit_of_the_command_line(tmp_path, capsys):
    pq.write_table(pa.table(columns()), tmp_path / "a.parquet")
    words = ["fit", tmp_path / "a.parquet", "--target", "y", "--test-size", 0, "--alpha", 2]
    words += ["--categorical", "n", "--max-categories", 5, "--save", tmp_path / "m"]
    assert main([str(word) for word in words]) == 0
    rows = scan(
        tmp_path / "a.parquet",
        "y",
        infer=True,
        categorical=["n"],
        max_categories=5,
        fold=Split(0, 0.0, 5),
    )
    wanted = load(tmp_path / "m")
    model = Ridge(2.0, standardize=True).fit(rows)
    assert model.feature_names_in_.tolist() == wanted.feature_names_in_.tolist()
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-10)
    assert "same: constant" in dict(rows.encoding.report)["left out"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: (d / "a.csv").write_bytes(b""), "is empty"),
        (lambda d: (d / "a.csv").write_bytes(bytes(range(256))), "is not a Parquet, CSV"),
        (lambda d: (d / "a.csv").write_bytes(b"PAR1" + bytes(99)), "cannot be read as Parquet"),
        (lambda d: (d / "a.csv").write_bytes(b"x,x,y\n1,2,3\n"), "more than one column named 'x'"),
        (lambda d: (d / "a.csv").write_bytes(b"x,y\n1,2\n1,2,3\n"), "Expected 2 columns, got 3"),
        (lambda d: (d / "a.csv").write_bytes(b"x,y\n"), "has no rows"),
        (lambda d: (d / "a.csv").write_bytes(b"x,y\n1,1\n2,1\n"), "'y' is constant"),
        (lambda d: (d / "a.csv").write_bytes(b"x,y\n1,a\n2,b\n"), "'y' holds text, not numbers"),
        (lambda d: None, "does not exist"),
        (lambda d: (d / "a.csv").mkdir(), "holds no files"),
    ],
)
def test_scan_and_the_command_line_refuse_the_same_files(tmp_path, capsys, make, message):
    make(tmp_path)
    path = tmp_path / "a.csv"
    with pytest.raises(ScanError, match=message):
        list(scan(path, "y", infer=True))
    assert main(["fit", str(path), "--target", "y"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_scan_files_of_other_formats_are_refused_by_content(tmp_path, capsys):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.csv").write_text("x,y\n1,2\n")
    pq.write_table(pa.table({"x": [1], "y": [2]}), tmp_path / "d" / "b.csv")
    with pytest.raises(ScanError, match="of one format, got CSV, Parquet"):
        scan(tmp_path / "d", "y")
    assert main(["fit", str(tmp_path / "d"), "--target", "y"]) == 2
    assert "of one format" in capsys.readouterr().err


def test_scan_infer_is_refused_with_what_it_decides(tmp_path):
    frame = pa.table({"x": [1.0, 2.0], "y": [1.0, 3.0]})
    for options in ({"hashed": ["x"]}, {"categorical": {"x": [1]}}):
        with pytest.raises(ValueError, match="infer finds the categories"):
            scan(frame, "y", infer=True, **options)
    with pytest.raises(ValueError, match="infer is not .* for arrays"):
        scan(np.ones((3, 2)), np.ones(3), infer=True)
