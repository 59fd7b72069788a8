"""The arguments of the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NoReturn, TypedDict

from fastridge.cli.reading import add_keep_and_drop, add_reading

DESCRIPTION = """\
Fit a ridge regression or an elastic net to a file, predict with it, look into it.

DATA is a Parquet, CSV (also compressed), Arrow, Feather or svmlight file, told apart by its lines.
Rows are read in batches: the file may be larger than memory.
"""

FIT = """\
Fit a ridge regression, or with --l1-ratio an elastic net, and print what came out.

DATA is a Parquet, CSV or Arrow file, a folder of such (folders in it named key=value are columns),
or a pattern in quotes. It is read in batches, however large it is.

Columns: numbers are used as they are; dates and times become days and seconds; text, dictionary
and --categorical columns are one-hot encoded, the --max-categories most frequent values each and
the rest as '(other)'. A missing number becomes the column's mean over the training rows and a
column '... missing' says where; a missing text is a category of its own; rows without the target
are left out. So are columns that are constant, number the rows or identify them, unless --keep
names them. Text that is nearly numbers or dates is refused, and the message says which option reads
it.

Each row draws its part from --seed: held out with probability --test-size, else one of --folds
folds. One pass over the training rows gives each fold's X'X and X'y. The penalty with the least
k-fold error is taken, and the model is fitted on all training rows at this penalty. At the end
the rows are read once more: the held-out ones are predicted, and the normal equations are
checked on the training rows themselves; scikit-learn's Ridge is fitted to a sample of them and
compared.

With --l1-ratio R the model is the elastic net, with R = 1 the lasso: the least of
|y - Xw - b|²/2n + alpha (R |w|_1 + (1 - R) |w|²/2), so that alpha is on the scale of the mean, not
that of the sum as in ridge. The automatic grid goes down from the alpha at which all coefficients
are zero. Checked are then the duality gap, on the training rows, and scikit-learn's ElasticNet.

With --method sgd, stochastic gradient descent minimises the mean of --loss plus --alpha times the
penalty (0.0001 unless given; with --l1-ratio in part L1). The rows are kept in memory as float32;
if they would take more than a quarter of it, only their targets are kept and the rows are read
again every epoch. Losses for classes take a target of labels: text, or two or more different
numbers. No feature needs scaling with the automatic step size; another --learning-rate needs
--eta0. A terminal shows the loss as it falls, --verbose writes one line per epoch.

With --checkpoint FILE the same command resumes where it was killed; with other penalties, it takes
the statistics from FILE. Delete FILE and FILE.columns when done.
"""

CV = """\
Choose the penalty by several methods and print them side by side; with --l1-ratio, choose that of
an elastic net by k-fold.

Columns, rows and folds are those of `fastridge fit`. One pass over the training rows gives each
fold's statistics; one more gives the exact leave-one-out errors and predicts the held-out rows.
With --standardize, leave-one-out keeps the scaling of all training rows; k-fold scales each fold
by its own training rows. The time of a method excludes reading, statistics and the spectrum, which
all methods share.

With --l1-ratio R ... a path of elastic nets is fitted in each fold for each R (1 is the lasso), all
from the same one pass. For each R, the output shows the alpha of the least k-fold error and the
largest alpha within one standard error of it. The one that --selection takes is fitted to all
training rows, and --save writes that model.
"""

DEFAULTS = {"tol": 1e-4, "max_iter": 1000, "n_alphas": 100, "eps": 1e-3}  # of the elastic net

METHODS = ("loo", "gcv", "kfold", "em", "marginal_likelihood")

PREDICT = """\
Predict with a model that `fastridge fit --save` or `fastridge cv --save` wrote.

