"""Files as strangers have them: `scan` and the command line read the same, or refuse alike.

Each case writes a file with a target y that its other columns explain. Both readers must make the
same features of it, bit for bit, or give one line that names the value, its line, and the remedy.
"""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from fastridge import scan
from fastridge.data.batches import ScanError
from fastridge.data.splitting import Split

pytest.importorskip("rich")

from fastridge.cli import main
from fastridge.cli.arguments import build_parser
from fastridge.cli.fitting import prepare
from fastridge.cli.progress import Stages
from fastridge.data.scan import Scan

N = 300
RNG = np.random.default_rng(0)
X = RNG.standard_normal(N).round(4)
Y = (2 * X + 0.1 * RNG.standard_normal(N)).round(4)
K = np.arange(N) % 3


def lines(row, header="x,z,y"):
    """Return a CSV file of rows that a function of their index gives."""
    body = [row(k) for k in range(N)]
    return "\n".join([*([] if header is None else [header]), *body, ""]).encode()


def with_cell(cell, at=150):
    return lines(lambda k: f"{cell if k == at else X[k]},{K[k]},{Y[k]}")


def gathered(rows):
    X, y, _, fold = zip(*rows, strict=True)
    return np.concatenate(X), np.concatenate(y), np.concatenate(fold)


def words_of(options):
    """Return options of `scan` as the command line has them."""
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if name == "header":
            words.append("--header" if value else "--no-header")
        elif name == "keep_default_na":
            words.append("--no-default-na")
        elif name == "target":
            continue
        else:
            flag = "--encoding" if name == "charset" else flag
            values = value if isinstance(value, list) else [value]
            words += [word for one in values for word in (flag, str(one))]
    return words


def both(path, capsys=None, **options):
    """Return the features of the training rows, their names and y, which both readers give."""
    target = options.get("target", "y")
    own = {name: value for name, value in options.items() if name != "target"}
    rows = scan(path, target, infer=True, fold=Split(3, 0.2, 5), **own)
    words = ["fit", str(path), f"--target={target}", "--seed", "3", *words_of(own)]
    task = prepare(build_parser().parse_args(words), Stages())
    found = gathered(rows)
    for one, other in zip(found, gathered(Scan(task.rows.rows_of("training"), None)), strict=True):
        assert_array_equal(one, other)
    assert rows.feature_names == task.rows.feature_names
    assert rows.encoding.report == [c for c in task.schema.choices if c[0] != "files"]
    return found[0], rows.feature_names, found[1], dict(rows.encoding.report)


def refused(path, capsys, *messages, **options):
    """Check that both readers refuse a file, in one line that holds these messages."""
    target = options.get("target", "y")
    own = {name: value for name, value in options.items() if name != "target"}
    with pytest.raises(ScanError) as caught:
        list(scan(path, target, infer=True, **own))
    assert main(["fit", str(path), f"--target={target}", *words_of(own)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for message in messages:
        spoken, written = message if isinstance(message, tuple) else (message, message)
        assert spoken in str(caught.value)
        assert written in err


def train(values, seed=3):
    return np.asarray(values, dtype=float)[Split(seed, 0.2, 5).start().draw(N) >= 0]


@pytest.mark.parametrize(
    "mark",
    ["", " ", "      ", "NA", " NA", "NA  ", " NA ", "N/A", "n/a", "NaN", "nan", "null", "NULL"]
    + ["None", "-", "--", ".", "?", " ?", "\\N", "<NA>", "#N/A", "NaT", "\tNA"],
)
def test_readers_a_missing_mark_in_a_column_of_numbers_is_missing(tmp_path, mark):
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell(mark))
    features, names, _, report = both(path)
    assert names == ["x", "x missing", "z"]
    assert features[:, 1].sum() == train(np.arange(N) == 150).sum()
    assert "x (1 became" in report["missing"]


@pytest.mark.parametrize("at", [0, 1, 150, N - 1])
def test_readers_a_stray_text_in_a_column_of_numbers_is_named(tmp_path, capsys, monkeypatch, at):
    monkeypatch.setattr("fastridge.data.csv_file.CSV_BLOCK", 512)
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell("abc", at).replace(b"\n", b"\r\n"))
    where = f"a.csv, line {at + 2}: column 'x' holds 'abc', not a number"
    ways = [("na_values=['abc']", "--na-values abc"), ("categorical=['x']", "--categorical x")]
    refused(path, capsys, where, "values are numbers", *ways)
    features, names, *_ = both(path, na_values=["abc"])
    assert_array_equal(features[:, names.index("z")], train(K))
    assert len(both(path, categorical=["x"])[1]) > 100


