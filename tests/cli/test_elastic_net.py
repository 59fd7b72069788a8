"""``fastridge fit --l1-ratio`` and ``fastridge cv --l1-ratio`` against the estimators."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from cli_tables import load, make_table, parts_of, reference_features, small
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.metrics import r2_score, root_mean_squared_error

import fastridge
from fastridge import ElasticNet, ElasticNetCV, GramStatistics, Lasso, LassoCV
from fastridge.cli import main
from fastridge.cli.arguments import build_parser
from fastridge.cli.duality import ElasticNetEvaluation
from fastridge.cli.elastic import choose_elastic_net, fit_elastic_net
from fastridge.cli.rows import Rows
from fastridge.cli.training import SummedRows
from fastridge.data.splitting import HELD_OUT
from fastridge.io.model_file import read_model

TIGHT = ["--tol", "1e-12"]


@pytest.fixture
def rows(table):
    """Features and target of the training rows, their folds, and of the held-out rows."""
    part, y, there = parts_of(table)
    train, test = there & (part != HELD_OUT), there & (part == HELD_OUT)
    X = reference_features(table, train)
    return X[train], y[train], part[train], X[test], y[test]


def splits_of(folds):
    return [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]


def parsed(*words):
    return build_parser().parse_args([str(word) for word in words])


# --- fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_fit_is_scikit_learns(data, rows, tmp_path, run, standardize, l1_ratio, positive):
    X, y, _, X_test, y_test = rows
    path = tmp_path / "m"
    flags = ["--standardize" if standardize else "--no-standardize"]
    flags += ["--positive"] if positive else []
    words = ["--l1-ratio", l1_ratio, "--alpha", 0.1, *TIGHT, *flags, "--save", path]
    out = run("fit", data, "--target", "y", *words)
    mean, scale = X.mean(axis=0), X.std(axis=0) if standardize else np.ones(X.shape[1])
    theirs = SklearnElasticNet(
        0.1, l1_ratio=l1_ratio, positive=positive, tol=1e-12, max_iter=100_000
    ).fit((X - mean) / scale, y)
    model, about = read_model(path)
    assert type(model) is (Lasso if l1_ratio == 1.0 else ElasticNet)
    assert_allclose(model.coef_, theirs.coef_ / scale, rtol=1e-6, atol=1e-9)
    assert_allclose(model.intercept_, theirs.intercept_ - mean @ model.coef_, rtol=1e-9)
    assert model.n_features_in_ == X.shape[1]
    held_out = about["held_out"]
    predicted = X_test @ model.coef_ + model.intercept_
    assert_allclose(held_out["r2"], r2_score(y_test, predicted), rtol=1e-9)
    assert f"{np.count_nonzero(model.coef_)} of {X.shape[1]} coefficients" in out
    assert out.count("check ok") == 3
    assert "0.1 (given)" in out


@pytest.mark.parametrize("words", [[], ["--n-alphas", "20", "--eps", "0.01"]], ids=str)
def test_the_penalty_is_that_of_elastic_net_cv(data, rows, tmp_path, run, words):
    X, y, folds, *_ = rows
    path = tmp_path / "m"
    words = ["--l1-ratio", "0.5", *words, *TIGHT, "--save", path]
    out = run("fit", data, "--target", "y", *words)
    options = {"alphas": 20, "eps": 0.01} if "--eps" in words else {}
    wanted = ElasticNetCV(
        l1_ratio=0.5, standardize=True, cv=splits_of(folds), tol=1e-12, **options
    ).fit(X, y)
    model = load(path)
    assert_allclose(model.alpha, wanted.alpha_, rtol=1e-9)
    assert_allclose(model.coef_, wanted.coef_, rtol=1e-6, atol=1e-9)
    rmse = np.sqrt(wanted.mse_path_.mean(axis=1).min())
    assert f"best of {len(wanted.alphas_)} from" in out
    assert f"by 5-fold RMSE ({rmse:.4g})" in " ".join(out.replace("│", " ").split())


def test_a_fit_is_that_of_the_estimator_on_the_same_statistics(data, rows):
    X, y, folds, *_ = rows
    result = fit_elastic_net(parsed("fit", data, "--target", "y", "--l1-ratio", 0.9))
    chooser = ElasticNetCV(l1_ratio=0.9, standardize=True).fit_statistics(
        [GramStatistics.from_data(X[folds == k], y[folds == k]) for k in range(5)]
    )
    again = ElasticNet(result.alpha, l1_ratio=0.9, standardize=True)
    again.fit_statistics(result.model.statistics_)
    assert_allclose(result.alpha, chooser.alpha_, rtol=1e-9)
    assert_allclose(result.search.mse[0], chooser.mse_path_, rtol=1e-4)
    assert_array_equal(again.coef_, result.model.coef_)
    assert result.tolerance == pytest.approx(1e-4 * y.var())
    assert result.model.dual_gap_ <= result.tolerance


def test_every_part_of_the_report_is_there(data, run):
    out = run("fit", data, "--target", "y", "--l1-ratio", 1, "--top", 2)
    assert "Lasso of y" in out
    for heading in ("rows", "columns", "l1_ratio", "alpha", "nonzero", "held-out R²", "status"):
        assert f"│ {heading} " in out
    for text in ("│ converged ", "tolerance", "(0.0001 of |y|²/n)", "of at most 1000", "│ gram "):
        assert text in out
    assert re.search(r"schema [\d.]+, statistics [\d.]+, solve [\d.]+, check [\d.]+", out)
    assert len(re.findall(r"^│ .*│ +[+-].*│ +[+-].*│$", out, re.MULTILINE)) == 2
    assert "check ok: duality gap on the" in out
    assert "check ok: scikit-learn's ElasticNet on" in out
    assert "Elastic net of y" in run("fit", data, "--target", "y", "--l1-ratio", 0.2)


def test_coefficients_of_zero_are_not_among_the_strongest(data, run):
    out = run("fit", data, "--target", "y", "--l1-ratio", 1, "--alpha", 1.2)
    n = int(re.search(r"│ (\d+) of \d+ coefficients", out)[1])
    assert 0 < n < 12
    assert len(re.findall(r"^│ .*│ +[+-].*│ +[+-].*│$", out, re.MULTILINE)) == n
    out = run("fit", data, "--target", "y", "--l1-ratio", 1, "--alpha", 1e6)
    assert "│ 0 of" in out
    assert "Strongest" not in out


@pytest.mark.parametrize("l1_ratio", [0, 0.5, 1])
@pytest.mark.parametrize("flags", [[], ["--positive"], ["--no-standardize"]], ids=str)
@pytest.mark.parametrize("alpha", [0, 1e-3, 0.5, 1e4])
def test_every_penalty_passes_its_checks(data, run, l1_ratio, flags, alpha):
    out = run("fit", data, "--target", "y", "--l1-ratio", l1_ratio, "--alpha", alpha, *flags)
    assert out.count("check ok") == 3


def test_without_a_penalty_it_is_least_squares(data, tmp_path, run):
    for name, words in (("a", ["--l1-ratio", 0.5]), ("b", [])):
        run("fit", data, "--target", "y", "--alpha", 0, *words, "--save", tmp_path / name)
    assert_allclose(load(tmp_path / "a").coef_, load(tmp_path / "b").coef_, rtol=1e-9, atol=1e-12)


def test_more_columns_than_rows(tmp_path, run):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 150))
    y = X[:, :3].sum(axis=1) + 0.1 * rng.normal(size=60)
    path = small(tmp_path, **{f"x{j}": X[:, j] for j in range(150)}, y=y)
    out = run("fit", path, "--target", "y", "--l1-ratio", 1, "--save", tmp_path / "m")
    assert out.count("check ok") == 2
    strongest = np.argsort(-np.abs(load(tmp_path / "m").coef_))[:3]
    assert set(strongest) == {0, 1, 2}


def test_the_end_of_the_grid_is_noted(data, run):
    words = ["fit", data, "--target", "y", "--l1-ratio", 1]
    out = run(*words, "--eps", 0.9, "--n-alphas", 3)
    assert "the best penalty is the smallest of the 3 tried: a smaller --eps tries smaller" in out
    out = run(*words, "--alphas", "0.2,0.3")
    assert "note: the best penalty is the smallest of the 2 tried\n" in out


def test_nothing_to_be_gained(tmp_path, run):
    pytest.importorskip("matplotlib")
    x = np.arange(60.0)
    path = small(tmp_path, x=-x, z=-(x**2), y=x + np.sin(x))
    plot = ["--plot", tmp_path / "p.png"]
    for command in ("fit", "cv"):
        out = run(command, path, "--target", "y", "--l1-ratio", 1, "--positive", *plot)
        assert "every coefficient is zero at the best of the 100 penalties tried" in out


def test_a_file_of_held_out_rows(data, table, tmp_path, run):
    pcsv.write_csv(make_table(100, seed=1), tmp_path / "other.csv")
    for command in ("fit", "cv"):
        words = [command, data, "--target", "y", "--l1-ratio", 1, "--save", tmp_path / command]
        run(*words, "--test", tmp_path / "other.csv")
    a, b = (read_model(tmp_path / command) for command in ("fit", "cv"))
    assert a[1]["held_out"]["n"] == b[1]["held_out"]["n"] < 100
    assert_allclose(a[1]["held_out"]["r2"], b[1]["held_out"]["r2"], rtol=1e-4)
    assert_allclose(a[0].alpha, b[0].alpha_)


# --- cv -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", ["min", "1se"])
@pytest.mark.parametrize("l1_ratios", [[0.2, 0.7, 1.0], [0.5], [1.0]], ids=str)
def test_choices_are_those_of_elastic_net_cv_on_the_same_rows(data, rows, selection, l1_ratios):
    X, y, folds, X_test, y_test = rows
    joined = ",".join(map(str, l1_ratios))
    words = ["--l1-ratio", joined, "--selection", selection, *TIGHT, "--n-alphas", 25]
    result = choose_elastic_net(parsed("cv", data, "--target", "y", *words))
    wanted = ElasticNetCV(
        l1_ratio=l1_ratios, alphas=25, standardize=True, cv=splits_of(folds), tol=1e-12,
        selection=selection,
    ).fit(X, y)  # fmt: skip
    assert isinstance(result.model, LassoCV if l1_ratios == [1.0] else ElasticNetCV)
    assert result.l1_ratio == wanted.l1_ratio_
    for name in ("alpha_", "alpha_min_", "alpha_1se_", "alphas_"):
        assert_allclose(getattr(result.model, name), getattr(wanted, name), rtol=1e-9)
    assert_allclose(result.search.mse, wanted.mse_path_.reshape(len(l1_ratios), 25, 5), rtol=1e-6)
    assert_allclose(result.model.coef_, wanted.coef_, rtol=1e-5, atol=1e-9)
    assert [one.l1_ratio for one in result.candidates] == [r for r in l1_ratios for _ in "12"]
    chosen = [one for one in result.candidates if one.chosen]
    assert [(one.l1_ratio, one.rule) for one in chosen] == [(wanted.l1_ratio_, selection)]
    assert chosen[0].alpha == result.alpha == result.model.alpha_
    assert chosen[0].n_nonzero == result.n_nonzero == np.count_nonzero(result.model.coef_)
    for one in result.candidates:
        model = ElasticNet(one.alpha, l1_ratio=one.l1_ratio, standardize=True, tol=1e-12)
        model.fit(X, y)
        held_out = root_mean_squared_error(y_test, model.predict(X_test))
        assert_allclose(one.held_out_rmse, held_out, rtol=1e-6)
        assert one.n_nonzero == np.count_nonzero(model.coef_)
        k = l1_ratios.index(one.l1_ratio)
        errors = result.search.mse[k][result.search.alphas[k] == one.alpha][0]
        assert_allclose(one.rmse**2, errors.mean())
        assert_allclose(2 * one.rmse * one.rmse_error, errors.std(ddof=1) / np.sqrt(5))


def test_the_table_marks_the_chosen_one(data, run, tmp_path):
    path = tmp_path / "m"
    ratios = ["--l1-ratio", "0.1", "--l1-ratio", "0.9,1"]
    words = ["cv", data, "--target", "y", *ratios, "--save", path]
    out = run(*words)
    model = load(path)
    rows = re.findall(r"^│ +([\d.]+) │ (min|1se) +│ +([\d.e-]+) │.*│ (.*) │$", out, re.MULTILINE)
    assert [row[:2] for row in rows] == [
        (r, s) for r in ("0.1", "0.9", "1") for s in ("min", "1se")
    ]
    chosen = [row[:3] for row in rows if "chosen" in row[3]]
    assert chosen == [(f"{model.l1_ratio_:g}", "min", f"{model.alpha_:.4g}")]
    for text in ("± error", "nonzero", "held-out RMSE", "dual gap", f"model in {path}"):
        assert text in out
    assert "largest within one standard error of 100" in run(*words, "--selection", "1se")
    assert "held-out RMSE" in run(*words, "--test-size", 0)  # the heading of an empty column


# --- saved models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "cv"])
@pytest.mark.parametrize("l1_ratio", ["0.5", "1"])
def test_saved_models_predict_and_are_described(data, rows, tmp_path, run, command, l1_ratio):
    X, *_ = rows
    path = tmp_path / "m"
    run(command, data, "--target", "y", "--l1-ratio", l1_ratio, "--save", path)
    model = load(path)
    found = np.array(run("predict", path, data).split()[1:], dtype=float)
    train = parts_of(make_table())
    part, _, there = train
    of_training = found[there & (part != HELD_OUT)]
    assert_allclose(of_training, X @ model.coef_ + model.intercept_, rtol=1e-10)
    assert not hasattr(model, "statistics_")
    assert not hasattr(model, "fold_statistics_")
    out = run("info", path)
    for text in (f"{type(model).__name__} in", "status", "dual gap", "iterations", "nonzero"):
        assert text in out
    if command == "cv":
        assert f"{model.alpha_:.4g} (chosen)" in out
        assert model.mse_path_.shape == (100, 5)


def test_info_of_several_targets(tmp_path, run):
    X = np.random.default_rng(0).normal(size=(30, 2))
    fastridge.save(Lasso(0.01).fit(X, X), tmp_path / "m")
    assert "2 of 4 coefficients" in run("info", tmp_path / "m")


# --- checks ---------------------------------------------------------------------------------------


def spoilt(monkeypatch, change):
    right = ElasticNet.fit_statistics

    def wrong(self, stats):
        right(self, stats)
        change(self)
        return self

    monkeypatch.setattr(ElasticNet, "fit_statistics", wrong)


def test_a_wrong_model_fails_the_check(data, capsys, monkeypatch):
    spoilt(monkeypatch, lambda model: setattr(model, "coef_", model.coef_ * 1.05))
    assert main(["fit", data, "--target", "y", "--l1-ratio", "1", "--alpha", "0.01"]) == 1
    assert "check FAILED: duality gap" in capsys.readouterr().out


def test_a_worse_objective_than_scikit_learns_fails_the_check(data, capsys, monkeypatch):
    right = ElasticNet.fit

    def wrong(self, X, y, *weight):
        right(self, X, y, *weight)
        self.coef_ = self.coef_ * 1.01
        return self

    monkeypatch.setattr(ElasticNet, "fit", wrong)
    assert main(["fit", data, "--target", "y", "--l1-ratio", "1", "--alpha", "0.01"]) == 1
    assert "check FAILED: scikit-learn's ElasticNet" in capsys.readouterr().out


def test_fit_without_convergence_is_reported_and_fails_the_check(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3)) @ rng.standard_normal((3, 200))
    X += 0.1 * rng.standard_normal(X.shape)
    y = X @ rng.standard_normal(200) + 0.3 * rng.standard_normal(400)
    table = {f"x{k}": column for k, column in enumerate(X.T)} | {"y": y}
    path = tmp_path / "collinear.parquet"
    pq.write_table(pa.table(table), path)
    words = ["fit", str(path), "--target", "y", "--l1-ratio", "1", "--alpha", "1e-4"]
    assert main([*words, "--tol", "1e-12", "--max-iter", "1"]) == 1
    out = capsys.readouterr().out
    assert "note: Objective did not converge" in out
    assert "│ not converged " in out
    assert "check FAILED: duality gap" in out


def test_no_check(data, run):
    out = run("fit", data, "--target", "y", "--l1-ratio", 1, "--no-check")
    assert "check ok" not in out
    assert "held-out R²" in out


@pytest.mark.parametrize("by_sums", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("standardize", [False, True])
def test_the_duality_gap_bounds_what_any_model_misses(
    rows, by_sums, positive, l1_ratio, standardize
):
    X, y, *_ = rows
    training = SummedRows([GramStatistics.from_data(X, y)], None)
    alpha, rng = 0.3, np.random.default_rng(0)
    options = {"positive": positive, "standardize": standardize, "tol": 1e-13}
    best = ElasticNet(alpha, l1_ratio=l1_ratio, **options).fit(X, y)
    scale = X.std(axis=0) if standardize else np.ones(X.shape[1])

    def objective(model):
        w = scale * model.coef_
        penalty = l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w @ w)
        return ((y - model.predict(X)) ** 2).mean() / 2 + alpha * penalty

    def relative_gap(model):
        evaluation = ElasticNetEvaluation(model, training, alpha, l1_ratio)
        if by_sums:
            assert evaluation.take_sums(training.total, len(y))
        for part in () if by_sums else np.array_split(np.arange(len(y)), 3):
            evaluation.add_training(Rows(X[part], y[part]))
        return evaluation.optimality().value

    for size in (0.0, 1e-3, 0.1, 1.0):
        model = ElasticNet(alpha, l1_ratio=l1_ratio, **options).fit(X, y)
        model.coef_ = best.coef_ * np.exp(size * rng.normal(size=len(best.coef_)))
        model.intercept_ = y.mean() - X.mean(axis=0) @ model.coef_
        if l1_ratio > 0.0 or positive:
            missed = (objective(model) - objective(best)) / y.var()
            assert relative_gap(model) >= missed - 1e-12
        if size == 0.0:
            assert relative_gap(model) <= 1e-11
        else:
            assert relative_gap(model) > 1e-9


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        ("fit --l1-ratio 0.5", ".png"),
        ("fit --l1-ratio 1 --alpha 0.1", ".svg"),
        ("fit --l1-ratio 1 --alphas 0,0.1,1", ".png"),
        ("fit --l1-ratio 0 --alphas 0.1,1", ".svg"),
        ("cv --l1-ratio 0.1,0.5,1", ".svg"),
        ("cv --l1-ratio 1 --selection 1se", ".png"),
        ("cv --l1-ratio 0.5 --alphas 0.1", ".png"),
    ],
)
def test_plot(data, tmp_path, run, words, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot{ending}"
    command, *options = words.split()
    out = run(command, data, "--target", "y", *options, "--plot", path)
    assert f"plot in {path}" in out
    assert path.read_bytes().startswith({".png": b"\x89PNG", ".svg": b"<?xml"}[ending])


def test_cv_plot_shows_errors_and_paths(data, tmp_path, run, monkeypatch):
    pytest.importorskip("matplotlib")
    from fastridge.cli import plotting

    drawn = []
    monkeypatch.setattr(plotting, "_save", lambda figure, path: drawn.append(figure))
    words = ["cv", data, "--target", "y", "--l1-ratio", "0.5,1", "--n-alphas", 30]
    run(*words, "--plot", tmp_path / "p.png", "--save", tmp_path / "m")
    model = load(tmp_path / "m")
    left, right, above = drawn[0].axes
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    assert texts[:2] == ["l1_ratio = 0.5", "l1_ratio = 1"]
    assert f"least error: alpha = {model.alpha_min_:.3g}" in texts
    assert f"1-SE rule: alpha = {model.alpha_1se_:.3g}" in texts
    assert left.get_title() == f"Coefficients, l1_ratio = {model.l1_ratio_:g}"
    assert left.get_xscale() == "log"
    counts = [int(text.get_text()) for text in above.get_xticklabels()]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0  # at the largest alpha
    marked = [text.get_text() for text in left.get_legend().get_texts()][-1]
    assert marked == f"alpha = {model.alpha_:.3g}"


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--l1-ratio", "2"], "one number from 0 to 1 (`fastridge cv` takes several)"),
        (["fit", "--l1-ratio", "0.1,0.5"], "(`fastridge cv` takes several), not '0.1,0.5'"),
        (["fit", "--l1-ratio", "nan"], "not 'nan'"),
        (["cv", "--l1-ratio", "0.1,-1"], "argument --l1-ratio: a number from 0 to 1, not '-1'"),
        (["cv", "--l1-ratio", ","], "a number from 0 to 1 is missing"),
        (["fit", "--l1-ratio", "0"], "with 0 there is no automatic grid: give --alphas"),
        (["cv", "--l1-ratio", "0,0.5"], "with 0 there is no automatic grid: give --alphas"),
        (["fit", "--positive"], "it is for the elastic net: leave it out, or give --l1-ratio"),
        (["fit", "--tol", "1e-6"], "argument --tol: it is for the elastic net"),
        (["cv", "--max-iter", "5"], "argument --max-iter: it is for the elastic net"),
        (["cv", "--n-alphas", "5"], "argument --n-alphas: it is for the elastic net"),
        (["cv", "--eps", "0.5"], "argument --eps: it is for the elastic net"),
        (["cv", "--save", "m"], "use `fastridge fit --save`, or give --l1-ratio"),
        (["cv", "--l1-ratio", "1", "--methods", "loo"], "leave out --methods or --l1-ratio"),
        (["cv", "--l1-ratio", "1", "--eps", "1"], "a number above 0 and below 1, not '1'"),
        (["cv", "--l1-ratio", "1", "--tol", "-1"], "a tolerance is a number from 0 up"),
        (["cv", "--l1-ratio", "1", "--alphas", "x"], "argument --alphas: a penalty is a number"),
        (["cv", "--l1-ratio", "1", "--alphas", "1", "--eps", "0.1"], "not allowed with argument"),
        (["fit", "--l1-ratio", "1", "--alpha", "1", "--n-alphas", "9"], "there is no grid"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(data, refused, words, message):
    command, *options = words
    assert message in refused(command, data, "--target", "y", *options)


def test_too_few_rows_for_folds(refused, run, tmp_path):
    pytest.importorskip("matplotlib")
    x = np.arange(4.0)
    path = small(tmp_path, x=x, y=x**2)
    words = ["--target", "y", "--test-size", "0", "--folds", "2", "--seed", 25, "--l1-ratio", "1"]
    assert "too few to choose the penalty: give --alpha" in refused("fit", path, *words)
    assert "too few to choose the penalty" in refused("cv", path, *words)
    assert "plot in" in run("fit", path, *words, "--alpha", 0.1, "--plot", tmp_path / "p.png")
