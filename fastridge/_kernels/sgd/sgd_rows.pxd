"""Read and use rows of X in SGD kernels: one set of functions for dense and CSR rows.

A row is `n` values `x` and the features `index` that they belong to. For a dense row these are the
first n features, and `index` is not read: its type says so when the kernel is compiled.
"""

from cython cimport floating

ctypedef unsigned char every_feature  # the type of `index` for a dense row

ctypedef fused index_of:  # a row
    every_feature
    int
    long long

ctypedef fused stored_index:  # in CSR
    int
    long long

cdef extern from "sgd_rows.h" nogil:
    void fr_prefetch_row(const char *row, Py_ssize_t bytes)
    double fr_dot_double(const double *w, const double *x, Py_ssize_t n)
    double fr_dot_float(const float *w, const float *x, Py_ssize_t n)
    double fr_step_dot_double(double *w, double c, const double *previous, const double *x,
                              Py_ssize_t n)
    double fr_step_dot_float(float *w, float c, const float *previous, const float *x,
                             Py_ssize_t n)
    double fr_step_dot_next_double(double *w, double c, const double *previous, const double *x,
                                   const double *next, Py_ssize_t n, double *gram_out)
    double fr_step_dot_next_float(float *w, float c, const float *previous, const float *x,
                                  const float *next, Py_ssize_t n, double *gram_out)
    double fr_square_double(const double *x, Py_ssize_t n)
    double fr_square_float(const float *x, Py_ssize_t n)
    void fr_step_double(double *w, double c, const double *x, Py_ssize_t n)
    void fr_step_float(float *w, float c, const float *x, Py_ssize_t n)
    double fr_sparse_dot_double_int(const double *v, const double *x, const int *index,
                                    Py_ssize_t n, const double *next, const int *next_index,
                                    Py_ssize_t n_next)
    double fr_sparse_dot_float_int(const float *v, const float *x, const int *index,
                                   Py_ssize_t n, const float *next, const int *next_index,
                                   Py_ssize_t n_next)
    double fr_sparse_dot_double_long(const double *v, const double *x, const long long *index,
                                     Py_ssize_t n, const double *next,
                                     const long long *next_index, Py_ssize_t n_next)
    double fr_sparse_dot_float_long(const float *v, const float *x, const long long *index,
                                    Py_ssize_t n, const float *next,
                                    const long long *next_index, Py_ssize_t n_next)

cdef struct row_view:  # how rows lie in memory
    Py_ssize_t stride  # values from one dense row to the next
    Py_ssize_t n_features
    bint gathered  # whether dense X holds the rows of this slice only, in their order


cdef inline row_view dense_rows(const floating[:, :] X, bint gathered) noexcept:
    cdef row_view rows
    rows.stride = X.strides[0] // <Py_ssize_t>sizeof(floating)
    rows.n_features, rows.gathered = X.shape[1], gathered
    return rows


cdef inline Py_ssize_t row_begin(const row_view *rows, const index_of *indptr, Py_ssize_t i,
                                 Py_ssize_t row) noexcept nogil:
    # the position of the first value of row i of the slice, which is row `row` of the data
    if index_of is every_feature:
        return (i if rows.gathered else row) * rows.stride
    else:
        return indptr[row]


cdef inline Py_ssize_t row_length(const row_view *rows, const index_of *indptr,
                                  Py_ssize_t row) noexcept nogil:
    if index_of is every_feature:
        return rows.n_features
    else:
        return indptr[row + 1] - indptr[row]


cdef inline const index_of *row_index(const index_of *indices, Py_ssize_t begin) noexcept nogil:
    if index_of is every_feature:
        return indices
    else:
        return indices + begin


cdef inline Py_ssize_t feature_at(const index_of *index, Py_ssize_t k) noexcept nogil:
    # the feature of the k-th value of a row
    if index_of is every_feature:
        return k
    else:
        return index[k]


cdef inline double dot(const floating *w, const floating *x, Py_ssize_t n) noexcept nogil:
    # w'x of a dense row
    if floating is double:
        return fr_dot_double(w, x, n)
    else:
        return fr_dot_float(w, x, n)


cdef inline double step_dot(floating *w, double c, const floating *previous, const floating *x,
                            Py_ssize_t n) noexcept nogil:
    # w += c previous; w'x of the new w
    if c == 0.0:
        return dot(w, x, n)
    if floating is double:
        return fr_step_dot_double(w, c, previous, x, n)
    else:
        return fr_step_dot_float(w, <float>c, previous, x, n)


cdef inline double step_dot_next(floating *w, double c, const floating *previous, const floating *x,
                                 const floating *following, Py_ssize_t n,
                                 double *gram_out) noexcept nogil:
    # w += c previous; w'following of the new w; gram_out = x'following
    if floating is double:
        return fr_step_dot_next_double(w, c, previous, x, following, n, gram_out)
    else:
        return fr_step_dot_next_float(w, <float>c, previous, x, following, n, gram_out)


cdef inline double sparse_dot(const floating *w, const floating *x, const stored_index *index,
                              Py_ssize_t n, const floating *following,
                              const stored_index *following_index,
                              Py_ssize_t n_following) noexcept nogil:
    # w'x; the row that follows is prefetched
    if floating is double:
        if stored_index is int:
            return fr_sparse_dot_double_int(w, x, index, n, following, following_index,
                                            n_following)
        else:
            return fr_sparse_dot_double_long(w, x, index, n, following, following_index,
                                             n_following)
    else:
        if stored_index is int:
            return fr_sparse_dot_float_int(w, x, index, n, following, following_index,
                                           n_following)
        else:
            return fr_sparse_dot_float_long(w, x, index, n, following, following_index,
                                            n_following)


cdef inline double row_square(const floating *x, const index_of *index,
                              Py_ssize_t n) noexcept nogil:
    # x'x; of a sparse row in double
    cdef double square = 0.0
    cdef Py_ssize_t k
    if index_of is every_feature:
        if floating is double:
            return fr_square_double(x, n)
        else:
            return fr_square_float(x, n)
    else:
        for k in range(n):
            square += <double>x[k] * x[k]
        return square


cdef inline void add_dense(floating *w, double c, const floating *x, Py_ssize_t n) noexcept nogil:
    # w += c x of a dense row
    if floating is double:
        fr_step_double(w, c, x, n)
    else:
        fr_step_float(w, <float>c, x, n)
