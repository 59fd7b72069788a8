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

from combined_rows cimport add_rows_each, combine_each, combine_one
from cython cimport floating
from exponential cimport fr_exp_any
from libc.math cimport log, log1p, sqrt
from smooth_rows cimport loss_over_rows

cdef enum:
    MOST_FOLDS = 64

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
            combine_one(&X[begin, 0], row, count, p, &shift[0], &coef[0], intercept,
                        &eta_out[begin])
            for k in range(begin, begin + count if offset.shape[0] else begin):
                eta_out[k] += offset[k]
            v = &weight[begin] if weight.shape[0] else NULL
            value += loss_over_rows(loss, power, &y[begin], &eta_out[begin], v, count,
                                    &derivative_out[begin], &curvature_out[begin])
            for k in range(begin, begin + count):
                total += derivative_out[k]
            if gradient_out.shape[0]:
                add_rows_each(&X[begin, 0], row, count, p, &shift[0], &derivative_out[begin], 1, 0,
                              1, &gradient_out[0])
            begin += count
    return value, total


cdef inline double classes_over_rows(const Py_ssize_t *y, const double *eta, Py_ssize_t ld,
                                     const double *weight, Py_ssize_t n, Py_ssize_t n_classes,
                                     double *derivative, double *largest) noexcept nogil:
    # See `classes_of_rows`; rows of eta and of the derivatives are `ld` values apart.
    cdef:
        Py_ssize_t k, i
        const double *x
        double *out
        double value = 0.0, loss, own, others
    for i in range(n):
        largest[i] = eta[i]
    for k in range(1, n_classes):
        x = eta + k * ld
        for i in range(n):
            largest[i] = x[i] if x[i] > largest[i] else largest[i]
    for k in range(n_classes):
        x, out = eta + k * ld, derivative + k * ld
        for i in range(n):
            out[i] = fr_exp_any(x[i] - largest[i])
    for i in range(n):
        loss = largest[i] - eta[y[i] * ld + i]
        own, others = derivative[y[i] * ld + i], 0.0
        for k in range(n_classes):
            others += derivative[k * ld + i] if k != y[i] else 0.0
        # not 1 minus something: of a row that is fitted well, all digits are in the others
        loss += log1p(others) if own == 1.0 else log(own + others)
        largest[i] = 1.0 / (own + others)
        derivative[y[i] * ld + i] = -others
        if weight == NULL:
            value += loss
        elif weight[i] > 0.0:
            value += weight[i] * loss
            largest[i] *= weight[i]
    for k in range(n_classes):
        out = derivative + k * ld
        for i in range(n):
            out[i] *= largest[i]
    for i in range(n if weight != NULL else 0):
        if not weight[i] > 0.0:  # the row may hold anything
            for k in range(n_classes):
                derivative[k * ld + i] = 0.0
    return value


def classes_of_rows(const Py_ssize_t[::1] y, const double[:, ::1] eta,
                    const double[::1] weight, double[:, ::1] derivative_out, double[::1] work):
    """Return the sum of the multinomial losses of rows, times their weights.

    `eta` holds the linear predictors of each class, one row per class; `derivative_out` receives
    the derivatives, times the weight of the row. `work` has room for a value per row. `weight` is
    empty for unit weights.
    """
    cdef:
        Py_ssize_t n = eta.shape[1]
        const double *v = &weight[0] if weight.shape[0] else NULL
        double value
    with nogil:
        value = classes_over_rows(&y[0], &eta[0, 0], n, v, n, eta.shape[0], &derivative_out[0, 0],
                                  &work[0])
    return value


def most_folds():
    """Return how many folds `folds_of_dense_rows` takes at most."""
    return MOST_FOLDS


def folds_of_dense_rows(int loss, double power, const floating[:, :] X, const double[::1] shift,
                        const double[:, ::1] coef, const double[::1] intercept,
                        const double[::1] y, const double[::1] offset, weights,
                        double[:, ::1] work, double[::1] room, double[:, :] eta_out,
                        double[::1] values_out, double[::1] totals_out,
                        double[:, ::1] gradient_out):
    """Add up the losses of the same rows with the weights of each fold, and their derivatives.

    Each fold has coefficients and an intercept of its own, and an array in the list `weights`. Rows
    of X are contiguous. `offset` is empty where there is none. `work` has two rows for each fold,
    of as many values as rows are read at a time; `room` has as many, or four for each column.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_folds = coef.shape[0], step = work.shape[1]
        Py_ssize_t row = X.strides[0] // <Py_ssize_t>sizeof(floating), begin = 0, count, k, t
        const double *v[MOST_FOLDS]
        const double[::1] some
        double *eta = &work[0, 0]
        double *derivative = &work[n_folds, 0]
    for t in range(n_folds):
        some = weights[t]
        v[t] = &some[0]
    with nogil:
        while begin < n:
            count = min(step, n - begin)
            combine_each(&X[begin, 0], row, count, p, &shift[0], &coef[0, 0], &intercept[0],
                         n_folds, &room[0], eta, step)
            for t in range(n_folds):
                for k in range(count):
                    if offset.shape[0]:
                        eta[t * step + k] += offset[begin + k]
                    eta_out[t, begin + k] = eta[t * step + k]
                values_out[t] += loss_over_rows(loss, power, &y[begin], eta + t * step,
                                                v[t] + begin, count, derivative + t * step,
                                                &room[0])
                for k in range(count):
                    totals_out[t] += derivative[t * step + k]
            add_rows_each(&X[begin, 0], row, count, p, &shift[0], derivative, 1, step, n_folds,
                          &gradient_out[0, 0])
            begin += count


def classes_of_dense_rows(const floating[:, :] X, const double[::1] shift,
                          const double[:, ::1] coef, const double[::1] intercept,
                          const Py_ssize_t[::1] y, const double[:, :] offset,
                          const double[::1] weight, double[:, ::1] work, double[::1] room,
                          double[:, :] eta_out, double[::1] totals_out,
                          double[:, ::1] gradient_out):
    """Return the sum of the multinomial losses of rows; add their derivatives and gradients.

    `offset` has no rows where there is none; the rest is as for `folds_of_dense_rows`.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_classes = coef.shape[0], step = work.shape[1]
        Py_ssize_t row = X.strides[0] // <Py_ssize_t>sizeof(floating), begin = 0, count, k, t
        const double *v
        double *eta = &work[0, 0]
        double *derivative = &work[n_classes, 0]
        double value = 0.0
    with nogil:
        while begin < n:
            count = min(step, n - begin)
            combine_each(&X[begin, 0], row, count, p, &shift[0], &coef[0, 0], &intercept[0],
                         n_classes, &room[0], eta, step)
            for t in range(n_classes):
                for k in range(count):
                    if offset.shape[0]:
                        eta[t * step + k] += offset[begin + k, t]
                    eta_out[t, begin + k] = eta[t * step + k]
            v = &weight[begin] if weight.shape[0] else NULL
            value += classes_over_rows(&y[begin], eta, step, v, count, n_classes, derivative,
                                       &room[0])
            for t in range(n_classes):
                for k in range(count):
                    totals_out[t] += derivative[t * step + k]
            add_rows_each(&X[begin, 0], row, count, p, &shift[0], derivative, 1, step, n_classes,
                          &gradient_out[0, 0])
            begin += count
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
