# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Kernel matrices by blocks of rows: to be factored in place, or multiplied and dropped.

`PackedRows` are rows of X in tiles of float64; every call does a few panels of them.
"""

from cython cimport floating
from libc.math cimport fabs

from tile cimport fr_add_column_squares, fr_pack_double, fr_pack_float, fr_padded, fr_terms

cdef extern from "rows.h" nogil:
    double fr_dot(const double *x, const double *y, Py_ssize_t n)
    void fr_add_row(double *out, const double *row, double factor, Py_ssize_t n)

cdef extern from "kernel_block.h" nogil:
    Py_ssize_t fr_panel_width(Py_ssize_t begin, Py_ssize_t columns)
    ctypedef struct fr_kernel:
        int name
        int power
        int raw
        double gamma
        double coef0
        double degree
    ctypedef struct fr_side:
        const double *tile
        Py_ssize_t depth
        Py_ssize_t columns
        const double *squares
        const double *scale
    ctypedef struct fr_features:
        int first
        int last
    void fr_kernel_values(const fr_kernel *kernel, double *v, Py_ssize_t n)
    void fr_kernel_rows(const fr_kernel *kernel, const fr_side *left, Py_ssize_t i,
                        const fr_side *right, Py_ssize_t begin, Py_ssize_t end,
                        fr_features part, double *out, Py_ssize_t ld)

NAMES = ("linear", "polynomial", "sigmoid", "rbf", "laplacian", "chi2", "additive_chi2")


cdef class KernelFunction:
    """One of `NAMES` with its parameters; if `raw`, only the inner products or distances of it."""

    cdef fr_kernel settings

    def __init__(self, int name, double gamma, double coef0, double degree, int power,
                 bint raw):
        self.settings = fr_kernel(name, power, raw, gamma, coef0, degree)

    def values(self, double[:, :] values):
        """Turn inner products or distances into kernel values, in place; rows are contiguous."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(values.shape[0]):
                fr_kernel_values(&self.settings, &values[i, 0], values.shape[1])


cdef class PackedRows:
    """Rows of X in a tile, with their squared lengths and a factor of their kernel values.

    `tile` has one row for each row of X, padded to `padded_columns`, and as many columns as
    features. `squares` and `scale` are as long; `scale` is empty for factors of 1.
    """

    cdef readonly Py_ssize_t n_rows
    cdef double[:, ::1] tile
    cdef double[::1] squares
    cdef const double[::1] scale
    cdef fr_side side

    def __init__(self, Py_ssize_t n_rows, double[:, ::1] tile, double[::1] squares,
                 const double[::1] scale):
        self.n_rows, self.tile, self.squares, self.scale = n_rows, tile, squares, scale
        self.side = fr_side(&tile[0, 0], tile.shape[1], n_rows, &squares[0], NULL)
        if scale.shape[0]:
            self.side.scale = &scale[0]

    def pack(self, const floating[:, :] X, const double[::1] shift, Py_ssize_t begin,
             Py_ssize_t end):
        """Pack rows `begin:end` of X - shift and add their squares; panels begin at `begin`."""
        cdef fr_terms terms
        cdef Py_ssize_t row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        cdef Py_ssize_t col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        cdef Py_ssize_t depth = self.tile.shape[1], n = self.n_rows
        with nogil:
            terms.shift = terms.scale = NULL
            terms.row_shift = &shift[0]
            terms.sums, terms.n_extra = NULL, 0
            if floating is double:
                fr_pack_double(&X[0, 0], col, row, depth, begin, end, 0, &terms,
                               &self.tile[0, 0], depth, n)
            else:
                fr_pack_float(&X[0, 0], col, row, depth, begin, end, 0, &terms,
                              &self.tile[0, 0], depth, n)
            fr_add_column_squares(&self.tile[0, 0], depth, begin, end, depth, n,
                                  &self.squares[begin])


def fill_upper(KernelFunction kernel, PackedRows left, PackedRows right, bint first, bint last,
               const double[::1] diagonal, double[:, ::1] upper_out, double[::1] sums_out,
               Py_ssize_t begin, Py_ssize_t end):
    """Rows `begin:end` of the kernel matrix, on and above its diagonal, plus `diagonal` there.

    Left and right are the same rows with factors of their own, and `begin` is that of a panel.
    Values are added to those from other features unless `first`, and finished if `last`; then
    `sums_out` receives the absolute sums of rows and columns.
    """
    cdef Py_ssize_t i, stop, height, r, j, n = left.n_rows, padded = fr_padded(n)
    cdef Py_ssize_t ld = upper_out.shape[1]
    cdef double value, total
    cdef double *row
    cdef double *sums = &sums_out[0]
    with nogil:
        i, stop = begin, min(end, n)
        while i < stop:
            height = fr_panel_width(i, n)
            fr_kernel_rows(&kernel.settings, &left.side, i, &right.side, i, padded,
                           fr_features(first, last), &upper_out[i, i], ld)
            for r in range(i, min(i + height, n) if last else i):
                row = &upper_out[r, 0]
                row[r] += diagonal[r]
                total = fabs(row[r])
                for j in range(r + 1, n):
                    value = fabs(row[j])
                    total += value
                    sums[j] += value
                sums[r] += total
            i += height


