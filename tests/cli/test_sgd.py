"""``fastridge fit --method sgd`` against the estimators."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from cli_tables import parts_of, reference_features
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, log_loss, r2_score

import fastridge
from fastridge import SGDClassifier, SGDRegressor
from fastridge.cli import main
from fastridge.data.splitting import HELD_OUT

SGD = ["--method", "sgd"]


@pytest.fixture
def rows(table):
    """Features and target of the training rows and of the held-out rows."""
    part, y, there = parts_of(table)
    train, test = there & (part != HELD_OUT), there & (part == HELD_OUT)
    X = reference_features(table, train).astype(np.float32)
    return X[train], y[train], X[test], y[test]


@pytest.fixture
def classes(tmp_path, table):
    """The table with the target in three classes, and its path."""
    y = table["y"].to_numpy(zero_copy_only=False)
    sizes = np.nanquantile(y, [0.4, 0.7])
    labels = pa.array(np.digitize(y, sizes) * 10, mask=np.isnan(y))
    labelled = table.set_column(table.schema.get_field_index("y"), "y", labels)
    path = tmp_path / "classes.parquet"
    pq.write_table(labelled, path)
    return str(path)


def number_after(heading, out):
    return float(re.search(rf"{heading} +│ +([-\d.e+]+)", out)[1])


def test_fit_is_the_estimators(data, rows, tmp_path, run):
    X, y, X_test, y_test = rows
    path, plot = tmp_path / "m", tmp_path / "m.png"
    out = run("fit", data, "--target", "y", *SGD, "--save", path, "--plot", plot)
    model = SGDRegressor(learning_rate="auto", random_state=0).fit(X, y)
    found = fastridge.load(path)
    assert found.get_params() == {**model.get_params(), "tol": 1e-3, "max_iter": 1000}
    # the order of the rows is another one
    assert_allclose(r2_score(y_test, found.predict(X_test)), model.score(X_test, y_test), atol=0.02)
    assert number_after("held-out R²", out) == pytest.approx(
        r2_score(y_test, found.predict(X_test)), abs=1e-3
    )
    assert plot.stat().st_size > 1000
    assert not hasattr(found, "_on_epoch")
    assert "SGDRegressor" in run("info", path)
    predicted = run("predict", path, data).splitlines()[1:]
    assert len(predicted) == pq.read_metadata(data).num_rows


def test_options_reach_the_estimator(data, tmp_path, run):
    words = ["--loss", "huber", "--alpha", 0.01, "--l1-ratio", 0.5, "--learning-rate", "invscaling"]
    words += ["--eta0", 0.001, "--epochs", 7, "--average", "--tol", 0, "--seed", 5]
    out = run("fit", data, "--target", "y", *SGD, *words, "--save", tmp_path / "m")
    model = fastridge.load(tmp_path / "m")
    assert (model.loss, model.penalty, model.l1_ratio) == ("huber", "elasticnet", 0.5)
    assert (model.alpha, model.eta0, model.max_iter) == (0.01, 0.001, 7)
    assert (model.average, model.tol, model.random_state) == (True, 0.0, 5)
    assert "0.5 of it L1" in out


def test_classes(classes, tmp_path, run):
    path, plot = tmp_path / "m", tmp_path / "m.svg"
    words = ["--loss", "log_loss", "--epochs", 30, "--save", path, "--plot", plot]
    out = run("fit", classes, "--target", "y", *SGD, *words)
    model = fastridge.load(path)
    assert isinstance(model, SGDClassifier)
    assert_array_equal(model.classes_, [0.0, 10.0, 20.0])
    table = pq.read_table(classes)
    part, y, there = parts_of(table)
    train, test = there & (part != HELD_OUT), there & (part == HELD_OUT)
    X = reference_features(table, train)[test].astype(np.float32)
    accuracy = accuracy_score(y[test], model.predict(X))
    assert number_after("held-out accuracy", out) == pytest.approx(accuracy, abs=1e-3)
    entropy = log_loss(y[test], model.predict_proba(X))
    assert number_after("held-out log loss", out) == pytest.approx(entropy, rel=0.01)
    assert "0, 10, 20" in run("info", path)
    predicted = run("predict", path, classes).splitlines()[1:]
    assert set(predicted) <= {"0", "10", "20"}


def test_lines_of_epochs(data, capsys):
    assert (
        main(["fit", data, "--target", "y", *SGD, "--epochs", "3", "--tol", "0", "--verbose"]) == 0
    )
    lines = re.findall(r"epoch (\d): loss [\d.e+]+, [\d,]+ rows/s", capsys.readouterr().err)
    assert lines == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--loss", "huber"], "--loss: it is for --method sgd"),
        ([*SGD, "--loss", "cubic"], "invalid choice"),
        ([*SGD, "--alphas", "1"], "--alphas: not supported with --method sgd: give --alpha"),
        ([*SGD, "--max-iter", "5"], "--max-iter: not supported with --method sgd: give --epochs"),
        ([*SGD, "--positive"], "--positive: not supported"),
        ([*SGD, "--average"], "the weights are a mean already"),
        ([*SGD, "--eta0", "0.1"], "give --learning-rate constant"),
        ([*SGD, "--learning-rate", "constant", "--eta0", "0"], "a number above 0"),
        ([*SGD, "--loss", "hinge"], "is for classes, and 'y' holds fractions"),
    ],
)
def test_fit_incompatible_options_are_refused(data, refused, words, message):
    assert message in refused("fit", data, "--target", "y", *words)


def test_divergence_is_one_line(tmp_path, run):
    path = tmp_path / "large.parquet"
    x = np.linspace(1.0, 2.0, 50)
    pq.write_table(pa.table({"x": x * 1e6, "y": x}), path)
    out = run(
        "fit", path, "--target", "y", *SGD, "--learning-rate", "constant", "--eta0", "0.1",
        "--epochs", "5",
    )  # fmt: skip
    assert "note: SGD diverged" in out


@pytest.mark.parametrize("names", [("no", "yes"), ("a", 'b "quoted", with comma', "c")])
@pytest.mark.parametrize("streamed", [False, True])
def test_labels_may_be_text(tmp_path, run, monkeypatch, names, streamed):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2))
    score = x @ [2.0, -1.0] + 0.3 * rng.standard_normal(300)
    codes = np.digitize(score, [0.0] if len(names) == 2 else [-1.0, 1.0])
    labels = np.array(names)[codes]
    columns = {"x0": x[:, 0], "x1": x[:, 1], "y": pa.array([*labels[:-1].tolist(), None])}
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    if streamed:
        monkeypatch.setattr("fastridge.cli.sgd.memory_size", lambda: 1000)
    more = ("--checkpoint", tmp_path / "kept") if streamed and len(names) == 2 else ()
    out = run(
        "fit", tmp_path / "d.parquet", "--target", "y", *SGD, "--loss", "log_loss", *more,
        "--save", tmp_path / "m",
    )  # fmt: skip
    assert "1 without target" in out
    model = fastridge.load(tmp_path / "m")
    assert model.classes_.tolist() == sorted(names)
    run("predict", tmp_path / "m", tmp_path / "d.parquet", "--output", tmp_path / "p.parquet")
    predicted = pq.read_table(tmp_path / "p.parquet")["prediction"].to_pylist()
    assert np.mean(np.array(predicted) == labels) > 0.8
    run("predict", tmp_path / "m", tmp_path / "d.parquet", "--output", tmp_path / "p.csv")
    read = pa.csv.read_csv(tmp_path / "p.csv")
    assert read["prediction"].to_pylist() == predicted
    assert names[0] in run("info", tmp_path / "m")


def test_labels_that_are_no_classes_are_refused(tmp_path, refused):
    def target(values):
        columns = {"x": np.arange(300.0), "y": values}
        pq.write_table(pa.table(columns), tmp_path / "d.parquet")
        return refused("fit", tmp_path / "d.parquet", "--target", "y", *SGD, "--loss", "hinge")

    assert "is constant (a)" in target(["a"] * 300)
    assert "more than 100 labels" in target([f"{k}" for k in range(300)])


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("labels", "shown"),
    [([1, 2], ["1", "2"]), ([False, True], ["false", "true"]), (["no", "yes"], ["no", "yes"])],
    ids=str,
)
def test_labels_come_out_in_their_own_type(tmp_path, run, ending, labels, shown):
    x = np.random.default_rng(0).normal(size=200)
    table = pa.table({"x": x, "y": [labels[int(value > 0)] for value in x]})
    path = tmp_path / f"d.{ending}"
    pyarrow.csv.write_csv(table, path) if ending == "csv" else pq.write_table(table, path)
    words = ["--model", "sgd", "--loss", "log_loss", "--save", tmp_path / "m"]
    out = run("fit", path, "--target", "y", *words)
    assert f"the score of y = {shown[1]}" in out  # the class that is positive
    model = fastridge.load(tmp_path / "m")
    assert model.classes_.tolist() == labels
    assert model.classes_.dtype.kind == {int: "i", bool: "b", str: "U"}[type(labels[0])]
    assert set(run("predict", tmp_path / "m", path).splitlines()[1:]) == set(shown)
    run("predict", tmp_path / "m", path, "--output", tmp_path / "p.parquet")
    found = pq.read_table(tmp_path / "p.parquet")["prediction"].to_pylist()
    assert set(found) == set(labels)
    assert ", ".join(shown) in run("info", tmp_path / "m")


@pytest.mark.parametrize("labels", [[0, 1, 7], ["no", "yes", "odd"]], ids=str)
def test_labels_of_held_out_rows_alone_are_named(tmp_path, run, capsys, labels):
    x = np.random.default_rng(0).normal(size=60)
    for name, last in (("train", 1), ("test", 2)):
        y = [labels[int(value > 0)] for value in x[:-2]] + [labels[last]] * 2
        pq.write_table(pa.table({"x": x, "y": y}), tmp_path / f"{name}.parquet")
    words = ["--model", "sgd", "--loss", "log_loss", "--test", tmp_path / "test.parquet"]
    path = tmp_path / "m"
    out = run("fit", tmp_path / "train.parquet", "--target", "y", *words, "--save", path)
    note = f"y: no training row has the label '{labels[2]}' (2 rows): counted as wrong"
    assert f"note: {note}" in out
    assert main(["predict", str(path), str(tmp_path / "test.parquet")]) == 0
    assert (note in capsys.readouterr().err) == isinstance(labels[2], str)


def test_sgd_standardize_is_used_if_given(data, tmp_path, run):
    for words, wanted in ([], False), (["--standardize"], True), (["--no-standardize"], False):
        run("fit", data, "--target", "y", *SGD, *words, "--save", tmp_path / "m")
        assert fastridge.load(tmp_path / "m").standardize == wanted
