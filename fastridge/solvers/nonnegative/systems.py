"""Represent A = Z'Z + diag(penalty) and b = Z'y for `nonnegative`, in several forms.

With no more columns than rows, the system keeps the Gram matrix; otherwise it multiplies with the
rows. If squares have too few digits, see `triangle`. Columns that are zero are left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from fastridge.runtime.threads import call_once_over
from fastridge.solvers.direct.cholesky import Factor
from fastridge.solvers.iterative.equilibrated import Equilibrated, powers_of_two
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import symmetric

_CG_TOL, _CG_STEPS = 1e-12, 5000
_EPS = float(np.finfo(float).eps)
_LEAST_PENALTY = 1e-13  # relative to columns of length one, in steps where A is singular
LEAST_DUAL = 1e-11  # the same where the matrix is one of the rows
_MOST_VALUES = 1 << 24  # of rows that are copied to keep their digits: 128 MB
_MOST_ORDER = 4096  # of matrices whose singular values are computed
_CG_ORDER = 3000  # of sparse rows: no larger matrix is formed


class System(ABC):
    """A quadratic form of one target, in columns whose squares sum to about one."""

    n_columns: int
    y_size: float = 1.0
    rcond: float = 1.0  # of the last system that was factored
    factors: bool = True  # whether systems are factored at all

    def __init__(self, problem: Problem, alpha: float) -> None:
        self.problem, self.alpha = problem, alpha
        self._index: np.ndarray | None = None

    @property
    def unused(self) -> bool:
        """True if no A_FF has been factored since `forget`."""
        return self._index is None

    def forget(self) -> None:
        """Forget the factor, and its condition number."""
        self._index, self.rcond = None, 1.0

    def _measure(self, squares: np.ndarray) -> None:
        """Choose columns and units by the sums of squares of the columns."""
        root_penalty = np.sqrt(self.problem.scale) * np.sqrt(self.alpha)
        unit = powers_of_two(np.maximum(np.sqrt(squares), root_penalty))
        self.columns = np.flatnonzero(squares > 0.0)
        self.n_columns = len(self.columns)
        self.unit = unit[self.columns]
        self.root_penalty = root_penalty[self.columns] / self.unit
        self.penalty = self.root_penalty**2

    @abstractmethod
    def set_target(self, k: int) -> None:
        """Take the k-th target, and set `y_size` to its size."""

    @abstractmethod
    def gradient(self, v: np.ndarray) -> np.ndarray:
        """Return b - Av."""

    @abstractmethod
    def curvature(self, s: np.ndarray) -> float:
        """Return s'As."""

    def newton(self, index: np.ndarray, v: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return A_FF^-1 g_F for the columns F = `index`, or nearly that if A_FF is singular.

        g is the gradient at v, which is zero outside F.
        """
        if not len(index):
            return np.zeros(0)
        self._prepare_once(index)
        return self._solve(index, g[index])

    def minimiser(self, index: np.ndarray) -> np.ndarray:
        """Return A_FF^-1 b_F for the columns F = `index`."""
        if not len(index):
            return np.zeros(0)
        self._prepare_once(index)
        return self._solve_target(index)

    def _prepare_once(self, index: np.ndarray) -> None:
        if self._index is None or not np.array_equal(index, self._index):
            self._index = None
            self._prepare(index)
            self._index = index

    @abstractmethod
    def _prepare(self, index: np.ndarray) -> None:
        """Factor A_FF, and set `rcond`."""

    def _solve(self, index: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return A_FF^-1 g, for `newton`."""
        raise NotImplementedError

    @abstractmethod
    def _solve_target(self, index: np.ndarray) -> np.ndarray: ...

    def lowers(self, v: np.ndarray, at: np.ndarray, g: np.ndarray) -> bool:
        """Return whether q(v) is below q(at); g is the gradient at `at`."""
        change = v - at
        return float(g @ change) > 0.5 * self.curvature(change)

    def to_coef(self, v: np.ndarray) -> np.ndarray:
        """Return the coefficients in the units of X and y."""
        coef = np.zeros(self.problem.design.shape[1])
        coef[self.columns] = v / self.unit * self.y_size
        return coef

    def from_coef(self, coef: np.ndarray) -> np.ndarray:
        """Invert `to_coef`."""
        v: np.ndarray = coef[self.columns] / self.y_size * self.unit
        return v

    def _factored(self, A: np.ndarray) -> Factor:
        """Return the Cholesky factor of A, with the least penalty that lets it exist."""
        order, shift = len(A), 0.0
        factor = Factor(A, np.zeros(order), self.problem.design.n_threads)
        self.rcond = max(factor.rcond, 0.0)
        while not factor.rcond > order * _EPS and shift < 1.0:
            shift = max(100.0 * shift, _LEAST_PENALTY * max(1.0, order / 100.0))
            factor = Factor(A, np.full(order, shift), self.problem.design.n_threads)
        return factor


def power_of_two(squares: float) -> float:
    """Return the power of two next above the root of `squares`."""
    return float(powers_of_two(np.sqrt(np.array([squares])))[0])


class GramSystem(System):
    """A as a matrix."""

    def __init__(self, problem: Problem, alpha: float) -> None:
        super().__init__(problem, alpha)
        upper, self._xy = problem.design.gram, problem.xy
        self._measure(np.maximum(np.diagonal(upper), 0.0))
        self._A = call_once_over(4 * upper.size, self._scaled, upper)

    def _scaled(self, upper: np.ndarray) -> np.ndarray:
        A = symmetric(upper)
        if self.n_columns < len(A):
            A = A[np.ix_(self.columns, self.columns)]
        A /= self.unit
        A /= self.unit[:, None]
        A.ravel()[:: len(A) + 1] += self.penalty
        return A

    def set_target(self, k: int) -> None:
        self.y_size = power_of_two(float(self.problem.target_squares[k]))
        self._b = self._xy[self.columns, k] / self.unit / self.y_size

    def gradient(self, v: np.ndarray) -> np.ndarray:
        gradient: np.ndarray = self._b - self._product(v)
        return gradient

    def _product(self, v: np.ndarray) -> np.ndarray:
        index = np.flatnonzero(v)
        if 4 * len(index) < len(v):  # by rows, which are columns
            return call_once_over(2 * len(index) * len(v), self._by_columns, v, index)
        return call_once_over(self._A.size, np.matmul, self._A, v)

    def _by_columns(self, v: np.ndarray, index: np.ndarray) -> np.ndarray:
        return v[index] @ self._A[index]

    def curvature(self, s: np.ndarray) -> float:
        return float(s @ self._product(s))

    def _prepare(self, index: np.ndarray) -> None:
        A = self._A
        if len(index) < self.n_columns:
            A = call_once_over(2 * len(index) ** 2, A.__getitem__, np.ix_(index, index))
        self._factor = self._factored(A)

    def _solve(self, index: np.ndarray, g: np.ndarray) -> np.ndarray:
        return self._factor.solve(g[None, :])[0]

    def _solve_target(self, index: np.ndarray) -> np.ndarray:
        return self._solve(index, self._b[index])


class RowSystem(System):
    """A by multiplying with the rows, and its inverse from a matrix of at most their number.

    With D the penalty, if all columns of F have one:

        A_FF^-1 g = D^-1 (g - Z'(I + Z D^-1 Z')^-1 Z D^-1 g)
        A_FF^-1 b = D^-1 Z'(I + Z D^-1 Z')^-1 y
    """

    def __init__(self, problem: Problem, alpha: float) -> None:
        super().__init__(problem, alpha)
        first = np.zeros(1, dtype=np.intp)
        self._scaled = Equilibrated(problem, np.full(1, alpha), first)
        self._measure(self._scaled.squares)
        self.shifted = np.maximum(self.penalty, LEAST_DUAL)
        self.is_wide = problem.design.shape[1] > problem.design.shape[0]
        self.factors = not (problem.design.sparse and min(problem.design.shape) > _CG_ORDER)

    def set_target(self, k: int) -> None:
        self._scaled.take_targets(np.array([k]))
        self.y_size = float(self._scaled.y_size[0])

    def _forward(self, v: np.ndarray) -> np.ndarray:
        """Return Zv, of shape (n_samples, 1)."""
        V = np.zeros((self.problem.design.shape[1], 1))
        V[self.columns, 0] = v
        return self._scaled.forward(V)

    def _backward(self, u: np.ndarray) -> np.ndarray:
        """Return Z'u."""
        correlated: np.ndarray = self._scaled.backward(u)[self.columns, 0]
        return correlated

    def gradient(self, v: np.ndarray) -> np.ndarray:
        residual = self._scaled.Y - self._forward(v) if v.any() else self._scaled.Y
        return self._backward(residual) - self.penalty * v

    def curvature(self, s: np.ndarray) -> float:
        return float((self._forward(s) ** 2).sum() + (self.penalty * s) @ s)

    @property
    def y(self) -> np.ndarray:
        """The target in the units of the system, of shape (n_samples, 1)."""
        return self._scaled.Y

    def correlate(self, u: np.ndarray) -> np.ndarray:
        """Return Z'u."""
        return self._backward(u)

    def residual_of(self, index: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return (I + Z_F D_F^-1 Z_F')^-1 y for columns F = `index`, of shape (n_samples, 1)."""
        if self.problem.design.sparse and self.problem.design.shape[0] > _CG_ORDER:
            return self._residual_by_cg(index, D)
        factor = self._row_factor(index, D)
        self.rcond = max(factor.rcond, 0.0)
        return factor.solve(self.y.T).T

    def _row_factor(self, index: np.ndarray, D: np.ndarray) -> Factor:
        problem = self.problem
        inverse = np.zeros(problem.design.shape[1])
        inverse[self.columns[index]] = 1.0 / self.unit[index] ** 2 / D[index]
        K = problem.design.outer_gram(inverse)
        if problem.design.weight is not None:
            call_once_over(4 * K.size, _times_rows, K, self._scaled.row)
        return Factor(K, np.ones(len(K)), problem.design.n_threads)

    def _prepare(self, index: np.ndarray) -> None:
        problem, n = self.problem, self.problem.design.shape[0]
        self._dual = len(index) > n
        self._large = problem.design.sparse and min(n, len(index)) > _CG_ORDER
        if self._large:
            return
        if self._dual:
            self._factor = self._row_factor(index, self.shifted)
            self.rcond = max(self._factor.rcond, 0.0)
            return
        size, penalty = self.problem.design.shape[0] * len(index), self.penalty[index]
        Z = call_once_over(4 * size, self._gathered, index)
        self._factor = self._factored(call_once_over(size * len(index), _gram, Z, penalty))

    def _gathered(self, index: np.ndarray) -> np.ndarray:
        """Return Z_F."""
        columns = self.columns[index]
        Z = np.array(self.problem.design.columns(columns).dense(), dtype=float, order="C")
        Z -= self.problem.design.centre[columns]
        Z /= self.unit[index]
        Z *= self._scaled.row
        return Z

    def _wide(self, index: np.ndarray, values: np.ndarray) -> np.ndarray:
        v = np.zeros(self.n_columns)
        v[index] = values
        return v

    def _solve(self, index: np.ndarray, g: np.ndarray) -> np.ndarray:
        if self._large:
            return self._by_cg(index, g)
        if not self._dual:
            return self._factor.solve(g[None, :])[0]
        h = g / self.shifted[index]
        u = self._factor.solve(self._forward(self._wide(index, h)).T).T
        solved: np.ndarray = h - self._backward(u)[index] / self.shifted[index]
        return solved

    def _solve_target(self, index: np.ndarray) -> np.ndarray:
        if self._large or not self._dual:
            return self._solve(index, self._backward(self._scaled.Y)[index])
        u = self._factor.solve(self._scaled.Y.T).T
        solved: np.ndarray = self._backward(u)[index] / self.shifted[index]
        return solved

    def _residual_by_cg(self, index: np.ndarray, D: np.ndarray) -> np.ndarray:
        def apply(u: np.ndarray) -> np.ndarray:
            h = self._backward(u[:, None])[index] / D[index]
            return u + self._forward(self._wide(index, h))[:, 0]

        return _conjugate_gradients(apply, self.y[:, 0])[:, None]

    def _by_cg(self, index: np.ndarray, g: np.ndarray) -> np.ndarray:
        def apply(x: np.ndarray) -> np.ndarray:
            fitted = self._forward(self._wide(index, x))
            return self._backward(fitted)[index] + self.penalty[index] * x

        return _conjugate_gradients(apply, g)


def _conjugate_gradients(
    apply: Callable[[np.ndarray], np.ndarray], right: np.ndarray
) -> np.ndarray:
    """Return A^-1 right, given a function that multiplies A with a vector."""
    x, residual, direction = np.zeros(len(right)), right.copy(), right.copy()
    square = float(right @ right)
    goal = _CG_TOL**2 * square
    for _ in range(min(2 * len(right), _CG_STEPS)):
        if square <= goal:
            break
        found = apply(direction)
        step = square / float(direction @ found)
        x += step * direction
        residual -= step * found
        new = float(residual @ residual)
        direction = residual + new / square * direction
        square = new
    return x


def _times_rows(K: np.ndarray, row: np.ndarray) -> None:
    K *= row
    K *= row.T


def _gram(Z: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    A: np.ndarray = Z.T @ Z
    A.ravel()[:: len(A) + 1] += penalty
    return A


def is_better_by_rows(problem: Problem) -> bool:
    """Return whether multiplying by the rows costs less than the Gram of the columns."""
    n, p = problem.design.shape
    return p > n or (problem.design.sparse and p > _CG_ORDER)


def fits_in_triangle(problem: Problem) -> bool:
    """Return whether singular values are worth their time and their memory."""
    n, p = problem.design.shape
    return min(n, p) <= _MOST_ORDER and (p <= n or n * p <= _MOST_VALUES)