def multiply(KernelFunction kernel, PackedRows left, PackedRows right,
             const double[:, ::1] vectors, double[:, ::1] work_out, double[:, ::1] products_out,
             Py_ssize_t begin, Py_ssize_t end):
    """products_out[t, i] = sum_j k(left_i, right_j) vectors[t, j] for rows `begin:end`."""
    cdef Py_ssize_t i, stop, height, r, t, n = right.n_rows, padded = fr_padded(n)
    with nogil:
        i, stop = begin, min(end, left.n_rows)
        while i < stop:
            height = fr_panel_width(i, left.n_rows)
            fr_kernel_rows(&kernel.settings, &left.side, i, &right.side, 0, padded,
                           fr_features(1, 1), &work_out[0, 0], work_out.shape[1])
            for r in range(min(height, left.n_rows - i)):
                for t in range(vectors.shape[0]):
                    products_out[t, i + r] = fr_dot(&work_out[r, 0], &vectors[t, 0], n)
            i += height


def multiply_twice(KernelFunction kernel, PackedRows left, PackedRows right,
                   const double[:, ::1] vectors, const double[:, ::1] targets,
                   const double[::1] weight, double[:, ::1] work_out,
                   double[:, ::1] products_out, Py_ssize_t begin, Py_ssize_t end):
    """products_out += (targets - vectors C') diag(weight) C over rows of C = k(left, right).

    `targets` has a row for each vector, or none for zeros.
    """
    cdef Py_ssize_t i, stop, height, r, t, n = right.n_rows, padded = fr_padded(n)
    cdef double value
    with nogil:
        i, stop = begin, min(end, left.n_rows)
        while i < stop:
            height = fr_panel_width(i, left.n_rows)
            fr_kernel_rows(&kernel.settings, &left.side, i, &right.side, 0, padded,
                           fr_features(1, 1), &work_out[0, 0], work_out.shape[1])
            for r in range(min(height, left.n_rows - i)):
                for t in range(vectors.shape[0]):
                    value = targets[t, i + r] if targets.shape[0] else 0.0
                    value -= fr_dot(&work_out[r, 0], &vectors[t, 0], n)
                    fr_add_row(&products_out[t, 0], &work_out[r, 0], weight[i + r] * value, n)
            i += height


def multiply_symmetric(KernelFunction kernel, PackedRows rows, const double[:, ::1] vectors,
                       double[:, ::1] work_out, double[:, ::1] products_out, Py_ssize_t begin,
                       Py_ssize_t end):
    """products_out += vectors K for the entries of rows `begin:end` on and above the diagonal.

    Each entry counts for its row and for its column.
    """
    cdef Py_ssize_t i, stop, height, r, t, n = rows.n_rows, padded = fr_padded(n), rest
    cdef double *row
    with nogil:
        i, stop = begin, min(end, n)
        while i < stop:
            height = fr_panel_width(i, n)
            fr_kernel_rows(&kernel.settings, &rows.side, i, &rows.side, i, padded,
                           fr_features(1, 1), &work_out[0, 0], work_out.shape[1])
            for r in range(min(height, n - i)):
                row, rest = &work_out[r, r], n - i - r
                for t in range(vectors.shape[0]):
                    products_out[t, i + r] += fr_dot(row, &vectors[t, i + r], rest)
                    fr_add_row(&products_out[t, i + r] + 1, row + 1, vectors[t, i + r], rest - 1)
            i += height


def block(KernelFunction kernel, PackedRows left, PackedRows right, double[:, ::1] block_out,
          Py_ssize_t begin, Py_ssize_t end):
    """block_out[i - begin, j] = k(left_i, right_j) for rows `begin:end`, padded as tiles are."""
    cdef Py_ssize_t i, stop, height, padded = fr_padded(right.n_rows)
    with nogil:
        i, stop = begin, min(end, left.n_rows)
        while i < stop:
            height = fr_panel_width(i, left.n_rows)
            fr_kernel_rows(&kernel.settings, &left.side, i, &right.side, 0, padded,
                           fr_features(1, 1), &block_out[i - begin, 0], block_out.shape[1])
            i += height
