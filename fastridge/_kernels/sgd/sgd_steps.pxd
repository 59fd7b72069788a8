"""Compute the loss and derivative of a row, and the learning rate, for all kernels of SGD.

minimise  mean_i loss(y_i, w'x_i + b) + alpha ((1 - l1_ratio)/2 ||w||^2 + l1_ratio |w|_1)
"""

cimport logistic
from exponential cimport fr_exp
from fastridge._kernels.sgd_state cimport Settings, State
from libc.math cimport copysign, fabs, log, pow, sqrt
from losses cimport LOGISTIC, loss_derivative, loss_value

cdef enum:  # schedules of the learning rate
    CONSTANT
    OPTIMAL
    INVSCALING
    ADAPTIVE
    PA1
    PA2

cdef struct rate_schedule:  # what learning rates are computed from, which no kernel changes
    int schedule
    double step_factor, eta0, power_t, alpha, optimal_t0
    double constant  # the learning rate, if it does not change from row to row

cdef struct running_sums:  # of one call
    double square_norm, absolute_norm  # of the weights, if penalties are summed
    double product  # of 1 + exp(-|z|); its logarithm is taken before it overflows


cdef inline double *numbers_at(dict arrays, str name) except NULL:
    # where the array of this name begins
    cdef double[::1] found = arrays[name]
    return &found[0]


cdef inline double clipped(double derivative) noexcept nogil:
    # as in scikit-learn; a branch that is predicted, since the next row waits for the result
    if fabs(derivative) > 1e12:
        return copysign(1e12, derivative)  # a branch on the sign would not be predicted
    return derivative


cdef inline double root_of(double t, double power) noexcept nogil:
    # t^power; the usual powers by square roots
    return sqrt(sqrt(t)) if power == 0.25 else (sqrt(t) if power == 0.5 else pow(t, power))


cdef inline rate_schedule schedule_of(Settings settings, State state) noexcept nogil:
    # a copy, which no store to the weights can change: the compiler reads it once
    return rate_schedule(settings.schedule, state.step_factor, settings.eta0, settings.power_t,
                         settings.alpha, settings.optimal_t0, state.learning_rate)


cdef inline double learning_rate_at(const rate_schedule *rates, double t) noexcept nogil:
    # the learning rate of step t; short enough to be inlined in every loop over rows
    if rates.schedule == INVSCALING:
        return rates.step_factor * rates.eta0 / root_of(t, rates.power_t)
    if rates.schedule == OPTIMAL:
        return rates.step_factor / (rates.alpha * (rates.optimal_t0 + t - 1.0))
    return rates.constant


cdef inline double derivative_of(Settings settings, State state, running_sums *sums, double y,
                                 double eta) noexcept nogil:
    # the derivative of the loss before this row's step; its objective is added to the sums
    cdef double z, power
    if settings.sums_penalties:
        state.penalty_sum += (0.5 * settings.l2 * sums.square_norm
                              + settings.l1 * sums.absolute_norm)
    if settings.loss != LOGISTIC:
        if settings.sums_losses:
            state.loss_sum += loss_value(settings.loss, settings.epsilon, y, eta)
        return loss_derivative(settings.loss, settings.epsilon, y, eta)
    z = y * eta
    power = fr_exp(-fabs(z))
    if settings.sums_losses:
        state.loss_sum += max(0.0, -z)
        sums.product *= 1.0 + power
        if sums.product > 1e200:
            state.loss_sum += log(sums.product)
            sums.product = 1.0
    return logistic.derivative_at(y, z, power)
