"""SGD that diverges: steps are halved until it does not, and an error advises what is not done."""

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
