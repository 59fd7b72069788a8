# cython: freethreading_compatible=True
"""What kernels of SGD are told and what they carry on from one call to the next, by name.

The fields are described in `sgd_state.pxd`. Arrays that a kernel keeps next to the weights are
passed in a dictionary; each kernel lists their names.
"""


cdef class Settings:
    """What a solver run minimises and how; no kernel writes to it."""


cdef class State:
    """The numbers that a solver run carries from one call to the next; all are float64."""

    def __init__(self):
        self.t = self.step_factor = self.scale = self.average_divisor = self.decay_product = 1.0


def state_fields():
    """Return the names of the numbers in a `State`."""
    return tuple(name for name, kind in vars(State).items()
                 if type(kind).__name__ == "getset_descriptor")
