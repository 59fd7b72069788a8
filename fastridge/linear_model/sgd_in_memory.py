"""SGD over rows in memory: one solver run per model, whose result is stored."""

import functools
import operator
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix, PathLike, RowsLike
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.encoded_tables import remember_encoding
from fastridge.linear_model.sgd_base import BaseSGD
from fastridge.linear_model.sgd_inputs import HeldOut, refuse_not_finite
from fastridge.linear_model.sgd_partial_fit import warn_halved
from fastridge.linear_model.sgd_state import State, Targets, judge_by_start
from fastridge.linear_model.sgd_streamed import fit_scan
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.runtime.threads import resolve_threads, run_slices
from fastridge.solvers.sgd.epochs import MemoryRun, ScoreOf, SolverRun
from fastridge.solvers.sgd.order import RowOrder, n_with_weight, rows_with_weight
from fastridge.solvers.sgd.row_views import rows_of
from fastridge.solvers.sgd.settings import Plan, Rows
from fastridge.solvers.sgd.standardisation import Standardisation, standardized_rows
from fastridge.solvers.sgd.state import Weights

_SLICES = operator.methodcaller("slices")


class Posed(NamedTuple):
    """The models that rows ask for."""

    plan: Plan
    y: np.ndarray  # or positions in `classes`
    classes: np.ndarray | None
    targets: Targets
    shape: tuple[int, ...]  # of the coefficients


