# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Stochastic gradient descent with one step per row, on dense or CSR rows.

Each call takes the steps of one slice of an epoch:

    w <- (1 - eta alpha (1 - l1_ratio)) w - eta weight dloss(y, w'x + b) x,   w = scale v

The decay multiplies `scale`, which is folded back into v when it gets small. With an L1 penalty, a
weight that a row touches pays the penalty that it owes so far, and stops at zero (Tsuruoka, Tsujii
and Ananiadou, "Stochastic gradient descent training for L1-regularized log-linear models with
cumulative penalty", ACL 2009). The average of the weights so far is kept as
(average + average_offset v) / average_divisor, so that a row touches only the weights of its own
features (Bottou, "Stochastic gradient descent tricks", 2012).
"""

cimport logistic
from cython cimport floating
from exponential cimport fr_exp
from fastridge._kernels.sgd_state cimport Settings, State
from libc.math cimport fabs, isfinite, log
from losses cimport HINGE, LOGISTIC, loss_derivative, loss_value
from sgd_rows cimport (
    add_dense, dense_rows, dot, every_feature, feature_at, fr_prefetch_row, index_of, row_begin,
    row_index, row_length, row_square, row_view, sparse_dot, step_dot, step_dot_next, stored_index,
)
from sgd_steps cimport (
    PA1, clipped, derivative_of, learning_rate_at, rate_schedule, running_sums, schedule_of,
)

cdef enum:
    SHORT_ROW = 127  # up to this length, rows wait longer for each other's step than for memory


def schedules():
    """Return the names of the learning rate schedules, in the order of their numbers."""
    return ("constant", "optimal", "invscaling", "adaptive", "pa1", "pa2")


def array_names(Settings settings not None):
    """Return the names of the arrays next to the weights, each of their shape and type.

    "average" holds the array `average` of the module docstring, and after `finish` the average of
    the weights; "l1_paid" the L1 penalty that each weight has paid.
    """
    return ("average",) * (settings.average_from > 0.0) + ("l1_paid",) * settings.has_l1


cdef void measure(Settings settings, State state, running_sums *sums, const floating *v,
                  Py_ssize_t n) noexcept nogil:
    # the norms of w, which are then updated from row to row
    cdef double square = 0.0, absolute = 0.0
    cdef Py_ssize_t j
    sums.square_norm = sums.absolute_norm = 0.0
    sums.product = 1.0
    if not settings.sums_penalties:
        return
    for j in range(n):
        square += <double>v[j] * v[j]
        absolute += fabs(v[j])
    sums.square_norm = state.scale * state.scale * square
    sums.absolute_norm = state.scale * absolute


cdef void refold(State state, floating *v, floating *average, Py_ssize_t n) noexcept nogil:
    # v <- w, scale <- 1; the average of the weights likewise
    cdef Py_ssize_t j
    cdef floating offset = <floating>state.average_offset
    cdef floating inverse = <floating>(1.0 / state.average_divisor)
    cdef floating scale = <floating>state.scale
    if average != NULL:
        for j in range(n):
            average[j] = (average[j] + offset * v[j]) * inverse
        state.average_offset, state.average_divisor = 0.0, 1.0
    if state.scale != 1.0:
        for j in range(n):
            v[j] *= scale
        state.scale = 1.0


cdef inline double least_scale(const floating *_v) noexcept nogil:
    return 1e-9 if sizeof(floating) == 8 else 1e-6


cdef inline double decay(Settings settings, State state, running_sums *sums, floating *v,
                         floating *average, Py_ssize_t n) noexcept nogil:
    # w <- factor w, where the factor is max(0, 1 - eta l2)
    cdef double factor
    if not settings.has_l2:
        return 1.0
    factor = max(0.0, 1.0 - state.learning_rate * settings.l2)
    state.scale *= factor
    sums.square_norm *= factor * factor
    sums.absolute_norm *= factor
    if state.scale < least_scale(v):
        refold(state, v, average, n)
    return factor


cdef inline bint begin_average(Settings settings, State state, double *offset_out) noexcept nogil:
    # Add this row's weights to the average, if they count; offset_out is the offset before that.
    cdef double count = state.t - settings.average_from + 1.0
    if settings.average_from <= 0.0 or state.t < settings.average_from:
        return False
    offset_out[0] = state.average_offset
    if count > 1.0:
        state.average_divisor /= 1.0 - 1.0 / count
    state.average_offset += state.average_divisor * state.scale / count
    state.average_intercept += (state.intercept - state.average_intercept) / count
    return True


cdef inline double update_of(Settings settings, State state, double derivative, double y,
                             double eta, double weight, double square) noexcept nogil:
    # the multiple of x that is added to w; `square` is x'x if the schedule is passive-aggressive
    cdef double update
    if settings.schedule >= PA1:
        update = loss_value(settings.loss, settings.epsilon, y, eta)
        if settings.schedule == PA1:
            update = min(settings.eta0, update / square)
        else:
            update = update / (square + 0.5 / settings.eta0)
        update *= state.step_factor
        if settings.loss == HINGE:
            update *= y
        elif y < eta:
            update = -update
        return update * weight
    return -state.learning_rate * clipped(derivative) * weight


cdef inline floating after_l1(floating value, double owed, double paid) noexcept nogil:
    # an L1 penalty of `owed`, of which `paid` is paid, stops at zero
    if value > 0.0:
        return max(<floating>0.0, value - <floating>(owed + paid))
    if value < 0.0:
        return min(<floating>0.0, value + <floating>(owed - paid))
    return value


cdef inline void step(floating *v, floating c, const floating *x, const index_of *index,
                      Py_ssize_t n) noexcept nogil:
    # v += c x
    cdef Py_ssize_t k
    if index_of is every_feature:
        add_dense(v, c, x, n)
    else:
        for k in range(n - 1, -1, -1):  # the cache holds the last weights
            v[index[k]] += c * x[k]


cdef void step_l1(Settings settings, State state, running_sums *sums, floating *v, floating c,
                  const floating *x, const index_of *index, Py_ssize_t n, floating *average,
                  floating offset_before, floating offset, floating *paid) noexcept nogil:
    # v += c x, and then every weight of the row pays the L1 penalty that it owes
    cdef Py_ssize_t j, k
    cdef double inverse = 1.0 / state.scale, owed, squares = 0.0, absolutes = 0.0, change
    cdef floating old, moved, new
    state.l1_owed_so_far += state.learning_rate * settings.l1
    owed = state.l1_owed_so_far * inverse
    for k in range(n):
        j = feature_at(index, k)
        old = v[j]
        moved = old + c * x[k]
        new = after_l1(moved, owed, paid[j] * inverse)
        paid[j] += <floating>state.scale * (new - moved)
        v[j] = new
        if average != NULL:
            average[j] -= offset_before * c * x[k] + offset * (new - moved)
        if index_of is every_feature:
            squares += <double>moved * moved
            absolutes += fabs(moved)
        else:
            change = fabs(new) - fabs(old)
            sums.absolute_norm += state.scale * change
            sums.square_norm += state.scale * state.scale * change * (fabs(new) + fabs(old))
    if index_of is every_feature and c != 0.0:  # as scikit-learn: before the penalty is paid
        sums.square_norm = state.scale * state.scale * squares
        sums.absolute_norm = state.scale * absolutes


cdef Py_ssize_t step_rows(const floating *values, const index_of *indices, const index_of *indptr,
                          const row_view *rows, const Py_ssize_t[::1] order, const double[::1] y,
                          const double[::1] weight, floating *v, floating *average,
                          floating *paid, Settings settings, State state) noexcept nogil:
    # Take the steps of rows, one after the other; return how many rows were processed.
    cdef:
        Py_ssize_t i, row, begin, following, n, done = order.shape[0]
        const floating *x
        const index_of *index
        running_sums sums
        rate_schedule rates = schedule_of(settings, state)
        bint weighted = weight.shape[0] > 0, averaged, passive = settings.schedule >= PA1
        double linear, eta, derivative, square, update, factor, before = 0.0
        floating c, offset_before, offset
    measure(settings, state, &sums, v, rows.n_features)
    for i in range(order.shape[0]):
        row = order[i]
        begin, n = row_begin(rows, indptr, i, row), row_length(rows, indptr, row)
        x, index = values + begin, row_index(indices, begin)
        if index_of is every_feature:
            linear = dot(v, x, n) * state.scale
        else:
            following = order[min(i + 1, order.shape[0] - 1)]
            if i + 2 < order.shape[0]:
                fr_prefetch_row(<const char *>&indptr[order[i + 2]], 16)
            linear = state.scale * sparse_dot(
                v, x, index, n, values + indptr[following], indices + indptr[following],
                row_length(rows, indptr, following))
        eta = linear + state.intercept
        if not isfinite(eta):
            done = i
            break
        state.learning_rate = learning_rate_at(&rates, state.t)
        derivative = derivative_of(settings, state, &sums, y[row], eta)
        square = 0.0
        if passive or (settings.sums_penalties and paid == NULL):
            square = row_square(x, index, n)
            if passive and not isfinite(<floating>square):
                done = i
                break
            if settings.schedule == PA1 and square == 0.0:
                continue
        update = update_of(settings, state, derivative, y[row], eta,
                           weight[row] if weighted else 1.0, square)
        factor = decay(settings, state, &sums, v, average, rows.n_features)
        state.intercept += update * settings.intercept_factor
        averaged = average != NULL and begin_average(settings, state, &before)
        c = <floating>(update / state.scale)
        offset_before = <floating>before if averaged else 0.0
        offset = <floating>state.average_offset if averaged else 0.0
        if paid != NULL:
            step_l1(settings, state, &sums, v, c, x, index, n, average if averaged else NULL,
                    offset_before, offset, paid)
        elif c != 0.0:
            sums.square_norm += update * (2.0 * factor * linear + update * square)
            step(v, c, x, index, n)
            if averaged:
                step(average, -offset_before * c, x, index, n)
        state.t += 1.0
    state.loss_sum += log(sums.product)
    return done


cdef Py_ssize_t pipelined_rows(const floating *values, const row_view *rows,
                               const Py_ssize_t[::1] order, const double[::1] y,
                               const double[::1] weight, floating *v, Settings settings,
                               State state) noexcept nogil:
    # `step_rows` for dense rows without L1 penalty, average and passive-aggressive steps. The step
    # of a row is taken in the pass over the weights that computes the next linear predictor, and
    # for short rows in the pass after that, so that no row waits for a sum over the row before.
    # Everything that changes is in local variables. So are the floating-point settings, or the
    # compiler, which must assume that a store to the weights changes them, reads them for each row.
    cdef:
        Py_ssize_t i, row, n = rows.n_features, n_rows = order.shape[0], done = n_rows
        Py_ssize_t stride = rows.stride, bytes = n * <Py_ssize_t>sizeof(floating)
        Py_ssize_t distance = min(16, max(2, 2048 // bytes))
        const floating *x
        const floating *previous = values
        const floating *following
        running_sums sums
        rate_schedule rates = schedule_of(settings, state)
        bint weighted = weight.shape[0] > 0, decays = settings.has_l2, gathered = rows.gathered
        bint short_rows = n <= SHORT_ROW
        double epsilon = settings.epsilon, l2 = settings.l2
        double intercept_factor = settings.intercept_factor, rate
        double c = 0.0, eta, derivative, factor, target, power, z, t = state.t
        double scale = state.scale, intercept = state.intercept, loss_sum = 0.0, penalty_sum = 0.0
        double norm, product = 1.0, next_dot, gram = 0.0, shrinks, update
        double least = least_scale(v)
    measure(settings, state, &sums, v, n)
    norm = sums.square_norm
    next_dot = dot(v, values + (0 if gathered else order[0]) * stride, n)
    for i in range(n_rows):
        row = order[i]
        target = y[row]
        x = values + (i if gathered else row) * stride
        if not gathered and i + distance < n_rows:
            fr_prefetch_row(<const char *>(values + order[i + distance] * stride), bytes)
            fr_prefetch_row(<const char *>&y[order[i + distance]], 8)
        if short_rows:
            eta = (next_dot + c * gram) * scale + intercept
        else:
            eta = step_dot(v, c, previous, x, n) * scale + intercept
            c = 0.0
        if not isfinite(eta):
            done = i
            break
        rate = learning_rate_at(&rates, t)
        penalty_sum += norm
        if settings.loss == LOGISTIC:
            z = target * eta
            power = fr_exp(-fabs(z))
            derivative = logistic.derivative_at(target, z, power)
            if settings.sums_losses:
                loss_sum += max(0.0, -z)
                product *= 1.0 + power  # its logarithm is taken before it overflows
                if product > 1e200:
                    loss_sum += log(product)
                    product = 1.0
        else:
            derivative = loss_derivative(settings.loss, epsilon, target, eta)
            if settings.sums_losses:
                loss_sum += loss_value(settings.loss, epsilon, target, eta)
            derivative = clipped(derivative)
        factor = -rate * weight[row] if weighted else -rate
        if decays:
            shrinks = max(0.0, 1.0 - rate * l2)
            scale *= shrinks
            if settings.sums_penalties:
                # ||f w + u x||^2 = f^2 ||w||^2 + 2 f u w'x + u^2 x'x
                update = derivative * factor
                norm = shrinks * shrinks * norm + update * (
                    2.0 * shrinks * (eta - intercept)
                    + update * row_square(x, <const every_feature *>NULL, n)
                )
            if scale < least:
                c *= scale
                state.scale = scale
                refold(state, v, <floating *>NULL, n)
                scale = 1.0
        if short_rows:
            following = x
            if i + 1 < n_rows:
                following = values + (i + 1 if gathered else order[i + 1]) * stride
            next_dot = step_dot_next(v, c, previous, x, following, n, &gram)
        c = derivative * (factor / scale)
        previous = x
        intercept += derivative * (factor * intercept_factor)
        t += 1.0
    if c != 0.0:
        add_dense(v, c, previous, n)
    if done > 0:
        state.learning_rate = learning_rate_at(&rates, t - 1.0)
    state.t, state.scale, state.intercept = t, scale, intercept
    state.loss_sum += loss_sum + log(product)
    state.penalty_sum += 0.5 * l2 * penalty_sum
    return done


cdef void judge_lone_row(const floating *x, double y, const floating *v, Py_ssize_t n,
                         Settings settings, State state) noexcept nogil:
    # not in `pipelined_rows`, whose loop the compiler would change
    cdef double eta = dot(v, x, n) * state.scale + state.intercept
    state.loss_after = loss_value(settings.loss, settings.epsilon, y, eta)


cdef floating *kept_at(dict arrays, str name, bint kept, floating[::1] coef) except? NULL:
    # where the array of this name begins, which has the type of `coef`; NULL if it is not kept
    cdef floating[::1] found
    if not kept:
        return NULL
    found = arrays[name]
    return &found[0]


def step_dense(const floating[:, :] X, bint gathered, const Py_ssize_t[::1] order,
               const double[::1] y, const double[::1] weight, floating[::1] coef, dict arrays,
               Settings settings not None, State state not None):
    """Take the steps of rows `order` of dense X, whose rows are contiguous.

    Parameters
    ----------
    X, gathered : if `gathered`, X holds only the rows of this slice, in their order
    order : indices of the rows in X, `y` and `weight` (which is empty for unit weights)
    coef : weights, divided by the scale in `state`
    arrays : the arrays that `array_names` lists

    Returns the number of rows whose step was taken. It is less than all if the linear predictor
    of the next row is not finite.
    """
    cdef:
        row_view rows = dense_rows(X, gathered)
        floating *average = kept_at(arrays, "average", settings.average_from > 0.0, coef)
        floating *paid = kept_at(arrays, "l1_paid", settings.has_l1, coef)
        Py_ssize_t done
    if order.shape[0] == 0:
        return 0
    with nogil:
        if average == NULL and paid == NULL and settings.schedule < PA1:
            done = pipelined_rows(&X[0, 0], &rows, order, y, weight, &coef[0], settings, state)
            if order.shape[0] == 1 and settings.sums_losses:
                judge_lone_row(&X[0, 0] + (0 if gathered else order[0]) * rows.stride, y[order[0]],
                               &coef[0], rows.n_features, settings, state)
        else:
            done = step_rows(&X[0, 0], <const every_feature *>NULL, <const every_feature *>NULL,
                             &rows, order, y, weight, &coef[0], average, paid, settings, state)
    return done


def step_csr(const floating[::1] data, const stored_index[::1] indices,
             const stored_index[::1] indptr, const Py_ssize_t[::1] order, const double[::1] y,
             const double[::1] weight, floating[::1] coef, dict arrays,
             Settings settings not None, State state not None):
    """Take the steps of rows `order` of CSR X; see `step_dense`."""
    cdef:
        floating *average = kept_at(arrays, "average", settings.average_from > 0.0, coef)
        floating *paid = kept_at(arrays, "l1_paid", settings.has_l1, coef)
        row_view rows
        Py_ssize_t done
    rows.n_features = coef.shape[0]
    with nogil:
        done = step_rows(&data[0], &indices[0], &indptr[0], &rows, order, y, weight, &coef[0],
                         average, paid, settings, state)
    return done


def finish(floating[::1] coef, dict arrays, Settings settings not None, State state not None):
    """Fold in the scale: coef <- w, and the array "average" <- the average of the weights so far.

    Returns the sum of the squares of w, which is not finite if a weight is not.
    """
    cdef:
        floating *average = kept_at(arrays, "average", settings.average_from > 0.0, coef)
        Py_ssize_t j, n = coef.shape[0]
        double total = 0.0
    with nogil:
        refold(state, &coef[0], average, n)
        for j in range(n):
            total += <double>coef[j] * coef[j]
    return total