Writes one number per row of DATA, in the same order, in a column named 'prediction': as CSV to the
standard output, or to --output. A value that was not in the training rows counts as '(other)' if
the model has that category, and as no category otherwise. If DATA has the target column too, the
error is printed.
"""


def _number(wanted: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def parse(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not fits(value):
            raise argparse.ArgumentTypeError(f"{wanted}, not {word!r}")
        return value

    return parse


_penalty = _number("a penalty is a number from 0 up", lambda value: 0.0 <= value < math.inf)
_tolerance = _number("a tolerance is a number from 0 up", lambda value: 0.0 <= value < math.inf)
_fraction = _number("a part is a number from 0 to below 1", lambda value: 0.0 <= value < 1.0)
_ratio = _number("a number from 0 to 1", lambda value: 0.0 <= value <= 1.0)
_one_ratio = _number(
    "one number from 0 to 1 (`fastridge cv` takes several)", lambda value: 0.0 <= value <= 1.0
)
_step = _number("a step size is a number above 0", lambda value: 0.0 < value < math.inf)
_eps = _number("a number above 0 and below 1", lambda value: 0.0 < value < 1.0)


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``fastridge fit``, ``cv``, ``predict`` and ``info``."""
    from fastridge._version import __version__

    parser = _Parser(prog="fastridge", **_text(DESCRIPTION))
    parser.add_argument("--version", action="version", version=f"fastridge {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    _add_fit(commands.add_parser("fit", help="fit a model to a file", **_text(FIT)))
    _add_cv(commands.add_parser("cv", help="compare choices of the penalty", **_text(CV)))
    predict = commands.add_parser("predict", help="predict with a saved model", **_text(PREDICT))
    predict.add_argument("model", metavar="MODEL", help="file written by fit or cv --save")
    predict.add_argument("data", metavar="DATA", help="file with the model's columns")
    predict.add_argument(
        "--output", metavar="FILE", help="write to FILE: .csv, .parquet, .feather or .arrow"
    )
    add_reading(predict)
    info = commands.add_parser(
        "info", help="describe a saved model", **_text("Describe a file written by fastridge.")
    )
    info.add_argument(
        "model", metavar="MODEL", help="file written by fit or cv --save, or fastridge.save"
    )
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
    _add_elastic_net(
        fit,
        type=_one_ratio,
        help="fit an elastic net with this part of L1 in its penalty; 1 is the lasso",
    )
    _add_sgd(fit)
    validation = _add_validation(fit)
    validation.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="check the result against the rows and scikit-learn (default: yes)",
    )

    _add_checkpoint(fit)
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
    _add_elastic_net(
        cv,
        nargs="+",
        help="compare elastic nets with these parts of L1 in their penalty; 1 is the lasso",
    )
    _add_validation(cv)
    _add_checkpoint(cv)
    output = cv.add_argument_group("output")
    output.add_argument("--save", metavar="MODEL", help="write the chosen elastic net to this file")
    _add_drawing(output)


def _add_columns(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", metavar="DATA", help="file, folder or pattern (in quotes)")
    command.add_argument(
        "--target", metavar="COL", help="column to predict (not needed for svmlight files)"
    )
    command.add_argument("--weights", metavar="COL", help="column of weights of the rows")
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
    add_keep_and_drop(columns)
    columns.add_argument(
        "--max-categories",
        metavar="N",
        type=_count(1),
        default=100,
        help="categories kept a column (default: %(default)s)",
    )
    add_reading(command)


def _add_standardize(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="penalise the coefficients of columns of unit variance (default: yes; not for sgd)",
    )


def _add_elastic_net(
    command: argparse.ArgumentParser,
    help: str,
    type: Callable[[str], float | str] = str,
    nargs: str | None = None,
) -> None:
    group = command.add_argument_group("elastic net, all with --l1-ratio")
    group.add_argument("--l1-ratio", metavar="R", type=type, nargs=nargs, help=help)
    group.add_argument(
        "--n-alphas",
        metavar="N",
        type=_count(1),
        help="length of the automatic grid (default: 100)",
    )
    group.add_argument(
        "--eps",
        metavar="E",
        type=_eps,
        help="its least penalty in parts of its largest (default: 0.001)",
    )
    group.add_argument("--positive", action="store_true", help="no negative coefficients")
    group.add_argument(
        "--tol",
        metavar="T",
        type=_tolerance,
        help="duality gap to reach, in parts of |y|²/n (default: 0.0001); for sgd by how much the "
        "loss must get better in 5 epochs (default: 0.001)",
    )
    group.add_argument(
        "--max-iter",
        metavar="N",
        type=_count(1),
        help="most iterations at an alpha (default: 1000)",
    )


def _add_sgd(command: argparse.ArgumentParser) -> None:
    from fastridge.losses.registry import LOSSES

    group = command.add_argument_group("stochastic gradient descent")
    group.add_argument("--method", choices=("sgd",), help="fit by stochastic gradient descent")
    group.add_argument("--loss", metavar="LOSS", choices=LOSSES, help=f"one of {', '.join(LOSSES)}")
    group.add_argument(
        "--epsilon",
        metavar="E",
        type=_tolerance,
        help="threshold of huber and the epsilon-insensitive losses (default: 0.1)",
    )
    group.add_argument(
        "--learning-rate",
        metavar="RULE",
        choices=("auto", "constant", "optimal", "invscaling", "adaptive"),
        help="auto (default), constant, optimal, invscaling or adaptive",
    )
    group.add_argument("--eta0", metavar="E", type=_step, help="step size (default: 0.01)")
    group.add_argument(
        "--epochs", metavar="N", type=_count(1), help="most passes over the rows (default: 1000)"
    )
    group.add_argument("--average", action="store_true", help="mean of the weights of all steps")
    group.add_argument("--verbose", action="store_true", help="write one line per epoch")


def _add_validation(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
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


def _add_checkpoint(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("long runs")
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep the state of the fit in FILE and FILE.columns: if it was killed, the same "
        "command resumes from there",
    )
    group.add_argument(
        "--checkpoint-every",
        metavar="N",
        type=_count(1),
        help="rows from one to the next (default: 10 million; sgd writes after each epoch too)",
    )


def _add_drawing(output: argparse._ArgumentGroup) -> None:
    output.add_argument(
        "--plot",
        metavar="FILE",
        help="draw coefficient path and validation curve to FILE (.png, .svg, .pdf)",
    )
    output.add_argument(
        "--n-threads", metavar="N", type=_count(1), help="threads to use (default: all cores)"
    )


def parse_alphas(words: list[str] | None) -> list[float] | None:
    """Return the penalties of ``--alphas`` in increasing order; None if the grid is automatic."""
    try:
        alphas = sorted({_penalty(word) for word in split_commas(words or [])})
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"argument --alphas: {error}") from None
    return alphas or None


def parse_l1_ratios(words: list[str]) -> list[float]:
    """Return the numbers of ``--l1-ratio`` in increasing order."""
    try:
        ratios = sorted({_ratio(word) for word in split_commas(words)})
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"argument --l1-ratio: {error}") from None
    if not ratios:
        raise ValueError("argument --l1-ratio: a number from 0 to 1 is missing")
    return ratios


