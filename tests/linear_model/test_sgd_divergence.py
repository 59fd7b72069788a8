"""SGD that diverges: steps are halved until it does not, and an error advises what is not done."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from fastridge import SGDClassifier, SGDRegressor, scan

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4))
Y = X @ [1.0, 2.0, 3.0, 4.0] + 0.1 * RNG.standard_normal(300)
ROWS = {"dense": np.asarray, "columns": np.asfortranarray, "sparse": sp.csr_array}


def quiet(fit, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(*arguments, **options)


@given(
    power=st.integers(-20, 140),
    options=st.sampled_from(
        [
            {},
            {"average": True},
            {"penalty": "l1"},
            {"batch_size": 8},
            {"loss": "squared_epsilon_insensitive"},
            {"learning_rate": "constant"},
            {"learning_rate": "adaptive"},
        ]
    ),
    make=st.sampled_from(sorted(ROWS)),
)
@settings(deadline=None, max_examples=60)
def test_fit_features_of_any_size_that_diverge_end_in_a_model(power, options, make):
    factor = 10.0**power
    model = SGDRegressor(alpha=0.0, random_state=0, **options)
    quiet(model.fit, ROWS[make](factor * X), Y)
    assert np.isfinite(model.coef_).all()
    # Steps that do not get shorter stay at what just holds, and a mean keeps what was far astray.
    if power >= 2 and model.learning_rate == "invscaling" and not model.average:
        assert model.score(factor * X, Y) > 0.9


def test_fit_that_diverges_says_how_much_shorter_steps_were_made():
    with pytest.warns(ConvergenceWarning, match=r"e\+3\d times shorter"):
        SGDRegressor(random_state=0).fit(1e20 * X, Y)


@pytest.mark.parametrize("kind", ["fit", "partial_fit", "scan", "one row"])
@pytest.mark.parametrize("on_divergence", ["halve", "raise"])
@pytest.mark.parametrize("schedule", ["invscaling", "optimal", "auto"])
def test_divergence_error_does_not_advise_what_was_done(kind, on_divergence, schedule):
    model = SGDRegressor(
        learning_rate=schedule, alpha=0.1, on_divergence=on_divergence, random_state=0
    )
    large = 1e200 * X
    if kind == "one row":
        model.partial_fit(X, Y)
    fit = {
        "fit": lambda: model.fit(large, Y),
        "partial_fit": lambda: model.partial_fit(large, Y),
        "scan": lambda: model.fit(scan(lambda: iter([(large, Y)]))),
        "one row": lambda: [model.partial_fit(large[:1], Y[:1]) for _ in range(9)],
    }[kind]
    with pytest.raises(FloatingPointError, match="diverges") as raised:
        fit()
    advised = "on_divergence" in str(raised.value)
    assert advised == (on_divergence == "raise" and kind in ("fit", "scan"))
    assert ("partial_fit" in str(raised.value)) == (kind in ("partial_fit", "one row"))


@pytest.mark.parametrize("learning_rate", ["invscaling", "auto", "adaptive"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("make", ROWS)
def test_fit_from_coefficients_far_away_comes_back(make, standardize, learning_rate):
    model = SGDRegressor(
        learning_rate=learning_rate, eta0=0.05, standardize=standardize, random_state=0
    )
    rows = ROWS[make](X)
    quiet(model.fit, rows, Y, coef_init=np.full(4, 1e6))
    assert model.score(X, Y) > 0.9


@pytest.mark.parametrize("target", [Y, np.zeros(300), 1e-200 * Y])
def test_warm_start_from_targets_that_were_larger_comes_back(target):
    model = SGDRegressor(warm_start=True, random_state=0).fit(X, 1e6 * Y)
    before = np.abs(model.coef_).max()
    assert np.abs(model.fit(X, target).coef_).max() < 1e-3 * before


def test_fit_of_a_scan_from_coefficients_far_away_comes_back():
    for weight in (np.ones(300), (np.arange(300) >= 150) * 1.0):
        rows = scan(lambda w=weight: ((X[k::2], Y[k::2], w[k::2]) for k in range(2)))
        model = SGDRegressor(random_state=0).fit(rows, coef_init=np.full(4, 1e6))
        assert model.score(X, Y) > 0.99


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", ["dense", "sparse"])
@pytest.mark.parametrize("schedule", ["pa1", "pa2"])
def test_passive_aggressive_rows_whose_squares_overflow_are_an_error(schedule, make, dtype):
    size = np.sqrt(np.finfo(dtype).max) * 1e10
    model = SGDClassifier(learning_rate=schedule, eta0=1.0, random_state=0)
    large = ROWS[make]((size * X).astype(dtype))
    with pytest.raises(FloatingPointError, match="diverges"):
        model.fit(large, Y > 0.0)


def steep(n_rows=60):
    """Rows on which the schedule "optimal" takes steps that are much too long at first."""
    rng = np.random.default_rng(1)
    X = 3.0 * rng.standard_normal((n_rows, 2))
    return X, X @ [1.0, -2.0] + 0.1 * rng.standard_normal(n_rows)


def test_partial_fit_that_diverges_takes_the_steps_of_fit():
    X, y = steep(6)
    options = {"learning_rate": "optimal", "alpha": 0.01, "shuffle": False}
    with pytest.warns(ConvergenceWarning, match="SGD diverged") as caught:
        model = SGDRegressor(**options).partial_fit(X, y)
    assert caught[0].filename == __file__
    model.partial_fit(X, y)
    whole = SGDRegressor(max_iter=2, tol=None, **options)
    quiet(whole.fit, X, y)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-12)
    np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=1e-12)
    assert model.t_ == whole.t_


@pytest.mark.parametrize("make", ROWS)
@pytest.mark.parametrize("average", [False, True])
def test_partial_fit_steps_too_long_are_halved_for_later_calls_too(make, average):
    X, y = steep()
    model = SGDRegressor(learning_rate="constant", eta0=0.3, average=average, random_state=0)
    with pytest.warns(ConvergenceWarning, match="SGD diverged"):
        model.partial_fit(ROWS[make](X), y)
    for _ in range(30):
        quiet(model.partial_fit, ROWS[make](X), y)
        assert np.mean((model.predict(X) - y) ** 2) < 1e6 * np.mean(y**2)
    assert model._step_factor[0] < 1.0
    assert average or make == "sparse" or model.score(X, y) > 0.9


def test_partial_fit_a_parameter_that_is_set_ends_halved_steps():
    X, y = steep()
    model = SGDRegressor(learning_rate="constant", eta0=0.3, random_state=0)
    quiet(model.partial_fit, X, y)
    halved = copy.deepcopy(model).partial_fit(X, y).coef_
    again = model.set_params(eta0=0.3)
    with pytest.warns(ConvergenceWarning, match="SGD diverged"):
        again.partial_fit(X, y)
    np.testing.assert_array_equal(again.coef_, halved)


def test_partial_fit_on_divergence_raise_leaves_the_model():
    X, y = steep()
    model = SGDRegressor(
        learning_rate="constant", eta0=0.3, on_divergence="raise", random_state=0
    ).partial_fit(X[:2], y[:2])
    kept = model.coef_.copy(), model.intercept_.copy(), model.t_
    with pytest.raises(FloatingPointError, match="diverges"):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, kept[0])
    np.testing.assert_array_equal(model.intercept_, kept[1])
    assert model.t_ == kept[2]


@pytest.mark.parametrize("n_rows", [1, 2])
@pytest.mark.parametrize("on_divergence", ["halve", "raise"])
def test_partial_fit_that_diverges_over_many_calls_says_so(n_rows, on_divergence):
    X, y = steep()
    model = SGDRegressor(learning_rate="constant", eta0=0.3, on_divergence=on_divergence)
    said = (
        pytest.warns(ConvergenceWarning, match="diverged")
        if on_divergence == "halve"
        else pytest.raises(FloatingPointError, match="diverges")
    )
    with said:
        for k in range(0, 60, n_rows):
            model.partial_fit(X[k : k + n_rows], y[k : k + n_rows])
    assert np.isfinite(model.coef_).all()


def test_partial_fit_rows_in_turn_after_targets_that_were_larger_is_silent():
    model = SGDRegressor(random_state=0).fit(X, 1e6 * Y)
    for k in range(50):
        model.partial_fit(X[k : k + 1], Y[k : k + 1])


def test_fit_that_ends_far_astray_is_halved():
    X, y = steep(6)
    model = SGDRegressor(learning_rate="optimal", alpha=0.01, shuffle=False, max_iter=1, tol=None)
    quiet(model.fit, X, y)
    assert np.mean((model.predict(X) - y) ** 2) < 1e6 * np.mean(y**2)


@pytest.mark.parametrize("make", ROWS)
def test_partial_fit_before_averaging_begins_takes_the_steps_without(make):
    X, y = steep()
    rows = ROWS[make](X)
    plain = SGDRegressor(shuffle=False)
    late = SGDRegressor(shuffle=False, average=200)
    for _ in range(3):
        plain.partial_fit(rows, y)
        late.partial_fit(rows, y)
    np.testing.assert_array_equal(late.coef_, plain.coef_)
    np.testing.assert_array_equal(late.intercept_, plain.intercept_)
    late.partial_fit(rows, y)  # steps 181 to 240, of which those from 200 on are averaged
    whole = SGDRegressor(shuffle=False, average=200, max_iter=4, tol=None).fit(rows, y)
    np.testing.assert_allclose(late.coef_, whole.coef_, rtol=1e-12)


@pytest.mark.parametrize("n_rows", [1, 2])
@pytest.mark.parametrize("power", [1, 2, 3, 6, 20, 100])
@pytest.mark.parametrize("options", [{}, {"penalty": "l1"}, {"batch_size": 2}], ids=str)
@pytest.mark.parametrize("make", [np.asarray, np.ndarray.tolist, sp.csr_array])
def test_partial_fit_few_rows_at_a_time_of_any_size_end_in_a_model(make, options, power, n_rows):
    factor = 10.0**power
    model = SGDRegressor(alpha=0.0, random_state=0, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for begin in range(0, len(X), n_rows):
            some = slice(begin, begin + n_rows)
            model.partial_fit(make(factor * X[some]), Y[some])
    assert len(caught) <= 5
    assert model.score(factor * X, Y) > 0.9
    assert model.t_ == 1.0 + len(X) / (n_rows if options.get("batch_size") else 1)
