"""Logistic regression and generalized linear models on scans: as in memory, in few passes."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from fastridge import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
    scan,
)
from fastridge.data.batches import ScanError
from fastridge.linear_model import smooth_streamed
from fastridge.solvers.newton import streamed_classes

N, P = 3000, 5
TOL = 1e-12
MODELS = {
    "binary": LogisticRegression(tol=TOL),
    "binary without a penalty": LogisticRegression(C=np.inf, tol=TOL),
    "balanced": LogisticRegression(C=1e-2, class_weight="balanced", tol=TOL),
    "weights of classes": LogisticRegression(class_weight={1: 3.0}, tol=TOL),
    "standardized": LogisticRegression(C=1e-3, standardize=True, tol=TOL),
    "without intercept": LogisticRegression(fit_intercept=False, tol=TOL),
    "factors": LogisticRegression(penalty_factors=[0, 1, np.inf, 2, 1], tol=TOL),
    "three classes": LogisticRegression(tol=1e-10),
    "three classes, balanced": LogisticRegression(C=1e-2, class_weight="balanced", tol=1e-10),
    "three classes, factors": LogisticRegression(penalty_factors=[0, 1, np.inf, 2, 1], tol=1e-10),
    "bounds": LogisticRegression(bounds=([0, -0.1, 0, 0, 0], [0.2, 0, 9, 1, 0.3]), tol=TOL),
    "lasso": LogisticRegression(C=0.05, l1_ratio=1, solver="saga", tol=1e-9),
    "elastic net, standardized": LogisticRegression(
        C=0.02, l1_ratio=0.5, solver="saga", standardize=True, tol=1e-9
    ),
    "lasso-poisson": PoissonRegressor(
        alpha=0.1, l1_ratio=0.9, penalty_factors=[1, 0, np.inf, 2, 1], tol=1e-9
    ),
    "lasso-gamma": GammaRegressor(alpha=0.1, l1_ratio=0.9, fit_intercept=False, tol=1e-9),
    "poisson": PoissonRegressor(alpha=1e-3, tol=TOL),
    "poisson, standardized": PoissonRegressor(alpha=1e-2, standardize=True, tol=TOL),
    "gamma": GammaRegressor(alpha=1e-3, tol=TOL),
    "tweedie": TweedieRegressor(power=1.5, alpha=1e-3, tol=TOL),
    "tweedie, identity": TweedieRegressor(power=1.5, alpha=1e-3, link="identity", tol=TOL),
    "squared": TweedieRegressor(power=0, alpha=1e-3, fit_intercept=False, tol=TOL),
}


def rows_of(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P)) * [1.0, 2.0, 0.1, 1.0, 1.0] + [0.0, 1.0, 0.0, 5.0, 0.0]
    X[:, 4] = rng.random(N) < 0.02
    eta = X @ [0.5, -0.3, 2.0, 0.1, 1.0]
    return rng, X, eta


def targets(model, rng, eta):
    if model.tol == 1e-10:
        return rng.binomial(2, 1.0 / (1.0 + np.exp(-eta)))
    if isinstance(model, LogisticRegression):
        return (rng.random(N) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    if isinstance(model, PoissonRegressor):
        return rng.poisson(np.exp(eta)).astype(float)
    if getattr(model, "link", "log") == "identity":
        return 5.0 + np.abs(eta) + rng.gamma(2.0, size=N)
    return rng.gamma(2.0, np.exp(eta)) + 1e-3


@pytest.fixture(autouse=True)
def _small_sample(monkeypatch):
    monkeypatch.setattr(smooth_streamed, "SAMPLED_VALUES", 2000)
    monkeypatch.setattr(smooth_streamed, "_MOST_SAMPLED_VALUES", 2500)


def assert_same(model, coef, intercept, rtol=1e-9):
    size = max(np.abs(coef).max(), np.abs(intercept).max())
    np.testing.assert_allclose(model.coef_, coef, atol=rtol * size)
    np.testing.assert_allclose(model.intercept_, intercept, atol=rtol * size)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", ["dense", "csr", "float32"])
def test_fit_scan_gives_the_coefficients_of_rows_in_memory(name, weighted, layout):
    model = MODELS[name]
    rng, X, eta = rows_of()
    y = targets(model, rng, eta)
    weight = rng.integers(0, 3, N).astype(float) if weighted else None
    X = X.astype(np.float32) if layout == "float32" else X
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X.astype(np.float64), y, sample_weight=weight)
        expected = model.coef_, model.intercept_
        given = sp.csr_matrix(X) if layout == "csr" else X
        for batch_rows in (None, 61, 700):
            model.fit(scan(given, y, weights=weight, batch_rows=batch_rows))
            assert_same(model, *expected)
            np.testing.assert_array_equal(model.coef_ == 0.0, expected[0] == 0.0)
            assert model.n_passes_ <= 8
            assert model.gradient_norm_ <= model.tol


@pytest.mark.parametrize("name", ["binary", "poisson", "gamma"])
def test_fit_scan_at_the_default_tolerance_reads_the_rows_a_few_times(name, monkeypatch):
    monkeypatch.undo()
    rng = np.random.default_rng(3)
    X = rng.standard_normal((200_000, 8))
    model = type(MODELS[name])()
    monkeypatch.setattr(smooth_streamed, "SAMPLED_VALUES", 1 << 16)
    eta = X @ rng.standard_normal(8) * 0.3
    mean = np.exp(eta)
    y = rng.poisson(mean) if name == "poisson" else mean * rng.gamma(2.0, size=len(mean))
    if name == "binary":
        y = rng.random(len(eta)) < 1.0 / (1.0 + np.exp(-eta))
    model.fit(scan(X, y.astype(float)))
    assert model.n_passes_ <= 4
    assert model.gradient_norm_ <= 1e-6


@pytest.mark.parametrize("exposed", [False, True])
def test_fit_scan_with_offset_and_exposure_columns_gives_the_fit_in_memory(tmp_path, exposed):
    rng, X, eta = rows_of()
    offset, exposure = rng.standard_normal(N) + 3.0, rng.random(N) + 0.1
    y = rng.poisson(np.exp(eta + offset) * exposure).astype(float)
    model = PoissonRegressor(alpha=1e-3, tol=TOL)
    more = {"exposure": exposure} if exposed else {}
    model.fit(X, y, offset=offset, **more)
    expected = model.coef_, model.intercept_
    columns = {f"x{j}": X[:, j] for j in range(P)}
    table = pa.table({**columns, "y": y, "o": offset, "e": exposure})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=500)
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    names = {"exposure": "e"} if exposed else {"drop": ["e"]}
    for source in (tmp_path / "t.parquet", tmp_path / "t.csv", table, table.to_pandas()):
        rows = scan(source, "y", offset="o", batch_rows=170, **names)
        assert rows.feature_names == [*columns]
        assert_same(model.fit(rows), *expected, rtol=1e-8)
    assert_same(model.fit(scan(X, y, offset=offset, **more)), *expected)
    assert list(model.fit(rows).feature_names_in_) == [*columns]


def test_fit_scan_logistic_with_offset_gives_the_fit_in_memory():
    rng, X, eta = rows_of()
    offset = 2.0 + rng.standard_normal(N)
    y = (rng.random(N) < 1.0 / (1.0 + np.exp(-eta - offset))).astype(int)
    model = LogisticRegression(tol=TOL).fit(X, y, offset=offset)
    expected = model.coef_, model.intercept_
    assert_same(model.fit(scan(X, y, offset=offset, batch_rows=100)), *expected)


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
def test_scan_with_an_exposure_that_is_not_positive_says_where(tmp_path, value):
    rng, X, _ = rows_of()
    exposure = np.ones(N)
    exposure[1234] = value
    y = rng.poisson(1.0, N).astype(float)
    with pytest.raises(ScanError, match=r"exposure\[1234\]"):
        PoissonRegressor().fit(scan(X, y, exposure=exposure))
    table = pa.table({"a": X[:, 0], "y": y, "e": exposure})
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    with pytest.raises(ScanError, match=r"t\.csv, line 1236: column 'e'"):
        PoissonRegressor().fit(scan(tmp_path / "t.csv", "y", exposure="e"))


def test_scan_with_an_offset_is_refused_by_other_estimators():
    _, X, eta = rows_of()
    rows = scan(X, eta, offset=np.ones(N))
    for model in (Ridge(), SGDClassifier()):
        with pytest.raises(ValueError, match="offset or an exposure"):
            model.fit(rows)
    with pytest.raises(ValueError, match="exposure needs a log link"):
        LogisticRegression().fit(scan(X, eta > 0.0, exposure=np.ones(N)))
    with pytest.raises(ValueError, match="exposure needs a log link"):
        TweedieRegressor(power=0).fit(scan(X, eta, exposure=np.ones(N)))


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrays"])
def test_fit_scan_with_a_target_out_of_range_says_where(tmp_path, kind):
    _, X, _ = rows_of()
    y = np.ones(N)
    y[2500] = -1.0
    table = pa.table({"a": X[:, 0], "y": y})
    if kind == "csv":
        pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    elif kind == "parquet":
        pq.write_table(table, tmp_path / "t.parquet")
    where = {"csv": "t.csv, line 2502", "parquet": "t.parquet, row 2500", "arrays": "row 2500"}
    rows = scan(X, y) if kind == "arrays" else scan(tmp_path / f"t.{kind}", "y")
    with pytest.raises(ScanError, match=f"{where[kind]}: the target is -1.*at least 0"):
        PoissonRegressor().fit(rows)


def test_fit_scan_with_labels_of_any_type_keeps_them():
    rng, X, eta = rows_of()
    codes = targets(MODELS["binary"], rng, eta)
    model = LogisticRegression(tol=TOL)
    expected = model.fit(X, codes).coef_
    for labels in (["no", "yes"], [-7, 3], [False, True], [0.5, 1.5]):
        y = np.array(labels)[codes]
        if labels == [0.5, 1.5]:
            with pytest.raises(ValueError, match="Unknown label type"):
                model.fit(scan(X, y))
            continue
        model.fit(scan(X, y, batch_rows=100))
        assert model.classes_.tolist() == labels
        np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)
        assert (model.predict(X) == model.predict(scan(X))).all()


@pytest.mark.parametrize("sorted_by_label", [False, True])
def test_fit_scan_of_an_iterator_sorted_by_label_finds_all_labels(sorted_by_label):
    rng, X, eta = rows_of()
    y = targets(MODELS["binary"], rng, eta)
    order = np.argsort(y, kind="stable") if sorted_by_label else np.arange(N)
    X, y = X[order], y[order]
    parts = [(X[k : k + 100], y[k : k + 100]) for k in range(0, N, 100)]
    model = LogisticRegression(tol=TOL).fit(X, y)
    expected = model.coef_, model.intercept_
    assert_same(model.fit(scan(lambda: iter(parts))), *expected)


def test_fit_scan_of_classes_with_many_features_gives_the_fit_in_memory(monkeypatch):
    monkeypatch.setattr(smooth_streamed, "SAMPLED_VALUES", 1 << 17)
    monkeypatch.setattr(smooth_streamed, "_MOST_SAMPLED_VALUES", 1 << 17)
    monkeypatch.setattr(streamed_classes, "MOST_UNKNOWNS", 100)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8000, 60))
    eta = X @ rng.standard_normal((60, 4)) * 0.2
    y = (eta + rng.gumbel(size=eta.shape)).argmax(axis=1)
    model = LogisticRegression(tol=1e-8).fit(X, y)
    expected = model.coef_, model.intercept_
    assert_same(model.fit(scan(X, y, batch_rows=500)), *expected, rtol=1e-8)
    assert model.n_passes_ <= 16


def test_fit_scan_of_classes_with_offsets_gives_the_fit_in_memory():
    rng, X, eta = rows_of()
    offset = rng.standard_normal((N, 3)) + [0.0, 1.0, 5.0]
    scores = np.column_stack([0.0 * eta, eta, -eta]) + offset + rng.gumbel(size=(N, 3))
    y = scores.argmax(axis=1)
    model = LogisticRegression(tol=1e-10).fit(X, y, offset=offset)
    expected = model.coef_, model.intercept_
    assert_same(model.fit(scan(X, y, offset=offset, batch_rows=100)), *expected)
    with pytest.raises(ValueError, match=r"offset of 3 classes must have shape \(n_samples, 3\)"):
        model.fit(scan(X, y, offset=offset[:, 0]))


def test_fit_scan_of_few_rows_gives_the_fit_in_memory():
    for n in (2, 3, 8):
        _, X, _ = rows_of()
        X, y = X[:n], np.arange(n) % 2
        model = LogisticRegression(tol=TOL).fit(X, y)
        expected = model.coef_, model.intercept_
        assert_same(model.fit(scan(X, y, batch_rows=1)), *expected)


def test_fit_scan_of_a_class_with_one_row_gives_the_fit_in_memory():
    _, X, _ = rows_of()
    y = np.zeros(N, dtype=int)
    y[N - 1] = 1
    model = LogisticRegression(tol=TOL).fit(X, y)
    expected = model.coef_, model.intercept_
    assert_same(model.fit(scan(X, y, batch_rows=97)), *expected)


def test_fit_scan_of_what_cannot_be_fitted_says_why():
    rng, X, _ = rows_of()
    y = rng.poisson(1.0, N).astype(float)
    labels = np.arange(N) % 2
    only_first = (labels == 0).astype(float)
    infinite = X.copy()
    infinite[1700, 2] = np.inf
    logistic, poisson = LogisticRegression(), PoissonRegressor()
    for model, rows, message in (
        (logistic, scan(X, np.zeros(N)), "only one class"),
        (logistic, scan(X, labels, weights=only_first), "only rows of one class have weight"),
        (logistic, scan(X, labels, weights=np.zeros(N)), "one class have weight|weights are zero"),
        (poisson, scan(X, y, weights=np.zeros(N)), "weights are zero for every row"),
        (poisson, scan(X, np.zeros(N)), "the mean of y is 0"),
        (poisson, scan(lambda: iter([])), "gave no rows"),
        (poisson, scan(iter([(X, y)])), "can be read only once"),
        (poisson, scan(X), "no target"),
        (poisson, scan(infinite, y), "infinity"),
        (poisson, scan(X, np.column_stack([y, y])), "must be one column"),
        (poisson, scan(X, np.where(np.arange(N) == 9, np.nan, y)), "NaN"),
        (LogisticRegression(l1_ratio=0.5, solver="saga"), scan(X, y), "more than two classes"),
        (poisson, scan(sp.csr_matrix((10, 20_000)), np.ones(10)), "at most 10000 features"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(rows)
    for arguments, message in (
        ({"sample_weight": y}, "its own target and weights"),
        ({"offset": y}, "its own offset"),
        ({"checkpoint_every": 5}, "needs checkpoint"),
    ):
        with pytest.raises(ValueError, match=message):
            poisson.fit(scan(X, y), **arguments)
    with pytest.raises(ValueError, match="rows are in memory"):
        poisson.fit(X, y, checkpoint="c")


def test_fit_scan_with_warm_start_begins_at_the_last_coefficients():
    rng, X, eta = rows_of()
    y = targets(MODELS["poisson"], rng, eta)
    model = PoissonRegressor(alpha=1e-3, tol=TOL, warm_start=True).fit(scan(X, y))
    before = model.coef_
    model.fit(scan(X, y))
    assert model.n_iter_ == 0
    assert model.n_passes_ == 1
    np.testing.assert_array_equal(model.coef_, before)


def test_fit_scan_with_a_sample_that_misleads_halves_its_steps():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 2))
    X[200:, 0] = 8.0 + 0.01 * rng.standard_normal(N - 200)  # far from the first rows
    y = rng.poisson(np.exp(np.where(np.arange(N) < 200, X[:, 0], -1.0))).astype(float)
    parts = [(X[k : k + 100], y[k : k + 100]) for k in range(0, N, 100)]
    model = PoissonRegressor(alpha=1e-3, tol=TOL).fit(X, y)
    expected = model.coef_, model.intercept_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(model.fit(scan(lambda: iter(parts))), *expected)


class Killed(BaseException):
    pass


def read_until(X, y, n_batches):
    """Rows whose reading ends with `Killed` after some batches of all passes together."""
    left = [n_batches]

    def batches():
        for begin in range(0, N, 300):
            if not left[0]:
                raise Killed
            left[0] -= 1
            yield X[begin : begin + 300], y[begin : begin + 300]

    return scan(batches)


@pytest.mark.parametrize("name", ["binary", "balanced", "three classes", "lasso", "poisson"])
@pytest.mark.parametrize("sorted_by_label", [False, True])
def test_fit_scan_killed_anywhere_resumes_to_the_same_bits(tmp_path, name, sorted_by_label):
    model = MODELS[name]
    rng, X, eta = rows_of()
    y = targets(model, rng, eta)
    if sorted_by_label:
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    never = 10**9
    model.fit(read_until(X, y, never))
    expected = model.coef_, model.intercept_, model.n_passes_, model.n_iter_
    path = tmp_path / "checkpoint"
    n_killed = 0
    for stop in range(1, 2 + 10 * (1 + model.n_passes_), 9):
        path.unlink(missing_ok=True)
        for n_batches in (stop, 13, never):
            try:
                model.fit(read_until(X, y, n_batches), checkpoint=path, checkpoint_every=600)
            except Killed:
                n_killed += 1
                continue
            break
        np.testing.assert_array_equal(model.coef_, expected[0])
        np.testing.assert_array_equal(model.intercept_, expected[1])
        assert (model.n_passes_, model.n_iter_) == expected[2:]
    assert n_killed > 5
    model.fit(read_until(X, y, 10), checkpoint=path)  # reads only the sample
    np.testing.assert_array_equal(model.coef_, expected[0])
    with pytest.raises(ValueError, match="parameters"):
        type(model)(tol=0.5).fit(read_until(X, y, never), checkpoint=path)


@pytest.mark.parametrize("model", [LogisticRegression(C=np.inf), PoissonRegressor(alpha=0.0)])
def test_fit_scan_of_equal_columns_without_a_penalty_is_that_of_arrays(model):
    rng, X, eta = rows_of()
    X = np.column_stack([X[:, 0], X[:, 0], X[:, 1] > 0.0, X[:, 1] <= 0.0])
    y = rng.poisson(np.exp(0.5 * eta)).clip(0, 1 if hasattr(model, "C") else None)
    model.set_params(tol=TOL)
    wanted = np.array(model.fit(X, y).coef_), np.array(model.intercept_)
    model.fit(scan((X, y), batch_rows=500))
    assert model.solver_ == "newton-eigh"
    np.testing.assert_allclose(model.coef_, wanted[0], rtol=1e-7)
    np.testing.assert_allclose(model.intercept_, wanted[1], rtol=1e-6)


@pytest.mark.parametrize("model", [Ridge(), SGDRegressor(), PoissonRegressor(), MODELS["binary"]])
def test_fit_scan_checkpoint_without_a_folder_is_named(tmp_path, model):
    rows = scan(np.eye(4), np.arange(4.0) % 2)
    with pytest.raises(
        FileNotFoundError, match="checkpoint='.*' cannot be written: there is no folder"
    ):
        model.fit(rows, checkpoint=tmp_path / "missing" / "c")
    with pytest.raises(IsADirectoryError, match="checkpoint='.*' is a folder, not a file"):
        model.fit(rows, checkpoint=tmp_path)