def test_readers_a_stray_text_is_named_by_its_line_after_quoted_and_blank_lines(tmp_path, capsys):
    path = tmp_path / "a.csv"
    text = lines(lambda k: f'"a\nb",{"oops" if k == 60 else X[k]},{Y[k]}\n', header="c,x,y")
    path.write_bytes(gzip.compress(text))
    refused(path, capsys, "a.csv, line 182: column 'x' holds 'oops'")


def test_readers_numbers_then_text_late_in_the_second_file_are_named(tmp_path, capsys):
    for name, cell in (("a", "1"), ("b", "oops")):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / f"{name}.csv").write_bytes(with_cell(cell, N - 1))
    refused(tmp_path / "d", capsys, f"b.csv, line {N + 1}: column 'x' holds 'oops'")


def test_readers_columns_of_text_with_some_numbers_stay_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k % 4 or 'abc'},{X[k]},{Y[k]}"))
    assert set(both(path)[1]) == {"x=1", "x=2", "x=3", "x=abc", "z"}


@pytest.mark.parametrize(
    ("written", "options", "ways"),
    [
        (
            lambda x: f'"{x:.4f}"'.replace(".", ","),
            {"decimal": ","},
            [("decimal=','", "--decimal ,")],
        ),
        (
            lambda x: f'"{1e4 * x:,.2f}"',
            {"thousands": ","},
            [("thousands=','", "--thousands ,")],
        ),
        (
            lambda x: f'"{1e4 * x:,.2f}"'.translate(str.maketrans(",.", ".,")),
            {"thousands": ".", "decimal": ","},
            [("decimal=',' and thousands='.'", "--decimal , and --thousands .")],
        ),
        (
            lambda x: f'"{1e4 * x:,.2f}"'.replace(",", "\u00a0"),
            {"thousands": " "},
            [("thousands=' '", "--thousands ' '")],
        ),
        (
            lambda x: f'"${1e4 * x:,.2f}"'.replace("$-", "-$"),
            {"thousands": ",", "numeric": ["x"]},
            [("numeric=['x']", "--numeric x")],
        ),
        (lambda x: f"{100 * x:.2f}%", {"numeric": ["x"]}, [("numeric=['x']", "--numeric x")]),
        (
            lambda x: f"({-x:.4f})" if x < 0 else f"{x:.4f}",
            {"numeric": ["x"]},
            [("numeric=['x']", "--numeric x")],
        ),
        (
            lambda x: f"{x:.4f}".replace("-", "\u2212"),
            {"numeric": ["x"]},
            [("numeric=['x']", "--numeric x")],
        ),
        (lambda x: f"{int(1e6 * x):_d}", {"numeric": ["x"]}, [("numeric=['x']", "--numeric x")]),
    ],
    ids=["comma", "thousands", "German", "spaces", "dollars", "percent", "brackets", "minus", "_"],
)
def test_readers_numbers_of_other_notations_are_named_and_read(
    tmp_path, capsys, written, options, ways
):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{written(X[k])},{K[k]},1e{K[k]}"))
    refused(path, capsys, "a.csv, line ", "column 'x' holds '", *ways)
    features, names, *_ = both(path, **options)
    assert names == ["x", "z"]
    found = features[:, 0] / (features[:, 0] @ train(X) / (train(X) @ train(X)))
    np.testing.assert_allclose(found, train(X), atol=2e-4)


