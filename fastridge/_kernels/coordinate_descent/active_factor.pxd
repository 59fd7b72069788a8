"""Cholesky factor of the rows and columns of a Gram that are in use, kept as they come and go.

    U'U = G[members, members] + diag(ridge[members])

U is upper triangular by rows. A column is appended by a triangular solve and removed by rotations
of the rows below it (Golub and Van Loan, "Matrix Computations", 4th edition, section 6.5); both
cost the square of the order. Where a column nearly depends on the others its pivot is raised to a
least value, so that a solution goes far along what the columns do not tell apart: until something
leaves. Only one is let in at a time, for the factor of more than one would grow beyond bounds.
"""

from libc.math cimport hypot, sqrt
from libc.string cimport memmove

cdef extern from "triangular.h":
    void fr_add_row(double *out, const double *row, double factor, Py_ssize_t n) nogil
    void fr_add_rows(double *out, const double *const *rows, const double *factor,
                     Py_ssize_t n) nogil
    void fr_rotate(double *upper, double *lower, double c, double s, Py_ssize_t n) nogil
    double fr_dot(const double *x, const double *y, Py_ssize_t n) nogil
    void fr_forward(const double *U, Py_ssize_t ld, const double *inverse, double *x,
                    Py_ssize_t order, Py_ssize_t width) nogil
    void fr_forward_twice(const double *U, Py_ssize_t ld, const double *inverse, double *x,
                          double *x2, Py_ssize_t order, Py_ssize_t width) nogil
    void fr_add_above(double *U, Py_ssize_t ld, Py_ssize_t begin, Py_ssize_t end,
                      Py_ssize_t width) nogil
    const Py_ssize_t FR_ROWS
    void fr_backward(const double *U, Py_ssize_t ld, const double *inverse, double *x,
                     Py_ssize_t order) nogil


cdef struct active_factor:
    double *U
    double *inverse  # of its diagonal
    Py_ssize_t ld
    Py_ssize_t order
    Py_ssize_t raised  # the position whose pivot is raised, -1 where none is
    int *member  # the column at each position
    int *position  # the position of each column, -1 where it is not in use
    const double *gram
    Py_ssize_t gram_ld
    const double *ridge


cdef inline Py_ssize_t padded(Py_ssize_t n, Py_ssize_t room) noexcept nogil:
    # n, or the next multiple of eight where there is room
    cdef Py_ssize_t whole = (n + 7) // 8 * 8
    return whole if whole <= room else n


cdef inline void solve_transposed(const active_factor *f, double *x) noexcept nogil:
    # x <- U^-T x
    fr_forward(f.U, f.ld, f.inverse, x, f.order, padded(f.order, f.ld))


cdef inline void solve(const active_factor *f, double *x) noexcept nogil:
    # x <- (U'U)^-1 x
    solve_transposed(f, x)
    fr_backward(f.U, f.ld, f.inverse, x, f.order)


cdef inline double least_pivot(const active_factor *f, int j) noexcept nogil:
    return 1e-13 * (f.gram[j * f.gram_ld + j] + f.ridge[j])


cdef inline void gather_column(const active_factor *f, int j, double *out) noexcept nogil:
    cdef Py_ssize_t i
    cdef const double *row = f.gram + j * f.gram_ld
    for i in range(f.order):
        out[i] = row[f.member[i]]


cdef inline bint append_solved(active_factor *f, int j, const double *column) noexcept nogil:
    # `append`, with column j of U, but for the diagonal
    cdef Py_ssize_t k = f.order, i
    cdef double pivot, least = least_pivot(f, j)
    pivot = f.gram[j * f.gram_ld + j] + f.ridge[j] - fr_dot(column, column, k)
    if not pivot > least:
        if f.raised >= 0:
            return False
        f.raised = k
        pivot = least
    for i in range(k):
        f.U[i * f.ld + k] = column[i]
    f.U[k * f.ld + k] = sqrt(pivot)
    f.inverse[k] = 1.0 / sqrt(pivot)
    f.member[k] = j
    f.position[j] = <int>k
    f.order = k + 1
    return True


cdef inline bint append(active_factor *f, int j, double *work) noexcept nogil:
    # False where column j depends on those in use, and another does already
    gather_column(f, j, work)
    solve_transposed(f, work)
    return append_solved(f, j, work)


