"""Steps of `fastridge.optim` and of ``torch.optim``: ``python -m benchmarks.optim_steps``.

For each case and thread count it prints the time of PyTorch's fused and foreach steps over ours,
the bytes per second that our step moves, next to those that NumPy moves in place on this machine,
and the largest error of the weights after a few steps, relative to float64.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from .__main__ import forget_source_folder
from .clock import Contestant, alternate
from .machine import cpu_model, thread_settings, version

OURS = "fastridge"
RIVALS = {"torch fused": {"fused": True}, "torch foreach": {"foreach": True}}
_ROUNDS = 9
_CHECKED_STEPS = 5
_NETWORK = ((784, 512), (512,), (512, 10), (10,))


@dataclass(frozen=True)
class Case:
    """An optimizer with its options, and the shapes of its parameters.

    `passes` counts how often a step reads or writes an array as large as the parameters.
    """

    optimizer: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: str = "float32"
    options: dict[str, Any] = field(default_factory=dict)
    passes: int = 7

    @property
    def name(self) -> str:
        """Return the optimizer, its options, the number of parameters and the dtype in words."""
        what = "network" if len(self.shapes) > 1 else f"{self.size:.0e}".replace("+0", "")
        words = [self.optimizer, *self.options, what, self.dtype]
        return ", ".join(words)

    @property
    def size(self) -> int:
        """Return the number of parameters."""
        return int(sum(np.prod(shape) for shape in self.shapes))

    def arrays(self, seed: int) -> list[np.ndarray]:
        """Return standard normal values, the same for the same seed."""
        rng = np.random.default_rng(seed)
        return [rng.standard_normal(shape).astype(self.dtype) for shape in self.shapes]


_MOMENTUM = {"momentum": 0.9, "weight_decay": 1e-4}
CASES = (
    Case("AdamW", ((10_000_000,),)),
    Case("AdamW", ((1_000_000,),)),
    Case("AdamW", ((100_000,),)),
    Case("AdamW", ((1_000,),)),
    Case("AdamW", _NETWORK),
    Case("AdamW", ((10_000_000,),), "float64"),
    Case("Adam", ((10_000_000,),), options={"weight_decay": 1e-2}),
    Case("SGD", ((10_000_000,),), options=_MOMENTUM, passes=5),
    Case("SGD", ((10_000_000,),), "float64", options=_MOMENTUM, passes=5),
)
_BY_NAME = {case.name: case for case in CASES}


def our_step(case: Case, threads: int) -> tuple[Callable[[], None], list[np.ndarray]]:
    """Return a call that makes one step of ours, and the parameters that it changes."""
    from fastridge import optim

    params, grads = case.arrays(0), case.arrays(1)
    optimizer = getattr(optim, case.optimizer)(params, n_threads=threads, **case.options)
    return partial(optimizer.step, grads), params


def torch_step(
    case: Case, way: dict[str, bool], dtype: str = ""
) -> tuple[Callable[[], None], list[np.ndarray]]:
    """Return a call that makes one step of PyTorch's, and the parameters that it changes."""
    import torch

    parameters = []
    for param, grad in zip(case.arrays(0), case.arrays(1), strict=True):
        parameter = torch.nn.Parameter(torch.tensor(param.astype(dtype or case.dtype)))
        parameter.grad = torch.tensor(grad.astype(dtype or case.dtype))
        parameters.append(parameter)
    optimizer = getattr(torch.optim, case.optimizer)(parameters, **case.options, **way)
    return optimizer.step, [parameter.detach().numpy() for parameter in parameters]


def step_of(name: str, case: Case, threads: int) -> tuple[Callable[[], None], list[np.ndarray]]:
    """Return the step of ours or of a rival, which uses `threads` threads from now on."""
    if name == OURS:
        return our_step(case, threads)
    import torch

    torch.set_num_threads(threads)
    return torch_step(case, RIVALS[name])


