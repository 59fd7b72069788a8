"""Test the output of the commands: tables, JSON, coefficients, predictions."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from cli_tables import load
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import Lasso, Ridge, save
from fastridge.cli import main
from fastridge.cli.json_report import plain
from fastridge.data import csv_file

RNG = np.random.default_rng(0)
N = 300
X = RNG.standard_normal((N, 3)).round(4)
CLASSES = {"two": ["no", "yes"], "three": ["maybe", "no", "yes"]}
NASTY = {"bell\x07": "\x1b]0;title\x07", "red\x1b[31m": "\x1b[2J", "\u202eevil": "new\nline"}


@pytest.fixture
def classified(tmp_path):
    """Return the path of a table whose target has two or three classes."""

    def classified(n_classes):
        score = X[:, 0] + 0.3 * RNG.standard_normal(N)
        code = np.digitize(score, [0.0] if n_classes == 2 else [-0.5, 0.5])
        y = np.array(CLASSES["two" if n_classes == 2 else "three"])[code]
        path = tmp_path / f"classes{n_classes}.parquet"
        pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y}), path)
        return path

    return classified


SGD = ["--target", "y", "--method", "sgd", "--loss", "log_loss"]


def strict(text):
    """Return what JSON says; NaN and infinity are no JSON."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


# --- tables ---------------------------------------------------------------------------------------


def test_result_comes_before_the_names_of_many_columns(tmp_path, run):
    names = [f"a_rather_long_name_{j}" for j in range(60)]
    columns = {name: RNG.standard_normal(200) for name in names}
    pq.write_table(pa.table({**columns, "y": RNG.standard_normal(200)}), tmp_path / "d.parquet")
    out = run("fit", tmp_path / "d.parquet", "--target", "y", "--top", 3)
    assert out.index("held-out R²") < out.index("Strongest of") < out.index("Columns of")
    assert "... (--json has all)" in out
    assert "a_rather_long_name_59" not in out
    assert len(out.splitlines()) < 45


def test_reasons_are_kept_where_lists_are_cut(tmp_path, run):
    constant = {f"constant_column_{j}": np.ones(N) for j in range(60)}
    table = pa.table({"x": X[:, 0], **constant, "y": X[:, 1]})
    pq.write_table(table, tmp_path / "d.parquet")
    out = " ".join(run("fit", tmp_path / "d.parquet", "--target", "y").replace("│", " ").split())
    assert "(--json has all): constant" in out


def test_intercept_is_printed(data, tmp_path, run):
    out = run("fit", data, "--target", "y", "--save", tmp_path / "m")
    intercept = f"│ {load(tmp_path / 'm').intercept_:.6g} "
    assert intercept in out
    assert intercept in run("info", tmp_path / "m")


def test_classes_have_coefficients_and_intercepts(classified, tmp_path, run):
    out = run("fit", classified(3), *SGD, "--save", tmp_path / "m")
    model = load(tmp_path / "m")
    for text in (out, run("info", tmp_path / "m")):
        assert "change of the score of each y per standard deviation" in text
        assert "│ a       │" in text
        intercepts = zip(CLASSES["three"], model.intercept_, strict=True)
        assert ", ".join(f"{name} {value:.4g}" for name, value in intercepts) in text


def test_positive_class_is_named(classified, run):
    out = run("fit", classified(2), *SGD)
    assert "Strongest of 3 coefficients: change of the score of y = yes" in out


