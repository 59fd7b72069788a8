"""The losses of one linear predictor eta = x'w + b, by number; each has a file of its own.

Each file has, with `epsilon` first where the loss has one:

    value(y, eta)               the loss
    derivative(y, eta)          its derivative with respect to eta
    displacement(y, eta, time)  how far eta gets along d eta / d time = -derivative(y, eta)

Targets of classification are -1 and 1. To add a loss: write its file, a number and a line in each
function here, its name in `losses.pyx`, and the file in `fastridge/losses/`.
"""

cimport epsilon_insensitive
cimport hinge
cimport huber
cimport logistic
cimport modified_huber
cimport perceptron
cimport squared
cimport squared_epsilon_insensitive
cimport squared_hinge

cdef enum:  # in the order of `losses.names`
    HINGE
    PERCEPTRON
    SQUARED_HINGE
    LOGISTIC
    MODIFIED_HUBER
    SQUARED
    HUBER
    EPSILON_INSENSITIVE
    SQUARED_EPSILON_INSENSITIVE
    MULTINOMIAL  # of several linear predictors: see `multinomial.pxd`


cdef inline double loss_value(int loss, double epsilon, double y, double eta) noexcept nogil:
    if loss == HINGE:
        return hinge.value(y, eta)
    if loss == SQUARED:
        return squared.value(y, eta)
    if loss == LOGISTIC:
        return logistic.value(y, eta)
    if loss == PERCEPTRON:
        return perceptron.value(y, eta)
    if loss == SQUARED_HINGE:
        return squared_hinge.value(y, eta)
    if loss == MODIFIED_HUBER:
        return modified_huber.value(y, eta)
    if loss == HUBER:
        return huber.value(epsilon, y, eta)
    if loss == EPSILON_INSENSITIVE:
        return epsilon_insensitive.value(epsilon, y, eta)
    return squared_epsilon_insensitive.value(epsilon, y, eta)


cdef inline double loss_derivative(int loss, double epsilon, double y, double eta) noexcept nogil:
    if loss == HINGE:
        return hinge.derivative(y, eta)
    if loss == SQUARED:
        return squared.derivative(y, eta)
    if loss == LOGISTIC:
        return logistic.derivative(y, eta)
    if loss == PERCEPTRON:
        return perceptron.derivative(y, eta)
    if loss == SQUARED_HINGE:
        return squared_hinge.derivative(y, eta)
    if loss == MODIFIED_HUBER:
        return modified_huber.derivative(y, eta)
    if loss == HUBER:
        return huber.derivative(epsilon, y, eta)
    if loss == EPSILON_INSENSITIVE:
        return epsilon_insensitive.derivative(epsilon, y, eta)
    return squared_epsilon_insensitive.derivative(epsilon, y, eta)


cdef inline double loss_displacement(int loss, double epsilon, double y, double eta,
                                     double time) noexcept nogil:
    if loss == SQUARED:
        return squared.displacement(y, eta, time)
    if loss == LOGISTIC:
        return logistic.displacement(y, eta, time)
    if loss == HINGE:
        return hinge.displacement(y, eta, time)
    if loss == PERCEPTRON:
        return perceptron.displacement(y, eta, time)
    if loss == SQUARED_HINGE:
        return squared_hinge.displacement(y, eta, time)
    if loss == MODIFIED_HUBER:
        return modified_huber.displacement(y, eta, time)
    if loss == HUBER:
        return huber.displacement(epsilon, y, eta, time)
    if loss == EPSILON_INSENSITIVE:
        return epsilon_insensitive.displacement(epsilon, y, eta, time)
    return squared_epsilon_insensitive.displacement(epsilon, y, eta, time)


cdef inline double largest_curvature(int loss) noexcept nogil:
    # the largest second derivative with respect to eta; 1 for piecewise linear losses
    if loss == LOGISTIC:
        return 0.25
    if loss == SQUARED_HINGE or loss == MODIFIED_HUBER or loss == SQUARED_EPSILON_INSENSITIVE:
        return 2.0
    return 1.0