def test_readers_a_comma_that_separates_no_thousands_is_no_number(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell('"1,2,3"'))
    refused(path, capsys, "column 'x' holds '1,2,3', not a number", thousands=",")


@pytest.mark.parametrize(
    ("format", "ways"),
    [
        ("%d/%m/%Y", [("date_format='%d/%m/%Y'", "--date-format %d/%m/%Y")]),
        ("%m/%d/%Y", [("date_format='%m/%d/%Y'", "--date-format %m/%d/%Y")]),
        ("%d.%m.%Y %H:%M", [("date_format='%d.%m.%Y %H:%M'", "--date-format '%d.%m.%Y %H:%M'")]),
        ("%d-%b-%Y", [("date_format='%d-%b-%Y'", "--date-format %d-%b-%Y")]),
    ],
)
def test_readers_dates_of_other_formats_are_named_and_read(tmp_path, capsys, format, ways):
    days = np.datetime64("2020-01-01T00:00:00") + np.arange(N).astype("m8[D]")
    texts = [day.item().strftime(format) for day in days]
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{texts[k]},{K[k]},{Y[k]}"))
    refused(path, capsys, "column 'x' holds '", "a date that is not of ISO 8601", *ways)
    features, *_ = both(path, date_format=format)
    assert_array_equal(features[:, 0], train(days.astype("m8[s]").astype(float)))


def test_readers_times_with_and_without_a_zone_are_named(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"2020-01-0{k % 9 + 1}T10:00:00{'Z' * (k % 2)},1,{Y[k]}"))
    refused(path, capsys, "a date among others with a zone", ("drop=['x']", "--drop x"))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", "a.csv, line 152: the target 'y' holds text, not numbers: 'abc'"),
        ('"1,5"', "a.csv, line 152: the target 'y' holds text, not numbers: '1,5'"),
    ],
)
def test_readers_text_in_the_target_is_named(tmp_path, capsys, cell, message):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},{cell if k == 150 else Y[k]}"))
    refused(path, capsys, message)
    if cell == "abc":
        assert main(["fit", str(path), "--target", "y"]) == 2
        assert "--loss log_loss --method sgd if its values are classes" in capsys.readouterr().err


def test_readers_a_file_without_a_header_is_noticed_and_read(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},c{k % 2},{Y[k]}", header=None))
    refused(path, capsys, "seems to have no header", ("header=False", "--no-header"), target="-1")
    for target in ("3", "-1"):
        features, names, y, _ = both(path, header=False, target=target)
        assert names == ["0", "1", "2=c0", "2=c1"] or names == ["0", "1", "2=c1", "2=c0"]
        assert_array_equal(features[:, 0], train(X))
        assert_array_equal(y, train(Y))
    assert sum(len(batch.X) for batch in scan(path, -1, features=[0, 1], header=False)) == N


def test_readers_a_header_of_numbers_is_one_if_told(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},{Y[k]}", header="2019,2020,2021"))
    refused(path, capsys, "seems to have no header", target="2021")
    assert both(path, header=True, target="2021")[1] == ["2019", "2020"]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "rownames", "row.names", "__index_level_0__"])
def test_readers_row_names_are_left_out_unless_kept(tmp_path, name):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k + 1},{X[k]},{Y[k]}", header=f"{name},x,y"))
    name = name or "Unnamed: 0"
    _, names, _, report = both(path)
    assert names == ["x"]
    assert report["left out"] == f"{name}: a row index"
    assert both(path, keep=[name])[1] == [name, "x"]
    assert scan(path, "y").feature_names == ["x"]
    assert scan(path, "y", keep=[name]).feature_names == [name, "x"]


def test_readers_identifiers_are_left_out_unless_kept(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"id{k},{X[k]},{Y[k]}"))
    _, names, _, report = both(path)
    assert names == ["z"]
    assert "x: an identifier, " in report["left out"]
    assert len(both(path, keep=["x"])[1]) == 102
    assert both(path, drop=["x"])[3].get("left out") is None


