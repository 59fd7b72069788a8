"""The command line: ``fastridge fit``, ``cv``, ``predict`` and ``info``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from fastridge.cli.errors import CommandError

__all__ = ["main"]

OK = 0
FAILED_CHECK = 1
MISTAKE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the name of the program; default those of the process.

    Returns
    -------
    status : int
        0; 1 if a check of the result failed; 2 after a mistake in the arguments or the data, which
        one line on the standard error names; 130 after Ctrl-C.

    Examples
    --------
    >>> from fastridge.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastridge ...
    0
    """
    from fastridge.cli.arguments import build_parser
    from fastridge.cli.errors import printable
    from fastridge.data.batches import ScanError

    if argv is None:  # this is the program: names that the terminal cannot show are no error
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    parser = build_parser()
    if not words:
        parser.print_help(sys.stderr)
        return MISTAKE
    try:
        args = parser.parse_args(words)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    name = f"fastridge {args.command}"
    try:
        return _run(args)
    except CommandError as error:
        print(f"{name}: error: {printable(str(error))}", file=sys.stderr)
        return MISTAKE
    except ScanError as error:
        from fastridge.cli.reading import as_option

        print(f"{name}: error: {printable(error.worded(as_option))}", file=sys.stderr)
        return MISTAKE
    except MemoryError:
        print(f"{name}: error: not enough memory: choose fewer --features", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left (`fastridge ... | head`): keep Python's exit quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _run(args: argparse.Namespace) -> int:
    from fastridge.cli.errors import require

    require("pyarrow", "cli")
    require("rich", "cli")
    from fastridge.cli import info, prediction

    if args.command == "predict":
        prediction.predict(args)
        return OK
    if args.command == "info":
        info.info(args)
        return OK
    from fastridge.cli import (
        coefficients,
        crossvalidation,
        elastic,
        fitting,
        json_report,
        plotting,
        report,
        sgd,
    )
    from fastridge.cli.arguments import check_options

    problem = check_options(args)
    if problem is not None:
        raise CommandError(problem)
    for path in filter(None, (args.save, args.plot, args.checkpoint, args.coefs)):
        prediction.check_writable(path)
    if args.plot:
        plotting.check_plot(args.plot)
    if args.coefs:
        coefficients.check_ending(args.coefs)
    result: crossvalidation.Comparison | fitting.Fitted
    if args.command == "cv" and args.l1_ratio is None:
        result = crossvalidation.cross_validate(args)
    elif args.command == "cv":
        result = elastic.choose_elastic_net(args)
    elif args.method == "sgd":
        result = sgd.fit_sgd(args)
    elif args.l1_ratio is not None:
        result = elastic.fit_elastic_net(args)
    else:
        result = fitting.fit(args)
    written = {}
    if args.save:
        assert isinstance(result, fitting.Fitted)
        prediction.save_fit(result, args.save)
        written["model"] = args.save
    if args.coefs:
        assert isinstance(result, fitting.Fitted)
        coefficients.write_coefficients(result, args.coefs)
        written["coefficients"] = args.coefs
    if args.plot:
        plotting.draw(result, args.plot)
        written["plot"] = args.plot
    if args.json:
        json_report.write(json_report.of_result(result, args.command, written))
    else:
        report.print_result(result, written, getattr(args, "top", 0))
    checks = result.checks if isinstance(result, fitting.Fitted) else []
    return OK if all(check.passed for check in checks) else FAILED_CHECK
