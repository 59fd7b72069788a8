# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Stochastic gradient descent with no step size to choose: a rate for each feature.

    rate_j = 2 / ((curvature mean x_j^2 + l2) count_j^(3/4))

where count_j values of feature j that are not zero have been seen, their mean square with them,
those of the present rows included, and `curvature` is the most of the loss's second derivative
(after Ross, Mineiro and Langford, "Normalized online learning", UAI 2013). A step is as long as
infinitely many infinitely short ones with these rates: it cannot overshoot (Karampatziakis and
Langford, "Online importance weight aware updates", UAI 2011). Rates are renewed, the penalty is
paid and the mean of the weights taken on every so many rows.

Features of dense X whose mean is above their spread are taken about that mean: in the formulas x_j
is then x_j - mean_j, and the intercept takes up the difference, so that a step moves the margin of
its row as before, and that of an average row hardly.
"""

from cython cimport floating
from libc.math cimport exp, expm1, fabs, isfinite, log, sqrt
from sgd_steps cimport (
    ALPHA,
    AVERAGE_A,
    AVERAGE_INTERCEPT,
    EPSILON,
    EPSILON_INSENSITIVE,
    HINGE,
    HUBER,
    INTERCEPT,
    INTERCEPT_RATE,
    L1_RATIO,
    LOG_LOSS,
    LOSS_SUM,
    MODIFIED_HUBER,
    PENALTY_SUM,
    PERCEPTRON,
    SQUARED_EPSILON_INSENSITIVE,
    SQUARED_ERROR,
    SQUARED_HINGE,
    STEP_FACTOR,
    T,
    loss_of,
)

ctypedef fused index:
    int
    long long

cdef extern from "sgd_rows.h" nogil:
    double fr_exp(double x)

cdef enum:
    FACTOR = 2  # by which rates are above what one row alone wants
    EVERY = 32  # rows from one renewal of the rates to the next

cdef enum:  # rows of `beside`
    RATE
    SQUARE  # of x - REFERENCE, which is zero for sparse X
    COUNT  # of values that are not zero
    MEAN  # of the weights
    SUM  # of x - REFERENCE
    REFERENCE  # the first row
    CENTRE
    ROWS  # seen


cdef inline double settle(double time, double curvature) noexcept nogil:
    # the part of a distance that is gone after this time, at this rate
    return -expm1(-time * curvature)


cdef double log_move(double z, double time) noexcept nogil:
    # how far z gets where dz = time / (1 + exp(z)): from z + exp(z) + time = new + exp(new)
    cdef double target, new, power = exp(min(z, 30.0)), change
    cdef int _k
    if z > 30.0:
        return time * exp(-z)
    target = z + power + time
    if time < 0.5 * (1.0 + power):
        new = z + time / (1.0 + power)
    else:
        new = target if target < 0.5 else log(target)
    for _k in range(8):
        power = exp(new)
        change = (new + power - target) / (1.0 + power)
        new -= change
        if fabs(change) < 1e-10:
            break
    return max(0.0, new - z)


def move(int loss, double epsilon, double y, double margin, double time):
    """How far the margin moves, for tests; see `margin_move`."""
    return margin_move(loss, epsilon, y, margin, time)


cdef double margin_move(int loss, double epsilon, double y, double margin,
                        double time) noexcept nogil:
    # the way of the margin along d margin / d time = -dloss(y, margin)
    cdef double z, away, until
    if loss == SQUARED_ERROR:
        return (y - margin) * settle(time, 1.0)
    if loss == LOG_LOSS:
        return y * log_move(y * margin, time)
    if loss == HINGE or loss == PERCEPTRON:
        away = (1.0 if loss == HINGE else 0.0) - y * margin
        return y * min(time, away) if away > 0.0 else 0.0
    if loss == SQUARED_HINGE:
        return y * max(0.0, 1.0 - y * margin) * settle(time, 2.0)
    if loss == MODIFIED_HUBER:
        z = y * margin
        if z >= 1.0:
            return 0.0
        until = max(0.0, (-1.0 - z) / 4.0)  # time on the straight part
        if time <= until:
            return 4.0 * y * time
        return y * (4.0 * until + (1.0 - max(z, -1.0)) * settle(time - until, 2.0))
    z = y - margin
    away = fabs(z)
    if loss == HUBER:
        until = max(0.0, (away - epsilon) / epsilon) if epsilon > 0.0 else time
        if time <= until:
            away = epsilon * time
        else:
            away = epsilon * until + min(away, epsilon) * settle(time - until, 1.0)
    else:
        away = max(0.0, away - epsilon)
        away = min(time, away) if loss == EPSILON_INSENSITIVE else away * settle(time, 2.0)
    return away if z > 0.0 else -away


cdef inline double curvature_of(int loss) noexcept nogil:
    if loss == LOG_LOSS:
        return 0.25
    if loss == SQUARED_HINGE or loss == MODIFIED_HUBER or loss == SQUARED_EPSILON_INSENSITIVE:
        return 2.0
    return 1.0


cdef inline double slowed(double count) noexcept nogil:
    # count^(3/4)
    cdef double root = sqrt(count)
    return root * sqrt(root)


cdef void see(const floating *x, double[:, ::1] beside, Py_ssize_t n) noexcept nogil:
    # one more row of dense X
    cdef Py_ssize_t j
    cdef double away
    cdef double *square = &beside[SQUARE, 0]
    cdef double *count = &beside[COUNT, 0]
    cdef double *total = &beside[SUM, 0]
    cdef double *reference = &beside[REFERENCE, 0]
    if beside[ROWS, 0] == 0.0:
        for j in range(n):
            reference[j] = x[j]
    for j in range(n):
        away = x[j] - reference[j]
        total[j] += away
        square[j] += away * away
        count[j] += 1.0 if x[j] != 0.0 else 0.0
    beside[ROWS, 0] += 1.0


cdef void find_centres(double[:, ::1] beside) noexcept nogil:
    # the mean of what was seen where it is above the spread, else zero
    cdef Py_ssize_t j
    cdef double n_rows = beside[ROWS, 0], mean, shift, variance
    for j in range(beside.shape[1]):
        shift = beside[SUM, j] / n_rows
        mean = beside[REFERENCE, j] + shift
        variance = beside[SQUARE, j] / n_rows - shift * shift
        beside[CENTRE, j] = mean if mean * mean > variance and variance > 0.0 else 0.0


cdef void renew_rates(double[:, ::1] beside, double curvature, double l2,
                      double factor) noexcept nogil:
    cdef Py_ssize_t j
    cdef double count, square, steepness, n_rows = beside[ROWS, 0], away
    for j in range(beside.shape[1]):
        count, square = beside[COUNT, j], beside[SQUARE, j]
        if n_rows > 0.0:  # sums are about the reference
            away = beside[CENTRE, j] - beside[REFERENCE, j]
            square += away * (n_rows * away - 2.0 * beside[SUM, j])
            if beside[CENTRE, j] != 0.0:
                count = n_rows
        steepness = curvature * square + l2 * count
        if not isfinite(steepness):
            beside[RATE, j] = steepness  # which stops the descent
        elif count > 0.0 and steepness > 1e-290:
            beside[RATE, j] = factor * count / (steepness * slowed(count))
        else:
            beside[RATE, j] = 0.0


cdef void pay(floating[::1] coef, double[:, ::1] beside, double l1, double l2, double n_rows,
              double *figures) noexcept nogil:
    # the penalty of some rows at once, and the weights into their mean
    cdef Py_ssize_t j
    cdef double w, rate, share, square = 0.0, absolute = 0.0, lost = 0.0
    figures[AVERAGE_A] += 1.0
    share = 1.0 / figures[AVERAGE_A]
    for j in range(coef.shape[0]):
        w, rate = coef[j], n_rows * beside[RATE, j]
        if l2 > 0.0:
            w *= fr_exp(-l2 * rate)
        if l1 > 0.0:
            w = max(0.0, w - l1 * rate) if w > 0.0 else min(0.0, w + l1 * rate)
        lost += (coef[j] - w) * beside[CENTRE, j]
        coef[j] = <floating>w
        beside[MEAN, j] += share * (w - beside[MEAN, j])
        square += w * w
        absolute += fabs(w)
    figures[PENALTY_SUM] += n_rows * (0.5 * l2 * square + l1 * absolute)
    figures[INTERCEPT] += lost  # so that an average row keeps its margin
    figures[AVERAGE_INTERCEPT] += share * (figures[INTERCEPT] - figures[AVERAGE_INTERCEPT])


cdef inline double look(const floating *w, const floating *x, const double *rate,
                        const double *centre, bint centred, Py_ssize_t n, double *square_out,
                        double *cross_out) noexcept nogil:
    # w'x; of rates and the row about its centre the square, and the product with the centre
    cdef double margin = 0.0, square = 0.0, cross = 0.0, away, part
    cdef Py_ssize_t j
    if centred:
        for j in range(n):
            away = x[j] - centre[j]
            part = rate[j] * away
            margin += <double>w[j] * x[j]
            square += part * away
            cross += part * centre[j]
    else:
        for j in range(n):
            margin += <double>w[j] * x[j]
            square += rate[j] * x[j] * x[j]
    square_out[0], cross_out[0] = square, cross
    return margin


cdef inline void move_weights(floating *w, const floating *x, const double *rate,
                              const double *centre, double step, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        w[j] += <floating>(step * rate[j] * (x[j] - centre[j]))


cdef inline double take(double margin, double square, double cross, double y, double weight,
                        int loss, double curvature, double *figures) noexcept nogil:
    # what of rate_j x_j is added to w_j; the intercept's step is taken
    cdef double rate = FACTOR * figures[INTERCEPT_RATE] * figures[STEP_FACTOR]
    cdef double step
    figures[LOSS_SUM] += loss_of(loss, figures[EPSILON], y, margin)
    rate /= curvature * slowed(figures[T])
    figures[T] += 1.0
    square += rate
    if square <= 0.0 or weight <= 0.0:
        return 0.0
    step = margin_move(loss, figures[EPSILON], y, margin, weight * square) / square
    figures[INTERCEPT] += (rate - cross) * step
    return step


def descend_rows(const floating[:, :] X, const Py_ssize_t[::1] order, const double[::1] y,
                 const double[::1] weight, floating[::1] coef, double[:, ::1] beside,
                 double[::1] figures, const int[::1] choices):
    """Take the steps of rows `order` of dense X; as `sgd.descend_rows`.

    Rows of `beside`: rates, and of what was seen sums of squares and counts; the mean of the
    weights since ``average_a`` was zero; and what centres are made of.
    """
    cdef:
        Py_ssize_t i, row, begin, end, n = X.shape[1], done = order.shape[0]
        Py_ssize_t stride = X.strides[0] // <Py_ssize_t>sizeof(floating)
        int loss = choices[0]
        double l1 = figures[ALPHA] * figures[L1_RATIO] if choices[1] else 0.0
        double l2 = figures[ALPHA] * (1.0 - figures[L1_RATIO]) if choices[1] else 0.0
        double curvature = curvature_of(loss), margin, square, cross, step
        const floating *x
        double *rate = &beside[RATE, 0]
        double *centre = &beside[CENTRE, 0]
        floating *w = &coef[0]
        bint centred = figures[INTERCEPT_RATE] > 0.0
    with nogil:
        begin = 0
        while begin < order.shape[0]:
            end = min(begin + EVERY, order.shape[0])
            for i in range(begin, end):
                x = &X[0, 0] + (i if choices[4] else order[i]) * stride
                see(x, beside, n)
            if centred:
                find_centres(beside)
            renew_rates(beside, curvature, l2, FACTOR * figures[STEP_FACTOR])
            for i in range(begin, end):
                row = order[i]
                x = &X[0, 0] + (i if choices[4] else row) * stride
                margin = look(w, x, rate, centre, centred, n, &square, &cross)
                margin += figures[INTERCEPT]
                if not isfinite(margin) or not isfinite(square):
                    done = i
                    break
                step = take(margin, square, cross, y[row],
                            weight[row] if weight.shape[0] else 1.0, loss, curvature, &figures[0])
                if step != 0.0:
                    move_weights(w, x, rate, centre, step, n)
            pay(coef, beside, l1, l2, end - begin, &figures[0])
            if done < end:
                break
            begin = end
    return done


def descend_sparse(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                   const Py_ssize_t[::1] order, const double[::1] y, const double[::1] weight,
                   floating[::1] coef, double[:, ::1] beside, double[::1] figures,
                   const int[::1] choices):
    """Take the steps of rows `order` of CSR X; see `descend_rows`."""
    cdef:
        Py_ssize_t i, j, k, row, begin, end = 0, entries, done = order.shape[0]
        int loss = choices[0]
        double l1 = figures[ALPHA] * figures[L1_RATIO] if choices[1] else 0.0
        double l2 = figures[ALPHA] * (1.0 - figures[L1_RATIO]) if choices[1] else 0.0
        double curvature = curvature_of(loss), margin, square, step
        double *rate = &beside[RATE, 0]
        floating *w = &coef[0]
    with nogil:
        begin = 0
        while begin < order.shape[0]:
            # as many rows as it takes for their entries to outnumber the features
            entries, end = 0, begin
            while end < order.shape[0] and (end < begin + EVERY or entries < coef.shape[0]):
                row = order[end]
                for k in range(indptr[row], indptr[row + 1]):
                    j = indices[k]
                    beside[SQUARE, j] += <double>data[k] * data[k]
                    beside[COUNT, j] += data[k] != 0.0
                entries += indptr[row + 1] - indptr[row]
                end += 1
            renew_rates(beside, curvature, l2, FACTOR * figures[STEP_FACTOR])
            for i in range(begin, end):
                row = order[i]
                margin, square = figures[INTERCEPT], 0.0
                for k in range(indptr[row], indptr[row + 1]):
                    margin += <double>w[indices[k]] * data[k]
                    square += rate[indices[k]] * data[k] * data[k]
                if not isfinite(margin) or not isfinite(square):
                    done = i
                    break
                step = take(margin, square, 0.0, y[row], weight[row] if weight.shape[0] else 1.0,
                            loss, curvature, &figures[0])
                if step != 0.0:
                    for k in range(indptr[row], indptr[row + 1]):
                        w[indices[k]] += <floating>(step * rate[indices[k]] * data[k])
            pay(coef, beside, l1, l2, end - begin, &figures[0])
            if done < end:
                break
            begin = end
    return done
