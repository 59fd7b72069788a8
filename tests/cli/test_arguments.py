"""Words of the command line: lists of names, values that begin with a dash, mistakes."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pytest
from cli_tables import load

from fastridge.cli.arguments import build_parser


@pytest.fixture
def dashes(tmp_path):
    """A file with columns whose names begin with a dash."""
    rng = np.random.default_rng(0)
    path = tmp_path / "d.csv"
    names = ["-x", "--target", "-1", "-y"]
    pcsv.write_csv(pa.table({name: rng.normal(size=60).round(4) for name in names}), path)
    return path


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("features", ["a,b", "c"]),
        ("categorical", ["a", "b"]),
        ("keep", ["a,b"]),
        ("drop", ["a", "b,c"]),
        ("alphas", ["1,2", "3"]),
    ],
)
def test_option_lists_take_repeats_and_do_not_swallow_the_file(option, words):
    given = [word for each in words for word in (f"--{option}", each)]
    args = build_parser().parse_args(["fit", *given, "data.csv", "--target", "y"])
    assert args.data == "data.csv"
    assert getattr(args, option) == words


def test_methods_and_l1_ratios_of_cv_are_lists_too():
    given = ["cv", "--methods", "loo,em", "--methods", "gcv", "--l1-ratio", "0.1,0.5", "data.csv"]
    args = build_parser().parse_args(given)
    assert (args.data, args.methods, args.l1_ratio) == (
        "data.csv",
        ["loo", "em", "gcv"],
        ["0.1,0.5"],
    )


def test_values_may_begin_with_a_dash(dashes, tmp_path, run):
    words = ["--features", "-x", "--features", "-1", "--save", tmp_path / "m"]
    run("fit", dashes, "--target", "-y", *words)
    assert list(load(tmp_path / "m").feature_names_in_) == ["-x", "-1"]
    run("fit", dashes, "--target=--target", "--save", tmp_path / "m")
    assert list(load(tmp_path / "m").feature_names_in_) == ["-x", "-1", "-y"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--features", "a", "b"], "unexpected 'b': separate the values of an option by commas"),
        (["more.csv"], "put a pattern of files in quotes"),
        (["--targt", "y"], "fastridge fit: error: there is no option --targt: did you mean --targ"),
        (["--alpha=-1"], "a penalty is a number from 0 up, not '-1'"),
        (["--alpha", "-1"], "a penalty is a number from 0 up, not '-1'"),
        (["--target", "--alpha", "1"], "argument --target: expected one argument"),
        (["--delimiter", "xx"], "--delimiter must be one character, got 'xx'"),
        (["--decimal", ",", "--thousands", ","], "--decimal and --thousands are both ','"),
        (["--save"], "argument --save: expected one argument"),
        (["--coefs", "c.txt"], "--coefs c.txt: the name must end in .csv"),
        (["--features", "\x1b[31m"], r"has no column '\x1b[31m'"),
        (["\x1b]0;title\x07"], r"unexpected '\x1b]0;title\x07'"),
    ],
)
def test_mistakes_are_named_in_one_line(data, refused, words, message):
    line = refused("fit", data, "--target", "y", *words)
    assert message in line
    assert "\x1b" not in line


def test_coefs_of_a_comparison_are_refused(data, refused, tmp_path):
    line = refused("cv", data, "--target", "y", "--coefs", tmp_path / "c.csv")
    assert "argument --coefs: cv compares methods" in line
