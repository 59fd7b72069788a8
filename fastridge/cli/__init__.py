"""The command line: ``fastridge fit``, ``cv``, ``predict`` and ``info``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastridge.cli import process
from fastridge.cli.errors import CommandError, decoded, printable, reason, require

if TYPE_CHECKING:
    import argparse

__all__ = ["main"]

OK = 0
FAILED_CHECK = 1
MISTAKE = 2
INTERRUPTED = 130
_FILES = ("data", "model", "test", "save", "output", "coefs", "plot", "checkpoint")
"""Arguments that may be names of files."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the name of the program; default those of the process.

    Returns
    -------
    status : int
        0; 1 if a check of the result failed; 2 after a mistake in the arguments or the data, or if
        an output cannot be written, which one line on the standard error names; 130 after Ctrl-C
        and 143 after SIGTERM.

    Examples
    --------
    >>> from fastridge.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastridge ...
    0
    """
    if argv is not None:
        return _status(argv)
    process.begin()
    status = _status(sys.argv[1:])
    if status > process.SIGNALLED:
        process.end(status)
    return status


def _status(words: Sequence[str]) -> int:
    """Run a command; say in one line why it failed."""
    name = "fastridge"
    try:
        with process.standard_output():
            args = _parsed(words)
        if isinstance(args, int):
            return args
        name = f"fastridge {args.command}"
        return _run(args)
    except CommandError as error:
        message = str(error)
    except process.ReaderLeft:
        return OK
    except MemoryError:
        message = "not enough memory: choose fewer --features"
    except KeyboardInterrupt:
        process.complain(f"{name}: interrupted")
        return INTERRUPTED
    except process.Terminated as error:
        process.complain(f"{name}: terminated")
        return error.status
    except OSError as error:
        what = "" if error.filename is None else f"cannot read or write {error.filename}: "
        message = what + reason(error)
    except ValueError as error:
        from fastridge.cli.reading import as_option
        from fastridge.data.batches import ScanError

        if not isinstance(error, ScanError):
            raise
        message = error.worded(as_option)
    process.complain(f"{name}: error: {printable(message)}")
    return MISTAKE


def _parsed(words: Sequence[str]) -> argparse.Namespace | int:
    """Return the arguments, or the status to exit with if there is nothing to do."""
    from fastridge.cli.arguments import build_parser

    parser = build_parser()
    if not words:
        parser.print_help(sys.stderr)
        return MISTAKE
    try:
        return _decoded(parser.parse_args(words))
    except SystemExit as exit_:
        return int(exit_.code or 0)


def _decoded(args: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments with names of columns, and values, in UTF-8; not with those of files."""
    for name, value in vars(args).items():
        if isinstance(value, str) and name not in _FILES:
            setattr(args, name, decoded(value))
        elif isinstance(value, list):
            setattr(args, name, [decoded(v) if isinstance(v, str) else v for v in value])
    return args


def _run(args: argparse.Namespace) -> int:
    """Import what the command needs, which takes most of a second, and carry it out."""
    if args.command == "info":
        from fastridge.cli.info import info

        process.raise_on_signals()
        with process.standard_output():
            info(args)
        return OK
    require("pyarrow", "cli")
    require("rich", "cli")
    from fastridge.cli import commands

    process.raise_on_signals()
    if args.command == "predict":
        commands.predict(args)
        return OK
    return OK if commands.fit_or_compare(args) else FAILED_CHECK
