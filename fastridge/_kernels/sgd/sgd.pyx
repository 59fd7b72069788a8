# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Stochastic gradient descent over rows, dense or CSR: a slice of an epoch a call.

The equations stand in `sgd_steps.pxd`. With an L1 penalty each weight pays, when a row touches it,
what it owes of the penalty so far, and stops at zero (Tsuruoka, Tsujii and Ananiadou, "Stochastic
gradient descent training for L1-regularized log-linear models with cumulative penalty", ACL 2009).
The mean of the weights so far is kept as (average + average_a v) / average_b, so that a row
touches no weight beside its own (Bottou, "Stochastic gradient descent tricks", 2012).
"""

from cython cimport floating
from libc.math cimport fabs, isfinite, log
from sgd_steps cimport (
    ELASTICNET,
    L1,
    L2,
    LOG_LOSS,
    PA1,
    close_descent,
    decay_of,
    descent,
    dloss_of,
    eta_at,
    fr_exp,
    log_slope,
    loss_of,
    open_descent,
    slope_of,
    update_of,
)

cdef enum:
    LOOK_AHEAD = 127  # rows of up to so many values wait longer for each other than for memory

ctypedef fused index:
    int
    long long

cdef extern from "sgd_rows.h" nogil:
    void fr_fetch_row(const char *row, Py_ssize_t bytes)
    double fr_margin_double(const double *w, const double *x, Py_ssize_t n)
    double fr_margin_float(const float *w, const float *x, Py_ssize_t n)
    double fr_step_margin_double(double *w, double c, const double *previous, const double *x,
                                 Py_ssize_t n)
    double fr_step_margin_float(float *w, float c, const float *previous, const float *x,
                                Py_ssize_t n)
    double fr_look_ahead_double(double *w, double c, const double *previous, const double *x,
                                const double *next, Py_ssize_t n, double *gram_out)
    double fr_look_ahead_float(float *w, float c, const float *previous, const float *x,
                               const float *next, Py_ssize_t n, double *gram_out)
    double fr_square_double(const double *x, Py_ssize_t n)
    double fr_square_float(const float *x, Py_ssize_t n)
    double fr_sparse_margin_double_int(const double *v, const double *x, const int *place,
                                       Py_ssize_t n, const double *next, const int *next_place,
                                       Py_ssize_t n_next)
    double fr_sparse_margin_float_int(const float *v, const float *x, const int *place,
                                      Py_ssize_t n, const float *next, const int *next_place,
                                      Py_ssize_t n_next)
    double fr_sparse_margin_double_long(const double *v, const double *x, const long long *place,
                                        Py_ssize_t n, const double *next,
                                        const long long *next_place, Py_ssize_t n_next)
    double fr_sparse_margin_float_long(const float *v, const float *x, const long long *place,
                                       Py_ssize_t n, const float *next,
                                       const long long *next_place, Py_ssize_t n_next)
    void fr_step_double(double *w, double c, const double *x, Py_ssize_t n)
    void fr_step_float(float *w, float c, const float *x, Py_ssize_t n)


def figure_names():
    """Names of the figures, in their order."""
    return ("alpha", "l1_ratio", "eta0", "power_t", "epsilon", "optimal_init", "intercept_rate",
            "step_factor", "average_from", "t", "eta", "intercept", "average_intercept", "scale",
            "cumulative_l1", "average_a", "average_b", "loss_sum", "penalty_sum")


def losses():
    """Names of the losses, in the order of their numbers."""
    return ("hinge", "perceptron", "squared_hinge", "log_loss", "modified_huber", "squared_error",
            "huber", "epsilon_insensitive", "squared_epsilon_insensitive")


def penalties():
    """Names of the penalties, in the order of their numbers."""
    return (None, "l1", "l2", "elasticnet")


def schedules():
    """Names of the schedules of the step size, in the order of their numbers."""
    return ("constant", "optimal", "invscaling", "adaptive", "pa1", "pa2")


cdef inline double margin_of(const floating *v, const floating *x, Py_ssize_t n) noexcept nogil:
    # v'x
    if floating is double:
        return fr_margin_double(v, x, n)
    else:
        return fr_margin_float(v, x, n)


cdef inline double step_margin(floating *v, double c, const floating *previous,
                               const floating *x, Py_ssize_t n) noexcept nogil:
    # v += c previous; v'x of the new v
    if c == 0.0:
        return margin_of(v, x, n)
    if floating is double:
        return fr_step_margin_double(v, c, previous, x, n)
    else:
        return fr_step_margin_float(v, <float>c, previous, x, n)


cdef inline double look_ahead(floating *v, double c, const floating *previous,
                              const floating *x, const floating *following, Py_ssize_t n,
                              double *gram_out) noexcept nogil:
    # v += c previous; v'following of the new v; gram_out = x'following
    if floating is double:
        return fr_look_ahead_double(v, c, previous, x, following, n, gram_out)
    else:
        return fr_look_ahead_float(v, <float>c, previous, x, following, n, gram_out)


cdef inline double square_of(const floating *x, Py_ssize_t n) noexcept nogil:
    # x'x
    if floating is double:
        return fr_square_double(x, n)
    else:
        return fr_square_float(x, n)


cdef inline void step(floating *v, double c, const floating *x, Py_ssize_t n) noexcept nogil:
    # v += c x
    if c == 0.0:
        return
    if floating is double:
        fr_step_double(v, c, x, n)
    else:
        fr_step_float(v, <float>c, x, n)


cdef inline double sparse_margin(const floating *v, const floating *x, const index *place,
                                 Py_ssize_t n, const floating *following,
                                 const index *following_place,
                                 Py_ssize_t n_following) noexcept nogil:
    # v'x; the row that follows is fetched
    if floating is double:
        if index is int:
            return fr_sparse_margin_double_int(v, x, place, n, following, following_place,
                                               n_following)
        else:
            return fr_sparse_margin_double_long(v, x, place, n, following, following_place,
                                                n_following)
    else:
        if index is int:
            return fr_sparse_margin_float_int(v, x, place, n, following, following_place,
                                              n_following)
        else:
            return fr_sparse_margin_float_long(v, x, place, n, following, following_place,
                                               n_following)


cdef void measure(descent *d, const floating *v, Py_ssize_t n) noexcept nogil:
    # norms of w, to be carried on from row to row
    cdef double square = 0.0, absolute = 0.0
    cdef Py_ssize_t j
    if not d.penalised:
        return
    for j in range(n):
        square += <double>v[j] * v[j]
        absolute += fabs(v[j])
    d.square_norm, d.absolute_norm = d.scale * d.scale * square, d.scale * absolute


cdef void refold(descent *d, floating *v, floating *average, Py_ssize_t n) noexcept nogil:
    # v <- w, scale <- 1; the mean of the weights likewise
    cdef Py_ssize_t j
    cdef floating a = <floating>d.average_a, inverse = <floating>(1.0 / d.average_b)
    cdef floating scale = <floating>d.scale
    if average != NULL:
        for j in range(n):
            average[j] = (average[j] + a * v[j]) * inverse
        d.average_a, d.average_b = 0.0, 1.0
    if d.scale != 1.0:
        for j in range(n):
            v[j] *= scale
        d.scale = 1.0


cdef inline void decay(descent *d, floating *v, floating *average, Py_ssize_t n) noexcept nogil:
    # w <- max(0, 1 - eta l2) w
    cdef double factor
    if d.penalty < L2:
        return
    factor = decay_of(d)
    d.scale *= factor
    d.square_norm *= factor * factor
    d.absolute_norm *= factor
    if d.scale < (1e-9 if sizeof(floating) == 8 else 1e-6):
        refold(d, v, average, n)


cdef inline bint begin_average(descent *d, double *a_out) noexcept nogil:
    # whether this row's weights join the mean; average_a is moved on, a_out is what it was
    cdef double count = d.t - d.average_from + 1.0
    if d.average_from <= 0.0 or d.t < d.average_from:
        return False
    a_out[0] = d.average_a
    if count > 1.0:
        d.average_b /= 1.0 - 1.0 / count
    d.average_a += d.average_b * d.scale / count
    d.average_intercept += (d.intercept - d.average_intercept) / count
    return True


cdef inline floating after_l1(floating value, double owed, double paid) noexcept nogil:
    # an L1 penalty of `owed`, of which `paid` is paid, stops at zero
    if value > 0.0:
        return max(<floating>0.0, value - <floating>(owed + paid))
    if value < 0.0:
        return min(<floating>0.0, value + <floating>(owed - paid))
    return value


cdef inline void open_beside(const descent *d, floating[:, ::1] beside, bint averaged,
                             floating **average_out, floating **paid_out) noexcept nogil:
    average_out[0] = &beside[0, 0] if averaged else NULL
    paid_out[0] = NULL
    if d.penalty == L1 or d.penalty == ELASTICNET:
        paid_out[0] = &beside[1 if averaged else 0, 0]


cdef double refold_plain(floating *v, double scale, Py_ssize_t n) noexcept nogil:
    # v <- w; the new scale
    cdef Py_ssize_t j
    for j in range(n):
        v[j] *= <floating>scale
    return 1.0


cdef Py_ssize_t plain_rows(descent *d, const floating[:, :] X, const Py_ssize_t[::1] order,
                           const double[::1] y, const double[::1] weight, floating *v,
                           bint gathered) noexcept nogil:
    # Without L1 penalty, mean and passive-aggressive steps: a row's step is left to the pass that
    # takes the next margin, and for short rows to the one after that, so that no sum over a row
    # stands between one margin and the next. What changes is in locals.
    cdef:
        Py_ssize_t i, row, n = X.shape[1], n_rows = order.shape[0], done = n_rows
        Py_ssize_t stride = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t bytes = n * <Py_ssize_t>sizeof(floating)
        Py_ssize_t ahead = min(16, max(2, 2048 // bytes))
        const floating *origin = &X[0, 0]
        const floating *x
        const floating *previous = origin
        const floating *following
        bint weighted = weight.shape[0] > 0, decays = d.penalty == L2
        bint looks_ahead = n <= LOOK_AHEAD
        double c = 0.0, margin, slope, factor, target, power, z, t = d.t, eta = d.eta
        double scale = d.scale, intercept = d.intercept, loss_sum = 0.0, penalty_sum = 0.0
        double norm = d.square_norm, product = 1.0, product_ahead, gram = 0.0, shrinks, update
        double least = 1e-9 if sizeof(floating) == 8 else 1e-6
    product_ahead = margin_of(v, origin + (0 if gathered else order[0]) * stride, n)
    for i in range(n_rows):
        row = order[i]
        target = y[row]
        x = origin + (i if gathered else row) * stride
        if not gathered and i + ahead < n_rows:
            fr_fetch_row(<const char *>(origin + order[i + ahead] * stride), bytes)
            fr_fetch_row(<const char *>&y[order[i + ahead]], 8)
        if looks_ahead:
            margin = (product_ahead + c * gram) * scale + intercept
        else:
            margin = step_margin(v, c, previous, x, n) * scale + intercept
            c = 0.0
        if not isfinite(margin):
            done = i
            break
        eta = eta_at(d, t, eta)
        penalty_sum += norm
        if d.loss == LOG_LOSS:
            z = target * margin
            power = fr_exp(-fabs(z))
            slope = log_slope(target, z, power)
            if d.tracked:
                loss_sum += max(0.0, -z)
                product *= 1.0 + power  # of which the logarithm is taken now and then
                if product > 1e200:
                    loss_sum += log(product)
                    product = 1.0
        else:
            slope = dloss_of(d.loss, d.epsilon, target, margin)
            if d.tracked:
                loss_sum += loss_of(d.loss, d.epsilon, target, margin)
            if fabs(slope) > 1e12:  # cut, as in scikit-learn
                slope = 1e12 if slope > 0.0 else -1e12
        factor = -eta * weight[row] if weighted else -eta
        if decays:
            shrinks = max(0.0, 1.0 - eta * d.l2)
            scale *= shrinks
            if d.penalised:
                # ||f w + u x||^2 = f^2 ||w||^2 + 2 f u w'x + u^2 x'x
                update = slope * factor
                norm = shrinks * shrinks * norm + update * (
                    2.0 * shrinks * (margin - intercept) + update * square_of(x, n)
                )
            if scale < least:
                c *= scale
                scale = refold_plain(v, scale, n)
        if looks_ahead:
            following = x
            if i + 1 < n_rows:
                following = origin + (i + 1 if gathered else order[i + 1]) * stride
            product_ahead = look_ahead(v, c, previous, x, following, n, &gram)
        c = slope * (factor / scale)
        previous = x
        intercept += slope * (factor * d.intercept_rate)
        t += 1.0
    step(v, c, previous, n)
    d.t, d.eta, d.scale, d.intercept = t, eta, scale, intercept
    d.loss_sum += loss_sum + log(product)
    d.penalty_sum += 0.5 * d.l2 * penalty_sum
    return done


cdef Py_ssize_t full_rows(descent *d, const floating[:, :] X, const Py_ssize_t[::1] order,
                          const double[::1] y, const double[::1] weight, floating *v,
                          floating *average, floating *paid, bint gathered) noexcept nogil:
    # with an L1 penalty, a mean, or both
    cdef:
        Py_ssize_t i, j, row, n = X.shape[1]
        Py_ssize_t stride = X.strides[0] // <Py_ssize_t>sizeof(floating)
        const floating *origin = &X[0, 0]
        const floating *x
        bint weighted = weight.shape[0] > 0, averaged
        double margin, linear, square = 0.0, slope, update, factor, before = 0.0
        double owed, inverse, squares, absolutes
        floating c, moved, new, a_before, a_after
    for i in range(order.shape[0]):
        row = order[i]
        x = origin + (i if gathered else row) * stride
        linear = margin_of(v, x, n) * d.scale
        margin = linear + d.intercept
        if not isfinite(margin):
            return i
        d.eta = eta_at(d, d.t, d.eta)
        slope = slope_of(d, y[row], margin)
        if d.schedule >= PA1 or (d.penalised and paid == NULL):
            square = square_of(x, n)
            if d.schedule >= PA1 and not isfinite(square):
                return i
            if d.schedule == PA1 and square == 0.0:
                continue
        update = update_of(d, slope, y[row], margin, weight[row] if weighted else 1.0, square)
        factor = decay_of(d)
        decay(d, v, average, n)
        d.intercept += update * d.intercept_rate
        averaged = average != NULL and begin_average(d, &before)
        c = <floating>(update / d.scale)
        a_before = <floating>before if averaged else 0.0
        a_after = <floating>d.average_a if averaged else 0.0
        if paid == NULL:
            if c != 0.0:
                d.square_norm += update * (2.0 * factor * linear + update * square)
                step(v, c, x, n)
                if averaged:
                    step(average, -a_before * c, x, n)
        else:
            d.cumulative_l1 += d.eta * d.l1
            inverse = 1.0 / d.scale
            owed = d.cumulative_l1 * inverse
            squares = absolutes = 0.0
            for j in range(n):
                moved = v[j] + c * x[j]
                new = after_l1(moved, owed, paid[j] * inverse)
                paid[j] += <floating>d.scale * (new - moved)
                v[j] = new
                squares += <double>moved * moved
                absolutes += fabs(moved)
                if averaged:
                    average[j] -= a_before * c * x[j] + a_after * (new - moved)
            if c != 0.0:  # as scikit-learn counts: before the penalty is paid
                d.square_norm = d.scale * d.scale * squares
                d.absolute_norm = d.scale * absolutes
        d.t += 1.0
    return order.shape[0]


def descend_rows(const floating[:, :] X, const Py_ssize_t[::1] order, const double[::1] y,
                 const double[::1] weight, floating[::1] coef, floating[:, ::1] beside,
                 double[::1] figures, const int[::1] choices):
    """Take the steps of rows `order` of dense X, whose rows are contiguous.

    Parameters
    ----------
    X : where ``choices[4]`` is set, only the rows of this slice, in their order
    order : row numbers, into `y` and `weight` (empty for unit weights) as well
    coef : weights
    beside : rows as wide as `coef`: one of which the mean of the weights is made, where
        ``choices[5]`` is set; then one of the L1 penalty paid, where the penalty has an L1 part
    figures : named by `figure_names`, read and written
    choices : numbers of loss, penalty and schedule; which sums are wanted (0: none, 1: of losses,
        2: of the penalties of each row's weights too); see X, `beside`

    Returns the number of rows whose step was taken: less than all where the margin of the next
    is not finite.
    """
    cdef:
        descent d
        Py_ssize_t done
        floating *average
        floating *paid
    if order.shape[0] == 0:
        return 0
    with nogil:
        open_descent(&d, &figures[0], &choices[0])
        open_beside(&d, beside, choices[5], &average, &paid)
        measure(&d, &coef[0], coef.shape[0])
        if average == NULL and paid == NULL and d.schedule < PA1:
            done = plain_rows(&d, X, order, y, weight, &coef[0], choices[4])
        else:
            done = full_rows(&d, X, order, y, weight, &coef[0], average, paid, choices[4])
        close_descent(&d, &figures[0])
    return done


def descend_sparse(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                   const Py_ssize_t[::1] order, const double[::1] y, const double[::1] weight,
                   floating[::1] coef, floating[:, ::1] beside, double[::1] figures,
                   const int[::1] choices):
    """Take the steps of rows `order` of CSR X; see `descend_rows`."""
    cdef:
        descent d
        Py_ssize_t i, j, k, row, begin, end, following, n = coef.shape[0]
        floating *v = &coef[0]
        floating *average
        floating *paid
        bint weighted = weight.shape[0] > 0, averaged, l1
        double margin, linear, square, slope, update, factor, before = 0.0, owed = 0.0
        double inverse, change
        floating c, old, moved, new, a_before, a_after
    with nogil:
        open_descent(&d, &figures[0], &choices[0])
        open_beside(&d, beside, choices[5], &average, &paid)
        l1 = paid != NULL
        measure(&d, v, n)
        i = 0
        while i < order.shape[0]:
            row = order[i]
            begin, end = indptr[row], indptr[row + 1]
            following = order[min(i + 1, order.shape[0] - 1)]
            if i + 2 < order.shape[0]:
                fr_fetch_row(<const char *>&indptr[order[i + 2]], 16)
            linear = d.scale * sparse_margin(
                v, &data[0] + begin, &indices[0] + begin, end - begin,
                &data[0] + indptr[following], &indices[0] + indptr[following],
                indptr[following + 1] - indptr[following])
            margin = linear + d.intercept
            if not isfinite(margin):
                break
            d.eta = eta_at(&d, d.t, d.eta)
            slope = slope_of(&d, y[row], margin)
            square = 0.0
            if d.schedule >= PA1 or (d.penalised and not l1):
                for k in range(begin, end):
                    square += <double>data[k] * data[k]
                if d.schedule >= PA1 and not isfinite(<floating>square):
                    break
                if d.schedule == PA1 and square == 0.0:
                    i += 1
                    continue
            update = update_of(&d, slope, y[row], margin, weight[row] if weighted else 1.0, square)
            factor = decay_of(&d)
            decay(&d, v, average, n)
            d.intercept += update * d.intercept_rate
            averaged = average != NULL and begin_average(&d, &before)
            c = <floating>(update / d.scale)
            a_before = <floating>before if averaged else 0.0
            a_after = <floating>d.average_a if averaged else 0.0
            if not l1:
                if c != 0.0:
                    d.square_norm += update * (2.0 * factor * linear + update * square)
                    for k in range(end - 1, begin - 1, -1):  # the cache holds the last weights
                        v[indices[k]] += c * data[k]
                    if averaged:
                        for k in range(begin, end):
                            average[indices[k]] -= a_before * c * data[k]
            else:
                d.cumulative_l1 += d.eta * d.l1
                inverse = 1.0 / d.scale
                owed = d.cumulative_l1 * inverse
                for k in range(begin, end):
                    j = indices[k]
                    old = v[j]
                    moved = old + c * data[k]
                    new = after_l1(moved, owed, paid[j] * inverse)
                    paid[j] += <floating>d.scale * (new - moved)
                    v[j] = new
                    if averaged:
                        average[j] -= a_before * c * data[k] + a_after * (new - moved)
                    change = fabs(new) - fabs(old)
                    d.absolute_norm += d.scale * change
                    d.square_norm += d.scale * d.scale * change * (fabs(new) + fabs(old))
            d.t += 1.0
            i += 1
        close_descent(&d, &figures[0])
    return i


def finish(floating[::1] coef, floating[:, ::1] beside, double[::1] figures,
           const int[::1] choices):
    """Refold: coef <- w, and the first of `beside` <- the mean of the weights so far, if any.

    Returns the sum of the squares of w, which is not finite where a weight is not.
    """
    cdef:
        descent d
        Py_ssize_t j, n = coef.shape[0]
        double total = 0.0
        floating *average
        floating *paid
    with nogil:
        open_descent(&d, &figures[0], &choices[0])
        open_beside(&d, beside, choices[5], &average, &paid)
        refold(&d, &coef[0], average, n)
        close_descent(&d, &figures[0])
        for j in range(n):
            total += <double>coef[j] * coef[j]
    return total
