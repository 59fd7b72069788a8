"""Fits to scans: as in memory, from checkpoints to the same bits, and safe when reading fails."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from sklearn.model_selection import KFold, PredefinedSplit

from fastridge import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
    scan,
    write_predictions,
)
from fastridge.data.batches import ScanError

N, P = 400, 5


def problem(targets=1):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((N, P)) + 3.0
    Y = X @ rng.standard_normal((P, targets)) + rng.standard_normal((N, targets))
    return X, Y[:, 0] if targets == 1 else Y, rng.integers(0, 4, N).astype(float)


MODELS = [Ridge(alpha=2.0), ElasticNet(alpha=0.1), Lasso(alpha=0.1)]
CHOOSING = [
    RidgeCV([0.1, 1.0, 10.0], cv=4),
    LassoCV(alphas=10, cv=4),
    ElasticNetCV(alphas=10, l1_ratio=[0.5, 0.9], cv=4),
]


@pytest.mark.parametrize("model", MODELS + CHOOSING, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_scan_is_fitted_as_its_rows_in_memory(model, weighted):
    X, y, weight = problem()
    weight = weight if weighted else None
    streamed = model.fit(scan(X, y, weights=weight, batch_rows=61))
    coef, intercept = streamed.coef_, streamed.intercept_
    model.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(coef, model.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(intercept, model.intercept_, rtol=1e-7)


@pytest.mark.parametrize("model", CHOOSING, ids=lambda m: type(m).__name__)
def test_folds_are_those_of_a_column_else_by_position(model):
    X, y, _ = problem()
    fold = np.random.default_rng(2).integers(0, 3, N)
    kept = model.get_params()["cv"]
    for given, splits in (
        (scan(X, y, fold=fold, batch_rows=61), PredefinedSplit(fold)),
        (
            scan(lambda: iter([(X[:101], y[:101]), (X[101:], y[101:])])),
            PredefinedSplit(np.arange(N) % 4),
        ),
        (scan(X, y, batch_rows=61), KFold(4)),
    ):
        model.set_params(cv=kept)
        alpha = model.fit(given).alpha_
        assert model.set_params(cv=splits).fit(X, y).alpha_ == pytest.approx(alpha, rel=1e-9)
    model.set_params(cv=kept)


def test_several_targets_and_names_come_through(tmp_path):
    X, Y, _ = problem(2)
    t = pa.table({**{f"x{j}": X[:, j] for j in range(P)}, "a": Y[:, 0], "b": Y[:, 1]})
    pq.write_table(t, tmp_path / "t.parquet")
    rows = scan(tmp_path / "t.parquet", ["a", "b"])
    model = Ridge().fit(rows)
    np.testing.assert_allclose(model.coef_, Ridge().fit(X, Y).coef_, rtol=1e-10)
    assert list(model.feature_names_in_) == [f"x{j}" for j in range(P)]
    predicted = model.predict(rows)
    np.testing.assert_allclose(predicted, Ridge().fit(X, Y).predict(X), rtol=1e-9)
    assert write_predictions(model, rows, tmp_path / "p.parquet") == N
    written = pq.read_table(tmp_path / "p.parquet")
    assert written.column_names == ["prediction_0", "prediction_1"]
    np.testing.assert_array_equal(written["prediction_1"].to_numpy(), predicted[:, 1])
    with pytest.raises(ValueError, match="the model was fitted to"):
        model.predict(scan(tmp_path / "t.parquet", ["a", "b"], features=["x1", "x0"]))
    with pytest.raises(ValueError, match="expecting 5 features"):
        write_predictions(model, scan(X[:, :3]), tmp_path / "q.parquet")
    assert sorted(os.listdir(tmp_path)) == ["p.parquet", "t.parquet"]


def test_arguments_that_a_scan_excludes_are_refused(tmp_path):
    X, y, _ = problem()
    rows = scan(X, y)
    for call, message in (
        (lambda: Ridge().fit(rows, y), "its own target"),
        (lambda: Ridge().fit(scan(X)), "no target"),
        (lambda: Ridge().fit(X, y, checkpoint="c"), "these rows are in memory"),
        (lambda: Ridge().fit(rows, checkpoint_every=3), "needs checkpoint"),
        (lambda: Ridge().fit(rows, checkpoint=3), "must be a path"),
        (lambda: Ridge().fit(rows, checkpoint="c", checkpoint_every=0), "from 1 up"),
        (lambda: RidgeCV().fit(rows), "needs the rows themselves"),
        (lambda: RidgeCV(cv=3).fit(rows, groups=y), "groups is not supported"),
        (lambda: ElasticNet().fit(rows, offset=y), "offset is not supported"),
        (lambda: LassoCV(cv=KFold(3)).fit(rows), "cv must be None or a number"),
        (lambda: Ridge().fit(scan(iter([]))), "gave no rows"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    "model", [Ridge(), RidgeCV(cv=3), LassoCV(cv=3)], ids=lambda m: type(m).__name__
)
def test_a_fit_that_fails_resumes_from_its_checkpoint_to_the_same_bits(tmp_path, model):
    X, y, weight = problem()
    whole = model.fit(scan(X, y, weights=weight, batch_rows=50)).coef_
    for stop in range(8):
        path = tmp_path / f"{stop}.checkpoint"
        mapped = X.copy()
        mapped[50 * stop + 10, 1] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            model.fit(
                scan(mapped, y, weights=weight, batch_rows=50),
                checkpoint=path,
                checkpoint_every=100,
            )
        assert path.exists() == (stop > 0)
        fitted = model.fit(scan(X, y, weights=weight, batch_rows=50), checkpoint=path)
        np.testing.assert_array_equal(fitted.coef_, whole)
        again = model.fit(scan(X, y, weights=weight, batch_rows=50), checkpoint=path)
        np.testing.assert_array_equal(again.coef_, whole)


def test_a_checkpoint_of_other_rows_or_damaged_is_refused(tmp_path):
    X, y, _ = problem()
    path = tmp_path / "c.checkpoint"
    Ridge().fit(scan(X, y, batch_rows=50), checkpoint=path)
    with pytest.raises(
        ValueError, match=r"other rows or folds: batch_rows: it has 50, now there is 60"
    ):
        Ridge().fit(scan(X, y, batch_rows=60), checkpoint=path)
    with pytest.raises(ValueError, match="n_folds"):
        RidgeCV(cv=3).fit(scan(X, y, batch_rows=50), checkpoint=path)
    with pytest.raises(ValueError, match="other rows"):
        Ridge().fit(scan(X[:300], y[:300], batch_rows=50), checkpoint=path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="c.checkpoint"):
        Ridge().fit(scan(X, y, batch_rows=50), checkpoint=path)
    from fastridge import GramStatistics

    GramStatistics.from_data(X, y).save(path)
    with pytest.raises(ValueError, match="GramStatistics"):
        Ridge().fit(scan(X, y, batch_rows=50), checkpoint=path)


def test_scan_error_keeps_the_statistics_of_rows_read_before(tmp_path):
    X, y, _ = problem()
    t = pa.table({**{f"x{j}": X[:, j] for j in range(P)}, "y": y})
    for k in range(4):
        pq.write_table(t.slice(100 * k, 100), tmp_path / f"{k}.parquet")
    broken = tmp_path / "2.parquet"
    content = broken.read_bytes()
    broken.write_bytes(content[:4] + b"\xff" * 40 + content[44:])
    with pytest.raises(ScanError, match=r"2.parquet cannot be read") as caught:
        Ridge().fit(scan([tmp_path / f"{k}.parquet" for k in range(4)], "y"))
    (stats,) = caught.value.statistics
    assert stats.n_samples == 200
    np.testing.assert_allclose(
        Ridge().fit_statistics(stats).coef_, Ridge().fit(X[:200], y[:200]).coef_, rtol=1e-10
    )


KILLED = """
    import sys, time
    import numpy as np
    from fastridge import RidgeCV, scan

    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 6))
    y = X @ np.arange(6.0) + rng.standard_normal(4000)
    slow = len(sys.argv) > 2

    def batches():
        for begin in range(0, 4000, 40):
            if slow:
                time.sleep(0.01)
            yield X[begin : begin + 40], y[begin : begin + 40]

    print("begun", flush=True)
    model = RidgeCV(cv=3).fit(scan(batches), checkpoint=sys.argv[1], checkpoint_every=80)
    print(model.coef_.tobytes().hex())
