"""The command line refuses mistakes in one clear line."""

import os
import shlex
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from cli_tables import (
    N,
    csv_text,
    small,
    write_as,
)

import fastridge
from fastridge import Ridge
from fastridge.cli import main, training
from fastridge.cli.arguments import build_parser
from fastridge.data import csv_file
from fastridge.data.one_hot import Encoder
from fastridge.data.splitting import Split
from fastridge.io.model_file import read_model

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_arguments(refused, data):
    assert "invalid choice: 'fly'" in refused("fly")
    assert "--target" in refused("fit", data)
    assert "DATA" in refused("fit", "--target", "y")
    assert "not allowed with" in refused(
        "fit", data, "--target", "y", "--alpha", "1", "--alphas", "2"
    )
    for option, value in [
        ("--alpha", "-1"),
        ("--alpha", "nan"),
        ("--alpha", "many"),
        ("--alphas", "inf"),
        ("--test-size", "1"),
        ("--test-size", "half"),
        ("--folds", "1"),
        ("--folds", "2.5"),
        ("--seed", "-1"),
        ("--max-categories", "0"),
        ("--n-threads", "0"),
        ("--top", "-1"),
    ]:
        line = refused("fit", data, "--target", "y", option, value)
        assert option in line
        assert repr(value) in line


@pytest.mark.parametrize("command", [(), ("fit",), ("cv",), ("predict",), ("info",)])
@pytest.mark.parametrize("width", [50, 80, 300])
def test_help_ends_in_examples_and_keeps_the_width_of_the_terminal(
    capsys, monkeypatch, command, width
):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: fastridge")
    examples = out.partition("Examples:\n")[2].replace("\\\n", "").splitlines()
    words = [shlex.split(line) for line in examples if line]
    assert [word[0] for word in words] == ["fastridge"] * len(words)
    for word in words:  # each can be parsed
        build_parser().parse_args(word[1 : word.index(">") if ">" in word else None])
    assert max(map(len, out.splitlines())) <= min(width, 100)


