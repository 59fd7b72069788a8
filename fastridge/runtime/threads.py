"""Threads that run kernels, and long calls that Ctrl-C can interrupt.

Work is divided into fixed sequences of bounded slices, one per thread, so results do not depend on
timing. The calling thread works on the first sequence itself and handles signals between slices.
The pool is made when first needed and dropped in a forked child.
"""

import contextlib
import contextvars
import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import starmap
from typing import Any, ParamSpec, TypeAlias, TypeVar

from fastridge._kernels.cpu import current_cpu
from fastridge._typing import Matrix

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Call: TypeAlias = tuple[object, ...]
"""A function and its arguments, as `run_to_end` takes them."""

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_workers: list[int] = []  # native ids of the pool's threads
_default_threads: int | None = None

_SMALL_ORDER = 400  # a factorisation up to this order takes at most some 40 ms
_SMALL_PRODUCT = 1e9  # flops, some 20 ms on one core
_SMALL_VALUES = 1 << 23  # values that are read and written within some 20 ms


def _forget_pool() -> None:
    global _lock, _pool, _pool_size, _workers
    _lock, _pool, _pool_size, _workers = threading.Lock(), None, 0, []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def resolve_threads(n_threads: int | None) -> int:
    """Return the number of threads: `n_threads`, ``FASTRIDGE_NUM_THREADS``, or all usable cores.

    Negative numbers count back from all cores as in joblib (-1 is all of them).
    """
    global _default_threads
    if n_threads is None:
        if _default_threads is None:
            _default_threads = _threads_from_environment()
        return _default_threads
    if isinstance(n_threads, bool) or not hasattr(n_threads, "__index__") or n_threads == 0:
        raise ValueError(
            f"n_threads must be None or an integer other than 0, got {n_threads!r}: "
            "use None for all cores."
        )
    n_threads = n_threads.__index__()
    return n_threads if n_threads > 0 else max(1, _usable_cores() + 1 + n_threads)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads_from_environment() -> int:
    value = os.environ.get("FASTRIDGE_NUM_THREADS", "")
    if not value:
        return _usable_cores()
    if not value.isdigit() or int(value) < 1:
        raise ValueError(
            f"FASTRIDGE_NUM_THREADS={value!r} is not a positive integer: unset it, or set it "
            "to the number of threads."
        )
    return int(value)


@contextlib.contextmanager
def limited_threads(n_threads: int | None) -> Iterator[None]:
    """Limit the threads of a block: ours where no number is given, and those of BLAS and OpenMP.

    None changes nothing. Libraries that the block itself loads are not limited.
    """
    global _default_threads
    if n_threads is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    before, _default_threads = _default_threads, n_threads
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        _default_threads = before


def _submit(call: Callable[..., R], *args: object, size: int, **options: object) -> Future[R]:
    global _pool, _pool_size, _workers
    with _lock:
        if _pool is None or _pool_size < size:
            if _pool is not None:
                _pool.shutdown(wait=False)
            _workers = []
            _pool = ThreadPoolExecutor(
                size,
                "fastridge",
                lambda known: known.append(threading.get_native_id()),
                (_workers,),
            )
            _pool_size = size
        return _pool.submit(call, *args, **options)


def _keep_off_this_cpu() -> set[int] | None:
    """Make the pool's threads wake on another processor than the caller's, which stays busy.

    By default Linux may wake a thread on the processor of the thread that wakes it, and move it
    only milliseconds later. Return the processors to which a thread must `_release` itself once it
    runs, or None if nothing was set.
    """
    if not _workers or not hasattr(os, "sched_setaffinity"):
        return None
    try:
        allowed = os.sched_getaffinity(0)
        others = allowed - {current_cpu()}
        if len(others) == len(allowed) or not others:
            return None
        for worker in _workers:
            os.sched_setaffinity(worker, others)
    except OSError:  # forbidden, as in some sandboxes, or the thread has ended
        return None
    return allowed


def _release(allowed: set[int] | None) -> None:
    if allowed is not None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, allowed)


