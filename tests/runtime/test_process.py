"""Ridge and RidgeCV in a process: threads, forks, interrupts, unchanged global state.

What may end the process, hang it or change it for good runs in an interpreter of its own.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from processes import (
    assert_only_reads,
    assert_same_bits,
    assert_same_bits_at_once,
    assert_same_bits_inside_a_pool,
    assert_unmixed,
    process_state,
    run_script,
)
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from fastridge import GramStatistics, Ridge, RidgeCV, ridge_path


def problem(n=3000, p=8, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1.0
    y = X @ rng.standard_normal((p,) if t is None else (p, t)) + rng.standard_normal(
        (n, t) if t else n
    )
    return X, y


def chosen(X, y, **parameters):
    """All that a fit of RidgeCV decides, in one array."""
    model = RidgeCV([0.1, 1.0, 10.0], **parameters).fit(X, y)
    scores = [] if model.mean_scores_ is None else model.mean_scores_
    return np.concatenate([np.ravel(part) for part in (model.alpha_, scores, model.coef_)])


def two(y):
    return np.column_stack([y, y**2])


FITS = {
    "auto": lambda X, y: Ridge(n_threads=2).fit(X, y).coef_,
    "all threads": lambda X, y: Ridge().fit(X, y).coef_,
    "float32": lambda X, y: Ridge().fit(X.astype(np.float32), y).coef_,
    "F order": lambda X, y: Ridge().fit(np.asfortranarray(X), y).coef_,
    "dual": lambda X, y: Ridge().fit(X[:6], y[:6]).coef_,
    "svd": lambda X, y: Ridge(solver="svd").fit(X, y).coef_,
    "gd": lambda X, y: Ridge(solver="gd", alpha=100.0).fit(X, y).coef_,
    "path": lambda X, y: ridge_path(X, y, [0.1, 1.0]),
    "statistics": lambda X, y: GramStatistics.from_data(X, y).xx,
    "predict": lambda X, y: Ridge().fit(X, y).predict(X),
    "loo": chosen,
    "loo, 2 threads": lambda X, y: chosen(X, y, n_threads=2),
    "loo, float32": lambda X, y: chosen(X.astype(np.float32), y),
    "loo, wide": lambda X, y: chosen(X[:6], y[:6]),
    "loo, targets": lambda X, y: chosen(X, two(y), alpha_per_target=True),
    "loo, standardize": lambda X, y: chosen(X[:60], y[:60], standardize=True),
    "kfold": lambda X, y: chosen(X, y, cv=5),
    "kfold, shuffled": lambda X, y: chosen(X, y, cv=KFold(5, shuffle=True, random_state=0)),
    "kfold, wide": lambda X, y: chosen(X[:8], y[:8], cv=4),
    "kfold, targets": lambda X, y: chosen(X, two(y), cv=5, alpha_per_target=True),
    "gcv": lambda X, y: chosen(X, y, method="gcv"),
    "em": lambda X, y: chosen(X, y, method="em"),
}


@pytest.mark.parametrize("name", FITS)
def test_fit_repeated_is_bitwise_the_same(name):
    assert_same_bits(FITS[name], *problem())


@pytest.mark.parametrize("name", FITS)
def test_fit_in_many_threads_is_bitwise_the_same(name):
    assert_same_bits_at_once(FITS[name], *problem(), times=24)


@pytest.mark.parametrize("name", FITS)
def test_fit_leaves_data_unchanged(name):
    assert_only_reads(FITS[name], *problem())


def test_fit_of_different_problems_in_parallel_does_not_mix():
    problems = [problem(200 + 37 * k, 3 + k % 6, seed=k) for k in range(24)]
    assert_unmixed(lambda X, y: Ridge().fit(X, y).coef_, problems)


def test_predict_from_many_threads_gives_the_same_values():
    X, y = problem()
    model = Ridge().fit(X, y)
    expected = model.predict(X)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda i: model.predict(X[i : i + 1])[0], range(400)))
    np.testing.assert_allclose(rows, expected[:400], rtol=1e-12)


def test_fit_inside_a_pool_of_one_worker_does_not_deadlock():
    assert_same_bits_inside_a_pool(lambda X, y: Ridge(n_threads=4).fit(X, y).coef_, *problem())


# --- global state --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_fit_leaves_process_wide_state_unchanged(limit):
    X, y = problem(500)
    Ridge().fit(X, y)  # libraries are loaded on first use
    Ridge(solver="svd").fit(X, y)
    with threadpool_limits(limit):
        before = process_state()
        for name, fit in FITS.items():
            fit(X, y)
            after = process_state()
            after["non-daemon threads"] = [
                thread for thread in after["non-daemon threads"] if "fastridge" not in thread
            ]
            before["non-daemon threads"] = [
                thread for thread in before["non-daemon threads"] if "fastridge" not in thread
            ]
            assert after == before, name
        with pytest.raises(ValueError, match="NaN"):
            Ridge().fit(X * np.nan, y)
        assert process_state()["blas"] == before["blas"]


def test_fit_in_parallel_restores_blas_threads():
    X, y = problem(2000)
    before = process_state()["blas"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [fit(X, y) for fit in FITS.values()], range(8)))
    assert process_state()["blas"] == before


def test_import_leaves_floating_point_arithmetic_unchanged():
    """Linking with -ffast-math would flush denormal numbers to zero in the whole process."""
    out = run_script(
        """
        import fastridge, numpy as np, threading
        fastridge.Ridge().fit(np.random.default_rng(0).standard_normal((50, 3)), np.arange(50.0))
        tiny = np.array([1e-310, 5e-324])
        results = [tiny[0] / 2 != 0, tiny[1] * 1.0 != 0]
        def in_a_thread():
            results.append(bool(np.all(tiny * np.ones(2) != 0)))
        worker = threading.Thread(target=in_a_thread)
        worker.start(); worker.join()
        print(all(results))
        """
    )
    assert out.strip() == "True"


@pytest.mark.parametrize("threads", ["1", "5"])
def test_resolve_threads_reads_the_environment(threads):
    out = run_script(
        """
        import fastridge, json, numpy as np
        rng = np.random.default_rng(0)
        X = rng.standard_normal((5000, 4)); y = X.sum(axis=1) + rng.standard_normal(5000)
        print(json.dumps(fastridge.Ridge(n_threads=None).fit(X, y).coef_.tolist()))
        print(fastridge.show_config(mode="dicts"))
        """,
        FASTRIDGE_NUM_THREADS=threads,
    )
    coef = np.array(json.loads(out.splitlines()[0]))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 4))
    y = X.sum(axis=1) + rng.standard_normal(5000)
    np.testing.assert_allclose(coef, Ridge().fit(X, y).coef_, rtol=1e-12)
    assert threads in out.splitlines()[1]


def test_resolve_threads_with_a_bad_environment_raises():
    script = """
        import os
        import numpy as np
        import fastridge  # which reads it in the first fit, and again after an error
        for threads in ("0", "-1", "many", "1.5"):
            os.environ["FASTRIDGE_NUM_THREADS"] = threads
            try:
                fastridge.Ridge().fit(np.eye(3), np.arange(3.0))
            except ValueError as error:
                print(error)
        """
    lines = run_script(script, FASTRIDGE_NUM_THREADS="0").splitlines()
    assert len(lines) == 4
    for line, threads in zip(lines, ("0", "-1", "many", "1.5"), strict=True):
        assert "FASTRIDGE_NUM_THREADS" in line
        assert repr(threads) in line


# --- fork ----------------------------------------------------------------------------------------

FORK = """
    import os, sys
    import numpy as np
    import fastridge
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20000, 6)); y = X.sum(axis=1) + rng.standard_normal(20000)
    expected = fastridge.Ridge(n_threads=2).fit(X, y).coef_
    for _ in range(5):
        child = os.fork()
        if child == 0:
            same = np.array_equal(fastridge.Ridge(n_threads=2).fit(X, y).coef_, expected)
            grandchild = os.fork()
            if grandchild == 0:
                again = np.array_equal(fastridge.Ridge(n_threads=2).fit(X, y).coef_, expected)
                os._exit(0 if again else 1)
            status = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
            os._exit(0 if same and status == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert np.array_equal(fastridge.Ridge(n_threads=2).fit(X, y).coef_, expected)
    print("done")
"""

FORK_WHILE_FITTING = """
    import os, threading
    import numpy as np
    import fastridge
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20000, 6)); y = X.sum(axis=1) + rng.standard_normal(20000)
    expected = fastridge.Ridge(n_threads=2).fit(X, y).coef_
    stop = threading.Event()
    def work():
        while not stop.is_set():
            fastridge.Ridge(n_threads=2).fit(X, y)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    for _ in range(10):
        child = os.fork()
        if child == 0:
            same = np.array_equal(fastridge.GramStatistics.from_data(X, y).n_samples, 20000)
            os._exit(0 if same else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stop.set()
    for thread in threads: thread.join()
    print("done")
"""

FORK_CV = """
    import os
    import numpy as np
    import fastridge
    rng = np.random.default_rng(0)
    # The wide rows' Gram is large enough for LAPACK to run in the pool.
    wide = rng.standard_normal((450, 500)), rng.standard_normal(450)
    tall = rng.standard_normal((20000, 6)), rng.standard_normal((20000, 2))
    def fits():
        for X, y in (wide, tall):
            for cv in (None, 5):
                model = fastridge.RidgeCV(cv=cv, alpha_per_target=True, n_threads=2).fit(X, y)
                yield np.append(model.coef_, model.mean_scores_)
    expected = list(fits())
    def same():
        return all(np.array_equal(a, b) for a, b in zip(fits(), expected, strict=True))
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(0 if same() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert same()
    print("done")
"""

MULTIPROCESSING = """
    import multiprocessing, sys
    import numpy as np
    import fastridge
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 6)); y = X.sum(axis=1)
    def fit(seed):
        return fastridge.Ridge(alpha=seed + 1.0).fit(X, y).coef_
    expected = [fit(seed) for seed in range(6)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map(fit, range(6))
    assert all(np.array_equal(a, b) for a, b in zip(results, expected))
    print("done")
"""


@pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin", reason="fork is unsafe or missing"
)
@pytest.mark.parametrize(
    "script",
    [FORK, FORK_WHILE_FITTING, FORK_CV, MULTIPROCESSING],
    ids=["os", "busy", "cv", "pool"],
)
def test_fit_after_fork_works(script):
    assert run_script(script).strip() == "done"


def test_interpreter_exits_with_a_running_pool():
    out = run_script(
        """
        import threading, numpy as np, fastridge
        X = np.random.default_rng(0).standard_normal((20000, 6))
        fastridge.Ridge(n_threads=3).fit(X, X[:, 0])
        print("done")
        """
    )
    assert out.strip() == "done"


# --- interrupts ----------------------------------------------------------------------------------

INTERRUPT = """
    import signal, threading
    import numpy as np
    import scipy.sparse
    import fastridge
    rng = np.random.default_rng(0)
    small = rng.standard_normal((200, 3)), rng.standard_normal(200)
    expected = fastridge.Ridge().fit(*small).coef_
    few = rng.standard_normal((50, 150))
    stats = fastridge.GramStatistics.from_data(few, few[:, 0])
    before = stats.copy()
    # A window over a series: 20 million rows of 150 columns that take the room of one column.
    X = np.lib.stride_tricks.sliding_window_view(rng.standard_normal(20_000_000), 150)
    y = np.zeros(len(X))
    tall = rng.standard_normal((2000, 400)) * np.logspace(0, -6, 400)
    model = fastridge.Ridge().fit(tall, tall[:, 0])
    model.set_params(solver="gd", alpha=1e-12, tol=0.0, max_iter=10**9)
    wide = np.lib.stride_tricks.sliding_window_view(rng.standard_normal(2_000_999), 2_000_000)
    columns = rng.integers(0, 20_000, 1_500_000)
    made = (rng.random(len(columns)), columns, np.arange(0, len(columns) + 1, 50))
    sparse = scipy.sparse.csr_array(made, shape=(30_000, 20_000)), rng.random(30_000)
    work = {
        "fit": lambda: fastridge.Ridge().fit(X, y),
        "update": lambda: stats.update(X, y),
        "path": lambda: fastridge.ridge_path(X, y, [1.0, 2.0]),
        "gd": lambda: model.fit(tall, tall[:, 0]),
        "lsqr": lambda: fastridge.Ridge(solver="lsqr", tol=0.0, max_iter=10**9).fit(X, y + 1),
        "cg": lambda: fastridge.Ridge(solver="sparse_cg", tol=0.0, max_iter=10**9).fit(X, y + 1),
        "positive": lambda: fastridge.Ridge(positive=True).fit(wide, wide[:, 0]),
        "folds": lambda: fastridge.RidgeCV("auto", cv=3).fit(*sparse),
    }
    for name, fit in work.items():
        timer = threading.Timer(0.4, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        try:
            fit()
        except KeyboardInterrupt:
            print(name, "interrupted", sep=": ")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert np.array_equal(stats.xx, before.xx) and stats.n_samples == 50
        assert np.all(np.isfinite(model.predict(tall)))
        assert np.array_equal(fastridge.Ridge().fit(*small).coef_, expected)
"""


def test_fit_interrupted_raises_and_leaves_the_process_usable():
    names = ["fit", "update", "path", "gd", "lsqr", "cg", "positive", "folds"]
    assert run_script(INTERRUPT).splitlines() == [f"{name}: interrupted" for name in names]


INTERRUPT_CV = """
    import signal, threading
    import numpy as np
    from sklearn.model_selection import KFold
    from threadpoolctl import threadpool_info
    from fastridge import RidgeCV
    rng = np.random.default_rng(0)
    small = rng.standard_normal((200, 3)), rng.standard_normal(200)
    held = RidgeCV(cv=5).fit(*small)
    def state():
        blas = [(library["filepath"], library["num_threads"]) for library in threadpool_info()]
        return np.geterr(), blas, signal.getsignal(signal.SIGINT)
    before = state()
    # Windows over a series: millions of rows, or of columns, that take the room of one.
    series = rng.standard_normal(4_000_000)
    window = np.lib.stride_tricks.sliding_window_view
    long, y = window(series, 400), np.zeros(len(series) - 399)
    wide = window(series, len(series) - 1999)
    some, targets = window(series[:2299], 300), rng.standard_normal((2000, 3000))
    rows = window(series[:60099], 100)
    grid, few = np.logspace(-3, 3, 20_000), np.logspace(-3, 3, 200)
    shuffled = KFold(5, shuffle=True, random_state=0)
    own = {"alpha_per_target": True}
    work = {
        "loo, Gram": lambda: RidgeCV().fit(long, y),
        "loo, errors": lambda: RidgeCV(grid).fit(rows, series[:60000]),
        "loo, wide": lambda: RidgeCV().fit(wide, y[:2000]),
        "loo, targets": lambda: RidgeCV(few, **own).fit(some, targets),
        "loo, standardize": lambda: RidgeCV(standardize=True).fit(rows[:4000], series[:4000]),
        "kfold": lambda: RidgeCV(cv=5).fit(long, y),
        "kfold, shuffled": lambda: RidgeCV(cv=shuffled).fit(long, y),
        "kfold, wide": lambda: RidgeCV(cv=5).fit(wide, y[:2000]),
        "kfold, targets": lambda: RidgeCV(few, cv=5, **own).fit(some, targets),
        "em": lambda: RidgeCV(method="em").fit(long, y),
    }
    total = series.sum(), targets.sum()
    for name, fit in work.items():
        timer = threading.Timer(0.4, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        try:
            fit()
        except KeyboardInterrupt:
            print(name, "interrupted", sep=": ")
        assert state() == before, name
        again = RidgeCV(cv=5).fit(*small)
        assert np.array_equal(again.mean_scores_, held.mean_scores_), name
        assert np.array_equal(again.coef_, held.coef_), name
    assert (series.sum(), targets.sum()) == total
    assert np.all(np.isfinite(held.predict(small[0])))
    print(*work, sep="\\n")
"""


def test_ridge_cv_interrupted_in_any_phase_raises():
    out = run_script(INTERRUPT_CV).splitlines()
    names = out[len(out) // 2 :]
    assert out[: len(names)] == [f"{name}: interrupted" for name in names]
