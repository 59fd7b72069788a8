"""``--weights``: the models and scores of weighted rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_tables import load
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, r2_score, root_mean_squared_error

from fastridge import Lasso, Ridge, RidgeCV, SGDRegressor
from fastridge.cli.arguments import build_parser
from fastridge.cli.crossvalidation import cross_validate
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.io.model_file import read_model

N = 300


@pytest.fixture(params=[5, 200], ids=["tall", "wide"])
def numbers(request):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, request.param))
    weight = rng.integers(0, 4, size=N).astype(float)
    return X, X[:, 0] - 2 * X[:, 1] + rng.normal(size=N), weight


@pytest.fixture
def weighted(tmp_path, numbers):
    X, y, weight = numbers
    path = tmp_path / "d.parquet"
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    pq.write_table(pa.table({**columns, "w": weight, "y": y}), path)
    return path


@pytest.fixture
def parts(numbers):
    """Training rows with their folds, and held-out rows; each as X, y, weight."""
    fold = Split(0, 0.2, 5).start().draw(N)
    train, test = fold != HELD_OUT, fold == HELD_OUT
    return [part[train] for part in (*numbers, fold)], [part[test] for part in numbers]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], Ridge(2.0, standardize=True)),
        (["--no-standardize"], Ridge(2.0)),
        (["--l1-ratio", "1", "--tol", "1e-12"], Lasso(2.0, standardize=True, tol=1e-12)),
    ],
    ids=str,
)
def test_fit_weights_are_those_of_the_estimator(weighted, parts, tmp_path, run, words, wanted):
    (X, y, weight, _), (X_test, y_test, w_test) = parts
    words = ["--weights", "w", "--alpha", 2, *words, "--save", tmp_path / "m"]
    out = run("fit", weighted, "--target", "y", *words)
    model, about = read_model(tmp_path / "m")
    wanted.fit(X, y, weight)
    assert_allclose(model.coef_, wanted.coef_, rtol=1e-7, atol=1e-10)
    assert_allclose(model.intercept_, wanted.intercept_, rtol=1e-7)
    assert out.count("check ok") >= 2
    assert "FAILED" not in out
    predicted = wanted.predict(X_test)
    held_out = about["held_out"]
    assert_allclose(held_out["r2"], r2_score(y_test, predicted, sample_weight=w_test), rtol=1e-6)
    rmse = root_mean_squared_error(y_test, predicted, sample_weight=w_test)
    assert_allclose(held_out["rmse"], rmse, rtol=1e-6)


def test_fit_weights_penalty_is_that_of_ridge_cv(weighted, parts, tmp_path, run):
    (X, y, weight, fold), _ = parts
    words = ["--weights", "w", "--alphas", "0.1,3,100", "--save", tmp_path / "m"]
    run("fit", weighted, "--target", "y", *words)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    wanted = RidgeCV([0.1, 3.0, 100.0], cv=splits, standardize=True)
    wanted.set_params(scoring="neg_mean_squared_error")
    assert load(tmp_path / "m").alpha == wanted.fit(X, y, weight).alpha_


def test_cv_weights_leave_one_out_is_that_of_refitting(weighted, parts):
    (X, y, weight, _), (X_test, y_test, w_test) = parts
    words = ["cv", str(weighted), "--target", "y", "--weights", "w", "--no-standardize"]
    args = build_parser().parse_args([*words, "--methods", "loo,gcv", "--alphas", "1,50"])
    loo, _ = cross_validate(args).choices
    total = np.zeros(2)
    for i in np.flatnonzero(weight):
        rest = np.arange(len(y)) != i
        for a, alpha in enumerate([1.0, 50.0]):
            model = Ridge(alpha).fit(X[rest], y[rest], weight[rest])
            total[a] += weight[i] * (y[i] - model.predict(X[i : i + 1])[0]) ** 2
    assert_allclose(loo.curve, np.sqrt(total / weight.sum()), rtol=1e-6)
    predicted = Ridge(loo.alpha).fit(X, y, weight).predict(X_test)
    rmse = root_mean_squared_error(y_test, predicted, sample_weight=w_test)
    assert_allclose(loo.held_out_rmse, rmse, rtol=1e-7)


@pytest.mark.parametrize("streamed", [False, True])
def test_sgd_weights_are_used(weighted, parts, tmp_path, run, monkeypatch, streamed):
    (X, y, weight, _), (X_test, y_test, w_test) = parts
    if streamed:
        monkeypatch.setattr("fastridge.cli.sgd.memory_size", lambda: 1000)
    words = ["--method", "sgd", "--weights", "w", "--save", tmp_path / "m"]
    run("fit", weighted, "--target", "y", *words)
    model, about = read_model(tmp_path / "m")
    X = X.astype(np.float32)
    wanted = SGDRegressor(learning_rate="auto", random_state=0).fit(X, y, sample_weight=weight)
    assert_allclose(model.score(X, y, weight), wanted.score(X, y, weight), atol=0.02)
    score = r2_score(y_test, model.predict(X_test.astype(np.float32)), sample_weight=w_test)
    assert_allclose(about["held_out"]["r2"], score, rtol=1e-5)


def test_sgd_classes_weights_count_in_the_accuracy(tmp_path, run):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=200), rng.random(200)
    label = (x + rng.normal(size=200) > 0.0).astype(int)
    pq.write_table(pa.table({"x": x, "w": weight, "y": label}), tmp_path / "d.parquet")
    words = ["--method", "sgd", "--loss", "hinge", "--weights", "w", "--save", tmp_path / "m"]
    run("fit", tmp_path / "d.parquet", "--target", "y", *words)
    model, about = read_model(tmp_path / "m")
    test = Split(0, 0.2, 5).start().draw(200) == HELD_OUT
    predicted = model.predict(x[test, None].astype(np.float32))
    score = accuracy_score(label[test], predicted, sample_weight=weight[test])
    assert_allclose(about["held_out"]["accuracy"], score)


def test_fit_weights_that_cannot_be_are_refused(tmp_path, refused):
    def line(weight, *words, weights="w"):
        columns = {"x": np.arange(60.0) % 7, "w": weight, "y": np.arange(60.0)}
        pq.write_table(pa.table(columns), tmp_path / "d.parquet")
        words = ["--weights", weights, *words]
        return refused("fit", tmp_path / "d.parquet", "--target", "y", *words)

    one = np.ones(60)
    assert "it is 0 in all training rows" in line(0 * one)
    assert "it is 0 in all training rows" in line(0 * one, "--method", "sgd")
    assert "weights, numbers from 0 up" in line(-one)
    assert "'w'" in line(np.inf * one)
    assert "no column 'z'" in line(one, weights="z")
    assert "--weights 'y' is the target" in line(one, weights="y")
    assert "--weights 'w' is among the --features" in line(one, "--features", "x,w")


def test_fit_rows_without_a_weight_are_left_out(tmp_path, run):
    weight = pa.array([None, 1.0, 2.0] * 20)
    columns = {"x": np.arange(60.0) % 7, "w": weight, "y": np.arange(60.0)}
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    out = run("fit", tmp_path / "d.parquet", "--target", "y", "--weights", "w", "--alpha", 1)
    assert "20 without target" in out
    assert "│ weights │ w; rows without one are left out" in out
