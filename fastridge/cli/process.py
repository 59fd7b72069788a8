"""The command line as a process: its standard streams, and the signals that end it.

While modules are imported, nothing has been written yet: a signal ends the process at once.
Afterwards it raises an exception, so that unfinished files are deleted. A second signal is ignored
then, for it would leave them.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from fastridge.cli.errors import CommandError, reason
from fastridge.runtime.prefetch import abandon_readers

#: Of a process that a signal ended, as a shell says it.
SIGNALLED = 128
_NAMES = "SIGINT", "SIGTERM", "SIGHUP"
_ENDING = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Terminated(BaseException):
    """A signal asks the process to end; `status` is that to exit with."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = SIGNALLED + number


class ReaderLeft(Exception):
    """Nobody reads the standard output any more, as of ``fastridge ... | head``."""


def begin() -> None:
    """Open standard streams that are closed; let signals end the process at once."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that a terminal cannot show
    for number in _ENDING:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):  # ignored, as by nohup
            signal.signal(number, _leave)


def raise_on_signals() -> None:
    """Let signals raise exceptions from here on, if `begin` was called."""
    for number in _ENDING:
        if signal.getsignal(number) is _leave:
            signal.signal(number, _raise)


def end(status: int) -> NoReturn:
    """End the process without waiting for threads, after an interrupt."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


@contextmanager
def standard_output() -> Iterator[None]:
    """Flush the standard output after the block.

    Raises
    ------
    ReaderLeft
        If nobody reads it any more.
    CommandError
        If it cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        raise ReaderLeft from None
    except OSError as error:
        _discard_output()
        raise CommandError(f"cannot write the standard output: {reason(error)}") from None


def complain(text: str) -> None:
    """Write a line to the standard error, if that is possible."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _open_streams() -> None:
    """Give closed standard streams a descriptor, so that no file gets it.

    Python has no stream for them. Writing to a closed output is an error then, as it should be.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            flags = os.O_RDONLY if name == "stdout" else os.O_RDWR
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _discard_output() -> None:
    """Let what is still held back for the standard output go nowhere, also when Python exits."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    what = "interrupted" if number == signal.SIGINT else "terminated"
    with contextlib.suppress(OSError):
        os.write(2, f"fastridge: {what}\n".encode())
    os._exit(SIGNALLED + number)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    abandon_readers()  # a batch of which may take long
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(number)
