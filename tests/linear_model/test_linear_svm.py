"""Linear support vector machines: against liblinear, by their certificate, on odd input."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.svm as theirs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastridge
from fastridge import LinearSVC, LinearSVR
from fastridge.designs import design_of
from fastridge.linear_model import few_nonzeros
from fastridge.solvers.svm import dual_coordinate_descent, interior_point, semismooth
from fastridge.solvers.svm.problem import classification, regression

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
ETA = X[:, 0] + 0.5 * X[:, 1] + 0.8 * rng.normal(size=80)
TWO = (ETA > 0.0).astype(int)
THREE = np.array(["a", "b", "c"])[TWO + (X[:, 2] > 0.5)]
Y = X @ [1.0, 2.0, 0.0, 1.0] + rng.standard_t(2, size=80)
WEIGHT = rng.random(80)
WIDE = rng.normal(size=(25, 90))

CLASSIFIERS = {
    "squared hinge": {},
    "hinge": {"loss": "hinge", "intercept_scaling": 3.0, "C": 0.3},
    "without intercept": {"fit_intercept": False, "loss": "hinge"},
    "L1": {"penalty": "l1", "dual": False},
    "L1 without intercept": {"penalty": "l1", "dual": False, "fit_intercept": False},
    "all classes": {"multi_class": "crammer_singer"},
    "balanced": {"class_weight": "balanced"},
    "factors": {"class_weight": {0: 2.0, "a": 0.5, "c": 3.0}, "loss": "hinge"},
}
REGRESSIONS = {
    "absolute": {},
    "insensitive": {"epsilon": 0.3},
    "squared": {"loss": "squared_epsilon_insensitive"},
    "squared insensitive": {"loss": "squared_epsilon_insensitive", "epsilon": 0.3},
    "without intercept": {"epsilon": 0.3, "fit_intercept": False},
}


@parametrize_with_checks([LinearSVC(loss="hinge", tol=1e-12), LinearSVR(tol=1e-12)])
def test_estimator_check(estimator, check):
    check(estimator)


# ---- against liblinear ----


@pytest.mark.parametrize("options", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_classifier_is_that_of_liblinear(options):
    for y, weight in ((TWO, None), (THREE, WEIGHT)):
        known = dict(options)
        if "class_weight" in options and options["class_weight"] != "balanced":
            weights = {k: v for k, v in options["class_weight"].items() if k in y.tolist()}
            known["class_weight"] = weights
        ours = LinearSVC(**known, tol=1e-9).fit(X, y, weight)
        known = {"dual": "auto", **known}
        other = theirs.LinearSVC(**known, tol=1e-8, max_iter=100_000, random_state=0)
        other.fit(X, y, weight)
        assert ours.coef_.shape == other.coef_.shape
        assert np.shape(ours.intercept_) == np.shape(other.intercept_)
        assert_allclose(ours.coef_, other.coef_, atol=2e-5)
        assert_allclose(ours.intercept_, other.intercept_, atol=2e-5)


@pytest.mark.parametrize("options", REGRESSIONS.values(), ids=REGRESSIONS)
def test_regression_is_that_of_liblinear(options):
    for weight in (None, WEIGHT):
        ours = LinearSVR(**options, tol=1e-10).fit(X, Y, weight)
        other = theirs.LinearSVR(**options, tol=1e-8, max_iter=100_000, dual=True, random_state=0)
        other.fit(X, Y, weight)
        assert_allclose(ours.coef_, other.coef_, atol=1e-5)
        assert_allclose(ours.intercept_, other.intercept_, atol=1e-5)
        assert np.shape(ours.intercept_) == np.shape(other.intercept_)


# ---- certificates: every solver, every loss, every kind of intercept ----


def problems(rows, penalty):
    """Problems of all losses on the same rows."""
    design, n = design_of(rows, None, False, 1), rows.shape[0]
    labels, y = np.where(np.arange(n) % 3 == 0, 1.0, -1.0), np.asarray(rows.sum(axis=1)).ravel()
    weight = np.linspace(0.2, 1.5, n)
    for squared in (False, True):
        yield 0.0, classification(design, labels, weight, penalty, squared=squared)
        for epsilon in (0.0, 0.4):
            yield epsilon, regression(design, y**2, weight, epsilon, penalty, squared=squared)


def objective_outside(problem, found):
    """The objective by dense algebra."""
    rows = problem.design.dense().astype(float)
    pi, h = problem.intercept_penalty, problem.curvature
    r = problem.q - problem.sign * (rows @ found.coef + found.intercept)
    loss = np.where(r > 0.0, problem.upper, problem.lower) * r if h is None else None
    if h is not None:
        inside = np.where(problem.upper > 0.0, np.maximum(r, 0.0), np.minimum(r, 0.0))
        loss = 0.5 * h * inside**2
    penalty = 0.5 * found.coef @ found.coef + (0.5 * pi * found.intercept**2 if pi < np.inf else 0)
    return penalty + loss.sum()


@pytest.mark.parametrize("penalty", [0.25, 0.0, np.inf], ids=["penalised", "free", "none"])
@pytest.mark.parametrize("shape", ["tall", "wide", "sparse"])
def test_solvers_find_the_same_minimum_and_bound_it(shape, penalty):
    rows = {"tall": X, "wide": WIDE, "sparse": sp.csr_matrix(np.where(X > 0.3, X, 0.0))}[shape]
    for epsilon, problem in problems(rows, penalty):
        found = [
            semismooth.minimise(problem, by_rows=by_rows, tol=1e-7, max_iter=500)
            for by_rows in (False, True)
        ]
        draw = np.random.default_rng(0)
        found.append(
            dual_coordinate_descent.minimise(problem, epsilon, draw, tol=1e-6, max_iter=20_000)
        )
        if problem.curvature is None:
            found.append(interior_point.minimise(problem, tol=1e-9))
        values = [objective_outside(problem, one) for one in found]
        assert_allclose([one.objective for one in found], values, rtol=1e-8, atol=1e-10)
        for one, value in zip(found, values, strict=True):
            assert one.not_converged is None
            assert -1e-9 * value <= value - min(values) <= one.gap + 1e-9 * value + 1e-12
            assert one.gap <= 4e-6 * value + 1e-12


def test_rows_near_the_margin_start_at_the_minimum_of_a_sample(monkeypatch):
    monkeypatch.setattr(semismooth, "_SAMPLED_VALUES", 1)
    many = rng.normal(size=(3000, 3))
    labels = np.where(many[:, 0] + rng.normal(size=3000) > 0.0, 1.0, -1.0)
    problem = classification(
        design_of(many, None, False), labels, np.ones(3000), 1.0, squared=False
    )
    found = semismooth.minimise(problem, by_rows=False, tol=1e-6, max_iter=200)
    assert found.gap <= 1e-6 * found.objective


def test_crammer_and_singer_is_certified():
    rows = sp.csr_matrix(np.where(X > 0.0, X, 0.0))
    ours = LinearSVC(multi_class="crammer_singer", tol=1e-6).fit(rows, THREE)
    dense = LinearSVC(multi_class="crammer_singer", tol=1e-6).fit(rows.toarray(), THREE)
    assert_allclose(ours.coef_, dense.coef_, atol=1e-3)
    margins = ours.decision_function(rows)
    own = margins[np.arange(80), np.searchsorted(ours.classes_, THREE)]
    others = margins - own[:, None] + 1.0
    others[np.arange(80), np.searchsorted(ours.classes_, THREE)] = 0.0
    value = 0.5 * (ours.coef_**2).sum() + 0.5 * (ours.intercept_**2).sum()
    value += others.max(axis=1).sum()
    assert 0.0 <= ours.dual_gap_ <= 1e-6 * value


# ---- what only ours has ----


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_free_intercept_is_the_limit_of_its_scaling(loss):
    free = LinearSVC(loss=loss, penalize_intercept=False, tol=1e-9).fit(X + 1.0, TWO)
    scaled = LinearSVC(loss=loss, intercept_scaling=1e4, tol=1e-9).fit(X + 1.0, TWO)
    assert_allclose(free.coef_, scaled.coef_, atol=1e-5)
    assert_allclose(free.intercept_, scaled.intercept_, atol=1e-5)


def test_free_intercept_follows_the_columns():
    free = LinearSVC(loss="hinge", penalize_intercept=False, tol=1e-10)
    first, moved = free.fit(X, TWO).coef_, free.fit(X + 1e4, TWO).coef_
    assert_allclose(moved, first, atol=1e-4)


# ---- input ----


@pytest.mark.parametrize(
    "rows",
    [
        X.astype(np.float32),
        np.asfortranarray(X),
        X[::-1][::-1],
        X.astype(">f8"),
        sp.csr_matrix(X),
        sp.csc_array(X),
        sp.csr_array((X != 0).astype(float) * X).astype(np.float32),
    ],
    ids=["float32", "F order", "strided", "big-endian", "CSR", "CSC", "CSR float32"],
)
def test_layout_and_dtype_change_nothing(rows):
    for options in ({"loss": "hinge"}, {"multi_class": "crammer_singer"}, {"penalty": "l1"}):
        ours = LinearSVC(**options, tol=1e-8).fit(rows, TWO)
        assert_allclose(ours.coef_, LinearSVC(**options, tol=1e-8).fit(X, TWO).coef_, atol=1e-4)
        assert ours.coef_.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_zeros_are_read_as_sparse_rows(dtype, monkeypatch):
    monkeypatch.setattr(few_nonzeros, "_LEAST_VALUES", 1)
    monkeypatch.setattr(few_nonzeros, "_BLOCK_VALUES", 64)
    dense = np.where(rng.random((70, 9)) < 0.1, 2.0, 0.0).astype(dtype)
    dense[3] = 0.0
    found = few_nonzeros.without_zeros(dense)
    assert sp.issparse(found)
    assert found.dtype == dtype
    assert_array_equal(found.toarray(), dense)
    assert few_nonzeros.without_zeros(X) is X
    dense[60:] = 1.0  # where no sampled row is
    monkeypatch.setattr(few_nonzeros, "_SAMPLED_ROWS", 1)
    assert few_nonzeros.without_zeros(dense) is dense


def test_rows_without_weight_are_not_there():
    weight = np.where(np.arange(80) < 60, 1.0, 0.0)
    for kind, y in ((LinearSVC(loss="hinge", tol=1e-8), TWO), (LinearSVR(tol=1e-8), Y)):
        all_rows = kind.fit(X, y, weight).coef_
        assert_allclose(all_rows, kind.fit(X[:60], y[:60]).coef_, atol=1e-6)


def test_same_seed_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr("fastridge.solvers.svm.solve._MOST_FACTORED", 0)
    first, again = (LinearSVC(loss="hinge", random_state=3).fit(X, TWO) for _ in range(2))
    assert first.solver_ == "dual-cd"
    assert_array_equal(first.coef_, again.coef_)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LinearSVC(penalty="l1", loss="hinge"), "The combination of penalty='l1' and loss='hinge'"),
        (LinearSVC(loss="hinge", dual=False), "are not supported when dual=False"),
        (LinearSVC(C=np.inf), "The 'C' parameter"),
        (LinearSVC(C=0.0), "The 'C' parameter"),
        (
            LinearSVC(multi_class="crammer_singer", penalize_intercept=False),
            "penalize_intercept=False is not supported",
        ),
        (LinearSVC(n_threads=0), "n_threads"),
    ],
)
def test_parameters_that_exclude_each_other_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, TWO)


def test_one_class_and_scans_are_refused():
    with pytest.raises(ValueError, match="contains only one class"):
        LinearSVC().fit(X, np.ones(80, dtype=int))
    for model in (LinearSVC(), LinearSVR()):
        with pytest.raises(TypeError, match="reads rows in memory only"):
            model.fit(fastridge.scan(X, Y), TWO)


@pytest.mark.parametrize("options", [{"loss": "hinge"}, {"multi_class": "crammer_singer"}])
def test_max_iter_is_said(options):
    with pytest.warns(Warning, match="Liblinear failed to converge"):
        model = LinearSVC(**options, max_iter=1, tol=1e-10).fit(X, THREE)
    assert (model.status_, model.n_iter_) == ("not converged", 1)


def test_separated_rows_and_constant_columns_are_fitted():
    rows = np.column_stack([np.r_[-np.ones(5), np.ones(5)], np.ones(10), np.zeros(10)])
    labels = np.arange(10) >= 5
    for options in ({"loss": "hinge"}, {}, {"penalize_intercept": False}):
        model = LinearSVC(C=1e6, **options).fit(rows, labels)
        assert_allclose(model.decision_function(rows), np.where(labels, 1.0, -1.0), atol=1e-3)


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_models_are_saved_and_converted(y, tmp_path):
    for model in (LinearSVC().fit(X, y), LinearSVR().fit(X, Y), LinearSVC().fit(X, y).sparsify()):
        fastridge.save(model, tmp_path / "model")
        again = fastridge.load(tmp_path / "model")
        assert_array_equal(again.predict(X), model.predict(X))
        assert_array_equal(model.to_sklearn().predict(X), model.predict(X))
