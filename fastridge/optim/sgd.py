"""Stochastic gradient descent with momentum and an L2 penalty, in place."""

from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from fastridge._docstrings import documented
from fastridge._kernels import optimizer_steps
from fastridge.optim.arrays import empty_of, flat, kept_array, slices
from fastridge.optim.optimizer import Optimizer, Options, Params, State
from fastridge.optim.options import check_flag, check_number
from fastridge.optim.parameter_texts import OPTIMIZER
from fastridge.runtime.threads import Call


class _Options(NamedTuple):
    lr: float
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    maximize: bool


@documented(OPTIMIZER)
class SGD(Optimizer):
    r"""Stochastic gradient descent with momentum, as ``torch.optim.SGD``.

    With the gradient g of a parameter w, a step is

    .. math::
        d &= g + \text{weight\_decay} \cdot w \\
        b &\leftarrow \text{momentum} \cdot b + (1 - \text{dampening}) d
            \qquad (b = d \text{ in the first step}) \\
        w &\leftarrow w - \text{lr} \cdot b,
            \text{ or } w - \text{lr} (d + \text{momentum} \cdot b) \text{ with nesterov}

    and without momentum ``w <- w - lr d``, in one pass over memory.

    Parameters
    ----------
    params
    lr : float, default=1e-3
        Learning rate, at least 0.
    momentum : float, default=0
        Factor of the previous direction in the next one, at least 0.
    dampening : float, default=0
        Amount by which the factor 1 of the gradient in the direction is reduced.
    weight_decay : float, default=0
        Factor of the L2 penalty ``weight_decay / 2 * ||w||^2`` that is added to the loss.
        Without momentum this equals ``w *= 1 - lr * weight_decay`` before the step.
    nesterov : bool, default=False
        Use Nesterov momentum. Requires momentum and no dampening.
    maximize : bool, default=False
        Maximise instead of minimise; the penalty still pulls towards zero.
    n_threads

    Attributes
    ----------
    param_groups
    state : list of dict
        The ``"momentum_buffer"`` of each parameter, from its first step with momentum on.
    defaults
    n_threads : int or None

    See Also
    --------
    AdamW : Steps scaled by the gradients of each weight, with weight decay.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization and
    momentum in deep learning", ICML 2013. As in PyTorch the learning rate multiplies the
    direction, not the gradient before it joins the direction.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.optim import SGD
    >>> w = np.array([1.0, -2.0])
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9, weight_decay=1e-4)
    >>> for _ in range(200):
    ...     optimizer.step([2 * (w - 3)])  # the gradient of ||w - 3||^2
    >>> w.round(3)
    array([3., 3.])
    """

    _state_names: ClassVar[tuple[str, ...]] = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        options = _Options(lr, momentum, dampening, weight_decay, nesterov, maximize)
        super().__init__(params, options._asdict(), n_threads)

    def _options(self, group: Options, where: str) -> _Options:
        options = _Options(
            check_number(f"lr{where}", group["lr"]),
            check_number(f"momentum{where}", group["momentum"]),
            check_number(f"dampening{where}", group["dampening"]),
            check_number(f"weight_decay{where}", group["weight_decay"]),
            check_flag(f"nesterov{where}", group["nesterov"]),
            check_flag(f"maximize{where}", group["maximize"]),
        )
        if options.nesterov and (options.momentum == 0.0 or options.dampening != 0.0):
            raise ValueError(
                f"nesterov=True{where} needs momentum above 0 and no dampening, got "
                f"momentum={options.momentum:g} and dampening={options.dampening:g}: set momentum, "
                "for instance to 0.9, and dampening=0."
            )
        return options

    def _calls(
        self, param: np.ndarray, grad: np.ndarray, state: State, options: _Options
    ) -> Iterable[Call]:
        factors = _factors(options, "momentum_buffer" not in state)
        buffer = empty_of(param)
        if options.momentum != 0.0:
            kept = kept_array(state, "momentum_buffer", param)
            buffer = flat(kept)
            yield state.update, {"momentum_buffer": kept}
        arrays = (flat(param), grad, buffer, factors, options.nesterov)
        for begin, end in slices(param.size):
            yield optimizer_steps.sgd_step, *arrays, begin, end


@lru_cache(maxsize=64)
def _factors(options: _Options, first: bool) -> optimizer_steps.SgdFactors:
    """Return the factors of a step. The first step sets the momentum to the direction."""
    keep, take = (0.0, 1.0) if first else (options.momentum, 1.0 - options.dampening)
    return optimizer_steps.SgdFactors(
        sign=-1.0 if options.maximize else 1.0,
        weight_decay=options.weight_decay,
        keep=keep,
        take=take,
        momentum=options.momentum,
        lr=options.lr,
    )
