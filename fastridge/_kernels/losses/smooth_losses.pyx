# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Losses with a curvature, summed over rows, with what Newton's method needs of each row.

Each has a file of its own, with one function, to whose `power` the loss of a power comes first:

    value_and_derivatives(y, eta, derivative, curvature)

It returns the loss, and sets its first and second derivative with respect to eta. Curvatures are
positive, or zero where the loss is: where the second derivative may be negative, it is the one that
is expected of y. To add a loss: write its file, a number and a line in `smooth_rows.pxd`, its name
here, and the file in `fastridge/losses/`.
"""

from cython cimport floating
from exponential cimport fr_exp_any
from libc.math cimport log, log1p, sqrt
from smooth_rows cimport loss_over_rows

cdef extern from "combine.h" nogil:
    void fr_add_about_double(const double *a, const double *b, const double *c,
                             const double *d, const double *factor, const double *minus,
                             Py_ssize_t n, double *out)
    void fr_add_about_float(const float *a, const float *b, const float *c, const float *d,
                            const double *factor, const double *minus, Py_ssize_t n, double *out)

cdef double LEAST_CURVATURE = 1e-280  # its root is a factor of the row, and so is its inverse


def names():
    """Return the names of the losses, in the order of their numbers."""
    return (
        "log_loss", "squared_error", "poisson", "gamma", "tweedie", "tweedie_identity",
        "squared_hinge",
    )


def loss_of_rows(int loss, double power, const double[::1] y, const double[::1] eta,
                 const double[::1] weight, double[::1] derivative_out,
                 double[::1] curvature_out):
    """Return the sum of the losses of rows, and of their derivatives, times their weights.

    `derivative_out` and `curvature_out` receive the derivatives of each row, times its weight.
    `weight` is empty for unit weights.
    """
    cdef:
        Py_ssize_t n = eta.shape[0], k
        const double *v = &weight[0] if weight.shape[0] else NULL
        double *first = &derivative_out[0]
        double *second = &curvature_out[0]
        double value, total = 0.0
    with nogil:
        value = loss_over_rows(loss, power, &y[0], &eta[0], v, n, first, second)
        for k in range(n):
            total += first[k]
    return value, total


cdef inline void predict_rows(const floating *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p,
                              const double *shift, const double *coef, double intercept,
                              double *eta) noexcept nogil:
    # eta[k] = intercept + sum_j coef[j] (X[k, j] - shift[j])
    cdef:
        Py_ssize_t k, j
        const floating *x
        double total
    for k in range(n):
        x, total = X + k * row, 0.0
        for j in range(p):
            total += coef[j] * (<double>x[j] - shift[j])
        eta[k] = intercept + total


cdef inline void add_gradient(const floating *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p,
                              const double *shift, const double *derivative,
                              double *gradient) noexcept nogil:
    # gradient[j] += sum_k derivative[k] (X[k, j] - shift[j])
    cdef:
        Py_ssize_t k, i
        const floating *x[4]
        double factor[4]
    for k in range(0, n, 4):
        for i in range(4):
            x[i] = X + min(k + i, n - 1) * row
            factor[i] = derivative[k + i] if k + i < n else 0.0
        if floating is double:
            fr_add_about_double(x[0], x[1], x[2], x[3], factor, shift, p, gradient)
        else:
            fr_add_about_float(x[0], x[1], x[2], x[3], factor, shift, p, gradient)


def loss_of_dense_rows(int loss, double power, const floating[:, :] X, const double[::1] shift,
                       const double[::1] coef, double intercept, const double[::1] y,
                       const double[::1] offset, const double[::1] weight, Py_ssize_t step,
                       double[::1] eta_out, double[::1] derivative_out,
                       double[::1] curvature_out, double[::1] gradient_out):
    """Return the sums of `loss_of_rows` at linear predictors ``(X - shift) coef + intercept``.

    Rows of X are contiguous, and are read `step` of them at a time, while they are in the cache.
    `offset` is empty where there is none. `gradient_out` is empty, or receives in addition the
    derivatives with respect to the coefficients.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], begin = 0, count, k
        Py_ssize_t row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        const double *v
        double value = 0.0, total = 0.0
    with nogil:
        while begin < n:
            count = min(step, n - begin)
            predict_rows(&X[begin, 0], row, count, p, &shift[0], &coef[0], intercept,
                         &eta_out[begin])
            for k in range(begin, begin + count if offset.shape[0] else begin):
                eta_out[k] += offset[k]
            v = &weight[begin] if weight.shape[0] else NULL
            value += loss_over_rows(loss, power, &y[begin], &eta_out[begin], v, count,
                                    &derivative_out[begin], &curvature_out[begin])
            for k in range(begin, begin + count):
                total += derivative_out[k]
            if gradient_out.shape[0]:
                add_gradient(&X[begin, 0], row, count, p, &shift[0], &derivative_out[begin],
                             &gradient_out[0])
            begin += count
    return value, total


def classes_of_rows(const Py_ssize_t[::1] y, const double[:, ::1] eta,
                    const double[::1] weight, double[:, ::1] derivative_out, double[::1] work):
    """Return the sum of the multinomial losses of rows, times their weights.

    `eta` holds the linear predictors of each class, one row per class; `derivative_out` receives
    the derivatives, times the weight of the row. `work` has room for a value per row. `weight` is
    empty for unit weights.
    """
    cdef:
        Py_ssize_t n_classes = eta.shape[0], n = eta.shape[1], k, i
        bint weighted = weight.shape[0] > 0
        const double *x
        double *out
        double *largest = &work[0]
        double value = 0.0, loss, own, others
    with nogil:
        for i in range(n):
            largest[i] = eta[0, i]
        for k in range(1, n_classes):
            x = &eta[k, 0]
            for i in range(n):
                largest[i] = x[i] if x[i] > largest[i] else largest[i]
        for k in range(n_classes):
            x, out = &eta[k, 0], &derivative_out[k, 0]
            for i in range(n):
                out[i] = fr_exp_any(x[i] - largest[i])
        for i in range(n):
            loss = largest[i] - eta[y[i], i]
            own, others = derivative_out[y[i], i], 0.0
            for k in range(n_classes):
                others += derivative_out[k, i] if k != y[i] else 0.0
            # not 1 minus something: of a row that is fitted well, all digits are in the others
            loss += log1p(others) if own == 1.0 else log(own + others)
            largest[i] = 1.0 / (own + others)
            derivative_out[y[i], i] = -others
            if not weighted:
                value += loss
            elif weight[i] > 0.0:
                value += weight[i] * loss
                largest[i] *= weight[i]
        for k in range(n_classes):
            out = &derivative_out[k, 0]
            for i in range(n):
                out[i] *= largest[i]
        for i in range(n if weighted else 0):
            if not weight[i] > 0.0:  # the row may hold anything
                for k in range(n_classes):
                    derivative_out[k, i] = 0.0
    return value


def newton_rows(double[::1] derivative, double[::1] curvature):
    """Turn derivatives into steps, derivative / curvature, and curvatures into their roots."""
    cdef Py_ssize_t k
    cdef double second
    with nogil:
        for k in range(derivative.shape[0]):
            second = curvature[k]
            second = LEAST_CURVATURE if 0.0 < second < LEAST_CURVATURE else second
            second = second if derivative[k] == 0.0 or second > 0.0 else LEAST_CURVATURE
            derivative[k] = derivative[k] / second if second > 0.0 else 0.0
            curvature[k] = sqrt(second)
