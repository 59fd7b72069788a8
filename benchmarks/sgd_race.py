"""Time to loss: seconds until a library's logistic regression is within 1 % of the optimum.

Every library gets the same objective, mean_i log(1 + exp(-y_i (x_i'w + b))) + alpha ||w||^2 / 2
with b free, and its best of a grid of settings: step sizes, schedules, averaged weights, and the
layout of the data (dense, or CSR). A setting is run for 1, 2, 3, ... epochs until it reaches the
loss, and the best is then timed again. Data are in the form that a library reads; Vowpal Wabbit
reads its binary cache file in each pass.
"""

from __future__ import annotations

import importlib.util
import itertools
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from .cases import FASTRIDGE, SKLEARN
from .compare import without_paths

WITHIN = 0.01
_EPOCHS = (1, 2, 3, 4, 6, 9, 13, 20, 30, 50)
_LONGEST = 4.0  # seconds of a run after which no longer run is tried
_CLOSE = 1.4  # settings within this factor of the best are timed again
_FLIGHTS = Path(__file__).resolve().parents[1] / "examples" / "flights.py"
Weights = tuple[np.ndarray, float]


@dataclass
class Race:
    """Data with labels -1 and 1, dense and CSR, and the minimum of the objective."""

    name: str
    X: np.ndarray
    y: np.ndarray
    alpha: float = 1e-4
    least: float = 0.0

    def __post_init__(self) -> None:
        self.S = sp.csr_matrix(self.X)
        self.layouts = {
            "CSR": self.S,
            "CSR float32": self.S.astype(np.float32),
            "dense": self.X,
            "dense float32": self.X.astype(np.float32),
        }
        self.least = self.loss(*self._optimum())

    def loss(self, coef: np.ndarray, intercept: float) -> float:
        """Compute the objective."""
        margin = self.y * (self.S @ coef + intercept)
        return float(np.logaddexp(0.0, -margin).mean() + 0.5 * self.alpha * coef @ coef)

    def excess(self, weights: Weights) -> float:
        """Return how far the objective is above its minimum, relative to it."""
        value = self.loss(*weights)
        return value / self.least - 1.0 if np.isfinite(value) else np.inf

    def _optimum(self) -> Weights:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(
            C=1.0 / (self.alpha * len(self.y)), tol=1e-9, max_iter=20000, solver="newton-cholesky"
        )
        model.fit(self.X, self.y)
        return model.coef_[0], float(model.intercept_[0])


def flights() -> Race:
    """Load flights: late by 15 minutes or not; standardised numbers, one-hot categories."""
    spec = importlib.util.spec_from_file_location("flights_example", _FLIGHTS)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    columns, draw = example.read_flights(example.FLIGHTS)
    rows = np.flatnonzero(draw >= example.HELD_OUT)
    levels = {name: example.most_frequent(columns[name][rows]) for name in example.CATEGORIES}
    X = example.features(columns, levels, rows).astype(float)
    k = len(example.NUMBERS)
    X[:, :k] = (X[:, :k] - X[:, :k].mean(axis=0)) / X[:, :k].std(axis=0)
    late = columns["ArrDelay"][rows].astype(float) > 15.0
    return Race("flights, one-hot", X, np.where(late, 1.0, -1.0))


def a9a(path: str) -> Race:
    """Load a file in svmlight format with labels 0 and 1, or -1 and 1."""
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(path)
    return Race("a9a", X.toarray(), np.where(y > 0.0, 1.0, -1.0))


@dataclass
class Entrant:
    """A library: its settings, and a fit of some epochs that returns seconds and weights."""

    name: str
    settings: list[dict[str, Any]]
    fit: Callable[[dict[str, Any], int], tuple[float, Weights]]


def _sgd_entrant(race: Race, kind: Any, grid: list[dict[str, Any]], name: str) -> Entrant:
    def fit(setting: dict[str, Any], epochs: int) -> tuple[float, Weights]:
        options = dict(setting)
        X = race.layouts[options.pop("layout")]
        model = kind(
            loss="log_loss",
            alpha=race.alpha,
            max_iter=epochs,
            tol=None,
            random_state=0,
            **options,
        )
        start = time.perf_counter()
        model.fit(X, race.y)
        return time.perf_counter() - start, (model.coef_[0], float(model.intercept_[0]))

    settings = [{"layout": layout, **options} for options in grid for layout in race.layouts]
    return Entrant(name, settings, fit)


