"""The arguments of the command line."""

from __future__ import annotations

import argparse
import math
from typing import Any, NoReturn

DESCRIPTION = """\
Fit a ridge regression to a file, predict with it, look into it.

DATA is a Parquet, CSV (also compressed) or Arrow/Feather file, told apart by its contents. Rows
are read in batches: the file may be larger than memory.
"""

FIT = """\
Fit a ridge regression and print what came out.

Columns: numbers are used as they are; dates and times become days and seconds; text, dictionary
and --categorical columns are one-hot encoded, the --max-categories most frequent values each and
the rest as '(other)'. A missing number becomes the column's mean over the training rows and a
column '... missing' says where; a missing text is a category of its own; rows without the target
are left out.

Each row draws its part from --seed: held out with probability --test-size, else one of --folds
folds. One pass over the training rows gives each fold's X'X and X'y. The penalty with the least
k-fold error is taken, and the model is fitted on all training rows at this penalty. At the end
the rows are read once more: the held-out ones are predicted, and the normal equations are
checked on the training rows themselves; scikit-learn's Ridge is fitted to a sample of them and
compared.
"""

CV = """\
Choose the penalty by several methods and print them side by side.

Columns, rows and folds are those of `fastridge fit`. One pass over the training rows gives each
fold's statistics; one more gives the exact leave-one-out errors and predicts the held-out rows.
With --standardize, leave-one-out keeps the scaling of all training rows; k-fold scales anew in
each fold. The time of a method leaves out reading, statistics and the spectrum that they share.
"""

METHODS = ("loo", "gcv", "kfold", "em", "marginal_likelihood")

PREDICT = """\
Predict with a model that `fastridge fit --save` wrote.

Writes one number a row of DATA, in its order, in a column named 'prediction': as CSV to the
standard output, or to --output. Values that were not in the training rows count as '(other)'
where the model has such a category and as none of the known ones where it has not. If DATA has
the target column too, the error is printed.
"""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``fastridge``, with its commands ``fit``, ``cv``, ``predict`` and ``info``."""
    from fastridge import __version__

    parser = _Parser(prog="fastridge", **_text(DESCRIPTION))
    parser.add_argument("--version", action="version", version=f"fastridge {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    _add_fit(commands.add_parser("fit", help="fit a model to a file", **_text(FIT)))
    _add_cv(commands.add_parser("cv", help="compare choices of the penalty", **_text(CV)))
    predict = commands.add_parser("predict", help="predict with a saved model", **_text(PREDICT))
    predict.add_argument("model", metavar="MODEL", help="file written by fit --save")
    predict.add_argument("data", metavar="DATA", help="file with the model's columns")
    predict.add_argument(
        "--output", metavar="FILE", help="write to FILE: .csv, .parquet, .feather or .arrow"
    )
    info = commands.add_parser(
        "info", help="describe a saved model", **_text("Describe a file written by fastridge.")
    )
    info.add_argument("model", metavar="MODEL", help="file written by fit --save or fastridge.save")
    return parser


def _add_fit(fit: argparse.ArgumentParser) -> None:
    _add_columns(fit)
    model = fit.add_argument_group("model")
    penalty = model.add_mutually_exclusive_group()
    penalty.add_argument("--alpha", metavar="A", type=_penalty, help="penalty to use as it is")
    penalty.add_argument(
        "--alphas",
        metavar="A",
        nargs="*",
        help="penalties to choose from by k-fold (default: an automatic grid)",
    )
    _add_standardize(model)
    validation = _add_validation(fit)
    validation.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="check the result against the rows and scikit-learn (default: yes)",
    )

    output = fit.add_argument_group("output")
    output.add_argument("--save", metavar="MODEL", help="write the model to this file")
    output.add_argument(
        "--top",
        metavar="N",
        type=_count(0),
        default=12,
        help="strongest coefficients to print (default: %(default)s)",
    )
    _add_drawing(output)


def _add_cv(cv: argparse.ArgumentParser) -> None:
    _add_columns(cv)
    model = cv.add_argument_group("model")
    model.add_argument(
        "--methods",
        metavar="M",
        nargs="+",
        choices=METHODS,
        default=list(METHODS),
        help=f"methods to compare, of {', '.join(METHODS)} (default: all)",
    )
    model.add_argument(
        "--selection",
        choices=("min", "1se"),
        default="min",
        help="least error, or largest penalty within one standard error (default: %(default)s)",
    )
    model.add_argument(
        "--alphas",
        metavar="A",
        nargs="*",
        help="penalties above 0 to choose from (default: an automatic grid)",
    )
    _add_standardize(model)
    _add_validation(cv)
    _add_drawing(cv.add_argument_group("output"))


def _add_columns(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", metavar="DATA", help="file with the target and the features")
    command.add_argument(
        "--target", metavar="COL", required=True, help="column to predict (numbers)"
    )
    columns = command.add_argument_group("columns")
    columns.add_argument(
        "--features",
        metavar="COL",
        nargs="+",
        help="columns to predict from, separated by blanks or commas (default: all others)",
    )
    columns.add_argument(
        "--categorical",
        metavar="COL",
        nargs="+",
        default=[],
        help="columns of numbers that are codes, to be one-hot encoded",
    )
    columns.add_argument(
        "--max-categories",
        metavar="N",
        type=_count(1),
        default=100,
        help="categories kept a column (default: %(default)s)",
    )


def _add_standardize(group: Any) -> None:
    group.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="penalise the coefficients of columns of unit variance (default: yes)",
    )


def _add_validation(command: argparse.ArgumentParser) -> Any:
    validation = command.add_argument_group("validation")
    held_out = validation.add_mutually_exclusive_group()
    held_out.add_argument(
        "--test-size",
        metavar="F",
        type=_fraction,
        default=0.2,
        help="part of the rows held out, 0 for none (default: %(default)s)",
    )
    held_out.add_argument("--test", metavar="DATA", help="file of rows to hold out instead")
    validation.add_argument(
        "--folds",
        metavar="K",
        type=_count(2),
        default=5,
        help="folds that choose the penalty (default: %(default)s)",
    )
    validation.add_argument(
        "--seed",
        metavar="N",
        type=_count(0),
        default=0,
        help="seed of the random split (default: %(default)s)",
    )
    return validation


def _add_drawing(output: Any) -> None:
    output.add_argument(
        "--plot",
        metavar="FILE",
        help="draw coefficient path and validation curve to FILE (.png, .svg, .pdf)",
    )
    output.add_argument(
        "--n-threads", metavar="N", type=_count(1), help="threads to use (default: all cores)"
    )


def parse_alphas(words: list[str] | None) -> list[float] | None:
    """The penalties of ``--alphas`` in increasing order; None where the grid is automatic."""
    try:
        alphas = sorted({_penalty(word) for word in split_commas(words or [])})
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"argument --alphas: {error}") from None
    return alphas or None


def split_commas(words: list[str]) -> list[str]:
    """Words separated by blanks or commas."""
    return [part.strip() for word in words for part in word.split(",") if part.strip()]


def _penalty(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"a penalty is a number from 0 up, not {word!r}")
    return value


def _fraction(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"a part is a number from 0 to below 1, not {word!r}")
    return value


def _count(least: int) -> Any:
    def parse(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"a whole number from {least} up, not {word!r}")
        return value

    return parse


def _text(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }
