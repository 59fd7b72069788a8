# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The elastic net at each of its coordinates, and its minimum along one of them."""

from libc.math cimport fabs


cdef struct elastic_net:
    # One value for each coordinate. First the problem, which is all that its duality gap and sweeps
    # over residuals need:
    double *coef  # w_j
    double *gradient  # <x_j, r>, r = y - X w
    double *xy  # <x_j, y>
    double *l1  # penalty l1_j |w_j|
    double *l2  # penalty l2_j w_j^2 / 2
    double *lower  # least value of w_j
    double *upper  # largest value of w_j
    double *square  # |x_j|^2
    # A path:
    double *unit_l1  # l1_j at alpha = 1
    double *unit_l2  # l2_j at alpha = 1
    double *last_coef  # w_j at the alpha before
    double *last_gradient  # <x_j, r> at the alpha before
    # Newton steps; all but `ridge` and `moved` are by position in the factor:
    double *ridge  # l2_j in the factor
    double *inverse  # reciprocals of the factor's diagonal
    double *right_side  # of the equations
    double *direction  # their solution, the way to the minimum on the active set
    double *shift  # ridge_j - l2_j
    double *residual  # of the equations, in conjugate gradients
    double *search  # direction of search there
    double *image  # product of a matrix with a vector there
    double *carried  # product of the factored matrix with `search`
    double *moved  # by how much w_j has changed
    # One for all:
    Py_ssize_t n_features
    double target_square  # |y|^2


cdef inline tuple field_names():
    # those with one value for each coordinate, in the order above
    return (
        "coef", "gradient", "xy", "l1", "l2", "lower", "upper", "square",
        "unit_l1", "unit_l2", "last_coef", "last_gradient",
        "ridge", "inverse", "right_side", "direction", "shift", "residual", "search", "image",
        "carried", "moved",
    )


cdef inline elastic_net open_net(const double[:, ::1] fields, Py_ssize_t n_features,
                                 double target_square) noexcept nogil:
    # the rows of `fields` are the fields above, in order; the last ones may be missing
    cdef:
        elastic_net net
        double **field = <double **>&net
        Py_ssize_t row, n_fields = <double **>&net.n_features - field
    for row in range(min(fields.shape[0], n_fields)):
        field[row] = <double *>&fields[row, 0]
    net.n_features, net.target_square = n_features, target_square
    return net


cdef inline double minimiser(const elastic_net *e, Py_ssize_t j) noexcept nogil:
    # clip(soft(gradient_j + |x_j|^2 w_j, l1_j) / (|x_j|^2 + l2_j)), along coordinate j
    cdef double w = e.coef[j], z = e.gradient[j], curvature = e.square[j] + e.l2[j]
    if (w == 0.0 and fabs(z) <= e.l1[j]) or curvature <= 0.0:
        return w
    z += e.square[j] * w
    if z > e.l1[j]:
        w = (z - e.l1[j]) / curvature
    elif z < -e.l1[j]:
        w = (z + e.l1[j]) / curvature
    else:
        w = 0.0
    return min(max(w, e.lower[j]), e.upper[j])
