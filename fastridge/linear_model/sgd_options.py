"""Checks of the parameters of stochastic gradient descent, and the plan that follows from them."""

import numpy as np
from sklearn.base import BaseEstimator

from fastridge.linear_model.constraints import check_parameters
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.sgd.settings import Plan

_SHUFFLES = {True: "block", False: "none", "block": "block", "full": "full"}
PLAN_NAMES = (
    "loss", "penalty", "alpha", "l1_ratio", "fit_intercept", "max_iter", "tol", "shuffle",
    "verbose", "epsilon", "learning_rate", "eta0", "power_t", "early_stopping",
    "validation_fraction", "n_iter_no_change", "warm_start", "average", "on_divergence",
    "optimizer", "decay", "momentum", "batch_size", "n_threads", "standardize",
)  # fmt: skip
"""The parameters that every plan is made of."""

_PASSIVE_AGGRESSIVE = ("pa1", "pa2")


def plan_of(estimator: BaseEstimator, classifies: bool) -> Plan:
    """Return the estimator's options as a plan. Raises ValueError if one is not supported."""
    check_parameters(estimator)
    if estimator.l1_ratio is None and estimator.penalty == "elasticnet":
        raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")
    alpha, batch_size = float(estimator.alpha), int(estimator.batch_size)
    multinomial = classifies and estimator.multi_class == "multinomial"
    if multinomial and estimator.loss != "log_loss":
        raise ValueError(
            "multi_class='multinomial' is supported only for loss='log_loss', got "
            f"{estimator.loss!r}."
        )
    _check_schedule(estimator, classifies, alpha)
    if estimator.optimizer != "sgd" or batch_size > 1 or multinomial:
        _check_batches(estimator)
    return Plan(
        loss=estimator.loss,
        penalty=estimator.penalty,
        alpha=alpha,
        l1_ratio=0.0 if estimator.l1_ratio is None else float(estimator.l1_ratio),
        fit_intercept=bool(estimator.fit_intercept),
        max_iter=int(estimator.max_iter),
        tol=-np.inf if estimator.tol is None else float(estimator.tol),
        shuffle=_SHUFFLES[estimator.shuffle],
        verbose=int(estimator.verbose),
        epsilon=float(estimator.epsilon),
        learning_rate=estimator.learning_rate,
        eta0=float(estimator.eta0),
        power_t=float(estimator.power_t),
        n_iter_no_change=int(estimator.n_iter_no_change),
        average_from=int(estimator.average),
        on_divergence=estimator.on_divergence,
        optimizer=estimator.optimizer,
        decoupled=estimator.decay == "decoupled" or estimator.optimizer == "adamw",
        momentum=float(estimator.momentum),
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
    """Check the options that an optimizer, batches or several outputs restrict."""
    optimizer, schedule = estimator.optimizer, estimator.learning_rate
    supported = ["constant", "invscaling", "adaptive"]
    if optimizer in ("sgd", "momentum"):
        supported.append("optimal")
    if optimizer == "ftrl":
        supported = ["constant"]
    if schedule not in supported:
        what = f"optimizer={optimizer!r}"
        if optimizer == "sgd":
            batch = f"batch_size={estimator.batch_size!r}"
            what = batch if estimator.batch_size > 1 else "multi_class='multinomial'"
        raise ValueError(
            f"learning_rate={schedule!r} is not supported with {what}: set it to one of "
            f"{supported}, and eta0 to the step size."
        )
    if optimizer == "adamw" and estimator.decay == "coupled":
        raise ValueError(
            "optimizer='adamw' is 'adam' with decoupled decay: set optimizer='adam', or leave "
            "decay at None."
        )
    if optimizer == "ftrl" and estimator.decay == "decoupled":
        raise ValueError("decay='decoupled' is not supported with optimizer='ftrl'.")
