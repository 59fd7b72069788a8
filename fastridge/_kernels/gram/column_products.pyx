# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Multiply columns, which are stored as rows, with each other or with a vector; quadratic forms."""

cdef extern from "rows.h":
    void fr_add_row(double *out, const double *row, double factor, Py_ssize_t n) nogil
    void fr_add_rows(double *out, const double *const *rows, const double *factor,
                     Py_ssize_t n) nogil
    void fr_add_rows_twice(double *out, double *out2, const double *const *rows,
                           const double *factor, const double *factor2, Py_ssize_t n) nogil
    void fr_add_row_from(double *out, const double *row, double factor, Py_ssize_t first,
                         Py_ssize_t n) nogil
    double fr_dot(const double *x, const double *y, Py_ssize_t n) nogil
    void fr_dots(const double *const *a, const double *const *b, double *out, Py_ssize_t n) nogil

cdef enum:
    CHUNK = 512  # of a row, so that four rows stay in the nearest cache


def extend_gram(const double[:, ::1] columns, Py_ssize_t first, Py_ssize_t end,
                Py_ssize_t begin, Py_ssize_t stop, double[:, ::1] gram_out):
    """gram_out[j, k] = gram_out[k, j] = <columns[j], columns[k]>, j in first:end, k in begin:stop.

    All k are below `end`. Ranges of k are independent of each other.
    """
    cdef:
        Py_ssize_t n = columns.shape[1], j, k, i, r, start, width
        const double *a[4]
        const double *b[4]
        double sums[16]
    with nogil:
        for j in range(first, end):
            for k in range(begin, stop):
                gram_out[j, k] = 0.0
        start = 0
        while start < n:
            width = min(<Py_ssize_t>CHUNK, n - start)
            for k in range(begin, stop, 4):
                for r in range(4):  # past the end, repeat the last column; its sums are dropped
                    b[r] = &columns[min(k + r, stop - 1), start]
                for j in range(first, end, 4):
                    for i in range(4):
                        a[i] = &columns[min(j + i, end - 1), start]
                    for i in range(16):
                        sums[i] = 0.0
                    fr_dots(a, b, sums, width)
                    for i in range(min(4, end - j)):
                        for r in range(min(4, stop - k)):
                            gram_out[j + i, k + r] += sums[4 * i + r]
            start += CHUNK
        for k in range(begin, min(stop, first)):
            for j in range(first, end):
                gram_out[k, j] = gram_out[j, k]


def subtract_columns(const double[:, ::1] gram, const int[::1] columns, const double[::1] coef,
                     double[::1] gradient_out):
    """gradient_out -= sum_k gram[columns[k], :] coef[k]."""
    cdef:
        Py_ssize_t k, count = 0, n = gradient_out.shape[0]
        const double *rows[8]
        double multiple[8]
    with nogil:
        for k in range(columns.shape[0]):
            rows[count] = &gram[columns[k], 0]
            multiple[count] = -coef[k]
            count += 1
            if count == 8:
                fr_add_rows(&gradient_out[0], rows, multiple, n)
                count = 0
        for k in range(count):
            fr_add_row(&gradient_out[0], rows[k], multiple[k], n)


def quadratic_forms(const double[:, :] upper, const double[:, :] coefs,
                    double[:, ::1] work_out, double[::1] values_out):
    """values_out[k] = coefs[k] G coefs[k]', skipping the coefficients that are zero.

    G is given on and above its diagonal; its rows and those of `coefs` are contiguous. `work_out`
    has two rows of the same length. Rows of `coefs` are processed in pairs, which is fastest when
    both rows of a pair have the same support.
    """
    cdef:
        Py_ssize_t k, j, i, count, to, second, n = coefs.shape[0], p = coefs.shape[1]
        Py_ssize_t ld = upper.strides[0] // sizeof(double)
        const double *gram = &upper[0, 0]
        const double *coef
        const double *coef2
        const double *rows[8]
        Py_ssize_t positions[8]
        double factor[8]
        double factor2[8]
        double *work = &work_out[0, 0]
        double *work2 = &work_out[1, 0]
        double diagonal, diagonal2
    with nogil:
        for k in range(0, n, 2):
            second = min(k + 1, n - 1)
            coef, coef2 = &coefs[k, 0], &coefs[second, 0]
            for j in range(p):
                work[j] = work2[j] = 0.0
            count = 0
            diagonal = diagonal2 = 0.0
            for j in range(p):
                if coef[j] == 0.0 and coef2[j] == 0.0:
                    continue
                rows[count], positions[count] = gram + j * ld, j
                factor[count], factor2[count] = coef[j], coef2[j]
                diagonal += coef[j] * coef[j] * rows[count][j]
                diagonal2 += coef2[j] * coef2[j] * rows[count][j]
                count += 1
                if count == 8:
                    # up to the last of the eight diagonals row by row, beyond it all eight at once
                    to = min((j + 8) // 8 * 8, p)
                    for i in range(8):
                        fr_add_row_from(work, rows[i], factor[i], positions[i], to)
                        fr_add_row_from(work2, rows[i], factor2[i], positions[i], to)
                        rows[i] += to
                    fr_add_rows_twice(work + to, work2 + to, rows, factor, factor2, p - to)
                    count = 0
            for i in range(count):
                fr_add_row_from(work, rows[i], factor[i], positions[i], p)
                fr_add_row_from(work2, rows[i], factor2[i], positions[i], p)
            values_out[k] = 2.0 * fr_dot(work, coef, p) - diagonal
            values_out[second] = 2.0 * fr_dot(work2, coef2, p) - diagonal2
