"""SGD over scans: several epochs, the minimum, and checkpoints."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

import fastridge
from fastridge import Ridge, SGDClassifier, SGDRegressor, scan, write_predictions

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 900


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 4)) + [0.0, 1.0, 0.0, 0.0]
    return X, X @ [1.0, -2.0, 0.5, 0.0] + 0.3 * rng.standard_normal(N), rng.uniform(0.5, 2.0, N)


@pytest.fixture
def file(rows, tmp_path):
    X, y, weight = rows
    names = {f"x{j}": X[:, j] for j in range(4)}
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({**names, "y": y, "c": np.digitize(y, [-2.0, 0.0]), "w": weight}), path)
    return str(path)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": "auto"},
        {"learning_rate": "invscaling", "average": 900},
        {
            "optimizer": "adam",
            "learning_rate": "invscaling",
            "power_t": 0.5,
            "eta0": 0.3,
            "batch_size": 32,
        },
        {"learning_rate": "auto", "standardize": True, "n_threads": 2},
    ],
)
def test_the_minimum_is_reached(rows, file, options):
    X, y, weight = rows
    model = SGDRegressor(alpha=0.01, max_iter=60, tol=None, random_state=0, **options)
    batches = scan(file, "y", features=["x0", "x1", "x2", "x3"], weights="w", batch_rows=200)
    model.fit(batches)
    if options.get("standardize"):
        exact = Ridge(0.01, alpha_scale="mean", standardize=True).fit(X, y, weight)
    else:
        exact = Ridge(0.01, alpha_scale="mean").fit(X, y, weight)
    assert_allclose(model.coef_, exact.coef_, atol=0.05)
    assert_allclose(model.intercept_, exact.intercept_, atol=0.05)
    assert len(model.loss_curve_) == model.n_iter_ == 60
    assert list(model.feature_names_in_) == ["x0", "x1", "x2", "x3"]
    assert_allclose(model.predict(scan(X)), X @ model.coef_ + model.intercept_, rtol=1e-12)


def test_one_batch_without_shuffling_is_the_fit_in_memory(rows):
    X, y, _ = rows
    for make in (np.ascontiguousarray, np.asfortranarray, sp.csr_matrix):
        options = {"shuffle": False, "max_iter": 5, "tol": 1e-4, "penalty": "elasticnet"}
        whole = SGDRegressor(**options).fit(make(X), y)
        model = SGDRegressor(**options).fit(scan(make(X), y))
        assert_array_equal(model.coef_, whole.coef_)
        assert model.loss_curve_ == whole.loss_curve_
        assert model.t_ == whole.t_
        parts = SGDRegressor(**options).fit(scan(make(X), y, batch_rows=123))
        assert_allclose(parts.coef_, whole.coef_, rtol=1e-9)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_classes(rows, file, tmp_path, multi_class):
    X, y, _ = rows
    labels = np.digitize(y, [-2.0, 0.0])
    model = SGDClassifier(
        "log_loss",
        multi_class=multi_class,
        learning_rate="invscaling",
        eta0=0.3,
        class_weight="balanced",
        random_state=0,
    )
    features = ["x0", "x1", "x2", "x3"]
    model.fit(scan(file, "c", features=features, batch_rows=100))
    assert_array_equal(model.classes_, [0.0, 1.0, 2.0])
    theirs = LogisticRegression(class_weight="balanced").fit(X, labels)
    predicted = model.predict(pd.DataFrame(X, columns=features))
    assert np.mean(predicted == labels) > theirs.score(X, labels) - 0.1
    path = tmp_path / "classes.parquet"
    assert write_predictions(model, scan(file, features=features), path) == N
    assert_array_equal(pq.read_table(path)["prediction"].to_numpy(), predicted)


def test_several_targets_read_several_times(rows):
    X, y, _ = rows
    Y = np.column_stack([y, -y])
    model = SGDRegressor(random_state=0).fit(scan(X, Y, batch_rows=300))
    alone = SGDRegressor(random_state=0).fit(scan(X, Y[:, 1], batch_rows=300))
    assert_array_equal(model.coef_[1], alone.coef_)
    with pytest.raises(ValueError, match="checkpoint is supported only for one target"):
        model.fit(scan(X, Y), checkpoint="never")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "adam", "learning_rate": "constant", "batch_size": 7},
        {"learning_rate": "auto"},
        {"average": True, "penalty": "l1"},
    ],
)
def test_a_fit_resumes_from_a_checkpoint_to_the_same_bits(rows, tmp_path, monkeypatch, options):
    X, y, _ = rows
    batches = scan(X, y, batch_rows=100)
    options = {"max_iter": 6, "tol": None, "random_state": 5, **options}
    whole = SGDRegressor(**options).fit(batches)
    for stop in (1, 4, 9, 10, 23, 53):
        path = tmp_path / f"at-{stop}"
        left = [stop]

        def fail_later(self, reading, left=left, read=fastridge.data.arrays.ArrayRows.batches):
            for batch in read(self, reading):
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
                yield batch

        with monkeypatch.context() as patch:
            patch.setattr(fastridge.data.arrays.ArrayRows, "batches", fail_later)
            patch.setattr(fastridge.data.scan, "prefetched", iter)
            with pytest.raises(KeyboardInterrupt):
                SGDRegressor(**options).fit(batches, checkpoint=path, checkpoint_every=150)
        model = SGDRegressor(**options).fit(batches, checkpoint=path, checkpoint_every=150)
        assert_array_equal(model.coef_, whole.coef_)
        assert_array_equal(model.intercept_, whole.intercept_)
        assert model.loss_curve_ == whole.loss_curve_
        again = SGDRegressor(**options).fit(batches, checkpoint=path)  # which is at its end
        assert_array_equal(again.coef_, whole.coef_)
    with pytest.raises(ValueError, match="of other rows or parameters: alpha"):
        SGDRegressor(**{**options, "alpha": 1.0}).fit(batches, checkpoint=path)


def test_validation_rows_decide_when_to_stop(rows, file, tmp_path):
    X, y, _ = rows
    X_val, y_val = X[::3], y[::3]
    names = ["x0", "x1", "x2", "x3"]
    options = {"tol": 1e-3, "n_iter_no_change": 2, "random_state": 2, "eta0": 0.001}
    batches = scan(X, y, batch_rows=N)
    model = SGDRegressor(shuffle=False, **options).fit(batches, X_val=X_val, y_val=y_val)
    memory = SGDRegressor(shuffle=False, **options).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.n_iter_ == memory.n_iter_ > 3
    assert_allclose(model.coef_, memory.coef_, rtol=1e-12)

    batches = scan(file, "y", features=names, batch_rows=200)
    path = tmp_path / "checkpoint"
    frame = pd.DataFrame(X_val, columns=names)
    model = SGDRegressor(**options).fit(batches, X_val=frame, y_val=y_val, checkpoint=path)
    again = SGDRegressor(**options).fit(batches, X_val=frame, y_val=y_val, checkpoint=path)
    assert_array_equal(again.coef_, model.coef_)
    assert again.n_iter_ == model.n_iter_
    with pytest.raises(ValueError, match="of other rows or parameters: validation"):
        SGDRegressor(**options).fit(batches, X_val=frame, y_val=y_val + 1.0, checkpoint=path)
    with pytest.raises(ValueError, match="belong together"):
        SGDRegressor().fit(batches, X_val=X_val)
    with pytest.raises(ValueError, match="expecting 4 features"):
        SGDRegressor().fit(batches, X_val=X_val[:, :2], y_val=y_val)
    with pytest.raises(ValueError, match="feature names should match"):
        SGDRegressor().fit(batches, X_val=frame[names[::-1]], y_val=y_val)

    labels = np.digitize(y, [-2.0, 0.0])
    for multi_class in ("ovr", "multinomial"):
        options = {"multi_class": multi_class, "average": True, "random_state": 0}
        model = SGDClassifier("log_loss", **options)
        for few in (labels[::3], np.minimum(labels[::3], 1)):  # the last class may be missing
            model.fit(scan(file, "c", features=names), X_val=X_val, y_val=few)
            known = SGDClassifier("log_loss", **options)
            known.fit(X, labels, X_val=X_val, y_val=few)
            assert np.mean(model.predict(frame) == known.predict(X_val)) > 0.9
    with pytest.raises(ValueError, match="the label 3, which is not one of the classes"):
        model.fit(scan(file, "c", features=names), X_val=X_val, y_val=labels[::3] + 1)


def test_several_targets_are_scored_apart(rows):
    X, y, _ = rows
    Y = np.column_stack([y, -y])
    alone = SGDRegressor(random_state=0).fit(X, Y[:, 1], X_val=X[:90], y_val=Y[:90, 1])
    for given in ((X, Y), (scan(X, Y, batch_rows=N),)):
        model = SGDRegressor(random_state=0).fit(*given, X_val=X[:90], y_val=Y[:90])
        assert_allclose(model.coef_[1], alone.coef_, atol=0.02)
        with pytest.raises(ValueError, match="y_val must have the targets of y"):
            model.fit(*given, X_val=X[:90], y_val=y[:90])


def test_sigkill_is_survived(file, tmp_path):
    script = textwrap.dedent(
        f"""
        import sys, warnings
        warnings.simplefilter("ignore")
        from fastridge import SGDRegressor, scan
        rows = scan({file!r}, "y", features=["x0", "x1", "x2"], batch_rows=50)
        model = SGDRegressor(random_state=0, max_iter=30, tol=None)
        model.fit(rows, checkpoint=sys.argv[1], checkpoint_every=100)
        """
    )
    path = tmp_path / "kept"
    command = [sys.executable, "-P", "-c", script, path]
    process = subprocess.Popen(command)
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    batches = scan(file, "y", features=["x0", "x1", "x2"], batch_rows=50)
    options = {"random_state": 0, "max_iter": 30, "tol": None}
    whole, resumed = SGDRegressor(**options), SGDRegressor(**options)
    resumed.fit(batches, checkpoint=path, checkpoint_every=100)
    assert_array_equal(resumed.coef_, whole.fit(batches).coef_)


def test_scans_that_sgd_cannot_fit_are_refused(rows):
    X, y, _ = rows
    for model, given, message in (
        (SGDRegressor(), scan(iter([(X, y)])), "can be read only once"),
        (SGDRegressor(), scan(X), "have no target"),
        (SGDRegressor(early_stopping=True), scan(X, y), "give X_val and y_val to fit"),
        (SGDRegressor(), scan(X, np.where(y > 0, np.nan, y)), "target holds NaN"),
        (SGDRegressor(), scan(np.where(X > 3.0, np.inf, X), y), "X contains infinity"),
        (SGDClassifier(), scan(X, np.ones(N)), "number of classes"),
        (SGDRegressor(), scan(lambda: iter([(X, y), (X[:, :2], y)])), "a batch has 2 features"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(given)
    with pytest.raises(ValueError, match="neither y nor sample_weight"):
        SGDRegressor().fit(scan(X, y), y)
    with pytest.raises(ValueError, match="these rows are in memory"):
        SGDRegressor().fit(X, y, checkpoint="never")
