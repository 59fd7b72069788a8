"""Every display against its stored picture.

After a change that is meant, write the pictures anew with ``FASTRIDGE_WRITE_PICTURES=1 pytest
tests/display`` and look at them.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.testing.compare import compare_images

from fastridge import GramStatistics, Ridge, RidgeCV
from fastridge.display import (
    AlphaSelectionDisplay,
    BiasVarianceDisplay,
    PenaltyGeometryDisplay,
    RegularizationPathDisplay,
    ShrinkageDisplay,
)

REFERENCES = Path(__file__).with_name("references")
TOLERANCE = 15  # root mean square of grey values: other fonts pass, other curves do not


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


@pytest.mark.parametrize(
    "draw",
    [path, path_by_dof, selection, evidence, shrinkage, geometry, bias_variance],
    ids=lambda draw: draw.__name__,
)
def test_picture(draw, tmp_path):
    display = draw()
    figure = display.figure_
    assert display.ax_.figure is figure
    figure.set_size_inches(6.0, 4.5)
    actual = tmp_path / f"{draw.__name__}.png"
    figure.savefig(actual, dpi=55)
    reference = REFERENCES / actual.name
    if os.environ.get("FASTRIDGE_WRITE_PICTURES"):
        shutil.copy(actual, reference)
    expected = tmp_path / f"{draw.__name__}-expected.png"
    shutil.copy(reference, expected)
    assert compare_images(str(expected), str(actual), tol=TOLERANCE) is None


def test_other_curves_do_not_pass(tmp_path):
    X, y = data()
    display = ShrinkageDisplay.from_statistics(GramStatistics.from_data(X, y), [1.0, 100.0, 1e4])
    display.figure_.set_size_inches(6.0, 4.5)
    display.figure_.savefig(tmp_path / "other.png", dpi=55)
    shutil.copy(REFERENCES / "shrinkage.png", tmp_path / "expected.png")
    found = compare_images(
        str(tmp_path / "expected.png"), str(tmp_path / "other.png"), tol=TOLERANCE
    )
    assert found is not None
