"""SGD: rows of weight zero are not there, and units of features decide nothing."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from fastridge import SGDClassifier, SGDRegressor, scan

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, P = 150, 6
FEW = {"random_state": 0, "max_iter": 4, "tol": None}
CONSTANT = {"learning_rate": "constant", "eta0": 0.01}
OPTIONS = {
    "plain": {},
    "in order": {"shuffle": False},
    "full shuffle": {"shuffle": "full"},
    "until it converges": {"max_iter": 100, "tol": 1e-3},
    "l1": {"penalty": "l1", "alpha": 0.01},
    "averaged": {"average": 20},
    "adaptive": {"learning_rate": "adaptive", "max_iter": 60, "tol": 1e-2},
    "standardized": {"standardize": True},
    "held out": {"early_stopping": True, "max_iter": 30},
    "threads": {"n_threads": 2},
    "auto": {"learning_rate": "auto"},
    "auto, threads": {"learning_rate": "auto", "n_threads": 2},
    "auto, standardized": {"learning_rate": "auto", "standardize": True},
    "auto, squares halved": {"learning_rate": "auto", "loss": "squared_epsilon_insensitive"},
    "batches": {"batch_size": 7, **CONSTANT},
    "adam": {"optimizer": "adam", **CONSTANT},
    "momentum": {"optimizer": "momentum", "batch_size": 4, **CONSTANT},
    "adagrad": {"optimizer": "adagrad", **CONSTANT},
    "ftrl": {"optimizer": "ftrl", **CONSTANT},
}
CLASSES = {
    "hinge": {},
    "balanced": {"class_weight": "balanced"},
    "log_loss, auto": {"loss": "log_loss", "learning_rate": "auto"},
    "softmax": {"loss": "log_loss", "multi_class": "multinomial", **CONSTANT},
    "pa1": {"learning_rate": "pa1", "eta0": 1.0},
    "held out": {"early_stopping": True, "class_weight": "balanced"},
    "jobs": {"n_jobs": 2},
}
LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "float32": lambda X: np.ascontiguousarray(X, np.float32),
    "csr": sp.csr_array,
    "csc, float32": lambda X: sp.csc_array(X.astype(np.float32)),
}


def problem(seed=0, n=N):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, P)) * (rng.random((n, P)) < 0.7)
    y = X @ rng.standard_normal(P) + 0.1 * rng.standard_normal(n)
    return X, y, rng.uniform(0.5, 2.0, n)


def with_rows_of_weight_zero(X, y, weight, seed, size=1e15, share=0.5):
    """The problem with rows inserted anywhere, whose weights are zero and values are large."""
    rng = np.random.default_rng(seed)
    n_more = int(1 + share * len(y))
    positions = np.sort(rng.integers(0, len(y) + 1, n_more))
    values = size * rng.standard_normal((n_more, X.shape[1]))
    labels = y.dtype.kind in "iu"
    targets = rng.choice(y, n_more) if labels else size * rng.standard_normal(n_more)
    return (
        np.insert(X, positions, values, axis=0),
        np.insert(y, positions, targets),
        np.insert(weight, positions, 0.0),
    )


def assert_same_fit(one, other):
    for name in ("coef_", "intercept_", "n_iter_", "t_", "loss_curve_"):
        assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPTIONS)
def test_fit_rows_of_weight_zero_change_no_bit(name, layout):
    X, y, weight = problem()
    more_X, more_y, more_weight = with_rows_of_weight_zero(X, y, weight, 1)
    make, options = LAYOUTS[layout], {**FEW, **OPTIONS[name]}
    fewer = SGDRegressor(**options).fit(make(X), y, sample_weight=weight)
    more = SGDRegressor(**options).fit(make(more_X), more_y, sample_weight=more_weight)
    assert_same_fit(more, fewer)
    if not fewer.early_stopping:
        fewer.partial_fit(make(X), y, sample_weight=weight)
        more.partial_fit(make(more_X), more_y, sample_weight=more_weight)
        assert_array_equal(more.coef_, fewer.coef_)
        assert more.t_ == fewer.t_


@pytest.mark.parametrize("layout", ["rows", "csr"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", CLASSES)
def test_fit_of_classes_rows_of_weight_zero_change_no_bit(name, n_classes, layout):
    X, y, weight = problem(2)
    labels = np.digitize(y, [0.3, 1.0][: n_classes - 1])
    more_X, more_y, more_weight = with_rows_of_weight_zero(X, labels, weight, 3)
    make, options = LAYOUTS[layout], {**FEW, **CLASSES[name]}
    fewer = SGDClassifier(**options).fit(make(X), labels, sample_weight=weight)
    more = SGDClassifier(**options).fit(make(more_X), more_y, sample_weight=more_weight)
    assert_same_fit(more, fewer)


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.01, 3.0),
    size=st.sampled_from([0.0, 1.0, 1e6, 1e150]),
    name=st.sampled_from(sorted(OPTIONS)),
    layout=st.sampled_from(["rows", "columns", "csr"]),
)
@settings(deadline=None, max_examples=60)
def test_fit_any_rows_of_weight_zero_change_no_bit(seed, share, size, name, layout):
    X, y, weight = problem(seed, 60)
    more_X, more_y, more_weight = with_rows_of_weight_zero(X, y, weight, seed, size, share)
    make, options = LAYOUTS[layout], {**FEW, **OPTIONS[name]}
    fewer = SGDRegressor(**options).fit(make(X), y, sample_weight=weight)
    more = SGDRegressor(**options).fit(make(more_X), more_y, sample_weight=more_weight)
    assert_same_fit(more, fewer)


@pytest.mark.parametrize("learning_rate", ["invscaling", "auto"])
def test_auto_rates_with_huge_rows_of_weight_zero_reach_the_minimum(learning_rate):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((2000, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(2000)
    weight = np.ones(2000)
    X[::2] *= 1e6
    weight[::2] = 0.0
    model = SGDRegressor(learning_rate=learning_rate, random_state=0)
    model.fit(X, y, sample_weight=weight)
    assert model.score(X[1::2], y[1::2]) > 0.99


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("n_rows", [1, 4])
@pytest.mark.parametrize("options", [{}, {"learning_rate": "auto"}, {"standardize": True}])
def test_partial_fit_of_rows_of_weight_zero_changes_nothing(options, n_rows, first):
    X, y, _ = problem(5)
    model = SGDRegressor(random_state=0, **options)
    if not first:
        model.partial_fit(X, y)
    else:
        model.partial_fit(1e9 * X[:n_rows], y[:n_rows], sample_weight=np.zeros(n_rows))
        assert_array_equal(model.coef_, np.zeros(P))
        assert model.t_ == 1.0
        model.partial_fit(X, y)
    alone = SGDRegressor(random_state=0, **options).partial_fit(X, y)
    model.partial_fit(1e9 * X[:n_rows], y[:n_rows], sample_weight=np.zeros(n_rows))
    assert_array_equal(model.coef_, alone.coef_)
    assert_array_equal(model.intercept_, alone.intercept_)
    assert model.t_ == alone.t_


@pytest.mark.parametrize("options", [{}, {"learning_rate": "auto"}, {"standardize": True}])
def test_fit_of_a_scan_batches_of_weight_zero_change_no_bit(options):
    X, y, _ = problem(6)
    options = {**FEW, "shuffle": False, **options}

    def batches(*begins):
        for begin in begins:
            part = slice(abs(begin), abs(begin) + 50)
            yield (X[part], y[part], np.full(50, 1.0 if begin >= 0 else 0.0))

    plain = SGDRegressor(**options).fit(scan(lambda: batches(0, 50, 100)))
    model = SGDRegressor(**options).fit(scan(lambda: batches(-100, 0, -50, 50, -50, 100, -1)))
    assert_same_fit(model, plain)
    with pytest.raises(ValueError, match="zero for every row"):
        SGDRegressor(**options).fit(scan(lambda: batches(-100, -50)))


def test_divergence_is_judged_by_rows_with_weight():
    X, y, weight = problem(7)
    X *= 30.0
    more_X, more_y, more_weight = with_rows_of_weight_zero(X, y, weight, 8, 1e100)
    options = {**FEW, "eta0": 1.0}
    with pytest.warns(ConvergenceWarning, match="diverged"):
        fewer = SGDRegressor(**options).fit(X, y, sample_weight=weight)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        more = SGDRegressor(**options).fit(more_X, more_y, sample_weight=more_weight)
    assert_same_fit(more, fewer)


def test_class_weight_of_zero_for_all_classes_leaves_zeros():
    X, y, _ = problem(9)
    model = SGDClassifier(class_weight={0: 0.0, 1: 0.0}, **FEW).fit(X, (y > 0.0).astype(int))
    assert_array_equal(model.coef_, np.zeros((1, P)))


UNITS = {
    "standardized": {"standardize": True},
    "standardized, l1": {"standardize": True, "penalty": "l1", "alpha": 0.01},
    "standardized, averaged": {"standardize": True, "average": True},
    "standardized, auto": {"standardize": True, "learning_rate": "auto", "alpha": 0.01},
    "standardized, batches": {"standardize": True, "batch_size": 8, **CONSTANT},
    "standardized, adam": {"standardize": True, "optimizer": "adam", **CONSTANT},
    "standardized, ftrl": {"standardize": True, "optimizer": "ftrl", **CONSTANT},
    "standardized, held out": {"standardize": True, "early_stopping": True},
    "auto": {"learning_rate": "auto", "penalty": None},
    "auto, no penalty": {"learning_rate": "auto", "alpha": 0.0, "loss": "huber"},
}


def assert_units_do_not_matter(X, y, powers, options, make, rtol):
    factors = np.ldexp(1.0, powers).astype(X.dtype)
    one = SGDRegressor(**options).fit(make(X), y)
    other = SGDRegressor(**options).fit(make(X * factors), y)
    scaled = other.coef_.astype(float) * factors
    size = np.abs(one.coef_).max()
    assert_allclose(scaled, one.coef_, rtol=rtol, atol=rtol * size)
    assert_allclose(other.intercept_, one.intercept_, rtol=rtol, atol=rtol * np.abs(y).max())
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=rtol)
    assert other.n_iter_ == one.n_iter_
    if not one.early_stopping:
        one.partial_fit(make(X), y)
        other.partial_fit(make(X * factors), y)
        assert_allclose(other.coef_.astype(float) * factors, one.coef_, rtol=rtol, atol=rtol * size)


@given(
    seed=st.integers(0, 2**32 - 1),
    powers=st.lists(st.integers(-200, 200), min_size=P, max_size=P),
    name=st.sampled_from(sorted(UNITS)),
    make=st.sampled_from([np.ascontiguousarray, np.asfortranarray, sp.csr_array, sp.csc_array]),
    shift=st.sampled_from([0.0, 5.0]),
    constant=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_fit_features_in_other_units_have_coefficients_in_theirs(
    seed, powers, name, make, shift, constant
):
    X, y, _ = problem(seed, 60)
    X += shift
    if constant:
        X[:, 0] = 0.7
    assert_units_do_not_matter(X, y, powers, {**FEW, **UNITS[name]}, make, 1e-9)


@given(
    seed=st.integers(0, 2**32 - 1),
    powers=st.lists(st.integers(-110, 110), min_size=P, max_size=P),
    name=st.sampled_from(sorted(UNITS)),
    make=st.sampled_from([np.ascontiguousarray, np.asfortranarray, sp.csr_array, sp.csc_array]),
)
@settings(deadline=None, max_examples=60)
def test_fit_float32_features_in_other_units_have_coefficients_in_theirs(seed, powers, name, make):
    X, y, _ = problem(seed, 60)
    X = (X + 2.0).astype(np.float32)
    y = y.astype(np.float32)
    assert_units_do_not_matter(X, y, powers, {**FEW, **UNITS[name]}, make, 1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_standardize_at_the_limits_of_a_type_keeps_all_digits(make, dtype):
    X, y, _ = problem(10)
    X, y = np.round(64.0 * X).astype(dtype) / 64.0, y.astype(dtype)
    top = np.finfo(dtype).maxexp
    powers = np.array([top - 4, -top + 12, top - 5, 7, -top + 20, 0])
    if dtype == np.float64:
        powers[powers < -500], powers[powers > 500] = -480, 480
    options = {**FEW, "standardize": True}
    one = SGDRegressor(**options).fit(make(X), y)
    other = SGDRegressor(**options).fit(make(X * np.ldexp(1.0, powers).astype(dtype)), y)
    assert_array_equal(other.loss_curve_, one.loss_curve_)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_standardize_squares_that_overflow_name_their_column(make):
    X, y, _ = problem(11)
    X[:, 2] *= 1e200
    model = SGDRegressor(standardize=True)
    with pytest.raises(ValueError, match=r"column 2 of X.*overflow"):
        model.fit(make(X), y)


@pytest.mark.parametrize("options", [{}, {"learning_rate": "auto"}])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix])
def test_dask_rows_of_weight_zero_change_no_bit(options, make):
    dask = pytest.importorskip("dask")
    import fastridge.dask

    X, y, weight = problem(12)
    more_X, more_y, more_weight = with_rows_of_weight_zero(X, y, weight, 13)
    more_X = np.insert(more_X, [60] * 20, 1e9, axis=0)  # a partition of nothing but such rows
    more_y, more_weight = np.insert(more_y, [60] * 20, 1e9), np.insert(more_weight, [60] * 20, 0.0)
    cuts = [0, 60, 80, len(more_y)]
    fewer_cuts = [0, int(np.count_nonzero(more_weight[:60])), len(y)]

    def collections(cuts, *arrays):
        da = pytest.importorskip("dask.array")
        chunks = tuple(np.diff(cuts).tolist())
        made = [da.from_array(a, chunks=(chunks, *a.shape[1:])) for a in arrays]
        made[0] = made[0].map_blocks(make, dtype=float) if make is not np.asarray else made[0]
        return made

    options = {**FEW, **options}
    with dask.config.set(scheduler="synchronous"):
        fitted = []
        for part in (
            collections(fewer_cuts, X, y, weight),
            collections(cuts, more_X, more_y, more_weight),
        ):
            model = SGDRegressor(**options)
            fitted.append(fastridge.dask.fit(model, part[0], part[1], sample_weight=part[2]))
        assert_array_equal(fitted[1].coef_, fitted[0].coef_)
        assert_array_equal(fitted[1].loss_curve_, fitted[0].loss_curve_)
        part = collections(fewer_cuts, X, y, np.zeros(N))
        with pytest.raises(ValueError, match="no rows with weight"):
            fastridge.dask.fit(SGDRegressor(), part[0], part[1], sample_weight=part[2])
