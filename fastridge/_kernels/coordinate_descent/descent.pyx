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

from active_factor cimport octets, refactor
from descent_steps cimport (
    BORROWED,
    CARRIED,
    COEF,
    DIRECTION,
    DUAL,
    FACTORED,
    GRADIENT,
    GREEDY,
    IMAGE,
    INVERSE,
    L1,
    L2,
    LAST_COEF,
    LAST_GRADIENT,
    LEFT_OUT,
    LOWER,
    MANY_DROPS,
    MOST_SWEEPS,
    MOVED,
    ORDER,
    PRIMAL,
    RAISED,
    RESIDUAL,
    RIDGE,
    RIGHT_SIDE,
    ROW,
    SEARCH,
    SETTLED,
    SHIFT,
    SINCE,
    SQUARE,
    STEPS,
    SWEEPS,
    SWEEP_NEXT,
    TARGET_SQUARE,
    TOLERANCE,
    UNBROKEN,
    UNIT_L1,
    UNIT_L2,
    UPPER,
    XY,
    add_columns,
    best_update,
    descent,
    extrapolate,
    length_of,
    let_in,
    measure,
    newton_step,
    sweep,
    synchronise,
)
from duality cimport doubtful, elastic_net, evaluate, objective
from libc.math cimport INFINITY, fabs


def count_names():
    """Names of the counts."""
    return ("order", "sweeps", "greedy", "sweep_next", "since", "unbroken", "steps", "row",
            "factored", "raised", "left_out",
            "settled", "borrowed")


def state_rows():
    """Names of the rows of the state."""
    return ("coef", "gradient", "xy", "l1", "l2", "lower", "upper", "square", "ridge",
            "direction", "right_side", "moved", "unit_l1", "unit_l2",
            "residual", "search", "image", "carried", "shift", "inverse", "last_coef",
            "last_gradient")


cdef void open_state(descent *d, const double[:, ::1] gram, Py_ssize_t n_features,
                     double[:, ::1] state, double[:, ::1] factor_out, int[:, ::1] places,
                     const Py_ssize_t *counts) noexcept nogil:
    d.gram, d.ld = &gram[0, 0], gram.shape[1]
    d.coef, d.gradient, d.l2 = &state[COEF, 0], &state[GRADIENT, 0], &state[L2, 0]
    d.ridge, d.direction = &state[RIDGE, 0], &state[DIRECTION, 0]
    d.right_side, d.moved = &state[RIGHT_SIDE, 0], &state[MOVED, 0]
    d.residual, d.search = &state[RESIDUAL, 0], &state[SEARCH, 0]
    d.image, d.carried, d.shift = &state[IMAGE, 0], &state[CARRIED, 0], &state[SHIFT, 0]
    d.borrowed = counts[BORROWED]
    d.lanes = octets(n_features, min(gram.shape[1], state.shape[1]))
    d.work = 0.0
    d.net.n_features = n_features
    d.net.coef, d.net.gradient, d.net.xy = d.coef, d.gradient, &state[XY, 0]
    d.net.l1, d.net.l2 = &state[L1, 0], d.l2
    d.net.lower, d.net.upper, d.net.square = &state[LOWER, 0], &state[UPPER, 0], &state[SQUARE, 0]
    d.factor.U, d.factor.ld = &factor_out[0, 0], factor_out.shape[1]
    d.factor.inverse = &state[INVERSE, 0]
    d.factor.order, d.factored = counts[ORDER], counts[FACTORED]
    d.factor.raised, d.left_out = counts[RAISED], counts[LEFT_OUT]
    d.factor.member, d.factor.place = &places[0, 0], &places[1, 0]
    d.factor.gram, d.factor.gram_ld, d.factor.ridge = d.gram, d.ld, d.ridge


cdef inline void keep_factor(const descent *d, Py_ssize_t *counts) noexcept nogil:
    counts[ORDER], counts[FACTORED] = d.factor.order, d.factored
    counts[RAISED], counts[LEFT_OUT] = d.factor.raised, d.left_out
    counts[BORROWED] = <Py_ssize_t>d.borrowed


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


cdef inline bint settled(descent *d, double *figures, Py_ssize_t *counts) noexcept nogil:
    # a small gap may leave coefficients far from settled: one more sweep shows it, and the next
    # Newton step makes good what moves, at most twice
    cdef Py_ssize_t j
    cdef double largest = 0.0, still
    if counts[SETTLED] >= 2:
        return True
    counts[SETTLED] += 1
    for j in range(d.net.n_features):
        largest = max(largest, fabs(d.coef[j]) * length_of(d, j))
    still = d.tol * largest
    d.still = 0.1 * still
    sweep(d)
    d.still = 0.0
    counts[SWEEP_NEXT] = False
    if d.largest_move == 0.0:
        return True
    if d.largest_move > still:
        return False
    return measure(d, figures) <= figures[TOLERANCE]


