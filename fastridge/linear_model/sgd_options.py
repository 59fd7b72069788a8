"""Checks of the parameters of stochastic gradient descent, and the plan they make."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from fastridge.linear_model.options import check_flags, check_offered
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.sgd.settings import (
    LOSSES,
    OPTIMIZERS,
    PENALTIES,
    REGRESSION_LOSSES,
    SCHEDULES,
    Plan,
)

SHUFFLES = {True: "block", False: "none", "block": "block", "full": "full"}
_FLAGS = ("fit_intercept", "early_stopping", "warm_start", "standardize")
_PASSIVE_AGGRESSIVE = ("pa1", "pa2")


def plan_of(estimator: BaseEstimator, classifies: bool) -> Plan:
    """The estimator's options as a plan; ValueError names the first that is not offered."""
    check_offered(estimator, "loss", LOSSES if classifies else REGRESSION_LOSSES)
    check_offered(estimator, "penalty", PENALTIES)
    check_offered(estimator, "learning_rate", SCHEDULES)
    check_offered(estimator, "on_divergence", ("raise", "halve"))
    check_offered(estimator, "optimizer", OPTIMIZERS)
    check_offered(estimator, "decay", (None, "coupled", "decoupled"))
    check_flags(estimator, _FLAGS)
    alpha = _real(estimator, "alpha", 0.0, np.inf)
    eta0 = _real(estimator, "eta0", 0.0, np.inf, open_low=True)
    epsilon = _real(estimator, "epsilon", 0.0, np.inf)
    power_t = _real(estimator, "power_t", -np.inf, np.inf, open_low=True)
    tol, l1_ratio = -np.inf, 0.0
    if estimator.tol is not None:
        tol = _real(estimator, "tol", 0.0, np.inf)
    if estimator.l1_ratio is not None:
        l1_ratio = _real(estimator, "l1_ratio", 0.0, 1.0, open_high=False)
    elif estimator.penalty == "elasticnet":
        raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")
    _real(estimator, "validation_fraction", 0.0, 1.0, open_low=True)
    max_iter = _integer(estimator, "max_iter", 1)
    n_iter_no_change = _integer(estimator, "n_iter_no_change", 1)
    verbose = estimator.verbose
    verbose = int(verbose) if isinstance(verbose, bool) else _integer(estimator, "verbose", 0)
    average = estimator.average
    if not isinstance(average, (bool, np.bool_)):
        average = _integer(estimator, "average", 1)
    batch_size = _integer(estimator, "batch_size", 1)
    momentum = _real(estimator, "momentum", 0.0, 1.0)
    multinomial = classifies and estimator.multi_class == "multinomial"
    if classifies:
        check_offered(estimator, "multi_class", ("ovr", "multinomial"))
    if multinomial and estimator.loss != "log_loss":
        raise ValueError(
            f"multi_class='multinomial' is offered for loss='log_loss', got {estimator.loss!r}."
        )
    _check_schedule(estimator, classifies, alpha)
    if estimator.optimizer != "sgd" or batch_size > 1 or multinomial:
        _check_batches(estimator)
    return Plan(
        loss=estimator.loss,
        penalty=estimator.penalty,
        alpha=alpha,
        l1_ratio=l1_ratio,
        fit_intercept=bool(estimator.fit_intercept),
        max_iter=max_iter,
        tol=tol,
        shuffle=_shuffle(estimator.shuffle),
        verbose=verbose,
        epsilon=epsilon,
        learning_rate=estimator.learning_rate,
        eta0=eta0,
        power_t=power_t,
        n_iter_no_change=n_iter_no_change,
        average_from=int(average),
        on_divergence=estimator.on_divergence,
        optimizer=estimator.optimizer,
        decoupled=estimator.decay == "decoupled" or estimator.optimizer == "adamw",
        momentum=momentum,
        batch_size=batch_size,
        multinomial=multinomial,
        n_threads=1 if estimator.n_threads is None else resolve_threads(estimator.n_threads),
    )


def _check_schedule(estimator: BaseEstimator, classifies: bool, alpha: float) -> None:
    schedule = estimator.learning_rate
    if schedule == "optimal" and alpha == 0.0:
        raise ValueError(
            "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the "
            "optimal learning rate."
        )
    if schedule == "auto" and estimator.average:
        raise ValueError(
            "average must be False where learning_rate is 'auto': the coefficients of fit are a "
            "mean already."
        )
    wanted = "hinge" if classifies else "epsilon_insensitive"
    if schedule in _PASSIVE_AGGRESSIVE and estimator.loss != wanted:
        raise ValueError(f"Learning rate '{schedule}' only works with loss '{wanted}'.")


def _check_batches(estimator: BaseEstimator) -> None:
    """What goes together with an optimizer, with batches, and with several outputs."""
    optimizer, schedule = estimator.optimizer, estimator.learning_rate
    offered = ["constant", "invscaling", "adaptive"]
    if optimizer in ("sgd", "momentum"):
        offered.append("optimal")
    if optimizer == "ftrl":
        offered = ["constant"]
    if schedule not in offered:
        what = f"optimizer={optimizer!r}"
        if optimizer == "sgd":
            batch = f"batch_size={estimator.batch_size!r}"
            what = batch if estimator.batch_size > 1 else "multi_class='multinomial'"
        raise ValueError(
            f"learning_rate={schedule!r} is not offered with {what}: set it to one of {offered}, "
            "and eta0 to the step size."
        )
    if optimizer == "adamw" and estimator.decay == "coupled":
        raise ValueError(
            "optimizer='adamw' is 'adam' with decoupled decay: set optimizer='adam', or leave "
            "decay at None."
        )
    if optimizer == "ftrl" and estimator.decay == "decoupled":
        raise ValueError("decay='decoupled' is not offered with optimizer='ftrl'.")


def _shuffle(value: Any) -> str:
    if isinstance(value, np.bool_):
        value = bool(value)
    if not isinstance(value, (bool, str)) or value not in SHUFFLES:
        raise ValueError(
            "The 'shuffle' parameter must be True, False, 'block' or 'full'. "
            f"Got {value!r} instead."
        )
    return SHUFFLES[value]


def _real(
    estimator: BaseEstimator,
    name: str,
    low: float,
    high: float,
    open_low: bool = False,
    open_high: bool = True,
) -> float:
    value: Any = getattr(estimator, name)
    if not isinstance(value, bool) and isinstance(value, Real):
        number = float(value)
        if (low < number or (number == low and not open_low)) and (
            number < high or (number == high and not open_high)
        ):
            return number
    brackets = "(["[not open_low], "])"[open_high]
    raise ValueError(
        f"The {name!r} parameter must be a float in the range "
        f"{brackets[0]}{low}, {high}{brackets[1]}. Got {value!r} instead."
    )


def _integer(estimator: BaseEstimator, name: str, least: int) -> int:
    value: Any = getattr(estimator, name)
    if not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least:
        return int(value)
    raise ValueError(
        f"The {name!r} parameter must be an int in the range [{least}, inf). Got {value!r} instead."
    )
