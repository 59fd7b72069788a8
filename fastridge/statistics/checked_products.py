"""Cross-products of validated rows, which must be finite and not underflow."""

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix
from fastridge._validation import LEAST_SQUARE, check_small_squares, raise_not_finite
from fastridge.statistics.accumulate import CentredProducts, centred_products
from fastridge.statistics.accumulate_sparse import sparse_centred_products


def products_of_rows(
    X: Matrix, y: np.ndarray, weight: np.ndarray | None, n_threads: int
) -> CentredProducts:
    """Compute `CentredProducts` of validated rows, or raise NotFiniteError."""
    Y = y[:, None] if y.ndim == 1 else y
    if sp.issparse(X):
        products = sparse_centred_products(X, Y, weight, n_threads)
    else:
        products = centred_products(X, Y, weight, n_threads)
    return checked_products(products, X, Y, weight)


def checked_products(
    products: CentredProducts, X: Matrix, Y: np.ndarray, weight: np.ndarray | None
) -> CentredProducts:
    """Return the products of these rows, or raise the reason why they are not finite."""
    if weight is not None:  # rows of weight zero do not count
        products = products._replace(n_samples=int(np.count_nonzero(weight)))
    if not products.least_square > LEAST_SQUARE:
        if np.isnan(products.least_square):  # NaN and infinity anywhere reach the sums
            raise_not_finite(X, Y)
        check_small_squares(X, products.upper.diagonal(), "X")
        check_small_squares(Y, products.yy, "y")
    return products
