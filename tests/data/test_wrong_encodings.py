"""Encodings that do not fit, options that cannot be, names of files and of folders."""

import pytest
from both_readers import K, X, Y, both, lines, refused

from fastridge import scan
from fastridge.cli import main
from fastridge.data.batches import ScanError

TEXT = lines(lambda k: f"{X[k]},{'éab'[K[k]]},{Y[k]}").decode()


@pytest.mark.parametrize(
    ("content", "charset", "messages"),
    [
        (TEXT.encode(), "ascii", ["line 2", "is not ascii"]),
        (TEXT.replace("é", "q").encode().replace(b"q", b"\x81"), "cp1252", ["line 2", "latin-1"]),
        (TEXT.encode("utf-16-le"), "utf-16", ["is not utf-16", "utf-16-le"]),
        (TEXT.encode("utf-16") + b"\0", "utf-16", ["line 302", "is not utf-16"]),
        (TEXT.encode(), "idna", ["is not idna"]),
    ],
)
def test_encoding_that_does_not_fit_is_one_line(tmp_path, capsys, content, charset, messages):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    refused(path, capsys, *messages, charset=charset)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("delimiter", one) for one in ("é", "\n", '"')),
        *(("decimal", one) for one in ("é", "5", "e", "-")),
        *(("thousands", one) for one in ("5", "x", "+", '"')),
        *(("date_format", one) for one in ("%Q", "%d/%m/%Y %H:%M:%S.%f", "%")),
        *(("charset", one) for one in ("rot13", "hex")),
    ],
)
def test_option_that_cannot_be_is_refused(tmp_path, capsys, option, value):
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    with pytest.raises(ValueError, match=f"^{option} must"):
        scan(path, "y", infer=True, **{option: value})
    flag = "--encoding" if option == "charset" else "--" + option.replace("_", "-")
    assert main(["fit", str(path), "--target", "y", f"{flag}={value}"]) == 2
    assert capsys.readouterr().err.startswith(f"fastridge fit: error: {flag} must")


def test_name_of_a_file_that_is_not_utf8_is_refused(tmp_path, capsys):
    path = tmp_path / "\udcff.csv"
    try:
        path.write_text(TEXT)
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such name")
    refused(path, capsys, "is not UTF-8: rename it")


@pytest.mark.parametrize(
    ("path", "message"),
    [("", "is empty"), ("https://a.com/b.csv", "address"), ("{}/k=*", "k=*/*")],
)
def test_path_without_file_says_what_to_give(tmp_path, capsys, path, message):
    (tmp_path / "k=1").mkdir()
    refused(path.format(tmp_path), capsys, message)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["2020-01-01", "2020-01-02"], ["g"]),
        (["0.5", "1"], ["g"]),
        (["٣", "٤"], ["g=٣", "g=٤"]),
        (["2020-13-01", "x"], ["g=2020-13-01", "g=x"]),
    ],
)
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_key_of_dates_or_fractions_has_their_type(tmp_path, values, names, format):
    for k, value in enumerate(values):
        folder = tmp_path / f"g={value}"
        folder.mkdir()
        content = lines(lambda i, k=k: f"{X[i] + k},{Y[i]}", "x,y")
        (folder / "a.csv").write_bytes(content)
        if format == "parquet":
            csv, parquet = (
                pytest.importorskip("pyarrow.csv"),
                pytest.importorskip("pyarrow.parquet"),
            )
            parquet.write_table(csv.read_csv(folder / "a.csv"), folder / "a.parquet")
            (folder / "a.csv").unlink()
    rows = scan(tmp_path, "y", infer=True)
    assert rows.feature_names == ["x", *names]
    model = str(tmp_path / "m")
    words = ["fit", str(tmp_path), "--target", "y", "--alpha", "1", "--save", model]
    assert main(words) == 0
    one = str(next(tmp_path.glob(f"g=*/a.{format}")))
    assert main(["predict", model, one, "--output", str(tmp_path / "o.csv")]) == 0


def test_whole_number_that_is_an_index_and_a_name_is_refused():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({0: [1.0, 2.0, 4.0], 2: [0.0, 1.0, 5.0], 1: [3.0, 4.0, 4.0]})
    with pytest.raises(
        ValueError, match="has a column '1', and its column with the index 1 is '2'"
    ):
        scan(frame, 1)
    assert scan(frame, "1").feature_names == ["0", "2"]
    assert scan(frame.rename(columns={1: 7}), 7).feature_names == ["0", "2"]
    both_ways = frame[[0, 2]].rename(columns={2: 1})
    assert scan(both_ways, 1).feature_names == ["0"]


def test_text_of_a_target_that_is_missing_in_the_header_is_an_error(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    with pytest.raises(ScanError, match="no column 'q'"):
        list(scan(path, "q"))
    assert both(path)[1][0] == "x"
