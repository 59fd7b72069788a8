"""Logistic and generalized linear models against reference values of 30 digits."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import LogisticRegression, TweedieRegressor

FOLDER = Path(__file__).parent.parent / "data" / "glm_reference"
VALUES = json.loads((FOLDER / "values.json").read_text())


def fitted(name, **options):
    """The fitted model, and what it was fitted to."""
    fit = VALUES[name]
    with (FOLDER / f"{fit['data']}.csv").open() as file:
        rows = list(csv.DictReader(file))
    given = fit["options"]
    classes = given.get("classes")
    if classes:
        rows = [row for row in rows if row[fit["target"]] in classes]
    X = np.array([[float(row[c]) for c in fit["columns"]] for row in rows])
    y = np.array([row[fit["target"]] for row in rows])
    y = y if classes else y.astype(float)
    weight = np.array([float(row[fit["weights"]]) for row in rows]) if fit["weights"] else None
    if given["family"] == "tweedie":
        alpha = float(given.get("alpha", 0.0))
        model = TweedieRegressor(power=given["power"], link="log", alpha=alpha, **options)
    elif given["family"] == "firth":
        model = LogisticRegression(bias_reduction="firth", **options)
    else:
        model = LogisticRegression(C=float(given.get("C", np.inf)), **options)
    return model.fit(X, y, weight), (X, y, weight)


def values(name, key):
    return np.array(VALUES[name][key], dtype=float)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("tol", "digits"), [(1e-12, 1e-10), (None, 1e-5)])
def test_glm_fit_has_the_digits_of_its_tolerance(name, tol, digits):
    model, _ = fitted(name, **({} if tol is None else {"tol": tol}))
    wanted = values(name, "coef")
    scale = np.abs(wanted).max()
    found = np.reshape(model.coef_, wanted.shape)
    assert_allclose(found, wanted, rtol=digits, atol=1e-2 * digits * scale)
    assert_allclose(np.ravel(model.intercept_), values(name, "intercept"), rtol=digits)


@pytest.mark.parametrize("name", VALUES)
def test_glm_inference_has_ten_digits(name):
    model, given = fitted(name, tol=1e-12)
    found = model.inference(*given)
    wanted = values(name, "standard_errors")
    assert_allclose(np.reshape(found.standard_errors, wanted.shape), wanted, rtol=1e-10)
    assert_allclose(
        np.ravel(found.intercept_standard_error),
        values(name, "intercept_standard_errors"),
        rtol=1e-10,
    )
    assert_allclose(found.deviance, values(name, "deviance"), rtol=1e-10)
    assert_allclose(found.dispersion, values(name, "dispersion"), rtol=1e-10)
