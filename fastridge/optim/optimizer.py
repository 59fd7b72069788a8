"""Base class of the optimizers: parameter groups, state, and an atomic step."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from fastridge._docstrings import documented
from fastridge.optim.arrays import (
    Extents,
    arrays_of,
    check_in_place,
    flat_gradient,
    saved_array,
    threads_for,
)
from fastridge.optim.options import check_group
from fastridge.optim.parameter_texts import OPTIMIZER
from fastridge.runtime.threads import Call, resolve_threads, run_to_end

State: TypeAlias = dict[str, Any]
"""The optimizer state of a parameter: arrays, and the number of steps."""

Group: TypeAlias = dict[str, Any]
"""A parameter group: its arrays under "params", and its options."""

Options: TypeAlias = Mapping[str, Any]
"""Options by name, such as "lr"; also a group, and what `state_dict` returns."""

Params: TypeAlias = Iterable[np.ndarray] | Iterable[Options]


@documented(OPTIMIZER)
class Optimizer(ABC):
    """Hold groups of parameters, their options and their state.

    Parameters
    ----------
    params : iterable of ndarray, or iterable of dict
        Contiguous float32 or float64 arrays, which are updated in place. A dict is a group: its
        arrays are under ``"params"``, and its other entries override `defaults`.
    defaults
    n_threads : int or None
        Number of threads for large arrays. None uses ``FASTRIDGE_NUM_THREADS`` if that is set,
        otherwise all cores.

    Attributes
    ----------
    param_groups
    state : list of dict
        The optimizer state of each parameter, empty until its first step.
    defaults
    n_threads : int or None

    Raises
    ------
    TypeError, ValueError
        If a parameter, a group or an option is invalid.

    See Also
    --------
    SGD : Stochastic gradient descent with momentum.
    Adam : Steps scaled by running means of each weight's gradients.
    AdamW : Adam with decoupled weight decay.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.optim import SGD, Optimizer
    >>> optimizer = SGD([np.zeros(3)], lr=0.1)
    >>> isinstance(optimizer, Optimizer), optimizer.param_groups[0]["lr"]
    (True, 0.1)
    """

    _state_names: ClassVar[tuple[str, ...]] = ()
    _extents: Extents

    def __init__(self, params: Params, defaults: Options, n_threads: int | None) -> None:
        resolve_threads(n_threads)
        self.n_threads = n_threads
        self.defaults = dict(defaults)
        self.param_groups: list[Group] = []
        self.state: list[State] = []
        self._options(self.defaults, "")
        given: list[Any] | None = list(params) if _is_list(params) else None
        if not given:
            raise ValueError(
                "params must be a list of arrays, or of dicts with arrays under 'params', got "
                f"{type(params).__name__ if given is None else 'an empty one'}: write [array] for "
                "a single one."
            )
        if not any(isinstance(one, Mapping) for one in given):
            given = [{"params": given}]
        for group in given:
            self.add_param_group(group)

    @abstractmethod
    def _options(self, group: Options, where: str) -> Any:
        """Return the checked options of a group for `_calls`; `where` follows a name in errors."""

    @abstractmethod
    def _calls(
        self, param: np.ndarray, grad: np.ndarray, state: State, options: Any
    ) -> Iterable[Call]:
        """Return the calls of kernels and ``state.update`` for a parameter and its flat gradient.

        Nothing changes before the calls are made, and they are independent of each other.
        """

    def add_param_group(self, param_group: Options) -> None:
        """Add a group of parameters, for instance of layers that are trained from now on.

        Parameters
        ----------
        param_group : dict
            The arrays, or one array, under ``"params"``, and the options of the group.

        Raises
        ------
        TypeError, ValueError
            If an array or an option is invalid, or if an array shares memory with another one.
        """
        where = f"param_groups[{len(self.param_groups)}]"
        check_group(param_group, self.defaults, where)
        group = {**self.defaults, **param_group}
        group["params"] = arrays_of(param_group["params"], f"params of {where}")
        self._options(group, f" of {where}")
        for k, param in enumerate(group["params"], len(self.state)):
            check_in_place(param, f"parameter {k}")
        known = [param for one in self.param_groups for param in one["params"]]
        self._extents = Extents(dict(enumerate([*known, *group["params"]])), "parameter")
        self.param_groups.append(group)
        self.state.extend({} for _ in group["params"])

    def step(self, grads: Iterable[np.ndarray | None]) -> None:
        """Update the parameters in place, once.

        Parameters
        ----------
        grads : iterable of ndarray or None
            The gradient of each parameter, in the order of the parameters (group after group),
            with its shape and dtype. Gradients are only read; one whose memory order differs
            from that of its parameter is copied first. A parameter whose gradient is None is not
            updated.

        Raises
        ------
        TypeError, ValueError
            If a gradient, a parameter or an option is invalid. Nothing changes then.

        Notes
        -----
        A gradient that is not finite is accepted: as in PyTorch, the values that it updates become
        infinite or NaN. The norm that `clip_grad_norm_` returns reveals it. KeyboardInterrupt is
        raised when the step is complete.

        What is kept of earlier gradients becomes zero once it is too small for a normal number
        (1e-38 in float32): it would shrink no further, and slow down each step that reads it.
        """
        if not _is_list(grads):
            raise TypeError(
                "grads must be a list with an array or None for each parameter, got "
                f"{type(grads).__name__}: write step([grad]) for a single one."
            )
        given = list(grads)
        n_params = sum(len(group["params"]) for group in self.param_groups)
        if n_params != len(self.state):
            raise ValueError(
                f"param_groups have {n_params} parameters, but were given {len(self.state)}: add "
                "parameters by add_param_group, and make a new optimizer to remove some."
            )
        if len(given) != n_params:
            raise ValueError(
                f"grads has {len(given)} entries, but there are {n_params} parameters: give one "
                "for each in their order, None for one without a gradient."
            )
        calls: list[Call] = []
        moved = []
        k = 0
        for i, group in enumerate(self.param_groups):
            options = self._options(group, f" of param_groups[{i}]")
            for param in group["params"]:
                if given[k] is not None:
                    grad = self._checked_gradient(given[k], param, k)
                    calls.extend(self._calls(param, grad, self.state[k], options))
                    moved.append(grad)
                k += 1
        run_to_end(calls, threads_for(moved, resolve_threads(self.n_threads)))

    def _checked_gradient(self, grad: object, param: np.ndarray, k: int) -> np.ndarray:
        check_in_place(param, f"parameter {k}")
        values = flat_gradient(grad, param, f"grads[{k}]")
        shared = self._extents.shared_with(values)
        if shared is not None:
            raise ValueError(
                f"grads[{k}] shares memory with parameter {shared}, which would change while the "
                "gradient is read: give a copy."
            )
        return values

    def state_dict(self) -> Group:
        """Return state and options in PyTorch's form, with indices instead of the parameters.

        Returns
        -------
        dict
            ``"state"``, a dict by the index of the parameter, and ``"param_groups"``. The arrays
            are those that the next step changes; ``copy.deepcopy`` preserves them.
        """
        groups = []
        first = 0
        for group in self.param_groups:
            end = first + len(group["params"])
            groups.append({**group, "params": list(range(first, end))})
            first = end
        state = {k: dict(entry) for k, entry in enumerate(self.state) if entry}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Options) -> None:
        """Load state and options from a `state_dict` of this class or of PyTorch's optimizer.

        Parameters
        ----------
        state_dict : dict
            The state of an optimizer of the same class with the same numbers of parameters and
            groups. Its arrays are copied and converted to the dtype of the parameter.

        Raises
        ------
        TypeError, ValueError
            If it does not fit. Nothing changes then.
        """
        try:
            saved_groups, saved_state = state_dict["param_groups"], state_dict["state"]
            sizes = [len(saved["params"]) for saved in saved_groups]
        except (TypeError, KeyError) as error:
            raise TypeError(
                "state_dict must have 'state' and 'param_groups', each with 'params', as "
                "state_dict() gives it."
            ) from error
        expected = [len(group["params"]) for group in self.param_groups]
        if sizes != expected:
            raise ValueError(
                f"state_dict has groups of {sizes} parameters, this optimizer of {expected}: make "
                "it with the parameters of the one that was saved."
            )
        groups = []
        state = []
        for i, (own, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            group = {**self.defaults, **saved, "params": own["params"]}
            self._options(group, f" of state_dict['param_groups'][{i}]")
            groups.append(group)
            for param, number in zip(own["params"], saved["params"], strict=True):
                name = f"state_dict['state'][{number!r}]"
                state.append(self._loaded(saved_state.get(number, {}), param, name))
        self.param_groups, self.state = groups, state

    def _loaded(self, saved: Options, param: np.ndarray, name: str) -> State:
        """Return the state of one parameter, copied from a `state_dict`."""
        return {
            key: saved_array(saved[key], param, f"{name}[{key!r}]")
            for key in self._state_names
            if saved.get(key) is not None
        }

    def __setstate__(self, attributes: dict[str, object]) -> None:
        # the arrays of a copy are at other addresses
        for name, value in attributes.items():
            setattr(self, name, value)
        params = [param for group in self.param_groups for param in group["params"]]
        self._extents = Extents(dict(enumerate(params)), "parameter")

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            shapes = ", ".join(str(param.shape) for param in group["params"])
            options = ", ".join(f"{key}={group[key]!r}" for key in group if key != "params")
            lines.append(f"  {i}: {shapes}: {options}")
        return "\n".join([f"{type(self).__name__} of groups", *lines])


def _is_list(values: object) -> bool:
    """Return whether these can be several arrays: neither one array nor a dict nor text."""
    return type(values) in (list, tuple) or (
        isinstance(values, Iterable) and not isinstance(values, (np.ndarray, Mapping, str, bytes))
    )