def run_slices(jobs: Sequence[Iterator[object]]) -> None:
    """Exhaust the iterators, each in its own thread; a step is one bounded slice of work.

    An exception in any thread, including KeyboardInterrupt in the calling one, stops all threads
    after their current slice and is raised here once they have stopped.
    """
    if len(jobs) == 1:
        for _ in jobs[0]:
            pass
        return
    stop = threading.Event()
    allowed = _keep_off_this_cpu()

    def help_with(job: Iterator[object]) -> None:
        _release(allowed)
        work(job)

    def work(job: Iterator[object]) -> None:
        try:
            for _ in job:
                if stop.is_set():
                    return
        except BaseException:
            stop.set()
            raise

    futures: list[Future[None]] = []
    try:
        for job in jobs[1:]:
            futures.append(_submit(help_with, job, size=len(jobs) - 1))
        for _ in jobs[0]:
            if stop.is_set():
                break
        for future in futures:
            future.result()
    except BaseException:
        stop.set()
        wait(futures)
        raise


def taken(queue: deque[T]) -> Iterator[T]:
    """Yield what is left in a queue from which other threads take, too."""
    while queue:
        try:
            item = queue.popleft()
        except IndexError:  # another thread was faster
            return
        yield item


def call_lapack(order: int, call: Callable[..., Any], *args: object, **options: object) -> Any:
    """Return ``call(*args, **options)``, a factorisation of matrices of this order.

    A small one, which takes less than a slice, runs here; a large one in a pool thread, so that
    Ctrl-C is handled while it runs.
    """
    if order <= _SMALL_ORDER:
        return call(*args, **options)
    return call_interruptibly(call, *args, **options)


def call_once_over(n_values: int, call: Callable[..., R], *args: object) -> R:
    """Return ``call(*args)``, a pass over `n_values`, by `call_interruptibly` if they are many."""
    if n_values <= _SMALL_VALUES:
        return call(*args)
    return call_interruptibly(call, *args)


def product(A: Matrix, B: Matrix) -> Matrix:
    """Return ``A @ B``, so that Ctrl-C is handled meanwhile if it takes more than a few ms."""
    columns = B.shape[1] if B.ndim > 1 else 1
    if 2.0 * A.shape[0] * A.shape[1] * columns <= _SMALL_PRODUCT:
        return A @ B
    return call_interruptibly(operator.matmul, A, B)


def call_interruptibly(call: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """Return ``call(*args, **options)``, run in a pool thread so that Ctrl-C is handled meanwhile.

    This is for LAPACK calls that cannot be cut into slices. After an interrupt the call runs to its
    end and its result is dropped, so it must write only to memory that nothing else uses.
    """
    if threading.current_thread() is not threading.main_thread():
        return call(*args, **options)
    # in a copy of the caller's context, because that holds NumPy's floating-point settings
    future = _submit(contextvars.copy_context().run, call, *args, size=1, **options)
    while True:
        done, _ = wait([future], timeout=0.05)
        if done:
            return future.result()


def run_to_end(calls: Iterable[Call], n_threads: int) -> None:
    """Make every call ``(function, *args)``, distributed among threads, despite interrupts.

    This is for work in place that must not be left half done: an exception such as
    KeyboardInterrupt is raised here after the last call. The calls are independent slices of
    compiled code. Compiled code also takes them from the queue, so no signal is handled between
    taking a call and making it.
    """
    queue = deque(calls)
    futures: list[Future[None]] = []
    try:
        if n_threads > 1:
            allowed = _keep_off_this_cpu()
            for _ in range(n_threads - 1):
                futures.append(_submit(_help_with, queue, allowed, size=n_threads - 1))
    finally:
        _finish(queue, futures)
    for future in futures:
        if not future.cancelled():
            future.result()


def _finish(queue: deque[Call], futures: list[Future[None]]) -> None:
    try:
        _make_calls(queue)
        if futures:
            wait([future for future in futures if not future.cancel()])
    except BaseException:
        _finish(queue, futures)
        raise


def _help_with(queue: deque[Call], allowed: set[int] | None) -> None:
    _release(allowed)
    _make_calls(queue)


def _make_calls(queue: deque[Call]) -> None:
    try:
        deque(starmap(operator.call, iter(queue.popleft, None)), maxlen=0)
    except IndexError:  # nothing is left
        if queue:
            raise
