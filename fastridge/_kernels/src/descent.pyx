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
    fr_dot,
    gather,
    refactor,
    remove,
    solve,
)
from duality cimport elastic_net, evaluate, objective
from libc.math cimport INFINITY, fabs

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
    UNIT_L1
    UNIT_L2
    RESIDUAL
    SEARCH
    IMAGE
    SPREAD
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
    SWEEP_NEXT  # rather than a Newton step
    SINCE  # sweeps since the last Newton step
    UNBROKEN  # Newton steps in a row that ended at no bound
    STEPS  # of one column each, since the last that was counted as a sweep
    ROW  # of a path
    FACTORED  # rows of the factor that are ready
    RAISED  # the place of the factor's raised pivot
    LEFT_OUT
    N_COUNTS


cdef enum:
    MANY_DROPS = 64
    SMALL_FACTOR = 768  # up to here another l2 means another factor
    MOST_STEPS = 30  # of conjugate gradients
    MOST_SWEEPS = 8  # from one Newton step to the next


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
    double *residual
    double *search
    double *image
    double *spread
    Py_ssize_t factored  # rows of the factor that are ready
    Py_ssize_t left_out  # free coordinates that depend on those in the factor
    double work  # multiplications so far


def count_names():
    """Names of the counts."""
    return ("order", "sweeps", "greedy", "sweep_next", "since", "unbroken", "steps", "row",
            "factored", "raised", "left_out")


def state_rows():
    """Names of the rows of the state."""
    return ("coef", "gradient", "xy", "l1", "l2", "lower", "upper", "square", "ridge",
            "direction", "right_side", "moved", "unit_l1", "unit_l2",
            "residual", "search", "image", "spread")


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
    # the factor is that of the free coordinates; `d.factored` rows of it are ready
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t j, i, m = d.net.n_features, free = 0, gone = 0
        bint stale = False
        double cost = 0.0, k
    for j in range(m):
        free += is_free(d, j)
    for i in range(f.order):
        j = f.member[i]
        if not is_free(d, j):
            gone += 1
            k = f.order - i
            cost += 2.0 * k * k
        elif d.ridge[j] != d.l2[j]:
            stale = stale or free < SMALL_FACTOR or not (
                0.4 * d.ridge[j] < d.l2[j] < 2.5 * d.ridge[j]
            )
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
        gather(f)
        d.factored = 0
        d.left_out = 0
        d.work += k * k
        return
    for i in range(f.order - 1, -1, -1):
        if not is_free(d, f.member[i]):
            remove(f, i)
    for j in range(m):
        if f.place[j] < 0 and is_free(d, j):
            d.ridge[j] = d.l2[j]
            append(f, <int>j, d.direction)
    d.factored = f.order
    d.left_out = free - f.order
    d.work += cost


cdef inline void multiply(descent *d, const double *x, double *out) noexcept nogil:
    # out = (G + diag(l2)) x on the members
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, m = d.net.n_features, count = 0
        const double *rows[8]
        double multiple[8]
    for i in range(m):
        d.spread[i] = 0.0
    for i in range(f.order):
        rows[count] = d.gram + f.member[i] * d.ld
        multiple[count] = x[i]
        count += 1
        if count == 8:
            fr_add_rows(d.spread, rows, multiple, m)
            count = 0
    for i in range(count):
        fr_add_row(d.spread, rows[i], multiple[i], m)
    for i in range(f.order):
        out[i] = d.spread[f.member[i]] + d.l2[f.member[i]] * x[i]


cdef inline void solve_present(descent *d) noexcept nogil:
    # direction = (G + diag(l2))^-1 right_side on the members: where the factor is that of another
    # l2, by conjugate gradients with it as preconditioner
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, k = f.order, step
        bint stale = False
        double product, before, enough, length
    for i in range(k):
        d.direction[i] = d.right_side[i]
        stale = stale or d.ridge[f.member[i]] != d.l2[f.member[i]]
    solve(f, d.direction)
    d.work += k * k
    if not stale:
        return
    multiply(d, d.direction, d.residual)
    for i in range(k):
        d.residual[i] = d.right_side[i] - d.residual[i]
        d.search[i] = d.residual[i]
    solve(f, d.search)
    product = fr_dot(d.residual, d.search, k)
    enough = 1e-14 * fr_dot(d.right_side, d.right_side, k)
    d.work += k * (k + d.net.n_features)
    for step in range(MOST_STEPS):
        if not fr_dot(d.residual, d.residual, k) > enough:
            break
        multiply(d, d.search, d.image)
        length = product / fr_dot(d.search, d.image, k)
        fr_add_row(d.direction, d.search, length, k)
        fr_add_row(d.residual, d.image, -length, k)
        for i in range(k):
            d.image[i] = d.residual[i]
        solve(f, d.image)
        before = product
        product = fr_dot(d.residual, d.image, k)
        for i in range(k):
            d.search[i] = d.image[i] + product / before * d.search[i]
        d.work += k * (k + d.net.n_features)


