"""``fastridge fit``, ``cv`` and ``predict``, from parsed arguments to the exit status."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from fastridge.cli import (
    coefficients,
    crossvalidation,
    elastic,
    fitting,
    generalized,
    json_report,
    plotting,
    prediction,
    process,
    report,
    sgd,
)
from fastridge.cli.crossvalidation import Comparison
from fastridge.cli.errors import CommandError, require
from fastridge.cli.families import uses_newton
from fastridge.cli.fitting import Fitted
from fastridge.cli.option_checks import check_options
from fastridge.cli.outputs import check_outputs
from fastridge.runtime.threads import limited_threads


def predict(args: argparse.Namespace) -> None:
    """Carry out ``fastridge predict``."""
    check_outputs(args)
    prediction.predict(args)


@np.errstate(all="ignore")  # what is not finite is refused, or a check fails
def fit_or_compare(args: argparse.Namespace) -> bool:
    """Carry out ``fastridge fit`` or ``cv``; return whether the checks of the result passed.

    Files are written before anything is printed, for the output may be closed.
    """
    problem = check_options(args)
    if problem is not None:
        raise CommandError(problem)
    check_outputs(args)
    if args.plot:
        plotting.check_plot(args.plot)
    if args.coefs:
        coefficients.check_ending(args.coefs)
    with limited_threads(args.n_threads), _limited_parsing(args.n_threads):
        result = _result(args)
    written = _write_files(args, result)
    with suppress(process.ReaderLeft), process.standard_output():
        if args.json:
            json_report.write(json_report.of_result(result, args.command, written))
        else:
            report.print_result(result, written, getattr(args, "top", 0))
    checks = result.checks if isinstance(result, Fitted) else []
    return all(check.passed for check in checks)


@contextmanager
def _limited_parsing(n_threads: int | None) -> Iterator[None]:
    """Limit the threads of pyarrow that parse; with few that read, it may wait forever."""
    if n_threads is None:
        yield
        return
    pa = require("pyarrow", "cli")
    before = pa.cpu_count()
    pa.set_cpu_count(n_threads)
    try:
        yield
    finally:
        pa.set_cpu_count(before)


def _result(args: argparse.Namespace) -> Comparison | Fitted:
    if uses_newton(args):
        return (
            generalized.fit_family(args)
            if args.command == "fit"
            else generalized.choose_family(args)
        )
    if args.command == "cv" and args.l1_ratio is None:
        return crossvalidation.cross_validate(args)
    if args.command == "cv":
        return elastic.choose_elastic_net(args)
    if args.method == "sgd":
        return sgd.fit_sgd(args)
    if args.l1_ratio is not None:
        return elastic.fit_elastic_net(args)
    return fitting.fit(args)


def _write_files(args: argparse.Namespace, result: Comparison | Fitted) -> dict[str, str]:
    """Write the requested files; return what is in each."""
    written = {}
    if args.save:
        assert isinstance(result, Fitted)
        prediction.save_fit(result, args.save)
        written["model"] = args.save
    if args.coefs:
        assert isinstance(result, Fitted)
        coefficients.write_coefficients(result, args.coefs)
        written["coefficients"] = args.coefs
    if args.plot:
        plotting.draw(result, args.plot)
        written["plot"] = args.plot
    return written
