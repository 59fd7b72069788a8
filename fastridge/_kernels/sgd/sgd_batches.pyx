# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Gradient descent in batches, with any optimizer, for one output or for the softmax of several.

The gradient of a batch is the mean over its rows of weight_i dloss_i x_i. Each row is read once and
added to it; the weights change when the batch is full. Another call may continue a batch: `coef`,
`arrays` and `state` hold all that a solver run keeps.

    sgd       w <- (1 - eta l2) w - eta g
    momentum  u <- beta1 u + g;  w <- w - eta u
    adagrad   s <- s + g^2;  w <- w - eta g / (sqrt(s) + tiny)
    adam      m, v <- means of g and g^2;  w <- w - eta m' / (sqrt(v') + tiny), without bias
    ftrl      z <- z + g - (sqrt(s + g^2) - sqrt(s)) w / eta;  s <- s + g^2;
              w <- the minimum of z w + t (l1 |w| + l2 w^2 / 2) + (1 + sqrt(s)) w^2 / (2 eta)

If decay is coupled, g includes l2 w; otherwise w is first multiplied by 1 - eta l2. The L1 penalty
then moves w towards zero, at most to zero, by l1 times the factor of g. ftrl is from McMahan et
al., "Ad click prediction: a view from the trenches", KDD 2013, with penalties that are paid in
every step.