cdef inline Py_ssize_t first_border(descent *d, double *step, double *border) noexcept nogil:
    # the place of the first coordinate to reach zero or a bound on the way along `direction`, what
    # part of the way that is, and what it reaches; -1 where none does
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, j, first = -1
        double w, goal, limit, reached
    step[0] = 1.0
    for i in range(f.order):
        j = f.member[i]
        w = d.coef[j]
        goal = w + d.direction[i]
        limit = goal
        if d.net.l1[j] > 0.0 and ((w > 0.0) != (goal > 0.0)):
            limit = 0.0
        limit = min(max(limit, d.net.lower[j]), d.net.upper[j])
        if limit != goal:
            reached = (limit - w) / d.direction[i]
            if reached < step[0]:
                step[0] = reached
                border[0] = limit
                first = i
    return first


cdef inline Py_ssize_t newton_step(descent *d, Py_ssize_t most) noexcept nogil:
    # returns how many coordinates left; `most` at a time
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, j, k, first, m = d.net.n_features, drops = 0
        double w, step = 1.0, border = 0.0
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
    while f.order:
        k = f.order
        solve_present(d)
        first = first_border(d, &step, &border)
        if first < 0 and f.raised >= 0:
            # nothing ends the way along what the columns do not tell apart: do without it
            i = f.raised
            for j in range(i + 1, k):
                d.right_side[j - 1] = d.right_side[j]
            remove(f, i)
            d.factored = f.order
            d.left_out += 1
            continue
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
        d.factored = f.order
        d.work += 2.0 * (k - first) * (k - first)
        drops += 1
        if drops >= most:
            break
    add_columns(d, -1.0, d.moved)
    return drops


cdef inline double measure(descent *d, double *figures) noexcept nogil:
    cdef objective now = evaluate(&d.net)
    figures[PRIMAL] = now.primal
    figures[DUAL] = max(figures[DUAL], now.dual)
    d.work += 4.0 * d.net.n_features
    return now.primal - figures[DUAL]


cdef void open_state(descent *d, const double[:, ::1] gram, Py_ssize_t n_features,
                     double[:, ::1] state, double[:, ::1] factor_out, int[:, ::1] places,
                     const Py_ssize_t *counts) noexcept nogil:
    d.gram, d.ld = &gram[0, 0], gram.shape[1]
    d.coef, d.gradient, d.l2 = &state[COEF, 0], &state[GRADIENT, 0], &state[L2, 0]
    d.ridge, d.direction = &state[RIDGE, 0], &state[DIRECTION, 0]
    d.right_side, d.moved = &state[RIGHT_SIDE, 0], &state[MOVED, 0]
    d.residual, d.search = &state[RESIDUAL, 0], &state[SEARCH, 0]
    d.image, d.spread = &state[IMAGE, 0], &state[SPREAD, 0]
    d.work = 0.0
    d.net.n_features = n_features
    d.net.coef, d.net.gradient, d.net.xy = d.coef, d.gradient, &state[XY, 0]
    d.net.l1, d.net.l2 = &state[L1, 0], d.l2
    d.net.lower, d.net.upper, d.net.square = &state[LOWER, 0], &state[UPPER, 0], &state[SQUARE, 0]
    d.factor.U, d.factor.ld = &factor_out[0, 0], factor_out.shape[1]
    d.factor.order, d.factored = counts[ORDER], counts[FACTORED]
    d.factor.raised, d.left_out = counts[RAISED], counts[LEFT_OUT]
    d.factor.member, d.factor.place = &places[0, 0], &places[1, 0]
    d.factor.gram, d.factor.gram_ld, d.factor.ridge = d.gram, d.ld, d.ridge


cdef inline void keep_factor(const descent *d, Py_ssize_t *counts) noexcept nogil:
    counts[ORDER], counts[FACTORED] = d.factor.order, d.factored
    counts[RAISED], counts[LEFT_OUT] = d.factor.raised, d.left_out


cdef inline bint factor_ready(descent *d, Py_ssize_t *counts, double budget) noexcept nogil:
    # bring the factor up to date; False where the budget ends first
    cdef Py_ssize_t begin, members
    if d.factored == d.factor.order:
        synchronise(d)
    begin = d.factored
    if begin < d.factor.order:
        members = d.factor.order
        d.factored = refactor(&d.factor, begin, budget)
        d.left_out += members - d.factor.order
        d.work += (d.factored - begin) * d.factor.order * d.factor.order / 4.0
    keep_factor(d, counts)
    return d.factored == d.factor.order


