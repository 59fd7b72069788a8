"""Coordinate descent on a Gram and its duality gap, for every instruction set."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import ElasticNetRows

from fastridge import _kernels

FIELDS = _kernels.coordinate_descent.FIELDS


@pytest.fixture(params=_kernels.available)
def kernel(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.coordinate_descent")


class Problem:
    """The arguments of `descend`, made from rows; the buffers may be larger than the problem."""

    def __init__(self, X, y, l1, l2=0.0, bounds=None, start=None, spare=0):
        n, p = X.shape
        rows = ElasticNetRows(X, y, 0.0, 1.0, bounds=bounds, fit_intercept=False)
        rows.l1, rows.l2 = np.full(p, l1, float), np.full(p, l2, float)
        self.rows, self.n_features = rows, p
        capacity = p + spare
        self.gram = np.full((capacity, capacity), np.nan)
        self.gram[:p, :p] = X.T @ X / n
        coef = np.zeros(p) if start is None else np.asarray(start, dtype=float)
        self.fields = np.zeros((len(FIELDS), capacity))
        values = [coef, rows.X.T @ (rows.y - rows.X @ coef), rows.X.T @ rows.y]
        values += [rows.l1, rows.l2, rows.lower, rows.upper, np.diagonal(self.gram)[:p]]
        self.fields[: len(values), :p] = values
        self.factor = np.full((capacity, capacity), np.nan)
        self.member = np.full(capacity, -1, dtype=np.int32)
        self.position = np.full(capacity, -1, dtype=np.int32)
        self.target_square = float(rows.y @ rows.y)
        self.progress = None

    def field(self, name):
        return self.fields[FIELDS.index(name), : self.n_features]

    @property
    def coef(self):
        return self.field("coef")

    @property
    def iterations(self):
        return self.progress.iterations

    @property
    def gap(self):
        return self.progress.primal - self.progress.dual

    def state(self, kernel):
        """The factor and what else is kept between calls."""
        if self.progress is None:
            self.progress = kernel.Progress(self.target_square)
        return self.factor, self.member, self.position

    def descend(self, kernel, tol=1e-13, max_iterations=1000, budget=1e9):
        state = self.state(kernel)
        self.progress.tolerance = tol * self.target_square
        schedule = kernel.Schedule(budget, max_iterations)
        return kernel.descend(
            self.gram, self.n_features, self.fields, *state, self.progress, schedule
        )

    def begin_path(self, kernel, l2, alphas, tolerances):
        """A path, all of whose points have these penalties at alpha 1: l1 is 1."""
        self.field("unit_l1")[:] = 1.0
        self.field("unit_l2")[:] = l2
        points = np.zeros(len(alphas), dtype=kernel.POINT)
        points["alpha"], points["tolerance"] = alphas, tolerances
        return points, np.zeros((len(alphas), self.n_features))

    def follow(self, kernel, points, coefs, max_iterations=1000, budget=1e9):
        state, schedule = self.state(kernel), kernel.Schedule(budget, max_iterations)
        return kernel.follow(self.gram, self.fields, *state, points, coefs, self.progress, schedule)

    def check(self, tol=1e-13):
        """The reference's minimum, the optimality conditions, and what else is returned."""
        rows, coef = self.rows, self.coef
        unit = max(self.target_square, 1e-300)
        assert rows.violation(coef) < 1e-6
        least = rows.objective(rows.solve())
        assert rows.objective(coef) - least <= (tol + 2e-15) * unit
        assert rows.objective(coef) - rows.dual(coef) <= (2.0 * tol + 2e-14) * unit
        self.check_progress()

    def check_progress(self):
        rows, coef = self.rows, self.coef
        gradient = rows.X.T @ (rows.y - rows.X @ coef)
        scale = np.sqrt(self.target_square * np.maximum(rows.square, 1e-300))
        assert np.all(np.abs(self.field("gradient") - gradient) <= 1e-12 * scale)
        assert_allclose(
            self.progress.primal, rows.objective(coef), rtol=1e-12, atol=1e-14 * self.target_square
        )
        assert self.progress.dual <= rows.objective(coef) + 1e-14 * self.target_square
        self.check_factor()

    def check_factor(self):
        """U'U is the Gram of the members with their ridge; positions are the members' inverse."""
        order = self.progress.order
        member, position = self.member[:order], self.position[: self.n_features]
        assert len(set(member.tolist())) == order
        assert_array_equal(position[member], np.arange(order))
        assert np.count_nonzero(position >= 0) == order
        U = np.triu(self.factor[:order, :order])
        expected = self.gram[np.ix_(member, member)] + np.diag(self.field("ridge")[member])
        scale = np.sqrt(np.diagonal(expected))
        assert self.progress.factored == order
        assert np.all(np.abs(U.T @ U - expected) <= 1e-10 * np.outer(scale, scale))


