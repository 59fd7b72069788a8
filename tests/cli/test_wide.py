"""More columns than rows: the estimators see the rows, and no Gram matrix is made."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from cli_tables import load
from numpy.testing import assert_allclose
from peak_memory import peak_of
from sklearn.exceptions import ConvergenceWarning

from fastridge import ElasticNetCV, LassoCV, Ridge, RidgeCV
from fastridge.cli import main, training
from fastridge.cli.arguments import build_parser
from fastridge.cli.crossvalidation import cross_validate
from fastridge.cli.elastic import choose_elastic_net, fit_elastic_net
from fastridge.data.splitting import HELD_OUT, Split

N, P = 50, 2500


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P))
    return X, 4 * X[:, :3].sum(axis=1) + rng.normal(size=N)


@pytest.fixture
def wide(tmp_path, numbers):
    X, y = numbers
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table({**{f"x{j}": X[:, j] for j in range(P)}, "y": y}), path)
    return str(path)


@pytest.fixture
def rows(numbers):
    """Features and target of the training rows, and the splits of these."""
    X, y = numbers
    fold = Split(0, 0.2, 5).start().draw(N)
    train = fold != HELD_OUT
    fold = fold[train]
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    return X[train], y[train], splits


@pytest.fixture
def no_statistics(monkeypatch):
    def fail(*_):
        raise AssertionError("statistics of the folds were made")

    monkeypatch.setattr(training, "accumulate", fail)


def parsed(*words):
    return build_parser().parse_args([str(word) for word in words])


@pytest.mark.usefixtures("no_statistics")
@pytest.mark.parametrize("standardize", [True, False])
def test_fit_wide_ridge_is_that_of_ridge_cv(wide, rows, tmp_path, run, standardize):
    X, y, splits = rows
    flag = "--standardize" if standardize else "--no-standardize"
    out = run("fit", wide, "--target", "y", flag, "--save", tmp_path / "m")
    options = {"cv": splits, "method": "kfold", "scoring": "neg_mean_squared_error"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a grid boundary
        wanted = RidgeCV("auto", standardize=standardize, **options).fit(X, y)
    model = load(tmp_path / "m")
    assert isinstance(model, Ridge)
    assert model.alpha == wanted.alpha_
    assert_allclose(model.coef_, wanted.coef_, rtol=1e-8, atol=1e-12)
    assert list(model.feature_names_in_[:2]) == ["x0", "x1"]
    assert f"by 5-fold RMSE ({np.sqrt(-wanted.best_score_):.4g})" in " ".join(out.split())
    assert out.count("check ok") == 2


@pytest.mark.usefixtures("no_statistics")
def test_fit_wide_lasso_is_that_of_lasso_cv(wide, rows):
    X, y, splits = rows
    result = fit_elastic_net(parsed("fit", wide, "--target", "y", "--l1-ratio", 1))
    wanted = LassoCV(cv=splits, standardize=True).fit(X, y)
    assert result.alpha == wanted.alpha_
    assert result.model.solver_ == wanted.solver_ == "working set"
    assert_allclose(result.search.mse[0], wanted.mse_path_, rtol=1e-6)
    assert all(check.passed for check in result.checks)
    assert set(np.flatnonzero(np.abs(result.model.coef_) > 0.5)) == {0, 1, 2}


@pytest.mark.usefixtures("no_statistics")
def test_cv_wide_elastic_net_is_that_of_elastic_net_cv(wide, rows):
    X, y, splits = rows
    words = ["--l1-ratio", "0.5,0.9", "--n-alphas", 20]
    result = choose_elastic_net(parsed("cv", wide, "--target", "y", *words))
    wanted = ElasticNetCV(l1_ratio=[0.5, 0.9], alphas=20, cv=splits, standardize=True).fit(X, y)
    assert (result.alpha, result.l1_ratio) == (wanted.alpha_, wanted.l1_ratio_)
    assert_allclose(result.search.mse, wanted.mse_path_, rtol=1e-6)
    assert result.model.cv is None
    chosen = next(one for one in result.candidates if one.chosen)
    assert chosen.n_nonzero == np.count_nonzero(wanted.coef_)


@pytest.mark.usefixtures("no_statistics")
def test_cv_wide_ridge_choices_are_those_of_ridge_cv(wide, rows):
    X, y, splits = rows
    alphas = [0.1, 10.0, 1000.0]
    words = ["cv", wide, "--target", "y", "--no-standardize", "--alphas", "0.1,10,1000"]
    for one in cross_validate(parsed(*words)).choices:
        options = {"method": one.method}
        if one.method in ("loo", "kfold"):
            options["scoring"] = "neg_mean_squared_error"
        if one.method == "kfold":
            options["cv"] = splits
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # em finds no mode
            model = RidgeCV(alphas, **options).fit(X, y)
        assert_allclose(one.alpha, model.alpha_, rtol=1e-6)
        if one.method in ("loo", "gcv", "kfold"):
            assert_allclose(one.rmse, np.sqrt(-model.best_score_), rtol=1e-7)


@pytest.mark.parametrize(
    "words", [["fit"], ["fit", "--l1-ratio", "1"], ["cv"], ["cv", "--l1-ratio", "0.5"]], ids=str
)
def test_commands_wide_table_make_no_matrix_of_columns_times_columns(wide, words):
    main(["fit", wide, "--target", "y"])  # what is imported is not counted
    command, *options = words
    assert peak_of(lambda: main([command, wide, "--target", "y", *options])) < 8 * P * P


@pytest.mark.parametrize("n", [60, 79, 100, 150])
def test_fit_kept_rows_and_statistics_agree(tmp_path, run, monkeypatch, n):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 40))
    columns = {f"x{j}": X[:, j] for j in range(40)}
    path = tmp_path / "d.csv"
    pcsv.write_csv(pa.table({**columns, "y": X[:, 0] + rng.normal(size=n)}), path)
    for words in ([], ["--l1-ratio", "0.7", "--tol", "1e-10"]):
        models = []
        for factor in (10, 0):
            monkeypatch.setattr(training, "_WIDE", factor)
            save = tmp_path / f"m{factor}"
            run("fit", path, "--target", "y", "--alphas", "0.05,1,20", *words, "--save", save)
            models.append(load(save))
        assert models[0].alpha == models[1].alpha
        assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-6, atol=1e-8)


def test_fit_plot_and_checkpoint_of_wide_table(wide, tmp_path, run):
    pytest.importorskip("matplotlib")
    words = ["--checkpoint", tmp_path / "kept", "--plot", tmp_path / "p.png"]
    first = run("fit", wide, "--target", "y", *words)
    assert "note: rows are kept in memory" in first
    assert (tmp_path / "p.png").stat().st_size > 1000
    assert sorted(path.name for path in tmp_path.glob("kept*")) == ["kept.columns"]
    again = run("fit", wide, "--target", "y", *words)
    pick = [line for line in first.splitlines() if "alpha" in line]
    assert pick == [line for line in again.splitlines() if "alpha" in line]


def test_fit_rows_larger_than_the_memory_are_refused(wide, refused, monkeypatch):
    monkeypatch.setattr(training, "memory_size", lambda: 1 << 18)
    assert "choose fewer --features" in refused("fit", wide, "--target", "y")
