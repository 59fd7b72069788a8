"""``numeric`` by name, by index and by pattern, in `scan` and on the command line."""

import numpy as np
import pytest
from both_readers import K, N, X, Y, both, lines, refused
from numpy.testing import assert_array_equal

from fastridge import load, scan
from fastridge.cli import main


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},${K[k]}.50,{Y[k]}", "x,price,y"))
    return path


@pytest.mark.parametrize("column", ["price", 1, -2, "1", "-2"])
def test_readers_numeric_by_name_or_index_reads_the_column(prices, column):
    features, names, _, _ = both(prices, numeric=[column])
    assert names == ["x", "price"]
    assert set(features[:, 1]) == {0.5, 1.5, 2.5}


@pytest.mark.parametrize("column", [3, -4, "prize"])
def test_readers_numeric_of_no_column_is_refused(prices, capsys, column):
    message = f"a.csv has no column '{column}'"
    near = " (did you mean 'price'?)" if column == "prize" else ""
    refused(prices, capsys, f"{message}{near}; there are 'x', 'price', 'y'", numeric=[column])


@pytest.mark.parametrize("words", [["p*"], ["price,x"], ["price", "x"], ["0,-2"]], ids=str)
def test_command_numeric_takes_lists_and_patterns(prices, tmp_path, words):
    flags = [f"--numeric={word}" for word in words]
    save = str(tmp_path / "m")
    assert main(["fit", str(prices), "--target", "y", *flags, "--save", save]) == 0
    assert list(load(save).feature_names_in_) == ["x", "price"]
    assert main(["predict", save, str(prices)]) == 0  # which remembers the names


def test_predict_numeric_adds_to_the_columns_of_the_fit(prices, tmp_path, capsys):
    save = str(tmp_path / "m")
    words = ["--numeric", "price", "--save", save]
    assert main(["fit", str(prices), "--target", "y", *words]) == 0
    new = tmp_path / "b.csv"
    new.write_bytes(lines(lambda k: f"{X[k]} %,${K[k]}.50", "x,price"))
    assert main(["predict", save, str(new)]) == 2
    assert "--numeric x" in capsys.readouterr().err
    assert main(["predict", save, str(new), "--numeric", "0"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == N + 1


def test_readers_numeric_index_counts_the_keys_of_folders(tmp_path):
    for year in (1, 2):
        folder = tmp_path / f"year={year}"
        folder.mkdir()
        (folder / "a.csv").write_bytes(lines(lambda k: f"{X[k]},${K[k]}.50,{Y[k]}", "x,price,y"))
    wanted = np.concatenate([batch.X for batch in scan(tmp_path, "y", numeric=["price"])])
    for column in (1, -3):  # x, price, y, year
        rows = scan(tmp_path, "y", numeric=[column])
        assert_array_equal(np.concatenate([batch.X for batch in rows]), wanted)


def test_scan_numeric_that_is_no_list_raises():
    for given in ("price", [True], [1.5]):
        with pytest.raises(ValueError, match="numeric must be a list of names or indices"):
            scan("a.csv", numeric=given)
