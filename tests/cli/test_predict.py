"""``fastridge predict``, ``fastridge info`` and plots."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from cli_tables import N, load, parts_of, reference_features
from numpy.testing import assert_allclose, assert_array_equal
from processes import run_script
from sklearn.metrics import r2_score

import fastridge
from fastridge import Ridge
from fastridge.cli import main
from fastridge.data.splitting import HELD_OUT
from fastridge.io.model_file import read_model

EXAMPLES = Path(__file__).parents[2] / "examples"


# --- predict and info -----------------------------------------------------------------------------


def predictions(text):
    assert text.startswith("prediction\n")
    return np.array([float(line) for line in text.split()[1:]])


def test_predict_equals_the_model_on_the_encoding(model, data, table, capsys):
    part, y, there = parts_of(table)
    X = reference_features(table, there & (part != HELD_OUT))
    fitted = load(model)
    wanted = X @ fitted.coef_ + fitted.intercept_
    assert main(["predict", model, data]) == 0
    out, err = capsys.readouterr()
    assert_allclose(predictions(out), wanted, rtol=1e-10)
    r2 = r2_score(y[there], wanted[there])
    assert f"y is known in {there.sum()} rows: R² {r2:.4f}, RMSE" in err


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather", ".arrow"])
def test_predict_to_a_file(model, data, tmp_path, run, ending):
    wanted = predictions(run("predict", model, data))
    path = tmp_path / f"out{ending}"
    assert run("predict", model, data, "--output", path) == ""
    readers = {".csv": pcsv.read_csv, ".parquet": pq.read_table}
    found = readers.get(ending, pf.read_table)(str(path))
    assert found.column_names == ["prediction"]
    assert_array_equal(found["prediction"].to_numpy(), wanted)


def test_predict_needs_no_target_and_ignores_other_columns(model, table, tmp_path, run):
    wanted = table.drop_columns(["y"]).append_column("extra", pa.array([[1]] * N))
    pq.write_table(wanted.select(wanted.column_names[::-1]), tmp_path / "new.parquet")
    pq.write_table(table, tmp_path / "old.parquet")
    new = run("predict", model, tmp_path / "new.parquet")
    assert new == run("predict", model, tmp_path / "old.parquet")


def test_predict_a_target_of_text(model, table, tmp_path, capsys):
    table = table.set_column(6, "y", pa.array(["unknown"] * N))
    pq.write_table(table, tmp_path / "new.parquet")
    assert main(["predict", model, str(tmp_path / "new.parquet")]) == 0
    assert capsys.readouterr().err == "note: y holds text: no error of the predictions\n"


def one_row(table, **values):
    row = {name: table[name][:1].to_pylist() for name in table.column_names if name != "y"}
    schema = pa.schema([table.schema.field(name) for name in row])
    row.update({name: [value] for name, value in values.items()})
    return pa.table(row, schema=schema)


def test_new_categories(data, table, tmp_path, capsys):
    path = str(tmp_path / "m")
    words = ["fit", data, "--target", "y", "--max-categories", "2", "--save", path]
    assert main(words) == 0
    model = load(path)
    capsys.readouterr()
    effects = dict(zip(model.feature_names_in_, model.coef_, strict=True))
    found = {}
    for city in ("Ōsaka", "rare", "never seen", None):
        pq.write_table(one_row(table, city=city, a=0.0), tmp_path / "one.parquet")
        assert main(["predict", path, str(tmp_path / "one.parquet")]) == 0
        out, err = capsys.readouterr()
        assert err == ""  # there is a category for others, and one for missing
        found[city] = predictions(out)[0]
    assert found["never seen"] == found["rare"]
    step = effects["city=(other)"] - effects["city=Ōsaka"]
    assert_allclose(found["never seen"] - found["Ōsaka"], step, atol=1e-9)
    step = effects["city=(missing)"] - effects["city=Ōsaka"]
    assert_allclose(found[None] - found["Ōsaka"], step, atol=1e-9)


def test_new_categories_where_there_is_none_for_others(model, table, tmp_path, capsys):
    pq.write_table(one_row(table, city="never seen"), tmp_path / "one.parquet")
    assert main(["predict", model, str(tmp_path / "one.parquet")]) == 0
    assert "note: city: 1 values that are not a category of the model" in capsys.readouterr().err


def test_newly_missing_numbers(model, table, tmp_path, capsys):
    pq.write_table(one_row(table, a=None), tmp_path / "gap.parquet")
    assert main(["predict", model, str(tmp_path / "gap.parquet")]) == 0
    out, err = capsys.readouterr()
    assert "note: a: 1 missing values, as there were none in training" in err
    mean = next(c["fill"] for c in read_model(model)[1]["columns"] if c["name"] == "a")
    pq.write_table(one_row(table, a=mean), tmp_path / "mean.parquet")
    assert main(["predict", model, str(tmp_path / "mean.parquet")]) == 0
    assert capsys.readouterr().out == out


def test_predict_no_rows(model, table, tmp_path, run):
    pq.write_table(table[:0], tmp_path / "none.parquet")
    assert run("predict", model, tmp_path / "none.parquet") == "prediction\n"


def test_info(model, run):
    out = run("info", model)
    for text in ("Ridge in", "target", "│ y ", "for training", "R² 0.9", "Strongest of", "city (5"):
        assert text in out


def test_info_of_a_model_saved_from_python(tmp_path, run):
    X = np.random.default_rng(0).normal(size=(30, 2))
    fastridge.save(Ridge(2.0).fit(X, X[:, 0]), tmp_path / "m")
    out = run("info", tmp_path / "m")
    assert "Ridge(alpha=2.0)" in out
    assert "Strongest" not in out


def test_the_model_file_holds_no_sums_of_the_data(model):
    assert not hasattr(load(model), "statistics_")


def test_info_and_help_import_no_estimator_and_no_pyarrow(model):
    script = f"""
        import sys
        from fastridge.cli import main
        info = ["info", {model!r}]
        for words in (info, [*info, "--json"], ["--help"], ["fit", "--help"], []):
            main(words)
        slow = "sklearn", "pyarrow", "pandas", "scipy.stats", "matplotlib"
        found = [name for name in slow if name in sys.modules]
        assert not found, found
    """
    assert "Ridge in" in run_script(script)


def test_info_of_a_file_without_the_text_of_the_model_lists_its_parameters(model, tmp_path, run):
    from fastridge.io.archive import read_archive, write_archive

    meta, arrays = read_archive(model, "model")
    del meta["text"]
    write_archive(tmp_path / "old", "model", meta, arrays)
    assert "Ridge(alpha=" in " ".join(run("info", tmp_path / "old").split())


# --- plot -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ending"),
    [([], ".png"), (["--alpha", "3"], ".svg"), (["--alphas", "0,1,10"], ".png")],
    ids=str,
)
def test_plot(data, tmp_path, run, words, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot{ending}"
    run("fit", data, "--target", "y", "--plot", path, *words)
    start = {".png": b"\x89PNG", ".svg": b"<?xml"}[ending]
    assert path.read_bytes().startswith(start)


def test_plot_of_awkward_names(tmp_path, run):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    names = ["$x^", "_hidden", "a_b", "{", "y"]
    pq.write_table(pa.table({name: rng.normal(size=60) for name in names}), tmp_path / "d.parquet")
    run("fit", tmp_path / "d.parquet", "--target", "y", "--plot", tmp_path / "p.png")


# --- models saved from Python ---------------------------------------------------------------------


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).round(3)
    return X, X @ [1.0, -2.0, 0.5] + 3.0


def saved(tmp_path, model):
    fastridge.save(model, tmp_path / "m")
    return tmp_path / "m"


def written(tmp_path, columns, ending="csv"):
    path = tmp_path / f"d.{ending}"
    table = pa.table(columns)
    pcsv.write_csv(table, path) if ending == "csv" else pq.write_table(table, path)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_with_names_of_python_uses_the_columns_of_these_names(tmp_path, run, frame, ending):
    X, y = frame
    pd = pytest.importorskip("pandas")
    model = Ridge().fit(pd.DataFrame(X, columns=list("abc")), y)
    path = saved(tmp_path, model)
    columns = {"c": X[:, 2], "text": ["x"] * 40, "a": X[:, 0], "b": X[:, 1]}
    found = predictions(run("predict", path, written(tmp_path, columns, ending)))
    assert_allclose(found, model.predict(pd.DataFrame(X, columns=list("abc"))), rtol=1e-12)


def test_predict_without_names_takes_all_columns_in_their_order(tmp_path, run, frame, refused):
    X, y = frame
    model = Ridge().fit(X, y)
    path = saved(tmp_path, model)
    columns = dict(zip("zyx", X.T, strict=True))
    found = predictions(run("predict", path, written(tmp_path, columns)))
    assert_allclose(found, model.predict(X), rtol=1e-12)
    found = predictions(run("predict", path, written(tmp_path, {"": np.arange(40), **columns})))
    assert_allclose(found, model.predict(X), rtol=1e-12)  # without the row index
    line = refused("predict", path, written(tmp_path, {**columns, "t": y}))
    assert "has 4 columns, and " in line
    assert "was fitted in Python to 3 features without names: give a file of these" in line


def test_predict_of_python_names_what_the_file_lacks_or_cannot_be(tmp_path, refused, frame):
    X, y = frame
    pd = pytest.importorskip("pandas")
    path = saved(tmp_path, Ridge().fit(pd.DataFrame(X, columns=list("abc")), y))
    columns = dict(zip("abc", X.T, strict=True))
    lacking = {name: columns[name] for name in "ab"}
    assert "has no column 'c'" in refused("predict", path, written(tmp_path, lacking))
    gap = pa.array([*X[:5, 1], None, *X[6:, 1]])
    line = refused("predict", path, written(tmp_path, {**columns, "b": gap}))
    assert "d.csv, line 7: column 'b' has missing values: give rows that have none" in line
    line = refused("predict", path, written(tmp_path, {**columns, "b": ["x"] * 40}, "parquet"))
    assert "column 'b' holds string where numbers are expected" in line


def test_predict_of_python_with_an_encoding_encodes_the_columns(tmp_path, run, frame):
    X, y = frame
    columns = {"a": X[:, 0], "city": np.array(["Rome", "Oslo"])[np.arange(40) % 2], "y": y}
    path = written(tmp_path, columns, "parquet")
    for options in ({"infer": True}, {"categorical": ["city"]}, {"hashed": ["city"]}):
        rows = fastridge.scan(path, "y", **options)
        model = Ridge().fit(rows)
        found = predictions(run("predict", saved(tmp_path, model), path))
        assert_allclose(found, model.predict(rows), rtol=1e-12)


def test_predict_of_python_svmlight_columns_are_indices(tmp_path, run, frame, refused):
    X, y = frame
    model = Ridge().fit(X, y)
    path, data = saved(tmp_path, model), tmp_path / "d.svm"
    lines = [f"{y[k]} 1:{X[k, 0]} 3:{X[k, 2]}" for k in range(40)]
    data.write_text("\n".join([*lines, ""]))
    wanted = model.predict(X * [1.0, 0.0, 1.0])
    assert_allclose(predictions(run("predict", path, data)), wanted, rtol=1e-12)
    data.write_text("\n".join([*lines, "1 4:1", ""]))
    assert "has the index 4, and" in refused("predict", path, data)


def test_predict_of_python_several_targets_have_a_column_each(tmp_path, run, frame):
    X, y = frame
    model = Ridge().fit(X, np.column_stack([y, -y]))
    path = saved(tmp_path, model)
    lines = run("predict", path, written(tmp_path, dict(zip("abc", X.T, strict=True)))).split()
    assert lines[0] == "prediction_0,prediction_1"
    found = np.array([line.split(",") for line in lines[1:]], dtype=float)
    assert_allclose(found, model.predict(X), rtol=1e-12)


def test_predict_of_python_classes_and_their_probabilities(tmp_path, run, frame):
    X, y = frame
    labels = np.array(["no", "yes"])[(y > 3).astype(int)]
    model = fastridge.SGDClassifier(loss="log_loss", random_state=0).fit(X, labels)
    path = saved(tmp_path, model)
    data = written(tmp_path, dict(zip("abc", X.T, strict=True)))
    lines = run("predict", path, data, "--proba").split()
    assert lines[0] == "prediction,probability_no,probability_yes"
    assert [line.split(",")[0] for line in lines[1:]] == model.predict(X).tolist()


# --- values that were not in the training rows ----------------------------------------------------


@pytest.mark.parametrize("kind", ["numbers", "booleans", "text"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_names_the_values_that_are_no_category(tmp_path, run, capsys, kind, ending):
    values = {"numbers": [1, 2, 7], "booleans": [False, False, True], "text": ["a", "b", "zz"]}
    known = values[kind][:2]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(size=60)
    seen = [known[k % 2] for k in range(60)]
    if kind == "booleans":
        seen[0] = None  # or the column would be constant
    code = pa.array(seen)
    fit = written(tmp_path, {"x": x, "code": code, "y": y}, ending)
    words = ["--categorical", "code", "--test-size", 0, "--save", tmp_path / "m"]
    run("fit", fit, "--target", "y", *words)
    new = values[kind][2]
    code = pa.array([new, new, *seen[2:]])
    data = written(tmp_path, {"x": x, "code": code, "y": y}, ending)
    assert main(["predict", str(tmp_path / "m"), str(data)]) == 0
    err = capsys.readouterr().err
    text = str(new).lower() if kind == "booleans" else str(new)
    assert f"note: code: 2 values that are not a category of the model: '{text}' (2 rows)" in err


def test_fit_names_the_held_out_values_that_no_feature_stands_for(tmp_path, run):
    x = np.random.default_rng(0).normal(size=60)
    for name, last in (("train", "b"), ("test", "odd")):
        city = np.array([*(["a", "b"] * 29), last, last])
        pq.write_table(pa.table({"x": x, "city": city, "y": x}), tmp_path / f"{name}.parquet")
    out = run(
        "fit", tmp_path / "train.parquet", "--target", "y", "--test", tmp_path / "test.parquet"
    )
    wanted = "city: 2 held-out values that no feature stands for: 'odd' (2 rows)"
    assert wanted in " ".join(out.split())
