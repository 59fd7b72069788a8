"""Adam with an L2 penalty, and AdamW with weight decay, in place."""

from collections.abc import Iterable
from functools import lru_cache
from math import sqrt
from typing import ClassVar, NamedTuple

import numpy as np

from fastridge._docstrings import documented
from fastridge._kernels import optimizer_steps
from fastridge.optim.arrays import empty_of, flat, kept_array, slices
from fastridge.optim.optimizer import Optimizer, Options, Params, State
from fastridge.optim.options import check_betas, check_flag, check_number, check_step
from fastridge.optim.parameter_texts import ADAM
from fastridge.runtime.threads import Call


class _Options(NamedTuple):
    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    maximize: bool
    decoupled_weight_decay: bool


@documented(ADAM)
class Adam(Optimizer):
    r"""Scale steps by running means of each weight's gradients, as ``torch.optim.Adam``.

    With the gradient g of a parameter w, step t = 1, 2, ... is

    .. math::
        d &= g + \text{weight\_decay} \cdot w \\
        m &\leftarrow \beta_1 m + (1 - \beta_1) d \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) d^2 \\
        w &\leftarrow w - \text{lr} \frac{m / (1 - \beta_1^t)}
            {\sqrt{v / (1 - \beta_2^t)} + \text{eps}}

    in one pass over memory.

    Parameters
    ----------
    params, lr, betas, eps
    weight_decay : float, default=0
        Factor of the L2 penalty ``weight_decay / 2 * ||w||^2`` that is added to the loss. Its
        gradient enters both running means, so weights with large gradients are penalised less.
        For weight decay use `AdamW`.
    amsgrad
    maximize : bool, default=False
        Maximise instead of minimise; penalty and decay still pull towards zero.
    decoupled_weight_decay : bool, default=False
        Apply weight decay instead of the penalty, as in `AdamW`.
    n_threads

    Attributes: param_groups, state, defaults, n_threads

    See Also
    --------
    AdamW : Weight decay instead of the penalty.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    S. J. Reddi, S. Kale and S. Kumar, "On the Convergence of Adam and Beyond", ICLR 2018
    (`amsgrad`).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.optim import Adam
    >>> w = np.array([1.0, -2.0])
    >>> optimizer = Adam([w], lr=0.1)
    >>> for _ in range(500):
    ...     optimizer.step([2 * (w - 3)])  # the gradient of ||w - 3||^2
    >>> w.round(3)
    array([3., 3.])
    """

    _state_names: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        n_threads: int | None = None,
    ) -> None:
        options = _Options(lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay)
        super().__init__(params, options._asdict(), n_threads)

    def _options(self, group: Options, where: str) -> _Options:
        return _Options(
            check_number(f"lr{where}", group["lr"]),
            check_betas(group["betas"], where),
            check_number(f"eps{where}", group["eps"]),
            check_number(f"weight_decay{where}", group["weight_decay"]),
            check_flag(f"amsgrad{where}", group["amsgrad"]),
            check_flag(f"maximize{where}", group["maximize"]),
            check_flag(f"decoupled_weight_decay{where}", group["decoupled_weight_decay"]),
        )

    def _calls(
        self, param: np.ndarray, grad: np.ndarray, state: State, options: _Options
    ) -> Iterable[Call]:
        names = self._state_names if options.amsgrad else self._state_names[:2]
        kept = {name: kept_array(state, name, param) for name in names}
        step = state.get("step", 0) + 1
        yield state.update, {"step": step, **kept}
        moments = [flat(array) for array in kept.values()]
        if not options.amsgrad:
            moments.append(empty_of(param))
        arrays = (flat(param), grad, *moments, _factors(options, step))
        for begin, end in slices(param.size):
            yield optimizer_steps.adam_step, *arrays, begin, end

    def _loaded(self, saved: Options, param: np.ndarray, name: str) -> State:
        state = super()._loaded(saved, param, name)
        if not state and saved.get("step") is None:
            return {}
        for needed in ("step", "exp_avg", "exp_avg_sq"):
            if saved.get(needed) is None:
                raise ValueError(
                    f"{name} has no {needed!r}: load the state of an Adam or AdamW optimizer."
                )
        return {"step": check_step(f"{name}['step']", saved["step"]), **state}


@lru_cache(maxsize=64)
def _factors(options: _Options, step: int) -> optimizer_steps.AdamFactors:
    """Return the factors of a step, including the bias corrections of the means."""
    beta1, beta2 = options.betas
    decoupled = options.decoupled_weight_decay
    return optimizer_steps.AdamFactors(
        sign=-1.0 if options.maximize else 1.0,
        weight_decay=0.0 if decoupled else options.weight_decay,
        beta1=beta1,
        rest1=1.0 - beta1,
        beta2=beta2,
        rest2=1.0 - beta2,
        shrink=1.0 - options.lr * options.weight_decay if decoupled else 1.0,
        rate=options.lr / (1.0 - beta1**step),
        correction=1.0 / sqrt(1.0 - beta2**step),
        eps=options.eps,
    )


@documented(ADAM)
class AdamW(Adam):
    r"""Adam with decoupled weight decay, as ``torch.optim.AdamW``.

    The weights shrink before the step of `Adam`, which then has no penalty:

    .. math::
        w \leftarrow (1 - \text{lr} \cdot \text{weight\_decay}) w

    Decay and step are one pass over memory.

    Parameters
    ----------
    params, lr, betas, eps
    weight_decay : float, default=1e-2
        Rate of the decay. It is not an L2 penalty: it shrinks every weight by the same factor,
        and is not the gradient of any loss. Biases usually get a group with 0.
    amsgrad
    maximize : bool, default=False
        Maximise instead of minimise; decay still pulls towards zero.
    n_threads

    Attributes: param_groups, state, defaults, n_threads

    See Also
    --------
    Adam : L2 penalty.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.optim import AdamW
    >>> weights, bias = np.ones((3, 2), np.float32), np.zeros(2, np.float32)
    >>> optimizer = AdamW(
    ...     [{"params": [weights]}, {"params": [bias], "weight_decay": 0.0}], lr=0.1
    ... )
    >>> optimizer.step([np.zeros((3, 2), np.float32), None])
    >>> weights[0]  # decay alone: 1 - 0.1 * 0.01
    array([0.999, 0.999], dtype=float32)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            n_threads=n_threads,
        )

    def load_state_dict(self, state_dict: Options) -> None:
        """Load state and options from a `state_dict` of this class or of PyTorch's optimizer.

        That of `Adam` is taken, too: its penalty becomes decay, as in PyTorch.

        Parameters
        ----------
        state_dict : dict
            The state of an optimizer with the same numbers of parameters and groups. Its arrays
            are copied and converted to the dtype of the parameter.

        Raises
        ------
        TypeError, ValueError
            If it does not fit. Nothing changes then.
        """
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
