"""Nasty files from fit to predict: the right answer, or one line and no file."""

import csv
import io
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_tables import load
from numpy.testing import assert_allclose

from fastridge import Ridge, scan
from fastridge.cli import main

N = 120
RNG = np.random.default_rng(0)
X = RNG.standard_normal(N).round(3)
Y = (2 * X + 0.1 * RNG.standard_normal(N)).round(3)
LEVEL = [f"level {k % 3}" for k in range(N)]


def text(names=("x", "z", "y"), columns=(X, LEVEL, Y), delimiter=","):
    """Return CSV text of these columns, quoted where it must be."""
    file = io.StringIO()
    lines = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    lines.writerow(names)
    lines.writerows(zip(*columns, strict=True))
    return file.getvalue()


def parquet(columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


READ = {
    "semicolons": (text(delimiter=";"), "y"),
    "UTF-16": (text().encode("utf-16"), "y"),
    "line breaks in cells": (text(columns=(X, [f"{z}\n,;\t" for z in LEVEL], Y)), "y"),
    "quotes in cells": (text(columns=(X, [f'"{z}"' for z in LEVEL], Y)), "y"),
    "escapes in cells": (text(columns=(X, [f"\x1b]0;{z}\x07" for z in LEVEL], Y)), "y"),
    "escapes in names": (text(["\x1b[31mx", "z\x07", "\x1b[2Jy"]), "\x1b[2Jy"),
    "commas in names": (text(["a,b", "c,d", "y,z"]), "y,z"),
    "dashes before names": (text(["--x", "-z", "-y"]), "-y"),
    "brackets and emoji in names": (text(["[red]x[/red]", "😀 $z_1^", "目"]), "目"),
    "long names": (text(["x" * 3000, "z" * 3000, "y" * 3000]), "y" * 3000),
    "Parquet named .csv": (parquet({"x": X, "z": LEVEL, "y": Y}), "y"),
    "lists in Parquet": (parquet({"x": X, "z": LEVEL, "list": [[1, 2]] * N, "y": Y}), "y"),
}
REFUSED = {
    "nothing": ("", "is empty"),
    "a header only": ("x,z,y\n", "has no rows"),
    "random bytes": (bytes(range(256)) * 9, "is not a Parquet, CSV"),
    "one field too many": (text() + "1,a,2,3\n", f"line {N + 2}: "),
    "a stray text": (text(columns=([*X[:-1], "\x1b[2J"], LEVEL, Y)), f"line {N + 1}: column 'x'"),
    "text as target": (text(columns=(X, Y, LEVEL)), "--family multinomial"),
    "a constant target": (text(columns=(X, LEVEL, [1] * N)), "'y' is constant (1)"),
    "no values of the target": (text(columns=(X, LEVEL, [""] * N)), f"{N} of {N} rows have no 'y'"),
    "no target": (text(["x", "z", "w"]), "no column 'y'"),
    "half a Parquet file": (parquet({"x": X, "y": Y})[:300], "Parquet"),
    "JSON": (json.dumps([{"x": 1, "y": 2}] * 9), "JSON"),
}


def written(tmp_path, content):
    path = tmp_path / "input.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize("name", READ)
def test_nasty_file_that_is_read_gives_the_model_of_scan_and_a_number_for_each_row(
    tmp_path, capfd, name
):
    content, target = READ[name]
    path, model = written(tmp_path, content), str(tmp_path / "m")
    words = [f"--target={target}", "--alpha", "1", "--no-standardize", "--test-size", "0"]
    assert main(["fit", path, *words, "--save", model]) == 0
    wanted = Ridge(1.0).fit(scan(path, target, infer=True))
    fitted = load(model)
    assert_allclose(fitted.coef_, wanted.coef_, rtol=1e-9, atol=1e-12)
    assert list(fitted.feature_names_in_) == list(wanted.feature_names_in_)
    shown = "".join(capfd.readouterr())
    output = tmp_path / "o.parquet"
    assert main(["predict", model, path, "--append", "--output", str(output)]) == 0
    shown += "".join(capfd.readouterr())
    assert "\x1b" not in shown
    assert "\x07" not in shown
    table = pq.read_table(output)
    assert_allclose(table["prediction"], fitted.predict(scan(path, encoding=fitted.encoding_)))
    assert [float(value) for value in table[target].to_pylist()] == Y.tolist()


@pytest.mark.parametrize("name", REFUSED)
def test_nasty_file_that_is_refused_leaves_one_line_and_no_file(tmp_path, capfd, name):
    content, message = REFUSED[name]
    path, out = written(tmp_path, content), tmp_path / "out"
    out.mkdir()
    files = [
        "--save",
        str(out / "m"),
        "--coefs",
        str(out / "c.csv"),
        "--checkpoint",
        str(out / "k"),
    ]
    assert main(["fit", path, "--target", "y", *files]) == 2
    printed, err = capfd.readouterr()
    assert printed == ""
    assert err.startswith("fastridge fit: error: ")
    assert err.count("\n") == 1
    assert path in err
    assert message in err
    assert "\x1b" not in err
    assert os.listdir(out) == []