cdef inline void append_both(active_factor *f, int j, int j2, double *work,
                             double *work2) noexcept nogil:
    # `append` column j and then j2, at some two thirds of the cost
    cdef Py_ssize_t k = f.order
    gather_column(f, j, work)
    gather_column(f, j2, work2)
    fr_forward_twice(f.U, f.ld, f.inverse, work, work2, k, padded(k, f.ld))
    if append_solved(f, j, work):
        work2[k] = (f.gram[j * f.gram_ld + j2] - fr_dot(work, work2, k)) * f.inverse[k]
    append_solved(f, j2, work2)


cdef inline void remove(active_factor *f, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k = f.order, r
    cdef double *upper
    cdef double *lower
    cdef double length
    f.position[f.member[i]] = -1
    for r in range(i + 1, k):
        f.member[r - 1] = f.member[r]
        f.position[f.member[r]] = <int>(r - 1)
    for r in range(i + 1):
        memmove(f.U + r * f.ld + i, f.U + r * f.ld + i + 1, (k - 1 - i) * sizeof(double))
    for r in range(i + 1, k):
        upper = f.U + (r - 1) * f.ld + r - 1
        lower = f.U + r * f.ld + r - 1
        memmove(lower, lower + 1, (k - r) * sizeof(double))
        length = hypot(upper[0], lower[0])
        fr_rotate(upper, lower, upper[0] / length, lower[0] / length, k - r)
        f.inverse[r - 1] = 1.0 / length
    f.order = k - 1
    if f.raised == i:
        f.raised = -1
    elif f.raised > i:
        f.raised -= 1
        r = f.raised
        # what it depended on may have left
        if f.U[r * f.ld + r] * f.U[r * f.ld + r] > 4.0 * least_pivot(f, f.member[r]):
            f.raised = -1


cdef inline void forget(active_factor *f) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(f.order):
        f.position[f.member[i]] = -1
    f.order = 0
    f.raised = -1


cdef inline void gather(active_factor *f) noexcept nogil:
    # minus the matrix of the present members, to be factored by `refactor`
    cdef Py_ssize_t i, r
    cdef double *row
    cdef const double *gram
    for i in range(f.order):
        row = f.U + i * f.ld
        gram = f.gram + f.member[i] * f.gram_ld
        for r in range(i, f.order):
            row[r] = -gram[f.member[r]]
        row[i] -= f.ridge[f.member[i]]


cdef inline void leave_out(active_factor *f, Py_ssize_t i) noexcept nogil:
    # row and column i of a matrix that is factored in its first i rows
    cdef Py_ssize_t k = f.order, r
    f.position[f.member[i]] = -1
    for r in range(i):
        memmove(f.U + r * f.ld + i, f.U + r * f.ld + i + 1, (k - 1 - i) * sizeof(double))
    for r in range(i + 1, k):
        f.member[r - 1] = f.member[r]
        f.position[f.member[r]] = <int>(r - 1)
        memmove(f.U + (r - 1) * f.ld + r - 1, f.U + r * f.ld + r, (k - r) * sizeof(double))
    f.order = k - 1


cdef inline Py_ssize_t refactor(active_factor *f, Py_ssize_t begin, double budget) noexcept nogil:
    # continues at row `begin`, some rows at a time and at least once; returns the row reached
    # when `budget` is spent. What it leaves below the diagonal is not used.
    cdef Py_ssize_t end, width, i, r
    cdef double *row
    cdef double pivot, least, left = budget
    while begin < f.order:
        end = min(begin + FR_ROWS, f.order)
        width = padded(f.order, f.ld)
        fr_add_above(f.U, f.ld, begin, end, width)
        left -= <double>(end - begin) * (begin + 16) * (width - begin)
        i = begin
        while i < end:
            row = f.U + i * f.ld
            for r in range(begin, i):
                fr_add_row(row + begin, f.U + r * f.ld + begin, f.U[r * f.ld + i], width - begin)
            pivot = -row[i]
            least = least_pivot(f, f.member[i])
            if not pivot > least:
                if f.raised >= 0:
                    leave_out(f, i)
                    left -= f.order * f.order / 8.0
                    end -= 1
                    width = padded(f.order, f.ld)
                    continue
                f.raised = i
                pivot = least
            row[i] = sqrt(pivot)
            f.inverse[i] = 1.0 / row[i]
            for r in range(i + 1, f.order):
                row[r] *= -f.inverse[i]
            i += 1
        begin = end
        if left <= 0.0:
            break
    return begin
