"""Odd files: `scan` and the command line read the same, or refuse alike; see `both_readers`."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("rich")

from both_readers import RNG, K, N, X, Y, both, lines, refused, train, with_cell, words_of

from fastridge import load, scan
from fastridge.cli import main, training
from fastridge.data.batches import ScanError
from fastridge.data.splitting import Split


def test_predict_reads_files_as_the_fit_did_and_names_bad_values(tmp_path, capsys):
    path, model = tmp_path / "a.csv", str(tmp_path / "m")
    text = lines(lambda k: f'"{1e4 * X[k]:,.2f}";{K[k]};{Y[k]}'.replace(".", ","), header="x;z;y")
    path.write_bytes(text.replace(b",", b"'", 0))
    words = ["--target", "y", "--decimal", ",", "--numeric", "x", "--na-values", "gap"]
    path.write_bytes(lines(lambda k: f"{X[k]}%;{K[k]};{Y[k]}".replace(".", ","), header="x;z;y"))
    assert main(["fit", str(path), *words, "--save", model]) == 0
    capsys.readouterr()
    assert main(["predict", model, str(path)]) == 0
    found = capsys.readouterr().out.splitlines()
    assert len(found) == N + 1
    path.write_bytes(b"z;x\n1;gap\n0;1,5 %\n")
    assert main(["predict", model, str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    path.write_bytes(b"z;x;other\n1;1;2\n0;oops;bad\n")
    assert main(["predict", model, str(path)]) == 2
    err = capsys.readouterr().err
    assert "a.csv, line 3: column 'x' holds 'oops', not a number: give --na-values oops" in err
    assert "--categorical" not in err
    assert main(["predict", model, str(path), "--na-values", "oops"]) == 0


def test_readers_text_of_numbers_in_a_table_is_named(tmp_path, capsys):
    path = tmp_path / "a.parquet"
    texts = [str(x) for x in X]
    pq.write_table(pa.table({"x": texts, "y": Y}), path)
    refused(path, capsys, "column 'x' is text, but each of its", ("categorical", "--categorical x"))
    codes = [f"{k:05d}" for k in range(N // 2)] * 2
    pq.write_table(pa.table({"x": codes, "y": Y}), path)
    assert len(both(path)[1]) == 101


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_readers_compressed_files_that_are_no_text_are_named(tmp_path, capsys, ending):
    path = tmp_path / f"a.{ending}"
    pq.write_table(pa.table({"x": X, "y": Y}), path)
    content = path.read_bytes() if ending == "parquet" else b"1 1:2 3:4\n0 1:1\n"
    path.write_bytes(gzip.compress(content))
    refused(path, capsys, "is a compressed Parquet, Arrow or svmlight file: unpack it")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_readers_infinite_numbers_are_named(tmp_path, capsys, ending):
    path = tmp_path / f"a.{ending}"
    x = np.where(np.arange(N) == 150, np.inf, X)
    if ending == "csv":
        path.write_bytes(with_cell("-Inf"))
    else:
        pq.write_table(pa.table({"x": x, "y": Y}), path)
    where = "a.csv, line 152" if ending == "csv" else "a.parquet, row 150"
    refused(path, capsys, f"{where}: column 'x' holds an infinite number")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_readers_whole_numbers_beyond_float64_are_named(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    columns = {"x": 2**60 + np.arange(N) % 2, "z": 2**53 + np.arange(N), "y": Y}
    if ending == "csv":
        path.write_bytes(lines(lambda k: ",".join(str(c[k]) for c in columns.values())))
    else:
        pq.write_table(pa.table(columns), path)
    _, names, _, report = both(path)
    assert names == ["z"]
    assert report["numbers"] == "z (rounded, as whole numbers beyond 2^53)"
    assert report["left out"] == "x: constant as float64, which rounds whole numbers beyond 2^53"


def test_readers_a_file_that_changes_between_passes_is_noticed(tmp_path, capsys, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},{Y[k]}"))
    rows = scan(path, "y", infer=True)
    list(rows)
    with path.open("ab") as file:
        file.write(b"1,2,3\n")
    with pytest.raises(ScanError, match=r"a.csv changed since it was opened"):
        list(rows)
    accumulate = training.accumulate

    def writing(*args):
        with path.open("ab") as file:
            file.write(b"1,2,3\n")
        return accumulate(*args)

    monkeypatch.setattr(training, "accumulate", writing)
    assert main(["fit", str(path), "--target", "y"]) == 2
    assert "a.csv changed since it was opened" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["svmlight", "array", "target"])
def test_scan_a_file_of_arrays_or_svmlight_that_changes_between_passes_is_noticed(tmp_path, kind):
    path = tmp_path / ("a.svm" if kind == "svmlight" else "a.npy")
    if kind == "svmlight":
        path.write_text("".join(f"{Y[k]} 1:{X[k]}\n" for k in range(N)))
        rows = scan(path)
    else:
        np.save(path, X[:, None] if kind == "array" else Y)
        rows = scan(path, Y) if kind == "array" else scan(X[:, None], path)
    known = rows._source.identity()
    list(rows)
    with path.open("ab") as file:
        file.write(b"1 1:2\n")
    with pytest.raises(ScanError, match=r"changed since it was opened"):
        list(rows)
    again = scan(path) if kind == "svmlight" else scan(path, Y) if kind == "array" else None
    again = scan(X[:, None], path) if again is None else again
    assert again._source.identity() != known


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_readers_keys_of_folders_are_columns_of_single_files_too(tmp_path, capsys, ending):
    folder, model = tmp_path / "d", str(tmp_path / "m")
    for k in range(3):
        for c in "ab":
            path = folder / f"k={k}" / f"c={c}" / f"a.{ending}"
            path.parent.mkdir(parents=True)
            noise = RNG.standard_normal(N)
            y = X + k + 2 * (c == "b") + 0.01 * noise
            if ending == "csv":
                path.write_bytes(lines(lambda row, y=y: f"{X[row]},{y[row]}", header="x,y"))
            else:
                pq.write_table(pa.table({"x": X, "y": y}), path)
    names = ["x", "k", "c=a", "c=b"]
    rows = scan(folder, "y", infer=True)
    assert rows.feature_names == names
    assert main(["fit", str(folder), "--target", "y", "--save", model]) == 0
    for source in (path, str(path), [path], folder / "k=2" / "c=b", f"{folder}/k=2/c=b/*"):
        again = next(iter(scan(source, "y", encoding=rows.encoding)))
        assert_array_equal(again.X, np.column_stack([X, [2.0] * N, [0.0] * N, [1.0] * N]))
        report = dict(scan(source, "y", infer=True).encoding.report)
        assert report["left out"] == "k, c: constant"
    capsys.readouterr()
    for source in (path, folder / "k=2", f"{folder}/k=2/*/*.{ending}"):
        assert main(["predict", model, str(source)]) == 0
        assert float(capsys.readouterr().err.split("RMSE ")[1]) < 0.02


@pytest.mark.parametrize("name", ["data", "a.txt", "a.data", "a.dat", "part-00000"])
def test_readers_files_of_any_ending_in_a_folder_are_read(tmp_path, name):
    folder = tmp_path / "d"
    folder.mkdir()
    table = pa.table({"x": X, "z": K, "y": Y})
    pq.write_table(table, folder / name)
    assert both(folder)[1] == ["x", "z"]
    (folder / name).write_bytes(
        gzip.compress(lines(lambda k: f"{X[k]}\t{K[k]}\t{Y[k]}", "x\tz\ty"))
    )
    assert both(folder)[1] == ["x", "z"]
    assert both(folder / name)[1] == ["x", "z"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["x  z\ty", None])
def test_readers_columns_separated_by_blanks_are_read(tmp_path, capsys, newline, header):
    path = tmp_path / "a.data"
    text = lines(lambda k: f" {X[k]:>12} {K[k]}   {'' if k % 7 else ' '}{Y[k]} ", header=header)
    path.write_bytes(text.replace(b"\t", b"  ").replace(b"\n", newline.encode()))
    options = {} if header else {"header": False, "target": "-1"}
    if not header:
        refused(path, capsys, "seems to have no header", target="2")
    features, names, y, _ = both(path, **options)
    assert names == (["x", "z"] if header else ["0", "1"])
    assert_array_equal(features, np.column_stack([train(X), train(K)]))
    assert_array_equal(y, train(Y))
    text = lines(lambda k: f'"a  {k % 2}"  {X[k]}  {Y[k]}', header="c x y")
    path.write_bytes(text)
    assert set(both(path)[1]) == {"c=a  0", "c=a  1", "x"}
    path.write_bytes(text.replace(b'"a  1"  0.', b'"a  1"  0,'))
    refused(path, capsys, "column 'x' holds '0,")


@pytest.mark.parametrize("first", [0, 1])
def test_readers_svmlight_files_are_recognised_by_their_lines(tmp_path, capsys, first):
    path, other = tmp_path / "a9", tmp_path / "b9"
    rows = [f"{Y[k]} {first}:{X[k]} {first + 1 + K[k]}:1 # {k}" for k in range(N)]
    path.write_text("\n".join([*rows, ""]))
    dense = np.column_stack([X, K == 0, K == 1, K == 2])
    assert_array_equal(np.vstack([b.X.toarray() for b in scan(path)]), dense)
    features, names, y, _ = both(path, target="target")
    assert names == [str(first + k) for k in range(4)]
    assert_array_equal(features, dense[Split(3, 0.2, 5).start().draw(N) >= 0])
    assert_array_equal(y, train(Y))
    model = str(tmp_path / "m")
    assert main(["fit", str(path), "--save", model]) == 0
    other.write_text(f"0 {first}:1\n0 {first + 1}:2\n")
    capsys.readouterr()
    assert main(["predict", model, str(other)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    other.write_text(f"0 {first}:1\n0 {first + 1}:two\n")
    assert main(["predict", model, str(other)]) == 2
    assert "b9, line 2, " in capsys.readouterr().err


def test_readers_options_that_are_not_used_are_refused(tmp_path, capsys):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": X, "y": Y}), path)
    for options in ({"decimal": ","}, {"header": False}, {"na_values": ["x"]}):
        refused(path, capsys, "is not supported for Parquet files", **options)
    for options in ({"keep": ["x"]}, {"drop": ["x"]}):
        with pytest.raises(ValueError, match="leave out keep and drop"):
            scan(path, "y", features=["x"], **options)
        assert main(["fit", str(path), "--target=y", "--features=x", *words_of(options)]) == 2
    capsys.readouterr()
    refused(path, capsys, "has no column 'z'", drop=["z"])
    with pytest.raises(ValueError, match="decimal is not supported for arrays"):
        scan(X[:, None], Y, decimal=",")
    for options, message in (
        ({"decimal": ".."}, "decimal must be one character"),
        ({"thousands": "."}, "thousands are both '.'"),
        ({"charset": "klingon"}, "'latin-1' or 'cp1252'"),
        ({"date_format": "dmy"}, "such as '%d/%m/%Y'"),
    ):
        with pytest.raises(ValueError, match=message):
            scan(path, "y", **options)
        assert main(["fit", str(path), "--target=y", *words_of(options)]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [{}, {"nulls": "mean"}, {"categorical": ["c"]}])
def test_scan_text_without_an_encoding_is_named_by_line(tmp_path, options):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{'abc' if k == 9 else X[k]},{K[k]},{Y[k]}", "x,c,y"))
    message = r"a.csv, line 11: column 'x' holds text, not numbers: 'abc': give"
    with pytest.raises(ScanError, match=message):
        scan(path, "y", **options)


@pytest.mark.parametrize(
    ("header", "row", "wanted"),
    [
        ("a,a=b,y", lambda k: f"{'bc'[k % 2]},{X[k]}", ["a=b (2)", "a=c", "a=b"]),
        ("x,x missing,y", lambda k: f"{X[k] if k % 7 else ''},{k % 5}", None),
        ("a,x,y", lambda k: f"{['(missing)', '', 'r', 's'][k % 4]},{X[k]}", None),
        ("a,a=b,y", lambda k: f"{['b=c', 'd'][k % 2]},{'ce'[k // 2 % 2]}", None),
    ],
)
def test_readers_features_whose_names_would_coincide_have_different_ones(
    tmp_path, capsys, header, row, wanted
):
    path, model, coefs = tmp_path / "a.csv", str(tmp_path / "m"), tmp_path / "coefs.csv"
    path.write_bytes(lines(lambda k: f"{row(k)},{Y[k]}", header))
    _, names, *_ = both(path)
    assert len(set(names)) == len(names)
    assert wanted is None or sorted(names) == sorted(wanted)
    words = ["--target", "y", "--alpha", "1", "--save", model, "--coefs", str(coefs), "--json"]
    assert main(["fit", str(path), *words]) == 0
    printed = json.loads(capsys.readouterr().out)
    listed = [name for column in printed["columns"] for name in column["features"]]
    assert listed == list(load(model).feature_names_in_)
    assert sorted(listed) == sorted(names)
    assert main(["predict", model, str(path)]) == 0


def test_readers_a_parquet_page_that_belies_its_checksum_is_damaged(tmp_path, capsys):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"x": X, "z": K, "y": Y}),
        path,
        write_page_checksum=True,
        compression="none",
        use_dictionary=False,
    )
    content = bytearray(path.read_bytes())
    content[content.index(X[150].tobytes())] ^= 1
    path.write_bytes(content)
    refused(path, capsys, "it seems to be damaged", "CRC checksum verification failed")
