"""A working set, and steps on its Gram: sweeps, updates of one coordinate, Newton steps.

`coordinate_descent` says what they do and has the loop.
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
from coordinates cimport elastic_net, minimiser
from libc.math cimport fabs, sqrt

cdef extern from *:
    """
    #define FR_ROUNDING 1e-15
    """
    const double ROUNDING "FR_ROUNDING"


cdef extern from "coordinates.h":
    bint fr_eight_idle(const double *coef, const double *gradient, const double *l1,
                       const double *l2, const double *square, double ignored) nogil
    bint fr_any_of_eight_enters(const double *coef, const double *gradient,
                                const double *l1) nogil
    void fr_extrapolate(double *now, double *last, double further, Py_ssize_t n) nogil
    bint fr_extrapolate_eight(double *now, double *last, double further, const double *lower,
                              const double *upper) nogil


cdef struct working_set:
    elastic_net net  # the problem in these columns alone
    active_factor factor
    const double *gram
    Py_ssize_t ld  # values from one row of the Gram to the next
    Py_ssize_t padded  # features, rounded up to eight where rows have room
    Py_ssize_t factored  # rows of the factor that are ready
    Py_ssize_t dependent  # free coordinates left out, for they depend on those in the factor
    double borrowed  # multiplications that conjugate gradients took since the factor was made
    double largest_move  # of a coefficient in the last sweep, times its length
    double ignored_move  # such a move that is not made
    double tolerance  # the tolerated gap over |y|^2
    Py_ssize_t most_cg_steps  # of conjugate gradients, to solve with a factor of other penalties
    double work  # multiplications so far


cdef inline bint is_free(const working_set *s, Py_ssize_t j) noexcept nogil:
    # whether a Newton step may move coordinate j either way
    cdef double w = s.net.coef[j]
    if w == 0.0 and (s.net.l1[j] > 0.0 or s.net.square[j] <= 0.0):
        return False
    return s.net.lower[j] < w < s.net.upper[j]


cdef inline double length_of(const working_set *s, Py_ssize_t j) noexcept nogil:
    # moves and coefficients are compared times this, so that units of columns do not count
    return sqrt(s.net.square[j] + s.net.l2[j])


cdef inline bint update(working_set *s, Py_ssize_t j, double new) noexcept nogil:
    # whether coordinate j became or ceased to be free
    cdef double delta = new - s.net.coef[j], move
    cdef bint before
    if fabs(delta) <= ROUNDING * fabs(new):
        return False
    move = fabs(delta) * length_of(s, j)
    if move <= s.ignored_move and s.ignored_move > 0.0:
        return False
    s.largest_move = max(s.largest_move, move)
    before = is_free(s, j)
    s.net.coef[j] = new
    fr_add_row(s.net.gradient, s.gram + j * s.ld, -delta, s.padded)
    s.work += s.net.n_features
    return before != is_free(s, j)


cdef inline bint idle(const working_set *s, Py_ssize_t begin) noexcept nogil:
    # whether a sweep would leave these eight coordinates as they are
    return fr_eight_idle(s.net.coef + begin, s.net.gradient + begin, s.net.l1 + begin,
                         s.net.l2 + begin, s.net.square + begin, s.ignored_move)


cdef inline Py_ssize_t sweep(working_set *s) noexcept nogil:
    # returns how many coordinates became or ceased to be free
    cdef Py_ssize_t j, changes = 0
    cdef Py_ssize_t begin, m = s.net.n_features
    s.largest_move = 0.0
    for begin in range(0, m, 8):
        if begin + 8 <= m and idle(s, begin):
            continue
        for j in range(begin, min(begin + 8, m)):
            changes += update(s, j, minimiser(&s.net, j))
    s.work += m
    return changes


cdef inline void let_in(working_set *s) noexcept nogil:
    # update the coefficients that are zero and would not stay zero
    cdef Py_ssize_t begin, j, m = s.net.n_features
    for begin in range(0, m, 8):
        if begin + 8 <= m and not fr_any_of_eight_enters(
                s.net.coef + begin, s.net.gradient + begin, s.net.l1 + begin):
            continue
        for j in range(begin, min(begin + 8, m)):
            if s.net.coef[j] == 0.0 and fabs(s.net.gradient[j]) > s.net.l1[j]:
                update(s, j, minimiser(&s.net, j))
    s.work += m


cdef inline void best_update(working_set *s) noexcept nogil:
    # of the coordinate whose update lowers the objective most, as far as the gradient tells
    cdef Py_ssize_t j, best = -1
    cdef double new, delta, gain, most = 0.0
    for j in range(s.net.n_features):
        new = minimiser(&s.net, j)
        delta = new - s.net.coef[j]
        if delta != 0.0:
            gain = delta * delta * (s.net.square[j] + s.net.l2[j])
            if gain > most:
                most = gain
                best = j
    if best >= 0:
        update(s, best, minimiser(&s.net, best))
    s.work += 2.0 * s.net.n_features


cdef inline void add_columns(working_set *s, double sign, const double *factor,
                             double *out) noexcept nogil:
    # out <- out + sign G factor
    cdef:
        Py_ssize_t j, count = 0
        const double *rows[8]
        double multiple[8]
    for j in range(s.net.n_features):
        if factor[j] == 0.0:
            continue
        rows[count] = s.gram + j * s.ld
        multiple[count] = sign * factor[j]
        count += 1
        s.work += s.net.n_features
        if count == 8:
            fr_add_rows(out, rows, multiple, s.padded)
            count = 0
    for j in range(count):
        fr_add_row(out, rows[j], multiple[j], s.padded)


cdef inline void extrapolate(working_set *s, double further) noexcept nogil:
    # add `further` times the change from the last solution to the present one, but never beyond
    # zero; the present one becomes the last. A path is nearly straight where its support stays.
    cdef:
        Py_ssize_t begin, j, m = s.net.n_features
        double w, goal, new
        double *last = s.net.last_coef
    fr_extrapolate(s.net.gradient, s.net.last_gradient, further, m)
    for begin in range(0, m, 8):
        if begin + 8 <= m and fr_extrapolate_eight(
                s.net.coef + begin, last + begin, further, s.net.lower + begin,
                s.net.upper + begin):
            continue
        for j in range(begin, min(begin + 8, m)):
            w = s.net.coef[j]
            goal = w + further * (w - last[j])
            last[j] = w
            new = goal
            if w == 0.0 or (s.net.l1[j] > 0.0 and (goal > 0.0) != (w > 0.0)):
                new = 0.0
            elif not s.net.lower[j] < w < s.net.upper[j]:
                new = w
            new = min(max(new, s.net.lower[j]), s.net.upper[j])
            s.net.coef[j] = new
            if new != goal:
                fr_add_row(s.net.gradient, s.gram + j * s.ld, goal - new, s.padded)
                s.work += s.net.n_features


cdef inline void synchronise(working_set *s) noexcept nogil:
    # the factor is that of the free coordinates; `s.factored` rows of it are ready
    cdef:
        active_factor *f = &s.factor
        Py_ssize_t j, i, m = s.net.n_features, free = 0, gone = 0, other = -1
        bint stale = False
        double cost = 0.0, k
    for j in range(m):
        free += is_free(s, j)
    for i in range(f.order):
        j = f.member[i]
        if not is_free(s, j):
            gone += 1
            k = f.order - i
            cost += 2.0 * k * k
        elif s.net.ridge[j] != s.net.l2[j]:
            stale = stale or not (0.4 * s.net.ridge[j] < s.net.l2[j] < 2.5 * s.net.ridge[j])
    k = free
    stale = stale or s.borrowed > k * k * k / 6.0
    cost += (free - (f.order - gone)) * k * k
    if stale or 4.0 * cost > k * k * k / 6.0 + 8.0 * k * k:
        forget(f)
        for j in range(m):
            s.net.ridge[j] = s.net.l2[j]
            if is_free(s, j):
                f.member[f.order] = <int>j
                f.position[j] = <int>f.order
                f.order += 1
        gather(f)
        s.borrowed = 0.0
        s.factored = 0
        s.dependent = 0
        s.work += k * k
        return
    for i in range(f.order - 1, -1, -1):
        if not is_free(s, f.member[i]):
            remove(f, i)
    for j in range(m):
        if f.position[j] < 0 and is_free(s, j):
            s.net.ridge[j] = s.net.l2[j]
            if other < 0:
                other = j
            else:
                append_both(f, <int>other, <int>j, s.net.direction, s.net.search)
                other = -1
    if other >= 0:
        append(f, <int>other, s.net.direction)
    s.factored = f.order
    s.dependent = free - f.order
    s.work += cost


cdef inline double weighed_square(const working_set *s, const double *right) noexcept nogil:
    # |right|^2 with each member's entry in units of its column
    cdef Py_ssize_t i, j
    cdef double total = 0.0
    for i in range(s.factor.order):
        j = s.factor.member[i]
        total += right[i] * right[i] / (s.net.square[j] + s.net.l2[j])
    return total


cdef inline void solve_present(working_set *s) noexcept nogil:
    # direction = (G + diag(l2))^-1 right_side on the members. The factor is that of
    # M = G + diag(ridge); where ridge is another l2, conjugate gradients with M as preconditioner.
    # With A = M - diag(ridge - l2) none of it asks for a product with G: the residual of M^-1 b is
    # (ridge - l2) M^-1 b, and M times the search direction is carried along.
    cdef:
        active_factor *f = &s.factor
        Py_ssize_t i, k = f.order, _step
        bint stale = False
        double product = 0.0, before, enough, length, share
    for i in range(k):
        s.net.direction[i] = s.net.right_side[i]
        s.net.shift[i] = s.net.ridge[f.member[i]] - s.net.l2[f.member[i]]
        stale = stale or s.net.shift[i] != 0.0
    solve(f, s.net.direction)
    s.work += k * k
    if not stale:
        return
    for i in range(k):
        s.net.residual[i] = s.net.shift[i] * s.net.direction[i]
    enough = min(1e-10, max(1e-28, 100.0 * s.tolerance * s.tolerance))
    enough *= weighed_square(s, s.net.right_side)
    for _step in range(s.most_cg_steps):
        if not weighed_square(s, s.net.residual) > enough:
            break
        for i in range(k):
            s.net.image[i] = s.net.residual[i]
        solve(f, s.net.image)
        before = product
        product = fr_dot(s.net.residual, s.net.image, k)
        share = product / before if _step else 0.0
        for i in range(k):
            s.net.search[i] = s.net.image[i] + (share * s.net.search[i] if _step else 0.0)
            s.net.carried[i] = s.net.residual[i] + (share * s.net.carried[i] if _step else 0.0)
            s.net.image[i] = s.net.carried[i] - s.net.shift[i] * s.net.search[i]
        length = product / fr_dot(s.net.search, s.net.image, k)
        fr_add_row(s.net.direction, s.net.search, length, k)
        fr_add_row(s.net.residual, s.net.image, -length, k)
        s.work += k * k
        s.borrowed += 3.0 * k * k  # at a third of the speed at which a factor is made


cdef inline Py_ssize_t first_border(working_set *s, double *step, double *border) noexcept nogil:
    # the position of the first coordinate to reach zero or a bound on the way along `direction`;
    # what share of the way that is, and what it reaches; -1 where none does
    cdef:
        active_factor *f = &s.factor
        Py_ssize_t i, j, first = -1
        double w, goal, limit, reached
    step[0] = 1.0
    for i in range(f.order):
        j = f.member[i]
        w = s.net.coef[j]
        goal = w + s.net.direction[i]
        limit = goal
        if s.net.l1[j] > 0.0 and ((w > 0.0) != (goal > 0.0)):
            limit = 0.0
        limit = min(max(limit, s.net.lower[j]), s.net.upper[j])
        if limit != goal:
            reached = (limit - w) / s.net.direction[i]
            if reached < step[0]:
                step[0] = reached
                border[0] = limit
                first = i
    return first


cdef inline Py_ssize_t solve_free(working_set *s, Py_ssize_t most) noexcept nogil:
    # move to the solution on the factor's members; returns how many of them left, at most `most`
    cdef:
        active_factor *f = &s.factor
        Py_ssize_t i, j, k, first, drops = 0
        double w, step = 1.0, border = 0.0
    for i in range(f.order):
        j = f.member[i]
        w = s.net.coef[j]
        s.net.right_side[i] = s.net.gradient[j] - s.net.l2[j] * w
        if w > 0.0:
            s.net.right_side[i] -= s.net.l1[j]
        elif w < 0.0:
            s.net.right_side[i] += s.net.l1[j]
    for j in range(s.net.n_features):
        s.net.moved[j] = 0.0
    while f.order and drops < most:
        k = f.order
        solve_present(s)
        first = first_border(s, &step, &border)
        if first < 0 and f.raised >= 0:
            # nothing ends the way along what the columns do not tell apart: do without it
            first = f.raised
        else:
            for i in range(k):
                j = f.member[i]
                s.net.moved[j] += step * s.net.direction[i]
                s.net.coef[j] += step * s.net.direction[i]
            if first < 0:
                break
            j = f.member[first]
            s.net.moved[j] += border - s.net.coef[j]
            s.net.coef[j] = border
            for i in range(k):
                s.net.right_side[i] *= 1.0 - step
            drops += 1
        for i in range(first + 1, k):
            s.net.right_side[i - 1] = s.net.right_side[i]
        remove(f, first)
        s.work += 2.0 * (k - first) * (k - first)
    s.factored = f.order
    add_columns(s, -1.0, s.net.moved, s.net.gradient)
    return drops


cdef inline Py_ssize_t newton_step(working_set *s, Py_ssize_t most) noexcept nogil:
    # `solve_free`, and again with each free coordinate that depends on those in the factor
    cdef Py_ssize_t j, drops = 0
    if s.factor.order:
        drops = solve_free(s, most)
    if s.dependent == 0:
        return drops
    for j in range(s.net.n_features):
        if drops >= most:
            break
        if s.factor.position[j] < 0 and is_free(s, j):
            s.net.ridge[j] = s.net.l2[j]
            if append(&s.factor, <int>j, s.net.direction):
                drops += solve_free(s, most - drops)
    s.factored = s.factor.order
    s.dependent = 0
    for j in range(s.net.n_features):
        s.dependent += s.factor.position[j] < 0 and is_free(s, j)
    return drops
