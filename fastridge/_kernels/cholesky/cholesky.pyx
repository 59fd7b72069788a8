# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Cholesky factor of a penalised Gram, equilibrated.

With A = G + diag(penalty) and D = diag(A)^-1/2, D A D has a unit diagonal and, within a
factor of p, the smallest condition number that any diagonal scaling gives it (van der Sluis,
Numerische Mathematik 14, 1969), so units of the features do not count as ill-conditioning.
"""

from equilibrate cimport equilibrate
from small_cholesky cimport factor_few, rcond_few, solve_few
from lapack cimport pocon, potrf, potrs

# Up to this order, calling LAPACK takes longer than the work.
cdef enum:
    FEW = 10


def factor_penalised(const double[:, :] upper, const double[::1] penalty,
                     double[:, ::1] factor_out):
    """Factor D (G + diag(penalty)) D; G is given on and above its diagonal.

    `factor_out` has p + 5 rows of p values: the factor, then D; the last four are scratch. Returns
    the reciprocal condition number of the scaled matrix, or a value <= 0 where it is not positive
    definite.
    """
    cdef:
        Py_ssize_t p = factor_out.shape[1]
        double norm, rcond = -1.0
    with nogil:
        norm = equilibrate(upper, penalty, 1.0, factor_out, factor_out[p], factor_out[p + 1])
        # The row-major upper triangle is LAPACK's lower one.
        if norm >= 0.0 and p <= FEW:
            if factor_few(&factor_out[0, 0], p):
                rcond = rcond_few(&factor_out[0, 0], p, norm, &factor_out[p + 1, 0])
        elif norm >= 0.0 and potrf(c"L", <int>p, &factor_out[0, 0], <int>p) == 0:
            rcond = pocon(c"L", <int>p, &factor_out[0, 0], <int>p, norm, &factor_out[p + 1, 0],
                          <int*>&factor_out[p + 4, 0])
    return rcond


def solve_factored(double[:, ::1] factor, double[:, ::1] coef):
    """coef[k, :] <- (G + diag(penalty))^-1 coef[k, :] for every row, from `factor_penalised`."""
    cdef:
        Py_ssize_t p = factor.shape[1], t = coef.shape[0], i, k
        double[::1] scale = factor[p]
        int info = 0
    with nogil:
        for k in range(t):
            for i in range(p):
                coef[k, i] *= scale[i]
        if p <= FEW:
            for k in range(t):
                solve_few(&factor[0, 0], p, &coef[k, 0])
        else:
            info = potrs(c"L", <int>p, <int>t, &factor[0, 0], <int>p, &coef[0, 0], <int>p)
        for k in range(t):
            for i in range(p):
                coef[k, i] *= scale[i]
    return info