def _grid() -> list[dict[str, Any]]:
    """Return the settings that both scikit-learn's classes and ours have."""
    grid: list[dict[str, Any]] = [{"learning_rate": "optimal", "average": a} for a in (False, True)]
    for eta0, schedule, average in itertools.product(
        (0.01, 0.03, 0.1, 0.3, 1.0), ("constant", "invscaling"), (False, True)
    ):
        grid.append({"learning_rate": schedule, "eta0": eta0, "average": average})
    return grid


def ours(race: Race) -> Entrant:
    """`SGDClassifier` of fastridge."""
    from fastridge import SGDClassifier

    grid = [*_grid(), {"learning_rate": "auto"}]
    for optimizer, eta0 in itertools.product(("adagrad", "ftrl"), (0.1, 0.3)):
        grid.append({"optimizer": optimizer, "learning_rate": "constant", "eta0": eta0})
    return _sgd_entrant(race, SGDClassifier, grid, FASTRIDGE)


def sklearn_entrant(race: Race) -> Entrant:
    """`SGDClassifier` of scikit-learn."""
    from sklearn.linear_model import SGDClassifier

    return _sgd_entrant(race, SGDClassifier, _grid(), SKLEARN)


def snapml_entrant(race: Race) -> Entrant:
    """`snapml.LogisticRegression`: stochastic dual coordinate descent."""
    from snapml import LogisticRegression

    def fit(setting: dict[str, Any], epochs: int) -> tuple[float, Weights]:
        X = race.layouts[setting["layout"]]
        model = LogisticRegression(
            regularizer=race.alpha * len(race.y),
            max_iter=epochs,
            tol=1e-12,
            fit_intercept=True,
            dual=setting["dual"],
            n_jobs=setting["n_jobs"],
            random_state=0,
        )
        start = time.perf_counter()
        model.fit(X, race.y)
        return time.perf_counter() - start, (
            np.ravel(model.coef_)[: X.shape[1]],
            float(np.ravel(model.intercept_)[0]),
        )

    settings = [
        {"layout": layout, "dual": True, "n_jobs": threads}
        for layout in race.layouts
        for threads in (1, 2)
    ]
    return Entrant("snapml", settings, fit)


