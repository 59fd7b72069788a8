"""Dask collections on worker processes over TCP: the result of one machine, also when one dies."""

import os
import signal
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold, PredefinedSplit

import fastridge
from fastridge import (
    ElasticNet,
    ElasticNetCV,
    LassoCV,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    scan,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    da = pytest.importorskip("dask.array")
    dd = pytest.importorskip("dask.dataframe")
    import distributed

import fastridge.dask

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own warnings are not ours

N, P = 600, 6


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def problem(targets=1):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, P)) + 2.0
    Y = X @ rng.standard_normal((P, targets)) + rng.standard_normal((N, targets))
    return X, Y[:, 0] if targets == 1 else Y, rng.random(N)


def lazy(X, y, *more, size=70):
    arrays = [da.from_array(X, chunks=(size, 2))]
    return arrays + [da.from_array(a, chunks=(size,) + a.shape[1:]) for a in (y, *more)]


def unknown(array):
    """The same rows in chunks whose sizes are not known."""
    keep = da.from_array(np.ones(N, dtype=bool), chunks=array.chunks[0])
    return array[keep]


@pytest.mark.parametrize(
    "model",
    [Ridge(), ElasticNet(alpha=0.1), RidgeCV(cv=4), LassoCV(cv=4, alphas=8)],
    ids=lambda m: type(m).__name__,
)
def test_the_result_is_that_of_one_machine(client, model):
    X, y, weight = problem()
    X_lazy, y_lazy, weight_lazy = lazy(X, y, weight)
    coef = fastridge.dask.fit(model, X_lazy, y_lazy, sample_weight=weight_lazy).coef_
    expected = model.fit(X, y, sample_weight=weight).coef_
    np.testing.assert_allclose(coef, expected, rtol=1e-11 if "CV" not in str(model) else 1e-8)
    fastridge.dask.fit(model, X_lazy, y_lazy)
    predicted = fastridge.dask.predict(model, X_lazy)
    np.testing.assert_allclose(predicted.compute(), model.predict(X), rtol=1e-12)


def test_statistics_agree_to_12_digits(client):
    X, Y, _ = problem(3)
    model = fastridge.dask.fit(Ridge(), *lazy(X, Y))
    whole = fastridge.GramStatistics.from_data(X, Y)
    for name in ("xx", "xy", "yy", "x_mean", "y_mean"):
        np.testing.assert_allclose(
            getattr(model.statistics_, name), getattr(whole, name), rtol=1e-12, atol=1e-10
        )
    predicted = fastridge.dask.predict(model, da.from_array(X, chunks=(70, 2)))
    np.testing.assert_allclose(predicted.compute(), model.predict(X), rtol=1e-12)


def test_folds_are_consecutive_given_or_by_position(client):
    X, y, _ = problem()
    fold = np.random.default_rng(0).integers(0, 3, N)
    X_lazy, y_lazy, fold_lazy = lazy(X, y, fold)
    parts = np.split(np.arange(N), range(70, N, 70))
    position = np.concatenate([np.arange(len(part)) + k for k, part in enumerate(parts)])
    for arguments, splits in (
        ({"X": X_lazy, "y": y_lazy, "fold": fold_lazy}, PredefinedSplit(fold)),
        ({"X": X_lazy, "y": y_lazy}, KFold(4)),
        ({"X": unknown(X_lazy), "y": unknown(y_lazy)}, PredefinedSplit(position % 4)),
    ):
        found = fastridge.dask.fit(ElasticNetCV(cv=4, alphas=8, l1_ratio=0.7), **arguments)
        expected = ElasticNetCV(cv=splits, alphas=8, l1_ratio=0.7).fit(X, y)
        assert found.alpha_ == pytest.approx(expected.alpha_, rel=1e-9)
        np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-7)


