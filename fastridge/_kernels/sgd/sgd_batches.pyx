# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Gradient descent in batches, with any optimizer, for one output or for the softmax of several.

The gradient of a batch is the mean over its rows of weight_i dloss_i x_i. It is summed row by row,
each of which is read once; the weights stay until the batch is full. A batch may be continued in
another call: all that a descent knows is in `coef`, `beside` and `figures`.

    sgd       w <- (1 - eta l2) w - eta g
    momentum  u <- beta1 u + g;  w <- w - eta u
    adagrad   s <- s + g^2;  w <- w - eta g / (sqrt(s) + tiny)
    adam      m, v <- means of g and g^2;  w <- w - eta m' / (sqrt(v') + tiny), without bias
    ftrl      z <- z + g - (sqrt(s + g^2) - sqrt(s)) w / eta;  s <- s + g^2;
              w <- the minimum of z w + t (l1 |w| + l2 w^2 / 2) + (1 + sqrt(s)) w^2 / (2 eta)

g has l2 w added where decay is coupled, else w is multiplied by 1 - eta l2 first; the L1 penalty
truncates at zero by l1 times what the gradient's coordinate was multiplied by. The last is from
McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, with penalties that are
paid every step.

Weights of CSR X that no row of a batch touches are left as they are where it can be told later
what their steps would have been (`lazy`): for sgd, ftrl, and adagrad without coupled decay.
"""

from cython cimport floating
from libc.math cimport exp, fabs, isfinite, log, pow, sqrt
from libc.stdlib cimport free, malloc
from sgd_steps cimport (
    INTERCEPT,
    close_descent,
    descent,
    eta_at,
    open_descent,
    slope_of,
)

cdef extern from "sgd_rows.h" nogil:
    void fr_fetch_row(const char *row, Py_ssize_t n_bytes)
    double fr_margin_double(const double *w, const double *x, Py_ssize_t n)
    double fr_margin_float(const float *w, const float *x, Py_ssize_t n)
    void fr_step_double(double *w, double c, const double *x, Py_ssize_t n)
    void fr_step_float(float *w, float c, const float *x, Py_ssize_t n)

ctypedef fused index:
    int
    long long

cdef enum:
    MULTINOMIAL = 9  # the loss after those of `sgd_steps`
    PER_OUTPUT = 5

cdef enum:  # optimizers
    SGD
    MOMENTUM
    ADAGRAD
    ADAM
    FTRL

cdef enum:  # figures after those of `sgd_steps`; then five of each output
    BETA1 = 19
    BETA2
    TINY
    N_ROWS
    STEPS
    SHRUNK_BY
    OWED
    N_TOUCHED
    OUTPUTS

cdef enum:  # of each output: its intercept, and as of `beside`
    B
    B_GRADIENT
    B_FIRST
    B_SECOND
    B_MEAN

cdef enum:  # rows of `beside`; the last four for `lazy` only
    GRADIENT
    FIRST
    SECOND
    MEAN
    SHRUNK_THEN
    OWED_THEN
    TOUCHED
    MARK

cdef enum:  # choices after those of `sgd`
    GATHERED = 4
    AVERAGED
    OPTIMIZER
    DECOUPLED
    BATCH_SIZE
    LAZY

cdef struct batch:
    descent d
    int optimizer, outputs
    bint decoupled, averaged, lazy
    Py_ssize_t p
    double size, beta1, beta2, tiny, n_rows, steps, shrunk, owed, n_touched
    double eta, l1, l2, shrink, unbias1, unbias2  # of a step
    double *margin  # of a row, and its slopes; `outputs` of each


def figure_names():
    """Names of the figures after those of `sgd`; then come `PER_OUTPUT` for each output."""
    return ("beta1", "beta2", "tiny", "n_rows", "steps", "shrunk_by", "owed", "n_touched")


def optimizers():
    """Names of the optimizers, in the order of their numbers."""
    return ("sgd", "momentum", "adagrad", "adam", "ftrl")


cdef inline double margin_of(const floating *w, const floating *x, Py_ssize_t n) noexcept nogil:
    if floating is double:
        return fr_margin_double(w, x, n)
    else:
        return fr_margin_float(w, x, n)


cdef inline void add(floating *g, double c, const floating *x, Py_ssize_t n) noexcept nogil:
    if floating is double:
        fr_step_double(g, c, x, n)
    else:
        fr_step_float(g, <float>c, x, n)


cdef inline double truncated(double w, double by) noexcept nogil:
    return max(0.0, w - by) if w > 0.0 else min(0.0, w + by)


cdef inline double ftrl_weight(const batch *b, double s, double z, double l1,
                               double l2) noexcept nogil:
    cdef double owed = b.steps * l1
    if fabs(z) <= owed:
        return 0.0
    return -truncated(z, owed) / ((1.0 + sqrt(s)) / b.d.eta + b.steps * l2)


cdef inline double moved(const batch *b, double w, double g, double l1, double l2, double shrink,
                         double *first, double *second) noexcept nogil:
    # the weight after a step with this gradient of the loss
    cdef double rate = b.eta, root
    if b.optimizer == FTRL:
        root = sqrt(first[0])
        first[0] += g * g
        second[0] += g - (sqrt(first[0]) - root) / rate * w
        return ftrl_weight(b, first[0], second[0], l1, l2)
    if b.decoupled or b.optimizer == SGD:
        w *= shrink
    else:
        g += l2 * w
    if b.optimizer == SGD:
        w -= rate * g
    elif b.optimizer == MOMENTUM:
        first[0] = b.beta1 * first[0] + g
        w -= rate * first[0]
    elif b.optimizer == ADAGRAD:
        first[0] += g * g
        rate /= sqrt(first[0]) + b.tiny
        w -= rate * g
    else:
        first[0] += (1.0 - b.beta1) * (g - first[0])
        second[0] += (1.0 - b.beta2) * (g * g - second[0])
        rate /= sqrt(second[0]) * b.unbias2 + b.tiny
        w -= rate * b.unbias1 * first[0]
    return truncated(w, rate * l1) if l1 > 0.0 else w


cdef inline double rate_of(const batch *b, double first) noexcept nogil:
    # what multiplies eta, where no gradient comes
    return 1.0 / (sqrt(first) + b.tiny) if b.optimizer == ADAGRAD else 1.0


cdef inline void catch_up(const batch *b, floating *w, double[:, :, ::1] beside, int k,
                          Py_ssize_t j) noexcept nogil:
    # the steps of a weight since it was touched: |w| <- max(0, P/P0 |w| - rate P (V - V0))
    cdef double then, size
    if b.optimizer == FTRL:
        w[j] = <floating>ftrl_weight(b, beside[FIRST, k, j], beside[SECOND, k, j], b.l1, b.l2)
        return
    then = beside[SHRUNK_THEN, k, j]
    if then == b.shrunk and beside[OWED_THEN, k, j] == b.owed:
        return
    size = b.shrunk / then * fabs(w[j])
    size -= rate_of(b, beside[FIRST, k, j]) * b.shrunk * (b.owed - beside[OWED_THEN, k, j])
    size = max(0.0, size)
    w[j] = <floating>(size if w[j] > 0.0 else -size)
    beside[SHRUNK_THEN, k, j], beside[OWED_THEN, k, j] = b.shrunk, b.owed


cdef void catch_all_up(batch *b, floating[:, ::1] coef, double[:, :, ::1] beside) noexcept nogil:
    # what is counted for the weights begins anew
    cdef int k
    cdef Py_ssize_t j
    for k in range(b.outputs):
        for j in range(b.p):
            catch_up(b, &coef[k, 0], beside, k, j)
            beside[SHRUNK_THEN, k, j], beside[OWED_THEN, k, j] = 1.0, 0.0
    b.shrunk, b.owed = 1.0, 0.0


cdef void step_all(batch *b, floating *w, floating *g, double *first, double *second,
                   double *mean, double share) noexcept nogil:
    cdef Py_ssize_t j
    cdef batch own = b[0]  # which no write can change
    cdef double part = 1.0 / b.n_rows, l1 = b.l1, l2 = b.l2, shrink = b.shrink
    for j in range(own.p):
        w[j] = <floating>moved(&own, w[j], part * g[j], l1, l2, shrink, &first[j], &second[j])
        g[j] = 0.0
    if share > 0.0:
        for j in range(own.p):
            mean[j] += share * (w[j] - mean[j])


cdef void step_touched(batch *b, floating[:, ::1] coef, double[:, :, ::1] beside) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef int k
    cdef floating *g
    cdef double part = 1.0 / b.n_rows
    if b.optimizer != FTRL and (b.shrink <= 0.0 or b.shrunk * b.shrink < 1e-30):
        catch_all_up(b, coef, beside)
        if b.shrink <= 0.0:  # the step leaves nothing of any weight but its gradient
            for k in range(b.outputs):
                for j in range(b.p):
                    coef[k, j] = 0.0
    if b.optimizer != FTRL and b.shrink > 0.0:
        b.shrunk *= b.shrink
        b.owed += b.eta * b.l1 / b.shrunk
    for i in range(<Py_ssize_t>b.n_touched):
        j = <Py_ssize_t>beside[TOUCHED, 0, i]
        for k in range(b.outputs):
            g = <floating *>&beside[GRADIENT, k, 0]
            coef[k, j] = <floating>moved(b, coef[k, j], part * g[j], b.l1, b.l2, b.shrink,
                                         &beside[FIRST, k, j], &beside[SECOND, k, j])
            g[j] = 0.0
            beside[SHRUNK_THEN, k, j], beside[OWED_THEN, k, j] = b.shrunk, b.owed
    b.n_touched = 0.0


cdef void take_step(batch *b, floating[:, ::1] coef, double[:, :, ::1] beside,
                    double *outputs) noexcept nogil:
    # the step of a batch, of which n_rows are there
    cdef int k
    cdef double share = 0.0
    cdef double *own
    b.eta = b.d.eta = eta_at(&b.d, b.d.t, b.d.eta)
    b.steps += 1.0
    b.shrink = max(0.0, 1.0 - b.eta * b.l2)
    if b.optimizer == ADAM:
        b.unbias1 = 1.0 / (1.0 - pow(b.beta1, b.steps))
        b.unbias2 = 1.0 / sqrt(1.0 - pow(b.beta2, b.steps))
    if b.averaged and b.d.t >= b.d.average_from:
        share = 1.0 / (b.d.t - b.d.average_from + 1.0)
    if b.lazy:
        step_touched(b, coef, beside)
    else:
        for k in range(b.outputs):
            step_all(b, &coef[k, 0], <floating *>&beside[GRADIENT, k, 0], &beside[FIRST, k, 0],
                     &beside[SECOND, k, 0], &beside[MEAN, k, 0], share)
    for k in range(b.outputs):
        own = outputs + PER_OUTPUT * k
        if b.d.intercept_rate > 0.0:
            own[B] = moved(b, own[B], own[B_GRADIENT] * b.d.intercept_rate / b.n_rows, 0.0, 0.0,
                           1.0, &own[B_FIRST], &own[B_SECOND])
        own[B_GRADIENT] = 0.0
        own[B_MEAN] += share * (own[B] - own[B_MEAN])
    b.d.t += 1.0
    b.n_rows = 0.0


cdef inline bint slopes_of(batch *b, double y, double weight) noexcept nogil:
    # margins -> their derivatives of the loss, times the weight; False where not finite
    cdef double most, total = 0.0, slope
    cdef int k
    if b.d.loss != MULTINOMIAL:
        if not isfinite(b.margin[0]):
            return False
        slope = slope_of(&b.d, y, b.margin[0])
        b.margin[0] = weight * min(max(slope, -1e12), 1e12)
        return True
    most = b.margin[0]
    for k in range(b.outputs):
        if not isfinite(b.margin[k]):
            return False
        most = max(most, b.margin[k])
    if b.d.tracked:
        b.d.loss_sum += most - b.margin[<int>y]
    for k in range(b.outputs):
        b.margin[k] = exp(b.margin[k] - most)
        total += b.margin[k]
    if b.d.tracked:
        b.d.loss_sum += log(total)
    for k in range(b.outputs):
        b.margin[k] = weight * (b.margin[k] / total - (1.0 if k == <int>y else 0.0))
    return True


cdef bint open_batch(batch *b, double[::1] figures, const int[::1] choices, int outputs,
                     Py_ssize_t p) except False:
    open_descent(&b.d, &figures[0], &choices[0])
    b.d.penalised = False  # that of a step is not wanted
    b.outputs, b.p = outputs, p
    b.optimizer, b.decoupled = choices[OPTIMIZER], choices[DECOUPLED]
    b.averaged, b.lazy, b.size = choices[AVERAGED], choices[LAZY], choices[BATCH_SIZE]
    b.l1 = b.d.l1 if choices[1] else 0.0
    b.l2 = b.d.l2 if choices[1] else 0.0
    b.beta1, b.beta2, b.tiny = figures[BETA1], figures[BETA2], figures[TINY]
    b.n_rows, b.steps, b.n_touched = figures[N_ROWS], figures[STEPS], figures[N_TOUCHED]
    b.shrunk, b.owed = figures[SHRUNK_BY], figures[OWED]
    b.eta = b.d.eta
    b.margin = <double *>malloc(outputs * sizeof(double))
    if b.margin == NULL:
        raise MemoryError()
    return True


cdef void close_batch(batch *b, double[::1] figures) noexcept nogil:
    close_descent(&b.d, &figures[0])
    figures[N_ROWS], figures[STEPS], figures[N_TOUCHED] = b.n_rows, b.steps, b.n_touched
    figures[SHRUNK_BY], figures[OWED] = b.shrunk, b.owed
    figures[INTERCEPT] = figures[OUTPUTS]
    free(b.margin)


def descend_rows(const floating[:, :] X, const Py_ssize_t[::1] order, const double[::1] y,
                 const double[::1] weight, floating[:, ::1] coef, double[:, :, ::1] beside,
                 double[::1] figures, const int[::1] choices):
    """Take rows `order` of dense X, whose rows are contiguous, into batches.

    Parameters
    ----------
    X : where ``choices[4]`` is set, only the rows of this slice, in their order
    order : row numbers, into `y` and `weight` (empty for unit weights) as well
    y : targets; for the softmax of several outputs the numbers of the classes
    coef : weights, of each output
    beside : 8 rows of such; the last 4 only where the descent is lazy
    figures : those of `sgd`, `figure_names`, and ``PER_OUTPUT`` of each output
    choices : as of `sgd`; then the optimizer, whether decay is decoupled, the rows of a batch, and
        whether the descent is lazy (CSR only)

    Returns the number of rows taken: less than all where a margin is not finite.
    """
    cdef:
        batch b
        Py_ssize_t i, row, n = X.shape[1], n_rows = order.shape[0], done = n_rows
        Py_ssize_t stride = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t ahead = min(16, max(2, 2048 // (n * <Py_ssize_t>sizeof(floating))))
        bint gathered = choices[GATHERED], weighted = weight.shape[0] > 0
        const floating *x
        double *outputs = &figures[OUTPUTS]
        int k
    open_batch(&b, figures, choices, coef.shape[0], n)
    with nogil:
        for i in range(n_rows):
            row = order[i]
            x = &X[0, 0] + (i if gathered else row) * stride
            if not gathered and i + ahead < n_rows:
                fr_fetch_row(<const char *>(&X[0, 0] + order[i + ahead] * stride),
                             n * <Py_ssize_t>sizeof(floating))
            for k in range(b.outputs):
                b.margin[k] = margin_of(&coef[k, 0], x, n) + outputs[PER_OUTPUT * k + B]
            if not slopes_of(&b, y[row], weight[row] if weighted else 1.0):
                done = i
                break
            for k in range(b.outputs):
                if b.margin[k] != 0.0:
                    add(<floating *>&beside[GRADIENT, k, 0], b.margin[k], x, n)
                    outputs[PER_OUTPUT * k + B_GRADIENT] += b.margin[k]
            b.n_rows += 1.0
            if b.n_rows >= b.size:
                take_step(&b, coef, beside, outputs)
        close_batch(&b, figures)
    return done


def descend_sparse(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                   const Py_ssize_t[::1] order, const double[::1] y, const double[::1] weight,
                   floating[:, ::1] coef, double[:, :, ::1] beside, double[::1] figures,
                   const int[::1] choices):
    """Take rows `order` of CSR X into batches; see `descend_rows`."""
    cdef:
        batch b
        Py_ssize_t i, j, e, row, begin, end, done = order.shape[0]
        bint weighted = weight.shape[0] > 0
        double *outputs = &figures[OUTPUTS]
        double margin, c
        floating *w
        floating *g
        int k
    open_batch(&b, figures, choices, coef.shape[0], coef.shape[1])
    with nogil:
        for i in range(order.shape[0]):
            row = order[i]
            begin, end = indptr[row], indptr[row + 1]
            if b.lazy:
                for e in range(begin, end):
                    j = indices[e]
                    if beside[MARK, 0, j] == b.steps + 1.0:
                        continue
                    beside[MARK, 0, j] = b.steps + 1.0
                    beside[TOUCHED, 0, <Py_ssize_t>b.n_touched] = j
                    b.n_touched += 1.0
                    for k in range(b.outputs):
                        catch_up(&b, &coef[k, 0], beside, k, j)
            for k in range(b.outputs):
                w = &coef[k, 0]
                margin = 0.0
                for e in range(begin, end):
                    margin += <double>w[indices[e]] * data[e]
                b.margin[k] = margin + outputs[PER_OUTPUT * k + B]
            if not slopes_of(&b, y[row], weight[row] if weighted else 1.0):
                done = i
                break
            for k in range(b.outputs):
                c = b.margin[k]
                if c == 0.0:
                    continue
                g = <floating *>&beside[GRADIENT, k, 0]
                for e in range(begin, end):
                    g[indices[e]] += <floating>(c * data[e])
                outputs[PER_OUTPUT * k + B_GRADIENT] += c
            b.n_rows += 1.0
            if b.n_rows >= b.size:
                take_step(&b, coef, beside, outputs)
        close_batch(&b, figures)
    return done


def finish(floating[:, ::1] coef, double[:, :, ::1] beside, double[::1] figures,
           const int[::1] choices):
    """Take the step of a batch that was begun, and those that were left for later.

    Returns the sum of the squares of the weights, which is not finite where a weight is not.
    """
    cdef:
        batch b
        double total = 0.0
        int k
        Py_ssize_t j
    open_batch(&b, figures, choices, coef.shape[0], coef.shape[1])
    with nogil:
        if b.n_rows > 0.0:
            take_step(&b, coef, beside, &figures[OUTPUTS])
        if b.lazy:
            catch_all_up(&b, coef, beside)
        close_batch(&b, figures)
        for k in range(b.outputs):
            for j in range(b.p):
                total += <double>coef[k, j] * coef[k, j]
    return total
