"""`partial_fit` of SGD: one epoch over rows, with shorter steps where it diverges."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix
from fastridge.linear_model.sgd_inputs import refuse_not_finite
from fastridge.linear_model.sgd_state import State, Targets, residuals_at
from fastridge.linear_model.user_warnings import warn_user
from fastridge.runtime.threads import run_slices
from fastridge.solvers.sgd.epochs import (
    ASTRAY,
    DIVERGED,
    MOST_HALVINGS,
    TINY,
    divergence,
    one_epoch,
)
from fastridge.solvers.sgd.order import row_order, rows_with_weight
from fastridge.solvers.sgd.settings import Plan, Rows
from fastridge.solvers.sgd.state import Weights

_FIRST = np.zeros(1, dtype=np.intp)


def warn_halved(halvings: int) -> None:
    """Warn that SGD diverged, and that its steps were halved so often."""
    warn_user(
        f"SGD diverged, and its steps were made {2.0**halvings:.3g} times shorter than asked for. "
        "Scale the features, for instance with sklearn.preprocessing.StandardScaler, or set a "
        "smaller eta0; on_divergence='raise' makes this an error.",
        ConvergenceWarning,
    )


def _warn_astray(plan: Plan, times: float) -> None:
    """Warn that earlier calls left a loss of `times` the largest null loss, or raise."""
    if plan.on_divergence == "raise":
        raise divergence(plan, 1, 0)
    warn_user(
        f"the loss of these rows is {times:.3g} times the null loss of any rows so far: SGD "
        "diverged in earlier calls of partial_fit. Scale the features, for instance with "
        "sklearn.preprocessing.StandardScaler, or set a smaller eta0, and start again.",
        ConvergenceWarning,
    )


def take_pass(
    model: BaseEstimator,
    plan: Plan,
    X: Matrix,
    targets: Targets,
    weight: np.ndarray | None,
    state: State,
) -> None:
    """Take one epoch of each model over these rows; `weight` is without those of classes."""
    if state.coef.shape[-1] != X.shape[1]:
        raise ValueError(
            f"Number of features {X.shape[1]} does not match previous data {state.coef.shape[-1]}."
        )
    if X.dtype != state.coef.dtype:
        X = X.astype(state.coef.dtype)
    known = model.__dict__
    seen, raw = known.get("_moments"), state.coef.copy()
    if model.standardize:
        state.enter(model._standardisation(X, weight, seen))
    # until a step is averaged, steps are those without averages, to the last bit
    steps = plan.before_averaging(state.t + X.shape[0] - 1.0)
    rows = model._rows(X, weight, steps, len(state.intercept), state)
    weights = state.weights(steps, rows.sparse)
    check_rows = functools.partial(refuse_not_finite, X, model)
    kind, carried = known.get("_carried", (None, []))
    if kind == model._carries(steps, rows.sparse):
        for model_weights, then in zip(weights, carried, strict=True):
            model_weights.resume(then)
    for model_weights, factor in zip(weights, known.get("_step_factor", ()), strict=False):
        model_weights.shorten(factor)
    before = [model_weights.snapshot() for model_weights in weights]
    seeds = model._seeds(len(weights)) if rows.n_rows > 1 else np.zeros(len(weights))
    references, halvings = list(known.get("_reference_loss", ())), 0
    begins = not references
    try:
        for k, own in enumerate(weights):
            one = _Pass(
                steps, rows, X, *targets[k], own, check_rows, int(seeds[k]), state.standardisation
            )
            if begins:
                references.append(one.loss() if raw.any() else 0.0)
            references[k] = max(references[k], one.null_loss())
            halvings = max(halvings, one.take(references[k]))
            del one  # and the targets made for it
    except ValueError:  # X is not finite, or the steps diverge: as if nothing had been
        for model_weights, then in zip(weights, before, strict=True):
            model_weights.restore(then)
            model_weights.fold(steps.settings(rows.sparse))
        if model.standardize:
            state.leave()
            state.coef[...], model._moments = raw, seen
        raise
    except KeyboardInterrupt:
        _store(model, plan, state, weights, rows, weight)
        raise
    _store(model, plan, state, weights, rows, weight)
    model._reference_loss = references
    if halvings:
        forget(model, "_online")  # which holds the steps of before
        warn_halved(halvings)


class _Pass:
    """One epoch of one model."""

    def __init__(
        self,
        plan: Plan,
        rows: Rows,
        X: Matrix,
        y: np.ndarray,
        weight: np.ndarray | None,
        weights: Weights,
        check_rows: Callable[[], None],
        seed: int,
        standardisation: Any,
    ) -> None:
        self._plan, self._rows, self._X, self._y, self._weight = plan, rows, X, y, weight
        self._weights, self._check_rows, self._seed = weights, check_rows, seed
        self._standardisation = standardisation
        self._chosen = rows_with_weight(weight)
        self._n_rows = rows.n_rows if self._chosen is None else len(self._chosen)
        self._watched = plan.row_loss.grows_quadratically and self._n_rows > 0

    def null_loss(self) -> float:
        """Return the mean loss of the null model on these rows, where losses show divergence."""
        return self._mean_loss(self._y) if self._watched else 0.0

    def loss(self) -> float:
        """Return the mean loss of the model as it is, likewise."""
        if not self._watched:
            return 0.0
        at = self._weights.judged()
        return self._mean_loss(residuals_at(self._X, self._y, self._standardisation, *at))

    def _mean_loss(self, residuals: np.ndarray) -> float:
        chosen = residuals if self._chosen is None else residuals[self._chosen]
        return self._plan.row_loss.null_loss(chosen)

    def take(self, reference: float) -> int:
        """Take the steps, halved where they diverge from `reference`; returns how often."""
        before, halvings = self._weights.snapshot(), 0
        reference = max(reference, TINY)
        if not self._exceeds(DIVERGED * reference, DIVERGED * reference, ASTRAY * reference):
            return 0
        self._weights.restore(before)
        start = self.loss()
        if start > DIVERGED * reference:
            _warn_astray(self._plan, start / reference)
        elif self._plan.on_divergence == "raise":
            raise divergence(self._plan, 1, 0)
        limits = DIVERGED * max(reference, start), max(ASTRAY * reference, start)
        while self._exceeds(*limits) and halvings < MOST_HALVINGS:
            halvings += 1
            self._weights.restore(before)
            self._weights.shorten(0.5**halvings)
        return halvings

    def _exceeds(self, most: float, most_in_the_end: float, sound: float = -1.0) -> bool:
        """Take the steps; returns whether the mean loss that rows met, or the last, is too large.

        The last is not computed where the former is at most `sound`, but for a lone step.
        """
        loss = self._take_once()
        if not self._watched:
            return False
        if self._n_rows <= self._plan.batch_size:  # after a lone step the next call is too late
            most_in_the_end = min(most_in_the_end, max(sound, loss))
        elif loss <= sound:
            return False
        return loss > most or self.loss() > most_in_the_end

    def _take_once(self) -> float:
        """Take the steps; returns the mean loss that rows met."""
        n_rows, rows, weights = self._n_rows, self._rows, self._weights
        if n_rows < 2:
            first = _FIRST if self._chosen is None else self._chosen
            order: Iterator[np.ndarray] = iter((first,)[:n_rows])
        else:
            order = row_order(self._plan, rows, self._chosen, self._seed).epoch()
        given = self._plan, rows, self._y, self._weight, weights
        run_slices([one_epoch(*given, order, self._check_rows, n_rows)])
        return weights.state.loss_sum / max(n_rows, 1)


def _store(
    model: BaseEstimator,
    plan: Plan,
    state: State,
    weights: list[Weights],
    rows: Rows,
    weight: np.ndarray | None,
) -> None:
    state.read(weights)
    model._keep(plan, weights, rows.sparse)
    model._step_factor = [reached.state.step_factor for reached in weights]
    state.leave()
    model.n_iter_ = 1
    n_rows = rows.n_rows if weight is None else int(np.count_nonzero(weight))
    model._store(plan, state, model._step_after(plan, state, weights[0], n_rows))
