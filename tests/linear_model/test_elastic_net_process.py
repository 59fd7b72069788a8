"""The elastic net as a guest in a process: threads, forks, interrupts, unchanged global state."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
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

from fastridge import ElasticNet, ElasticNetCV, GramStatistics, Lasso, LassoCV, enet_path
from fastridge.solvers.coordinate_descent import path


def problem(n=400, p=12, seed=0):
    """Rows whose last eighth, transposed, is a problem with more columns than rows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1.0
    X[rng.random((n, p)) < 0.5] = 0.0
    return X, X[:, :4] @ [3.0, -2.0, 1.0, 0.5] + rng.standard_normal(n)


def wide(X, y):
    """60 rows of 12 n / 60 columns."""
    return X.reshape(60, -1), y[:60]


def two(y):
    return np.column_stack([y, y**2])


def chosen(X, y, **parameters):
    """All that a fit decides, in one array."""
    model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20, cv=4).set_params(**parameters).fit(X, y)
    return np.concatenate([[model.alpha_, model.l1_ratio_], model.mse_path_.ravel(), model.coef_])


def of_statistics(X, y):
    folds = [GramStatistics.from_data(X[rows], y[rows]) for _, rows in KFold(4).split(X)]
    return LassoCV(alphas=10).fit_statistics(folds).coef_


FITS = {
    "tall": lambda X, y: Lasso(0.01).fit(X, y).coef_,
    "tall, 2 threads": lambda X, y: ElasticNet(0.01, n_threads=2).fit(X, y).coef_,
    "tall, F, float32": lambda X, y: Lasso(0.01).fit(np.asfortranarray(X, np.float32), y).coef_,
    "tall, CSR": lambda X, y: Lasso(0.01).fit(sp.csr_array(X), y).coef_,
    "tall, weights": lambda X, y: Lasso(0.01).fit(X, y, y**2).coef_,
    "targets": lambda X, y: Lasso(0.01, n_threads=2).fit(X, two(y)).coef_,
    "wide": lambda X, y: Lasso(0.01).fit(*wide(X, y)).coef_,
    "wide, F": lambda X, y: Lasso(0.01).fit(np.asfortranarray(wide(X, y)[0]), y[:60]).coef_,
    "wide, CSC": lambda X, y: Lasso(0.01).fit(sp.csc_array(wide(X, y)[0]), y[:60]).coef_,
    "wide, targets": lambda X, y: Lasso(0.01).fit(wide(X, y)[0], two(y)[:60]).coef_,
    "positive": lambda X, y: ElasticNet(0.01, positive=True).fit(*wide(X, y)).coef_,
    "ridge": lambda X, y: ElasticNet(0.01, l1_ratio=0.0).fit(X, y).coef_,
    "path": lambda X, y: enet_path(X, y, alphas=10)[1],
    "path, wide": lambda X, y: enet_path(*wide(X, y), alphas=10)[1],
    "cv": chosen,
    "cv, 2 threads": lambda X, y: chosen(X, y, n_threads=2),
    "cv, shuffled": lambda X, y: chosen(X, y, cv=KFold(4, shuffle=True, random_state=0)),
    "cv, CSR": lambda X, y: chosen(sp.csr_array(X), y),
    "cv, wide": lambda X, y: chosen(*wide(X, y)),
    "cv, wide, CSC": lambda X, y: chosen(sp.csc_array(wide(X, y)[0]), y[:60]),
    "statistics": of_statistics,
}


@pytest.mark.parametrize("name", FITS)
def test_the_same_fit_gives_the_same_bits(name):
    assert_same_bits(FITS[name], *problem())


@pytest.mark.parametrize("name", FITS)
def test_many_fits_at_once_give_the_bits_of_one(name):
    assert_same_bits_at_once(FITS[name], *problem(), times=16)


@pytest.mark.parametrize("name", FITS)
def test_data_are_only_read(name):
    assert_only_reads(FITS[name], *problem())


def test_fits_of_different_problems_at_once_do_not_mix():
    problems = [problem(60 + 37 * k, 4 + 17 * (k % 6), seed=k) for k in range(1, 24)]
    assert_unmixed(lambda X, y: Lasso(0.1).fit(X, y).coef_, problems)


def test_fit_inside_a_pool_of_one_worker_does_not_deadlock():
    assert_same_bits_inside_a_pool(lambda X, y: chosen(X, y, n_threads=4), *problem())


# --- global state --------------------------------------------------------------------------------


def own_state():
    """The state of the process but for our own pool of threads."""
    state = process_state()
    name = "non-daemon threads"
    state[name] = [thread for thread in state[name] if "fastridge" not in thread]
    return state


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_process_wide_state_is_left_as_it_was(limit):
    X, y = problem()
    FITS["ridge"](X, y)  # libraries are loaded on first use
    with threadpool_limits(limit):
        before = own_state()
        for name, fit in FITS.items():
            fit(X, y)
            assert own_state() == before, name
        with pytest.raises(ValueError, match="NaN"):
            Lasso().fit(X * np.nan, y)
        with pytest.raises(ValueError, match="bounds"):
            LassoCV(bounds=(1.0, 2.0)).fit(X, y)
        assert own_state() == before


def test_blas_threads_are_given_back_after_fits_at_once():
    X, y = problem()
    before = own_state()["blas"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [fit(X, y) for fit in FITS.values()], range(8)))
    assert own_state()["blas"] == before


# --- fork ----------------------------------------------------------------------------------------

FITS_OF_A_CHILD = """
    import os, threading
    import numpy as np, scipy.sparse
    from fastridge import Lasso, LassoCV
    rng = np.random.default_rng(0)
    tall, wide = rng.standard_normal((8000, 20)), rng.standard_normal((60, 1500))
    y = tall[:, :4].sum(axis=1) + rng.standard_normal(8000)
    def fits():
        for X, model in ((tall, Lasso(0.01, n_threads=2)), (wide, Lasso(0.1, n_threads=2)),
                         (tall, LassoCV(n_threads=2)), (wide, LassoCV(alphas=20, n_threads=2)),
                         (scipy.sparse.csc_array(wide), Lasso(0.1, n_threads=2))):
            yield model.fit(X, y[: len(X) if isinstance(X, np.ndarray) else 60]).coef_
    expected = list(fits())
    def same():
        return all(np.array_equal(a, b) for a, b in zip(fits(), expected, strict=True))
    def in_a_child(check):
        child = os.fork()
        if child == 0:
            os._exit(0 if check() else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""

FORK = """
    for _ in range(2):
        assert in_a_child(lambda: same() and in_a_child(same))
        assert same()
    print("done")
"""

FORK_WHILE_FITTING = """
    stop = threading.Event()
    def work():
        while not stop.is_set():
            same()
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    few = tall[:500], y[:500]
    alone = Lasso(0.01, n_threads=2).fit(*few).coef_
    for _ in range(5):
        assert in_a_child(
            lambda: np.array_equal(Lasso(0.01, n_threads=2).fit(*few).coef_, alone)
        )
    stop.set()
    for thread in threads: thread.join()
    print("done")
