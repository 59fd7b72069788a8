"""Test modules of the installed scikit-learn, run with fastridge's classes in place of theirs.

A module is read, and before it is run its syntax tree is changed:

- after its imports stands an import of ours;
- from its literal collections some elements are left out, and what more its suite wants.

Tests that come near none of our names are not run: whether one does is read off the syntax tree.
"""

import ast
import importlib.util
import sys
import types

import pytest


def names_in(node):
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} | {
        child.arg for child in ast.walk(node) if isinstance(child, ast.arg)
    }


def functions_that_use(tree, targets):
    """Names of the module's functions that refer to a target, themselves or through another."""
    uses = {node.name: names_in(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = {name for name, used in uses.items() if used & targets}
    while True:
        more = {name for name, used in uses.items() if used & found} | found
        if more == found:
            return found
        found = more


class Without(ast.NodeTransformer):
    """Leave constants, and the names of classes, out of every literal collection.

    An element that is a tuple of parameters goes with the name in it.
    """

    def __init__(self, left_out):
        self.left_out = left_out

    def is_left_out(self, element):
        if isinstance(element, ast.Constant):
            return element.value in self.left_out
        parts = element.elts if isinstance(element, ast.Tuple) else [element]
        return any(isinstance(part, ast.Name) and part.id in self.left_out for part in parts)

    def visit_collection(self, node):
        node.elts = [element for element in node.elts if not self.is_left_out(element)]
        self.generic_visit(node)
        return node

    visit_List = visit_Tuple = visit_Set = visit_collection


class WithoutModule(ast.NodeTransformer):
    """Write ``name`` for ``module.name`` of the names that are ours."""

    def __init__(self, module, ours):
        self.module, self.ours = module, ours

    def visit_Attribute(self, node):
        self.generic_visit(node)
        of_module = isinstance(node.value, ast.Name) and node.value.id == self.module
        return ast.Name(node.attr, node.ctx) if of_module and node.attr in self.ours else node


def load_suite(module, ours, left_out, change=None, imported=None):
    """The changed module, and the names of its tests that concern `ours`.

    `imported` is the name of a module of theirs by which they write their classes.
    """
    spec = importlib.util.find_spec(module)
    if spec is None:
        pytest.skip("scikit-learn is installed without its tests", allow_module_level=True)
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    tree = WithoutModule(imported, ours).visit(tree)
    used = functions_that_use(tree, set(ours))
    concerned = sorted(name for name in used if name.startswith("test_"))
    tree = Without(left_out).visit(tree)
    if change is not None:
        change(tree)
    last_import = max(
        position
        for position, node in enumerate(tree.body)
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    imports = ast.parse(f"from fastridge import {', '.join(ours)}").body
    tree.body[last_import + 1 : last_import + 1] = imports
    suite = types.ModuleType("fastridge_in_" + module.rpartition(".")[2])
    suite.__file__ = spec.origin
    sys.modules[suite.__name__] = suite
    exec(compile(ast.fix_missing_locations(tree), spec.origin, "exec"), vars(suite))
    return suite, concerned


def with_lists(function):
    """Parametrised values that are generators become lists: pytest deprecates the former."""
    function.pytestmark = [
        pytest.mark.parametrize(mark.args[0], list(mark.args[1]), **mark.kwargs).mark
        if mark.name == "parametrize"
        else mark
        for mark in getattr(function, "pytestmark", [])
    ]
    return function


def expect_failure(request, exclusions):
    """Mark the test to fail if its name, or its name and one or all parameters, is excluded."""
    name = request.function.__name__
    given = getattr(request.node, "callspec", None)
    parts = [given.id, *given.id.split("-")] if given else []
    keys = [name, *(f"{name}[{part}]" for part in parts)]
    for key in keys:
        if key in exclusions:
            request.node.add_marker(pytest.mark.xfail(reason=exclusions[key], strict=True))


def adopt_suite(namespace, module, ours, left_out, exclusions, change=None, imported=None):
    """Load a suite and put its tests, and the fixtures that they need, into a test module.

    Those of `exclusions`, by name or as ``name[parameter]``, must fail.
    """
    suite, concerned = load_suite(module, ours, left_out, change, imported)
    namespace |= {name: with_lists(vars(suite)[name]) for name in concerned}

    @pytest.fixture(params=[42])
    def global_random_seed(request):
        """scikit-learn's fixture of this name, at its default."""
        return request.param

    @pytest.fixture(autouse=True)
    def excluded_tests_must_fail(request):
        expect_failure(request, exclusions)

    namespace["global_random_seed"] = global_random_seed
    namespace["excluded_tests_must_fail"] = excluded_tests_must_fail
    return suite, concerned