def check_options(args: argparse.Namespace) -> str | None:
    """Return what is wrong with options that do not go together, or None."""
    if args.checkpoint_every is not None and args.checkpoint is None:
        return "argument --checkpoint-every: give --checkpoint, the file to write"
    given = {
        "--n-alphas": args.n_alphas is not None,
        "--eps": args.eps is not None,
        "--positive": args.positive,
        "--tol": args.tol is not None,
        "--max-iter": args.max_iter is not None,
        "--save": args.command == "cv" and args.save is not None,
    }
    if args.command == "fit":
        problem = _check_sgd(args, given)
        if problem is not None or args.method == "sgd":
            return problem
    if args.l1_ratio is None:
        for option, there in given.items():
            if there and option == "--save":
                return (
                    "argument --save: cv compares methods for ridge and makes no model: "
                    "use `fastridge fit --save`, or give --l1-ratio"
                )
            if there:
                return (
                    f"argument {option}: it is for the elastic net: "
                    "leave it out, or give --l1-ratio (1 is the lasso)"
                )
        return None
    if args.command == "cv" and args.methods is not None:
        return (
            "argument --methods: an elastic net is chosen by k-fold alone: "
            "leave out --methods or --l1-ratio"
        )
    for option in ("--n-alphas", "--eps"):
        if given[option] and args.alphas:
            return f"argument {option}: not allowed with argument --alphas"
        if given[option] and getattr(args, "alpha", None) is not None and not args.plot:
            return f"argument {option}: with --alpha there is no grid, but with --plot"
    return None


def _check_sgd(args: argparse.Namespace, given: dict[str, bool]) -> str | None:
    """Return what is wrong with the options of ``--method sgd``, given with or without it."""
    own = {
        "--loss": args.loss is not None,
        "--epsilon": args.epsilon is not None,
        "--learning-rate": args.learning_rate is not None,
        "--eta0": args.eta0 is not None,
        "--epochs": args.epochs is not None,
        "--average": args.average,
        "--verbose": args.verbose,
    }
    if args.method is None:
        for option, there in own.items():
            if there:
                return f"argument {option}: it is for --method sgd: leave it out, or give that"
        return None
    others = {option: given[option] for option in ("--n-alphas", "--eps", "--positive")}
    others |= {"--alphas": bool(args.alphas), "--max-iter": given["--max-iter"]}
    for option, there in others.items():
        if there:
            instead = {"--max-iter": ": give --epochs", "--alphas": ": give --alpha"}
            return f"argument {option}: not supported with --method sgd{instead.get(option, '')}"
    if args.epsilon is not None and "epsilon" not in f"{args.loss}" and args.loss != "huber":
        return "argument --epsilon: it is for --loss huber and the epsilon-insensitive ones"
    if args.average and args.learning_rate in (None, "auto"):
        return "argument --average: with --learning-rate auto the weights are a mean already"
    if args.eta0 is not None and args.learning_rate in (None, "auto", "optimal"):
        return "argument --eta0: give --learning-rate constant, invscaling or adaptive as well"
    return None


def split_commas(words: list[str]) -> list[str]:
    """Return the words that blanks or commas separate."""
    return [part.strip() for word in words for part in word.split(",") if part.strip()]


def _count(least: int) -> Callable[[str], int]:
    def parse(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"a whole number from {least} up, not {word!r}")
        return value

    return parse


class _Text(TypedDict):
    description: str
    formatter_class: type[argparse.HelpFormatter]
    allow_abbrev: bool


def _text(description: str) -> _Text:
    return {
        "description": description,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }
