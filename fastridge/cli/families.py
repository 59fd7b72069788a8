"""The families of ``--family``: which estimator fits one, and which targets it has."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fastridge.cli.arguments import FAMILIES
from fastridge.cli.centring import dense
from fastridge.cli.errors import CommandError, name_list
from fastridge.cli.family_scores import ClassScores, MeanScores
from fastridge.cli.rows import Rows
from fastridge.data.columns import CellError
from fastridge.linear_model.glm import (
    GammaRegressor,
    GeneralizedLinearModel,
    PoissonRegressor,
    TweedieRegressor,
)
from fastridge.linear_model.logistic import LogisticRegression
from fastridge.linear_model.prediction import scores_of
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import Multinomial
from fastridge.losses.smooth import SmoothLoss
from fastridge.losses.tweedie import tweedie_loss

FamilyModel: TypeAlias = LogisticRegression | GeneralizedLinearModel
_POWERS = {"gaussian": 0.0, "poisson": 1.0, "gamma": 2.0, "tweedie": 1.5}
_MOST_CLASSES = 100


@dataclass(frozen=True)
class Family:
    """A distribution of the target around its mean, and the link to the linear predictor.

    Attributes
    ----------
    name, link : str
    power : float
        Of a Tweedie family; NaN for classes.
    """

    name: str
    link: str
    power: float = math.nan

    @classmethod
    def of(cls, args: argparse.Namespace) -> Family:
        """Return the family that the arguments name."""
        if args.family in ("binomial", "multinomial"):
            return cls(args.family, "logit")
        power = _POWERS[args.family] if args.power is None else args.power
        default = "identity" if power <= 0.0 else "log"
        return cls(args.family, args.link or default, power)

    @classmethod
    def of_model(cls, model: object) -> Family | None:
        """Return the family of a fitted model, None for other models."""
        if isinstance(model, LogisticRegression):
            return cls("binomial" if len(model.classes_) == 2 else "multinomial", "logit")
        if not isinstance(model, GeneralizedLinearModel):
            return None
        names = {power: name for name, power in _POWERS.items() if name != "tweedie"}
        loss, power = model._loss(), float(model._power)
        link = "log" if loss.link == "log" else "identity"
        return cls(names.get(power, "tweedie"), link, power)

    @property
    def classifies(self) -> bool:
        """True if targets are classes."""
        return self.link == "logit"

    @property
    def loss(self) -> SmoothLoss:
        """The loss of a family whose targets are numbers."""
        return tweedie_loss(self.power, self.link)

    @property
    def title(self) -> str:
        """The name of a model of this family."""
        if self.classifies:
            return "Logistic regression" if self.name == "binomial" else "Multinomial regression"
        power = f" of power {self.power:g}" if self.name == "tweedie" else ""
        return f"{self.name.capitalize()} regression{power} with {_a(self.link)} {self.link} link"

    @property
    def ratios(self) -> str | None:
        """The name of exponentials of coefficients; None for an identity link."""
        if self.classifies:
            return "odds ratio"
        rate = "rate ratio" if self.name == "poisson" else "ratio of means"
        return rate if self.link == "log" else None

    def model(self, alpha: float, sum_weights: float, l1_ratio: float, **options: Any) -> Any:
        """Return an estimator; `alpha` is on the scale of the mean of the losses."""
        if self.classifies:
            C = 1.0 / (alpha * sum_weights) if alpha > 0.0 else math.inf
            solver = "saga" if l1_ratio > 0.0 else "lbfgs"  # as scikit-learn has it with L1
            return LogisticRegression(C=C, l1_ratio=l1_ratio, solver=solver, **options)
        options |= {"alpha": alpha, "l1_ratio": l1_ratio}
        if self.link == "log" and self.name == "poisson":
            return PoissonRegressor(**options)
        if self.link == "log" and self.name == "gamma":
            return GammaRegressor(**options)
        return TweedieRegressor(**options, power=self.power, link=self.link)  # type: ignore[arg-type]

    def scores(self, null: np.ndarray) -> MeanScores | ClassScores:
        """Return scores against the null model, of which these are the linear predictors."""
        if self.classifies:
            return ClassScores(null)
        return MeanScores(self.loss, float(null[0]))

    def free_model(self) -> Any:
        """Return an estimator without a penalty, for few features."""
        return self.model(0.0, 1.0, 0.0, tol=1e-10)

    def check_target(self, name: str) -> Callable[[np.ndarray], None] | None:
        """Return a function that raises CellError for targets out of range; None for any."""
        if self.classifies or not self.power > 0.0:
            return None
        zero = self.power < 2.0

        def outside(value: float) -> bool:
            return value < 0.0 or (value == 0.0 and not zero)

        def fits(text: str | None) -> bool:
            try:
                return text is not None and outside(float(text.replace(",", ".")))
            except ValueError:
                return False

        def check(y: np.ndarray) -> None:
            wrong = y < 0.0 if zero else y <= 0.0
            if wrong.any():
                least = "0 or more" if zero else "above 0"
                raise CellError(
                    name,
                    f"holds {y[wrong][0]:g}, and targets of --family {self.name} are {least}: "
                    "leave such rows out, or choose another family",
                    fits,
                )

        return check

    def check_classes(self, labels: list[str], target: str, path: str) -> None:
        """Raise CommandError unless the family has this number of classes."""
        what = f"the target {target!r} of {path}"
        if len(labels) < 2:
            only = f", {labels[0]}" if labels else ""
            raise CommandError(f"--family {self.name} needs two classes: {what} has one{only}")
        if self.name == "binomial" and len(labels) > 2:
            raise CommandError(
                f"--family binomial is for two classes, and {what} has {len(labels)} "
                f"({name_list(labels, 5)}): give --family multinomial"
            )
        if len(labels) > _MOST_CLASSES:
            raise CommandError(
                f"--family multinomial is for at most {_MOST_CLASSES} classes, and {what} has "
                f"{len(labels)}: choose another family"
            )


def _a(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def check_family(args: argparse.Namespace) -> str | None:
    """Return what is wrong with the options of ``--family``, given with or without it."""
    own = {
        "--power": args.power is not None,
        "--link": args.link is not None,
        "--offset": args.offset is not None,
        "--exposure": args.exposure is not None,
        "--C": getattr(args, "C", None) is not None,
    }
    family = args.family
    if family is None:
        for option, there in own.items():
            if there:
                return f"argument {option}: it is for --family: give one of {', '.join(FAMILIES)}"
        return None
    if getattr(args, "method", None) == "sgd":
        return "argument --family: not supported with --model sgd: give --loss, or leave out sgd"
    if own["--power"] and family != "tweedie":
        return "argument --power: it is for --family tweedie"
    if own["--power"] and 0.0 < args.power < 1.0:
        return f"argument --power: no family has a power between 0 and 1, as {args.power:g} is"
    if own["--link"]:
        links = {"binomial": ("logit",), "multinomial": ("logit",)}.get(family, ("log", "identity"))
        if args.link not in links:
            return f"argument --link: of --family {family} it is {' or '.join(links)}"
    if family == "gaussian" and not uses_newton(args):
        if own["--C"]:
            return "argument --C: it is for classes: give --alpha"
        return None
    described = Family.of(args)
    if own["--C"] and not described.classifies:
        return "argument --C: it is for classes: give --alpha"
    if own["--offset"] and family == "multinomial":
        return (
            "argument --offset: not supported with --family multinomial, whose classes it would "
            "all move alike"
        )
    if own["--exposure"] and described.link != "log":
        return (
            f"argument --exposure: it needs a log link, and --family {family} has {described.link} "
            "here: give --offset"
        )
    if args.positive:
        return "argument --positive: not supported with --family"
    if args.command == "cv" and args.methods is not None:
        return "argument --methods: with --family the penalty is chosen by k-fold alone"
    return None


def uses_newton(args: argparse.Namespace) -> bool:
    """Return whether Newton's method fits the model, which ridge and elastic nets do not need."""
    if args.family is None:
        return False
    has_terms = args.offset is not None or args.exposure is not None
    is_plain = args.link in (None, "identity") and not has_terms
    return not (args.family == "gaussian" and is_plain)