With CSR X, weights that no row of a batch touches are updated later if their steps can be made up
for then (`lazy`): for sgd, ftrl, and adagrad without coupled decay.
"""

cimport multinomial
from cython cimport floating
from fastridge._kernels.sgd_state cimport Settings, State
from libc.math cimport fabs, isfinite, log, pow, sqrt
from losses cimport MULTINOMIAL
from sgd_rows cimport (
    add_dense, dense_rows, dot, every_feature, feature_at, fr_prefetch_row, index_of, row_begin,
    row_index, row_length, row_view, stored_index,
)
from sgd_steps cimport (
    clipped, derivative_of, learning_rate_at, numbers_at, rate_schedule, running_sums, schedule_of,
)

cdef enum:  # optimizers
    SGD
    MOMENTUM
    ADAGRAD
    ADAM
    FTRL

cdef struct weight_arrays:  # next to the weights; one row for each output
    double *first  # optimizer state: u of momentum, s of adagrad and ftrl, m of adam
    double *second  # optimizer state: v of adam, z of ftrl
    double *average  # of the weights; not if lazy
    double *decay_then  # `decay_product` when the weight last caught up; lazy only
    double *l1_then  # `l1_owed` then; lazy only
    Py_ssize_t *touched  # the features of the current batch; one row, lazy only
    Py_ssize_t *mark  # the batch, from 1, in which a feature was last touched; one row, lazy only

cdef struct output_arrays:  # one number for each output
    double *intercept
    double *gradient  # of the intercept
    double *first  # optimizer state
    double *second  # optimizer state
    double *average  # of the intercept
    double *scratch  # the linear predictors of a row, then the derivatives of its loss

cdef struct step_numbers:  # of the step of one batch
    double eta, l1, l2, shrink, unbias1, unbias2, n_batches, beta1, beta2, tiny
    int optimizer
    bint decoupled

cdef struct batches:  # a solver run, as one call sees it
    weight_arrays of
    output_arrays out
    step_numbers now
    running_sums sums
    int n_outputs
    Py_ssize_t p


def optimizers():
    """Return the names of the optimizers, in the order of their numbers."""
    return ("sgd", "momentum", "adagrad", "adam", "ftrl")


def array_names(Settings settings not None):
    """Return the names of the arrays next to the weights, each of their shape.

    "gradient" is of the type of the weights, the others of float64; see `weight_arrays`.
    """
    kept = "gradient", "first", "second"
    return (*kept, "decay_then", "l1_then") if settings.lazy else (*kept, "average")


def index_array_names(Settings settings not None):
    """Return the names of the arrays of indices, one per feature; see `weight_arrays`."""
    return ("touched", "mark") if settings.lazy else ()


def output_array_names():
    """Return the names of the arrays with one number per output; see `output_arrays`."""
    return ("intercept", "intercept_gradient", "intercept_first", "intercept_second",
            "intercept_average", "scratch")


cdef inline double truncated(double w, double by) noexcept nogil:
    return max(0.0, w - by) if w > 0.0 else min(0.0, w + by)


cdef inline double ftrl_weight(const step_numbers *now, double s, double z, double l1,
                               double l2) noexcept nogil:
    cdef double owed = now.n_batches * l1
    if fabs(z) <= owed:
        return 0.0
    return -truncated(z, owed) / ((1.0 + sqrt(s)) / now.eta + now.n_batches * l2)


cdef inline double moved(const step_numbers *now, double w, double g, double l1, double l2,
                         double shrink, double *first, double *second) noexcept nogil:
    # the weight after a step with this gradient of the loss
    cdef double rate = now.eta, root
    if now.optimizer == FTRL:
        root = sqrt(first[0])
        first[0] += g * g
        second[0] += g - (sqrt(first[0]) - root) / rate * w
        return ftrl_weight(now, first[0], second[0], l1, l2)
    if now.decoupled or now.optimizer == SGD:
        w *= shrink
    else:
        g += l2 * w
    if now.optimizer == SGD:
        w -= rate * g
    elif now.optimizer == MOMENTUM:
        first[0] = now.beta1 * first[0] + g
        w -= rate * first[0]
    elif now.optimizer == ADAGRAD:
        first[0] += g * g
        rate /= sqrt(first[0]) + now.tiny
        w -= rate * g
    else:
        first[0] += (1.0 - now.beta1) * (g - first[0])
        second[0] += (1.0 - now.beta2) * (g * g - second[0])
        rate /= sqrt(second[0]) * now.unbias2 + now.tiny
        w -= rate * now.unbias1 * first[0]
    return truncated(w, rate * l1) if l1 > 0.0 else w


cdef inline step_numbers numbers_of(Settings settings, State state) noexcept nogil:
    # the numbers of the last step, or of one that is about to be counted
    cdef step_numbers now
    now.eta, now.n_batches = state.learning_rate, state.n_batches
    now.l1, now.l2 = settings.l1, settings.l2
    now.beta1, now.beta2, now.tiny = settings.beta1, settings.beta2, settings.tiny
    now.optimizer, now.decoupled = settings.optimizer, settings.decoupled
    now.shrink = max(0.0, 1.0 - now.eta * now.l2)
    now.unbias1 = now.unbias2 = 1.0
    if now.optimizer == ADAM:
        now.unbias1 = 1.0 / (1.0 - pow(now.beta1, now.n_batches))
        now.unbias2 = 1.0 / sqrt(1.0 - pow(now.beta2, now.n_batches))
    return now


cdef inline void catch_up(batches *b, State state, floating *w, int output,
                          Py_ssize_t j) noexcept nogil:
    # Take the steps of a weight since it was touched: |w| <- max(0, P/P0 |w| - rate P (V - V0)).
    cdef Py_ssize_t at = output * b.p + j
    cdef double then, size, rate
    cdef const step_numbers *now = &b.now
    if now.optimizer == FTRL:
        w[at] = <floating>ftrl_weight(now, b.of.first[at], b.of.second[at], now.l1, now.l2)
        return
    then = b.of.decay_then[at]
    if then == state.decay_product and b.of.l1_then[at] == state.l1_owed:
        return
    rate = 1.0 / (sqrt(b.of.first[at]) + now.tiny) if now.optimizer == ADAGRAD else 1.0
    size = state.decay_product / then * fabs(w[at])
    size -= rate * state.decay_product * (state.l1_owed - b.of.l1_then[at])
    size = max(0.0, size)
    w[at] = <floating>(size if w[at] > 0.0 else -size)
    b.of.decay_then[at], b.of.l1_then[at] = state.decay_product, state.l1_owed


cdef void catch_all_up(batches *b, State state, floating *w) noexcept nogil:
    # Catch up all weights and start the decay and the L1 penalty that they owe from scratch.
    cdef int output
    cdef Py_ssize_t j
    for output in range(b.n_outputs):
        for j in range(b.p):
            catch_up(b, state, w, output, j)
            b.of.decay_then[output * b.p + j], b.of.l1_then[output * b.p + j] = 1.0, 0.0
    state.decay_product, state.l1_owed = 1.0, 0.0


cdef void step_all(const step_numbers *given, floating *w, floating *g, double *first,
                   double *second, double *average, double average_factor, double factor,
                   Py_ssize_t p) noexcept nogil:
    # Take the step of one output's weights; average += average_factor (weights - average).
    cdef Py_ssize_t j
    cdef step_numbers now = given[0]  # a copy, which writes to the arrays cannot change
    cdef double l1 = now.l1, l2 = now.l2, shrink = now.shrink
    for j in range(p):
        w[j] = <floating>moved(&now, w[j], factor * g[j], l1, l2, shrink, &first[j], &second[j])
        g[j] = 0.0
    if average_factor > 0.0:
        for j in range(p):
            average[j] += average_factor * (w[j] - average[j])


cdef void step_touched(batches *b, State state, floating *w,
                       floating *gradient) noexcept nogil:
    # Take the step of the weights that rows of the batch touched.
    cdef Py_ssize_t i, j, at
    cdef int output
    cdef double factor = 1.0 / state.n_in_batch
    cdef const step_numbers *now = &b.now
    if now.optimizer != FTRL:
        if now.shrink <= 0.0 or state.decay_product * now.shrink < 1e-30:
            catch_all_up(b, state, w)
            if now.shrink <= 0.0:  # the decay sets every weight to zero
                for at in range(b.n_outputs * b.p):
                    w[at] = 0.0
        if now.shrink > 0.0:
            state.decay_product *= now.shrink
            state.l1_owed += now.eta * now.l1 / state.decay_product
    for i in range(<Py_ssize_t>state.n_touched):
        j = b.of.touched[i]
        for output in range(b.n_outputs):
            at = output * b.p + j
            w[at] = <floating>moved(now, w[at], factor * gradient[at], now.l1, now.l2, now.shrink,
                                    &b.of.first[at], &b.of.second[at])
            gradient[at] = 0.0
            b.of.decay_then[at], b.of.l1_then[at] = state.decay_product, state.l1_owed
    state.n_touched = 0.0


cdef void take_step(batches *b, floating *w, floating *gradient, Settings settings,
                    State state) noexcept nogil:
    # Take the step of a batch, whose gradient is the sum over n_in_batch rows.
    cdef int k
    cdef Py_ssize_t at
    cdef double average_factor = 0.0
    cdef output_arrays *out = &b.out
    cdef rate_schedule rates = schedule_of(settings, state)
    state.learning_rate = learning_rate_at(&rates, state.t)
    state.n_batches += 1.0
    b.now = numbers_of(settings, state)
    if settings.average_from > 0.0 and state.t >= settings.average_from:
        average_factor = 1.0 / (state.t - settings.average_from + 1.0)
    if settings.lazy:
        step_touched(b, state, w, gradient)
    else:
        for k in range(b.n_outputs):
            at = k * b.p
            step_all(&b.now, w + at, gradient + at, b.of.first + at, b.of.second + at,
                     b.of.average + at, average_factor, 1.0 / state.n_in_batch, b.p)
    for k in range(b.n_outputs):
        if settings.intercept_factor > 0.0:
            out.intercept[k] = moved(
                &b.now, out.intercept[k],
                out.gradient[k] * settings.intercept_factor / state.n_in_batch, 0.0, 0.0, 1.0,
                &out.first[k], &out.second[k])
        out.gradient[k] = 0.0
        out.average[k] += average_factor * (out.intercept[k] - out.average[k])
    state.t += 1.0
    state.n_in_batch = 0.0


cdef inline bint find_derivatives(batches *b, Settings settings, State state, double y,
                                  double weight) noexcept nogil:
    # linear predictors -> derivatives times the weight; False if a predictor is not finite
    cdef double loss
    cdef int k
    for k in range(b.n_outputs):
        if not isfinite(b.out.scratch[k]):
            return False
    if settings.loss != MULTINOMIAL:
        b.out.scratch[0] = weight * clipped(
            derivative_of(settings, state, &b.sums, y, b.out.scratch[0]))
        return True
    loss = multinomial.value_and_derivatives(<int>y, b.out.scratch, b.n_outputs)
    if settings.sums_losses:
        state.loss_sum += loss
    for k in range(b.n_outputs):
        b.out.scratch[k] *= weight
    return True


cdef inline double dot_of(const floating *w, const floating *x, const index_of *index,
                          Py_ssize_t n) noexcept nogil:
    # w'x; of a sparse row in double
    cdef double sum = 0.0
    cdef Py_ssize_t k
    if index_of is every_feature:
        return dot(w, x, n)
    else:
        for k in range(n):
            sum += <double>w[index[k]] * x[k]
        return sum


cdef inline void touch(const index_of *index, Py_ssize_t n, batches *b, floating *w,
                       State state) noexcept nogil:
    # Catch up the weights of a row's features when the batch touches them first.
    cdef Py_ssize_t j, k, batch = <Py_ssize_t>state.n_batches + 1
    cdef int output
    for k in range(n):
        j = feature_at(index, k)
        if b.of.mark[j] == batch:
            continue
        b.of.mark[j] = batch
        b.of.touched[<Py_ssize_t>state.n_touched] = j
        state.n_touched += 1.0
        for output in range(b.n_outputs):
            catch_up(b, state, w, output, j)


cdef Py_ssize_t take_rows(const floating *values, const index_of *indices, const index_of *indptr,
                          const row_view *rows, const Py_ssize_t[::1] order, const double[::1] y,
                          const double[::1] weight, floating *w, floating *gradient, batches *b,
                          Settings settings, State state) noexcept nogil:
    # Take rows into batches; return the number of rows.
    cdef:
        Py_ssize_t i, j, e, row, at, n, n_rows = order.shape[0], done = n_rows
        Py_ssize_t bytes = rows.n_features * <Py_ssize_t>sizeof(floating)
        Py_ssize_t distance = min(16, max(2, 2048 // bytes))
        bint weighted = weight.shape[0] > 0
        const floating *x
        const index_of *index
        double c
        floating *g
        int k
    for i in range(n_rows):
        row = order[i]
        at, n = row_begin(rows, indptr, i, row), row_length(rows, indptr, row)
        x, index = values + at, row_index(indices, at)
        if index_of is every_feature:
            if not rows.gathered and i + distance < n_rows:
                fr_prefetch_row(<const char *>(values + order[i + distance] * rows.stride), bytes)
        elif settings.lazy:
            touch(index, n, b, w, state)
        for k in range(b.n_outputs):
            b.out.scratch[k] = dot_of(w + k * b.p, x, index, n) + b.out.intercept[k]
        if not find_derivatives(b, settings, state, y[row], weight[row] if weighted else 1.0):
            done = i
            break
        for k in range(b.n_outputs):
            c = b.out.scratch[k]
            if c == 0.0:
                continue
            g = gradient + k * b.p
            if index_of is every_feature:
                add_dense(g, c, x, n)
            else:
                for e in range(n):
                    j = index[e]
                    g[j] += <floating>(c * x[e])
            b.out.gradient[k] += c
        state.n_in_batch += 1.0
        if state.n_in_batch >= settings.batch_size:
            take_step(b, w, gradient, settings, state)
    state.loss_sum += log(b.sums.product)
    return done


cdef double *rows_at(dict arrays, str name) except NULL:
    # where the array of this name begins, which has a row for each output
    cdef double[:, ::1] found = arrays[name]
    return &found[0, 0]


cdef batches open_batches(dict arrays, Settings settings, State state, int n_outputs,
                          Py_ssize_t p) except *:
    cdef batches b
    cdef Py_ssize_t[::1] of_features
    b.n_outputs, b.p, b.now = n_outputs, p, numbers_of(settings, state)
    b.sums.square_norm = b.sums.absolute_norm = 0.0
    b.sums.product = 1.0
    b.of.first = rows_at(arrays, "first")
    b.of.second = rows_at(arrays, "second")
    if settings.lazy:
        b.of.decay_then = rows_at(arrays, "decay_then")
        b.of.l1_then = rows_at(arrays, "l1_then")
        of_features = arrays["touched"]
        b.of.touched = &of_features[0]
        of_features = arrays["mark"]
        b.of.mark = &of_features[0]
    else:
        b.of.average = rows_at(arrays, "average")
    b.out.intercept = numbers_at(arrays, "intercept")
    b.out.gradient = numbers_at(arrays, "intercept_gradient")
    b.out.first = numbers_at(arrays, "intercept_first")
    b.out.second = numbers_at(arrays, "intercept_second")
    b.out.average = numbers_at(arrays, "intercept_average")
    b.out.scratch = numbers_at(arrays, "scratch")
    return b


def step_dense(const floating[:, :] X, bint gathered, const Py_ssize_t[::1] order,
               const double[::1] y, const double[::1] weight, floating[:, ::1] coef, dict arrays,
               Settings settings not None, State state not None):
    """Take rows `order` of dense X, whose rows are contiguous, into batches.

    Parameters
    ----------
    X, gathered : if `gathered`, X holds only the rows of this slice, in their order
    order : indices of the rows in X, `y` and `weight` (which is empty for unit weights)
    y : targets; for the softmax of several outputs, the indices of the classes
    coef : weights of each output
    arrays : the arrays that `array_names`, `index_array_names` and `output_array_names` list

    Returns the number of rows taken. It is less than all if a linear predictor is not finite.
    """
    cdef:
        row_view rows = dense_rows(X, gathered)
        batches b = open_batches(arrays, settings, state, coef.shape[0], X.shape[1])
        floating[:, ::1] gradient = arrays["gradient"]
        Py_ssize_t done
    with nogil:
        done = take_rows(&X[0, 0], <const every_feature *>NULL, <const every_feature *>NULL,
                         &rows, order, y, weight, &coef[0, 0], &gradient[0, 0], &b, settings,
                         state)
    return done


def step_csr(const floating[::1] data, const stored_index[::1] indices,
             const stored_index[::1] indptr, const Py_ssize_t[::1] order, const double[::1] y,
             const double[::1] weight, floating[:, ::1] coef, dict arrays,
             Settings settings not None, State state not None):
    """Take rows `order` of CSR X into batches; see `step_dense`."""
    cdef:
        row_view rows
        batches b = open_batches(arrays, settings, state, coef.shape[0], coef.shape[1])
        floating[:, ::1] gradient = arrays["gradient"]
        Py_ssize_t done
    rows.n_features = coef.shape[1]
    with nogil:
        done = take_rows(&data[0], &indices[0], &indptr[0], &rows, order, y, weight, &coef[0, 0],
                         &gradient[0, 0], &b, settings, state)
    return done


def finish(floating[:, ::1] coef, dict arrays, Settings settings not None, State state not None):
    """Take the step of a batch that is not full, and all steps that were postponed.

    Returns the sum of the squares of the weights, which is not finite if a weight is not.
    """
    cdef:
        batches b = open_batches(arrays, settings, state, coef.shape[0], coef.shape[1])
        floating[:, ::1] gradient = arrays["gradient"]
        double total = 0.0
        int k
        Py_ssize_t j
    with nogil:
        if state.n_in_batch > 0.0:
            take_step(&b, &coef[0, 0], &gradient[0, 0], settings, state)
        if settings.lazy:
            catch_all_up(&b, state, &coef[0, 0])
        for k in range(b.n_outputs):
            for j in range(b.p):
                total += <double>coef[k, j] * coef[k, j]
    return total
