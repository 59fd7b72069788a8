"""QR of X by blocks of rows.

It (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU
factorizations", SIAM J. Sci. Comput. 34, 2012) squares no condition number and needs O(p^2)
memory: the triangle so far is factored together with the next rows.
"""

import numpy as np

from fastridge.designs.ridge_problem import RidgeProblem
from fastridge.runtime.threads import call_lapack


def triangle(problem: RidgeProblem) -> tuple[np.ndarray, np.ndarray]:
    """R and C with R'R = X'WX and R'C = X'WY, centred, from an orthogonal reduction."""
    n, p = problem.shape
    problem.check_range()
    x_centre, y_centre = problem.centre
    Y, t = problem.Y, len(y_centre)
    flat = np.flatnonzero(problem.column_squares == 0.0)  # constant to rounding
    first = int(problem.fit_intercept)  # a column of ones takes what rounding left of the means
    width = first + p + t
    step = max(4 * width, (1 << 17) // width, 64)
    factor = np.empty((0, width))
    for begin in range(0, n, step):
        end = min(begin + step, n)
        rows = problem.X[begin:end]
        block = np.empty((len(factor) + end - begin, width))
        block[: len(factor)] = factor
        new = block[len(factor) :]
        new[:, :first] = 1.0
        columns = new[:, first : first + p]
        columns[...] = rows.toarray() if problem.sparse else rows
        columns -= x_centre
        columns[:, flat] = 0.0
        new[:, first + p :] = Y[begin:end] - y_centre
        if problem.weight is not None:
            new *= np.sqrt(problem.weight[begin:end])[:, None]
        factor = call_lapack(width, np.linalg.qr, block, mode="r")
    factor = factor[first:, first:]
    rank = min(p, len(factor))
    return factor[:rank, :p], factor[:rank, p:]