@pytest.mark.parametrize("command", ["fit", "cv", "predict", "info"])
def test_names_and_values_are_escaped(tmp_path, capfd, command):
    first, second, third = NASTY
    values = np.array(list(NASTY.values()))[np.arange(N) % 3]
    names = [first, second, third, "[red]y[/red]"]
    columns = [X[:, 0], values, pa.array([None, *X[1:, 1]]), X[:, 2]]
    path = str(tmp_path / "d.parquet")
    pq.write_table(pa.table(columns, names=names), path)
    target = ["--target", names[-1]]
    model = str(tmp_path / "m")
    fit = ["fit", path, *target, "--save", model]
    assert main(fit) == 0
    capfd.readouterr()
    strange = tmp_path / "strange.parquet"
    pq.write_table(pa.table([X[:, 0], ["\x1b["] * N, X[:, 1], X[:, 2]], names=names), strange)
    words = {
        "fit": fit,
        "cv": ["cv", path, *target, "--methods", "gcv"],
        "predict": ["predict", model, str(strange)],
        "info": ["info", model],
    }
    assert main(words[command]) == 0
    out, err = capfd.readouterr()
    for character in "\x1b\x07\u202e":
        assert character not in out + err
    assert r"red\x1b[31m" in out + err
    assert main(["fit", path, "--target", third + "?"]) == 2
    assert r"no column '\u202eevil?' (did you mean '\u202eevil'?)" in capfd.readouterr().err


def test_plots_of_names_that_a_font_lacks_print_nothing(tmp_path, capfd):
    pytest.importorskip("matplotlib")
    columns = [X[:, 0], X[:, 1], X[:, 2]]
    names = ["\x1b[31m", "東京", "$y_\x07"]
    pq.write_table(pa.table(columns, names=names), tmp_path / "d.parquet")
    words = ["--target", names[-1], "--plot", str(tmp_path / "p.svg")]
    assert main(["fit", str(tmp_path / "d.parquet"), *words]) == 0
    assert capfd.readouterr().err == ""
    assert "\x1b" not in (tmp_path / "p.svg").read_text()


@pytest.mark.parametrize(
    ("settings", "width"),
    [
        ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, 100),
        ({"PYTHONIOENCODING": "ascii"}, 100),
        ({"LC_ALL": "C", "NO_COLOR": "1", "COLUMNS": "80", "LINES": "24"}, 80),
    ],
    ids=str,
)
def test_report_of_a_program_keeps_the_width_without_colours(data, settings, width):
    words = [sys.executable, "-P", "-m", "fastridge", "fit", data, "--target", "y"]
    result = subprocess.run(
        words, capture_output=True, timeout=120, check=False, env={**os.environ, **settings}
    )
    assert result.returncode == 0
    assert result.stderr == b""
    assert b"\x1b" not in result.stdout
    lines = result.stdout.decode().splitlines()
    tables = [line for line in lines if line[:1] in "│┌└┏┡┃+|"]
    assert tables
    assert max(map(len, tables)) <= width


# --- JSON -----------------------------------------------------------------------------------------


def test_json_of_a_fit_holds_what_is_printed(data, tmp_path, run):
    paths = {"model": str(tmp_path / "m"), "coefficients": str(tmp_path / "c.csv")}
    words = ["--save", paths["model"], "--coefs", paths["coefficients"], "--json"]
    found = strict(run("fit", data, "--target", "y", *words))
    model = load(tmp_path / "m")
    assert found["command"] == "fit"
    assert found["target"] == "y"
    assert found["written"] == paths
    assert found["alpha"] == found["model"]["parameters"]["alpha"] == model.alpha
    assert found["intercept"] == model.intercept_
    assert [one["coefficient"] for one in found["coefficients"]] == model.coef_.tolist()
    assert [one["feature"] for one in found["coefficients"]] == list(model.feature_names_in_)
    assert len(found["kfold"]["alphas"]) == len(found["kfold"]["rmse"]) == 100
    assert all(check["passed"] and check["value"] <= check["limit"] for check in found["checks"])
    assert found["held_out"]["r2"] > 0.9
    assert found["held_out"]["accuracy"] is None
    assert sum(found["rows"].values()) == 400
    names = [name for column in found["columns"] for name in column["features"]]
    assert names == list(model.feature_names_in_)
    assert set(found["seconds"]) == {"schema", "statistics", "solve", "check"}


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--alpha", "0", "--test-size", "0"],
        ["fit", "--l1-ratio", "1"],
        ["fit", "--l1-ratio", "0.5", "--alpha", "0.1"],
        ["fit", "--method", "sgd"],
        ["cv"],
        ["cv", "--l1-ratio", "0.5,1", "--selection", "1se"],
    ],
    ids=" ".join,
)
def test_json_of_every_command_is_valid_and_in_ascii(data, run, words):
    command, *options = words
    out = run(command, data, "--target", "y", *options, "--json")
    assert out.isascii()
    found = strict(out)
    assert found["command"] == command
    assert {"rows", "columns", "column_choices", "notes", "seconds"} <= set(found)
    if command == "cv" and len(words) == 1:
        assert found["methods"][0]["method"] == "loo"
        assert found["methods"][3]["rmse"] is None  # em has no error
    else:
        assert isinstance(found["intercept"], float)


