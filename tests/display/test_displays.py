"""Displays: the values they compute, plots on given axes, and errors."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from fastridge import (
    ElasticNet,
    ElasticNetCV,
    GramStatistics,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
    effective_dof,
    enet_path,
    ridge_path,
)
from fastridge.display import (
    AlphaSelectionDisplay,
    BiasVarianceDisplay,
    PenaltyGeometryDisplay,
    RegularizationPathDisplay,
    ShrinkageDisplay,
)


def data(n=50, p=4):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 1.0
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n)


def test_importing_displays_does_not_import_matplotlib():
    script = "import sys, fastridge.display; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"fastridge-solvers\[plot\]"):
        ShrinkageDisplay.from_spectrum([1.0], 1.0).plot()


def test_path_of_ridge_equals_ridge_path():
    X, y = data()
    _, ax = plt.subplots()
    alphas = np.array([10.0, 0.1, 1.0])
    display = RegularizationPathDisplay.from_estimator(
        Ridge(2.0, standardize=True).fit(X, y), X, y, alphas=alphas, ax=ax
    )
    assert display.ax_ is ax
    assert display.alpha == 2.0
    assert_allclose(display.alphas, [0.1, 1.0, 10.0])
    assert_allclose(display.coefs, ridge_path(X, y, [0.1, 1.0, 10.0], standardize=True))
    stats = GramStatistics.from_data(X, y)
    assert_allclose(display.dof, effective_dof(stats, [0.1, 1.0, 10.0], standardize=True))
    assert [line.get_ydata()[-1] for line in display.lines_] == list(display.coefs[-1])
    again = RegularizationPathDisplay.from_statistics(stats, alphas, standardize=True)
    assert_allclose(again.coefs, display.coefs)


def test_path_of_one_target_of_several_accepts_alpha_zero():
    X, y = data()
    Y = np.column_stack([y, -y])
    model = RidgeCV([0.1, 1.0], alpha_per_target=True).fit(X, Y)
    display = RegularizationPathDisplay.from_estimator(model, X, Y, target=1)
    assert display.alpha == model.alpha_[1]
    assert_allclose(display.coefs, ridge_path(X, -y, [0.1, 1.0]))
    zero = RegularizationPathDisplay.from_path([0.0, 1.0], np.ones((2, 3)), ax=plt.figure().gca())
    assert zero.ax_.get_xscale() == "symlog"


@pytest.mark.parametrize("positive", [False, True])
def test_path_of_an_elastic_net_equals_enet_path(positive):
    X, y = data()
    options = {"l1_ratio": 0.7, "standardize": True, "positive": positive}
    model = ElasticNet(0.2, **options).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    alphas, coefs, _ = enet_path(X, y, fit_intercept=True, **options)
    assert display.alpha == 0.2
    assert_allclose(display.alphas, alphas[::-1])
    assert_allclose(display.coefs, coefs.T[::-1])
    assert_allclose(display.n_nonzero, (display.coefs != 0.0).sum(axis=1))
    written = [int(text.get_text()) for text in display.nonzero_axis_.get_xticklabels()]
    assert written[0] == display.n_nonzero[0]
    assert written[-1] == display.n_nonzero[-1] == 0
    stats = GramStatistics.from_data(X, y)
    again = RegularizationPathDisplay.from_statistics(stats, **options)
    assert_allclose(again.alphas, display.alphas)
    assert_allclose(again.coefs, display.coefs, rtol=1e-6, atol=1e-9)
    some = RegularizationPathDisplay.from_statistics(stats, [0.1, 1.0], **options)
    assert_allclose(some.coefs[0], ElasticNet(0.1, **options).fit(X, y).coef_, atol=1e-2)


def test_path_counts_of_coefficients_follow_the_axes():
    X, y = data()
    display = RegularizationPathDisplay.from_estimator(Lasso(), X, y)
    display.ax_.set_xlim(0.1, 1.0)
    assert display.nonzero_axis_.get_xlim() == (0.1, 1.0)
    assert display.alpha is None
    zero = RegularizationPathDisplay.from_estimator(Lasso(), X, y, alphas=[0.1, 1.0, 10.0, 100.0])
    assert zero.nonzero_axis_.get_xscale() == "log"
    counts = {"alphas": [0.0, 1.0], "coefs": np.eye(2), "n_nonzero": [1, 1]}
    linear = RegularizationPathDisplay(**counts).plot()
    assert linear.nonzero_axis_.get_xscale() == linear.ax_.get_xscale() == "symlog"
    assert linear.ax_.get_xlim()[0] > -0.5  # a margin, not a decade below zero
    dof = RegularizationPathDisplay(**counts, dof=[2.0, 1.0]).plot(x="dof")
    assert dof.nonzero_axis_ is None


def test_path_of_a_chosen_elastic_net_marks_its_alpha():
    X, y = data()
    Y = np.column_stack([y, -y])
    model = ElasticNetCV(l1_ratio=[0.2, 0.9], alphas=20).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    k = [0.2, 0.9].index(model.l1_ratio_)
    assert display.alpha == model.alpha_
    assert_allclose(display.alphas, model.alphas_[k][::-1])
    with pytest.raises(ValueError, match="give one, or fit first"):
        RegularizationPathDisplay.from_estimator(ElasticNetCV(l1_ratio=[0.2, 0.9]), X, y)
    lasso = RegularizationPathDisplay.from_estimator(LassoCV(alphas=[0.1, 1.0]).fit(X, y), X, y)
    assert_allclose(lasso.alphas, [0.1, 1.0])
    second = RegularizationPathDisplay.from_estimator(Lasso(0.1).fit(X, Y), X, Y, target=1)
    first = RegularizationPathDisplay.from_estimator(Lasso(0.1).fit(X, Y), X, Y, target=0)
    assert_allclose(second.coefs, -first.coefs)


def test_selection_of_an_elastic_net_has_its_scores():
    X, y = data()
    model = ElasticNetCV(l1_ratio=[0.2, 0.9], alphas=20).fit(X, y)
    for ratio in (None, 0.2, 0.9):
        display = AlphaSelectionDisplay.from_estimator(model, l1_ratio=ratio, bars=True)
        k = [0.2, 0.9].index(ratio or model.l1_ratio_)
        mse = model.mse_path_[k]
        assert_allclose(display.line_.get_ydata(), mse.mean(axis=1)[::-1])
        assert_allclose(display.standard_errors, mse.std(axis=1, ddof=1) / np.sqrt(5))
        assert_allclose(display.alphas, model.alphas_[k])
        assert display.ax_.get_ylabel() == "mean squared error"
        assert display.bars_ is not None
        assert display.band_ is None
        if ratio in (None, model.l1_ratio_):
            assert (display.alpha_min, display.alpha_1se) == (model.alpha_min_, model.alpha_1se_)
        else:
            assert display.alpha_min is display.alpha_1se is None
    lasso = LassoCV(cv=[(np.arange(30), np.arange(30, 50))]).fit(X, y)
    display = AlphaSelectionDisplay.from_estimator(lasso)
    assert display.standard_errors is None
    assert display.alpha_min == lasso.alpha_
    assert display.alpha_1se is None
    with pytest.raises(ValueError, match=r"one that was tried, \[0.2, 0.9\], got 0.5"):
        AlphaSelectionDisplay.from_estimator(model, l1_ratio=0.5)
    with pytest.raises(ValueError, match="for an ElasticNetCV"):
        AlphaSelectionDisplay.from_estimator(RidgeCV().fit(X, y), l1_ratio=0.5)


def test_selection_of_ridge_cv_has_its_scores():
    X, y = data()
    model = RidgeCV(np.logspace(-2, 3, 20), cv=5).fit(X, y)
    display = AlphaSelectionDisplay.from_estimator(model)
    assert_allclose(display.line_.get_ydata(), model.mean_scores_)
    assert display.alpha_min == model.alpha_min_
    assert display.alpha_1se == model.alpha_1se_
    assert display.ax_.get_ylabel() == "R²"
    assert display.band_ is not None
    again = AlphaSelectionDisplay.from_scores(
        model.alphas_, model.mean_scores_, model.standard_errors_
    )
    assert again.alpha_min == model.alpha_min_
    assert again.alpha_1se == model.alpha_1se_
    gcv = AlphaSelectionDisplay.from_estimator(RidgeCV(method="gcv").fit(X, y))
    assert gcv.band_ is None
    assert gcv.alpha_1se_line_ is None
    assert gcv.line_.get_ydata().min() > 0.0  # an error, drawn upright
    Y = np.column_stack([y, -y])
    several = RidgeCV([0.1, 1.0], alpha_per_target=True).fit(X, Y)
    one = AlphaSelectionDisplay.from_estimator(several, target=1)
    assert_allclose(one.mean_scores, several.mean_scores_[:, 1])


def test_shrinkage_of_a_fit_has_its_spectrum():
    X, y = data()
    display = ShrinkageDisplay.from_estimator(Ridge(4.0).fit(X, y), X, y)
    squares = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) ** 2
    assert_allclose(display.shrinkage[0], squares / (squares + 4.0))


@pytest.mark.parametrize("xy", [[1.0, 0.7], [1.0, -0.1], [-0.3, 2.0]])
def test_geometry_solves_the_constrained_problems(xy):
    xx = np.array([[1.0, 0.4], [0.4, 2.0]])
    display = PenaltyGeometryDisplay.from_moments(xx, xy, share=0.3)
    for name, penalty in display.penalties.items():
        size = 0.3 * penalty(display.least_squares)
        w = display.solutions[name]
        assert_allclose(penalty(w), size, rtol=1e-6)
        border = display.balls[name]
        assert_allclose(penalty(border), size, rtol=1e-9)
        assert display.loss(w) <= display.loss(border).min() * (1.0 + 1e-9)
    # ridge's solution is a ridge solution at some alpha
    w = display.solutions["ridge (L2)"]
    gradient = np.asarray(xy) - xx @ w
    assert_allclose(gradient[0] * w[1], gradient[1] * w[0], rtol=1e-4)


def test_bias_variance_matches_simulation():
    X, y = data()
    alphas = np.logspace(-2, 4, 12)
    display = BiasVarianceDisplay.from_data(X, y, alphas, n_resamples=1000, random_state=1)
    again = BiasVarianceDisplay.from_data(X, y, alphas, n_resamples=1000, random_state=1)
    assert_allclose(display.bias, again.bias, rtol=0, atol=0)
    Xc = X - X.mean(axis=0)
    coefs, dof, gcv = ridge_path(X, y, alphas, return_dof=True, return_gcv=True)
    truth = Xc @ coefs[gcv.argmin()]
    for a, alpha in enumerate(alphas):
        hat = Xc @ np.linalg.solve(Xc.T @ Xc + alpha * np.eye(4), Xc.T)
        full = hat + 1.0 / len(X)
        assert_allclose(display.variance[a], display.noise * (full**2).sum() / len(X), rtol=0.1)
        bias = ((hat @ truth - truth) ** 2).mean()
        assert_allclose(display.bias[a], bias, rtol=1e-6, atol=1e-12)
    assert dof.shape == (12,)


def test_displays_with_invalid_arguments_raise():
    X, y = data()
    with pytest.raises(NotFittedError):
        AlphaSelectionDisplay.from_estimator(RidgeCV())
    with pytest.raises(ValueError, match="marginal_likelihood"):
        AlphaSelectionDisplay.from_estimator(RidgeCV(method="em").fit(X, y))
    with pytest.raises(ValueError, match="mean_scores"):
        AlphaSelectionDisplay.from_scores([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="alphas"):
        AlphaSelectionDisplay.from_scores([-1.0], [1.0])
    with pytest.raises(ValueError, match="one target at a time"):
        RegularizationPathDisplay.from_path([1.0], np.ones((1, 2, 3)))
    path = RegularizationPathDisplay.from_path([1.0], np.ones((1, 3)))
    with pytest.raises(ValueError, match="'alpha' or 'dof'"):
        path.plot(x="lambda")
    with pytest.raises(ValueError, match="give dof"):
        path.plot(x="dof")
    with pytest.raises(ValueError, match="n_nonzero must have shape"):
        RegularizationPathDisplay.from_path([1.0], np.ones((1, 3)), n_nonzero=[1, 2])
    with pytest.raises(ValueError, match="feature_names"):
        RegularizationPathDisplay.from_path([1.0], np.ones((1, 3)), feature_names=["a"])
    with pytest.raises(ValueError, match="eigenvalues"):
        ShrinkageDisplay.from_spectrum([-1.0], 1.0)
    with pytest.raises(ValueError, match="depend on each other"):
        PenaltyGeometryDisplay.from_moments(np.ones((2, 2)), [1.0, 1.0])
    with pytest.raises(ValueError, match="share"):
        PenaltyGeometryDisplay.from_moments(np.eye(2), [1.0, 1.0], share=2.0)
    with pytest.raises(ValueError, match="features"):
        PenaltyGeometryDisplay.from_data(X, y, features=(0, 9))
    with pytest.raises(ValueError, match="n_resamples"):
        BiasVarianceDisplay.from_data(X, y, n_resamples=1)


FROM_OPTIONS = {
    "path": lambda X, y, **options: RegularizationPathDisplay.from_statistics(
        GramStatistics.from_data(X, y), **options
    ),
    "shrinkage": lambda X, y, **options: ShrinkageDisplay.from_statistics(
        GramStatistics.from_data(X, y), 1.0, **options
    ),
    "bias and variance": lambda X, y, **options: BiasVarianceDisplay.from_data(
        X, y, n_resamples=2, random_state=0, **options
    ),
}


@pytest.mark.parametrize("display", FROM_OPTIONS)
def test_displays_with_penalty_factors_in_a_list_equal_those_in_an_array(display):
    make, (X, y) = FROM_OPTIONS[display], data()
    listed, array = (
        make(X, y, penalty_factors=factors)
        for factors in ([1, 2, 0, 3], np.array([1.0, 2.0, 0.0, 3.0]))
    )
    assert_allclose(listed.alphas, array.alphas, rtol=0)
    for name in ("coefs", "shrinkage", "bias", "variance"):
        if hasattr(listed, name):
            assert_allclose(getattr(listed, name), getattr(array, name), rtol=0)


@pytest.mark.parametrize("display", FROM_OPTIONS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty_factors": [1.0, 2.0]}, r"penalty_factors must have shape \(4,\)"),
        ({"penalty_factors": [1.0, -2.0, 1.0, 1.0]}, "penalty_factors must be at least 0"),
        ({"alpha_scale": "total"}, "'alpha_scale' parameter must be one of"),
    ],
)
def test_displays_with_malformed_options_raise(display, options, message):
    with pytest.raises(ValueError, match=message):
        FROM_OPTIONS[display](*data(), **options)
