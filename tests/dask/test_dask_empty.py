"""Dask collections some of whose partitions have no rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import ElasticNet, LassoCV, Ridge, RidgeCV, SGDClassifier, SGDRegressor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    dd = pytest.importorskip("dask.dataframe")

import fastridge.dask

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own warnings are not ours
N, NAMES = 60, ["a", "b", "c"]


@pytest.fixture(autouse=True)
def scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(N)
    keep = np.ones(N, dtype=bool)
    keep[:20] = keep[40:50] = False  # of six partitions the first two and the fifth have no rows
    return X, np.column_stack([y, -y]), keep


def lazily(X, Y, keep, n_targets, kind):
    """Return X, y, and the options of a fit, lazily, without the rows that are not kept."""
    if kind == "array":
        chosen = da.from_array(keep, chunks=10)
        y = da.from_array(Y, chunks=(10, 2)) if n_targets == 2 else da.from_array(Y[:, 0], 10)
        return da.from_array(X, chunks=(10, 3))[chosen], y[chosen], {}
    frame = pd.DataFrame(X, columns=NAMES).assign(y=Y[:, 0], z=Y[:, 1], keep=keep)
    rows = dd.from_pandas(frame, npartitions=6)
    rows = rows[rows.keep][[*NAMES, "y", "z"]]
    return rows, ["y", "z"] if n_targets == 2 else "y", {"features": NAMES}


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize(
    ("model", "n_targets"),
    [
        (Ridge(), 1),
        (Ridge(), 2),
        (RidgeCV(cv=3), 1),
        (ElasticNet(0.1), 1),
        (LassoCV(cv=3), 1),
        (SGDRegressor(max_iter=2, tol=None, random_state=0), 1),
        (SGDRegressor(max_iter=2, tol=None, random_state=0), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_dask_empty_partitions_are_fitted_and_predicted(model, n_targets, kind):
    X, Y, keep = problem()
    rows, y, options = lazily(X, Y, keep, n_targets, kind)
    assert 0 in [len(part) for part in dask.compute(*np.ravel(rows.to_delayed()))]
    fastridge.dask.fit(model, rows, y, **options)
    predicted = fastridge.dask.predict(model, rows, **options)
    held = predicted.compute()
    assert predicted.ndim == held.ndim == n_targets
    assert_allclose(held, X[keep] @ model.coef_.T + model.intercept_, rtol=1e-10)
    if isinstance(model, Ridge):
        wanted = Ridge().fit(X[keep], Y[keep] if n_targets == 2 else Y[keep, 0])
        assert_allclose(model.coef_, wanted.coef_, rtol=1e-10)
    none = rows[(rows[:, 0] if kind == "array" else rows.a) > 99]
    nothing = fastridge.dask.predict(model, none, **options).compute()
    assert len(nothing) == 0
    assert nothing.ndim == n_targets
    if kind == "frame":
        pd.testing.assert_index_equal(held.index, pd.RangeIndex(N)[keep], exact=False)
        if n_targets == 1:
            assert held.name == "prediction"
            assert nothing.dtype == held.dtype == predicted.dtype


def test_dask_empty_partitions_of_classes_keep_their_labels():
    X, Y, keep = problem()
    rows, _, _ = lazily(X, Y, keep, 1, "array")
    names = np.where(Y[:, 0] > 0, "more", "less")
    y = da.from_array(names, 10)[da.from_array(keep, 10)]
    model = fastridge.dask.fit(SGDClassifier(random_state=0), rows, y)
    predicted = fastridge.dask.predict(model, rows).compute()
    assert_array_equal(predicted, model.predict(X[keep]))
    assert np.mean(predicted == names[keep]) > 0.9


def test_dask_known_chunks_without_rows_are_predicted():
    X, Y, _ = problem()
    model = Ridge().fit(X, Y)
    rows = da.from_array(X, chunks=((30, 0, 30), (3,)))
    assert_allclose(fastridge.dask.predict(model, rows).compute(), model.predict(X))


def test_dask_fit_without_rows_is_refused():
    X, Y, _ = problem()
    rows, y, options = lazily(X, Y, np.zeros(N, dtype=bool), 1, "frame")
    for model in (Ridge(), RidgeCV(cv=3), SGDRegressor()):
        with pytest.raises(ValueError, match="X has no rows"):
            fastridge.dask.fit(model, rows, y, **options)


@pytest.mark.parametrize("what", ["y", "sample_weight", "fold"])
def test_dask_fit_partition_whose_rows_are_only_of_one_is_refused(what):
    X, Y, keep = problem()
    rows, y, _ = lazily(X, Y, keep, 1, "array")
    whole = da.from_array(np.ones(N, dtype=int), 10)
    given = {"y": y, what: whole}
    with pytest.raises(ValueError, match=f"a partition of {what} has 10 rows, that of X has 0"):
        fastridge.dask.fit(RidgeCV(cv=3), rows, **given)
