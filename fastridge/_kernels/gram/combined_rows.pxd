# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Contiguous rows about a shift, multiplied by vectors or added up."""

from cython cimport floating

cdef extern from "combine.h" nogil:
    void fr_add_about_double(const double *a, const double *b, const double *c,
                             const double *d, const double *factor, const double *minus,
                             Py_ssize_t n, double *out)
    void fr_add_four_about_double(const double *a, const double *b, const double *c,
                                  const double *d, const double *factor, const double *minus,
                                  Py_ssize_t n, Py_ssize_t step, double *out)
    void fr_dot_four_about_double(const double *a, const double *b, const double *c,
                                  const double *d, const double *minus, Py_ssize_t n,
                                  const double *coef, const double *intercept,
                                  Py_ssize_t n_vectors, double *work, Py_ssize_t step,
                                  double *out)
    void fr_add_about_float(const float *a, const float *b, const float *c,
                            const float *d, const double *factor, const double *minus,
                            Py_ssize_t n, double *out)
    void fr_add_four_about_float(const float *a, const float *b, const float *c,
                                 const float *d, const double *factor, const double *minus,
                                 Py_ssize_t n, Py_ssize_t step, double *out)
    void fr_dot_four_about_float(const float *a, const float *b, const float *c,
                                 const float *d, const double *minus, Py_ssize_t n,
                                 const double *coef, const double *intercept,
                                 Py_ssize_t n_vectors, double *work, Py_ssize_t step,
                                 double *out)


cdef inline void add_about(const floating **x, const double *factor, const double *minus,
                           Py_ssize_t n, double *out) noexcept nogil:
    if floating is double:
        fr_add_about_double(x[0], x[1], x[2], x[3], factor, minus, n, out)
    else:
        fr_add_about_float(x[0], x[1], x[2], x[3], factor, minus, n, out)


cdef inline void add_four_about(const floating **x, const double *factor, const double *minus,
                                Py_ssize_t n, Py_ssize_t step, double *out) noexcept nogil:
    if floating is double:
        fr_add_four_about_double(x[0], x[1], x[2], x[3], factor, minus, n, step, out)
    else:
        fr_add_four_about_float(x[0], x[1], x[2], x[3], factor, minus, n, step, out)


cdef inline void dot_four_about(const floating **x, const double *minus, Py_ssize_t n,
                                const double *coef, const double *intercept, Py_ssize_t n_vectors,
                                double *work, Py_ssize_t step, double *out) noexcept nogil:
    if floating is double:
        fr_dot_four_about_double(x[0], x[1], x[2], x[3], minus, n, coef, intercept, n_vectors, work,
                                 step, out)
    else:
        fr_dot_four_about_float(x[0], x[1], x[2], x[3], minus, n, coef, intercept, n_vectors, work,
                                step, out)


cdef inline void combine_one(const floating *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p,
                             const double *shift, const double *coef, double intercept,
                             double *sums) noexcept nogil:
    # sums[k] = intercept + sum_j coef[j] (X[k, j] - shift[j])
    cdef:
        Py_ssize_t k, j
        const floating *x
        double total
    for k in range(n):
        x, total = X + k * row, 0.0
        for j in range(p):
            total += coef[j] * (<double>x[j] - shift[j])
        sums[k] = intercept + total


cdef inline void combine_each(const floating *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p,
                              const double *shift, const double *coef, const double *intercept,
                              Py_ssize_t n_vectors, double *work, double *sums,
                              Py_ssize_t step) noexcept nogil:
    # the same for several vectors, to sums[t * step + k]; `work` has room for four rows
    cdef:
        Py_ssize_t k, i, t
        const floating *x[4]
        double four[4]
    for k in range(0, n, 4):
        for i in range(4):  # rows past the last stand for the last
            x[i] = X + min(k + i, n - 1) * row
        if k + 4 <= n:
            dot_four_about(x, shift, p, coef, intercept, n_vectors, work, step, sums + k)
            continue
        for t in range(n_vectors):
            dot_four_about(x, shift, p, coef + t * p, intercept + t, 1, work, 4, four)
            for i in range(n - k):
                sums[t * step + k + i] = four[i]


cdef inline void add_rows_each(const floating *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p,
                               const double *shift, const double *left, Py_ssize_t left_row,
                               Py_ssize_t left_vector, Py_ssize_t n_vectors,
                               double *sums) noexcept nogil:
    # sums[t * p + j] += sum_k left[k * left_row + t * left_vector] (X[k, j] - shift[j])
    #
    # Four rows at a time, and some columns, so that their sums stay in a near cache.
    cdef:
        Py_ssize_t k, i, t, s, count, begin, width
        const floating *x[4]
        double factor[16]
    for begin in range(0, p, 2048):
        width = min(2048, p - begin)
        for k in range(0, n, 4):
            for i in range(4):  # rows past the last stand for the last, and count nothing
                x[i] = X + min(k + i, n - 1) * row + begin
            t = 0
            while t < n_vectors:
                count = 4 if t + 4 <= n_vectors else 1
                for s in range(count):
                    for i in range(4):
                        factor[4 * s + i] = 0.0
                        if k + i < n:
                            factor[4 * s + i] = left[(k + i) * left_row + (t + s) * left_vector]
                if count == 4:
                    add_four_about(x, factor, shift + begin, width, p, sums + t * p + begin)
                else:
                    add_about(x, factor, shift + begin, width, sums + t * p + begin)
                t += count
