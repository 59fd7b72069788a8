"""One stochastic gradient step: loss, its derivative, step size, decay, and what is counted.

minimise  mean_i loss(y_i, w'x_i + b) + alpha ((1 - l1_ratio)/2 ||w||^2 + l1_ratio |w|_1)

    w <- (1 - eta alpha (1 - l1_ratio)) w - eta weight dloss(y, w'x + b) x,   w = scale v

The decay multiplies `scale`; v is refolded where `scale` gets small.
"""

from libc.math cimport copysign, fabs, log, log1p, pow, sqrt

cdef extern from "sgd_rows.h" nogil:
    double fr_exp(double x)

cdef enum:  # losses
    HINGE
    PERCEPTRON
    SQUARED_HINGE
    LOG_LOSS
    MODIFIED_HUBER
    SQUARED_ERROR
    HUBER
    EPSILON_INSENSITIVE
    SQUARED_EPSILON_INSENSITIVE

cdef enum:  # penalties
    NO_PENALTY
    L1
    L2
    ELASTICNET

cdef enum:  # schedules of the step size
    CONSTANT
    OPTIMAL
    INVSCALING
    ADAPTIVE
    PA1
    PA2

cdef enum:  # figures
    ALPHA
    L1_RATIO
    ETA0
    POWER_T
    EPSILON
    OPTIMAL_INIT
    INTERCEPT_RATE
    STEP_FACTOR
    AVERAGE_FROM
    T
    ETA
    INTERCEPT
    AVERAGE_INTERCEPT
    SCALE
    CUMULATIVE_L1
    AVERAGE_A
    AVERAGE_B
    LOSS_SUM
    PENALTY_SUM
    N_FIGURES

cdef struct descent:
    int loss, penalty, schedule
    bint tracked, penalised  # whether the sums are wanted: of losses, and of penalties
    double alpha, l2, l1, eta0, power_t, epsilon, optimal_init, intercept_rate, step_factor
    double average_from, t, eta, intercept, average_intercept, scale, cumulative_l1
    double average_a, average_b, loss_sum, penalty_sum
    double square_norm, absolute_norm  # of w, where the sums are wanted
    double product  # of 1 + exp(-|z|), whose logarithm is taken now and then


cdef inline void open_descent(descent *d, const double *figures, const int *choices) noexcept nogil:
    d.loss, d.penalty, d.schedule = choices[0], choices[1], choices[2]
    d.tracked = choices[3] > 0
    d.penalised = choices[3] > 1 and d.penalty != NO_PENALTY and d.schedule < PA1
    d.alpha = figures[ALPHA]
    d.l1 = d.alpha * figures[L1_RATIO]
    d.l2 = d.alpha * (1.0 - figures[L1_RATIO])
    d.eta0, d.power_t, d.epsilon = figures[ETA0], figures[POWER_T], figures[EPSILON]
    d.optimal_init, d.intercept_rate = figures[OPTIMAL_INIT], figures[INTERCEPT_RATE]
    d.step_factor, d.average_from = figures[STEP_FACTOR], figures[AVERAGE_FROM]
    d.t, d.eta, d.intercept = figures[T], figures[ETA], figures[INTERCEPT]
    d.average_intercept, d.scale = figures[AVERAGE_INTERCEPT], figures[SCALE]
    d.cumulative_l1 = figures[CUMULATIVE_L1]
    d.average_a, d.average_b = figures[AVERAGE_A], figures[AVERAGE_B]
    d.loss_sum, d.penalty_sum = figures[LOSS_SUM], figures[PENALTY_SUM]
    d.square_norm = d.absolute_norm = 0.0
    d.product = 1.0


cdef inline void close_descent(const descent *d, double *figures_out) noexcept nogil:
    figures_out[T], figures_out[ETA], figures_out[INTERCEPT] = d.t, d.eta, d.intercept
    figures_out[AVERAGE_INTERCEPT], figures_out[SCALE] = d.average_intercept, d.scale
    figures_out[CUMULATIVE_L1] = d.cumulative_l1
    figures_out[AVERAGE_A], figures_out[AVERAGE_B] = d.average_a, d.average_b
    figures_out[LOSS_SUM] = d.loss_sum + log(d.product)
    figures_out[PENALTY_SUM] = d.penalty_sum


cdef inline double log_slope(double y, double z, double power) noexcept nogil:
    # -y / (1 + exp(z)), where power = exp(-|z|), without a branch on the sign of z
    cdef double right = 0.5 + copysign(0.5, z)
    return -y * (1.0 - right + right * power) / (1.0 + power)