"""


def test_a_killed_fit_resumes_to_the_same_bits(tmp_path):
    script = tmp_path / "fit.py"
    script.write_text(textwrap.dedent(KILLED))

    def start(path, *more):
        command = [sys.executable, "-P", str(script), str(path), *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = start(tmp_path / "whole").communicate()[0]
    path = tmp_path / "killed"
    process = start(path, "slow")
    assert process.stdout.readline() == "begun\n"
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert start(path).communicate()[0] == whole


def test_folds_with_absurd_numbers_are_refused():
    X, y = np.ones((4, 1)), np.arange(4.0)
    with pytest.raises(ValueError, match="fold must be below 10000, got 1700000000"):
        RidgeCV(method="kfold").fit(scan(X, y, fold=np.full(4, 1_700_000_000)))
    with pytest.raises(ValueError, match="fold must be below 10000"):
        RidgeCV(method="kfold").partial_fit(X, y, fold=np.full(4, 10_000))


@pytest.mark.parametrize("ending", [".csv", ".feather", ".arrow", ".parquet", ".pq"])
def test_write_predictions_ending_says_the_format(tmp_path, ending):
    X, y, _ = problem()
    model = Ridge().fit(X, y)
    path = tmp_path / f"p{ending}"
    assert write_predictions(model, scan(X, batch_rows=50), path, name="y") == len(X)
    readers = {".csv": pa.csv.read_csv, ".feather": pa.feather.read_table}
    readers[".arrow"] = readers[".feather"]
    table = readers.get(ending, pq.read_table)(str(path))
    assert table.column_names == ["y"]
    np.testing.assert_array_equal(table["y"].to_numpy(), model.predict(scan(X, batch_rows=50)))


@pytest.mark.parametrize("through_a_link", [False, True])
def test_write_predictions_to_a_file_that_is_read_is_refused(tmp_path, through_a_link):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{k},{k % 3}\n" for k in range(30)))
    before = path.read_bytes()
    model = Ridge().fit(scan(path, "y"))
    output = path
    if through_a_link:
        output = tmp_path / "link.csv"
        output.symlink_to(path)
    with pytest.raises(ValueError, match="is a file that is read"):
        write_predictions(model, scan(path, "y"), output)
    assert path.read_bytes() == before


def test_write_predictions_to_the_svmlight_file_that_is_read_is_refused(tmp_path):
    path = tmp_path / "a.svm"
    path.write_text("".join(f"{k % 3} 1:{k} 2:{k % 7}\n" for k in range(30)))
    model = Ridge().fit(scan(path))
    with pytest.raises(ValueError, match="is a file that is read"):
        write_predictions(model, scan(path), path)