def river_entrant(race: Race) -> Entrant:
    """`river.linear_model.LogisticRegression` by `learn_many`, batches as pandas data frames."""
    import pandas as pd
    from river import linear_model, optim

    frames: dict[int, list[tuple[Any, Any]]] = {}
    names = [f"x{j}" for j in range(race.X.shape[1])]

    def fit(setting: dict[str, Any], epochs: int) -> tuple[float, Weights]:
        size = setting["batch"]
        if size not in frames:
            order = np.random.default_rng(0).permutation(len(race.y))
            frames[size] = [
                (pd.DataFrame(race.X[some], columns=names), pd.Series(race.y[some] > 0.0))
                for some in np.array_split(order, len(order) // size)
            ]
        model = linear_model.LogisticRegression(
            optimizer=optim.SGD(setting["eta0"]), l2=race.alpha, intercept_lr=setting["eta0"]
        )
        start = time.perf_counter()
        for _ in range(epochs):
            for X, y in frames[size]:
                model.learn_many(X, y)
        seconds = time.perf_counter() - start
        return seconds, (np.array([model.weights[name] for name in names]), model.intercept)

    settings = [{"batch": 128, "eta0": eta0} for eta0 in (0.1, 0.3, 1.0)]
    return Entrant("River", settings, fit)


def wabbit_entrant(race: Race, folder: Path) -> Entrant:
    """Vowpal Wabbit in this process, each pass over its cache file."""
    from vowpalwabbit import Workspace

    text, cache = folder / "rows.vw", folder / "rows.cache"
    order = np.random.default_rng(0).permutation(len(race.y))
    with text.open("w") as file:
        for i in order:
            begin, end = race.S.indptr[i], race.S.indptr[i + 1]
            pairs = zip(race.S.indices[begin:end], race.S.data[begin:end], strict=True)
            features = " ".join(f"{j + 1}:{value:.9g}" for j, value in pairs)
            file.write(f"{race.y[i]:g} | {features}\n")
    common = f"--quiet -d {text} --cache_file {cache} --loss_function logistic --holdout_off -b 18"
    Workspace(f"{common} -k --passes 2").finish()
    p = race.X.shape[1]

    def fit(setting: dict[str, Any], epochs: int) -> tuple[float, Weights]:
        start = time.perf_counter()
        model = Workspace(f"{common} --passes {epochs} {setting['flags']}")
        seconds = time.perf_counter() - start
        coef = np.array([model.get_weight(j + 1) for j in range(p)])
        intercept = model.get_weight(11650396)  # the index of the constant
        model.finish()
        return seconds, (coef, float(intercept))

    flags = [
        f"{rule} -l {rate} --l2 {l2}"
        for rule in ("", "--sgd")
        for rate in (0.1, 0.5, 2.0)
        for l2 in (0.0, race.alpha / len(race.y))
    ]
    return Entrant("Vowpal Wabbit", [{"flags": one} for one in flags], fit)


@dataclass
class Finish:
    """The best run of a library: seconds, epochs and setting, or the loss that it reached."""

    name: str
    seconds: float = float("nan")
    epochs: int = 0
    setting: str = ""
    excess: float = float("nan")
    curve: list[tuple[float, float]] = field(default_factory=list)
    failure: str = ""


def run_entrant(race: Race, entrant: Entrant, rounds: int) -> Finish:
    """Find the best setting, time it again, and record its loss against seconds."""
    least, nearest, failure = np.inf, np.inf, ""
    found: list[tuple[float, dict[str, Any], int]] = []
    open_ = [(setting, 0.0) for setting in entrant.settings]
    for epochs in _EPOCHS:  # all settings continue together, except those that are too slow
        still = []
        for setting, each in open_:
            if epochs * each > min(least, _LONGEST):
                continue
            try:
                seconds, weights = entrant.fit(setting, epochs)
            except Exception as error:  # a rival may fail with any exception
                failure = without_paths(f"{type(error).__name__}: {error}")
                continue
            reached = race.excess(weights)
            nearest = min(nearest, reached)
            if reached <= WITHIN:
                least = min(least, seconds)
                found.append((seconds, setting, epochs))
            else:
                still.append((setting, seconds / epochs))
        open_ = still
    if not found:
        return Finish(entrant.name, excess=nearest, failure=failure)
    close = [one for one in found if one[0] <= _CLOSE * least]
    medians = [
        statistics.median(entrant.fit(setting, epochs)[0] for _ in range(3))
        for _, setting, epochs in close
    ]
    _, setting, epochs = close[int(np.argmin(medians))]
    curve = []
    for count in _EPOCHS:
        runs = [entrant.fit(setting, count) for _ in range(3)]
        seconds = statistics.median(run[0] for run in runs)
        curve.append((seconds, race.excess(runs[0][1])))
        if count >= epochs and len(curve) > _EPOCHS.index(epochs) + 2:
            break
    again = [entrant.fit(setting, epochs) for _ in range(rounds)]
    words = ", ".join(f"{key} {value}" for key, value in setting.items() if value is not False)
    return Finish(
        entrant.name,
        statistics.median(run[0] for run in again),
        epochs,
        words,
        race.excess(again[0][1]),
        curve,
    )


def run_race(race: Race, rounds: int) -> list[Finish]:
    """Run every library that is installed, ours first."""
    finishes = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make in _makers(Path(folder)):
            try:
                entrant = make(race)
            except ImportError:
                continue
            finishes.append(run_entrant(race, entrant, rounds))
    return finishes


def _makers(folder: Path) -> Iterator[Callable[[Race], Entrant]]:
    yield ours
    yield sklearn_entrant
    yield snapml_entrant
    yield lambda race: wabbit_entrant(race, folder)
    yield river_entrant


def by_defaults(race: Race, scales: np.ndarray) -> list[tuple[str, float, float]]:
    """Return excess and seconds of classes with their defaults, on unscaled features."""
    from sklearn.linear_model import SGDClassifier as Theirs

    from fastridge import SGDClassifier

    raw = Race(race.name, race.X * scales, race.y, race.alpha)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in (
            (f"{FASTRIDGE}, learning_rate='auto'", SGDClassifier("log_loss", learning_rate="auto")),
            (SKLEARN, Theirs("log_loss")),
        ):
            model.set_params(random_state=0)
            start = time.perf_counter()
            model.fit(raw.X, raw.y)
            seconds = time.perf_counter() - start
            found.append((name, raw.excess((model.coef_[0], float(model.intercept_[0]))), seconds))
    return found


def plot_race(finishes: list[Finish], title: str, path: Path) -> None:
    """Draw the loss over its minimum against seconds, one line per library."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    for finish in finishes:
        if finish.curve:
            axes.loglog(*zip(*finish.curve, strict=True), "o-", label=finish.name)
    axes.axhline(WITHIN, color="0.5", linestyle="--", linewidth=1.0)
    axes.set(
        xlabel="seconds",
        ylabel="objective over its minimum, less one",
        title=f"Logistic regression of {title}: each library at its best",
    )
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
