"""Errors and notes are in the words of the command line: no parameter or class of Python."""

import os
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from fastridge.cli import main
from fastridge.cli.wording import in_options

N = 120
RNG = np.random.default_rng(0)
OF_PYTHON = re.compile(
    r"\b[a-z]+_[a-z_]+=|\b(?!alpha)[a-z]\w*=['\"\dTFN]|sklearn|Scaler|fastridge\.|\['|\bX\b"
)


@pytest.fixture
def file(tmp_path):
    """Write columns to a file of an ending, next to x and y."""

    def written(ending, **columns):
        table = pa.table({"x": RNG.normal(size=N), "y": RNG.normal(size=N)} | columns)
        path = tmp_path / f"d.{ending}"
        if ending == "csv":
            pa.csv.write_csv(table, path)
        else:
            pq.write_table(table, path)
        return str(path)

    return written


def said(capsys, *words):
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    text = " ".join(err.split()) if status == 2 else " ".join(out.split())
    lines = err if status == 2 else "\n".join(re.findall("note: .*", out))
    assert not OF_PYTHON.search(lines), lines
    return text


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_text_target_is_given_the_family_of_classes(file, capsys, ending):
    path = file(ending, y=["no", "yes"] * (N // 2))
    row = "line 2" if ending == "csv" else "row 0"
    fit = said(capsys, "fit", path, "--target", "y")
    assert f"{row}: the target 'y' holds text, not numbers: 'no': give " in fit
    assert fit.endswith("--family multinomial if its values are classes")
    assert said(capsys, "cv", path, "--target", "y").endswith(fit.partition(": error: ")[2])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_text_as_weights_is_refused_without_options_of_features(file, capsys, ending):
    path = file(ending, w=["a", "b"] * (N // 2))
    line = said(capsys, "fit", path, "--target", "y", "--weights", "w")
    assert "column 'w' of weights holds text, not numbers: 'a'" in line
    assert "--drop" not in line


def test_dates_as_target_are_refused_with_what_to_do(file, capsys):
    path = file("parquet", y=pa.array(np.arange(N), pa.int32()).cast(pa.date32()))
    line = said(capsys, "fit", path, "--target", "y")
    assert "the target 'y' holds dates, not numbers: convert it first, or choose" in line


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["--decimal", ","], "--decimal ,"),
        (["--na-values", "none"], "--na-values none"),
        (["--no-default-na"], "--no-default-na"),
        (["--no-header"], "--no-header"),
        (["--skip-rows", 2], "--skip-rows 2"),
        (["--delimiter", "\\t"], "--delimiter $'\\x09'"),
        (["--encoding", "latin-1"], "--encoding latin-1"),
        (["--date-format", "%d.%m.%Y"], "--date-format %d.%m.%Y"),
        (["--numeric", "x"], "--numeric x"),
    ],
    ids=str,
)
def test_options_of_csv_files_with_parquet_are_named_as_given(file, capsys, words, written):
    path = file("parquet")
    wanted = f"d.parquet: {written} is not supported for Parquet files: leave it out"
    assert wanted in said(capsys, "fit", path, "--target", "y", *words)
    main(["fit", path, "--target", "y", "--save", f"{path}.m"])
    capsys.readouterr()
    assert wanted in said(capsys, "predict", f"{path}.m", path, *words)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--keep", "x", "--drop", "x"], "--keep and --drop both name 'x'"),
        (["--categorical", "x", "--drop", "x"], "--categorical names 'x', which is not among"),
        (["--categorical", "w", "--weights", "w"], "--categorical names 'w', which is not among"),
        (["--folds", "20000"], "--folds: at most 10,000"),
        (
            ["--model", "sgd", "--learning-rate", "optimal", "--alpha", "0"],
            "--alpha: it must be above 0 with --learning-rate optimal",
        ),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_named_as_options(file, capsys, words, wanted):
    path = file("csv", w=np.ones(N), z=RNG.normal(size=N))
    assert wanted in said(capsys, "fit", path, "--target", "y", *words)


def test_sgd_divergence_is_said_with_options(file, capsys):
    path = file("parquet", x=RNG.normal(size=N) * 1e6)
    words = ["--model", "sgd", "--learning-rate", "constant", "--eta0", 0.1, "--epochs", 5]
    out = said(capsys, "fit", path, "--target", "y", *words)
    assert "times shorter than asked for: give --standardize, or a smaller --eta0" in out
    assert "still got better in the last of the epochs: give more --epochs" in out


@pytest.mark.parametrize("n_more", [0, 2 * N])
@pytest.mark.parametrize(
    "words", [["fit"], ["cv"], ["fit", "--l1-ratio", 1, "--alpha", 1]], ids=str
)
def test_numbers_whose_squares_overflow_are_one_line(file, capsys, words, n_more):
    more = {f"c{k}": RNG.normal(size=N) for k in range(n_more)}
    path = file("parquet", w=RNG.normal(size=N) * 1e200, **more)
    text = said(capsys, words[0], path, "--target", "y", *words[1:])
    assert "column 'w' holds numbers up to" in text
    assert text.endswith("whose squares are beyond float64: divide the column by a power of ten")


def test_numbers_whose_squares_underflow_name_their_column(file, capsys):
    path = file("parquet", w=RNG.normal(size=N) * 1e-200)
    line = said(capsys, "fit", path, "--target", "y")
    assert "feature 'w' varies by" in line
    assert line.endswith("divide it by a number of its size")


def test_checkpoint_of_other_data_is_named_as_option(file, capsys, tmp_path):
    path = file("parquet")
    kept = tmp_path / "kept"
    said(capsys, "fit", path, "--target", "y", "--checkpoint", kept)
    (tmp_path / "kept.columns").unlink()
    line = said(capsys, "fit", path, "--target", "y", "--checkpoint", kept, "--seed", 5)
    assert f"--checkpoint {kept} is of other rows or folds" in line


def test_checkpoint_of_several_classes_is_refused_as_option(file, capsys, tmp_path):
    path = file("parquet", y=np.arange(N) % 3)
    words = ["--model", "sgd", "--loss", "hinge", "--checkpoint", tmp_path / "kept"]
    line = said(capsys, "fit", path, "--target", "y", *words)
    assert "--checkpoint is supported for one target or two classes only" in line


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Floating-point under-/overflow occurred at epoch #2. Scaling input data with "
            "StandardScaler or MinMaxScaler might help. SGD diverges: eta0=0.1 is too long a step "
            "for features as large as these. Set a smaller eta0.",
            "SGD diverges in epoch 2: --eta0 0.1 is too long a step for features as large as "
            "these: give a smaller --eta0",
        ),
        (
            "column 1 of sparse X is far from zero: subtract a constant from it.",
            "feature 'b' is far from zero: subtract a constant from it",
        ),
        (
            "the classes are separated in 3 of the 9 rows by features x0 (-1 in class 0.0) and x1 "
            "(+2): give a penalty, such as C=1.0, or bias_reduction='firth'.",
            "the classes are separated in 3 of the 9 rows by features 'a' (-1) and 'b' (+2): give "
            "a penalty, such as --C 1",
        ),
    ],
)
def test_in_options_translates_what_estimators_say(text, wanted):
    assert in_options(text, ["a", "b"]) == wanted


def test_columns_and_files_with_other_letters_are_named_in_the_locale_c(tmp_path):
    lines = [f"{x:.3f},{2 * x:.3f}" for x in RNG.normal(size=N)]
    path = tmp_path / "é.csv"
    path.write_text("\n".join(["größe,naïve", *lines, "zwölf,1", ""]), encoding="utf-8")
    without = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    def run(*words):
        return subprocess.run(
            [sys.executable, "-P", "-m", "fastridge", "fit", path, "--target", *words],
            capture_output=True, timeout=120, check=False, env={**os.environ, **without},
        )  # fmt: skip

    refused = run("naive").stderr.decode()
    assert r"\xe9.csv has no column 'naive'" in refused
    assert r"(did you mean 'na\xefve'?)" in refused
    accepted = run("naïve", "--na-values", "zwölf", "--features", "grö*")
    assert (accepted.returncode, accepted.stderr) == (0, b"")
    assert r"Columns of" in accepted.stdout.decode()
    assert r"\xe9.csv" in accepted.stdout.decode()