cdef bint go_on(descent *d, double *figures, Py_ssize_t *counts, Py_ssize_t max_sweeps,
                double budget) noexcept nogil:
    # at the present penalties; whether the gap is within tolerance
    cdef Py_ssize_t most, drops
    while True:
        if not counts[SWEEP_NEXT]:
            if not factor_ready(d, counts, budget - d.work):
                return False
            most = MANY_DROPS if counts[GREEDY] else 4 + d.factor.order // 16
            drops = newton_step(d, most)
            keep_factor(d, counts)
            counts[SINCE] = 0
            counts[UNBROKEN] = 0 if drops else counts[UNBROKEN] + 1
            if drops >= most or (drops and d.left_out):
                counts[GREEDY] = 1  # go on without them first
                counts[SWEEP_NEXT] = False
            else:
                counts[SWEEP_NEXT] = True
                if counts[UNBROKEN] >= 8:
                    counts[GREEDY] = 0
        elif counts[GREEDY]:
            best_update(d)
            counts[SWEEP_NEXT] = False
            counts[STEPS] += 1
            if counts[STEPS] >= 8:
                counts[STEPS] = 0
                counts[SWEEPS] += 1
        else:
            # While the support still changes much, sweeps are the cheaper way on.
            counts[SINCE] += 1
            counts[SWEEP_NEXT] = (
                sweep(d) > 8 + d.factor.order // 8 and counts[SINCE] < MOST_SWEEPS
            )
            counts[SWEEPS] += 1
            if not counts[SWEEP_NEXT]:
                continue
        if measure(d, figures) <= figures[TOLERANCE]:
            return True
        if counts[SWEEPS] >= max_sweeps or d.work > budget:
            return False


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
    cdef descent d
    cdef bint reached
    with nogil:
        open_state(&d, gram, n_features, state, factor_out, places, &counts[0])
        d.net.target_square = figures[TARGET_SQUARE]
        reached = go_on(&d, &figures[0], &counts[0], max_sweeps, budget)
    return reached


cdef inline void begin_at(descent *d, double *state, Py_ssize_t ld, double alpha) noexcept nogil:
    # penalties at this alpha, and a gradient free of what rounding has added up
    cdef Py_ssize_t j, m = d.net.n_features
    for j in range(m):
        state[L1 * ld + j] = alpha * state[UNIT_L1 * ld + j]
        d.l2[j] = alpha * state[UNIT_L2 * ld + j]
        d.gradient[j] = d.net.xy[j]
    add_columns(d, -1.0, d.coef)


def follow(const double[:, ::1] gram, Py_ssize_t n_features, double[:, ::1] state,
           double[:, ::1] factor_out, int[:, ::1] places, double[::1] figures,
           Py_ssize_t[::1] counts, double[:, ::1] path, Py_ssize_t max_sweeps, double budget):
    """`descend` at the alpha of each row of `path` in turn; True once all are done.

    A row begins with alpha and the tolerated gap; written to it are the gap, the sweeps, whether
    the gap is within tolerance, and the coefficients. ``counts`` keeps the present row between
    calls, -1 - row where it is not begun. `unit_l1` and `unit_l2` are the penalties at alpha 1.
    """
    cdef:
        descent d
        Py_ssize_t k, j, ld = state.shape[1]
        bint reached, done = False
    with nogil:
        open_state(&d, gram, n_features, state, factor_out, places, &counts[0])
        d.net.target_square = figures[TARGET_SQUARE]
        while not done:
            k = counts[ROW]
            if k < 0:
                k = -1 - k
                if k >= path.shape[0]:
                    done = True
                    break
                counts[ROW], counts[SWEEPS], counts[SWEEP_NEXT] = k, 0, False
                figures[TOLERANCE], figures[DUAL] = path[k, 1], -INFINITY
                begin_at(&d, &state[0, 0], ld, path[k, 0])
            reached = go_on(&d, &figures[0], &counts[0], max_sweeps, budget)
            if not reached and counts[SWEEPS] < max_sweeps:
                break
            path[k, 2], path[k, 3] = figures[PRIMAL] - figures[DUAL], counts[SWEEPS]
            path[k, 4] = reached
            for j in range(n_features):
                path[k, 5 + j] = d.coef[j]
            counts[ROW] = -2 - k
            if d.work > budget:
                break
    return done


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


def quadratic_forms(const double[:, ::1] gram, const double[:, ::1] coefs, double[::1] work_out,
                    double[::1] values_out):
    """values_out[k] = coefs[k] gram coefs[k]', at the cost of the coefficients other than zero."""
    cdef:
        Py_ssize_t k, j, count, p = gram.shape[0]
        const double *rows[8]
        double multiple[8]
    with nogil:
        for k in range(coefs.shape[0]):
            for j in range(p):
                work_out[j] = 0.0
            count = 0
            for j in range(p):
                if coefs[k, j] == 0.0:
                    continue
                rows[count] = &gram[j, 0]
                multiple[count] = coefs[k, j]
                count += 1
                if count == 8:
                    fr_add_rows(&work_out[0], rows, multiple, p)
                    count = 0
            for j in range(count):
                fr_add_row(&work_out[0], rows[j], multiple[j], p)
            values_out[k] = fr_dot(&work_out[0], &coefs[k, 0], p)