def test_frames_name_their_columns(client):
    X, y, weight = problem()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(P)]).assign(y=y, w=weight)
    ddf = dd.from_pandas(frame, npartitions=5)
    model = fastridge.dask.fit(Ridge(), ddf, "y", sample_weight="w")
    expected = Ridge().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-11)
    assert list(model.feature_names_in_) == [f"x{j}" for j in range(P)]
    predicted = fastridge.dask.predict(model, ddf).compute()
    np.testing.assert_allclose(predicted.to_numpy(), expected.predict(X), rtol=1e-11)
    some = fastridge.dask.fit(Ridge(), ddf, ddf["y"], features=["x1", "x0"])
    np.testing.assert_allclose(some.coef_, Ridge().fit(X[:, [1, 0]], y).coef_, rtol=1e-11)


def test_chunks_may_be_sparse(client):
    X, y, _ = problem()
    X[X < 2.0] = 0.0
    lazy_X, lazy_y = lazy(X, y)
    sparse = lazy_X.rechunk({1: -1}).map_blocks(sp.csr_matrix)
    model = fastridge.dask.fit(Ridge(), sparse, lazy_y)
    np.testing.assert_allclose(model.coef_, Ridge().fit(X, y).coef_, rtol=1e-10)


def test_fit_wrong_arguments_are_refused():
    X, y, _ = problem()
    X_lazy, y_lazy = lazy(X, y)
    frame = dd.from_pandas(pd.DataFrame(X).rename(columns=str), npartitions=2)
    for call, kind, message in (
        (lambda: fastridge.dask.fit(Ridge(), X, y_lazy), TypeError, "Dask array of 2"),
        (lambda: fastridge.dask.fit(Ridge(), X_lazy, y), TypeError, "y must be a Dask collection"),
        (lambda: fastridge.dask.fit(Ridge(), X_lazy), ValueError, "y must be given"),
        (lambda: fastridge.dask.fit(Ridge(), X_lazy, y_lazy[:300]), ValueError, "y has 300 rows"),
        (lambda: fastridge.dask.fit(KFold(), X_lazy, y_lazy), TypeError, "fit_statistics"),
        (lambda: fastridge.dask.fit(LassoCV(cv=KFold()), X_lazy, y_lazy), ValueError, "cv must be"),
        (lambda: fastridge.dask.fit(Ridge(), frame, "z"), ValueError, "no column 'z'"),
        (lambda: fastridge.dask.fit(Ridge(), X_lazy, y_lazy, features=["a"]), ValueError, "frames"),
        (
            lambda: fastridge.dask.fit(Ridge(), unknown(X_lazy), unknown(y_lazy.rechunk(300))),
            ValueError,
            "y has 2 partitions, but X has 9",
        ),
    ):
        with pytest.raises(kind, match=message):
            call()


def epochs_of(X, y, size=200, weight=None):
    """The rows as a scan whose batches are the chunks of `lazy`."""
    parts = [slice(begin, begin + size) for begin in range(0, N, size)]
    if weight is None:
        return scan(lambda: ((X[part], y[part]) for part in parts))
    return scan(lambda: ((X[part], y[part], weight[part]) for part in parts))


@pytest.mark.parametrize(
    "model",
    [
        SGDRegressor(learning_rate="auto", random_state=1),
        SGDRegressor(average=True, penalty="elasticnet", random_state=1),
        SGDRegressor(optimizer="adam", learning_rate="constant", batch_size=4, random_state=1),
        SGDClassifier(class_weight="balanced", random_state=1),
        SGDClassifier("squared_error", eta0=1e-3, learning_rate="constant", random_state=1),
        SGDClassifier("log_loss", multi_class="multinomial", random_state=1),
    ],
    ids=["auto", "average", "adam", "classes", "squares", "softmax"],
)
def test_one_model_of_sgd_takes_the_steps_of_a_scan(client, model):
    X, y, weight = problem()
    sparse = isinstance(model, SGDClassifier) or model.average
    if isinstance(model, SGDClassifier):
        y = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    if sparse:
        X[X < 2.0] = 0.0
    X_lazy, y_lazy, weight_lazy = lazy(X, y, weight, size=200)
    if sparse:
        X_lazy, X = X_lazy.rechunk({1: -1}).map_blocks(sp.csr_matrix), sp.csr_matrix(X)
    model.set_params(max_iter=2, tol=None)
    fastridge.dask.fit(model, X_lazy, y_lazy, sample_weight=weight_lazy, n_models=1)
    found = model.coef_.copy(), model.intercept_.copy(), model.loss_curve_
    model.fit(epochs_of(X, y, weight=weight))
    for one, two in zip(found, (model.coef_, model.intercept_, model.loss_curve_), strict=True):
        np.testing.assert_array_equal(one, two)


