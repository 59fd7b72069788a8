# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Newton's method for few rows and features, all in one call.

It takes the steps that `solvers/newton/iterate.py` takes with a Hessian for each. Where it meets
anything but a well-conditioned Hessian and finite numbers, it gives up, and that takes over.
"""

from cython cimport floating
from libc.math cimport fabs

from equilibrate cimport equilibrate
from small_cholesky cimport factor_few, rcond_few, solve_few
from smooth_rows cimport loss_over_rows

cdef enum:
    MOST_HALVINGS = 40

cdef double LEAST_PIVOT = 1e-8  # of a diagonal of one: below it, digits may be lost


cdef struct Goals:
    double tol  # of the decrement, relative to the objective: its square counts
    double least_value  # sum of the least losses
    double sufficient, rounding, nothing, exact, stalled  # as in `iterate.py`


cdef struct Sums:
    double value, penalty, objective, size


cdef inline void centre(const floating[:, :] X, const double *weight, bint about_mean,
                        double[:, ::1] columns, double[::1] pilot) noexcept nogil:
    # columns of X about their mean over the rows with weight, 0 for constant columns; or about 0
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], i, j, first = 0, counted = 0
        double total
    if about_mean:
        for i in range(n):
            if weight == NULL or weight[i] > 0.0:
                first = i if counted == 0 else first
                counted += 1
    for j in range(p):
        pilot[j] = total = 0.0
        if counted:
            pilot[j] = <double>X[first, j]
            for i in range(n):
                if weight == NULL or weight[i] > 0.0:
                    total += <double>X[i, j] - pilot[j]
            pilot[j] += total / counted
        for i in range(n):
            columns[j, i] = <double>X[i, j] - pilot[j]


cdef inline Sums sums_at(int loss, double power, const double *y, const double *offset,
                         const double *weight, const double *columns, const double *penalty,
                         const double *coef, double intercept, Py_ssize_t n, Py_ssize_t p,
                         double least_value, double *eta, double *derivative,
                         double *curvature) noexcept nogil:
    # the objective at these weights; eta and the derivatives of the rows are set
    cdef:
        Py_ssize_t i, j
        double factor
        const double *x
        Sums found
    for i in range(n):
        eta[i] = intercept if offset == NULL else intercept + offset[i]
    found.penalty = 0.0
    for j in range(p):
        factor, x = coef[j], columns + j * n
        for i in range(n):
            eta[i] += factor * x[i]
        found.penalty += 0.5 * penalty[j] * factor * factor
    found.value = loss_over_rows(loss, power, y, eta, weight, n, derivative, curvature)
    found.objective = found.value - least_value + found.penalty
    found.size = fabs(found.value) + fabs(least_value) + found.penalty
    return found


cdef inline void weighted_products(const double *columns, const double *derivative,
                                   const double *curvature, Py_ssize_t n, Py_ssize_t p,
                                   bint centred, double *scaled, double[:, ::1] hessian,
                                   double[::1] gradient, double[::1] mean,
                                   double *totals) noexcept nogil:
    # the Hessian of the rows, on and above its diagonal, with the curvatures as weights and, if
    # `centred`, about the weighted mean; the gradient of the rows
    cdef:
        Py_ssize_t i, j, k
        double total
        const double *x
        const double *z
    totals[0] = totals[1] = 0.0
    for i in range(n):
        totals[0] += derivative[i]
        totals[1] += curvature[i]
    for j in range(p):
        x, total = columns + j * n, 0.0
        for i in range(n):
            total += derivative[i] * x[i]
        gradient[j] = total
        total = 0.0
        for i in range(n):
            scaled[i] = curvature[i] * x[i]
            total += scaled[i]
        mean[j] = total / totals[1] if centred else 0.0
        for i in range(n):
            scaled[i] -= curvature[i] * mean[j]
        for k in range(j + 1):
            z, total = columns + k * n, 0.0
            for i in range(n):
                total += scaled[i] * z[i]
            hessian[k, j] = total


def minimise(const floating[:, :] X, const double[::1] y,
             const double[::1] offset, const double[::1] weight, int loss, double power,
             const double[::1] penalty, bint fit_intercept, Goals goals, Py_ssize_t max_iter,
             double[::1] weights, double[::1] gradient_out, double[:, ::1] columns,
             double[:, ::1] squares):
    """Minimise from `weights`, the coefficients and then the intercept, which are set.

    `offset` and `weight` are empty where there are none. `columns` is scratch of shape (p + 4, n),
    and `squares` of (2 p + 6, p). Returns None where it gave up, or the objective, the decrement,
    the reciprocal of the condition number, the number of steps and whether they were enough.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], j, _, n_iter = 0
        const double *o = &offset[0] if offset.shape[0] else NULL
        const double *v = &weight[0] if weight.shape[0] else NULL
        double *x = &columns[0, 0]
        double *eta = &columns[p, 0]
        double *derivative = &columns[p + 1, 0]
        double *curvature = &columns[p + 2, 0]
        double *scaled = &columns[p + 3, 0]
        double[:, ::1] hessian = squares[:p]
        double[:, ::1] factor = squares[p:2 * p]
        double[::1] scale = squares[2 * p]
        double[::1] mean = squares[2 * p + 1]
        double[::1] step = squares[2 * p + 2]
        double[::1] start = squares[2 * p + 3]
        double[::1] room = squares[2 * p + 4]
        double[::1] pilot = squares[2 * p + 5]
        double totals[2]
        double norm, decrement = 0.0, before = 0.0, intercept, intercept_step, goal, part, last
        bint found, enough = False
        Sums here, there
    with nogil:
        centre(X, v, fit_intercept, columns, pilot)
        for j in range(p):
            weights[p] += pilot[j] * weights[j]
        here = sums_at(loss, power, &y[0], o, v, x, &penalty[0], &weights[0], weights[p], n,
                       p, goals.least_value, eta, derivative, curvature)
        while True:
            weighted_products(x, derivative, curvature, n, p, fit_intercept, scaled, hessian,
                              gradient_out, mean, totals)
            norm = equilibrate(hessian, penalty, 1.0, factor, scale, room)
            found = norm > 0.0 and totals[1] > 0.0 and factor_few(&factor[0, 0], p)
            last = 1.0
            for j in range(p):
                last = min(last, factor[j, j])
                gradient_out[j] += penalty[j] * weights[j]
                step[j] = scale[j] * (gradient_out[j] - mean[j] * totals[0])  # means of 0 without b
            if not (found and last * last > LEAST_PIVOT):
                break
            solve_few(&factor[0, 0], p, &step[0])
            decrement = intercept_step = 0.0
            if fit_intercept:
                intercept_step = totals[0] / totals[1]
            for j in range(p):
                step[j] *= scale[j]
                decrement += gradient_out[j] * step[j]
                intercept_step -= mean[j] * step[j]
            if not fit_intercept:
                intercept_step = 0.0
            decrement += totals[0] * intercept_step
            goal = max(goals.tol * goals.tol * fabs(here.objective), goals.exact * here.size)
            if decrement <= goal or n_iter > 0 and (
                goals.stalled * before < decrement <= goals.nothing * here.size
            ):
                enough = True
                break
            if n_iter == max_iter or not decrement < 1e300:
                break
            n_iter += 1
            before, part, intercept = decrement, 1.0, weights[p]
            for j in range(p):
                start[j] = weights[j]
            found = False
            for _ in range(MOST_HALVINGS):
                for j in range(p):
                    weights[j] = start[j] - part * step[j]
                weights[p] = intercept - part * intercept_step
                there = sums_at(loss, power, &y[0], o, v, x, &penalty[0], &weights[0],
                                weights[p], n, p, goals.least_value, eta, derivative, curvature)
                found = there.objective <= (here.objective - goals.sufficient * part * decrement
                                            + goals.rounding * here.size)
                if found:
                    break
                part *= 0.5
            if not found:
                break
            here = there
        for j in range(p):
            weights[p] -= pilot[j] * weights[j]
        found = found and decrement < 1e300 and (enough or n_iter == max_iter)
        last = rcond_few(&factor[0, 0], p, norm, &room[0]) if found else 0.0
    if not found:
        return None
    return here.objective, max(decrement, 0.0), last, n_iter, enough