def test_json_of_classes_has_a_number_of_each(classified, run, tmp_path):
    found = strict(run("fit", classified(3), *SGD, "--json", "--save", tmp_path / "m"))
    assert found["model"]["classes"] == CLASSES["three"]
    assert len(found["intercept"]) == len(found["coefficients"][0]["coefficient"]) == 3
    assert found["held_out"]["accuracy"] > 0.5
    about = strict(run("info", tmp_path / "m", "--json"))
    assert about["coefficients"] == found["coefficients"]
    assert about["held_out"]["accuracy"] == found["held_out"]["accuracy"]


def test_json_of_a_model_from_python(tmp_path, run):
    save(Lasso(0.1).fit(X, np.c_[X[:, 0], X[:, 1]]), tmp_path / "m")
    found = strict(run("info", tmp_path / "m", "--json"))
    assert found["model"]["class"] == "Lasso"
    assert found["coefficients"][0]["standard_deviation"] is None
    assert len(found["coefficients"][0]["coefficient"]) == 2
    singular = np.c_[X[:, 0], X[:, 0]]
    save(Ridge(0.0).fit(singular, X[:, 1]), tmp_path / "m")
    strict(run("info", tmp_path / "m", "--json"))


@pytest.mark.parametrize("to_file", [True, False])
def test_json_of_predict_is_apart_from_the_predictions(model, data, tmp_path, capsys, to_file):
    words = ["--output", str(tmp_path / "o.csv")] if to_file else []
    assert main(["predict", model, data, "--json", *words]) == 0
    out, err = capsys.readouterr()
    assert (err == "") == to_file
    found = strict(out if to_file else err)
    assert found["rows"] == {"predicted": 400, "with_target": 392}
    assert found["scores"]["r2"] > 0.9
    assert found["written"]["predictions"] == (words[1] if to_file else None)


