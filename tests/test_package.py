"""The package as installed: what it imports, says about itself, and does without a build."""

import ast
import importlib
import importlib.metadata
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import fastridge
import fastridge.linear_model

SETS = ["baseline", "v3", "v4"]
SOURCE = Path(__file__).parents[1] / "fastridge"


def python(script, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def output(script, **environment):
    result = python(script, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# --- import --------------------------------------------------------------------------------------

OPTIONAL = ["pandas", "pyarrow", "dask", "distributed", "matplotlib", "rich", "polars", "tqdm"]


def test_import_and_fit_pull_in_no_optional_package():
    loaded = output(
        f"""
        import sys, sklearn.linear_model
        before = set(sys.modules)  # scikit-learn itself looks for pandas
        import numpy as np
        for step in (
            "import fastridge",
            "fastridge.Ridge",
            "fastridge.show_config(mode='dicts')",
            "fastridge.Ridge().fit(np.eye(4), np.arange(4.0)).predict(np.eye(4))",
        ):
            exec(step)
            found = [m for m in {OPTIONAL} if m in sys.modules and m not in before]
            if found:
                print(step, found)
        """
    )
    assert loaded == ""


def test_public_names():
    for name in ["GramStatistics", "Ridge", "ridge_path", "show_config", "save", "load"]:
        assert name in fastridge.__all__
        assert name in dir(fastridge)
        assert callable(getattr(fastridge, name))
    assert len(set(fastridge.__all__)) == len(fastridge.__all__)
    for name in fastridge.__all__:
        getattr(fastridge, name)
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        fastridge.nothing_of_this_name  # noqa: B018
    namespace = {}
    exec("from fastridge import *", namespace)
    assert set(fastridge.__all__) <= set(namespace)


@pytest.mark.parametrize("name", fastridge.linear_model.__all__)
def test_linear_model_exports_estimators_and_paths(name):
    namespace = {}
    exec(f"from fastridge.linear_model import {name}", namespace)
    assert namespace[name] is getattr(fastridge, name, namespace[name])
    assert name in dir(fastridge.linear_model)


def test_linear_model_lacks_a_name():
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        fastridge.linear_model.nothing_of_this_name  # noqa: B018


@pytest.mark.parametrize("package", [fastridge, fastridge.linear_model])
def test_stub_names_what_the_package_exports(package):
    stub = Path(package.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    imported = [
        alias.asname
        for node in ast.walk(ast.parse(stub))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert sorted(imported) == sorted(package.__all__)


def test_public_names_know_where_they_live():
    for name in fastridge.__all__:
        value = getattr(fastridge, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__
            module = importlib.import_module(value.__module__)
            assert getattr(module, value.__name__) is value


def test_every_module_imports():
    for module in pkgutil.walk_packages(fastridge.__path__, "fastridge."):
        if not module.name.startswith("fastridge._kernels.") and "__main__" not in module.name:
            importlib.import_module(module.name)


def test_version_is_that_of_the_metadata():
    assert fastridge.__version__ == importlib.metadata.version("fastridge-solvers")


def test_metadata():
    metadata = importlib.metadata.metadata("fastridge-solvers")
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert {"data", "dask", "plot", "cli", "test", "bench", "docs"} <= set(
        metadata.get_all("Provides-Extra")
    )
    assert metadata["Requires-Python"] == ">=3.11"


def test_typed():
    assert (Path(fastridge.__file__).parent / "py.typed").exists()


# --- without a build -----------------------------------------------------------------------------


@pytest.mark.skipif(
    not (SOURCE / "meson.build").exists(), reason="no source folder next to the tests"
)
def test_source_folder_without_a_build_says_what_to_do(tmp_path):
    shutil.copytree(
        SOURCE,
        tmp_path / "fastridge",
        ignore=shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__", "_version.py"),
    )
    result = python(
        """
        import sys
        frozen = [f for f in sys.meta_path if getattr(f, "__module__", "").startswith("_frozen")]
        sys.meta_path = frozen  # not the finder of an editable installation
        sys.path.insert(0, ".")
        try:
            import fastridge
            fastridge.Ridge
        except ImportError as error:
            print(error)
        """,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "pip install" in result.stdout
    assert "source" in result.stdout


# --- instruction sets ----------------------------------------------------------------------------

FIT = """
    import sys
    import numpy as np
    import scipy.sparse
    import fastridge
    rng = np.random.default_rng(0)
    out = []
    for dtype in ("float64", "float32", "int16"):
        X = (rng.standard_normal((777, 13)) * 20 + 50).astype(dtype)
        y = rng.standard_normal((777, 2)) + 3
        weight = rng.uniform(0.5, 2, 777)
        sparse = scipy.sparse.csr_array(X * (X > 50))
        for given in (X, np.asfortranarray(X), sparse, X[:9], X[:, :1]):
            model = fastridge.Ridge(alpha=0.5)
            model.fit(given, y[: given.shape[0]], sample_weight=weight[: given.shape[0]])
            out.extend(model.coef_.ravel().tolist())
            out.extend(model.predict(given).ravel().tolist())
            out.append(fastridge.GramStatistics.from_data(given, y[: given.shape[0]]).xx.sum())
    print(fastridge.show_config(mode="dicts"))
    print(*(repr(float(v)) for v in out))
"""


def test_every_available_instruction_set_gives_the_same_results():
    results = {}
    for name in SETS:
        result = python(FIT, FASTRIDGE_SIMD=name)
        if result.returncode:
            assert name != "baseline", result.stderr
            assert "ImportError" in result.stderr or "ValueError" in result.stderr
            assert name in result.stderr
            assert "FASTRIDGE_SIMD" in result.stderr
            continue
        config, numbers = result.stdout.strip().splitlines()
        assert repr(name) in config
        results[name] = np.array([float(v) for v in numbers.split()])
    assert "baseline" in results
    reference = results["baseline"]
    for values in results.values():
        np.testing.assert_allclose(values, reference, rtol=2e-5, atol=1e-6)
        assert np.median(np.abs(values - reference) / np.abs(reference)) < 1e-12


def test_bogus_instruction_set_is_a_clear_error():
    values = ["v5", "avx2", "V3 "]
    script = f"""
        import os
        import numpy as np
        for value in {values}:
            os.environ["FASTRIDGE_SIMD"] = value
            try:
                import fastridge
                fastridge.Ridge().fit(np.eye(3), np.arange(3.0))
            except (ImportError, ValueError) as error:
                print(error)
        """
    lines = output(script).splitlines()
    assert len(lines) == 3
    for line, value in zip(lines, values, strict=True):
        for word in ["FASTRIDGE_SIMD", value, "baseline", "v3", "v4"]:
            assert word in line


# --- show_config ---------------------------------------------------------------------------------


def test_show_config_as_dicts():
    config = fastridge.show_config(mode="dicts")
    text = repr(config)
    assert isinstance(config, dict)
    assert fastridge.__version__ in text
    for module in ["numpy", "scipy", "sklearn"]:
        assert importlib.import_module(module).__version__ in text
    assert any(repr(name) in text for name in SETS)


def test_show_config_prints(capsys):
    assert fastridge.show_config() is None
    text = capsys.readouterr().out
    for word in [fastridge.__version__, np.__version__, "threads", "BLAS"]:
        assert word.lower() in text.lower()
    assert any(name in text for name in SETS)


def test_show_config_refuses_other_modes():
    with pytest.raises(ValueError, match="(?s)stdout.*dicts"):
        fastridge.show_config(mode="yaml")


# --- stubs ---------------------------------------------------------------------------------------

PACKAGE = Path(fastridge.__file__).parent
STUBS = sorted(stub for stub in PACKAGE.glob("_kernels/*.pyi") if stub.stem != "__init__")


def compiled_kernels():
    """Name and module of every compiled kernel that this processor can run."""
    import fastridge._kernels as kernels

    for module in pkgutil.walk_packages(kernels.__path__, "fastridge._kernels."):
        wanted = set(SETS) & set(module.name.split("."))
        if module.name.endswith("._memoryviews"):  # what Cython puts there is not for calling
            continue
        if not module.ispkg and wanted <= set(kernels.available):
            yield module.name, importlib.import_module(module.name)


def stub_of(name):
    stem = name.rsplit(".", 1)[1]
    return [stub for stub in STUBS if stub.stem == stem]


def is_protocol(node):
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def parameters_of(node):
    arguments = node.args
    stated = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    stated += [arguments.vararg] if arguments.vararg else []
    return [argument.arg for argument in stated]


def declared_parameters(stub):
    """Names of the parameters of each function, which a protocol of any stub may declare."""
    protocols = {
        node.name: parameters_of(node.body[0])[1:]
        for path in STUBS
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and is_protocol(node)
    }
    declared = {}
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            declared[node.name] = parameters_of(node)
        elif isinstance(node, ast.AnnAssign) and getattr(node.annotation, "id", "") in protocols:
            declared[node.target.id] = protocols[node.annotation.id]
    return declared


def test_there_are_stubs():
    names = [name for name, _ in compiled_kernels()]
    assert names
    for name in names:
        assert stub_of(name), f"no stub for {name}"


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.stem)
def test_stubs_agree_with_the_compiled_signatures(stub):
    declared = declared_parameters(stub)
    classes = {
        node.name
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ClassDef) and not is_protocol(node)
    }
    modules = [m for name, m in compiled_kernels() if name.endswith(f".{stub.stem}")]
    assert modules
    for module in modules:
        compiled = {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_")
            and callable(value)
            and not inspect.isclass(value)
            and getattr(value, "__module__", "").endswith(stub.stem)
        }
        assert compiled or classes
        assert set(compiled) == set(declared), module.__name__
        assert all(inspect.isclass(vars(module).get(name)) for name in classes)
        for name, function in compiled.items():
            parameters = list(inspect.signature(function).parameters)
            assert parameters == declared[name], name
