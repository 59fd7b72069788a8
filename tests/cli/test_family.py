"""``fastridge fit --family`` and ``cv --family`` against scikit-learn and the estimators."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.linear_model import LogisticRegression as SklearnLogistic
from sklearn.linear_model import TweedieRegressor as SklearnTweedie
from sklearn.metrics import (
    brier_score_loss,
    d2_log_loss_score,
    d2_tweedie_score,
    log_loss,
    mean_tweedie_deviance,
    roc_auc_score,
)

import fastridge
from fastridge.cli import main
from fastridge.data.splitting import HELD_OUT, Split

N = 600
FEATURES = ("--features", "a,b", "--no-standardize")
POWERS = {"poisson": 1.0, "gamma": 2.0, "tweedie": 1.5}


def make_columns(seed=3):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=N), 10.0 + rng.normal(size=N)
    exposure = rng.uniform(0.5, 3.0, N)
    eta = 0.6 * a - 0.4 * (b - 10.0) - 0.2
    mean = exposure * np.exp(eta)
    amount = mean * rng.gamma(2.0, 0.5, N)
    yes = rng.random(N) < expit(eta)
    return {
        "a": a,
        "b": b,
        "t": exposure,
        "o": np.log(exposure),
        "w": rng.integers(0, 3, N).astype(float),
        "binomial": np.where(yes, "yes", "no"),
        "multinomial": np.digitize(eta + rng.logistic(size=N), [-1.0, 1.0]),
        "poisson": rng.poisson(mean),
        "gamma": amount,
        "tweedie": amount * (rng.random(N) < 0.7),
    }


@pytest.fixture(scope="module")
def columns():
    return make_columns()


@pytest.fixture
def path(tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    return str(tmp_path / "rows.parquet")


@pytest.fixture
def report(run):
    """Run a command with --json, whose checks must pass."""

    def report(*words):
        found = json.loads(run(*words, "--json"))
        assert all(one["passed"] for one in found.get("checks", ()))
        return found

    return report


def split(columns, target, seed=0):
    """Features and target of the training rows and of the held-out rows, and the folds."""
    fold = Split(seed, 0.2, 5).start().draw(N)
    X, y, train = np.column_stack([columns["a"], columns["b"]]), columns[target], fold != HELD_OUT
    return X[train], y[train], X[~train], y[~train], fold[train]


def coefficients(found):
    return np.array([one["coefficient"] for one in found["coefficients"]]).T


@pytest.mark.parametrize("family", ["binomial", "multinomial"])
def test_fit_of_classes_is_that_of_sklearn(path, columns, report, family):
    X, y, X_test, y_test, _ = split(columns, family)
    found = report("fit", path, "--target", family, "--family", family, *FEATURES, "--C", 0.7)
    assert len(found["checks"]) == 2
    options = {"solver": "newton-cholesky"} if family == "binomial" else {"max_iter": 10_000}
    theirs = SklearnLogistic(C=0.7, tol=1e-12, **options).fit(X, y)
    atol = 1e-8 if family == "binomial" else 1e-6
    assert_allclose(coefficients(found), np.squeeze(theirs.coef_), atol=atol)
    model = fastridge.LogisticRegression(C=0.7, tol=1e-12).fit(X, y)
    p, held_out = model.predict_proba(X_test), found["held_out"]
    areas = {"multi_class": "ovr"} if family == "multinomial" else {}
    of_second = p if family == "multinomial" else p[:, 1]
    null = np.tile(np.unique(y, return_counts=True)[1] / len(y), (len(y_test), 1))
    labels = y_test if family == "multinomial" else y_test == "yes"
    wanted = {
        "log_loss": log_loss(y_test, p),
        "null_log_loss": log_loss(y_test, null),
        "d2": d2_log_loss_score(y_test, p),
        "deviance": 2.0 * log_loss(y_test, p),
        "auc": roc_auc_score(y_test, of_second, **areas),
        "auc_error": 0.0,
        "brier": brier_score_loss(labels, of_second),
        "accuracy": model.score(X_test, y_test),
    }
    assert_allclose([held_out[name] for name in wanted], [*wanted.values()], rtol=1e-8)
    assert found["model"]["parameters"]["C"] == 0.7
    assert found["alpha"] == pytest.approx(1.0 / (0.7 * len(y)))
    assert len(found["calibration"]) == (1 if family == "binomial" else 3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("family", POWERS)
def test_fit_of_numbers_is_that_of_sklearn(path, columns, report, family, weighted):
    X, y, X_test, y_test, _ = split(columns, family)
    words = ["--weights", "w"] if weighted else []
    found = report(
        "fit", path, "--target", family, "--family", family, *FEATURES, "--alpha", 0.1, *words
    )
    _, weight, _, weight_test, _ = split(columns, "w")
    weight, weight_test = (weight, weight_test) if weighted else (None, None)
    power = POWERS[family]
    theirs = SklearnTweedie(power=power, link="log", alpha=0.1, tol=1e-12, max_iter=1000,
                            solver="newton-cholesky").fit(X, y, sample_weight=weight)  # fmt: skip
    assert_allclose(coefficients(found), theirs.coef_, atol=1e-8)
    assert_allclose(found["intercept"], theirs.intercept_, atol=1e-7)
    options = {"power": power, "sample_weight": weight_test}
    null = np.full(len(y_test), np.average(y, weights=weight))
    held_out = found["held_out"]
    assert_allclose(held_out["d2"], d2_tweedie_score(y_test, theirs.predict(X_test), **options))
    for name, mean in (("deviance", theirs.predict(X_test)), ("null_deviance", null)):
        assert_allclose(held_out[name], mean_tweedie_deviance(y_test, mean, **options))
    (calibration,) = found["calibration"]
    assert len(calibration["groups"]) == 10
    assert 0.5 < calibration["factor"] < 1.5


@pytest.mark.parametrize("role", [("--exposure", "t"), ("--offset", "o")])
def test_fit_with_known_terms_is_that_of_the_estimator(path, columns, report, role, tmp_path):
    X, y, X_test, y_test, _ = split(columns, "poisson")
    _, exposure, _, exposure_test, _ = split(columns, "t")
    saved = tmp_path / "m"
    found = report(
        "fit", path, "--target", "poisson", "--family", "poisson", *role, *FEATURES, "--alpha",
        0.01, "--save", saved,
    )  # fmt: skip
    assert len(found["checks"]) == 2
    model = fastridge.PoissonRegressor(alpha=0.01, tol=1e-12).fit(X, y, exposure=exposure)
    assert_allclose(coefficients(found), model.coef_, atol=1e-9)
    mean = exposure_test * model.predict(X_test)
    null = exposure_test * y.sum() / exposure.sum()
    deviances = [mean_tweedie_deviance(y_test, each, power=1) for each in (mean, null)]
    held_out = found["held_out"]
    assert_allclose([held_out["deviance"], held_out["null_deviance"]], deviances)
    assert_allclose(held_out["d2"], 1.0 - deviances[0] / deviances[1])


def test_predict_with_known_terms_has_them_or_says_so(path, columns, run, tmp_path, capsys):
    words = ["--target", "poisson", "--family", "poisson", "--exposure", "t", *FEATURES]
    out = run("fit", path, *words, "--alpha", 0.01, "--save", tmp_path / "m")
    assert "factors of the rate of poisson" in out
    model = fastridge.load(tmp_path / "m")
    rates = model.predict(pd.DataFrame({name: columns[name] for name in "ab"}))
    assert main(["predict", str(tmp_path / "m"), path]) == 0
    out, err = capsys.readouterr()
    assert_allclose(np.array(out.split()[1:], dtype=float), columns["t"] * rates, rtol=1e-12)
    assert re.search("known in 600 rows: D² .* explained; deviance .* of the null model", err)
    names = ["a", "b", "poisson"]
    pq.write_table(pa.table({name: columns[name] for name in names}), tmp_path / "new.parquet")
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "new.parquet")]) == 0
    out, err = capsys.readouterr()
    assert_allclose(np.array(out.split()[1:], dtype=float), rates, rtol=1e-12)
    assert "new.parquet has no column 't': predictions are for an exposure of 1" in err
    assert "column t" in run("info", tmp_path / "m")


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_fit_without_a_penalty_chooses_it_by_the_deviance_of_folds(path, columns, report, ratio):
    X, y, *_, fold = split(columns, "binomial")
    alphas = [0.001, 0.1, 10.0]
    words = ["--alphas", ",".join(map(str, alphas)), "--l1-ratio", ratio] if ratio else []
    words = words or ["--alphas", "0.001,0.1,10"]
    found = report("fit", path, "--target", "binomial", "--family", "binomial", *FEATURES, *words)
    wanted = np.empty((3, 5))
    for k in range(5):
        train = fold != k
        for j, alpha in enumerate(alphas[::-1]):
            model = fastridge.LogisticRegression(
                C=1.0 / (alpha * train.sum()), l1_ratio=ratio, solver="saga", tol=1e-10
            ).fit(X[train], y[train])
            wanted[j, k] = 2.0 * log_loss(y[~train], model.predict_proba(X[~train]))
    assert_allclose(found["kfold"]["deviance"], [wanted.mean(axis=1)], rtol=1e-7)
    assert found["alpha"] == alphas[::-1][wanted.mean(axis=1).argmin()]
    assert found["rule"] == "min"


@pytest.mark.parametrize("family", ["binomial", "multinomial", *POWERS])
def test_saved_models_predict_the_same_bits(path, columns, run, tmp_path, family):
    words = ["--target", family, "--family", family, "--features", "a,b", "--alpha", 0.1]
    run("fit", path, *words, "--save", tmp_path / "m")
    model = fastridge.load(tmp_path / "m")
    fastridge.save(model, tmp_path / "again")
    again = fastridge.load(tmp_path / "again")
    X = pd.DataFrame({name: columns[name] for name in "ab"})
    assert_array_equal(again.predict(X), model.predict(X))
    proba = ["--proba"] if family.endswith("nomial") else []
    run("predict", tmp_path / "m", path, "--output", tmp_path / "p.parquet", *proba)
    found = pq.read_table(tmp_path / "p.parquet")
    if not proba:
        assert_allclose(found["prediction"].to_numpy(), model.predict(X), rtol=1e-13)
        return
    assert found["prediction"].to_pylist() == model.predict(X).tolist()
    values = np.column_stack([found[f"probability_{one}"].to_numpy() for one in model.classes_])
    assert_allclose(values, model.predict_proba(X), rtol=1e-12)
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("family", ["binomial", "gamma"])
def test_cv_compares_l1_ratios_and_saves_the_chosen_model(path, run, report, tmp_path, family):
    words = ["cv", path, "--target", family, "--family", family, "--features", "a,b"]
    words += ["--l1-ratio", "0.5,1", "--n-alphas", 8, "--selection", "1se"]
    out = run(*words, "--save", tmp_path / "m")
    assert "<- chosen" in out
    found = report(*words)
    (one,) = (candidate for candidate in found["candidates"] if candidate["chosen"])
    assert one["rule"] == "1se"
    assert one["alpha"] == found["alpha"]
    assert one["held_out_deviance"] == found["held_out"]["deviance"]
    model = fastridge.load(tmp_path / "m")
    assert model.l1_ratio == one["l1_ratio"]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [([1, 2], ["1", "2"]), ([False, True], ["false", "true"]), (["no", "yes"], ["no", "yes"])],
    ids=str,
)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_labels_come_out_in_their_own_type(tmp_path, columns, run, labels, shown, ending):
    y = [labels[int(value > 0.0)] for value in columns["a"] + columns["b"] - 10.0]
    table = pa.table({"a": columns["a"], "y": y})
    path = tmp_path / f"d.{ending}"
    pcsv.write_csv(table, path) if ending == "csv" else pq.write_table(table, path)
    out = run("fit", path, "--target", "y", "--family", "binomial", "--save", tmp_path / "m")
    assert f"factors of the odds of y = {shown[1]}" in out
    model = fastridge.load(tmp_path / "m")
    assert model.classes_.tolist() == labels
    assert set(run("predict", tmp_path / "m", path).splitlines()[1:]) == set(shown)
    assert f"factors of the odds of y = {shown[1]}" in run("info", tmp_path / "m")


@pytest.mark.parametrize("labels", [[0, 1, 7], ["no", "yes", "odd"]], ids=str)
def test_labels_of_held_out_rows_alone_are_named(tmp_path, run, capsys, labels):
    x = np.random.default_rng(0).normal(size=60)
    for name, last in (("train", 1), ("test", 2)):
        y = [labels[int(value > 0)] for value in x[:-2]] + [labels[last]] * 2
        pq.write_table(pa.table({"x": x, "y": y}), tmp_path / f"{name}.parquet")
    words = ["--family", "binomial", "--alpha", 1, "--test", tmp_path / "test.parquet"]
    path = tmp_path / "m"
    out = run("fit", tmp_path / "train.parquet", "--target", "y", *words, "--save", path)
    note = f"y: no training row has the label '{labels[2]}' (2 rows): counted as wrong, and left"
    assert f"note: {note}" in out
    assert main(["predict", str(path), str(tmp_path / "test.parquet")]) == 0
    assert note in capsys.readouterr().err


def test_identity_and_log_links_reach_the_estimator(path, run, tmp_path):
    words = ["fit", path, "--target", "gamma", "--features", "a,b", "--alpha", 0.1]
    for family, link, name in (
        ("poisson", "identity", "TweedieRegressor"),
        ("gaussian", "log", "TweedieRegressor"),
        ("gaussian", "identity", "Ridge"),
        ("gamma", "log", "GammaRegressor"),
    ):
        run(*words, "--family", family, "--link", link, "--save", tmp_path / "m")
        model = fastridge.load(tmp_path / "m")
        assert type(model).__name__ == name
        assert getattr(model, "link", link) == link


def small(tmp_path, y, **more):
    x = np.random.default_rng(0).normal(size=len(y))
    pcsv.write_csv(pa.table({"x": x, "y": y, **more}), tmp_path / "d.csv")
    return tmp_path / "d.csv"


COUNTS = np.arange(50) % 4


@pytest.mark.parametrize(
    ("y", "words", "message"),
    [
        ([*COUNTS, -3], ["poisson"], "d.csv, line 52: column 'y' holds -3, and targets of "
         "--family poisson are 0 or more"),
        (COUNTS + 0.0, ["gamma"], "d.csv, line 2: column 'y' holds 0, and targets of --family "
         "gamma are above 0"),
        (COUNTS, ["binomial"], "is for two classes, and the target 'y' of"),
        (COUNTS, ["binomial"], "has 4 (0, 1, 2, 3): give --family multinomial"),
        (COUNTS + 0.5, ["multinomial"], "is for classes, and 'y' holds fractions such as 0.5"),
        ([1] * 50, ["binomial"], "the target 'y' is constant (1)"),
        (["a"] * 50, ["binomial"], "the target 'y' is constant (a)"),
        (["a", "b"] * 25, ["poisson"], "holds text, not numbers: 'a': give"),
        (COUNTS, ["poisson", "--power", "1.5"], "--power: it is for --family tweedie"),
        (COUNTS, ["tweedie", "--power", "0.5"], "no family has a power between 0 and 1"),
        (COUNTS, ["binomial", "--link", "log"], "--link: of --family binomial it is logit"),
        (COUNTS, ["poisson", "--C", "1"], "--C: it is for classes: give --alpha"),
        (COUNTS, ["binomial", "--exposure", "x"], "--exposure: it needs a log link"),
        (COUNTS, ["gaussian", "--exposure", "x"], "--exposure: it needs a log link"),
        (COUNTS, ["multinomial", "--offset", "x"], "--offset: not supported with --family multi"),
        (COUNTS, ["poisson", "--positive"], "--positive: not supported with --family"),
        (COUNTS, ["poisson", "--model", "sgd"], "--family: not supported with --model sgd"),
        (COUNTS, ["poisson", "--offset", "y"], "--offset 'y' is the target"),
        (COUNTS, ["poisson", "--offset", "z"], "has no column 'z'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_line(tmp_path, refused, y, words, message):
    path = small(tmp_path, y)
    assert message in refused("fit", path, "--target", "y", "--family", *words)


def test_exposures_of_zero_are_one_clear_line(tmp_path, refused):
    path = small(tmp_path, COUNTS, t=np.where(np.arange(50) == 7, 0.0, 1.0))
    words = ["fit", path, "--target", "y", "--family", "poisson", "--exposure", "t"]
    assert "d.csv, line 9: column 't' must hold exposures" in refused(*words)


@pytest.mark.parametrize("option", ["--power", "--link", "--offset", "--exposure", "--C"])
def test_options_of_families_without_one_are_refused(path, refused, option):
    value = {"--power": 1.5, "--link": "log", "--C": 1}.get(option, "o")
    line = refused("fit", path, "--target", "poisson", option, value)
    assert f"{option}: it is for --family: give one of gaussian, binomial" in line


@pytest.mark.parametrize(
    "words", [["binomial"], ["poisson", "--exposure", "t"], ["gamma"]], ids=str
)
def test_rows_that_are_read_again_give_the_same_model(path, report, monkeypatch, words):
    words = ["fit", path, "--target", words[0], "--family", *words, *FEATURES, "--weights", "w"]
    kept = report(*words, "--alphas", "0.001,1")
    monkeypatch.setattr("fastridge.cli.family_training._MEMORY_SHARE", 0.0)
    read = report(*words, "--alphas", "0.001,1")
    assert "rows are read again in every pass" in read["notes"][0]
    assert read["alpha"] == kept["alpha"]
    assert_allclose(read["kfold"]["deviance"], kept["kfold"]["deviance"], rtol=1e-6)
    assert_allclose(coefficients(read), coefficients(kept), rtol=1e-6)
    assert_allclose(read["null_predictor"], kept["null_predictor"], rtol=1e-9)
    for name, value in kept["held_out"].items():
        if value is not None:
            assert_allclose(read["held_out"][name], value, rtol=1e-6)


def test_rows_that_must_be_in_memory_and_do_not_fit_are_refused(path, refused, monkeypatch):
    monkeypatch.setattr("fastridge.cli.family_training._MEMORY_SHARE", 0.0)
    words = ["--target", "multinomial", "--family", "multinomial", "--l1-ratio", 1, "--alpha", 1]
    assert "with --l1-ratio needs the rows in memory, and" in refused("fit", path, *words)


def test_checkpoint_is_that_of_the_fit(path, report, tmp_path):
    words = ["fit", path, "--target", "poisson", "--family", "poisson", *FEATURES, "--alpha", 0.1]
    wanted = report(*words)
    for _ in range(2):  # the second resumes at the end
        found = report(*words, "--checkpoint", tmp_path / "kept")
        assert_allclose(coefficients(found), coefficients(wanted), rtol=1e-7)
    assert (tmp_path / "kept").exists()


@pytest.mark.parametrize("family", ["binomial", "multinomial", "gamma"])
def test_plot_is_drawn(path, run, tmp_path, family):
    words = ["--target", family, "--family", family, "--features", "a,b", "--n-alphas", 5]
    run("cv", path, *words, "--l1-ratio", "0,1", "--plot", tmp_path / "p.png")
    out = run("fit", path, *words, "--alpha", 1, "--plot", tmp_path / "q.png")
    assert re.search(r"alpha +│ 1 \(given\)", out)
    assert min((tmp_path / f"{name}.png").stat().st_size for name in "pq") > 10_000


@pytest.mark.parametrize("share", [0.5, 0.0], ids=["kept", "read"])
def test_rows_of_weight_zero_count_for_nothing(tmp_path, columns, report, monkeypatch, share):
    monkeypatch.setattr("fastridge.cli.family_training._MEMORY_SHARE", share)
    there = np.arange(N) % 3 > 0
    labels = np.where(there, columns["binomial"], "odd")
    table = pa.table({"a": columns["a"], "y": labels, "w": there.astype(float)})
    pq.write_table(table, tmp_path / "d.parquet")
    words = ["fit", tmp_path / "d.parquet", "--target", "y", "--family", "binomial"]
    found = report(*words, "--weights", "w", "--alpha", 0.1)
    assert found["model"]["classes"] == ["no", "yes"]
    train = (Split(0, 0.2, 5).start().draw(N) != HELD_OUT) & there
    a, y = columns["a"][train][:, None], columns["binomial"][train]
    model = fastridge.LogisticRegression(
        C=10.0 / train.sum(), standardize=True, tol=1e-10
    ).fit(a, y)  # fmt: skip
    assert_allclose(coefficients(found), model.coef_[0], rtol=1e-7)


def test_predict_of_exposures_that_cannot_be_is_one_clear_line(path, run, refused, tmp_path):
    words = ["--target", "poisson", "--family", "poisson", "--exposure", "t", *FEATURES]
    run("fit", path, *words, "--alpha", 1, "--save", tmp_path / "m")
    for value, message in ((0.0, "must hold exposures"), (None, "has missing values")):
        rows = pa.table({"a": [1.0, 2.0], "b": [1.0, 2.0], "t": [1.0, value]})
        pcsv.write_csv(rows, tmp_path / "new.csv")
        line = refused("predict", tmp_path / "m", tmp_path / "new.csv", "--output", f"{path}.csv")
        assert f"new.csv, line 3: column 't' {message}" in line


def test_predict_of_sparse_coefficients_is_that_of_dense_ones(path, columns, run, tmp_path):
    frame = pd.DataFrame({name: columns[name] for name in "ab"})
    model = fastridge.LogisticRegression().fit(frame, columns["binomial"])
    wanted = model.predict_proba(frame)
    fastridge.save(model.sparsify(), tmp_path / "m")
    frame.to_csv(tmp_path / "new.csv", index=False)
    out = run("predict", tmp_path / "m", tmp_path / "new.csv", "--proba").splitlines()[1:]
    found = np.array([line.split(",")[1:] for line in out], dtype=float)
    assert_allclose(found, wanted, rtol=1e-12)
    assert len(json.loads(run("info", tmp_path / "m", "--json"))["coefficients"]) == 2


@pytest.mark.parametrize(
    ("columns", "words", "message"),
    [
        ({"y": np.r_[1, np.zeros(49, int)]}, ["poisson"], "no training row outside one of the"),
        ({"y": np.r_[1, np.zeros(49, int)]}, ["binomial"], "a class has training rows in one fold"),
        ({"y": np.linspace(-3, 1, 50)}, ["gaussian", "--link", "log"], "and must be above 0 for"),
        (
            {"y": COUNTS % 2},
            ["binomial", "--C", "1", "--folds", "3"],
            "with --C there are no folds",
        ),
    ],
)
def test_choices_without_a_fit_are_one_clear_line(tmp_path, refused, columns, words, message):
    path = small(tmp_path, **columns)
    assert message in refused("fit", path, "--target", "y", "--family", *words)


def test_known_terms_of_any_size_are_compared_no_further_than_float64_holds(tmp_path, report):
    path = small(tmp_path, COUNTS, o=np.full(50, 800.0))
    words = ["fit", path, "--target", "y", "--family", "poisson", "--offset", "o", "--alpha", 1]
    assert len(report(*words)["checks"]) == 1


def test_auc_of_many_held_out_rows_is_within_the_printed_error(path, run, report, monkeypatch):
    words = ["fit", path, "--target", "binomial", "--family", "binomial", *FEATURES, "--C", 1]
    exact = report(*words)["held_out"]["auc"]
    monkeypatch.setattr("fastridge.cli.family_scores.MOST_ROWS", 50)
    monkeypatch.setattr("fastridge.cli.predicted_rows.N_BINS", 20)
    held_out = report(*words)["held_out"]
    assert 0.0 < held_out["auc_error"] < 0.1
    assert abs(held_out["auc"] - exact) <= held_out["auc_error"]
    assert re.search(r"held-out AUC +│ 0\.\d{4} ± 0\.0\d, from bins of rows", run(*words))