"""

MULTIPROCESSING = """
    import multiprocessing
    def fit(k):
        return Lasso(0.01 * (k + 1)).fit(tall, y).coef_
    alone = [fit(k) for k in range(6)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        together = pool.map(fit, range(6))
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    print("done")
"""


@pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin", reason="fork is unsafe or missing"
)
@pytest.mark.parametrize(
    "script", [FORK, FORK_WHILE_FITTING, MULTIPROCESSING], ids=["os", "busy", "pool"]
)
def test_fit_after_fork(script):
    # OpenBLAS's own threads, where a fork meets them at work, never come back: not to NumPy either
    out = run_script(FITS_OF_A_CHILD + script, OPENBLAS_NUM_THREADS="1")
    assert out.strip() == "done"


# --- interrupts ----------------------------------------------------------------------------------

INTERRUPT = """
    import signal, sys, threading, time
    import numpy as np, scipy.sparse
    from threadpoolctl import threadpool_info
    from fastridge import Lasso, LassoCV, lasso_path
    rng = np.random.default_rng(0)
    few = rng.standard_normal((200, 5)), rng.standard_normal(200)
    few_wide = few[0].reshape(20, 50), few[1][:20]
    def small():
        fits = [Lasso(0.01).fit(*few), Lasso(0.01).fit(*few_wide), LassoCV(alphas=5).fit(*few)]
        return np.concatenate([fit.coef_ for fit in fits])
    expected = small()
    def state():
        blas = [(library["filepath"], library["num_threads"]) for library in threadpool_info()]
        return np.geterr(), blas, signal.getsignal(signal.SIGINT)
    before = state()
    # Windows over a series: millions of rows, or of columns, that take the room of one.
    series = rng.standard_normal(3_000_000)
    window = np.lib.stride_tricks.sliding_window_view
    long, target = window(series, 300), series[: len(series) - 299]
    broad = window(series, len(series) - 1499)
    walk = np.cumsum(rng.standard_normal((1600, 1500)), axis=1)  # neighbours are nearly equal
    walk -= walk.mean(axis=0)
    noise, goals = rng.standard_normal(1600), rng.standard_normal((1600, 4000))
    goal = walk[:, ::7].sum(axis=1) + 3.0 * noise
    sparse_wide = scipy.sparse.random(1500, 20_000, 0.02, "csc", random_state=0)
    never = {"tol": 0.0, "max_iter": 10**9}
    # What runs, and the function in which the signal is sent, so that no clock decides the phase.
    work = {
        "tall, Gram": (Lasso(0.1), long, target, "fit"),
        "tall, descent": (Lasso(1e-7, **never), walk, goal, "descend"),
        "tall, targets": (Lasso(1e-4, **never), walk[:, :200], goals, "path_steps"),
        "wide, first pass": (Lasso(0.1), broad, noise[:1500], "fit"),
        "wide, descent": (Lasso(1e-5, **never), walk[:700], goal[:700], "descend"),
        "sparse tall": (Lasso(1e-7, **never), scipy.sparse.csr_array(walk), goal, "fit"),
        "sparse wide": (Lasso(1e-6, **never), sparse_wide, noise[:1500], "descend"),
        "cv, Gram": (LassoCV(), long, target, "fit"),
        "cv, paths": (LassoCV(alphas=20_000, **never), walk[:, :200], goal, "path_steps"),
        "cv, wide": (LassoCV(eps=1e-5, **never), walk[:700], goal[:700], "path_steps"),
        "cv, sparse wide": (LassoCV(eps=1e-4, **never), sparse_wide, noise[:1500], "path_steps"),
    }
    main, sent = threading.get_ident(), [0.0]
    def functions():
        frame = sys._current_frames()[main]
        while frame is not None:
            yield frame.f_code.co_name
            frame = frame.f_back
    def send(phase):
        while phase not in functions():
            time.sleep(0.01)
        time.sleep(0.1)
        sent[0] = time.perf_counter()
        signal.raise_signal(signal.SIGINT)
    for name, (model, X, y, phase) in work.items():
        sender = threading.Thread(target=send, args=(phase,))
        sender.start()
        try:
            model.fit(X, y)
            print(name, "finished")
            sender.join()
        except KeyboardInterrupt:
            print(name, round(1e3 * (time.perf_counter() - sent[0])), sep=": ")
        sender.join()
        assert state() == before, name
        assert np.array_equal(small(), expected), name
        if name in ("tall, descent", "wide, descent", "sparse wide"):
            assert model.status_ == "interrupted", name
            squares = np.mean((y - model.predict(X)) ** 2) / 2.0
            assert squares + model.alpha * np.abs(model.coef_).sum() < np.var(y) / 2.0, name
            assert np.array_equal(model.sparse_coef_.toarray()[0], model.coef_), name
            assert model.coef_.any() and not np.isnan(model.dual_gap_), name
    print(*work, sep="\\n")
"""


def test_an_interrupt_leaves_every_phase(terminal_table):
    out = run_script(INTERRUPT).splitlines()
    names = out[len(out) // 2 :]
    assert [line.partition(":")[0] for line in out[: len(names)]] == names
    rows = terminal_table("From Ctrl-C to KeyboardInterrupt", ["phase", "ms"])
    rows.extend(line.split(": ") for line in out[: len(names)])


def test_an_interrupted_model_can_be_fitted_again(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 60)), rng.standard_normal(40)
    expected = Lasso(0.01, tol=1e-10).fit(X, y)
    model = Lasso(0.01, tol=1e-10, warm_start=True)
    solve, calls = path._Path.solve, []

    def interrupting(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return (yield from solve(*arguments))

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(path._Path, "solve", interrupting)
        model.fit(X, y)
    assert model.status_ == "interrupted"
    assert model.coef_.any()
    model.fit(X, y)
    assert model.status_ == "converged"
    assert np.allclose(model.coef_, expected.coef_, atol=1e-5)
