"""Separation: against the linear programme on all rows, and what the warning says."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

from fastridge import (
    GammaRegressor,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    TweedieRegressor,
)

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "float32": lambda X: X.astype(np.float32),
}


def is_separated(X, y, *, zeros=False, fit_intercept=True):
    """Konis (2007): whether a direction raises margins of all rows together and lowers none."""
    A = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    if zeros:  # of counts
        rows = [-A[y == 0], A[y > 0], -A[y > 0]]
    else:
        classes = np.unique(y)
        K = len(classes)
        codes = np.searchsorted(classes, y)
        rows = []
        for k in range(K):
            for m in range(K):
                if m != k:
                    block = np.zeros((np.count_nonzero(codes == k), K, A.shape[1]))
                    block[:, k], block[:, m] = A[codes == k], -A[codes == k]
                    rows.append(block.reshape(len(block), -1))
    B = np.vstack(rows)
    found = linprog(-B.sum(axis=0), -B, np.zeros(len(B)), bounds=(-1, 1))
    return -found.fun > 1e-6


def fitted(model, X, y, *args, **options):
    """The fitted model and the text of its warning, or None."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, *args, **options)
    return model, (str(caught[0].message) if caught else None)


def integer_rows(seed):
    """Few rows of few values, of which about half are separated."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(6, 30)), int(rng.integers(1, 5))
    X = rng.integers(-1, 3, size=(n, p)).astype(float)
    noise = rng.choice([0.0, 0.5, 2.0])
    return rng, X, X @ rng.normal(size=p) + noise * rng.normal(size=n)


@pytest.mark.parametrize("seed", range(120))
def test_logistic_of_few_rows_is_separated_where_the_programme_says_so(seed):
    rng, X, eta = integer_rows(seed)
    fit_intercept = bool(rng.integers(0, 2))
    y = (eta > np.median(eta)).astype(int)
    if len(np.unique(y)) < 2:
        y[0] = 1 - y[0]
    layout = rng.choice(list(LAYOUTS))
    model, text = fitted(
        LogisticRegression(C=np.inf, fit_intercept=fit_intercept), LAYOUTS[layout](X), y
    )
    wanted = is_separated(X, y, fit_intercept=fit_intercept)
    assert (model.status_ == "separated") == wanted
    assert (text is not None and "are separated in" in text) == wanted


@pytest.mark.parametrize("seed", range(60))
def test_logistic_of_three_classes_is_separated_where_the_programme_says_so(seed):
    _rng, X, eta = integer_rows(seed)
    y = np.digitize(eta, np.quantile(eta, [0.3, 0.7]))
    y[:3] = 0, 1, 2
    model, _ = fitted(LogisticRegression(C=np.inf), X, y)
    assert (model.status_ == "separated") == is_separated(X, y)


@pytest.mark.parametrize("model", [PoissonRegressor(alpha=0), TweedieRegressor(power=1.5, alpha=0)])
@pytest.mark.parametrize("seed", range(60))
def test_counts_of_few_rows_are_separated_where_the_programme_says_so(seed, model):
    rng, X, eta = integer_rows(seed)
    y = rng.poisson(np.exp(np.clip(eta, -3, 2))).astype(float)
    y[:2] = 1.0, 2.0
    model, _ = fitted(model, X, y)
    assert (model.status_ == "separated") == is_separated(X, y, zeros=True)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("max_iter", [1, 3, 8])
def test_logistic_stopped_early_is_separated_where_the_programme_says_so(max_iter, seed):
    _rng, X, eta = integer_rows(seed)
    y = (eta > np.median(eta)).astype(int)
    y[:2] = 0, 1
    model, _ = fitted(LogisticRegression(C=np.inf, max_iter=max_iter), X, y)
    assert (model.status_ == "separated") == is_separated(X, y)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("power", [-8, 0, 8])
def test_logistic_of_columns_of_any_length_is_separated_alike(power, layout):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    X[:, 3] = rng.random(150) < 0.2
    scale = 10.0 ** (power * np.array([1.0, -1.0, 0.5, 1.0]))
    y = (X[:, 0] + rng.normal(size=150) > 0).astype(int)
    model, text = fitted(LogisticRegression(C=np.inf), LAYOUTS[layout](X * scale), y)
    assert text is None
    assert model.status_ == "converged"
    y[X[:, 3] == 1.0] = 1
    model, text = fitted(LogisticRegression(C=np.inf), LAYOUTS[layout](X * scale), y)
    assert model.status_ == "separated"
    assert "by feature x3 (+1)" in text


@pytest.mark.parametrize("seed", range(5))
def test_logistic_rows_without_weight_separate_nothing_and_prevent_nothing(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 3))
    y = (X[:, 0] + 0.5 * rng.normal(size=100) > 0).astype(int)
    wrong = (X[:, 0] > 0) != y
    weight = np.where(wrong, 0.0, 1.0)
    X[wrong] *= 1e6
    model, _ = fitted(LogisticRegression(C=np.inf), X, y, weight)
    assert model.status_ == "separated"
    model, text = fitted(LogisticRegression(C=np.inf), X, y, np.where(wrong, 1e-3, 1.0))
    assert model.status_ == "converged"
    assert text is None


def test_logistic_quasi_separated_names_every_feature_and_the_rows():
    rng = np.random.default_rng(1)
    rare = rng.integers(0, 8, 400)
    frame = pd.DataFrame({"age": rng.normal(50, 10, 400), "sex": rng.integers(0, 2, 400)})
    frame["red"], frame["blue"] = (rare == 0).astype(float), (rare == 1).astype(float)
    y = np.where(rng.random(400) < 0.4, "ill", "well")
    y[rare == 0], y[rare == 1] = "ill", "well"
    _model, text = fitted(LogisticRegression(C=np.inf), frame, y)
    assert f"in {np.count_nonzero(rare < 2)} of the 400 rows" in text
    assert "red (-1)" in text
    assert "blue (+" in text
    assert "age" not in text
    assert "sex" not in text
    assert "C=1.0" in text


def test_poisson_of_a_category_without_counts_names_it():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 3))
    X[:, 2] = rng.random(300) < 0.1
    y = rng.poisson(np.exp(0.3 * X[:, 0] + 1.0))
    y[X[:, 2] == 1.0] = 0
    model, text = fitted(PoissonRegressor(alpha=0), X, y, exposure=rng.uniform(0.5, 2.0, 300))
    assert model.status_ == "separated"
    assert "by feature x2 (-1)" in text
    assert "alpha=1e-3" in text


def test_poisson_of_means_from_small_to_large_is_not_separated():
    rng = np.random.default_rng(3)
    X = np.linspace(-20.0, 6.0, 500)[:, None]
    y = rng.poisson(np.exp(X[:, 0]))
    model, text = fitted(PoissonRegressor(alpha=0), X, y)
    assert model.status_ == "converged"
    assert text is None


def test_gamma_is_never_separated():
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(size=200), np.arange(200) < 20])
    y = np.where(X[:, 1] == 1.0, 1e-9, rng.gamma(2.0, size=200))
    model, text = fitted(GammaRegressor(alpha=0), X, y)
    assert model.status_ == "converged"
    assert text is None


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e6])
def test_logistic_with_a_penalty_is_not_separated(C):
    X = np.arange(20.0)[:, None]
    model, text = fitted(LogisticRegression(C=C), X, X[:, 0] > 9)
    assert model.status_ == "converged"
    assert text is None


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("factors", [[0.0, 1.0], [1.0, 0.0], [np.inf, 0.0]])
def test_logistic_only_features_without_a_penalty_separate(factors, l1_ratio):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 2))
    y = X[:, 0] > 0
    model = LogisticRegression(
        l1_ratio=l1_ratio, solver="saga", penalty_factors=factors, max_iter=1000
    )
    model, text = fitted(model, X, y)
    assert (model.status_ == "separated") == (factors[0] == 0.0)
    if factors[0] == 0.0:
        assert "by feature x0 (+1)" in text


def test_logistic_of_more_features_than_rows_is_separated():
    rng = np.random.default_rng(6)
    model, text = fitted(
        LogisticRegression(C=np.inf), rng.normal(size=(30, 200)), np.arange(30) % 2
    )
    assert model.status_ == "separated"
    assert "30 of the 30 rows" in text


def test_logistic_of_many_unknowns_is_separated_by_least_squares():
    rng = np.random.default_rng(7)
    X = sp.random_array((6000, 1600), density=0.01, rng=rng, format="csr")
    y = rng.integers(0, 2, 6000)
    X = X.tolil()
    X[:40, 7] = 1.0
    X[40:, 7] = 0.0
    y[:40] = 1
    model, text = fitted(LogisticRegression(C=np.inf, tol=1e-6), X.tocsr(), y)
    assert model.status_ == "separated"
    assert "x7 (+1)" in text


def test_logistic_collinear_columns_separate_nothing():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(200, 3))
    X = np.column_stack([X, X @ [1.0, 2.0, 3.0], np.ones(200)])
    model, text = fitted(LogisticRegression(C=np.inf), X, X[:, 0] + rng.normal(size=200) > 0)
    assert model.status_ == "converged"
    assert text is None


def test_logistic_of_one_hot_columns_of_all_categories_names_those_that_separate():
    rng = np.random.default_rng(9)
    category = rng.integers(0, 6, 300)
    X = (category[:, None] == np.arange(6)).astype(float)
    y = rng.integers(0, 2, 300)
    y[category == 4] = 0
    model, text = fitted(LogisticRegression(C=np.inf), X, y)
    assert model.status_ == "separated"
    assert "by feature x4 (-1)" in text


def test_logistic_not_converged_says_so():
    rng = np.random.default_rng(10)
    X = rng.normal(size=(100, 3))
    model = LogisticRegression(max_iter=1)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed"):
        model.fit(X, X[:, 0] + rng.normal(size=100) > 0)
    assert model.status_ == "not converged"


def test_logistic_cv_whose_choice_has_no_penalty_is_separated():
    rng = np.random.default_rng(13)
    X = rng.normal(size=(100, 3))
    model = LogisticRegressionCV(
        Cs=[1e-3, np.inf], l1_ratios=(0.0,), use_legacy_attributes=False, scoring="accuracy"
    )
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, X[:, 0] > 0)
    assert np.isinf(model.C_)
    assert model.status_ == "separated"
    assert any("by feature" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_of_many_more_features_than_rows_is_separated_from_its_rows(classes):
    rng = np.random.default_rng(11)
    X, y = rng.normal(size=(40, 3000)), np.arange(40) % classes
    model, text = fitted(LogisticRegression(C=np.inf), X, y)
    assert model.status_ == "separated"
    assert "in 40 of the 40 rows" in text
    assert model.score(X, y) == 1.0


def test_logistic_of_a_class_without_weight_is_not_separated_from_it():
    rng = np.random.default_rng(12)
    X = rng.normal(size=(200, 3))
    y = np.digitize(X[:, 0] + rng.logistic(size=200), [-1.0, 1.0])
    model, text = fitted(LogisticRegression(C=np.inf), X, y, (y != 2).astype(float))
    assert model.status_ == "converged"
    assert text is None


def test_counts_above_zero_of_more_features_than_rows_are_not_separated():
    rng = np.random.default_rng(14)
    X, y = rng.normal(size=(20, 60)), rng.integers(1, 9, 20)
    model, text = fitted(PoissonRegressor(alpha=0), X, y)
    assert model.status_ == "converged"
    assert text is None
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_with_l1_penalty_and_a_free_feature_that_separates_says_so(n_classes):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = np.digitize(X[:, 0], [-0.4, 0.4][: n_classes - 1])
    options = {"l1_ratio": 1.0, "solver": "saga", "penalty_factors": [0, 1, 1, 1, 1]}
    model, text = fitted(LogisticRegression(C=1e3, **options), X, y)
    assert model.status_ == "separated"
    assert "x0" in text
    assert np.isfinite(model.coef_).all()
