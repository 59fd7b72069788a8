"""Docstrings of all that is public: complete, by numpydoc's validation, and each by itself."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

import fastridge
import fastridge.dask
import fastridge.display
import fastridge.kernel_ridge
import fastridge.linear_model
import fastridge.onnx
import fastridge.optim
from fastridge import GramStatistics, scan
from fastridge._docstrings import documented, entries

validation = pytest.importorskip("numpydoc.validate")
from numpydoc.docscrape import NumpyDocString  # noqa: E402

PACKAGES = (
    fastridge,
    fastridge.linear_model,
    fastridge.kernel_ridge,
    fastridge.display,
    fastridge.optim,
    fastridge.dask,
    fastridge.onnx,
)
IGNORED = {"ES01"}  # a summary may say all
IGNORED_OF_METHODS = {"SA01", "EX01"}  # those of the class serve its methods, too
BORROWED = re.compile(r"(?im)\b(as (for|of) `[^`]*`[,.;]?$|which[ ]see\b|see `?fit`?\b)")


def public_objects():
    """Every public function and class, and the public methods of ours, by where they stand."""
    values = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    for kind in filter(inspect.isclass, list(values)):
        values += [getattr(kind, name) for name in dir(kind) if not name.startswith("_")]
    ours = [v for v in values if str(getattr(v, "__module__", None)).startswith("fastridge.")]
    return {f"{v.__module__}.{v.__qualname__}": v for v in ours if callable(v)}


OBJECTS = public_objects()


def attributes_documented(kind):
    """Names and descriptions of the attributes of a class, each by itself."""
    entries = NumpyDocString(inspect.getdoc(kind))["Attributes"]
    return {entry.name: entry for entry in entries}


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_passes_numpydoc_validation(name):
    ignored = set(IGNORED)
    if not inspect.isclass(OBJECTS[name]) and "." in OBJECTS[name].__qualname__:
        ignored |= IGNORED_OF_METHODS
    found = [error for error in validation.validate(name)["errors"] if error[0] not in ignored]
    assert found == []


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_entries_stand_alone_and_describe(name):
    doc = NumpyDocString(inspect.getdoc(OBJECTS[name]))
    for section in ("Parameters", "Attributes"):
        for entry in doc[section]:
            assert ", " not in entry.name, f"{entry.name}: one entry for each"
            assert entry.type, entry.name
            assert entry.desc, entry.name


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_borrows_nothing(name):
    assert not BORROWED.search(inspect.getdoc(OBJECTS[name]))


# --- shared entries -------------------------------------------------------------------------------


SHARED = entries(
    """
alpha : float, default=1.0
    Penalty, at least 0.

    - A list.
tol : float
    Precision.
"""
)


def test_documented_names_alone_take_type_and_text():
    @documented(SHARED)
    def fit(alpha, tol):
        """Fit.

        Parameters
        ----------
        alpha, tol
        """

    alpha, tol = NumpyDocString(inspect.getdoc(fit))["Parameters"]
    assert alpha == ("alpha", "float, default=1.0", ["Penalty, at least 0.", "", "- A list."])
    assert tol == ("tol", "float", ["Precision."])


def test_documented_entry_without_text_keeps_its_type():
    @documented(SHARED)
    def fit(tol, alpha):
        """Fit.

        Parameters
        ----------
        tol : float, default=0.1
        alpha : int
            Own text.
        """

    tol, alpha = NumpyDocString(inspect.getdoc(fit))["Parameters"]
    assert tol == ("tol", "float, default=0.1", ["Precision."])
    assert alpha == ("alpha", "int", ["Own text."])


def test_documented_section_of_names_takes_its_entries():
    @documented(SHARED)
    def fit(alpha, tol):
        """Fit.

        Parameters: alpha, tol

        Notes
        -----
        Raises: nothing.
        """

    alpha, tol = NumpyDocString(inspect.getdoc(fit))["Parameters"]
    assert alpha.type == "float, default=1.0"
    assert tol == ("tol", "float", ["Precision."])
    assert NumpyDocString(inspect.getdoc(fit))["Notes"] == ["Raises: nothing."]


def test_documented_self_takes_the_name_of_the_class():
    class Model:
        @documented(entries("Self\n    This estimator."))
        def fit(self):
            """Fit.

            Returns: Self
            """

    (returned,) = NumpyDocString(inspect.getdoc(Model.fit))["Returns"]
    assert (returned.type, returned.desc) == ("Model", ["This estimator."])


def test_documented_without_docstrings_changes_nothing():
    command = "from fastridge import Lasso; assert Lasso.__doc__ is None; print(Lasso(alpha=2.0))"
    run = [sys.executable, "-P", "-OO", "-c", command]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == (
        "Lasso(alpha=2.0)\n"
    )


# --- attributes that a fit sets -------------------------------------------------------------------


def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return X, X @ [1.0, -2.0, 0.0] + rng.standard_normal(40)


SEVERAL_PASSES = ("LogisticRegression", "PoissonRegressor", "GammaRegressor", "TweedieRegressor")


def fitted_models(name):
    """Models of a class, fitted in every way that sets other attributes."""
    X, y = rows()
    kind = getattr(fastridge, name)
    if "Classifier" in name or name.startswith("Logistic") or name == "LinearSVC":
        y = (y > 0.0).astype(int)
    if name in ("PoissonRegressor", "GammaRegressor"):
        y = np.exp(0.1 * y)
    several = {"RidgeCV": [{"cv": 4}, {"store_cv_results": True}, {"method": "em"}]}
    several["RidgeClassifierCV"] = [{**some, "calibration": "loo"} for some in several["RidgeCV"]]
    several["RidgeClassifier"] = [{"calibration": "loo"}]
    several |= {"KernelRidgeCV": [{"cv": 4}], "KernelRidge": [{"solver": "nystrom"}]}
    first = {"Cs": 2, "l1_ratios": (0,), "scoring": None, "use_legacy_attributes": False}
    for options in [first if name == "LogisticRegressionCV" else {}, *several.get(name, [])]:
        yield kind(**options).fit(X, y)
    if name in SEVERAL_PASSES:
        yield kind().fit(scan(X, y))
    if hasattr(kind, "fit_statistics"):
        halves = [GramStatistics.from_data(X[k::2], y[k::2], feature_names="abc") for k in (0, 1)]
        model = kind(method="gcv") if name == "RidgeCV" else kind()
        yield model.fit_statistics(halves if name.endswith("CV") else halves[0])


ESTIMATORS = [name for name in fastridge.__all__ if hasattr(getattr(fastridge, name), "fit")]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fitted_attributes_are_those_documented(name):
    documented = attributes_documented(getattr(fastridge, name))
    found = set()
    for model in fitted_models(name):
        found |= {key for key in vars(model) if key.endswith("_") and not key.startswith("_")}
    computed = {"sparse_coef_"}
    only_of_tables = {"feature_names_in_", "encoding_"}
    assert found <= set(documented)
    assert set(documented) - computed - only_of_tables <= found


DISPLAYS = [getattr(fastridge.display, name) for name in fastridge.display.__all__]


@pytest.mark.parametrize("kind", DISPLAYS, ids=lambda kind: kind.__name__)
def test_attributes_of_displays_are_documented(kind):
    source = inspect.getsource(kind)
    drawn = set(re.findall(r"self\.([a-z0-9_]+_)(?=[,:]| =|\b.* = )", source))
    assert drawn <= set(attributes_documented(kind))
