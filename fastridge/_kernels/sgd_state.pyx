# cython: freethreading_compatible=True
"""Define the settings of SGD kernels, and the state that they keep from one call to the next.

`sgd_state.pxd` describes the fields. Arrays that a kernel keeps next to the weights are passed in
a dictionary; each kernel lists their names.
"""


cdef class Settings:
    """The objective of a solver run and its options; no kernel writes to it."""


cdef class State:
    """The numbers that a solver run keeps from one call to the next; all are float64."""

    def __init__(self):
        self.t = self.step_factor = self.scale = self.average_divisor = self.decay_product = 1.0


def state_fields():
    """Return the names of the numbers in a `State`."""
    return tuple(name for name, kind in vars(State).items()
                 if type(kind).__name__ == "getset_descriptor")
