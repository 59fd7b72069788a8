# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Coordinate descent for the elastic net on a Gram, with Newton steps on the active set.

minimise  w'G w / 2 - xy'w + sum_j l1_j |w_j| + l2_j w_j^2 / 2   in   lower <= w <= upper

A sweep updates each coordinate exactly (Friedman, Hastie, Tibshirani, "Regularization paths for
generalized linear models via coordinate descent", J. Stat. Softw. 33, 2010, covariance updates):

    w_j <- clip(soft(gradient_j + G_jj w_j, l1_j) / (G_jj + l2_j)),  gradient = xy - G w

A Newton step moves the active set (all coordinates that are neither zero nor at a bound) towards
its joint solution. Whenever a coordinate reaches zero or a bound on the way, it leaves, and the
step continues with the others, up to a limit on how many leave; the objective never grows. If many
coordinates leave, as with nearly collinear columns, the next ones enter one at a time. After each
step the duality gap decides whether to stop.
"""

import numpy as np

from active_factor cimport padded, refactor
from coordinates cimport elastic_net, field_names, open_net
from duality cimport doubtful, evaluate, objective
from gram_steps cimport (
    add_columns,
    best_update,
    extrapolate,
    length_of,
    let_in,
    newton_step,
    sweep,
    synchronise,
    working_set,
)
from libc.math cimport INFINITY, fabs

# Names of the fields that have a value for each coordinate: `coordinates.pxd` describes them.
FIELDS = field_names()


cdef class Schedule:
    """Settings of the loop: which step comes when, and when it stops."""

    cdef public:
        double budget  # multiplications in a call, after which the loop pauses
        Py_ssize_t max_iterations  # at one alpha, after which the loop gives up
        # A Newton step ends once this many coordinates have left the active set, and from then on
        # columns enter one at a time: `drops`, plus one per `members_per_drop` members.
        Py_ssize_t drops
        Py_ssize_t members_per_drop
        Py_ssize_t drops_one_at_a_time  # the same while columns enter one at a time
        Py_ssize_t unbroken_steps  # Newton steps without a drop until columns enter together again
        Py_ssize_t cg_steps  # most steps of conjugate gradients to solve with an older factor
        # Another sweep follows while more coordinates than `changes`, and one more for each
        # `members_per_change` members, entered or left the active set.
        Py_ssize_t changes
        Py_ssize_t members_per_change
        Py_ssize_t sweeps_in_a_row  # at most, then a Newton step
        Py_ssize_t updates_per_iteration  # updates of one coordinate that count as an iteration
        Py_ssize_t settling_sweeps  # most sweeps at one alpha that test whether w has settled
        double ignored_share  # of the move that counts as settled: smaller ones are not made
        Py_ssize_t refresh  # alphas of a path after which the gradient is recomputed

    def __cinit__(self, double budget, Py_ssize_t max_iterations=1000):
        self.budget, self.max_iterations = budget, max_iterations
        self.drops, self.members_per_drop, self.drops_one_at_a_time = 4, 16, 64
        self.unbroken_steps = 8
        self.cg_steps = 30
        self.changes, self.members_per_change = 8, 8
        self.sweeps_in_a_row = 8
        self.updates_per_iteration = 8
        self.settling_sweeps, self.ignored_share = 2, 0.1
        self.refresh = 16


cdef class Progress:
    """The state of the loop, kept from one call to the next."""

    cdef public:
        double target_square  # |y|^2
        double tolerance  # the gap to reach
        double primal  # the objective when the gap was last measured
        double dual  # the best dual value at these penalties, -infinity to begin with
        Py_ssize_t iterations  # at these penalties, and on the way to them
        bint near  # the start is within the tolerance, and no step has been made
        bint sweep_next  # a sweep is next, otherwise a Newton step
        bint one_at_a_time  # columns enter one at a time
        Py_ssize_t sweeps_in_a_row  # since the last Newton step
        Py_ssize_t unbroken_steps  # Newton steps in a row without a drop
        Py_ssize_t updates  # of one coordinate, since the last that were counted as an iteration
        Py_ssize_t settling_sweeps  # at these penalties
        Py_ssize_t point  # index of the present point of a path
        bint begun  # work at that point has begun
        Py_ssize_t order  # of the factor
        Py_ssize_t factored  # rows of the factor that are ready
        Py_ssize_t raised  # position of the factor's raised pivot, -1 where none is
        Py_ssize_t dependent  # free coordinates that depend on those in the factor
        double borrowed  # multiplications of conjugate gradients since the factor was made

    def __cinit__(self, double target_square):
        self.target_square = target_square
        self.dual = -INFINITY
        self.raised = -1


cdef struct path_point:
    double alpha
    double tolerance  # the gap to reach
    bint on_the_way  # to the next point, whose iterations include those here
    double gap
    Py_ssize_t iterations
    bint converged  # whether the gap is within the tolerance
    bint doubtful  # whether rounding may hide more of the gap than that of |y|^2


cdef path_point example
POINT = np.asarray(<path_point[:1]>&example).dtype  # a point of a path


# ---- the working set, from and to what is kept between calls ----


cdef void open_set(working_set *s, const double[:, ::1] gram, Py_ssize_t n_features,
                   double[:, ::1] fields, double[:, ::1] factor_out, int[::1] member_out,
                   int[::1] position_out, Progress progress, Schedule schedule) noexcept nogil:
    s.net = open_net(fields, n_features, progress.target_square)
    s.gram, s.ld = &gram[0, 0], gram.shape[1]
    s.padded = padded(n_features, min(gram.shape[1], fields.shape[1]))
    s.factor.U, s.factor.ld = &factor_out[0, 0], factor_out.shape[1]
    s.factor.member, s.factor.position = &member_out[0], &position_out[0]
    s.factor.inverse, s.factor.ridge = s.net.inverse, s.net.ridge
    s.factor.gram, s.factor.gram_ld = s.gram, s.ld
    s.factor.order, s.factor.raised = progress.order, progress.raised
    s.factored, s.dependent = progress.factored, progress.dependent
    s.borrowed, s.work = progress.borrowed, 0.0
    s.most_cg_steps = schedule.cg_steps


cdef void close_set(const working_set *s, Progress progress) noexcept nogil:
    progress.order, progress.raised = s.factor.order, s.factor.raised
    progress.factored, progress.dependent = s.factored, s.dependent
    progress.borrowed = s.borrowed


# ---- the loop ----


cdef inline bint factor_active_set(working_set *s, double budget) noexcept nogil:
    # bring the factor up to date; False where the budget ends first
    cdef Py_ssize_t begin, members
    if s.factored == s.factor.order:
        synchronise(s)
    begin = s.factored
    if begin < s.factor.order:
        members = s.factor.order
        s.factored = refactor(&s.factor, begin, budget)
        s.dependent += members - s.factor.order
        s.work += (s.factored - begin) * s.factor.order * s.factor.order / 4.0
    return s.factored == s.factor.order


cdef inline void newton_on_active_set(working_set *s, Progress progress,
                                      Schedule schedule) noexcept nogil:
    cdef Py_ssize_t drops, most = schedule.drops_one_at_a_time
    if not progress.one_at_a_time:
        most = schedule.drops + s.factor.order // schedule.members_per_drop
    drops = newton_step(s, most)
    progress.sweeps_in_a_row = 0
    progress.unbroken_steps = 0 if drops else progress.unbroken_steps + 1
    if drops >= most or (drops and s.dependent):
        progress.one_at_a_time = True
        progress.sweep_next = False  # another step first, without those that left
    else:
        progress.sweep_next = True
        if progress.unbroken_steps >= schedule.unbroken_steps:
            progress.one_at_a_time = False


cdef inline void update_one(working_set *s, Progress progress,
                            Schedule schedule) noexcept nogil:
    best_update(s)
    progress.sweep_next = False
    progress.updates += 1
    if progress.updates >= schedule.updates_per_iteration:
        progress.updates = 0
        progress.iterations += 1


cdef inline void sweep_all(working_set *s, Progress progress, Schedule schedule) noexcept nogil:
    # while the active set still changes much, sweeps are cheaper than Newton steps
    progress.iterations += 1
    progress.sweeps_in_a_row += 1
    progress.sweep_next = (
        sweep(s) > schedule.changes + s.factor.order // schedule.members_per_change
        and progress.sweeps_in_a_row < schedule.sweeps_in_a_row
    )


cdef inline bint within_tolerance(working_set *s, Progress progress) noexcept nogil:
    cdef objective now = evaluate(&s.net)
    progress.primal = now.primal
    progress.dual = max(progress.dual, now.dual)
    s.work += 4.0 * s.net.n_features
    return progress.primal - progress.dual <= progress.tolerance


cdef inline bint starts_near(const working_set *s, Progress progress) noexcept nogil:
    cdef objective now = evaluate(&s.net)
    return now.primal - now.dual <= progress.tolerance


cdef inline bint settled(working_set *s, Progress progress, Schedule schedule) noexcept nogil:
    # a small gap may leave coefficients far from settled: one more sweep shows it, and the next
    # Newton step corrects what moves
    cdef Py_ssize_t j
    cdef double largest = 0.0, settled_move
    if progress.settling_sweeps >= schedule.settling_sweeps:
        return True
    progress.settling_sweeps += 1
    for j in range(s.net.n_features):
        largest = max(largest, fabs(s.net.coef[j]) * length_of(s, j))
    settled_move = s.tolerance * largest
    s.ignored_move = schedule.ignored_share * settled_move
    sweep(s)
    s.ignored_move = 0.0
    progress.sweep_next = False
    if s.largest_move == 0.0:
        return True
    if s.largest_move > settled_move:
        return False
    return within_tolerance(s, progress)


cdef inline bint check_gap(working_set *s, Progress progress, Schedule schedule) noexcept nogil:
    return within_tolerance(s, progress) and settled(s, progress, schedule)


cdef bint converge(working_set *s, Progress progress, Schedule schedule,
                   Py_ssize_t most) noexcept nogil:
    # to the minimum at the present penalties; False where `most` iterations or the budget end first
    cdef bint converged = False, step_counts  # as an iteration, if the step is the last
    s.ignored_move = 0.0
    s.tolerance = progress.tolerance / progress.target_square
    while not converged:
        step_counts = False
        if not progress.sweep_next:
            if not factor_active_set(s, schedule.budget - s.work):
                return False
            step_counts = s.factor.order and not (progress.one_at_a_time or progress.near)
            progress.near = False
            newton_on_active_set(s, progress, schedule)
        elif progress.one_at_a_time:
            update_one(s, progress, schedule)
        else:
            sweep_all(s, progress, schedule)
            if not progress.sweep_next:
                continue
        converged = check_gap(s, progress, schedule)
        if progress.iterations >= most or s.work > schedule.budget:
            break
    if converged and progress.iterations < most:
        progress.iterations += step_counts
    return converged


def descend(const double[:, ::1] gram, Py_ssize_t n_features, double[:, ::1] fields,
            double[:, ::1] factor_out, int[::1] member_out, int[::1] position_out,
            Progress progress not None, Schedule schedule not None):
    """Minimise until the gap is within `progress.tolerance` and `coef` has settled.

    Returns True once it has converged. Returns False after `budget` multiplications (call again),
    or after `max_iterations` (`progress.iterations` shows it). Rows of `fields` are named by
    `FIELDS`; `gradient` must be that of `coef`. Between calls, keep the factor (square, as wide as
    the fields), its members and the position of each feature in it (-1 if none) together with
    `fields` and `progress`, even if penalties change.
    """
    cdef:
        working_set s
        bint converged
    with nogil:
        open_set(&s, gram, n_features, fields, factor_out, member_out, position_out, progress,
                 schedule)
        if progress.iterations == 0:
            progress.near = starts_near(&s, progress)
        converged = converge(&s, progress, schedule, schedule.max_iterations)
        close_set(&s, progress)
    return converged


# ---- a path ----


cdef inline void compute_gradient(working_set *s, const double *coef,
                                  double *out) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(s.net.n_features):
        out[j] = s.net.xy[j]
    add_columns(s, -1.0, coef, out)


cdef inline void begin_point(working_set *s, const path_point *points, Progress progress,
                             Schedule schedule) noexcept nogil:
    # penalties at the present alpha, and a start that continues the path of the solutions before
    cdef:
        Py_ssize_t j, k = progress.point
        const path_point *now = points + k
        double further = 0.0, before
    progress.begun = True
    progress.sweep_next, progress.settling_sweeps = False, 0
    if k == 0 or not points[k - 1].on_the_way:
        progress.iterations = 0
    progress.tolerance, progress.dual = now.tolerance, -INFINITY
    for j in range(s.net.n_features):
        s.net.l1[j] = now.alpha * s.net.unit_l1[j]
        s.net.l2[j] = now.alpha * s.net.unit_l2[j]
    if k >= 2:
        before = points[k - 1].alpha - points[k - 2].alpha
        if before != 0.0:
            further = (now.alpha - points[k - 1].alpha) / before
        if not 0.0 <= further <= 2.0:
            further = 0.0
    extrapolate(s, further)
    if k % schedule.refresh == 0:
        # without the rounding that has added up, which the next start would double
        compute_gradient(s, s.net.coef, s.net.gradient)
        compute_gradient(s, s.net.last_coef, s.net.last_gradient)
    let_in(s)
    progress.near = (k == 0 or now.on_the_way) and starts_near(s, progress)


cdef inline void end_point(const working_set *s, path_point *point, double *coef_out,
                           bint converged, Progress progress) noexcept nogil:
    cdef Py_ssize_t j
    point.gap = max(0.0, progress.primal - progress.dual)
    point.iterations, point.converged = progress.iterations, converged
    point.doubtful = doubtful(&s.net)
    for j in range(s.net.n_features):
        coef_out[j] = s.net.coef[j]
    progress.point += 1
    progress.begun = False


def follow(const double[:, ::1] gram, double[:, ::1] fields, double[:, ::1] factor_out,
           int[::1] member_out, int[::1] position_out, path_point[::1] points,
           double[:, ::1] coefs_out, Progress progress not None, Schedule schedule not None):
    """Run `descend` at the alpha of each of the `points` in turn; return True once all are done.

    The caller sets `alpha`, `tolerance` and `on_the_way` of each point. Points on the way to the
    next one may take half of the iterations. The other fields of a point are written here, and its
    coefficients are written to a row of `coefs_out`. Fields `unit_l1` and `unit_l2` are the
    penalties at alpha 1; `progress.point` is 0 to begin with.
    """
    cdef:
        working_set s
        Py_ssize_t most, n_features = coefs_out.shape[1]
        bint converged
    with nogil:
        open_set(&s, gram, n_features, fields, factor_out, member_out, position_out, progress,
                 schedule)
        while progress.point < points.shape[0]:
            if not progress.begun:
                begin_point(&s, &points[0], progress, schedule)
            most = schedule.max_iterations // (2 if points[progress.point].on_the_way else 1)
            converged = converge(&s, progress, schedule, most)
            if not converged and progress.iterations < most:
                break
            end_point(&s, &points[progress.point], &coefs_out[progress.point, 0], converged,
                      progress)
            if s.work > schedule.budget:
                break
        close_set(&s, progress)
    return progress.point == points.shape[0]


# ---- the duality gap alone ----


def duality(const double[:, ::1] fields, Py_ssize_t n_features, double target_square):
    """Return the objective and the dual value of `coef`; reads the fields up to `square` only."""
    cdef:
        elastic_net net = open_net(fields, n_features, target_square)
        objective now
    with nogil:
        now = evaluate(&net)
    return now.primal, now.dual


def hides(const double[:, ::1] fields, Py_ssize_t n_features, double target_square):
    """Return whether rounding may hide more of the gap at `coef` than the rounding of |y|^2 does.

    Reads the same fields as `duality`.
    """
    cdef:
        elastic_net net = open_net(fields, n_features, target_square)
        bint doubt
    with nogil:
        doubt = doubtful(&net)
    return doubt
