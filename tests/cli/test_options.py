"""Options are used or refused; columns by pattern."""

from pathlib import Path

import pytest
from cli_tables import load

from fastridge import ElasticNet, Lasso, LassoCV, Ridge, SGDRegressor


@pytest.mark.parametrize(
    ("words", "kind", "l1_ratio"),
    [
        (["--model", "ridge"], Ridge, None),
        (["--model", "lasso"], Lasso, 1.0),
        (["--model", "lasso", "--l1-ratio", "1"], Lasso, 1.0),
        (["--model", "enet"], ElasticNet, 0.5),
        (["--model", "enet", "--l1-ratio", "0.2"], ElasticNet, 0.2),
        (["--model", "sgd", "--l1-ratio", "0.2"], SGDRegressor, 0.2),
        (["--model", "sgd", "--method", "sgd"], SGDRegressor, 0.15),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_fit_model_is_that_of_the_options_it_stands_for(data, tmp_path, run, words, kind, l1_ratio):
    run("fit", data, "--target", "y", *words, "--save", tmp_path / "m")
    model = load(tmp_path / "m")
    assert type(model) is kind
    assert getattr(model, "l1_ratio", None) == l1_ratio


def test_cv_model_is_that_of_the_options_it_stands_for(data, tmp_path, run):
    run("cv", data, "--target", "y", "--model", "lasso", "--save", tmp_path / "m")
    assert type(load(tmp_path / "m")) is LassoCV
    run("cv", data, "--target", "y", "--model", "enet", "--save", tmp_path / "m")
    assert load(tmp_path / "m").l1_ratio == 0.5
    assert "marginal_likelihood" in run("cv", data, "--target", "y", "--model", "ridge")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--model", "ridge", "--l1-ratio", "1"], "--model ridge has none to choose"),
        (["fit", "--model", "lasso", "--l1-ratio", "0.5"], "--model lasso has none to choose"),
        (["cv", "--model", "lasso", "--l1-ratio", "0.5,1"], "--model lasso has none to choose"),
        (["fit", "--model", "enet", "--method", "sgd"], "--model enet is not sgd"),
        (["cv", "--model", "sgd"], "invalid choice: 'sgd'"),
        (["fit", "--model", "ridge", "--positive"], "it is for the elastic net"),
        (["fit", "--method", "sgd", "--folds", "3"], "--folds: not supported with --method sgd"),
        (["fit", "--method", "sgd", "--check"], "--check: not supported with --method sgd"),
        (["fit", "--alpha", "1", "--folds", "3"], "--folds: with --alpha there are no folds"),
        (["cv", "--methods", "loo,gcv", "--folds", "3"], "kfold alone uses them"),
        (["fit", "--alpha", "1", "--alpha", "2"], "argument --alpha: given 2 times"),
        (["fit", "--seed=1", "--seed", "2"], "argument --seed: given 2 times"),
        (["fit", "--features", ""], "argument --features: '' names no column"),
        (["fit", "--features", "a", "--features", ","], "argument --features: ',' names no column"),
        (["fit", "--drop", ""], "argument --drop: '' names no column"),
        (["fit", "--features", "z*"], "no column of"),
        (["fit", "--drop", "[z]"], "matches '[z]'"),
        (["fit", "--keep", "a", "--drop", "a"], "--keep and --drop both name 'a'"),
        (["fit", "--keep", "y"], "--keep names 'y', which is no feature"),
        (["fit", "--weights", "b", "--keep", "b"], "--keep names 'b', which is no feature"),
        (["fit", "--alphas", ""], "argument --alphas: a number from 0 up is missing"),
        (["cv", "--alphas", ","], "argument --alphas: a number from 0 up is missing"),
        (["cv", "--methods", ""], "argument --methods: a method is missing"),
        (["fit", "--save", ""], "--save '' names no file"),
        (["fit", "--coefs", ""], "--coefs '' names no file"),
        (["fit", "--plot", ""], "--plot '' names no file"),
        (["fit", "--save", "-"], "--save '-' names no file"),
        (["fit", "--checkpoint", ""], "--checkpoint '' names no file"),
        (["fit", "--test", ""], "the name of a file to read is empty"),
        (["fit", "--method", "sgd", "--loss", "log_loss"], "'y' holds fractions such as"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_are_not_used_are_refused(data, refused, words, message):
    command, *options = words
    assert message in refused(command, data, "--target", "y", *options)


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (["--features", "a", "--features", "code"], "a, code"),
        (["--features", "c*,a"], "code, a"),
        (["--features", "?"], "a, b"),
        (["--features", "[a-b],a"], "a, b"),
        (["--drop", "[b-f]*"], "a"),
    ],
    ids=str,
)
def test_fit_patterns_name_columns_but_not_the_target(data, run, words, columns):
    out = run("fit", data, "--target", "y", *words)
    assert f"│ numbers │ {columns} " in out


def test_fit_pattern_that_is_a_name_is_that_column(tmp_path, run):
    path = tmp_path / "d.csv"
    lines = [f"{k},{k * k % 7},{k % 5}" for k in range(40)]
    path.write_text("\n".join(["a*,ab,y", *lines]))
    assert "│ numbers │ a* " in run("fit", path, "--target", "y", "--features", "a*")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("a", "line 2: column 'w' holds text, not numbers: 'a': give --na-values a"),
        ("-1", "not -1"),
    ],
)
def test_fit_weights_that_are_none_name_the_cell(tmp_path, refused, cell, message):
    path = tmp_path / "d.csv"
    path.write_text("\n".join(["x,w,y", *(f"{k},{cell},{k % 5}" for k in range(40))]))
    found = refused("fit", path, "--target", "y", "--weights", "w")
    assert message in found
    assert "--categorical" not in found
    assert "--drop" not in found


@pytest.mark.parametrize("words", [["fit", "-", "--target=y", "--test=-"], ["predict", "-", "-"]])
def test_standard_input_that_is_given_twice_is_refused(refused, words):
    assert "- is given twice" in refused(*words)


@pytest.mark.parametrize("columns", [False, True])
def test_fit_checkpoint_that_is_another_file_is_left_alone(data, tmp_path, refused, model, columns):
    name = tmp_path / ("k.columns" if columns else "k")
    for content in (b"x,y\n1,2\n", b"", Path(model).read_bytes()):
        name.write_bytes(content)
        refused("fit", data, "--target", "y", "--checkpoint", tmp_path / "k")
        assert name.read_bytes() == content
        assert len(list(tmp_path.glob("k*"))) == 1
