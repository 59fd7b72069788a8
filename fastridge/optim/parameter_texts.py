"""Texts of parameters and attributes that the docstrings of optimizers share."""

from fastridge._docstrings import entries

OPTIMIZER = entries(
    """
params : iterable of ndarray, or iterable of dict
    Contiguous float32 or float64 arrays, which are updated in place. A dict is a group: it has its
    arrays under ``"params"``, and its other entries override the options below.
n_threads : int or None, default=None
    Number of threads for large arrays, kept as it is given. None uses ``FASTRIDGE_NUM_THREADS`` if
    that is set, otherwise all cores. The result does not depend on it.
param_groups : list of dict
    The groups, each with its arrays under ``"params"`` and its options, which may be changed
    between steps: ``optimizer.param_groups[0]["lr"] *= 0.1``.
defaults : dict
    Options of the groups that do not set their own.
"""
)

ADAM = OPTIMIZER | entries(
    """
lr : float, default=1e-3
    Learning rate, at least 0; roughly the change of each weight in a step.
betas : (float, float), default=(0.9, 0.999)
    Decay rates of the running means of gradients and of their squares, each in [0, 1).
eps : float, default=1e-8
    Number added to the root, at least 0.
amsgrad : bool, default=False
    Divide by the root of the largest mean square so far.
state : list of dict
    The optimizer state of each parameter, empty until its first step: the number of steps
    ``"step"``, the running means ``"exp_avg"`` and ``"exp_avg_sq"``, and with `amsgrad`
    ``"max_exp_avg_sq"``.
"""
)
