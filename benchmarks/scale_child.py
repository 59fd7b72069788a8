"""Measurements of `scale` in fresh processes, printed as JSON.

Usage: ``python -P scale_child.py peak FOLDER COUNT``, ``... resumed FOLDER CHECKPOINT`` or
``... dask WORKERS ROWS ROUNDS NAMES``, where NAMES are ``fastridge``, ``partial_fit`` or both,
separated by a comma. It imports nothing of its package, so that ``-P`` keeps an unbuilt source
folder off the path.
"""

from __future__ import annotations

import hashlib
import json
import logging
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

_PARTS = 16


def _files(folder: str, count: int) -> list[str]:
    return [str(path) for path in sorted(Path(folder).glob("part-*.parquet"))[:count]]


def peak(folder: str, count: str) -> dict[str, int]:
    """Print the peak resident memory of a process that fits `count` files."""
    from fastridge import RidgeCV, scan

    paths = _files(folder, int(count))
    RidgeCV(alphas=np.logspace(-2, 5, 50), cv=5).fit(scan(paths, target="y"))
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return {
        "peak": int(line.split()[1]) * 1024,
        "bytes": sum(Path(path).stat().st_size for path in paths),
    }


def resumed(folder: str, checkpoint: str) -> dict[str, str]:
    """Fit four files with a checkpoint every million rows, and print a digest of the result."""
    from fastridge import RidgeCV, scan

    model = RidgeCV(alphas=np.logspace(-2, 5, 50), cv=5)
    rows = scan(_files(folder, 4), target="y")
    model.fit(rows, checkpoint=checkpoint, checkpoint_every=1_000_000)
    values = (model.coef_, np.asarray(model.intercept_), np.asarray(model.best_score_))
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(v).tobytes() for v in values))
    return {"digest": digest.hexdigest()}


def _partial_fit(model: Any, X: Any, y: Any) -> Any:
    from sklearn.base import clone

    model = clone(model) if not hasattr(model, "coef_") else model
    return model.partial_fit(X, y)


def _block(number: int, rows: int) -> Any:
    rng = np.random.default_rng([0, number])
    return rng.standard_normal((rows, 20), dtype=np.float32)


def _target(X: Any) -> Any:
    coef = np.random.default_rng(0).standard_normal(20, dtype=np.float32)
    return X @ coef + np.random.default_rng(len(X)).standard_normal(len(X), dtype=np.float32)


def _settle(client: Any, n_tasks: int) -> None:
    """Wait until the scheduler has dropped earlier results, so that they are computed again."""
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) > n_tasks:
        time.sleep(0.01)


def on_dask(workers: str, n_rows: str, rounds: str, names: str) -> dict[str, float]:
    """Time our fit, and scikit-learn's `partial_fit` on one partition after another."""
    import dask
    import dask.array as da
    import distributed
    from sklearn.linear_model import SGDRegressor

    import fastridge.dask
    from fastridge import RidgeCV

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    each = int(n_rows) // _PARTS
    cluster = distributed.LocalCluster(
        n_workers=int(workers),
        threads_per_worker=1,
        processes=True,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
    )
    with cluster, distributed.Client(cluster) as client:
        blocks = [dask.delayed(_block)(number, each) for number in range(_PARTS)]
        X = da.concatenate(
            [da.from_delayed(block, (each, 20), dtype=np.float32) for block in blocks]
        )
        y = X.map_blocks(_target, dtype=np.float32, drop_axis=1)
        X, y = client.persist([X, y])
        distributed.wait([X, y])
        held_X, held_y = (part.blocks[0].compute() for part in (X, y))

        def ours() -> Any:
            model = RidgeCV(alphas=np.logspace(-2, 5, 50), cv=5)
            return fastridge.dask.fit(model, X, y)

        def theirs() -> Any:
            # as dask-ml's Incremental: the model goes from partition to partition
            model: Any = SGDRegressor(random_state=0)
            pairs = zip(X.to_delayed().ravel(), y.to_delayed(), strict=True)
            for block, target in pairs:
                model = dask.delayed(_partial_fit)(model, block, target)
            return model.compute()

        calls = {"fastridge": ours, "partial_fit": theirs}
        chosen = {name: calls[name] for name in names.split(",")}
        seconds: dict[str, list[float]] = {name: [] for name in chosen}
        scores = {}
        n_tasks = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        for turn in range(int(rounds) + 1):
            for name, call in chosen.items():
                _settle(client, n_tasks)
                start = time.perf_counter()
                model = call()
                if turn:
                    seconds[name].append(time.perf_counter() - start)
                scores[f"{name}_r2"] = float(model.score(held_X, held_y))
    return {name: statistics.median(values) for name, values in seconds.items()} | scores


if __name__ == "__main__":
    what = {"peak": peak, "resumed": resumed, "dask": on_dask}[sys.argv[1]]
    print(json.dumps(what(*sys.argv[2:])))
