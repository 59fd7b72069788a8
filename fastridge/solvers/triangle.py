"""QR of X by blocks of rows.

It (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU
factorizations", SIAM J. Sci. Comput. 34, 2012) squares no condition number and needs O(p^2)
memory: the triangle so far is factored together with the next rows.
"""

import numpy as np

from fastridge._threads import call_lapack
from fastridge.solvers.problem import RidgeProblem


def triangle(problem: RidgeProblem) -> tuple[np.ndarray, np.ndarray]:
    """R and C with R'R = X'WX and R'C = X'WY, centred, from an orthogonal reduction."""
    n, p = problem.shape
    problem.check_range()
    x_centre, y_centre = problem.centre
    Y, t = problem.Y, len(y_centre)
    flat = np.flatnonzero(problem.column_squares == 0.0)  # constant to rounding
    step = max(4 * (p + t), (1 << 17) // (p + t), 64)
    factor = np.empty((0, p + t))
    for begin in range(0, n, step):
        end = min(begin + step, n)
        rows = problem.X[begin:end]
        block = np.empty((len(factor) + end - begin, p + t))
        block[: len(factor)] = factor
        new = block[len(factor) :]
        new[:, :p] = rows.toarray() if problem.sparse else rows
        new[:, :p] -= x_centre
        new[:, flat] = 0.0
        new[:, p:] = Y[begin:end] - y_centre
        if problem.weight is not None:
            new *= np.sqrt(problem.weight[begin:end])[:, None]
        factor = call_lapack(p + t, np.linalg.qr, block, mode="r")
    rank = min(p, len(factor))
    return factor[:rank, :p], factor[:rank, p:]
