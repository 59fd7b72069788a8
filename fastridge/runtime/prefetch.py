"""Prefetch: a thread reads items while the caller works on those before."""

import atexit
import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")
_TICK = 0.05  # seconds after which a waiting thread looks whether it is still wanted
_PATIENCE = 5.0  # seconds that the end of the interpreter waits for a reader
_readers: set[tuple[threading.Event, threading.Thread]] = set()


@atexit.register
def _end_readers() -> None:
    """End the threads that read: one that is in C++ code as the interpreter ends would abort it."""
    for stop, _ in list(_readers):
        stop.set()
    for _, reader in list(_readers):
        reader.join(_PATIENCE)


def prefetched(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Yield the items in their order, at most `depth` of them read before they are asked for.

    What reading raises is raised here, after the items before it. Closing this iterator ends the
    thread and closes `items`.
    """
    waiting: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: T | None, error: BaseException | None, last: bool) -> None:
        while not stop.is_set():
            try:
                waiting.put((item, error, last), timeout=_TICK)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for item in items:
                put(item, None, False)
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
            put(None, error, True)
        else:
            put(None, None, True)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    reader = threading.Thread(target=read, name="fastridge-reader", daemon=True)
    own = stop, reader
    reader.start()
    _readers.add(own)
    try:
        while True:
            try:
                item, error, last = waiting.get(timeout=_TICK)
            except queue.Empty:  # signals are seen between two waits
                if stop.is_set():
                    raise RuntimeError("rows cannot be read while the interpreter ends") from None
                continue
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        reader.join()
        _readers.discard(own)