def test_json_keys_are_documented(data, classified, model, tmp_path, run):
    text = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(\w+)`", text.partition("## JSON")[2].partition("\n## ")[0]))
    found = set()
    for words in (
        ["fit", data, "--target", "y"],
        ["fit", data, "--target", "y", "--l1-ratio", "1"],
        ["fit", classified(2), *SGD],
        ["cv", data, "--target", "y"],
        ["cv", data, "--target", "y", "--l1-ratio", "1"],
        ["fit", classified(2), "--target", "y", "--family", "binomial"],
        ["cv", classified(2), "--target", "y", "--family", "binomial"],
        ["info", model],
        ["fit", classified(2), "--target", "y", "--family", "binomial", "--save", tmp_path / "m"],
        ["info", tmp_path / "m"],
        ["predict", tmp_path / "m", classified(2), "--output", tmp_path / "p.csv"],
        ["predict", model, data, "--output", tmp_path / "o.csv"],
    ):
        report = strict(run(*words, "--json"))
        found |= set(report)
        for key in ("model", "held_out", "rows", "kfold", "family"):
            found |= set(report.get(key) or {})
        for key in ("columns", "coefficients", "checks", "methods", "calibration"):
            found |= set((report.get(key) or [{}])[0])
    assert found <= documented


def test_json_has_null_for_numbers_that_are_not_finite():
    values = {"a": np.array([1.0, np.nan]), "b": (np.inf, np.int64(2)), "c": np.bool_(True)}
    assert plain(values) == {"a": [1.0, None], "b": [None, 2], "c": True}


# --- coefficients ---------------------------------------------------------------------------------


def lines_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("words", [[], ["--l1-ratio", "1", "--alpha", "0.1"], ["--method", "sgd"]])
def test_coefs_are_all_coefficients_and_the_intercept(data, tmp_path, run, words):
    out = run(
        "fit", data, "--target", "y", *words,
        "--coefs", tmp_path / "c.csv", "--save", tmp_path / "m",
    )  # fmt: skip
    assert f"coefficients in {tmp_path / 'c.csv'}" in out
    header, intercept, *rows = lines_of(tmp_path / "c.csv")
    model = load(tmp_path / "m")
    assert header == ["feature", "standard_deviation", "coefficient"]
    assert intercept[:2] == ["(intercept)", ""]
    assert float(intercept[2]) == np.ravel(model.intercept_)[0]
    assert [row[0] for row in rows] == list(
        getattr(model, "feature_names_in_", [row[0] for row in rows])
    )
    assert_array_equal([float(row[2]) for row in rows], np.ravel(model.coef_))


def test_coefs_of_classes_have_a_column_of_each(classified, tmp_path, run):
    run("fit", classified(3), *SGD, "--coefs", tmp_path / "c.csv", "--save", tmp_path / "m")
    header, intercept, *rows = lines_of(tmp_path / "c.csv")
    model = load(tmp_path / "m")
    assert header[2:] == ["coefficient_maybe", "coefficient_no", "coefficient_yes"]
    assert_array_equal([float(value) for value in intercept[2:]], model.intercept_)
    assert_array_equal([[float(v) for v in row[2:]] for row in rows], model.coef_.T)


def test_coefs_of_a_chosen_elastic_net(data, tmp_path, run):
    words = ["--l1-ratio", "0.5,1", "--coefs", tmp_path / "c.csv"]
    found = strict(run("cv", data, "--target", "y", *words, "--json"))
    rows = lines_of(tmp_path / "c.csv")[2:]
    wanted = [one["coefficient"] for one in found["coefficients"]]
    assert [float(row[2]) for row in rows] == wanted


# --- predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_proba_writes_the_probability_of_each_class(classified, tmp_path, run, n_classes):
    path = classified(n_classes)
    run("fit", path, *SGD, "--save", tmp_path / "m")
    run("predict", tmp_path / "m", path, "--proba", "--output", tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet")
    names = CLASSES["two" if n_classes == 2 else "three"]
    assert found.column_names == ["prediction", *(f"probability_{name}" for name in names)]
    model = load(tmp_path / "m")
    probability = np.column_stack([found[f"probability_{name}"].to_numpy() for name in names])
    assert_allclose(probability, model.predict_proba(X), rtol=1e-12)
    assert found["prediction"].to_pylist() == model.predict(X).tolist()
    out = run("predict", tmp_path / "m", path, "--proba")
    header, *rows = csv.reader(out.splitlines())
    assert header == found.column_names
    assert_array_equal(np.array([row[1:] for row in rows], dtype=float), probability)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_predict_scores_probabilities_by_their_log_loss(classified, tmp_path, run, n_classes):
    path = classified(n_classes)
    run("fit", path, *SGD, "--save", tmp_path / "m")
    words = ["--output", tmp_path / "o.csv", "--json"]
    found = strict(run("predict", tmp_path / "m", path, *words))["scores"]["log_loss"]
    model = load(tmp_path / "m")
    known = np.searchsorted(model.classes_, pq.read_table(path)["y"].to_pylist())
    probability = model.predict_proba(X)[np.arange(len(X)), known]
    assert found == pytest.approx(-np.log(probability).mean(), rel=1e-12)


def test_proba_needs_a_model_of_probabilities(classified, model, data, tmp_path, run, refused):
    assert "--proba" in refused("predict", model, data, "--proba")
    hinge = [*SGD[:-1], "hinge"]
    run("fit", classified(2), *hinge, "--save", tmp_path / "m")
    assert "fit it with --loss log_loss" in refused(
        "predict", tmp_path / "m", classified(2), "--proba"
    )


STRANGE = 'id,x,"a,b",y,note\n' + "".join(
    f'{k:05d},{X[k, 0]} ,"{X[k, 1]}",{X[k, 2]},"say ""{k}"", NA"\n' for k in range(N)
)


def test_append_repeats_the_cells_of_csv_files(tmp_path, run):
    path = tmp_path / "d.csv"
    path.write_text(STRANGE)
    words = ["--features", "x", "--features", "a,b", "--save", tmp_path / "m"]
    run("fit", path, "--target", "y", *words)
    found = list(csv.reader(run("predict", tmp_path / "m", path, "--append").splitlines()))
    given = list(csv.reader(STRANGE.splitlines()))
    assert [row[:-1] for row in found] == given
    alone = run("predict", tmp_path / "m", path).splitlines()
    assert [row[-1] for row in found] == alone
    run("predict", tmp_path / "m", path, "--append", "--output", tmp_path / "o.parquet")
    table = pq.read_table(tmp_path / "o.parquet")
    assert table["id"].to_pylist() == [row[0] for row in given[1:]]
    assert table["prediction"].to_pylist() == [float(value) for value in alone[1:]]


def test_append_of_csv_files_to_parquet_has_the_types_that_all_cells_fit(
    tmp_path, run, monkeypatch
):
    monkeypatch.setattr(csv_file, "CSV_BLOCK", 1024)
    path, far = tmp_path / "d.csv", 10**17
    rows = [f"{k},{far + k},{k % 9},{k},2020-01-0{k % 9 + 1},00{k % 9},{k % 7}" for k in range(N)]
    rows[5] = f"NA,{far + 5},0.5,5,2020-01-01,000,5"
    rows[-1] = f"{N - 1},{far},0.5,late,2020-01-01,000,5"
    path.write_text("\n".join(["x,far,late,text,day,code,y", *rows, ""]))
    run("fit", path, "--target", "y", "--features", "x", "--save", tmp_path / "m")
    run("predict", tmp_path / "m", path, "--append", "--output", tmp_path / "o.parquet")
    table = pq.read_table(tmp_path / "o.parquet")
    kinds = {"far": "int64", "late": "double", "text": "string", "day": "date32[day]"}
    kinds |= {"x": "int64", "code": "string", "y": "int64"}
    assert {name: str(table.schema.field(name).type) for name in kinds} == kinds
    assert table["x"].to_pylist()[4:7] == [4, None, 6]
    assert table["far"].to_pylist()[:2] == [far, far + 1]
    assert table["code"].to_pylist()[:2] == ["000", "001"]


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".csv"])
def test_append_keeps_the_columns_of_tables(model, table, tmp_path, run, ending):
    import pyarrow.feather as pf

    nested = pa.array([[k] for k in range(len(table))])
    table = table.append_column("nested", nested)
    table = table.set_column(2, "city", table["city"].dictionary_encode())
    path, output = tmp_path / "d.parquet", tmp_path / f"o{ending}"
    pq.write_table(table, path, row_group_size=77)
    run("predict", model, path, "--append", "--output", output)
    if ending == ".csv":
        found = pcsv.read_csv(output)
        assert found.column_names == [*table.column_names, "prediction"]
        assert found["nested"].to_pylist() == [f"[{k}]" for k in range(len(table))]
        assert found["a"].to_pylist() == table["a"].to_pylist()
        return
    found = pf.read_table(output) if ending == ".feather" else pq.read_table(output)
    assert found.drop_columns(["prediction"]).to_pylist() == table.to_pylist()
    assert found.schema.field("day").type == table.schema.field("day").type


def test_append_of_files_in_a_folder_with_other_types(tmp_path, run):
    (tmp_path / "d" / "k=1").mkdir(parents=True)
    (tmp_path / "d" / "k=2").mkdir()
    pq.write_table(pa.table({"x": X[:, 0], "y": X[:, 1], "n": np.arange(N)}), tmp_path / "d/k=1/p")
    other = pa.table({"y": X[:, 1], "n": np.arange(N) + 0.5, "x": X[:, 0]})
    pq.write_table(other, tmp_path / "d/k=2/p")
    run("fit", tmp_path / "d", "--target", "y", "--features", "x", "--save", tmp_path / "m")
    run("predict", tmp_path / "m", tmp_path / "d", "--append", "--output", tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet")
    assert found.column_names == ["x", "y", "n", "k", "prediction"]
    assert found["n"].to_pylist() == [*np.arange(N), *(np.arange(N) + 0.5)]
    assert found["k"].to_pylist() == [1] * N + [2] * N


def test_append_refuses_to_repeat_a_name(model, table, tmp_path, refused):
    path = tmp_path / "d.parquet"
    pq.write_table(table.append_column("prediction", table["a"]), path)
    line = refused("predict", model, path, "--append", "--output", tmp_path / "o.csv")
    assert "has a column 'prediction' already" in line
    assert not (tmp_path / "o.csv").exists()


def test_append_of_no_rows_writes_the_header(model, table, tmp_path, run):
    pq.write_table(table[:0], tmp_path / "none.parquet")
    out = run("predict", model, tmp_path / "none.parquet", "--append")
    assert out == ",".join([*table.column_names, "prediction"]) + "\n"


def test_predict_other_encodings_in_columns_that_it_does_not_need(tmp_path, run, refused):
    lines = [f"{x},{y}" for x, _, y in X]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(["x,y", *lines, ""]))
    run("fit", path, "--target", "y", "--save", tmp_path / "m")
    wanted = run("predict", tmp_path / "m", path)
    lines = [f"{line},café" for line in lines]
    path.write_bytes("\n".join(["x,y,note", *lines, ""]).encode("latin-1"))
    assert run("predict", tmp_path / "m", path) == wanted
    assert "column 'note' holds b'caf" in refused("fit", path, "--target", "y")
    assert "--encoding latin-1" in refused("predict", tmp_path / "m", path, "--append")
    found = run("predict", tmp_path / "m", path, "--append", "--encoding", "latin-1")
    assert found.splitlines()[1].split(",")[2] == "café"


@pytest.mark.parametrize("bad", ["target", "other"])
@pytest.mark.parametrize("to_file", [True, False])
def test_predict_bad_values_in_columns_that_it_does_not_need(
    tmp_path, capsys, monkeypatch, bad, to_file
):
    monkeypatch.setattr(csv_file, "CSV_BLOCK", 4096)  # the bad value is not in the first block
    n = 5000
    lines = [f"{k % 7},{k % 5},{k % 3}" for k in range(n)]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(["x,y,other", *lines, ""]))
    model, output = str(tmp_path / "m"), str(tmp_path / "o.csv")
    assert main(["fit", str(path), "--target", "y", "--features", "x", "--save", model]) == 0
    lines[-9] = {"target": "1,what,1", "other": "1,1,what"}[bad]
    path.write_text("\n".join(["x,y,other", *lines, ""]))
    capsys.readouterr()
    assert main(["predict", model, str(path), *(["--output", output] if to_file else [])]) == 0
    out, err = capsys.readouterr()
    found = (tmp_path / "o.csv").read_text() if to_file else out
    fitted = load(model)
    wanted = [f"{k % 7 * fitted.coef_[0] + fitted.intercept_:.6f}" for k in range(n)]
    wanted[-9] = f"{fitted.coef_[0] + fitted.intercept_:.6f}"
    assert [f"{float(line):.6f}" for line in found.splitlines()[1:]] == wanted
    if bad == "target":
        assert f"note: no error of the predictions: {path}, line {n - 7}" in err
        assert "'what'" in err
    else:
        assert f"y is known in {n:,} rows" in err
