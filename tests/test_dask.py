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
from fastridge import ElasticNet, ElasticNetCV, LassoCV, Ridge, RidgeCV

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


def test_folds_are_consecutive_given_or_of_row_numbers(client):
    X, y, _ = problem()
    fold = np.random.default_rng(0).integers(0, 3, N)
    X_lazy, y_lazy, fold_lazy = lazy(X, y, fold)
    parts = np.split(np.arange(N), range(70, N, 70))
    place = np.concatenate([np.arange(len(part)) + k for k, part in enumerate(parts)])
    for arguments, splits in (
        ({"X": X_lazy, "y": y_lazy, "fold": fold_lazy}, PredefinedSplit(fold)),
        ({"X": X_lazy, "y": y_lazy}, KFold(4)),
        ({"X": unknown(X_lazy), "y": unknown(y_lazy)}, PredefinedSplit(place % 4)),
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


def test_what_does_not_fit_is_refused():
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


def test_a_worker_that_dies_is_made_up_for(client, tmp_path):
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
        coef = fastridge.dask.fit(Ridge(), slow, y_lazy).coef_
    finally:
        over.set()
        killer.join()
    assert len(killed) == 1
    assert len(os.listdir(tmp_path)) > slow.numblocks[0]  # what was lost was made again
    np.testing.assert_allclose(coef, Ridge().fit(X, y).coef_, rtol=1e-11)