def with_offset(predictor: np.ndarray, offset: np.ndarray | None, n_rows: int) -> np.ndarray:
    """Return linear predictors of shape (n_rows,), or with several classes (n_rows, n_classes)."""
    several = predictor.shape[-1] > 1
    eta = np.array(np.broadcast_to(predictor, (n_rows, predictor.shape[-1])))
    if offset is not None:
        eta += offset.reshape(n_rows, -1)
    return eta if several else eta[:, 0]


def predictors(model: FamilyModel, rows: Rows) -> np.ndarray:
    """Return the linear predictors of rows, as `with_offset` does; the same bits in any batches."""
    return predictors_of(dense(model.coef_), model.intercept_, rows)


def predictors_of(coef: np.ndarray, intercept: np.ndarray, rows: Rows) -> np.ndarray:
    """Return what `predictors` does, of coefficients and intercepts."""
    coef = np.atleast_2d(coef)
    intercept = np.broadcast_to(np.ravel(intercept), len(coef))
    return with_offset(scores_of(rows.X, coef, intercept), rows.offset, len(rows.y))


def derivatives(family: Family, eta: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return derivatives of the loss of each row, of shape (n_rows, n_outputs)."""
    with np.errstate(all="ignore"):
        if not family.classifies:
            return family.loss.derivative(index, eta)[:, None]
        if eta.ndim == 1:
            return Logistic().derivative(2.0 * index - 1.0, eta)[:, None]
        return Multinomial.derivative(index, eta)
