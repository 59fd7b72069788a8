"""The state of a descent on a Gram, and its steps: sweeps, single updates and Newton steps.

What they do stands in `descent`.
"""

from active_factor cimport (
    active_factor,
    append,
    append_both,
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
from libc.math cimport fabs, sqrt

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
    CARRIED
    SHIFT
    INVERSE
    LAST_COEF
    LAST_GRADIENT
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
    SETTLED  # sweeps to see whether the coefficients have settled, at this alpha
    BORROWED  # multiplications that conjugate gradients took since the factor was made
    N_COUNTS


cdef enum:
    MANY_DROPS = 64
    MOST_STEPS = 30  # of conjugate gradients
    MOST_SWEEPS = 8  # from one Newton step to the next


cdef extern from *:
    """
    #define FR_ROUNDING 1e-15
    """
    const double ROUNDING "FR_ROUNDING"


cdef extern from "descent.h":
    bint fr_idle(const double *coef, const double *gradient, const double *l1, const double *l2,
                 const double *square, double still) nogil
    bint fr_any_enters(const double *coef, const double *gradient, const double *l1) nogil
    void fr_go_on(double *now, double *last, double further, Py_ssize_t n) nogil
    bint fr_go_straight_on(double *now, double *last, double further, const double *lower,
                           const double *upper) nogil


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
    double *carried
    double *shift
    double borrowed  # multiplications that conjugate gradients took since the factor was made
    Py_ssize_t lanes  # of a row of the Gram: the features, rounded up where there is room
    Py_ssize_t factored  # rows of the factor that are ready
    Py_ssize_t left_out  # free coordinates that depend on those in the factor
    double largest_move  # of a coefficient in the last sweep, times its length
    double still  # such a move that is left
    double tol  # the tolerated gap over |y|^2
    double work  # multiplications so far


cdef inline bint is_free(const descent *d, Py_ssize_t j) noexcept nogil:
    # whether a Newton step may move coordinate j either way
    cdef double w = d.coef[j]
    if w == 0.0 and (d.net.l1[j] > 0.0 or d.net.square[j] <= 0.0):
        return False
    return d.net.lower[j] < w < d.net.upper[j]


cdef inline double length_of(const descent *d, Py_ssize_t j) noexcept nogil:
    # moves and coefficients are compared times this, so that units of columns do not count
    return sqrt(d.net.square[j] + d.l2[j])


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
    cdef double delta = new - d.coef[j], move
    cdef bint before
    if fabs(delta) <= ROUNDING * fabs(new):
        return False
    move = fabs(delta) * length_of(d, j)
    if move <= d.still and d.still > 0.0:
        return False
    d.largest_move = max(d.largest_move, move)
    before = is_free(d, j)
    d.coef[j] = new
    fr_add_row(d.gradient, d.gram + j * d.ld, -delta, d.lanes)
    d.work += d.net.n_features
    return before != is_free(d, j)


cdef inline bint idle(const descent *d, Py_ssize_t begin) noexcept nogil:
    # whether a sweep would leave these eight coordinates as they are
    return fr_idle(d.coef + begin, d.gradient + begin, d.net.l1 + begin, d.l2 + begin,
                   d.net.square + begin, d.still)


cdef inline Py_ssize_t sweep(descent *d) noexcept nogil:
    # returns how many coordinates became or ceased to be free
    cdef Py_ssize_t j, changes = 0
    cdef Py_ssize_t begin, m = d.net.n_features
    d.largest_move = 0.0
    for begin in range(0, m, 8):
        if begin + 8 <= m and idle(d, begin):
            continue
        for j in range(begin, min(begin + 8, m)):
            changes += update(d, j, minimiser(d, j))
    d.work += m
    return changes


cdef inline void let_in(descent *d) noexcept nogil:
    # update what is zero and does not stay there
    cdef Py_ssize_t begin, j, m = d.net.n_features
    for begin in range(0, m, 8):
        if begin + 8 <= m and not fr_any_enters(d.coef + begin, d.gradient + begin,
                                                d.net.l1 + begin):
            continue
        for j in range(begin, min(begin + 8, m)):
            if d.coef[j] == 0.0 and fabs(d.gradient[j]) > d.net.l1[j]:
                update(d, j, minimiser(d, j))
    d.work += m


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


cdef inline void add_columns(descent *d, double sign, const double *factor,
                             double *out) noexcept nogil:
    # out <- out + sign G factor
    cdef:
        Py_ssize_t j, count = 0
        const double *rows[8]
        double multiple[8]
    for j in range(d.net.n_features):
        if factor[j] == 0.0:
            continue
        rows[count] = d.gram + j * d.ld
        multiple[count] = sign * factor[j]
        count += 1
        d.work += d.net.n_features
        if count == 8:
            fr_add_rows(out, rows, multiple, d.lanes)
            count = 0
    for j in range(count):
        fr_add_row(out, rows[j], multiple[j], d.lanes)


cdef inline void extrapolate(descent *d, double *last, double *last_gradient,
                             double further) noexcept nogil:
    # go on as from the last solution to the present one, times `further`, but never through zero;
    # the present one becomes the last. A path is nearly straight where its support stays.
    cdef:
        Py_ssize_t begin, j, m = d.net.n_features
        double w, goal, new
    fr_go_on(d.gradient, last_gradient, further, m)
    for begin in range(0, m, 8):
        if begin + 8 <= m and fr_go_straight_on(d.coef + begin, last + begin, further,
                                                d.net.lower + begin, d.net.upper + begin):
            continue
        for j in range(begin, min(begin + 8, m)):
            w = d.coef[j]
            goal = w + further * (w - last[j])
            last[j] = w
            new = goal
            if w == 0.0 or (d.net.l1[j] > 0.0 and (goal > 0.0) != (w > 0.0)):
                new = 0.0
            elif not d.net.lower[j] < w < d.net.upper[j]:
                new = w
            new = min(max(new, d.net.lower[j]), d.net.upper[j])
            d.coef[j] = new
            if new != goal:
                fr_add_row(d.gradient, d.gram + j * d.ld, goal - new, d.lanes)
                d.work += d.net.n_features


cdef inline void synchronise(descent *d) noexcept nogil:
    # the factor is that of the free coordinates; `d.factored` rows of it are ready
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t j, i, m = d.net.n_features, free = 0, gone = 0, other = -1
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
            stale = stale or not (0.4 * d.ridge[j] < d.l2[j] < 2.5 * d.ridge[j])
    k = free
    stale = stale or d.borrowed > k * k * k / 6.0
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
        d.borrowed = 0.0
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
            if other < 0:
                other = j
            else:
                append_both(f, <int>other, <int>j, d.direction, d.search)
                other = -1
    if other >= 0:
        append(f, <int>other, d.direction)
    d.factored = f.order
    d.left_out = free - f.order
    d.work += cost


cdef inline double weighed_square(const descent *d, const double *right) noexcept nogil:
    # |right|^2 with each member's entry in units of its column
    cdef Py_ssize_t i, j
    cdef double total = 0.0
    for i in range(d.factor.order):
        j = d.factor.member[i]
        total += right[i] * right[i] / (d.net.square[j] + d.l2[j])
    return total


cdef inline void solve_present(descent *d) noexcept nogil:
    # direction = (G + diag(l2))^-1 right_side on the members. The factor is that of
    # M = G + diag(ridge); where ridge is another l2, conjugate gradients with M as preconditioner.
    # With A = M - diag(ridge - l2) none of it asks for a product with G: the residual of M^-1 b is
    # (ridge - l2) M^-1 b, and M times the search direction is carried along.
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, k = f.order, _step
        bint stale = False
        double product = 0.0, before, enough, length, share
    for i in range(k):
        d.direction[i] = d.right_side[i]
        d.shift[i] = d.ridge[f.member[i]] - d.l2[f.member[i]]
        stale = stale or d.shift[i] != 0.0
    solve(f, d.direction)
    d.work += k * k
    if not stale:
        return
    for i in range(k):
        d.residual[i] = d.shift[i] * d.direction[i]
    enough = min(1e-10, max(1e-28, 100.0 * d.tol * d.tol)) * weighed_square(d, d.right_side)
    for _step in range(MOST_STEPS):
        if not weighed_square(d, d.residual) > enough:
            break
        for i in range(k):
            d.image[i] = d.residual[i]
        solve(f, d.image)
        before = product
        product = fr_dot(d.residual, d.image, k)
        share = product / before if _step else 0.0
        for i in range(k):
            d.search[i] = d.image[i] + (share * d.search[i] if _step else 0.0)
            d.carried[i] = d.residual[i] + (share * d.carried[i] if _step else 0.0)
            d.image[i] = d.carried[i] - d.shift[i] * d.search[i]
        length = product / fr_dot(d.search, d.image, k)
        fr_add_row(d.direction, d.search, length, k)
        fr_add_row(d.residual, d.image, -length, k)
        d.work += k * k
        d.borrowed += 3.0 * k * k  # at a third of the speed at which a factor is made


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


cdef inline Py_ssize_t solve_free(descent *d, Py_ssize_t most) noexcept nogil:
    # go to the solution on the factor's members; returns how many of them left, `most` at a time
    cdef:
        active_factor *f = &d.factor
        Py_ssize_t i, j, k, first, drops = 0
        double w, step = 1.0, border = 0.0
    for i in range(f.order):
        j = f.member[i]
        w = d.coef[j]
        d.right_side[i] = d.gradient[j] - d.l2[j] * w
        if w > 0.0:
            d.right_side[i] -= d.net.l1[j]
        elif w < 0.0:
            d.right_side[i] += d.net.l1[j]
    for j in range(d.net.n_features):
        d.moved[j] = 0.0
    while f.order and drops < most:
        k = f.order
        solve_present(d)
        first = first_border(d, &step, &border)
        if first < 0 and f.raised >= 0:
            # nothing ends the way along what the columns do not tell apart: do without it
            first = f.raised
        else:
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
            drops += 1
        for i in range(first + 1, k):
            d.right_side[i - 1] = d.right_side[i]
        remove(f, first)
        d.work += 2.0 * (k - first) * (k - first)
    d.factored = f.order
    add_columns(d, -1.0, d.moved, d.gradient)
    return drops


cdef inline Py_ssize_t newton_step(descent *d, Py_ssize_t most) noexcept nogil:
    # `solve_free`, and again with each free coordinate that depends on those in the factor
    cdef Py_ssize_t j, drops = 0
    if d.factor.order:
        drops = solve_free(d, most)
    if d.left_out == 0:
        return drops
    for j in range(d.net.n_features):
        if drops >= most:
            break
        if d.factor.place[j] < 0 and is_free(d, j):
            d.ridge[j] = d.l2[j]
            if append(&d.factor, <int>j, d.direction):
                drops += solve_free(d, most - drops)
    d.factored = d.factor.order
    d.left_out = 0
    for j in range(d.net.n_features):
        d.left_out += d.factor.place[j] < 0 and is_free(d, j)
    return drops


cdef inline double measure(descent *d, double *figures) noexcept nogil:
    cdef objective now = evaluate(&d.net)
    figures[PRIMAL] = now.primal
    figures[DUAL] = max(figures[DUAL], now.dual)
    d.work += 4.0 * d.net.n_features
    return now.primal - figures[DUAL]