class InMemorySGD(BaseSGD):
    """`fit` and the passes of `partial_fit`."""

    @abstractmethod
    def _posed(self, plan: Plan, X: Matrix, y: np.ndarray, weight: np.ndarray | None) -> Posed:
        """Return the models that these rows ask for."""

    @abstractmethod
    def _scores(
        self, held: HeldOut, n_models: int, standardisation: Standardisation | None
    ) -> list[ScoreOf | None]:
        """Return the scores that decide when each model ends, if rows are held out."""

    @documented(texts.FIT)
    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: RowsLike | None = None,
        y_val: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
            Rows. float32 and float64 are read in place; in column order, a tile of rows at a time.
            A `fastridge.scan` is read again in every epoch, and by each model of several. Unless
            `shuffle` is False, row groups of Parquet files, other files, and blocks of arrays and
            of tables in memory come in random order, four at a time, and the rows of a batch are
            permuted.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets, each of which is fitted as if alone, or labels of the classes; None only where
            X is a scan.
        coef_init : array-like of the shape of `coef_`, default=None
            Coefficients to start from; None is 0 for all.
        intercept_init : array-like of the shape of `intercept_`, default=None
            Intercepts to start from; None is 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row. None is 1 for
            each. Rows of weight zero count in no step, learning rate, mean or order, unlike in
            scikit-learn.
        X_val : array-like or sparse matrix of shape (n_validation, n_features), default=None
            Rows whose score decides when to end, in place of some held out; arrays also where X is
            a scan.
        y_val : array-like of shape (n_validation,) or (n_validation, n_targets), default=None
            Targets or labels of `X_val`.
        checkpoint : str or os.PathLike, default=None
            For a scan: file from which to resume where it exists, and which is written every
            `checkpoint_every` rows and after every epoch. The result has the same bits as an
            undisturbed fit.
        checkpoint_every

        Returns
        -------
        SGDRegressor or SGDClassifier
            This estimator, fitted.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if an array is malformed or not finite.
        FloatingPointError
            If SGD diverges with ``on_divergence="raise"``, or cannot be helped by shorter steps.
        KeyboardInterrupt
            After Ctrl-C; the model then holds what was reached.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs were not enough, or if steps were halved.
        """
        if isinstance(X, Scan):
            starts, scored = (coef_init, intercept_init), (X_val, y_val)
            fit_scan(self, X, y, sample_weight, scored, starts, checkpoint, checkpoint_every)
            remember_encoding(self, X)
            return self
        refuse_checkpoint(checkpoint, checkpoint_every)
        plan, n_jobs = self._plan(), self.__dict__.get("n_jobs")
        n_threads = 1 if n_jobs is None else resolve_threads(int(n_jobs))
        X, y = self._check_rows(X, y, reset=True)
        weight = self._check_weight(sample_weight, X)
        plan, y, classes, targets, shape = self._posed(plan, X, y, weight)
        if self.warm_start and self.__dict__.get("coef_") is not None:
            coef_init = self._dense_coef() if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        state = self._begin(shape, X.dtype, coef_init, intercept_init)
        held = self._held_out(X, y, weight, X_val, y_val, classes)
        state.enter(self._standardisation(X, weight) if self.standardize else None)
        rows = self._rows(X, weight, plan, len(state.intercept), state)
        weights = state.weights(plan, rows.sparse)
        scores = self._scores(held, len(targets), state.standardisation)
        seeds = self._seeds(len(targets))
        runs = [
            self._run(plan, X, rows, targets, k, own, held.learned, score, seed)
            for k, (own, score, seed) in enumerate(zip(weights, scores, seeds, strict=True))
        ]
        if classes is not None:
            self.classes_ = classes
        judge_by_start(plan, X, state, runs)
        self._fit_runs(plan, state, runs, n_with_weight(y, weight), n_threads)
        return self

    def _run(
        self,
        plan: Plan,
        X: Matrix,
        rows: Rows,
        targets: Targets,
        model: int,
        weights: Weights,
        learned: np.ndarray | None,
        score: ScoreOf | None,
        seed: int,
    ) -> SolverRun:
        def order(weight: np.ndarray | None) -> RowOrder:
            chosen = rows_with_weight(weight, learned)
            if chosen is not None and not len(chosen):  # by class_weight: steps of no length
                chosen = learned
            n_rows = rows.n_rows if chosen is None else len(chosen)
            step = min(rows.slice_rows, max(1, n_rows // 2)) if plan.auto else rows.slice_rows
            counted = None
            if learned is not None and chosen is not learned:
                counted = rows_with_weight(weight)
            elif learned is not None:
                counted = np.arange(rows.n_rows, dtype=np.intp)
            return RowOrder(
                rows.n_rows, chosen, plan.shuffle, int(seed), rows.block_rows, step, counted
            )

        check_rows = functools.partial(refuse_not_finite, X, self)
        on_epoch = self.__dict__.get("_on_epoch")
        given = functools.partial(targets.__getitem__, model)
        return MemoryRun(plan, rows, given, weights, order, score, check_rows, on_epoch)

    def _fit_runs(
        self,
        plan: Plan,
        state: State,
        runs: Sequence[SolverRun],
        n_rows: int | None,
        n_threads: int,
    ) -> None:
        """Exhaust the solver runs and store the result; after Ctrl-C, store what they reached."""
        try:
            with np.errstate(all="ignore"):  # what is not finite is named
                if runs[0].plan.n_threads > 1:
                    n_threads = 1
                # Those of a thread follow each other.
                chunks = [runs[k::n_threads] for k in range(min(n_threads, len(runs)))]
                run_slices([chain.from_iterable(map(_SLICES, chunk)) for chunk in chunks])
        except KeyboardInterrupt:
            for run in runs:
                run.weights.fold(run.settings)
            self._store_runs(plan, state, runs, n_rows)
            raise
        self._store_runs(plan, state, runs, n_rows)
        halvings = max(run.halvings for run in runs)
        if halvings:
            warn_halved(halvings)
        if plan.tol > -np.inf and self.n_iter_ == plan.max_iter:
            warnings.warn(
                "Maximum number of iteration reached before convergence. Consider increasing "
                "max_iter to improve the fit.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if plan.power_t < 0.0:
            warnings.warn(
                "Negative values for `power_t` are deprecated in version 1.8 and will raise an "
                "error in 1.10. Use values in the range [0.0, inf) instead.",
                FutureWarning,
                stacklevel=3,
            )

    def _store_runs(
        self, plan: Plan, state: State, runs: Sequence[SolverRun], n_rows: int | None
    ) -> None:
        weights = [run.weights for run in runs]
        curves = [run.loss_curve for run in runs]
        self.loss_curve_: Any = curves[0] if len(curves) == 1 else curves
        for reached in weights:
            reached.settle()
        state.read(weights)
        self._keep(plan, weights, runs[0].rows.sparse)
        forget(self, "_reference_loss")
        self._step_factor = [reached.state.step_factor for reached in weights]
        state.leave()
        self.n_iter_ = max(run.n_iter for run in runs)
        total = None if n_rows is None else self.n_iter_ * n_rows
        self._store(plan, state, self._step_after(plan, state, weights[0], total))

    def _standardisation(
        self, X: Matrix, weight: np.ndarray | None, seen: list[np.ndarray] | None = None
    ) -> Standardisation:
        """Return the means and standard deviations of these rows and all before them."""
        standardisation = Standardisation(seen)
        with np.errstate(all="ignore"):
            moments = standardisation.see(X, weight)
        bad = np.flatnonzero(~np.isfinite(standardisation.scale))
        if len(bad):
            refuse_not_finite(X, self)
            raise ValueError(
                f"column {bad[0]} of X cannot be standardised: squares of its values overflow. "
                "Divide it by a number of their size."
            )
        self._moments = moments
        return standardisation

    def _rows(
        self, X: Matrix, weight: np.ndarray | None, plan: Plan, n_models: int, state: State
    ) -> Rows:
        """Return X for the kernels, standardised if the state is."""
        n_outputs = n_models if plan.multinomial else 1
        counted = rows_with_weight(weight)
        if state.standardisation is not None:
            return standardized_rows(X, plan, n_outputs, state.standardisation, counted)
        return rows_of(X, plan, n_outputs, counted)

    def _keep(self, plan: Plan, weights: list[Weights], sparse: bool) -> None:
        """Keep the arrays of learning rates and moments, for `partial_fit` to resume."""
        if plan.kernel == "plain":
            forget(self, "_carried")
        else:
            self._carried = self._carries(plan, sparse), [one.carried() for one in weights]

    def _carries(self, plan: Plan, sparse: bool) -> list[object]:
        """Return the options that must be unchanged for `partial_fit` to use the kept arrays."""
        return [plan.kernel, plan.optimizer, plan.multinomial, plan.lazy(sparse)]

    def _step_after(self, plan: Plan, state: State, weights: Weights, n_rows: int | None) -> float:
        """Return the step after that many rows; threads take theirs side by side."""
        if n_rows is None or plan.kernel == "batches" or plan.n_threads > 1:
            return weights.state.t
        return state.t + float(n_rows)
