"""QR of X by blocks of rows.

It (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU
factorizations", SIAM J. Sci. Comput. 34, 2012) squares no condition number and needs O(p^2)
memory: the triangle so far is factored together with the next rows.
"""

import numpy as np

from fastridge.runtime.threads import call_lapack
from fastridge.solvers.problem import Problem


def triangle(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return R and C with R'R = X'WX and R'C = X'WY, centred, from an orthogonal reduction."""
    design = problem.design
    n, p = design.shape
    problem.check_range()
    x_centre, y_centre = problem.centre
    Y, t = problem.loss.Y, len(y_centre)
    flat = np.flatnonzero(design.squares == 0.0)  # constant to rounding
    first = int(design.fit_intercept)  # a column of ones takes what rounding left of the means
    width = first + p + t
    step = max(4 * width, (1 << 17) // width, 64)
    factor = np.empty((0, width))
    for begin in range(0, n, step):
        end = min(begin + step, n)
        block = np.empty((len(factor) + end - begin, width))
        block[: len(factor)] = factor
        new = block[len(factor) :]
        new[:, :first] = 1.0
        columns = new[:, first : first + p]
        columns[...] = design.dense(slice(begin, end))
        columns -= x_centre
        columns[:, flat] = 0.0
        new[:, first + p :] = Y[begin:end] - y_centre
        if design.root is not None:
            new *= design.root[begin:end, None]
        factor = call_lapack(width, np.linalg.qr, block, mode="r")
    factor = factor[first:, first:]
    rank = min(p, len(factor))
    return factor[:rank, :p], factor[:rank, p:]
