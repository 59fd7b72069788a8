"""What optimisers share: parameter groups, state, and a step that is done whole or not at all."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from fastridge.optim.arrays import (
    Extents,
    arrays_of,
    check_in_place,
    flat_gradient,
    saved_array,
    threads_for,
)
from fastridge.optim.options import check_group
from fastridge.runtime.threads import resolve_threads, run_to_end

State = dict[str, Any]
Call = tuple[Any, ...]


class Optimizer(ABC):
    """Base of the optimisers: groups of parameters, their options and their state.

    Parameters
    ----------
    params : iterable of ndarray, or iterable of dict
        Contiguous float32 or float64 arrays, which are updated in place. A dict is a group: its
        arrays stand under ``"params"``, its other entries take the place of `defaults`.
    defaults : dict
        The options of groups that do not have their own.
    n_threads : int or None
        Threads for large arrays; None for all cores, or what ``FASTRIDGE_NUM_THREADS`` says.

    Attributes
    ----------
    param_groups : list of dict
        Each with its arrays under ``"params"`` and its options, which may be changed between
        steps: ``optimizer.param_groups[0]["lr"] *= 0.1``.
    state : list of dict
        What is kept of each parameter from step to step; empty until its first step.
    defaults : dict
    n_threads : int or None
    """

    _state_names: ClassVar[tuple[str, ...]] = ()
    _extents: Extents

    def __init__(
        self, params: Iterable[Any], defaults: Mapping[str, Any], n_threads: int | None
    ) -> None:
        resolve_threads(n_threads)
        self.n_threads = n_threads
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: list[State] = []
        self._options(self.defaults, "")
        given = list(params) if _is_list(params) else None
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
    def _options(self, group: Mapping[str, Any], where: str) -> Any:
        """The options of a group, checked, as `_calls` takes them; `where` follows a name."""

    @abstractmethod
    def _calls(
        self, param: np.ndarray, grad: np.ndarray, state: State, options: Any
    ) -> Iterable[Call]:
        """Calls of kernels, and of ``state.update``, for one parameter and its flat gradient.

        Nothing is changed before the calls are made, and they depend on each other in nothing.
        """

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters, as for layers that are trained from here on.

        Parameters
        ----------
        param_group : dict
            The arrays, or one array, under ``"params"``, and options of the group.
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
            with its shape and dtype. Gradients are only read; one whose order of memory is not
            its parameter's is copied first. A parameter whose gradient is None is left as it is.

        Raises
        ------
        TypeError, ValueError
            Where a gradient, a parameter or an option is not as it must be. Nothing is changed
            then.

        Notes
        -----
        A gradient that is not finite is not refused: as in PyTorch, what it touches becomes
        infinite or NaN. The norm that `clip_grad_norm_` returns tells of it. KeyboardInterrupt
        is raised when the step is done.

        What is kept of earlier gradients becomes zero once it is too small for a normal number
        (1e-38 in float32): it would shrink no further, and slow down each step that reads it.
        """
        if not _is_list(grads):
            raise TypeError(
                "grads must be a list with an array or None for each parameter, got "
                f"{type(grads).__name__}: write step([grad]) for a single one."
            )
        given: list[Any] = list(grads)
        n_params = sum(len(group["params"]) for group in self.param_groups)
        if n_params != len(self.state):
            raise ValueError(
                f"param_groups have {n_params} parameters, but were given {len(self.state)}: add "
                "parameters by add_param_group, and make a new optimiser without those to leave."
            )
        if len(given) != n_params:
            raise ValueError(
                f"grads has {len(given)} entries, but there are {n_params} parameters: give one "
                "for each in their order, None where there is no gradient."
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

    def _checked_gradient(self, grad: Any, param: np.ndarray, k: int) -> np.ndarray:
        check_in_place(param, f"parameter {k}")
        values = flat_gradient(grad, param, f"grads[{k}]")
        shared = self._extents.shared_with(values)
        if shared is not None:
            raise ValueError(
                f"grads[{k}] shares memory with parameter {shared}, which would change while the "
                "gradient is read: give a copy."
            )
        return values

    def state_dict(self) -> dict[str, Any]:
        """State and options, in PyTorch's form: with numbers in place of the parameters.

        Returns
        -------
        dict
            ``"state"``, a dict by the parameter's number, and ``"param_groups"``. The arrays are
            those that the next step changes: ``copy.deepcopy`` keeps them as they are.
        """
        groups = []
        first = 0
        for group in self.param_groups:
            end = first + len(group["params"])
            groups.append({**group, "params": list(range(first, end))})
            first = end
        state = {k: dict(entry) for k, entry in enumerate(self.state) if entry}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and options from `state_dict`, also from that of PyTorch's optimiser.

        Parameters
        ----------
        state_dict : dict
            Of an optimiser of the same class with as many parameters in as many groups. Its
            arrays are copied, and converted to the parameter's dtype.

        Raises
        ------
        TypeError, ValueError
            Where it does not fit. Nothing is changed then.
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
                f"state_dict has groups of {sizes} parameters, this optimiser of {expected}: make "
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

    def _loaded(self, saved: Mapping[str, Any], param: np.ndarray, name: str) -> State:
        """The state of one parameter, copied from a `state_dict`."""
        return {
            key: saved_array(saved[key], param, f"{name}[{key!r}]")
            for key in self._state_names
            if saved.get(key) is not None
        }

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        # a copy's arrays lie elsewhere
        self.__dict__.update(attributes)
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
    """Whether these can be several arrays: neither one array nor a dict nor text."""
    return type(values) in (list, tuple) or (
        isinstance(values, Iterable) and not isinstance(values, (np.ndarray, Mapping, str, bytes))
    )
