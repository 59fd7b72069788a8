"""``fastridge fit``: what it computes and prints."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from cli_tables import N, load, make_table, parts_of, reference_features, sklearn_fit
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score, root_mean_squared_error

from fastridge import Ridge
from fastridge.cli import main
from fastridge.data.one_hot import CategoricalColumn, Encoder, NumericColumn
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.io.model_file import read_model

EXAMPLES = Path(__file__).parents[2] / "examples"


# --- fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("most", [100, 2])
def test_fit_is_ridge_on_the_documented_encoding(data, table, tmp_path, run, standardize, most):
    path = tmp_path / "m"
    flag = "--standardize" if standardize else "--no-standardize"
    options = ["--alpha", "0.7", "--max-categories", most, flag, "--save", path]
    out = run("fit", data, "--target", "y", *options)
    part, y, there = parts_of(table)
    train, test = there & (part != HELD_OUT), there & (part == HELD_OUT)
    X = reference_features(table, train, most)
    coef, intercept = sklearn_fit(X[train], y[train], 0.7, standardize)
    model, about = read_model(path)
    assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-10)
    assert_allclose(model.intercept_, intercept, rtol=1e-8)
    predicted = X[test] @ coef + intercept
    baseline = np.full(test.sum(), y[train].mean())
    assert about["held_out"]["n"] == test.sum()
    assert_allclose(about["held_out"]["r2"], r2_score(y[test], predicted), rtol=1e-9)
    wanted = root_mean_squared_error(y[test], predicted)
    assert_allclose(about["held_out"]["rmse"], wanted, rtol=1e-9)
    wanted = root_mean_squared_error(y[test], baseline)
    assert_allclose(about["held_out"]["baseline_rmse"], wanted, rtol=1e-9)
    assert f"{r2_score(y[test], predicted):.4f}" in out
    assert f"{train.sum()} for training, {test.sum()} held out, {(~there).sum()} without" in out


def test_the_penalty_is_that_of_brute_force_cross_validation(data, table, tmp_path, run):
    path = tmp_path / "m"
    alphas = [0.01, 1.0, 30.0, 300.0]
    options = ["--alphas", ",".join(map(str, alphas)), "--folds", 4, "--save", path]
    out = run("fit", data, "--target", "y", *options)
    part, y, there = parts_of(table, n_folds=4)
    train = there & (part != HELD_OUT)
    X = reference_features(table, train)
    errors = []
    for alpha in alphas:
        of_folds = []
        for k in range(4):
            coef, intercept = sklearn_fit(
                X[train & (part != k)], y[train & (part != k)], alpha, standardize=True
            )
            inside = train & (part == k)
            of_folds.append(np.mean((y[inside] - X[inside] @ coef - intercept) ** 2))
        errors.append(np.mean(of_folds))
    best = int(np.argmin(errors))
    assert load(path).alpha == alphas[best]
    assert f"best of 4 from 0.01 to 300 by 4-fold RMSE ({np.sqrt(errors[best]):.4g})" in out


def test_default_penalties_are_an_automatic_grid(data, run):
    assert re.search(r"best of \d+ from .* by 5-fold RMSE", run("fit", data, "--target", "y"))


def test_alphas_with_commas(data, tmp_path, run):
    run("fit", data, "--target", "y", "--alphas", "1,2", "--alphas", 3, "--save", tmp_path / "m")
    assert load(tmp_path / "m").alpha in (1.0, 2.0, 3.0)


def test_the_end_of_the_grid_is_noted(data, run):
    out = run("fit", data, "--target", "y", "--alphas", "1e6,1e7")
    assert "note: the best penalty is the smallest of the 2 tried" in out


def test_alpha_zero(data, run):
    out = run("fit", data, "--target", "y", "--alpha", 0)
    assert "0 (given)" in out
    assert "check ok: normal equations" in out


def test_every_part_of_the_report_is_there(data, run):
    out = run("fit", data, "--target", "y", "--top", 3)
    for heading in ("numbers", "one-hot", "missing", "rows", "columns", "alpha", "held-out R²"):
        assert f"│ {heading} " in out
    for heading in ("held-out RMSE", "solver", "condition number", "seconds"):
        assert f"│ {heading} " in out
    assert re.search(r"schema [\d.]+, statistics [\d.]+, solve [\d.]+, check [\d.]+", out)
    assert "Strongest of" in out
    assert len(re.findall(r"^│ .*│ +[+-].*│ +[+-].*│$", out, re.MULTILINE)) == 3
    assert "check ok: normal equations" in out
    assert "check ok: scikit-learn's Ridge" in out
    assert "day (days since 1970)" in out
    assert "flag (0 or 1)" in out


def test_strongest_coefficients(data, run):
    out = run("fit", data, "--target", "y", "--top", 1, "--alpha", 1e-6)
    name, effect, _ = re.findall(r"^│ (\S+) +│ +(\S+) │ +(\S+) │$", out, re.MULTILINE)[-1]
    assert name in ("b", "day", "city=Ōsaka")
    assert abs(float(effect)) > 1


def test_features_and_categorical(data, tmp_path, run):
    for words in (["a,code"], ["a", "--features", "code"], [" a, code,"]):
        options = ["--features", *words, "--categorical", "code", "--save", tmp_path / "m"]
        out = run("fit", data, "--target", "y", *options)
        assert "code (5)" in out
        names = load(tmp_path / "m").feature_names_in_
        assert names[0] == "a"
        assert sorted(names[1:]) == [f"code={k}" for k in range(5)]


def test_a_column_whose_name_has_a_comma(tmp_path, run):
    rng = np.random.default_rng(0)
    path = tmp_path / "d.parquet"
    columns = {"a,b": rng.normal(size=50), "[bold]": rng.normal(size=50), "y": rng.normal(size=50)}
    pq.write_table(pa.table(columns), path)
    features = ["--features", "a,b", "--features", "[bold]"]
    out = run("fit", path, "--target", "y", *features, "--alpha", 1)
    assert "│ a,b " in out
    assert "│ [bold] " in out


def test_constant_and_empty_columns_are_left_out(tmp_path, table, run):
    table = table.append_column("same", pa.array([2011] * N))
    table = table.append_column("void", pa.nulls(N))
    table = table.append_column("gone", pa.array([None] * N, pa.float64()))
    table = table.append_column("list", pa.array([[1]] * N))
    table = table.append_column("one", pa.array(["x"] * N))
    pq.write_table(table, tmp_path / "d.parquet")
    out = " ".join(run("fit", tmp_path / "d.parquet", "--target", "y").split())
    assert "same, one: constant" in out
    assert "void, gone: no values" in out
    assert "list: of a type that is not supported" in out


def test_pandas_index_is_left_out(tmp_path, run):
    pd = pytest.importorskip("pandas")
    x = np.arange(50.0)
    frame = pd.DataFrame({"x": x, "y": x**2}, index=np.roll(np.arange(50), 7))
    frame.to_parquet(tmp_path / "d.parquet")
    assert "__index_level_0__: a row index" in run("fit", tmp_path / "d.parquet", "--target", "y")


def test_fit_named_index_of_pandas_is_left_out_unless_chosen(tmp_path, run):
    pd = pytest.importorskip("pandas")
    x = np.arange(50.0)
    index = pd.MultiIndex.from_arrays([np.roll(x, 7), x % 7], names=["first", "second"])
    (tmp_path / "d").mkdir()
    for k in range(2):
        frame = pd.DataFrame({"x": x, "y": x**2}, index=index)
        frame.to_parquet(tmp_path / "d" / f"{k}.parquet")
    for path in (tmp_path / "d", tmp_path / "d" / "0.parquet"):
        assert "first, second: a row index" in run("fit", path, "--target", "y")
    out = run("fit", path, "--target", "y", "--features", "x,second")
    assert "x, second" in out


def test_too_many_different_texts_are_left_out_or_refused(tmp_path, run, refused, monkeypatch):
    monkeypatch.setattr("fastridge.data.schema.MAX_DISTINCT", 20)
    path = tmp_path / "d.parquet"
    columns = {"id": [f"r{k}" for k in range(60)], "x": np.arange(60.0), "y": np.arange(60.0) ** 2}
    pq.write_table(pa.table(columns), path)
    assert "id: more than 20 different values" in run("fit", path, "--target", "y")
    assert "leave it out" in refused("fit", path, "--target", "y", "--features", "id,x")


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_size_of_batches_changes_nothing(data, tmp_path, run, monkeypatch, rows):
    run("fit", data, "--target", "y", "--save", tmp_path / "whole")
    monkeypatch.setattr("fastridge.cli.rows.BATCH_ROWS", rows)
    run("fit", data, "--target", "y", "--save", tmp_path / "batches")
    whole, batches = load(tmp_path / "whole"), load(tmp_path / "batches")
    assert_allclose(batches.alpha, whole.alpha, rtol=1e-9)
    assert_allclose(batches.coef_, whole.coef_, rtol=1e-8, atol=1e-11)


def test_the_seed_decides_the_split(data, tmp_path, run):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("fit", data, "--target", "y", "--alpha", 1, "--seed", seed, "--save", tmp_path / name)
    a, b, c = (load(tmp_path / name).coef_ for name in "abc")
    assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_no_rows_held_out(data, table, tmp_path, run):
    path = tmp_path / "m"
    out = run("fit", data, "--target", "y", "--alpha", 1, "--test-size", 0, "--save", path)
    assert "held-out" not in out
    _, y, there = parts_of(table)
    X = reference_features(table, there)
    coef, _ = sklearn_fit(X[there], y[there], 1.0, standardize=True)
    model, about = read_model(path)
    assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-10)
    assert about["held_out"] is None


def test_a_file_of_held_out_rows(data, table, tmp_path, run):
    other = make_table(100, seed=1)
    pcsv.write_csv(other, tmp_path / "other.csv")
    options = ["--alpha", 1, "--test", tmp_path / "other.csv", "--save", tmp_path / "m"]
    run("fit", data, "--target", "y", *options)
    _, y, there = parts_of(table)
    both = pa.concat_tables([table, other])
    train = np.concatenate([there, np.zeros(100, dtype=bool)])
    X = reference_features(both, train)
    coef, intercept = sklearn_fit(X[train], y[there], 1.0, standardize=True)
    _, truth, known = parts_of(other)
    predicted = X[N:][known] @ coef + intercept
    held_out = read_model(tmp_path / "m")[1]["held_out"]
    assert_allclose(held_out["r2"], r2_score(truth[known], predicted), rtol=1e-9)


def test_no_check(data, run):
    out = run("fit", data, "--target", "y", "--no-check")
    assert "check ok" not in out
    assert "held-out R²" in out


def test_a_wrong_model_fails_the_check(data, capsys, monkeypatch):
    right = Ridge.fit_statistics

    def wrong(self, stats):
        right(self, stats)
        self.coef_ = self.coef_ * (1 + 1e-6)
        return self

    monkeypatch.setattr(Ridge, "fit_statistics", wrong)
    assert main(["fit", data, "--target", "y"]) == 1
    assert "check FAILED: normal equations" in capsys.readouterr().out


def test_a_difference_from_sklearn_fails_the_check(data, capsys, monkeypatch):
    right = Ridge.predict
    monkeypatch.setattr(Ridge, "predict", lambda self, X: right(self, X) + 1e-3)
    assert main(["fit", data, "--target", "y"]) == 1
    assert "check FAILED: scikit-learn" in capsys.readouterr().out


def test_warnings_of_the_solver_are_printed(data, run, monkeypatch):
    import warnings

    right = Ridge.fit_statistics

    def warns(self, stats):
        warnings.warn("X is nearly singular\nmore", UserWarning, stacklevel=1)
        return right(self, stats)

    monkeypatch.setattr(Ridge, "fit_statistics", warns)
    assert "note: X is nearly singular\n" in run("fit", data, "--target", "y")


def test_large_offsets(tmp_path, run):
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    table = pa.table({"x": x + 1e8, "y": 3 * x + 1e6})
    pq.write_table(table, tmp_path / "d.parquet")
    out = run(
        "fit", tmp_path / "d.parquet", "--target", "y", "--alpha", 0, "--save", tmp_path / "m"
    )
    assert "check ok" in out
    assert_allclose(load(tmp_path / "m").coef_, [3.0], rtol=1e-6)


def test_progress_on_a_terminal(data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["fit", data, "--target", "y"]) == 0
    out, err = capsys.readouterr()
    for stage in ("schema", "statistics", "solve", "check"):
        assert stage in err
    assert "rows" in err
    assert "check ok" in out


def test_boolean_targets_are_0_and_1(data, run):
    assert "Ridge regression of flag" in run("fit", data, "--target", "flag")


# --- parts ----------------------------------------------------------------------------------------


def test_split_is_random_in_the_stated_shares():
    part = Split(seed=5, test_size=0.3, n_folds=4).start().draw(40_000)
    assert_allclose(np.mean(part == HELD_OUT), 0.3, atol=0.01)
    for k in range(4):
        assert_allclose(np.mean(part == k), 0.7 / 4, atol=0.01)


def test_split_does_not_depend_on_batches():
    split = Split(seed=5, test_size=0.3, n_folds=4)
    whole, parts = split.start().draw(1000), split.start()
    batches = np.concatenate([parts.draw(n) for n in (1, 0, 99, 400, 500)])
    assert_array_equal(batches, whole)


def test_encoder_json():
    encoder = Encoder(
        [
            NumericColumn("größe", "number", 1.5, True),
            CategoricalColumn("c", "text", ["a", "é"], True, True),
        ]
    )
    again = Encoder.from_json(encoder.to_json())
    assert again == encoder
    assert again.n_features == 6
    assert again.feature_names[-2:] == ["c=(other)", "c=(missing)"]


@pytest.mark.parametrize(
    "column",
    [
        {},
        {"name": "a", "kind": "number"},
        {"name": "a", "kind": "matrix", "fill": 0.0, "indicator": False},
        {"name": None, "kind": "number", "fill": 0.0, "indicator": False},
        {"name": "a", "kind": "number", "fill": "x", "indicator": False},
        {"name": "a", "kind": "text", "levels": "ab", "other": False, "missing": False},
        {"name": "a", "kind": "text", "levels": [1], "other": False, "missing": False},
        {"name": "a", "kind": "text", "levels": ["a"], "other": False, "more": 1},
    ],
)
def test_encoder_json_that_is_none(column):
    with pytest.raises(ValueError, match="no column"):
        Encoder.from_json([column])


def test_as_a_program(data):
    words = [sys.executable, "-P", "-m", "fastridge", "fit", data, "--target", "nöthing"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        words, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("fastridge fit: error: ")
    assert r"n\xf6thing" in result.stderr
    assert result.stderr.count("\n") == 1


# --- the flights ----------------------------------------------------------------------------------


def test_the_example_script_and_the_command_line_agree(tmp_path, run, capsys):
    path = EXAMPLES / "flights.parquet"
    features = "Month DayOfWeek DepTime UniqueCarrier Origin Dest Distance DepDelay TaxiOut"
    out = run(
        "fit", path, "--target", "ArrDelay", "--features", ",".join(features.split()),
        "--categorical", "Month,DayOfWeek", "--save", tmp_path / "m",
    )  # fmt: skip
    assert "179,078 for training, 44,796 held out, 3,622 without target" in out
    assert out.count("check ok") == 3
    model, about = read_model(tmp_path / "m")
    script, r2 = runpy.run_path(str(EXAMPLES / "flights.py"))["main"]()
    assert_allclose(script.alpha_, model.alpha, rtol=1e-9)
    assert_allclose(r2, about["held_out"]["r2"], rtol=1e-9)
    assert r2 > 0.92
    theirs = dict(zip(script.feature_names_in_, script.coef_, strict=True))
    ours = dict(zip(model.feature_names_in_, model.coef_, strict=True))
    assert theirs.keys() == ours.keys()
    for name, value in ours.items():
        assert_allclose(theirs[name], value, rtol=1e-6, atol=1e-9)


def test_fit_tiny_penalty_of_dependent_columns_passes_its_checks(tmp_path, run):
    path = tmp_path / "d.csv"
    rows = [f"{k % 7},{'abc'[k % 3]},{k % 7 + k % 5 / 9}" for k in range(120)]
    path.write_text("\n".join(["x,z,y", *rows, ""]))
    out = run("fit", path, "--target", "y", "--alpha", "1e-300")
    assert "check ok: scikit-learn" in out
