"""X as solvers see it: shape, weights, centre, and products with vectors.

| member | where `has_rows` | where only statistics are known |
|---|---|---|
| `mean`, `variances`, `squares` | one read of X each, where no statistics are held | held |
| `accumulate` | n p^2; for sparse rows, the sum of their squared numbers of entries | held |
| `gram` | held, once accumulated | held |
| `columns` | a view of neighbours, otherwise a copy | a copy |
| `predict`, `correlate` | one read of X | unsupported |
| `outer_gram` | n^2 p | unsupported |
| `expand`, `expand_classes` | one read of X; n p^2 with a Hessian | unsupported |
| `rows`, `dense`, `dense_columns` | as NumPy's and SciPy's indexing | unsupported |
| `n_values`, `nbytes` | known | unsupported |

`X` itself is for kernels, which read its memory; a solver asks for nothing else of it.
"""

from typing import Self

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index, Matrix
from fastridge._validation import check_small_squares
from fastridge.designs.expansion import ClassExpansion, ClassLosses, Expansion, RowLosses
from fastridge.statistics.accumulate import CentredProducts, variances


class Design:
    """X with row weights and a centre. Immutable: methods return a new design, never change one.

    Parameters
    ----------
    X : ndarray, sparse array or None
        Validated rows; None where only statistics are known, and `has_rows` is False.
    weight : ndarray of shape (n_samples,), optional
        None if all weights are one. Rows of weight zero are ignored; their values are finite,
        but may be of any size.
    fit_intercept : bool, default=True
        If True, the centre is the weighted mean of the rows; otherwise it is zero.
    n_threads : int, default=1
    statistics : CentredProducts, optional
        The result of one pass over the rows, with any targets.
    """

    sparse = False
    has_rows = True

    def __init__(
        self,
        X: Matrix,
        weight: np.ndarray | None = None,
        fit_intercept: bool = True,
        n_threads: int = 1,
        statistics: CentredProducts | None = None,
    ) -> None:
        self.X, self.weight = X, weight
        self.fit_intercept, self.n_threads = fit_intercept, n_threads
        self.shape: tuple[int, int] = X.shape
        self.statistics = statistics
        if statistics is not None:
            self.sum_weights, self.mean = statistics.sum_weights, statistics.x_mean

    def with_statistics(self, statistics: CentredProducts | None) -> Self:
        """Return this design with the statistics of a pass over its rows, or without."""
        return type(self)(self.X, self.weight, self.fit_intercept, self.n_threads, statistics)

    def with_intercept(self, fit_intercept: bool) -> Self:
        """Return the design of the same rows about their means, or about zero."""
        return type(self)(self.X, self.weight, fit_intercept, self.n_threads)

    def with_threads(self, n_threads: int) -> Self:
        """Return this design for another number of threads."""
        return type(self)(self.X, self.weight, self.fit_intercept, n_threads, self.statistics)

    def reweighted(self, weight: np.ndarray | None) -> Self:
        """Return the design of the same rows with other weights."""
        return type(self)(self.X, weight, self.fit_intercept, self.n_threads)

    # ---- the rows in memory ----

    @property
    def dtype(self) -> np.dtype:
        """Type of the values of X; float64 where only statistics are known."""
        dtype: np.dtype = self.X.dtype
        return dtype

    @property
    def n_values(self) -> int:
        """Number of stored values."""
        return int(self.X.size)

    @property
    def nbytes(self) -> int:
        """Memory of X."""
        return int(self.X.nbytes)

    def by_rows(self) -> Self:
        """Return this design with X in a layout whose rows are read in place."""
        return self

    def by_columns(self) -> Self:
        """Return this design with X in a layout whose columns are read in place."""
        return self

    # ---- rows that count ----

    @computed_once
    def n_counted(self) -> int:
        """Number of rows with weight."""
        return self.shape[0] if self.weight is None else int(np.count_nonzero(self.weight))

    @computed_once
    def counted(self) -> Index:
        """Index of the rows with weight."""
        if self.weight is None or self.n_counted == self.shape[0]:
            return slice(None)
        return np.flatnonzero(self.weight)

    def among_all_rows(self, values: np.ndarray) -> np.ndarray:
        """Return values of the rows with weight, with zeros for the others between them."""
        if self.n_counted == self.shape[0]:
            return values
        out = np.zeros((self.shape[0], *values.shape[1:]))
        out[self.counted] = values
        return out

    @computed_once
    def sum_weights(self) -> float:
        return float(self.shape[0]) if self.weight is None else float(self.weight.sum())

    @property
    def row_weights(self) -> np.ndarray:
        """Weight of each row, 1 where none are given."""
        return np.ones(self.shape[0]) if self.weight is None else self.weight

    @computed_once
    def root(self) -> np.ndarray | None:
        """Roots of the weights; None where all are one."""
        return None if self.weight is None else np.sqrt(self.weight)

    def sum_over_rows(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted sum of values over the rows."""
        total: np.ndarray = values.sum(axis=0) if self.weight is None else self.weight @ values
        return total

    # ---- columns ----

    @computed_once
    def mean(self) -> np.ndarray:
        """Return the weighted means of the columns."""
        return self._mean_of_rows()

    @computed_once
    def centre(self) -> np.ndarray:
        """The vector subtracted from every row: the means, or zeros without an intercept."""
        return self.mean if self.fit_intercept else np.zeros_like(self.mean)

    @computed_once
    def variances(self) -> np.ndarray:
        """Weighted variances of the columns; 0 where a column varies by rounding only."""
        if self.statistics is not None:
            return self.statistics.variances()
        return variances(self._squares_of_rows(), self.mean, self.sum_weights)

    @computed_once
    def squares(self) -> np.ndarray:
        """Weighted sums of squares of the columns about the centre; 0 where only rounding."""
        squares = self.variances * self.sum_weights
        return squares if self.fit_intercept else squares + self.sum_weights * self.mean**2

    @computed_once
    def standard_squares(self) -> np.ndarray:
        """Squares of the lengths by which standardisation divides the columns.

        A constant column counts as having length one; without an intercept, its absolute value.
        """
        found = self.variances
        if not self.fit_intercept:
            found = np.where(found > 0.0, found, self.mean**2)
        return np.where(found > 0.0, found, 1.0)

    # ---- products ----

    def accumulate(self, y: np.ndarray) -> CentredProducts:
        """Accumulate the products of columns and targets, in one pass over the rows.

        Raises
        ------
        NotFiniteError
            Where a value or a product is not finite.
        """
        raise NotImplementedError

    @computed_once
    def gram(self) -> np.ndarray:
        """X'X about the centre, on and above its diagonal; below it, anything.

        Of a design that holds statistics (`with_statistics`).
        """
        held = self.statistics
        assert held is not None
        return held.upper if self.fit_intercept else held.upper_about_zero()

    @computed_once
    def gram_loss(self) -> float:
        """Digits the Gram matrix with unit diagonal has lost, as a multiple of its rounding."""
        return 1.0

    def predict(self, V: np.ndarray) -> np.ndarray:
        """Return (X - centre) V' for V of shape (k, n_features), without a centred copy of X."""
        raise NotImplementedError

    def correlate(self, U: np.ndarray) -> np.ndarray:
        """Return U' (X - centre) for U of shape (n_samples, k), without a centred copy of X."""
        raise NotImplementedError

    def weighted_products(
        self, weight: np.ndarray, coef: np.ndarray, intercept: float
    ) -> tuple[np.ndarray, float]:
        """Return (X - centre)' u and the sum of u; u = weight ((X - centre) coef + intercept)."""
        factors = self.predict(coef[None])[:, 0] + intercept
        factors *= weight
        return self.correlate(factors[:, None])[0], float(factors.sum())

    def outer_gram(
        self, scale: np.ndarray, rows: Index = slice(None), centre: np.ndarray | None = None
    ) -> np.ndarray:
        """Return (X - centre) diag(scale) (X - centre)' of some rows, on and above its diagonal.

        Weights do not enter; another centre may be given.
        """
        raise NotImplementedError

    # ---- losses of the rows ----

    @computed_once
    def pilot(self) -> np.ndarray:
        """A vector near the rows, about which they lose few digits; zeros without an intercept."""
        return np.zeros(self.shape[1])

    def expand(
        self, loss: RowLosses, coef: np.ndarray, intercept: float, *, second: bool
    ) -> Expansion:
        """Sum a loss of the rows, with its derivatives, at ``(X - pilot) coef + intercept``.

        The Hessian is accumulated if `second`.
        """
        raise NotImplementedError

    def expand_roughly(self, loss: RowLosses, coef: np.ndarray, intercept: float) -> Expansion:
        """Do as `expand`, with a Hessian that may be rough: its `single` says so."""
        return self.expand(loss, coef, intercept, second=True)

    def expand_classes(
        self, loss: ClassLosses, coef: np.ndarray, intercept: np.ndarray
    ) -> ClassExpansion:
        """Sum a multinomial loss of the rows at ``(X - pilot) coef' + intercept``."""
        raise NotImplementedError

    # ---- parts ----

    def rows(self, index: Index) -> Self:
        """Return the design of some rows, with their weights."""
        weight = None if self.weight is None else np.ascontiguousarray(self.weight[index])
        return type(self)(self.X[index], weight, self.fit_intercept, self.n_threads)

    def columns(self, index: np.ndarray) -> Self:
        """Return the design of some columns, with their statistics."""
        held = None if self.statistics is None else self.statistics.columns(index)
        X = self.X[:, neighbours(index)]
        return type(self)(X, self.weight, self.fit_intercept, self.n_threads, held)

    def dense(self, rows: Index = slice(None)) -> np.ndarray:
        """Return some rows as a dense array, which may be a view, of any dtype."""
        raise NotImplementedError

    def dense_columns(self, index: Index) -> np.ndarray:
        """Return some columns as a dense array, which may be a view, of any dtype."""
        raise NotImplementedError

    def centred_columns(self, index: np.ndarray, root: np.ndarray | None) -> np.ndarray:
        """Return some columns about the centre, times `root`; constant columns are zero."""
        if not len(index):
            return np.empty((self.shape[0], 0))
        columns = self.dense_columns(index).astype(float) - self.centre[index]
        columns[:, self.squares[index] == 0.0] = 0.0  # constant, to rounding of the mean
        return columns if root is None else columns * root[:, None]

    def check_small_squares(self, squares: np.ndarray) -> None:
        """Raise ValueError if the square of a column underflows though it is not constant."""
        check_small_squares(self.X, squares, "X")

    # ---- what reads the rows ----

    def _mean_of_rows(self) -> np.ndarray:
        """Return the weighted means of the columns."""
        raise NotImplementedError

    def _squares_of_rows(self) -> np.ndarray:
        """Return the weighted sums of squares of the columns about their means."""
        raise NotImplementedError


def neighbours(index: np.ndarray) -> Index:
    """Return increasing indices as a slice where they follow each other."""
    if len(index) and int(index[-1]) - int(index[0]) == len(index) - 1:
        return slice(int(index[0]), int(index[-1]) + 1)
    return index
