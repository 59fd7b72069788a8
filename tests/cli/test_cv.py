"""``fastridge cv``: each method's choice against RidgeCV on the same rows."""

import numpy as np
import pytest
from cli_tables import parts_of, reference_features
from numpy.testing import assert_allclose
from sklearn.metrics import root_mean_squared_error

from fastridge import Ridge, RidgeCV
from fastridge.cli import main
from fastridge.cli.arguments import METHODS, build_parser
from fastridge.cli.crossvalidation import cross_validate
from fastridge.data.splitting import HELD_OUT

ALPHAS = [0.01, 1.0, 30.0, 300.0]


@pytest.mark.parametrize("selection", ["min", "1se"])
def test_choices_are_those_of_ridge_cv_on_the_same_rows(data, table, selection):
    words = ["cv", str(data), "--target", "y", "--no-standardize", "--selection", selection]
    words += ["--alphas", ",".join(map(str, ALPHAS))]
    result = cross_validate(build_parser().parse_args(words))
    part, y, there = parts_of(table)
    train, test = there & (part != HELD_OUT), there & (part == HELD_OUT)
    X = reference_features(table, train)
    assert [one.method for one in result.choices] == list(METHODS)
    for one in result.choices:
        errors = one.method in ("loo", "kfold")
        options = {"selection": selection if errors else "min", "method": one.method}
        if errors:
            options["scoring"] = "neg_mean_squared_error"
        if one.method == "kfold":
            folds = part[train]
            options["cv"] = [
                (np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)
            ]
        model = RidgeCV(ALPHAS, **options).fit(X[train], y[train])
        assert_allclose(one.alpha, model.alpha_, rtol=1e-6)
        if one.method in ("loo", "gcv", "kfold"):
            assert_allclose(one.rmse, np.sqrt(-model.best_score_), rtol=1e-7)
        predicted = Ridge(one.alpha).fit(X[train], y[train]).predict(X[test])
        assert_allclose(one.held_out_rmse, root_mean_squared_error(y[test], predicted), rtol=1e-7)


def test_chosen_methods_are_printed_with_the_note_on_scaling(data, run):
    out = run("cv", data, "--target", "y", "--methods", "loo,em")
    assert "loo uses the scaling of all training rows" in out
    assert "kfold" not in out


def test_one_file_for_training_and_one_for_testing(data, run, tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "cv.png"
    out = run("cv", data, "--target", "y", "--test", data, "--plot", plot)
    assert plot.read_bytes()[:4] == b"\x89PNG"
    for word in [*METHODS, "held-out RMSE", "seconds", f"plot in {plot}"]:
        assert word in out


def test_a_choice_at_the_edge_is_told(data, run):
    out = run("cv", data, "--target", "y", "--alphas", "1e8,1e9", "--methods", "gcv")
    assert "gcv: the best penalty is the smallest of the 2 tried" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--alphas", "0,1"], "above 0"), (["--methods", "guess"], "the methods are loo, gcv")],
)
def test_mistakes_are_one_line(data, capsys, words, message):
    assert main(["cv", str(data), "--target", "y", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["--no-standardize"], []])
def test_loo_with_leverage_near_one_is_that_of_refitting(tmp_path, words):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    X[7] *= 1e7
    X[20, 1] = 99999999.0
    y = X[:, 0] * 1e-3 + rng.standard_normal(60)
    file = tmp_path / "outliers.csv"
    table = np.column_stack([X, y]).tolist()
    lines = ["a,b,c,y", *(",".join(map(repr, row)) for row in table)]
    file.write_text("\n".join(lines) + "\n")
    given = ["cv", str(file), "--target", "y", "--test", str(file), "--methods", "loo", *words]
    result = cross_validate(build_parser().parse_args([*given, "--alphas", "1e-6,1"]))
    expected = np.empty((60, 2))
    scale = np.ones(3) if words else X.std(axis=0)
    for i in range(60):
        rest = np.arange(60) != i
        for a, alpha in enumerate([1e-6, 1.0]):
            model = Ridge(alpha, penalty_factors=scale**2, solver="svd").fit(X[rest], y[rest])
            expected[i, a] = y[i] - model.predict(X[i : i + 1])[0]
    assert_allclose(result.choices[0].curve, np.sqrt((expected**2).mean(axis=0)), rtol=1e-6)
