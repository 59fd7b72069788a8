"""Separation in rows that are read several times: found as in memory, in a few passes."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from fastridge import LogisticRegression, PoissonRegressor, scan

N = 4000


def rows(kind, seed=0):
    """Rows of which none, some or all are separated by the last feature."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 3)) + [0.0, 1e4, 0.0]
    X[:, 2] = 1e-3 * (rng.random(N) < 0.02)
    eta = X[:, 0] + 0.5 * (X[:, 1] - 1e4)
    rare = X[:, 2] > 0.0
    if kind == "counts":
        y = rng.poisson(np.exp(0.3 * eta)).astype(float)
        y[rare] = 0.0
    elif kind == "three":
        y = np.digitize(eta + rng.logistic(size=N), [-1.0, 1.0])
        y[rare & (y == 2)] = 0
    else:
        y = (eta + (kind != "all") * rng.logistic(size=N) > 0.0).astype(int)
        if kind == "some":
            y[rare] = 1
    return X, y


def fitted(model, rows):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*rows)
    return model, str(caught[0].message) if caught else None


@pytest.mark.parametrize("kind", ["some", "all", "three", "counts", "none"])
def test_separation_in_a_scan_is_that_in_memory(kind):
    X, y = rows(kind)
    model = PoissonRegressor(alpha=0) if kind == "counts" else LogisticRegression(C=np.inf)
    known, words = fitted(model, (X, y))
    status = known.status_
    assert status == ("converged" if kind == "none" else "separated")
    model, found = fitted(model, (scan(X, y),))
    assert model.status_ == status
    assert model.n_passes_ <= (4 if kind == "none" else 36)
    if words is not None:
        assert found.split(": ")[0].split(" by ")[0] == words.split(": ")[0].split(" by ")[0]
        if kind != "all":
            assert found.split(" by ")[1].split(":")[0] == words.split(" by ")[1].split(":")[0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_separation_in_a_sparse_scan_with_weights_is_found(fit_intercept, weighted):
    X, y = rows("some")
    X[:, 1] = 0.0
    weight = np.random.default_rng(1).integers(0, 3, N).astype(float) if weighted else None
    model = LogisticRegression(C=np.inf, fit_intercept=fit_intercept)
    model, words = fitted(model, (scan(sp.csr_array(X), y, weights=weight),))
    assert model.status_ == "separated"
    counted = X[:, 2] > 0.0 if weight is None else (X[:, 2] > 0.0) & (weight > 0.0)
    total = N if weight is None else np.count_nonzero(weight)
    assert f"in {np.count_nonzero(counted)} of the {total} rows by feature x2 (+1)" in words


def test_separation_in_a_scan_by_features_with_a_penalty_or_bounds_is_none():
    X, y = rows("some")
    for options in ({"penalty_factors": [0, 0, 1]}, {"C": np.inf, "bounds": (-9, [9, 9, 2000])}):
        model, words = fitted(LogisticRegression(**options), (scan(X, y),))
        assert model.status_ == "converged"
        assert words is None
    model, words = fitted(LogisticRegression(penalty_factors=[1, 1, 0]), (scan(X, y),))
    assert model.status_ == "separated"
    assert "by feature x2 (+1)" in words
    model, words = fitted(LogisticRegression(C=np.inf, bounds=(0, np.inf)), (scan(X, y),))
    assert model.status_ == "separated"


def test_fit_of_a_scan_that_stops_early_is_not_called_separated():
    X, y = rows("none")
    model, words = fitted(LogisticRegression(C=np.inf, max_iter=1, tol=1e-14), (scan(X, y),))
    assert model.status_ == "not converged"
    assert "separated" not in words