def test_without_a_command_the_help_is_printed(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: fastridge")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastridge {fastridge.__version__}\n"


def test_unknown_columns(refused, data):
    line = refused("fit", data, "--target", "Y")
    assert (
        "has no column 'Y' (did you mean" in line or "has no column 'Y'; there are 'a', 'b'" in line
    )
    assert "did you mean 'city'" in refused("fit", data, "--target", "citty")
    assert "no column 'z'" in refused("fit", data, "--target", "y", "--features", "a,z")
    assert "no column 'z'" in refused("fit", data, "--target", "y", "--categorical", "z")


def test_features_that_cannot_be(refused, data):
    assert "the target 'y' is among" in refused("fit", data, "--target", "y", "--features", "a,y")
    line = refused("fit", data, "--target", "y", "--features", "a", "--categorical", "code")
    assert "'code', which is not among the features" in line


def test_targets_that_are_no_numbers(refused, data, tmp_path):
    assert "the target 'city' holds text, not numbers" in refused("fit", data, "--target", "city")
    assert "the target 'day' holds dates, not numbers" in refused("fit", data, "--target", "day")
    path = tmp_path / "d.csv"
    path.write_text("x,y\n1,2\n2,three\n3,4\n")
    assert "the target 'y' holds text" in refused("fit", path, "--target", "y")


def test_a_target_that_is_text_only_in_later_rows(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "CSV_BLOCK", 256)
    path = tmp_path / "d.csv"
    path.write_text(csv_text([f"{k},b,{k}" for k in range(200)] + ["1,b,late"]))
    assert "the target 'y' holds text" in refused("fit", path, "--target", "y")


def test_data_without_content(refused, tmp_path):
    x = np.arange(30.0)
    for columns, reason in [
        ({"x": x[:0], "y": x[:0]}, "has no rows"),
        ({"x": x, "y": np.ones(30)}, "the target 'y' is constant (1)"),
        ({"x": x, "y": pa.nulls(30, pa.float64())}, "no training rows: 30 of 30"),
        ({"x": x, "y": pa.nulls(30)}, "no training rows: 30 of 30"),
        ({"y": x}, "no usable features"),
        ({"x": np.ones(30), "y": x}, "no usable features"),
        ({"x": np.append(x[:29], np.inf), "y": x}, "column 'x' holds an infinite number"),
        ({"x": x, "y": np.append(x[:29], -np.inf)}, "column 'y' holds an infinite number"),
    ]:
        line = refused("fit", small(tmp_path, **columns), "--target", "y")
        assert reason in line


def test_too_few_rows_for_folds(refused, tmp_path):
    x = np.arange(4.0)
    words = ["--target", "y", "--test-size", "0", "--folds", "2"]
    assert not Split(25, 0.0, 2).start().draw(4).any()  # all in one fold
    line = refused("fit", small(tmp_path, x=x, y=x**2), *words, "--seed", 25)
    assert "4 training rows are too few to choose the penalty: give --alpha" in line


def test_features_of_unsupported_types(refused, tmp_path):
    path = small(tmp_path, x=[[1]] * 30, y=np.arange(30.0))
    line = refused("fit", path, "--target", "y", "--features", "x")
    assert "feature 'x' holds list" in line


def test_too_many_features(refused, data, monkeypatch):
    monkeypatch.setattr(training, "MAX_FEATURES", 3)
    assert "choose fewer --features" in refused("fit", data, "--target", "y")


def bad_files():
    yield "nothing", b"", "is empty"
    yield "parquet", b"PAR1" + bytes(100), "cannot be read as Parquet"
    yield "arrow", b"ARROW1\0\0" + bytes(100), "cannot be read as Arrow"
    yield "stream", b"\xff\xff\xff\xff\x10\0\0\0" + bytes(20), "cannot be read as Arrow"
    yield "feather1", b"FEA1" + bytes(100), "Feather file of version 1"
    yield "gzip", b"\x1f\x8b" + bytes(100), "is damaged as gzip"
    yield "bzip2", b"BZh9" + bytes(100), "is damaged as bz2"
    yield "binary", bytes(range(256)), "is not a Parquet, CSV (in UTF-8) or Arrow file"
    yield (
        "utf16",
        "x,y\n1,2\n".encode("utf-16-le"),
        "is not a Parquet, CSV (in UTF-8) or Arrow file",
    )
    yield "ragged", b"x,y\n1,2\n1,2,3\n", "Expected 2 columns, got 3"
    yield "twice", b"y,y\n1,2\n", "more than one column named 'y'"
    yield "header", b"x,y\n", "has no rows"


@pytest.mark.parametrize(
    ("content", "reason"), [pytest.param(*rest, id=name) for name, *rest in bad_files()]
)
def test_bad_files(refused, tmp_path, content, reason):
    path = tmp_path / "bad"
    path.write_bytes(content)
    line = refused("fit", path, "--target", "y")
    assert reason in line
    assert str(path) in line


def test_no_file_and_folders(refused, tmp_path, data):
    assert "No such file" in refused("fit", tmp_path / "none", "--target", "y")
    (tmp_path / "empty").mkdir()
    assert "is a folder without" in refused("fit", tmp_path / "empty", "--target", "y")
    assert "No such file" in refused("fit", data, "--target", "y", "--test", tmp_path / "none")
    assert "No such file" in refused("predict", tmp_path / "none", data)
    assert "No such file" in refused("info", tmp_path / "none")


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv.gz"])
def test_damaged_data(refused, tmp_path, table, kind):
    path = tmp_path / "data"
    write_as(table, path, kind)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert str(path) in refused("fit", path, "--target", "y")
    damaged = bytearray(good)
    damaged[len(good) // 3 : len(good) // 3 + 200] = bytes(200)
    path.write_bytes(damaged)
    status = main(["fit", str(path), "--target", "y"])
    assert status in (0, 1, 2)  # not every byte of these formats is checked: but no traceback


def test_outputs_that_cannot_be_written_are_refused(refused, data, model, tmp_path):
    for option in ("--save", "--plot"):
        line = refused("fit", data, "--target", "y", option, tmp_path / "none" / "p.png")
        assert "there is no folder" in line
        assert "is a folder" in refused("fit", data, "--target", "y", option, tmp_path)
    assert "there is no folder" in refused("predict", model, data, "--output", tmp_path / "n/o.csv")
    assert "must end in" in refused("predict", model, data, "--output", tmp_path / "o.xlsx")
    assert "must end in" in refused("fit", data, "--target", "y", "--plot", tmp_path / "p.jpeg2")


def test_test_files_that_do_not_fit(refused, data, table, tmp_path):
    path = tmp_path / "test.parquet"
    pq.write_table(table.drop_columns(["y"]), path)
    assert "no column 'y'" in refused("fit", data, "--target", "y", "--test", path)
    pq.write_table(table.drop_columns(["a"]), path)
    assert "no column 'a'" in refused("fit", data, "--target", "y", "--test", path)
    pq.write_table(table[:0], path)
    assert "has no rows with a 'y'" in refused("fit", data, "--target", "y", "--test", path)


def test_models_that_are_none(refused, model, data, tmp_path):
    assert "is not a model: name first a file" in refused("predict", data, data)
    assert "is not a model" in refused("info", data)
    damaged = bytearray(Path(model).read_bytes())
    damaged[500] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    assert "damaged" in refused("predict", tmp_path / "damaged", data)
    X = np.eye(3)
    fastridge.save(Ridge().fit(X, X[0]), tmp_path / "bare")
    assert "was not written by `fastridge fit`" in refused("predict", tmp_path / "bare", data)


def test_models_with_a_table_that_is_malformed(refused, model, data, tmp_path):
    from fastridge.io.model_file import write_model

    fitted, about = read_model(model)
    path = tmp_path / "odd"
    for columns in (None, [{}], [{"name": "a"}], about["columns"][:1], [{"name": 3, "levels": []}]):
        write_model(path, fitted, {**about, "columns": columns})
        refused("predict", path, data)


def test_data_that_do_not_fit_the_model(refused, model, table, tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(table.drop_columns(["a", "y"]), path)
    assert "has no column 'a'" in refused("predict", model, path)
    pq.write_table(table.set_column(0, "a", pa.array(["text"] * N)), path)
    line = refused("predict", model, path)
    assert f"{path}: column 'a' holds string where numbers are expected" in line
    pq.write_table(table.set_column(2, "city", pa.array(range(N))), path)
    assert "column 'city' holds int64 where text is expected" in refused("predict", model, path)
    path = tmp_path / "d.csv"
    pcsv.write_csv(table, path)
    text = path.read_text().splitlines()
    text[5] = "what" + text[5][text[5].index(",") :]
    path.write_text("\n".join(text))
    line = refused("predict", model, path)
    assert "column 'a'" in line
    assert "'what'" in line


@pytest.mark.parametrize("command", ["fit", "predict"])
def test_interrupts(refused, data, model, tmp_path, monkeypatch, command):
    def interrupt(self, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Encoder, "encode_into", interrupt)
    output = tmp_path / "out.csv"
    words = {
        "fit": ["fit", data, "--target", "y", "--save", output],
        "predict": ["predict", model, data, "--output", output],
    }
    before = sorted(os.listdir(tmp_path))
    line = refused(*words[command], status=130)
    assert line == f"fastridge {command}: interrupted\n"
    assert sorted(os.listdir(tmp_path)) == before


def test_too_little_memory(refused, data, monkeypatch):
    def fail(self, *_):
        raise MemoryError

    monkeypatch.setattr(Encoder, "encode_into", fail)
    assert "not enough memory" in refused("fit", data, "--target", "y")


@pytest.mark.parametrize(
    ("module", "extra"), [("pyarrow", "cli"), ("rich", "cli"), ("matplotlib", "plot")]
)
def test_extras_that_are_not_installed(refused, data, tmp_path, monkeypatch, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    line = refused("fit", data, "--target", "y", "--plot", tmp_path / "p.png")
    assert f"{module} is not installed: run  pip install 'fastridge-solvers[{extra}]'" in line