def random(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = X[:, ::3] @ rng.standard_normal(len(range(0, p, 3))) + 0.5 * rng.standard_normal(n)
    return X, y


def collinear(n, p, seed=0):
    """Columns that a few factors nearly span."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, p))
    X += 0.03 * rng.standard_normal((n, p))
    return X, X @ rng.standard_normal(p) + 0.3 * rng.standard_normal(n)


def duplicated(n, p, seed=0):
    X, y = random(n, p, seed)
    X[:, p // 2 : 2 * (p // 2)] = X[:, : p // 2]
    return X, y


def with_a_zero_column(n, p, seed=0):
    X, y = random(n, p, seed)
    X[:, p // 2] = 0.0
    return X, y


def scaled(n, p, seed=0):
    X, y = random(n, p, seed)
    return X * 10.0 ** np.random.default_rng(seed).integers(-3, 4, p), y


MAKES = [random, collinear, duplicated, with_a_zero_column]
SHAPES = [(40, 1), (40, 9), (40, 25), (12, 30)]


def largest(X, y):
    return np.abs(X.T @ y).max() / len(X)


@pytest.mark.parametrize("l2", [0.0, 0.05], ids=["lasso", "l2"])
@pytest.mark.parametrize("bounds", [None, (0.0, np.inf), (-0.1, 0.3)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("make", MAKES)
def test_reaches_the_minimum(kernel, make, shape, bounds, l2):
    X, y = make(*shape)
    for share in (0.5, 0.02):
        problem = Problem(X, y, share * largest(X, y), l2, bounds)
        assert problem.descend(kernel)
        assert problem.gap <= 1e-13 * problem.target_square
        problem.check()


@pytest.mark.parametrize("shape", [(40, 9), (40, 25)], ids=str)
@pytest.mark.parametrize("share", [0.9, 0.1, 1e-3])
def test_columns_in_other_units(kernel, shape, share):
    X, y = scaled(*shape)
    l1 = share * np.abs(X.T @ y) / len(X)
    problem = Problem(X, y, l1)
    assert problem.descend(kernel)
    problem.check()


@pytest.mark.parametrize("bounds", [None, (0.0, np.inf), (-0.2, 0.1)], ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("make", [random, collinear])
def test_features_without_l1(kernel, make, l2, bounds):
    X, y = make(40, 12)
    l1 = np.full(12, 0.1 * largest(X, y))
    l1[[0, 5, 6]] = 0.0
    problem = Problem(X, y, l1, l2, bounds)
    assert problem.descend(kernel)
    problem.check()
    if bounds is None:
        assert np.all(problem.coef[[0, 5, 6]] != 0.0)


def test_no_penalty_is_least_squares(kernel):
    X, y = random(40, 7)
    problem = Problem(X, y, 0.0)
    assert problem.descend(kernel)
    assert_allclose(problem.coef, np.linalg.lstsq(X, y)[0], rtol=1e-9)


def test_l2_alone_is_ridge(kernel):
    X, y = random(40, 7)
    problem = Problem(X, y, 0.0, 0.25)
    assert problem.descend(kernel)
    expected = np.linalg.solve(X.T @ X / 40 + 0.25 * np.eye(7), X.T @ y / 40)
    assert_allclose(problem.coef, expected, rtol=1e-9)


def test_bounds_of_zero_hold_a_coefficient_there(kernel):
    X, y = random(40, 9)
    bounds = np.full(9, -np.inf), np.full(9, np.inf)
    bounds[0][0] = bounds[1][0] = 0.0
    problem = Problem(X, y, 0.01, bounds=bounds)
    assert problem.descend(kernel)
    problem.check()
    assert problem.coef[0] == 0.0
    free = Problem(X, y, 0.01)
    assert free.descend(kernel)
    assert free.coef[0] != 0.0


def test_bounds_are_reached_exactly(kernel):
    X, y = random(40, 9)
    problem = Problem(X, y, 1e-4, bounds=(-0.1, 0.1))
    assert problem.descend(kernel)
    problem.check()
    assert np.count_nonzero(np.abs(problem.coef) == 0.1) >= 2


def test_a_large_penalty_leaves_zeros_at_once(kernel):
    X, y = random(40, 9)
    problem = Problem(X, y, 1.000001 * largest(X, y))
    assert problem.descend(kernel, tol=1e-15)
    assert_array_equal(problem.coef, 0.0)
    assert problem.iterations <= 1
    assert_allclose(problem.progress.primal, problem.target_square / 2, rtol=1e-14)


def test_y_of_zeros(kernel):
    X, _ = random(40, 9)
    problem = Problem(X, np.zeros(40), 0.1)
    assert problem.descend(kernel, tol=0.0)
    assert_array_equal(problem.coef, 0.0)
    assert problem.gap == 0.0


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("shape", [(40, 25), (12, 30)], ids=str)
def test_warm_start(kernel, make, shape):
    """From a start that is far away, with coefficients to lose and to win."""
    X, y = make(*shape)
    start = np.random.default_rng(1).standard_normal(shape[1]) * (np.arange(shape[1]) % 2)
    problem = Problem(X, y, 0.1 * largest(X, y), 0.01, start=start)
    assert problem.descend(kernel)
    problem.check()
    again = Problem(X, y, 0.1 * largest(X, y), 0.01, start=problem.coef)
    assert again.descend(kernel)
    assert again.iterations == 0
    assert_allclose(again.coef, problem.coef, rtol=1e-7, atol=1e-9)


def test_start_at_the_bounds(kernel):
    X, y = random(40, 12)
    start = np.where(np.arange(12) % 2, 0.2, -0.2)
    problem = Problem(X, y, 0.05, bounds=(-0.2, 0.2), start=start)
    assert problem.descend(kernel)
    problem.check()


@pytest.mark.parametrize("make", [random, collinear])
@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_one_state_through_a_path(kernel, make, l2):
    """The factor stays valid when penalties change between calls, downwards and upwards."""
    X, y = make(60, 30)
    problem = Problem(X, y, 1.0, 1.0, spare=5)
    rows = problem.rows
    for share in [0.5, 0.1, 0.01, 1e-3, 0.05, 0.8, 0.003]:
        rows.l1[:] = share * largest(X, y)
        rows.l2[:] = l2 * share
        problem.field("l1")[:], problem.field("l2")[:] = rows.l1, rows.l2
        if problem.progress is not None:
            problem.progress.dual = -np.inf
            problem.progress.iterations = 0
        assert problem.descend(kernel)
        problem.check()


def test_columns_join_between_calls(kernel):
    X, y = random(60, 30)
    whole = Problem(X, y, 0.02, 0.01)
    part = Problem(X, y, 0.02, 0.01)
    part.n_features = 11
    assert part.descend(kernel)
    coef = part.coef.copy()
    inner = Problem(X[:, :11], y, 0.02, 0.01)
    assert inner.descend(kernel)
    assert_allclose(coef, inner.coef, rtol=1e-6, atol=1e-9)
    part.n_features = 30
    part.field("gradient")[:] = part.rows.X.T @ (part.rows.y - part.rows.X[:, :11] @ coef)
    part.progress.dual = -np.inf
    assert part.descend(kernel)
    part.check()
    assert whole.descend(kernel)
    assert_allclose(part.coef, whole.coef, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("spare", "touched"), [(4, 9), (7, 16), (20, 16)])
def test_nothing_is_touched_but_the_features_in_use(kernel, spare, touched):
    """Nor past the next multiple of eight, where there is room for that."""
    X, y = random(40, 9)
    problem = Problem(X, y, 0.05, spare=spare)
    problem.fields[:, 9:] = 77.0
    gram = problem.gram.copy()
    assert problem.descend(kernel)
    problem.check()
    assert_array_equal(problem.fields[:, touched:], 77.0)
    assert_array_equal(problem.member[9:], -1)
    assert_array_equal(problem.position[9:], -1)
    assert_array_equal(problem.gram, gram)
    assert np.isnan(problem.factor[9:]).all()
    exact = Problem(X, y, 0.05)
    assert exact.descend(kernel)
    assert_allclose(problem.coef, exact.coef, rtol=1e-12)


@pytest.mark.parametrize("budget", [1.0, 500.0, 5000.0])
@pytest.mark.parametrize("make", [random, collinear])
def test_a_small_budget_takes_more_calls(kernel, make, budget):
    X, y = make(60, 40)
    problem = Problem(X, y, 0.01 * largest(X, y), 0.001)
    calls, objectives = 0, [problem.rows.objective(problem.coef)]
    while not problem.descend(kernel, budget=budget):
        calls += 1
        objectives.append(problem.rows.objective(problem.coef))
        if problem.progress.factored == problem.progress.order:
            problem.check_progress()
        assert calls < 3000, "no progress"
    assert calls > 0
    assert np.all(np.diff(objectives) <= 1e-14 * problem.target_square)
    problem.check()


@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_max_iterations(kernel, most):
    X, y = collinear(60, 40)
    problem = Problem(X, y, 1e-5 * largest(X, y))
    assert not problem.descend(kernel, tol=-1.0, max_iterations=most)
    assert problem.iterations == most
    problem.check_progress()
    assert problem.rows.objective(problem.coef) <= problem.target_square / 2


def test_the_gap_bounds_the_distance_after_every_sweep(kernel):
    X, y = collinear(60, 30)
    problem = Problem(X, y, 1e-3 * largest(X, y))
    least = problem.rows.objective(problem.rows.solve())
    above = []
    for most in range(1, 60):
        reached = problem.descend(kernel, tol=1e-13, max_iterations=most)
        above.append(problem.rows.objective(problem.coef) - least)
        assert above[-1] <= problem.gap + 1e-14 * problem.target_square
        if reached:
            break
    assert reached
    assert np.all(np.diff(above) <= 1e-14 * problem.target_square)


# --- a whole path ---------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1.0, 3000.0, 1e9])
@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("make", MAKES)
def test_follow(kernel, make, l2, budget):
    """Each row of the path as `descend` finds it at that alpha."""
    X, y = make(40, 25)
    problem = Problem(X, y, 1.0)
    alphas = largest(X, y) * np.array([1.1, 0.5, 0.1, 0.02])
    points, coefs = problem.begin_path(kernel, l2, alphas, 1e-13 * problem.target_square)
    for _ in range(20000):
        if problem.follow(kernel, points, coefs, budget=budget):
            break
    else:
        raise AssertionError("no progress")
    assert np.all(points["converged"] == 1)
    assert np.all(points["doubtful"] == 0)
    assert np.all(points["gap"] <= points["tolerance"])
    for alpha, coef in zip(alphas, coefs, strict=True):
        single = Problem(X, y, alpha, l2 * alpha, start=coef)
        single.state(kernel)
        single.progress.primal = single.rows.objective(coef)
        single.check()
    assert_array_equal(coefs[0], 0.0)
    assert_array_equal(problem.coef, coefs[-1])


@pytest.mark.parametrize("bounds", [None, (0.0, np.inf), (-0.3, 0.2)])
@pytest.mark.parametrize("l2", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("spare", [0, 15])
def test_follow_a_fine_path(kernel, spare, l2, bounds):
    """Many alphas close together: starts extrapolate the solutions before, factors are kept."""
    p = 50
    X, y = random(200, p)
    bounds = None if bounds is None else (np.full(p, bounds[0]), np.full(p, bounds[1]))
    problem = Problem(X, y, 1.0, bounds=bounds, spare=spare)
    alphas = largest(X, y) * np.repeat(np.geomspace(1.0, 1e-4, 60), np.arange(60) % 7 // 6 + 1)
    points, coefs = problem.begin_path(kernel, l2, alphas, 1e-13 * problem.target_square)
    assert problem.follow(kernel, points, coefs, budget=1e12)
    assert np.all(points["converged"] == 1)
    assert np.all(points["gap"] <= points["tolerance"])
    exact = problem.field("xy") - problem.gram[:p, :p] @ problem.coef
    scale = abs(problem.field("xy")).max()
    assert_allclose(problem.field("gradient"), exact, rtol=0, atol=1e-13 * scale)
    for alpha, coef in zip(alphas[::9], coefs[::9], strict=True):
        single = Problem(X, y, alpha, l2 * alpha, bounds=bounds)
        assert single.descend(kernel)
        assert_allclose(coef, single.coef, rtol=1e-6, atol=1e-7)


def test_follow_gives_up_on_a_point_after_max_iterations(kernel):
    X, y = collinear(60, 40)
    problem = Problem(X, y, 1.0)
    tolerances = [-1.0, 1e-10 * problem.target_square]
    points, coefs = problem.begin_path(kernel, 0.0, [1e-4 * largest(X, y)] * 2, tolerances)
    assert problem.follow(kernel, points, coefs, max_iterations=200)
    assert_array_equal(points["converged"], [0, 1])
    assert points["iterations"][0] == 200
    assert points["iterations"][1] < 200


# --- the gap --------------------------------------------------------------------------------------


def fields_of(rows, coef):
    """The fields that describe a problem, at any coefficients."""
    gradient, xy = rows.X.T @ (rows.y - rows.X @ coef), rows.X.T @ rows.y
    return np.array([coef, gradient, xy, rows.l1, rows.l2, rows.lower, rows.upper, rows.square])


@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("bounds", [None, (0.0, 0.7), (-np.inf, 0.3), (-0.5, 0.5)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_duality_is_the_objective_and_a_bound(kernel, shape, bounds, l2):
    X, y = random(*shape)
    rows = Problem(X, y, 0.05, l2, bounds).rows
    best = rows.solve()
    least, square = rows.objective(best), rows.y @ rows.y
    rng = np.random.default_rng(2)
    for step in (0.0, 1e-6, 1e-3, 0.1, 3.0):
        coef = best + step * rng.standard_normal(shape[1])
        coef = np.clip(coef, rows.lower, rows.upper)
        primal, dual = kernel.duality(fields_of(rows, coef), len(coef), square)
        assert_allclose(primal, rows.objective(coef), rtol=1e-12)
        assert dual <= least + 1e-14 * square
        assert dual <= rows.dual(coef) + 1e-12 * square
        if step <= 1e-3:
            assert least - dual <= (1e-14 + 20.0 * step) * square


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_duality_of_the_elastic_net_by_hand(kernel, l2):
    """That of a lasso on rows extended by sqrt(l2): theta = s r, s the largest that is feasible."""
    X, y = random(40, 9)
    rows = Problem(X, y, 0.1, l2).rows
    coef = np.random.default_rng(3).standard_normal(9)
    wide, long = np.vstack([rows.X, np.sqrt(l2) * np.eye(9)]), np.append(rows.y, np.zeros(9))
    r = long - wide @ coef
    s = min(r @ long / (r @ r), 0.1 / np.abs(wide.T @ r).max())
    primal, dual = kernel.duality(fields_of(rows, coef), 9, float(rows.y @ rows.y))
    assert_allclose(primal, r @ r / 2 + 0.1 * np.abs(coef).sum(), rtol=1e-13)
    assert_allclose(dual, s * r @ long - s * s * (r @ r) / 2, rtol=1e-12)


def test_duality_of_a_bounded_problem_by_hand(kernel):
    """D(s) at s = 1 where both ends are bounded: every conjugate is finite."""
    X, y = random(40, 9)
    rows = Problem(X, y, 0.1, 0.0, (-0.4, 0.9)).rows
    coef = np.clip(np.random.default_rng(3).standard_normal(9), -0.4, 0.9)
    r = rows.y - rows.X @ coef
    z = rows.X.T @ r
    ends = np.where(z > 0.0, 0.9, 0.4)
    conjugates = np.maximum(np.abs(z) - 0.1, 0.0) * ends
    _, dual = kernel.duality(fields_of(rows, coef), 9, float(rows.y @ rows.y))
    assert_allclose(dual, r @ rows.y - r @ r / 2 - conjugates.sum(), rtol=1e-12)


@pytest.mark.parametrize("l1", [0.0, 1e-20, 1e-3])
def test_duality_with_l1_within_rounding_is_fenchels(kernel, l1):
    X, y = random(40, 9)
    rows = Problem(X, y, max(l1, 1e-300), 0.3).rows
    coef = rows.solve()
    square = float(rows.y @ rows.y)
    primal, dual = kernel.duality(fields_of(rows, coef), len(coef), square)
    assert -1e-14 * square <= primal - dual <= 1e-12 * square


def test_hides_is_true_of_large_coefficients_and_of_l1_within_rounding(kernel):
    X, y = random(40, 9)
    for l1, size, right in ((0.1, 1.0, False), (0.1, 1e3, True), (1e-15, 1.0, True)):
        rows = Problem(X, y, l1, 0.0).rows
        coef = np.zeros(9)
        coef[:2] = 0.1 * size, -0.1 * size
        assert kernel.hides(fields_of(rows, coef), 9, float(rows.y @ rows.y)) is right
