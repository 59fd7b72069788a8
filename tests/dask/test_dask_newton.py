"""Logistic regression and generalized linear models on Dask collections: as in memory."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from fastridge import GammaRegressor, LogisticRegression, PoissonRegressor, Ridge, TweedieRegressor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    da = pytest.importorskip("dask.array")
    dd = pytest.importorskip("dask.dataframe")
    import dask
    import distributed

import fastridge.dask
import fastridge.dask.newton

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own warnings are not ours

N, P, TOL = 2000, 4, 1e-11
MODELS = {
    "binary": LogisticRegression(tol=TOL),
    "bounds": LogisticRegression(tol=TOL, bounds=(0.0, 0.3)),
    "balanced": LogisticRegression(tol=TOL, class_weight="balanced", C=1e-2, standardize=True),
    "classes": LogisticRegression(tol=1e-10),
    "poisson": PoissonRegressor(alpha=1e-3, tol=TOL),
    "gamma": GammaRegressor(alpha=1e-3, tol=TOL, standardize=True),
    "lasso": PoissonRegressor(alpha=0.05, l1_ratio=0.8, tol=1e-9),
    "tweedie": TweedieRegressor(power=1.5, alpha=1e-3, tol=TOL),
}


def problem(name):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((N, P)) + [0.0, 3.0, 0.0, 1.0]
    eta = X @ [0.5, -0.3, 0.2, 0.4]
    mean = np.exp(eta)
    y = {
        "lasso": rng.poisson(mean).astype(float),
        "poisson": rng.poisson(mean).astype(float),
        "gamma": mean * rng.gamma(2.0, size=N) + 1e-6,
        "tweedie": mean * rng.gamma(2.0, size=N) * (rng.random(N) < 0.7),
        "classes": rng.binomial(2, mean / (1.0 + mean)),
    }.get(name, (rng.random(N) < mean / (1.0 + mean)).astype(int))
    return X, y, rng.integers(0, 3, N).astype(float)


@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setattr(fastridge.dask.newton, "SAMPLED_VALUES", 1000)


def assert_as_in_memory(model, X, y, fit, **arguments):
    model.fit(X, y, **arguments)
    coef, intercept = model.coef_, model.intercept_
    fit()
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-8, atol=1e-9)
    assert model.n_features_in_ == P
    assert model.n_passes_ <= 9


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["dense", "csr", "frame"])
def test_fit_of_dask_collections_gives_the_coefficients_of_rows_in_memory(name, kind, small_sample):
    model = MODELS[name]
    X, y, weight = problem(name)

    def fit():
        rows = da.from_array(X, chunks=(170, 2))
        others = [da.from_array(part, chunks=170) for part in (y, weight)]
        if kind == "csr":
            rows = rows.rechunk({1: -1}).map_blocks(sp.csr_matrix)
        if kind == "frame":
            frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y, w=weight)
            frame = dd.from_pandas(frame, npartitions=9)
            fastridge.dask.fit(model, frame, "y", sample_weight="w")
            assert list(model.feature_names_in_) == list("abcd")
            return
        fastridge.dask.fit(model, rows, others[0], sample_weight=others[1])

    assert_as_in_memory(model, X, y, fit, sample_weight=weight)


def test_fit_of_a_dask_frame_with_offset_and_exposure_gives_the_fit_in_memory(small_sample):
    X, y, weight = problem("poisson")
    offset, exposure = X[:, 0] ** 2 / 4.0, weight + 0.5
    model = MODELS["poisson"]
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y, o=offset, e=exposure)
    frame = dd.from_pandas(frame, npartitions=7)
    assert_as_in_memory(
        model,
        X,
        y,
        lambda: fastridge.dask.fit(model, frame, "y", offset="o", exposure="e"),
        offset=offset,
        exposure=exposure,
    )


def test_fit_of_partitions_sorted_by_label_finds_all_labels(small_sample):
    X, y, _ = problem("classes")
    order = np.argsort(y, kind="stable")
    X, y = X[order], np.array(["a", "b", "c"])[y[order]]
    model = MODELS["classes"]
    rows = da.from_array(X, chunks=(100, -1)), da.from_array(y, chunks=100)
    assert_as_in_memory(model, X, y, lambda: fastridge.dask.fit(model, *rows))
    assert model.classes_.tolist() == ["a", "b", "c"]


def test_fit_on_worker_processes_gives_the_fit_in_memory(small_sample):
    X, y, _ = problem("classes")
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster),
    ):
        for name in ("classes", "poisson"):
            X, y, _ = problem(name)
            model = MODELS[name]
            rows = da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)
            assert_as_in_memory(model, X, y, lambda m=model, r=rows: fastridge.dask.fit(m, *r))
        y[1700] = -1.0
        with pytest.raises(ValueError, match="partition 5, row 200: the target is -1"):
            fastridge.dask.fit(PoissonRegressor(), rows[0], da.from_array(y, chunks=300))


def test_fit_of_dask_collections_refuses_what_it_cannot_use():
    X, y, weight = problem("poisson")
    rows = da.from_array(X, chunks=(500, -1))
    y, weight = da.from_array(y, chunks=500), da.from_array(weight, chunks=500)
    for model, arguments, message in (
        (Ridge(), {"offset": weight}, "offset and exposure are supported only"),
        (LogisticRegression(l1_ratio=1, solver="saga"), {}, "more than two classes"),
        (
            PoissonRegressor(),
            {"exposure": weight},
            r"partition \d, row \d+: exposure must",
        ),
        (LogisticRegression(), {"exposure": weight}, "exposure needs a log link"),
        (PoissonRegressor(), {"fold": weight}, "fold is supported only"),
        (PoissonRegressor(), {"sample_weight": 0 * weight}, "weights are zero"),
        (PoissonRegressor(), {"n_models": 2}, "n_models is supported only"),
    ):
        with pytest.raises(ValueError, match=message):
            fastridge.dask.fit(model, rows, y, **arguments)
    with pytest.raises(ValueError, match="no rows"):
        fastridge.dask.fit(PoissonRegressor(), rows[:0], y[:0])