def test_models_of_sgd_are_averaged_the_same_way_each_time(client):
    X, y, _ = problem(2)
    X_lazy, Y_lazy = lazy(X, y, size=200)
    model = SGDRegressor(learning_rate="auto", max_iter=6, tol=None, random_state=0)
    coefs = [fastridge.dask.fit(model, X_lazy, Y_lazy).coef_.copy() for _ in range(3)]
    np.testing.assert_array_equal(coefs[1], coefs[0])
    np.testing.assert_array_equal(coefs[2], coefs[0])
    np.testing.assert_allclose(coefs[0], Ridge(alpha=1e-4 * N).fit(X, y).coef_, atol=0.1)


def test_classes_may_have_names(client):
    X, y, _ = problem()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(P)])
    frame["class"] = np.where(y > y.mean(), "high", "low")
    ddf = dd.from_pandas(frame, npartitions=2)
    model = SGDClassifier("log_loss", learning_rate="auto", random_state=0)
    fastridge.dask.fit(model, ddf, "class")
    assert model.classes_.tolist() == ["high", "low"]
    predicted = fastridge.dask.predict(model, ddf).compute()
    assert (predicted.to_numpy() == frame["class"]).mean() > 0.85


def test_sgd_refuses_what_it_does_not_offer(client):
    X, y, _ = problem()
    X_lazy, y_lazy = lazy(X, y)
    spoilt = X.copy()
    spoilt[5, 1] = np.nan
    for call, message in (
        (lambda: fastridge.dask.fit(Ridge(), X_lazy, y_lazy, n_models=2), "n_models is supported"),
        (lambda: fastridge.dask.fit(SGDRegressor(), X_lazy, y_lazy, n_models=0), "from 1 up"),
        (lambda: fastridge.dask.fit(SGDRegressor(), X_lazy, y_lazy, fold=y_lazy), "fold is"),
        (
            lambda: fastridge.dask.fit(SGDRegressor(standardize=True), X_lazy, y_lazy),
            "standardize is not supported",
        ),
        (lambda: fastridge.dask.fit(SGDClassifier(), X_lazy, y_lazy * 0), "greater than one"),
        (lambda: fastridge.dask.fit(SGDRegressor(), X_lazy, y_lazy * np.inf), "y holds NaN"),
        (lambda: fastridge.dask.fit(SGDRegressor(), *lazy(spoilt, y)), "X contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    "kind",
    [Ridge(), SGDRegressor(learning_rate="auto", max_iter=1, tol=None, random_state=0)],
    ids=["statistics", "sgd"],
)
def test_a_worker_that_dies_is_made_up_for(client, tmp_path, kind):
    X, y, _ = problem()
    X_lazy, y_lazy = lazy(X, y, size=20)

    def slowed(block, folder):  # nested: goes to the workers by value, they can't import tests
        """The block after a while, so that a worker can be killed meanwhile; tells that it began"""
        Path(folder, f"{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(0.05)
        return block

    slow = X_lazy.rechunk({1: -1}).map_blocks(slowed, str(tmp_path), dtype=X.dtype, meta=X[:0])
    killed = []
    over = threading.Event()

    def kill():
        while len(os.listdir(tmp_path)) < 6:
            if over.wait(0.01):
                return
        victim = int(os.listdir(tmp_path)[0].split("-")[0])
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        model = fastridge.dask.fit(kind, slow, y_lazy)
    finally:
        over.set()
        killer.join()
    assert len(killed) == 1
    assert len(os.listdir(tmp_path)) > slow.numblocks[0]  # what was lost was made again
    if isinstance(kind, Ridge):
        np.testing.assert_allclose(model.coef_, Ridge().fit(X, y).coef_, rtol=1e-11)
    else:
        coef = model.coef_.copy()
        np.testing.assert_array_equal(fastridge.dask.fit(kind, X_lazy, y_lazy).coef_, coef)
