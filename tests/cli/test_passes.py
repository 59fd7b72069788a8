"""The passes of the command line over the rows, and the checks that it makes on the way."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics import r2_score, root_mean_squared_error

from fastridge import GramStatistics, Ridge
from fastridge.cli import crossvalidation, main, rows, training
from fastridge.cli.checking import RandomModel
from fastridge.cli.rows import Rows
from fastridge.data.files import FileTable
from fastridge.data.one_hot import CategoricalColumn
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.io.model_file import read_model
from fastridge.statistics import gram_statistics


@pytest.fixture
def passes(monkeypatch):
    """Count how often files are read."""
    read, found = FileTable.tables, []

    def counted(self, block, columns, step, prefetch):
        found.append(block.file.path)
        return read(self, block, columns, step, prefetch)

    monkeypatch.setattr(FileTable, "tables", counted)
    return found


def written(path, X, y):
    pq.write_table(pa.table({**{f"x{j}": column for j, column in enumerate(X.T)}, "y": y}), path)
    return path


@pytest.mark.parametrize("words", [[], ["--l1-ratio", "0.5"], ["--model", "lasso"]])
def test_fit_reads_a_file_twice(data, run, passes, words):
    out = run("fit", data, "--target", "y", *words)
    assert len(passes) == 2
    assert "training rows, by their sums" in out
    assert "check ok: sums over the" in out
    assert "read again" not in out


def test_fit_with_given_alpha_and_no_check_reads_a_file_twice(data, run, passes):
    out = run("fit", data, "--target", "y", "--alpha", 1, "--no-check")
    assert len(passes) == 2
    assert "held-out R²" in out
    assert "check ok" not in out


def test_fit_with_a_checkpoint_reads_the_rows_again(data, tmp_path, run, passes):
    words = ["fit", data, "--target", "y", "--save", tmp_path / "m"]
    run(*words)
    wanted = read_model(tmp_path / "m")[1]["held_out"]
    out = run(*words, "--checkpoint", tmp_path / "kept")
    assert len(passes) == 2 + 3
    assert "training rows, read again" in out
    assert "sums over" not in out
    held_out = read_model(tmp_path / "m")[1]["held_out"]
    for name in ("r2", "rmse", "baseline_rmse"):
        assert_allclose(held_out[name], wanted[name], rtol=1e-12)


def test_fit_of_many_features_reads_the_rows_again(data, run, passes, monkeypatch):
    monkeypatch.setattr(training, "MOST_WATCHED", 4)
    out = run("fit", data, "--target", "y")
    assert len(passes) == 3
    assert "training rows, read again" in out


def nearly_exact():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    return X, X @ [1.0, 2.0, 3.0] + 1e-7 * rng.normal(size=600)


def test_fit_lasso_reads_rows_whose_errors_cancel_in_sums(tmp_path, run, passes):
    path = written(tmp_path / "d.parquet", *nearly_exact())
    out = run("fit", path, "--target", "y", "--model", "lasso", "--alpha", 1e-9, "--tol", 1e-14)
    assert len(passes) == 3
    assert "training rows, read again" in out
    assert "FAILED" not in out


def test_fit_reads_held_out_rows_whose_errors_cancel_in_sums(tmp_path, run, passes):
    X, y = nearly_exact()
    path = written(tmp_path / "d.parquet", X, y)
    run("fit", path, "--target", "y", "--alpha", 0, "--save", tmp_path / "m")
    assert len(passes) == 3
    test = Split(0, 0.2, 5).start().draw(600) == HELD_OUT
    wanted = SklearnRidge(0.0).fit(X[~test], y[~test]).predict(X[test])
    held_out = read_model(tmp_path / "m")[1]["held_out"]
    assert_allclose(held_out["rmse"], root_mean_squared_error(y[test], wanted), rtol=1e-7)


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_fit_held_out_scores_by_sums_are_those_of_the_rows(tmp_path, run, monkeypatch, far):
    monkeypatch.setattr(rows, "BATCH_ROWS", 64)
    rng = np.random.default_rng(1)
    X = far + rng.normal(size=(1000, 4)) * [1.0, 10.0, 0.1, 1.0]
    y = far + (X - far) @ [1.0, 0.2, 3.0, 0.0] + 0.3 * rng.normal(size=1000)
    path = written(tmp_path / "d.parquet", X, y)
    words = ["--alpha", 2, "--no-standardize", "--save", tmp_path / "m"]
    out = run("fit", path, "--target", "y", *words)
    test = Split(0, 0.2, 5).start().draw(1000) == HELD_OUT
    centre = X[~test].mean(axis=0), y[~test].mean()
    reference = SklearnRidge(2.0).fit(X[~test] - centre[0], y[~test] - centre[1])
    predicted = reference.predict(X[test] - centre[0]) + centre[1]
    held_out = read_model(tmp_path / "m")[1]["held_out"]
    assert held_out["n"] == test.sum()
    assert_allclose(held_out["r2"], r2_score(y[test], predicted), rtol=1e-9)
    assert_allclose(held_out["rmse"], root_mean_squared_error(y[test], predicted), rtol=1e-9)
    baseline = np.full(test.sum(), y[~test].mean())
    wanted = root_mean_squared_error(y[test], baseline)
    assert_allclose(held_out["baseline_rmse"], wanted, rtol=1e-9)
    assert "FAILED" not in out


def test_fit_notes_held_out_values_that_no_feature_stands_for(tmp_path, run):
    test = Split(0, 0.2, 5).start().draw(500) == HELD_OUT
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    city = np.where(test & (x > 0), "new", np.where(x > 0.5, "a", "b"))
    missing = test & (x < -0.5)
    table = pa.table({"x": pa.array(x, mask=missing), "city": city, "y": x + rng.normal(size=500)})
    pq.write_table(table, tmp_path / "d.parquet")
    for more in ([], ["--checkpoint", tmp_path / "kept"]):
        out = run("fit", tmp_path / "d.parquet", "--target", "y", *more)
        assert f"note: x: {missing.sum()} held-out values that no feature stands for" in out
        new = (test & (x > 0)).sum()
        assert f"note: city: {new} held-out values that no feature stands for" in out


@pytest.mark.parametrize("entry", [("upper", (0, 1)), ("xy", (1, 0)), ("yy", (0,))])
def test_fit_wrong_sums_fail_their_check(data, capsys, monkeypatch, entry):
    right, (name, index) = gram_statistics.products_of_rows, entry

    def wrong(*args):
        found = right(*args)
        getattr(found, name)[index] += 1e-4 * abs(found.yy[0])
        return found

    monkeypatch.setattr(gram_statistics, "products_of_rows", wrong)
    assert main(["fit", data, "--target", "y", "--alpha", "1"]) == 1
    assert "check FAILED: sums over the" in capsys.readouterr().out


def test_fit_wrong_intercept_fails_the_check(data, capsys, monkeypatch):
    right = Ridge.fit_statistics

    def wrong(self, stats):
        right(self, stats)
        self.intercept_ = self.intercept_ + 1e-6
        return self

    monkeypatch.setattr(Ridge, "fit_statistics", wrong)
    assert main(["fit", data, "--target", "y"]) == 1
    assert "check FAILED: normal equations" in capsys.readouterr().out


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mean", [0.0, 1e9])
def test_random_model_agrees_with_right_statistics_only(weighted, mean):
    rng = np.random.default_rng(2)
    X, y = mean + rng.normal(size=(20_000, 6)), mean + rng.normal(size=20_000)
    X[:, 3] = np.arange(20_000) // 5_000  # constant in the first rows
    X[:, 4] = mean
    weight = rng.integers(0, 3, size=20_000).astype(float) if weighted else None
    model = RandomModel(0, 6)
    for part in np.array_split(np.arange(20_000), 7):
        model.add_training(Rows(X[part], y[part], None if weight is None else weight[part]))
    total = GramStatistics.from_data(X, y, weight)
    assert model.n_rows == 20_000
    assert model.agreement(total).value < 1e-14
    fewer = GramStatistics.from_data(X[1:], y[1:], None if weight is None else weight[1:] + 1e-3)
    assert not model.agreement(fewer).passed
    assert math.isfinite(model.agreement(fewer).value)


def test_categories_dictionaries_are_encoded_as_their_texts():
    column = CategoricalColumn("c", "text", ["b", "a"], other=True, missing=True)
    plain = pa.array(["a", None, "b", "z", "a", None])
    coded = pa.DictionaryArray.from_arrays(
        pa.array([1, 0, 2, 4, 1, None], pa.int8()), pa.array([None, "a", "b", "b", "z"])
    )
    many = pa.DictionaryArray.from_arrays(
        coded.indices, pa.array([None, "a", "b", "b", "z", "q", "r"])
    )
    bare = CategoricalColumn("c", "text", ["b", "a"], other=False, missing=False)
    made = []
    for array in (plain, coded, many):
        made.append(np.zeros((4, 6)))
        unfamiliar = {}
        column.encode_into(made[-1], array, slice(0, 6), unfamiliar)
        assert not unfamiliar
        bare.encode_into(np.zeros((2, 6)), array, slice(0, 6), unfamiliar)
        assert str(unfamiliar["c"]) == "'z' (1 rows), missing (2 rows)"
    assert_array_equal(made[0].sum(axis=0), np.ones(6))
    assert_array_equal(made[0], made[1])
    assert_array_equal(made[0], made[2])


def test_cv_reads_a_file_twice_or_again_where_rows_take_memory(data, run, passes, monkeypatch):
    found = {}
    for words, most, n_passes in (
        (["--methods", "gcv,kfold"], 0, 2),
        ([], 1 << 23, 2),
        ([], 0, 7),  # as rows of high leverage are set apart
    ):
        monkeypatch.setattr(crossvalidation, "_MOST_KEPT", most)
        passes.clear()
        out = json.loads(run("cv", data, "--target", "y", "--json", *words))
        assert len(passes) == n_passes
        for one in out["methods"]:
            errors = [one["alpha"], one["rmse"] or 0.0, one["held_out_rmse"]]
            assert_allclose(errors, found.setdefault(one["method"], errors), rtol=1e-9)


@pytest.mark.parametrize("words", [[], ["--checkpoint"], ["--model", "lasso"]])
def test_errors_of_columns_very_far_from_zero_are_those_of_near_ones(tmp_path, run, words):
    rng = np.random.default_rng(0)
    near = np.column_stack((rng.integers(0, 20, 1000), rng.normal(size=1000).round(3)))
    y = near @ [1.0, 1.0] + 0.1 * rng.normal(size=1000)
    found = {}
    for far in (0.0, 1e15):
        path = written(tmp_path / f"{far:g}.parquet", near + [far, 0.0], y)
        own = [*words, str(tmp_path / f"{far:g}.ck")] if words[:1] == ["--checkpoint"] else words
        fit = json.loads(run("fit", path, "--target", "y", "--no-standardize", "--json", *own))
        errors = [fit["held_out"]["rmse"]]
        if not words:
            path = run("cv", path, "--target", "y", "--no-standardize", "--alphas", "1", "--json")
            methods = json.loads(path)["methods"]
            errors += [one[name] for one in methods[:3] for name in ("rmse", "held_out_rmse")]
        found[far] = errors
        said = any("predictions are rounded to about" in note for note in fit["notes"])
        assert said == (far > 0.0)
    assert_allclose(found[1e15], found[0.0], rtol=1e-9)


def test_fit_check_of_a_column_that_is_constant_up_to_rounding_passes(tmp_path, run):
    rng = np.random.default_rng(0)
    X = np.column_stack((1e15 + rng.integers(0, 7, 1000), rng.normal(size=1000)))
    path = written(tmp_path / "a.parquet", X, (X - [1e15, 0.0]) @ [1.4, 1.0])
    out = run("fit", path, "--target", "y", "--alpha", "1")
    assert "check ok: scikit-learn's Ridge" in out