def test_readers_text_that_is_not_utf_8_is_named_and_read(tmp_path, capsys):
    text = lines(lambda k: f"{'Nîmes' if k % 3 == 1 else 'Orleans'},{X[k]},{Y[k]}")
    path = tmp_path / "a.csv"
    for charset in ("latin-1", "cp1252"):
        path.write_bytes(text.decode().encode(charset))
        refused(path, capsys, "a.csv, line 3: column 'x' holds b'N\\xeemes'", "is not UTF-8")
        assert both(path, charset=charset)[1] == ["x=Orleans", "x=Nîmes", "z"]
    path.write_bytes(text.decode().encode("utf-16"))
    assert both(path)[1] == ["x=Orleans", "x=Nîmes", "z"]


def test_readers_text_that_is_not_utf_8_late_in_the_file_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("fastridge.data.csv_file.CSV_BLOCK", 512)
    path = tmp_path / "a.csv"
    text = lines(lambda k: f"{'Nîmes' if k == 200 else 'ab'[k % 2]},{X[k]},{Y[k]}")
    path.write_bytes(text.decode().encode("latin-1"))
    refused(path, capsys, "a.csv, line 202: column 'x' holds b'N\\xeemes'")
    assert "x=Nîmes" in both(path, charset="latin-1")[1]


def test_readers_lines_before_the_header_are_named_and_skipped(tmp_path, capsys):
    path = tmp_path / "a.csv"
    text = lines(lambda k: f"{X[k]},{K[k]},{Y[k]}")
    for before, n in (("A report\n", 1), ("# one\n# two\n", 2), ("Title\n\n", 1)):
        path.write_bytes(before.encode() + text)
        way = (f"skip_rows={n}", f"--skip-rows {n}")
        refused(path, capsys, "does not begin with a header: line 1 holds", way)
        assert both(path, skip_rows=n)[1] == ["x", "z"]
    path.write_bytes(b"sep=;\n" + text.replace(b",", b";"))
    assert both(path)[1] == ["x", "z"]
    path.write_bytes(b"sep=;\r\n" + text.replace(b",", b";").replace(b"\n", b"\r\n"))
    assert both(path)[1] == ["x", "z"]


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (b'[{"x": 1, "y": 2},\n {"x": 2, "y": 3}]\n', ["holds JSON"]),
        (b'{"x": 1, "y": 2}\n{"x": 2, "y": 3}\n', ["holds JSON"]),
        (b"<!DOCTYPE html>\n<html></html>\n", ["holds HTML"]),
        (b"@relation a\n@attribute x numeric\n", ["ARFF"]),
        (b"PARE" + bytes(100), ["an encrypted Parquet file"]),
        (b"PK\x03\x04" + bytes(100), ["a ZIP archive or an Excel workbook"]),
        (b"\x89HDF\r\n" + bytes(100), ["HDF5"]),
        (b"\xfd7zXZ\x00" + bytes(100), ["compressed by xz"]),
        (b"x,y\n1,2\n\n3,4,5\n", ["a.csv, line 4: Expected 2 columns, got 3"]),
        (b'x,y\n"1\n",2\n3\n', ["a.csv, line 4: Expected 2 columns, got 1"]),
    ],
)
def test_readers_other_formats_are_recognised(tmp_path, capsys, content, messages):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    refused(path, capsys, *messages)


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
    from fastridge.cli import fitting

    accumulate = fitting.accumulate

    def writing(*args):
        with path.open("ab") as file:
            file.write(b"1,2,3\n")
        return accumulate(*args)

    monkeypatch.setattr(fitting, "accumulate", writing)
    assert main(["fit", str(path), "--target", "y"]) == 2
    assert "a.csv changed since it was opened" in capsys.readouterr().err


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
    assert "b9" in capsys.readouterr().err


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
        ({"thousands": "."}, "decimal and thousands are both"),
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
    with pytest.raises(ScanError, match=r"a.csv, line 11: column 'x' holds string.*: 'abc': give"):
        scan(path, "y", **options)