def largest_error(name: str, case: Case, threads: int) -> float:
    """Return the largest error of a weight after a few steps, relative to PyTorch's in float64."""
    step, params = step_of(name, case, threads)
    exact_step, exact = torch_step(case, {"foreach": False}, "float64")
    for _ in range(_CHECKED_STEPS):
        step()
        exact_step()
    return max(float(np.abs(a - b).max()) for a, b in zip(params, exact, strict=True))


def in_place_rate(threads: int, megabytes: int = 80) -> float:
    """Return the most bytes per second that NumPy reads and writes in place."""
    n = megabytes * 2**20 // 4
    parts = [np.array_split(np.ones(n, np.float32), threads) for _ in range(2)]
    pairs = list(zip(*parts, strict=True))
    with ThreadPoolExecutor(threads) as pool:

        def multiply() -> None:
            list(pool.map(lambda pair: np.multiply(pair[0], np.float32(1.0), out=pair[0]), pairs))

        def add() -> None:
            list(pool.map(lambda pair: np.add(*pair, out=pair[0]), pairs))

        contestants = [Contestant("product", 1, multiply), Contestant("sum", 1, add)]
        names = frozenset(["product", "sum"])
        ran = alternate(contestants, rounds=_ROUNDS, slow_seconds=10.0, keep=names)
    passes = {"product": 2, "sum": 3}
    return max(passes[one.name] * 4 * n / one.fastest for one in ran)


def compare(case: Case) -> list[list[str]]:
    """Return the cells of the table, one line per thread count: times, ratios, rate, errors."""
    names = [OURS, *RIVALS]
    lines = []
    for threads in thread_settings():
        steps = [step_of(name, case, threads)[0] for name in names]
        contestants = [
            Contestant(name, threads, step) for name, step in zip(names, steps, strict=True)
        ]
        ran = alternate(contestants, rounds=_ROUNDS, slow_seconds=10.0, keep=frozenset(names))
        fastest = {contestant.name: contestant.fastest for contestant in ran}
        ours = fastest[OURS]
        rate = case.passes * case.size * np.dtype(case.dtype).itemsize / ours
        ratios = [f"{fastest[name] / ours:.2f}" for name in RIVALS]
        lines.append([case.name, str(threads), f"{ours * 1e3:.4g}", *ratios, f"{rate / 1e9:.1f}"])
    errors = [f"{largest_error(name, case, threads):.1e}" for name in names[:2]]
    return [[*line, *errors] for line in lines]


class OptimStep:
    """A step of an optimizer: its time, and the error of the weights after a few."""

    param_names: ClassVar[list[str]] = ["rival", "case", "threads"]
    params: ClassVar[list[list[str]]] = [
        [OURS, *RIVALS],
        list(_BY_NAME),
        ["one", "all"],
    ]

    def setup(self, rival: str, case: str, threads: str) -> None:
        """Make the step; NotImplementedError makes asv skip PyTorch if it is not installed."""
        self.case = _BY_NAME[case]
        self.threads = thread_settings()[0 if threads == "one" else -1]
        try:
            self.step, _ = step_of(rival, self.case, self.threads)
        except ImportError as error:
            raise NotImplementedError(str(error)) from error

    def time_step(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one step."""
        self.step()

    def track_error(self, rival: str, case: str, threads: str) -> float:
        """Largest error of a weight."""
        try:
            return largest_error(rival, self.case, self.threads)
        except ImportError:  # the reference is PyTorch's too
            return float("nan")


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optim_steps")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their name")
    chosen = [case for case in CASES if parser.parse_args(arguments).only in case.name]
    forget_source_folder()
    if version("torch") == "not installed":
        raise SystemExit("PyTorch is not installed: its CPU build is enough (CONTRIBUTING.md).")
    print(f"{cpu_model()}, fastridge {version('fastridge-solvers')}, torch {version('torch')}")
    for threads in thread_settings():
        print(f"NumPy in place, threads {threads}: {in_place_rate(threads) / 1e9:.1f} GB/s")
    columns = ["step", "threads", "ms", *(f"{name} / ours" for name in RIVALS), "GB/s"]
    columns += ["our error", "fused's error"]
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for case in chosen:
        for line in compare(case):
            print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
