# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Stochastic gradient descent with per-feature learning rates that follow from the data.

    rate_j = 2 / ((curvature mean x_j^2 + l2) count_j^(3/4))

count_j is the number of nonzero values of feature j so far, current rows included, mean x_j^2 their
mean square, and `curvature` the largest second derivative of the loss (after Ross, Mineiro and
Langford, "Normalized online learning", UAI 2013). A step is as long as infinitely many infinitely
short ones with these rates: it cannot overshoot (Karampatziakis and Langford, "Online importance
weight aware updates", UAI 2011). For each block of rows, the rates are updated first; the penalty
is applied at the end, and the weights are added to their average.

Features of dense X whose mean is above their standard deviation are centred: in the formulas x_j is
then x_j - mean_j, and the intercept absorbs the difference. A step then changes the linear
predictor of its own row as before, but hardly that of an average row.
"""

from cython cimport floating
from exponential cimport fr_exp
from fastridge._kernels.sgd_state cimport Settings, State
from libc.math cimport fabs, isfinite, sqrt
from losses cimport largest_curvature, loss_displacement, loss_value
from sgd_rows cimport (
    dense_rows, every_feature, feature_at, index_of, row_begin, row_index, row_length, row_view,
    stored_index,
)
from sgd_steps cimport numbers_at

cdef enum:
    FACTOR = 2  # rates are this many times what is best for one row alone
    BLOCK_ROWS = 32  # the least; a block of CSR X has at least as many values as features

cdef struct feature_arrays:  # next to the weights, one number per feature
    double *rate
    double *average  # of the weights, since `n_averaged` was zero
    double *square_sum  # of x - reference
    double *count  # of values that are not zero
    double *sum  # of x - reference
    double *reference  # the first row; zero for CSR X
    double *centre  # subtracted from x


def array_names(settings):
    """Return the names of the arrays next to the weights: `feature_arrays`, of float64."""
    return "rate", "average", "square_sum", "count", "sum", "reference", "centre"


cdef feature_arrays arrays_of(dict arrays) except *:
    cdef feature_arrays a
    a.rate = numbers_at(arrays, "rate")
    a.average = numbers_at(arrays, "average")
    a.square_sum = numbers_at(arrays, "square_sum")
    a.count = numbers_at(arrays, "count")
    a.sum = numbers_at(arrays, "sum")
    a.reference = numbers_at(arrays, "reference")
    a.centre = numbers_at(arrays, "centre")
    return a


cdef inline double slowed(double count) noexcept nogil:
    # count^(3/4)
    cdef double root = sqrt(count)
    return root * sqrt(root)


cdef inline void see(feature_arrays a, const floating *x, const index_of *index,
                     Py_ssize_t n, State state) noexcept nogil:
    # Add one more row to the sums.
    cdef Py_ssize_t j, k
    cdef double deviation
    cdef double *square_sum = a.square_sum
    cdef double *count = a.count
    cdef double *total = a.sum
    cdef double *reference = a.reference
    if index_of is every_feature:
        if state.n_rows_seen == 0.0:
            for j in range(n):
                reference[j] = x[j]
        for j in range(n):
            deviation = x[j] - reference[j]
            total[j] += deviation
            square_sum[j] += deviation * deviation
            count[j] += 1.0 if x[j] != 0.0 else 0.0
        state.n_rows_seen += 1.0
    else:
        for k in range(n):
            j = index[k]
            square_sum[j] += <double>x[k] * x[k]
            count[j] += x[k] != 0.0


cdef void find_centres(feature_arrays a, Py_ssize_t p, double n_rows) noexcept nogil:
    # centre = the mean so far where it is above the standard deviation, otherwise zero
    cdef Py_ssize_t j
    cdef double mean, shift, variance
    for j in range(p):
        shift = a.sum[j] / n_rows
        mean = a.reference[j] + shift
        variance = a.square_sum[j] / n_rows - shift * shift
        a.centre[j] = mean if mean * mean > variance and variance > 0.0 else 0.0


cdef void renew_rates(feature_arrays a, Py_ssize_t p, double n_rows, double curvature,
                      double l2, double factor) noexcept nogil:
    cdef Py_ssize_t j
    cdef double count, square, steepness, shift
    for j in range(p):
        count, square = a.count[j], a.square_sum[j]
        if n_rows > 0.0:  # sums are about the reference
            shift = a.centre[j] - a.reference[j]
            square += shift * (n_rows * shift - 2.0 * a.sum[j])
            if a.centre[j] != 0.0:
                count = n_rows
        steepness = curvature * square + l2 * count
        if not isfinite(steepness):
            a.rate[j] = steepness  # which stops the steps
        elif count > 0.0 and steepness > 1e-290:
            a.rate[j] = factor * count / (steepness * slowed(count))
        else:
            a.rate[j] = 0.0


cdef void pay(feature_arrays a, floating[::1] coef, double n_rows, Settings settings,
              State state) noexcept nogil:
    # Apply the penalty of some rows at once, and add the weights to their average.
    cdef Py_ssize_t j
    cdef double w, rate, average_factor, square = 0.0, absolute = 0.0, lost = 0.0
    cdef double l1 = settings.l1, l2 = settings.l2
    state.n_averaged += 1.0
    average_factor = 1.0 / state.n_averaged
    for j in range(coef.shape[0]):
        w, rate = coef[j], n_rows * a.rate[j]
        if l2 > 0.0:
            w *= fr_exp(-l2 * rate)
        if l1 > 0.0:
            w = max(0.0, w - l1 * rate) if w > 0.0 else min(0.0, w + l1 * rate)
        lost += (coef[j] - w) * a.centre[j]
        coef[j] = <floating>w
        a.average[j] += average_factor * (w - a.average[j])
        square += w * w
        absolute += fabs(w)
    state.penalty_sum += n_rows * (0.5 * l2 * square + l1 * absolute)
    state.intercept += lost  # so that an average row keeps its linear predictor
    state.average_intercept += average_factor * (state.intercept - state.average_intercept)


cdef inline double look(feature_arrays a, const floating *w, const floating *x,
                        const index_of *index, bint centred, Py_ssize_t n, double intercept,
                        double *square_out, double *cross_out) noexcept nogil:
    # w'x + b; with d = x - centre: square = sum rate d^2, cross = sum rate d centre
    cdef double eta = 0.0, square = 0.0, cross = 0.0, deviation, part
    cdef Py_ssize_t j, k
    cdef const double *rate = a.rate
    cdef const double *centre = a.centre
    if index_of is every_feature:
        if centred:
            for j in range(n):
                deviation = x[j] - centre[j]
                part = rate[j] * deviation
                eta += <double>w[j] * x[j]
                square += part * deviation
                cross += part * centre[j]
        else:
            for j in range(n):
                eta += <double>w[j] * x[j]
                square += rate[j] * x[j] * x[j]
        eta += intercept
    else:
        eta = intercept
        for k in range(n):
            j = index[k]
            eta += <double>w[j] * x[k]
            square += rate[j] * x[k] * x[k]
    square_out[0], cross_out[0] = square, cross
    return eta


cdef inline void move_weights(feature_arrays a, floating *w, const floating *x,
                              const index_of *index, double step, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j, k
    cdef const double *rate = a.rate
    cdef const double *centre = a.centre
    for k in range(n):
        j = feature_at(index, k)
        if index_of is every_feature:
            w[j] += <floating>(step * rate[j] * (x[k] - centre[j]))
        else:
            w[j] += <floating>(step * rate[j] * x[k])


cdef inline double take(double eta, double square, double cross, double y, double weight,
                        double curvature, Settings settings, State state) noexcept nogil:
    # Take the intercept's step; return the multiple of rate_j x_j that is added to w_j.
    cdef double rate = FACTOR * settings.intercept_factor * state.step_factor
    cdef double step
    state.loss_sum += loss_value(settings.loss, settings.epsilon, y, eta)
    rate /= curvature * slowed(state.t)
    state.t += 1.0
    square += rate
    if square <= 0.0 or weight <= 0.0:
        return 0.0
    step = loss_displacement(settings.loss, settings.epsilon, y, eta, weight * square)
    step /= square
    state.intercept += (rate - cross) * step
    return step


cdef Py_ssize_t step_blocks(const floating *values, const index_of *indices,
                            const index_of *indptr, const row_view *rows,
                            const Py_ssize_t[::1] order, const double[::1] y,
                            const double[::1] weight, floating[::1] coef, feature_arrays a,
                            Settings settings, State state) noexcept nogil:
    # Take the steps of rows, block by block; return the number of rows.
    cdef:
        Py_ssize_t i, row, n, at, n_values, begin = 0, end, p = coef.shape[0]
        Py_ssize_t done = order.shape[0]
        double curvature = largest_curvature(settings.loss), eta, square, cross, step
        bint centred = index_of is every_feature and settings.intercept_factor > 0.0
        floating *w = &coef[0]
    while begin < order.shape[0]:
        n_values, end = 0, begin
        while end < order.shape[0] and (end < begin + BLOCK_ROWS or n_values < p):
            row = order[end]
            at, n = row_begin(rows, indptr, end, row), row_length(rows, indptr, row)
            see(a, values + at, row_index(indices, at), n, state)
            n_values += n
            end += 1
        if centred:
            find_centres(a, p, state.n_rows_seen)
        renew_rates(a, p, state.n_rows_seen, curvature, settings.l2, FACTOR * state.step_factor)
        for i in range(begin, end):
            row = order[i]
            at, n = row_begin(rows, indptr, i, row), row_length(rows, indptr, row)
            eta = look(a, w, values + at, row_index(indices, at), centred, n, state.intercept,
                       &square, &cross)
            if not isfinite(eta) or not isfinite(square):
                done = i
                break
            step = take(eta, square, cross, y[row], weight[row] if weight.shape[0] else 1.0,
                        curvature, settings, state)
            if step != 0.0:
                move_weights(a, w, values + at, row_index(indices, at), step, n)
        pay(a, coef, end - begin, settings, state)
        if done < end:
            break
        begin = end
    return done


def step_dense(const floating[:, :] X, bint gathered, const Py_ssize_t[::1] order,
               const double[::1] y, const double[::1] weight, floating[::1] coef, dict arrays,
               Settings settings not None, State state not None):
    """Take the steps of rows `order` of dense X; see `sgd.step_dense`."""
    cdef:
        row_view rows = dense_rows(X, gathered)
        feature_arrays a = arrays_of(arrays)
        Py_ssize_t done
    with nogil:
        done = step_blocks(&X[0, 0], <const every_feature *>NULL, <const every_feature *>NULL,
                           &rows, order, y, weight, coef, a, settings, state)
    return done


def step_csr(const floating[::1] data, const stored_index[::1] indices,
             const stored_index[::1] indptr, const Py_ssize_t[::1] order, const double[::1] y,
             const double[::1] weight, floating[::1] coef, dict arrays,
             Settings settings not None, State state not None):
    """Take the steps of rows `order` of CSR X; see `sgd.step_csr`."""
    cdef:
        row_view rows
        feature_arrays a = arrays_of(arrays)
        Py_ssize_t done
    with nogil:
        done = step_blocks(&data[0], &indices[0], &indptr[0], &rows, order, y, weight, coef, a,
                           settings, state)
    return done
