"""Prefetching: a thread reads batches while the caller works on earlier ones."""

import atexit
import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
_TICK = 0.05  # seconds after which a waiting thread checks whether it should stop
_PATIENCE = 5.0  # seconds that the exiting interpreter waits for a reader
_readers: set[tuple[threading.Event, threading.Thread]] = set()
_abandoned = threading.Event()


def abandon_readers() -> None:
    """Wait for no reader from now on, as the process ends at once without them."""
    _abandoned.set()


@atexit.register
def _end_readers() -> None:
    """End the readers: one inside C++ code would abort the process when the interpreter exits."""
    for stop, _ in list(_readers):
        stop.set()
    for _, reader in list(_readers):
        reader.join(_PATIENCE)


def prefetched(items: Iterator[T], depth: int = 2) -> Generator[T, None, None]:
    """Yield the same items in the same order, with at most `depth` of them read in advance.

    An exception of `items` is raised here after the items that precede it. Closing this iterator
    ends the thread and closes `items`.
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
            except queue.Empty:  # signals are handled between two waits
                if stop.is_set():
                    raise RuntimeError("rows cannot be read while the interpreter exits") from None
                continue
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        while reader.is_alive() and not _abandoned.is_set():
            reader.join(_TICK)
        _readers.discard(own)
