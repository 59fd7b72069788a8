"""The same rows as every kind of design: the same solvers run on them, to the same answer."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import GramStatistics, scan
from fastridge.designs.dense import DenseDesign
from fastridge.designs.distributed import DaskDesign
from fastridge.designs.scanned import ScanDesign
from fastridge.designs.sparse import SparseDesign
from fastridge.designs.statistics import StatisticsDesign
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.kfold import row_errors, statistics_errors
from fastridge.model_selection.splits import GroupedRows, consecutive_folds
from fastridge.penalties.l2 import L2Penalty
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem
from fastridge.solvers.solver_selection import SOLVERS, solve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    dask = pytest.importorskip("dask")

N, P, T = 240, 7, 2
ALPHA = np.array([0.3, 5.0])
DESIGNS = ["sparse", "statistics", "scan", "dask"]


def rows():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((N, P)) * np.geomspace(0.1, 30.0, P) + 1.0
    X[rng.random((N, P)) < 0.4] = 0.0
    Y = X @ rng.standard_normal((P, T)) + rng.standard_normal((N, T))
    weight = rng.random(N)
    weight[::9] = 0.0
    return X, Y, weight


def partitions(X, Y, weight, size):
    begins = range(0, len(X), size)
    parts = [[a[begin : begin + size] for a in (X, Y, weight)] for begin in begins]
    return [(*map(dask.delayed, part), None) for part in parts]


def problem_of(kind, penalty, fit_intercept=True):
    X, Y, weight = rows()
    options = {"fit_intercept": fit_intercept, "n_threads": 1}
    if kind == "dense":
        return Problem(DenseDesign(X, weight, **options), SquaredLoss(Y), penalty)
    if kind == "sparse":
        return Problem(SparseDesign(sp.csr_array(X), weight, **options), SquaredLoss(Y), penalty)
    if kind == "scan":
        design = ScanDesign(scan(X, Y, weights=weight, batch_rows=50), **options)
    elif kind == "dask":
        design = DaskDesign(dask, partitions(X, Y, weight, 50), **options)
    else:
        held = GramStatistics.from_data(X, Y, weight, n_threads=1)._held()
        design = StatisticsDesign(held, **options)
    with dask.config.set(scheduler="synchronous"):
        return Problem(design, SquaredLoss(None, design.statistics), penalty)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("solver", [*SOLVERS, "positive"])
@pytest.mark.parametrize("kind", DESIGNS)
def test_ridge_solvers_of_every_design_give_the_answer_of_dense_rows(kind, solver, fit_intercept):
    if (kind, solver) == ("sparse", "svd"):
        pytest.skip("it would make X dense")
    penalty = L2Penalty(ALPHA, standardize=True, factors=np.linspace(0.0, 2.0, P))
    options = {"tol": 1e-13, "max_iter": 100_000}
    if solver in ("lbfgs", "positive"):
        options["positive"] = True
    name = "auto" if solver == "positive" else solver
    problem = problem_of(kind, penalty, fit_intercept)
    found = solve(problem, name, **options)
    expected = solve(problem_of("dense", penalty, fit_intercept), "auto", **options)
    assert found.not_converged is None
    size = np.abs(expected.coef).max(axis=1, keepdims=True)
    assert_allclose(found.coef, expected.coef, atol=1e-10 * size.max(), rtol=1e-10)
    assert_allclose(found.intercept, expected.intercept, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", DESIGNS)
def test_problem_values_of_every_design_are_those_of_dense_rows(kind):
    penalty = L2Penalty(ALPHA, standardize=True)
    dense = problem_of("dense", penalty).accumulated()
    problem = problem_of(kind, penalty).accumulated()
    assert problem.design.has_rows is (kind == "sparse")
    assert problem.design.n_values if problem.design.has_rows else problem.design.X is None
    for name in ("mean", "variances", "squares", "standard_squares", "sum_weights"):
        found, expected = getattr(problem.design, name), getattr(dense.design, name)
        assert_allclose(found, expected, rtol=1e-12, err_msg=name)
    assert_allclose(np.triu(problem.design.gram), np.triu(dense.design.gram), rtol=1e-10)
    for name in ("xy", "y_mean", "target_squares", "scale"):
        assert_allclose(getattr(problem, name), getattr(dense, name), rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_products_of_sparse_rows_are_those_of_dense_rows(layout):
    X, _, weight = rows()
    dense, sparse = DenseDesign(X, weight), SparseDesign(sp.csr_array(X).asformat(layout), weight)
    V, U = np.random.default_rng(0).standard_normal((2, 3, N))
    for design in (sparse, sparse.by_rows(), sparse.by_columns()):
        assert_allclose(design.predict(V[:, :P]), dense.predict(V[:, :P]), atol=1e-10)
        assert_allclose(design.correlate(U.T), dense.correlate(U.T), atol=1e-9)
        assert_array_equal(design.dense(slice(3, 9)), dense.dense(slice(3, 9)))
        some = np.array([1, 4])
        assert_array_equal(design.dense_columns(some), dense.dense_columns(some))
        assert design.n_values == np.count_nonzero(X)
        assert design.nbytes < dense.nbytes


@pytest.mark.parametrize("kind", DESIGNS)
def test_spectrum_of_every_design_gives_the_coefficients_of_dense_rows(kind):
    alphas = np.geomspace(1e-2, 1e3, 5)
    found = spectrum_of(problem_of(kind, L2Penalty()), alphas[0]).coefs(alphas)
    expected = spectrum_of(problem_of("dense", L2Penalty()), alphas[0]).coefs(alphas)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", DESIGNS)
def test_elastic_net_of_every_design_gives_the_path_of_dense_rows(kind, l1_ratio):
    def coefs(kind):
        problem = problem_of(kind, L2Penalty(standardize=True))
        net = ElasticNetProblem(problem, bounds=None, tol=1e-14, max_iter=10_000)
        paths = net.path([np.array([1.0, 0.1, 0.01])] * T, l1_ratio)
        out = np.zeros((T, 3, P))
        for target, points in enumerate(paths):
            for k, point in enumerate(points):
                out[target, k, point.features] = point.coef
        return out

    assert_allclose(coefs(kind), coefs("dense"), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["scan", "dask"])
def test_folds_of_streamed_rows_give_the_errors_of_dense_rows(kind):
    X, Y, weight = rows()
    dense = DenseDesign(X, weight)
    alphas, model = np.geomspace(1e-2, 1e2, 4), SplitModel(L2Penalty(), True)
    expected = row_errors(GroupedRows(dense, Y, consecutive_folds(N, 4)), alphas, model)
    if kind == "scan":
        design = ScanDesign(scan(X, Y, weights=weight, batch_rows=50), n_folds=4)
    else:
        begins = [*range(0, N, 50), N]
        design = DaskDesign(dask, partitions(X, Y, weight, 50), begins, n_folds=4)
    with dask.config.set(scheduler="synchronous"):
        found = statistics_errors(design.folds, alphas, model)
    assert_allclose(found.squared, expected.squared, rtol=1e-9)
    whole = dense.accumulate(Y)
    assert_allclose(design.statistics.xy, whole.xy, rtol=1e-9)
    assert design.shape == (np.count_nonzero(weight), P)


def test_streamed_rows_are_read_once_and_with_the_same_bits_in_batches_and_in_partitions():
    X, Y, weight = rows()
    scanned = ScanDesign(scan(X, Y, weights=weight, batch_rows=50), n_threads=1)
    design = DaskDesign(dask, partitions(X, Y, weight, 50))
    with dask.config.set(scheduler="synchronous"):
        found, expected = (
            one.statistics._replace(upper=np.triu(one.statistics.upper))
            for one in (design, scanned)
        )
    for name, value in expected._asdict().items():
        assert_array_equal(getattr(found, name), value, err_msg=name)
    assert scanned.folds is scanned.folds
    assert design.folds is design.folds