cdef bint go_on(descent *d, double *figures, Py_ssize_t *counts, Py_ssize_t max_sweeps,
                double budget) noexcept nogil:
    # at the present penalties; whether the gap is within tolerance
    cdef Py_ssize_t most, drops
    d.still = 0.0
    d.tol = figures[TOLERANCE] / figures[TARGET_SQUARE]
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
        if measure(d, figures) <= figures[TOLERANCE] and settled(d, figures, counts):
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


cdef enum:
    REFRESH = 16  # alphas, after which the gradient is formed anew


cdef inline void form_gradient(descent *d, const double *coef, double *out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(d.net.n_features):
        out[j] = d.net.xy[j]
    add_columns(d, -1.0, coef, out)


cdef inline void begin_at(descent *d, double *state, Py_ssize_t ld, const double *path,
                          Py_ssize_t width, Py_ssize_t row) noexcept nogil:
    # penalties at this row's alpha, and a start on the way that the solutions before it took
    cdef:
        Py_ssize_t j, m = d.net.n_features
        const double *now = path + row * width
        double further = 0.0, before
    for j in range(m):
        state[L1 * ld + j] = now[0] * state[UNIT_L1 * ld + j]
        d.l2[j] = now[0] * state[UNIT_L2 * ld + j]
    if row >= 2:
        before = now[-width] - now[-2 * width]
        if before != 0.0:
            further = (now[0] - now[-width]) / before
        if not 0.0 <= further <= 2.0:
            further = 0.0
    extrapolate(d, state + LAST_COEF * ld, state + LAST_GRADIENT * ld, further)
    if row % REFRESH == 0:  # free of what rounding has added up, which the next start would double
        form_gradient(d, d.coef, d.gradient)
        form_gradient(d, state + LAST_COEF * ld, state + LAST_GRADIENT * ld)


def follow(const double[:, ::1] gram, Py_ssize_t n_features, double[:, ::1] state,
           double[:, ::1] factor_out, int[:, ::1] places, double[::1] figures,
           Py_ssize_t[::1] counts, double[:, ::1] path, Py_ssize_t max_sweeps, double budget):
    """`descend` at the alpha of each row of `path` in turn; True once all are done.

    A row begins with alpha and the tolerated gap; written to it are the gap, the sweeps, 1 where
    the gap is within tolerance plus 2 where it is doubtful, and the coefficients. ``counts`` keeps
    the present row between calls, -1 - row where it is not begun. `unit_l1` and `unit_l2` are the
    penalties at alpha 1.
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
                counts[ROW], counts[SWEEPS], counts[SWEEP_NEXT], counts[SETTLED] = k, 0, False, 0
                figures[TOLERANCE], figures[DUAL] = path[k, 1], -INFINITY
                begin_at(&d, &state[0, 0], ld, &path[0, 0], path.shape[1], k)
                let_in(&d)
            reached = go_on(&d, &figures[0], &counts[0], max_sweeps, budget)
            if not reached and counts[SWEEPS] < max_sweeps:
                break
            path[k, 2] = max(0.0, figures[PRIMAL] - figures[DUAL])
            path[k, 3] = counts[SWEEPS]
            path[k, 4] = reached + 2 * doubtful(&d.net)
            for j in range(n_features):
                path[k, 5 + j] = d.coef[j]
            counts[ROW] = -2 - k
            if d.work > budget:
                break
    return done


cdef elastic_net net_of(const double[:, ::1] state, double target_square) noexcept nogil:
    cdef elastic_net net
    net.n_features = state.shape[1]
    net.coef, net.gradient, net.xy = &state[COEF, 0], &state[GRADIENT, 0], &state[XY, 0]
    net.l1, net.l2 = &state[L1, 0], &state[L2, 0]
    net.lower, net.upper, net.square = &state[LOWER, 0], &state[UPPER, 0], &state[SQUARE, 0]
    net.target_square = target_square
    return net


def duality(const double[:, ::1] state, double target_square):
    """(objective, dual value) of coefficients, from rows of `state` up to and with `square`."""
    cdef:
        elastic_net net
        objective now
    with nogil:
        net = net_of(state, target_square)
        now = evaluate(&net)
    return now.primal, now.dual


def hides(const double[:, ::1] state, double target_square):
    """Whether rounding may hide more of the gap of coefficients than that of |y|^2.

    From rows of `state` as for `duality`.
    """
    cdef:
        elastic_net net
        bint doubt
    with nogil:
        net = net_of(state, target_square)
        doubt = doubtful(&net)
    return doubt
