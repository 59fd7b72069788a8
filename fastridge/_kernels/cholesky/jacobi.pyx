# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Singular values of A = B D to high relative accuracy, whatever the lengths D of the columns.

One-sided Jacobi rotations after a pivoted QR (Drmac and Veselic, "New fast and accurate Jacobi
SVD algorithm", SIAM J. Matrix Anal. Appl. 29, 2008), LAPACK's gejsv.
"""

from lapack cimport gejsv


def singular_values(double[::1, :] a, double[::1] values_out, double[::1, :] right_out,
                    double[::1] work_out, int[::1] iwork_out):
    """Singular values, decreasing, and right singular vectors of square `a`, overwritten.

    For n columns, `work_out` has 2 n^2 + 8 n + 8 values and `iwork_out` 4 n. Returns LAPACK's
    info: 0, or positive where the rotations did not converge.
    """
    cdef:
        int n = <int>a.shape[1], info, i
        double unit
    with nogil:
        info = gejsv(n, &a[0, 0], &values_out[0], &right_out[0, 0], &work_out[0],
                     <int>work_out.shape[0], &iwork_out[0])
        unit = work_out[0] / work_out[1]  # the values that were computed are in this unit
        for i in range(n):
            values_out[i] *= unit
    return info
