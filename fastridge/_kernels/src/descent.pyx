# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Coordinate descent for the elastic net on a Gram, with Newton steps on the support.

minimise  w'G w / 2 - xy'w + sum_j l1_j |w_j| + l2_j w_j^2 / 2   in   lower <= w <= upper

A sweep updates each coordinate exactly (Friedman, Hastie, Tibshirani, "Regularization paths for
generalized linear models via coordinate descent", J. Stat. Softw. 33, 2010, covariance updates):

    w_j <- clip(soft(gradient_j + G_jj w_j, l1_j) / (G_jj + l2_j)),  gradient = xy - G w

A Newton step solves for all coordinates that are neither zero nor at a bound, as far as the first
that reaches zero or a bound, which then leaves; the objective never grows. Where most of those that
a sweep lets in leave again, as with nearly collinear columns, the next ones enter one at a time.
Between steps the duality gap decides.
"""

from active_factor cimport (
    active_factor,
    append,
    forget,
    fr_add_row,
    fr_add_rows,
    refactor,
    remove,
    solve,
)
from duality cimport elastic_net, evaluate, objective
from libc.math cimport fabs

# Rows of the state, a value a coordinate each.
cdef enum:
    COEF
    GRADIENT
    XY
    L1
    L2
    LOWER
    UPPER
    SQUARE
    RIDGE  # the l2 in the factor
    DIRECTION
    RIGHT_SIDE
    MOVED
    N_ROWS

# Figures in and out.
cdef enum:
    TARGET_SQUARE
    TOLERANCE
    PRIMAL
    DUAL  # the best so far
    N_FIGURES

cdef enum:
    ORDER  # of the factor
    SWEEPS
    GREEDY  # whether columns enter one at a time
    STEPS  # of one column each, since the last that was counted as a sweep
    N_COUNTS


cdef enum:
    MANY_DROPS = 64


cdef struct descent:
    elastic_net net
    active_factor factor
    const double *gram
    Py_ssize_t ld
    double *coef
    double *gradient
    double *l2
    double *ridge
    double *direction
    double *right_side
    double *moved
    double work  # multiplications so far


def state_rows():
    """Names of the rows of the state."""
    return ("coef", "gradient", "xy", "l1", "l2", "lower", "upper", "square", "ridge",
            "direction", "right_side", "moved")


cdef inline bint is_free(const descent *d, Py_ssize_t j) noexcept nogil:
    # whether a Newton step may move coordinate j either way
    cdef double w = d.coef[j]
    if w == 0.0 and (d.net.l1[j] > 0.0 or d.net.square[j] <= 0.0):
        return False
    return d.net.lower[j] < w < d.net.upper[j]


cdef inline double minimiser(const descent *d, Py_ssize_t j) noexcept nogil:
    # along coordinate j
    cdef double w = d.coef[j], z = d.gradient[j], curvature = d.net.square[j] + d.net.l2[j]
    if (w == 0.0 and fabs(z) <= d.net.l1[j]) or curvature <= 0.0:
        return w
    z += d.net.square[j] * w
    if z > d.net.l1[j]:
        w = (z - d.net.l1[j]) / curvature
    elif z < -d.net.l1[j]:
        w = (z + d.net.l1[j]) / curvature
    else:
        w = 0.0
    return min(max(w, d.net.lower[j]), d.net.upper[j])


cdef inline bint update(descent *d, Py_ssize_t j, double new) noexcept nogil:
    # whether coordinate j became or ceased to be free
    cdef double delta = new - d.coef[j]
    cdef bint before
    if delta == 0.0:
        return False
    before = is_free(d, j)
    d.coef[j] = new
    fr_add_row(d.gradient, d.gram + j * d.ld, -delta, d.net.n_features)
    d.work += d.net.n_features
    return before != is_free(d, j)


cdef inline Py_ssize_t sweep(descent *d) noexcept nogil:
    # returns how many coordinates became or ceased to be free
    cdef Py_ssize_t j, changes = 0
    for j in range(d.net.n_features):
        changes += update(d, j, minimiser(d, j))
    d.work += d.net.n_features
    return changes


cdef inline void best_update(descent *d) noexcept nogil:
    # of the coordinate whose update lowers the objective most, as far as the gradient tells
    cdef Py_ssize_t j, best = -1
    cdef double new, delta, gain, most = 0.0
    for j in range(d.net.n_features):
        new = minimiser(d, j)
        delta = new - d.coef[j]
        if delta != 0.0:
            gain = delta * delta * (d.net.square[j] + d.net.l2[j])
            if gain > most:
                most = gain
                best = j
    if best >= 0:
        update(d, best, minimiser(d, best))
    d.work += 2.0 * d.net.n_features


cdef inline void add_columns(descent *d, double sign, const double *factor) noexcept nogil:
    # gradient <- gradient + sign G factor
    cdef:
        Py_ssize_t j, m = d.net.n_features, count = 0
        const double *rows[8]
        double multiple[8]
    for j in range(m):
        if factor[j] == 0.0:
            continue
        rows[count] = d.gram + j * d.ld
        multiple[count] = sign * factor[j]
        count += 1
        d.work += m
        if count == 8:
            fr_add_rows(d.gradient, rows, multiple, m)
            count = 0
    for j in range(count):
        fr_add_row(d.gradient, rows[j], multiple[j], m)


cdef inline void synchronise(descent *d) noexcept nogil:
    # the factor is that of the free coordinates with the present l2
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t j, i, m = d.net.n_features, free = 0, gone = 0
        bint stale = False
        double cost = 0.0, k
    for j in range(m):
        free += is_free(d, j)
        stale = stale or d.ridge[j] != d.l2[j]
    for i in range(f.order):
        if not is_free(d, f.member[i]):
            gone += 1
            k = f.order - i
            cost += 2.0 * k * k
    k = free
    cost += (free - (f.order - gone)) * k * k
    if stale or 4.0 * cost > k * k * k / 6.0 + 8.0 * k * k:
        forget(f)
        for j in range(m):
            d.ridge[j] = d.l2[j]
            if is_free(d, j):
                f.member[f.order] = <int>j
                f.place[j] = <int>f.order
                f.order += 1
        refactor(f)
        d.work += k * k * k / 12.0
        return
    for i in range(f.order - 1, -1, -1):
        if not is_free(d, f.member[i]):
            remove(f, i)
    for j in range(m):
        if f.place[j] < 0 and is_free(d, j):
            append(f, <int>j, d.direction)
    d.work += cost


cdef inline Py_ssize_t newton_step(descent *d, Py_ssize_t most) noexcept nogil:
    # returns how many coordinates left; `most` at a time
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, j, k, first, m = d.net.n_features, drops = 0
        double w, goal, limit, reached, step, border = 0.0
    synchronise(d)
    k = f.order
    if k == 0:
        return 0
    for i in range(k):
        j = f.member[i]
        w = d.coef[j]
        d.right_side[i] = d.gradient[j] - d.l2[j] * w
        if w > 0.0:
            d.right_side[i] -= d.net.l1[j]
        elif w < 0.0:
            d.right_side[i] += d.net.l1[j]
    for j in range(m):
        d.moved[j] = 0.0
    while True:
        k = f.order
        for i in range(k):
            d.direction[i] = d.right_side[i]
        solve(f, d.direction)
        d.work += k * k
        step = 1.0
        first = -1
        for i in range(k):
            j = f.member[i]
            w = d.coef[j]
            goal = w + d.direction[i]
            limit = goal
            if d.net.l1[j] > 0.0 and ((w > 0.0) != (goal > 0.0)):
                limit = 0.0
            limit = min(max(limit, d.net.lower[j]), d.net.upper[j])
            if limit != goal:
                reached = (limit - w) / d.direction[i]
                if reached < step:
                    step = reached
                    first = i
                    border = limit
        for i in range(k):
            j = f.member[i]
            d.moved[j] += step * d.direction[i]
            d.coef[j] += step * d.direction[i]
        if first < 0:
            break
        j = f.member[first]
        d.moved[j] += border - d.coef[j]
        d.coef[j] = border
        for i in range(k):
            d.right_side[i] *= 1.0 - step
        for i in range(first + 1, k):
            d.right_side[i - 1] = d.right_side[i]
        remove(f, first)
        d.work += 2.0 * (k - first) * (k - first)
        drops += 1
        if f.order == 0 or drops >= most:
            break
    add_columns(d, -1.0, d.moved)
    return drops


cdef inline double measure(descent *d, double *figures) noexcept nogil:
    cdef objective now = evaluate(&d.net)
    figures[PRIMAL] = now.primal
    figures[DUAL] = max(figures[DUAL], now.dual)
    d.work += 4.0 * d.net.n_features
    return now.primal - figures[DUAL]


def descend(const double[:, ::1] gram, Py_ssize_t n_features, double[:, ::1] state,
            double[:, ::1] factor_out, int[:, ::1] places, double[::1] figures,
            Py_ssize_t[::1] counts, Py_ssize_t max_sweeps, double budget):
    """Descend until the gap is within its tolerance; True where it is.

    Returns False after `max_sweeps` sweeps (counted on in `counts`) or `budget` multiplications:
    call again. Rows of `state` are named by `state_rows`; `gradient` must fit `coef`. The factor
    (square, as wide as the state) and its places (rows `member` and `place`) stay with the state
    between calls, also where penalties change. `figures` are |y|^2, the tolerated gap, and out:
    the objective and the best dual value so far, -infinity to begin with.
    """
    cdef:
        descent d
        Py_ssize_t changes = 0, since = 0, most, drops, unbroken = 0
        bint reached = False
    d.gram, d.ld = &gram[0, 0], gram.shape[1]
    d.coef, d.gradient, d.l2 = &state[COEF, 0], &state[GRADIENT, 0], &state[L2, 0]
    d.ridge, d.direction = &state[RIDGE, 0], &state[DIRECTION, 0]
    d.right_side, d.moved = &state[RIGHT_SIDE, 0], &state[MOVED, 0]
    d.work = 0.0
    d.net.n_features = n_features
    d.net.coef, d.net.gradient, d.net.xy = d.coef, d.gradient, &state[XY, 0]
    d.net.l1, d.net.l2 = &state[L1, 0], d.l2
    d.net.lower, d.net.upper, d.net.square = &state[LOWER, 0], &state[UPPER, 0], &state[SQUARE, 0]
    d.net.target_square = figures[TARGET_SQUARE]
    d.factor.U, d.factor.ld = &factor_out[0, 0], factor_out.shape[1]
    d.factor.order = counts[ORDER]
    d.factor.member, d.factor.place = &places[0, 0], &places[1, 0]
    d.factor.gram, d.factor.gram_ld, d.factor.ridge = d.gram, d.ld, d.ridge
    with nogil:
        while True:
            most = MANY_DROPS if counts[GREEDY] else 4 + d.factor.order // 16
            drops = 0
            # While the support still changes much, sweeps are the cheaper way on.
            if counts[GREEDY] or changes <= 8 + d.factor.order // 8 or since >= 8:
                drops = newton_step(&d, most)
                since = 0
                if not counts[GREEDY] and drops >= most:
                    counts[GREEDY] = 1
                unbroken = 0 if drops else unbroken + 1
                if counts[GREEDY] and unbroken >= 8:
                    counts[GREEDY] = 0
            reached = measure(&d, &figures[0]) <= figures[TOLERANCE]
            if reached or counts[SWEEPS] >= max_sweeps or d.work > budget:
                break
            if not counts[GREEDY]:
                changes = sweep(&d)
                counts[SWEEPS] += 1
                since += 1
            elif drops < most:
                best_update(&d)
                counts[STEPS] += 1
            if counts[STEPS] >= 8:
                counts[STEPS] = 0
                counts[SWEEPS] += 1
    counts[ORDER] = d.factor.order
    return reached


def duality(const double[:, ::1] state, double target_square):
    """(objective, dual value) of coefficients, from rows of `state` up to and with `square`."""
    cdef:
        elastic_net net
        objective now
    net.n_features = state.shape[1]
    net.coef, net.gradient, net.xy = &state[COEF, 0], &state[GRADIENT, 0], &state[XY, 0]
    net.l1, net.l2 = &state[L1, 0], &state[L2, 0]
    net.lower, net.upper, net.square = &state[LOWER, 0], &state[UPPER, 0], &state[SQUARE, 0]
    net.target_square = target_square
    with nogil:
        now = evaluate(&net)
    return now.primal, now.dual


def subtract_columns(const double[:, ::1] gram, const int[::1] columns, const double[::1] coef,
                     double[::1] gradient_out):
    """gradient_out -= sum_k gram[columns[k], :] coef[k]."""
    cdef:
        Py_ssize_t k, count = 0, n = gradient_out.shape[0]
        const double *rows[8]
        double multiple[8]
    with nogil:
        for k in range(columns.shape[0]):
            rows[count] = &gram[columns[k], 0]
            multiple[count] = -coef[k]
            count += 1
            if count == 8:
                fr_add_rows(&gradient_out[0], rows, multiple, n)
                count = 0
        for k in range(count):
            fr_add_row(&gradient_out[0], rows[k], multiple[k], n)
