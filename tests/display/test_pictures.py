"""Every display compared with its stored picture, without text, which depends on the fonts.

After a change that is intended, write the pictures again with ``FASTRIDGE_WRITE_PICTURES=1 pytest
tests/display`` and look at them.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.testing.compare import compare_images
from matplotlib.testing.decorators import remove_ticks_and_titles

from fastridge import ElasticNetCV, GramStatistics, Lasso, LogisticRegression, Ridge, RidgeCV
from fastridge.display import (
    AlphaSelectionDisplay,
    BiasVarianceDisplay,
    ForestDisplay,
    PenaltyGeometryDisplay,
    RegularizationPathDisplay,
    ReliabilityDisplay,
    ShrinkageDisplay,
)

REFERENCES = Path(__file__).with_name("references")
TOLERANCE = 10  # root mean square of grey values: another curve has some 20


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 10)) * np.logspace(0, -1, 10)
    X[:, 1] += 0.9 * X[:, 0]
    return X, X @ rng.standard_normal(10) + rng.standard_normal(80)


def path():
    X, y = data()
    return RegularizationPathDisplay.from_estimator(Ridge(3.0).fit(X, y), X, y, n_labels=4)


def path_by_dof():
    X, y = data()
    model = RidgeCV(np.logspace(-2, 4, 40)).fit(X, y)
    return RegularizationPathDisplay.from_estimator(model, X, y, x="dof", n_labels=4)


def lasso_path():
    X, y = data()
    return RegularizationPathDisplay.from_estimator(Lasso(0.1).fit(X, y), X, y, n_labels=4)


def elastic_net_selection():
    X, y = data()
    return AlphaSelectionDisplay.from_estimator(
        ElasticNetCV(l1_ratio=[0.3, 0.9], alphas=30).fit(X, y), bars=True
    )


def selection():
    X, y = data()
    model = RidgeCV("auto", cv=5, scoring="neg_mean_squared_error").fit(X, y)
    return AlphaSelectionDisplay.from_estimator(model)


def evidence():
    X, y = data()
    return AlphaSelectionDisplay.from_estimator(
        RidgeCV("auto", method="marginal_likelihood").fit(X, y)
    )


def shrinkage():
    X, y = data()
    return ShrinkageDisplay.from_statistics(GramStatistics.from_data(X, y), [0.3, 3.0, 30.0])


def geometry():
    return PenaltyGeometryDisplay.from_moments(
        [[1.0, 0.5], [0.5, 1.0]], [1.0, 0.7], share=0.4
    ).plot()


def bias_variance():
    X, y = data()
    return BiasVarianceDisplay.from_data(X, y, n_resamples=50, random_state=0)


def forest():
    X, y = data()
    model = LogisticRegression(C=np.inf).fit(X[:, :5], y > 0)
    return ForestDisplay.from_inference(model.inference(X[:, :5], y > 0))


def reliability():
    X, y = data()
    return ReliabilityDisplay.from_estimator(LogisticRegression().fit(X, y > 0), X, y > 0, n_bins=6)


def save_without_text(display, path):
    """Save curves, lines and bands only, at a fixed position."""
    figure, ax = display.figure_, display.ax_
    figure.set_layout_engine("none")
    figure.set_size_inches(6.0, 4.5)
    if ax.get_legend() is not None:
        ax.get_legend().remove()
    ax.set(xlabel="", ylabel="", title="", aspect="auto")
    ax.set_position([0.03, 0.03, 0.94, 0.94])
    remove_ticks_and_titles(figure)
    figure.savefig(path, dpi=55)


@pytest.mark.parametrize(
    "draw",
    [
        path,
        path_by_dof,
        lasso_path,
        selection,
        elastic_net_selection,
        evidence,
        shrinkage,
        geometry,
        bias_variance,
        forest,
        reliability,
    ],
    ids=lambda draw: draw.__name__,
)
def test_plot_matches_the_reference(draw, tmp_path):
    display = draw()
    assert display.ax_.figure is display.figure_
    words = [text.get_text() for text in display.ax_.get_yticklabels()]
    if display.ax_.get_legend() is not None:
        words = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert words
    assert all(words)
    actual = tmp_path / f"{draw.__name__}.png"
    save_without_text(display, actual)
    reference = REFERENCES / actual.name
    if os.environ.get("FASTRIDGE_WRITE_PICTURES"):
        shutil.copy(actual, reference)
    expected = tmp_path / f"{draw.__name__}-expected.png"
    shutil.copy(reference, expected)
    assert compare_images(str(expected), str(actual), tol=TOLERANCE) is None


def test_plot_of_other_curves_differs_from_the_reference(tmp_path):
    X, y = data()
    display = ShrinkageDisplay.from_statistics(GramStatistics.from_data(X, y), [1.0, 100.0, 1e4])
    save_without_text(display, tmp_path / "other.png")
    shutil.copy(REFERENCES / "shrinkage.png", tmp_path / "expected.png")
    found = compare_images(
        str(tmp_path / "expected.png"), str(tmp_path / "other.png"), tol=TOLERANCE
    )
    assert found is not None