cdef inline double loss_of(int loss, double epsilon, double y, double margin) noexcept nogil:
    cdef double z
    if loss == HINGE:
        return max(0.0, 1.0 - y * margin)
    if loss == SQUARED_ERROR:
        return 0.5 * (margin - y) * (margin - y)
    if loss == LOG_LOSS:
        z = y * margin
        return max(0.0, -z) + log1p(fr_exp(-fabs(z)))
    if loss == PERCEPTRON:
        return max(0.0, -y * margin)
    if loss == SQUARED_HINGE:
        z = max(0.0, 1.0 - y * margin)
        return z * z
    if loss == MODIFIED_HUBER:
        z = y * margin
        if z >= 1.0:
            return 0.0
        return (1.0 - z) * (1.0 - z) if z >= -1.0 else -4.0 * z
    z = fabs(margin - y)
    if loss == HUBER:
        return 0.5 * z * z if z <= epsilon else epsilon * (z - 0.5 * epsilon)
    z = max(0.0, z - epsilon)
    return z if loss == EPSILON_INSENSITIVE else z * z


cdef inline double dloss_of(int loss, double epsilon, double y, double margin) noexcept nogil:
    # derivative with respect to the margin
    cdef double z
    if loss == HINGE:
        return -y if y * margin <= 1.0 else 0.0
    if loss == SQUARED_ERROR:
        return margin - y
    if loss == LOG_LOSS:
        return log_slope(y, y * margin, fr_exp(-fabs(margin)))
    if loss == PERCEPTRON:
        return -y if y * margin <= 0.0 else 0.0
    if loss == SQUARED_HINGE:
        return -2.0 * y * max(0.0, 1.0 - y * margin)
    if loss == MODIFIED_HUBER:
        z = y * margin
        if z >= 1.0:
            return 0.0
        return -2.0 * y * (1.0 - z) if z >= -1.0 else -4.0 * y
    z = margin - y
    if loss == HUBER:
        return min(max(z, -epsilon), epsilon)
    if loss == EPSILON_INSENSITIVE:
        return 1.0 if z > epsilon else (-1.0 if z < -epsilon else 0.0)
    return 2.0 * (z - min(max(z, -epsilon), epsilon))


cdef inline double eta_at(const descent *d, double t, double eta) noexcept nogil:
    # the step size at time t; `eta` where it does not change from row to row
    if d.schedule == OPTIMAL:
        return d.step_factor / (d.alpha * (d.optimal_init + t - 1.0))
    if d.schedule == INVSCALING:
        if d.power_t == 0.25:
            return d.step_factor * d.eta0 / sqrt(sqrt(t))
        if d.power_t == 0.5:
            return d.step_factor * d.eta0 / sqrt(t)
        return d.step_factor * d.eta0 / pow(t, d.power_t)
    return eta


cdef inline double slope_of(descent *d, double y, double margin) noexcept nogil:
    # the derivative at the weights before this row's step, where the objective is summed up
    cdef double z, power
    if d.tracked and d.penalised:
        d.penalty_sum += 0.5 * d.l2 * d.square_norm + d.l1 * d.absolute_norm
    if d.loss != LOG_LOSS:
        if d.tracked:
            d.loss_sum += loss_of(d.loss, d.epsilon, y, margin)
        return dloss_of(d.loss, d.epsilon, y, margin)
    z = y * margin
    power = fr_exp(-fabs(z))
    if d.tracked:
        d.loss_sum += max(0.0, -z)
        d.product *= 1.0 + power
        if d.product > 1e200:
            d.loss_sum += log(d.product)
            d.product = 1.0
    return log_slope(y, z, power)


cdef inline double update_of(descent *d, double slope, double y, double margin, double weight,
                             double square) noexcept nogil:
    # what of x is added to w; `square` is x'x where the schedule is passive-aggressive
    cdef double update
    if d.schedule >= PA1:
        update = loss_of(d.loss, d.epsilon, y, margin)
        if d.schedule == PA1:
            update = min(d.eta0, update / square)
        else:
            update = update / (square + 0.5 / d.eta0)
        update *= d.step_factor
        if d.loss == HINGE:
            update *= y
        elif y < margin:
            update = -update
        return update * weight
    return -d.eta * min(max(slope, -1e12), 1e12) * weight


cdef inline double decay_of(const descent *d) noexcept nogil:
    # what w is multiplied by; never negative
    return max(0.0, 1.0 - d.eta * d.l2) if d.penalty >= L2 else 1.0
