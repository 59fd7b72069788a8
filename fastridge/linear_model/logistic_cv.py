"""Logistic regression that chooses its penalty, with scikit-learn's interface."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags, metadata_routing
from sklearn.utils.validation import validate_data

from fastridge._docstrings import documented
from fastridge._typing import AlphaScale, Bounds, Folds, RandomState, RowsLike, Scoring
from fastridge._validation import (
    READ_IN_PLACE,
    check_weight,
    dtype_of_rows,
    refuse_array_api,
)
from fastridge.linear_model import smooth_models, smooth_texts
from fastridge.linear_model.class_scoring import ClassScorer
from fastridge.linear_model.constraints import LOGISTIC_CV, Constraints, check_parameters
from fastridge.linear_model.logistic import LogisticRegression
from fastridge.linear_model.logistic_cv_options import CVOptions, check_cv_options
from fastridge.linear_model.logistic_options import not_converged_words
from fastridge.linear_model.logistic_selection import Grid, HeldOut
from fastridge.linear_model.options import store_parameters
from fastridge.linear_model.planned_splits import planned_splits
from fastridge.linear_model.routing import is_routing, routed_metadata
from fastridge.linear_model.separated import status_of
from fastridge.linear_model.smooth_path import check_cs, separations_of, warn_of_path
from fastridge.model_selection.splits import Split
from fastridge.runtime.sparse_indices import refuse_malformed
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.problem import NewtonResult


@documented(smooth_texts.SMOOTH)
class LogisticRegressionCV(LogisticRegression):
    """Logistic regression that chooses its penalty, as `sklearn.linear_model.LogisticRegressionCV`.

    Minimises the objective of `fastridge.LogisticRegression` at the C and the l1_ratio that predict
    best by cross-validation. The fit of a fold starts at the minimum of all rows with the same
    penalty and meets the same tolerance as one from zero. ``cv="alo"`` needs no folds: it takes
    approximate leave-one-out from the Hessian of the fits to all rows.

    Parameters
    ----------
    Cs : int or array-like of shape (n_cs,), default=10
        Inverses of the strength of the penalty to try, above 0; infinity is no penalty. A number
        stands for as many between 1e-4 and 1e4 on a logarithmic scale.
    l1_ratios : array-like of shape (n_l1_ratios,) or None, default="warn"
        Shares of the L1 norm in the penalty to try, from 0 to 1. As in scikit-learn, 1 needs the
        solver "liblinear" or "saga", and values between need "saga". None, which is deprecated, is
        the same as (0.0,) but for the shape of attributes; so is the default, with a warning.
    fit_intercept : bool, default=True
        Fit intercepts, which are not penalised. Otherwise `intercept_` is 0.
    cv : int, splitter, iterable, "alo" or None, default=None
        Number of stratified folds, a scikit-learn splitter, or pairs of arrays of row indices. None
        is 5 folds. "alo" is approximate leave-one-out.
    dual : bool, default=False
        Accepted for compatibility, True only with ``solver="liblinear"``, and ignored.
    penalty : {"l1", "l2", "elasticnet"}, default="deprecated"
        Deprecated, as in scikit-learn: give `l1_ratios`.
    scoring : str, callable or None, default="warn"
        A scikit-learn scorer. None is the accuracy; so is the default, with a warning.
    solver : {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}, \
            default="lbfgs"
        Accepted for compatibility, as in `fastridge.LogisticRegression`.
    tol
    max_iter : int, default=100
        Most Newton steps of each fit.
    class_weight : dict, "balanced" or None, default=None
        Factors of the weights of the rows of each class, by its label. "balanced" is
        ``sum of weights / (n_classes * sum of the class's weights)``, of all rows. None is 1 for
        all.
    n_jobs : int or None, default=None
        Accepted for compatibility and ignored: see `n_threads`.
    verbose
    refit : bool, default=True
        Fit all rows at the chosen penalty. Otherwise coefficients, intercepts and penalties are
        means over the splits of those that were best there.
    intercept_scaling : float, default=1.0
        Accepted for compatibility and ignored.
    random_state
    use_legacy_attributes : bool, default="warn"
        Whether `C_`, `l1_ratio_`, `coefs_paths_`, `scores_` and `n_iter_` have scikit-learn's older
        form. The default is True, with a warning.
    selection : {"min", "1se"}, default="min"
        ``"min"`` takes the penalty of the best mean score; ``"1se"`` the smallest C, at the same
        l1_ratio, whose mean score is within one standard error of the best.
    standardize : bool, default=False
        Penalise the coefficients of standardised columns, which are standardised by the training
        rows of each split; `coef_` and `bounds` stay in the units of X.
    penalty_factors
    bounds : (lower, upper), default=None
        Least and largest coefficients, as in `fastridge.LogisticRegression`.
    alpha_scale : {"sum", "mean"}, default="sum"
        Whether the penalty, times 1 / C, is added to the sum of the losses or to their mean, which
        is that of the training rows of each split.
    n_threads

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, in increasing order.
    coef_ : ndarray or sparse matrix of shape (1, n_features) or (n_classes, n_features)
        Coefficients in the units of X, in float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0 with ``fit_intercept=False``.
    Cs_ : ndarray of shape (n_cs,)
        The Cs that were tried.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The l1_ratios that were tried; ``[None]`` where `l1_ratios` is None.
    coefs_paths_ : ndarray or dict
        Coefficients of the fit of each split at each penalty, with the intercepts last, of shape
        (n_splits, n_l1_ratios, n_cs, 1 or n_classes, n_features + 1). In the older form a
        dictionary with an array of shape (n_splits, n_cs[, n_l1_ratios], n_features + 1) for each
        class, of two only the second. With ``cv="alo"`` or `X_val` there is one split, of all rows.
    scores_ : ndarray or dict
        Scores of shape (n_splits, n_l1_ratios, n_cs). In the older form a dictionary as
        `coefs_paths_`, with arrays of shape (n_splits, n_cs[, n_l1_ratios]).
    C_ : float or ndarray of shape (1,) or (n_classes,)
        The chosen C.
    l1_ratio_ : float or ndarray of shape (1,) or (n_classes,)
        The chosen l1_ratio.
    n_iter_ : ndarray
        Number of Newton steps, of shape (n_splits, n_l1_ratios, n_cs), or in the older form
        (1, n_splits, n_cs[, n_l1_ratios]).
    C_min_ : float
        What ``selection="min"`` gives.
    C_1se_ : float
        What ``selection="1se"`` gives; NaN where there is no standard error.
    mean_scores_ : ndarray of shape (n_l1_ratios, n_cs)
        Means of the scores over the splits.
    standard_errors_ : ndarray of shape (n_l1_ratios, n_cs)
        Standard error of each mean score, over the splits, or over the rows of a single one.
    solver_, rcond_, gradient_norm_, dual_gap_, status_, n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.LogisticRegression : At one penalty; notes and references.
    fastridge.logistic_path : Coefficients at many Cs.

    Notes
    -----
    Approximate leave-one-out takes the model without a row to be one Newton step away from the
    model of all rows, with the same penalty of each column; with an L1 penalty, with the same
    coefficients at zero. It is nearly exact where no single row matters much, and not where a row
    has a leverage near 1.

    References
    ----------
    Rad and Maleki, "A scalable estimate of the out-of-sample prediction error via approximate
    leave-one-out cross-validation", JRSS B 82 (2020).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastridge import LogisticRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> options = {"l1_ratios": (0,), "use_legacy_attributes": False, "scoring": "neg_log_loss"}
    >>> model = LogisticRegressionCV(**options).fit(X, y)
    >>> model.predict_proba(X[:2]).round(2)
    array([[1., 0., 0.],
           [1., 0., 0.]])
    >>> model = LogisticRegressionCV(cv="alo", **options).fit(X, y == 1)
    >>> model.scores_.shape
    (1, 1, 10)
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {
        "offset": metadata_routing.UNUSED,
        "groups": metadata_routing.UNUSED,
        "X_val": metadata_routing.UNUSED,
        "y_val": metadata_routing.UNUSED,
    }
    __metadata_request__score: ClassVar[dict[str, str]] = {
        "sample_weight": metadata_routing.UNUSED,
    }
    _parameter_constraints: ClassVar[Constraints] = LOGISTIC_CV

    bias_reduction = None
    Cs: int | ArrayLike
    l1_ratios: ArrayLike | None
    cv: Folds | Literal["alo"] | None
    scoring: Scoring | None
    refit: bool
    selection: Literal["min", "1se"]
    use_legacy_attributes: bool | str

    def __init__(
        self,
        *,
        Cs: int | ArrayLike = 10,
        l1_ratios: ArrayLike | None = "warn",
        fit_intercept: bool = True,
        cv: Folds | Literal["alo"] | None = None,
        dual: bool = False,
        penalty: str = "deprecated",
        scoring: Scoring | None = "warn",
        solver: str = "lbfgs",
        tol: float = 1e-4,
        max_iter: int = 100,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: RandomState = None,
        use_legacy_attributes: bool | str = "warn",
        selection: Literal["min", "1se"] = "min",
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        alpha_scale: AlphaScale = "sum",
        n_threads: int | None = None,
    ) -> None:
        store_parameters(self, locals())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @documented(smooth_texts.FIT)
    def fit(  # type: ignore[override]  # of rows in memory
        self,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        X_val: RowsLike | None = None,
        y_val: ArrayLike | None = None,
        **params: object,
    ) -> Self:
        """Choose the penalty and fit the model to all rows.

        Parameters
        ----------
        X
        y : array-like of shape (n_samples,)
            Labels of any type, of at least two classes.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; None is 1 for each. They count in fitting and, unless
            metadata routing says otherwise, in each split's score; all splits count the same.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for a splitter that takes them.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known terms of the linear predictors, which have no coefficient. They count in scores.
        X_val : array-like or sparse matrix of shape (n_rows, n_features), default=None
            Rows whose score chooses the penalty, in place of splits.
        y_val : array-like of shape (n_rows,), default=None
            Their labels.
        **params : dict
            Metadata for the scorer and the splitter, with scikit-learn's metadata routing enabled.

        Returns
        -------
        LogisticRegressionCV
            This estimator, fitted.

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            Once, if a fit stopped at `max_iter`, or if classes are separated at ``C=np.inf``.
        """
        check_parameters(self)
        resolve_threads(self.n_threads)
        options = check_cv_options(self)
        Cs = check_cs(self.Cs, type(self).__name__)
        smooth_models.refuse_scan(self, X, "")
        cv, leave_one_out = self.cv, isinstance(self.cv, str)
        if groups is not None and (leave_one_out or X_val is not None):
            raise ValueError("groups is given, but no splits are made: leave groups out.")
        if X_val is not None and (self.cv is not None or offset is not None):
            name = "offset" if self.cv is None else "cv"
            raise ValueError(f"X_val and {name} exclude each other: leave one of them out.")
        given = self._prepared(X, y, sample_weight, offset, 1.0, 0.0)
        labels = given.classes[given.codes]
        self.classes_ = given.classes
        weight = check_weight(sample_weight, given.X)
        routed = routed_metadata(self, weight, groups, params)
        score = routed.score
        if not is_routing() and weight is not None and X_val is None:
            score = {"sample_weight": weight}
        scorer = ClassScorer(options.scoring, given.classes, score)
        held_out = self._check_held_out(X_val, y_val)
        splits: Sequence[Split] = ()
        if not isinstance(cv, str) and held_out is None:
            splits = planned_splits(cv, given.X, labels, routed.split, classifier=True)
        grid = Grid(self, given, Cs, options.l1_ratios, scorer)
        if held_out is not None:
            grid.by_held_out(held_out)
        elif leave_one_out:
            grid.by_leave_one_out(labels)
        else:
            grid.by_splits(splits, labels)
        chosen = self._store_grid(grid, options)
        separations = [
            separation
            for path in grid.whole
            for separation in separations_of(given.rows, given.loss, grid.strengths, path)
        ]
        whole = [result for path in grid.whole for result in path]
        of_chosen = (s for one, s in zip(whole, separations, strict=True) if one is chosen)
        self.status_ = status_of(chosen, next(of_chosen, None))
        if any(separation is not None for separation in separations):
            warn_of_path(self, given.rows, whole, separations)
            return self
        stopped = [
            result
            for of_split in (grid.whole, *grid.results)
            for path in of_split
            for result in path
            if result.not_converged is not None
        ]
        if stopped:
            worst = max(stopped, key=smooth_models.gradient_norm)
            smooth_models.warn_not_converged(not_converged_words(self.solver, worst))
        return self

    def _check_held_out(self, X: Any, y: Any) -> HeldOut | None:
        """Return validated rows whose score chooses the penalty; None without."""
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val belong together: give both or neither.")
        if X is None:
            return None
        refuse_array_api(X_val=X, y_val=y)
        refuse_malformed(X, "X_val")
        X, y = validate_data(
            self,
            X,
            y,
            reset=False,
            accept_sparse=("csr", "csc"),
            dtype=dtype_of_rows(X),
            **READ_IN_PLACE,
        )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y_val has labels that y has not, such as {unknown[0]!r}.")
        return HeldOut(X, y)

    @property
    def C(self) -> float:  # type: ignore[override]
        """The chosen C."""
        return float(np.ravel(self.C_)[0])

    @property
    def l1_ratio(self) -> float:  # type: ignore[override]
        """The chosen l1_ratio."""
        return float(np.ravel(self.l1_ratio_)[0] or 0.0)

    def _store_grid(self, grid: Grid, options: CVOptions) -> NewtonResult:
        """Set the fitted attributes, and return the chosen fit."""
        best, within = grid.choice()
        if self.selection == "1se" and within is None:
            raise ValueError(
                "selection='1se' needs a standard error, which there is of at least 2 splits, or "
                "of scoring='accuracy' and 'neg_log_loss': give more splits or another score."
            )
        Cs = grid.Cs
        self.Cs_ = Cs
        self.C_min_ = float(Cs[best[1]])
        self.C_1se_ = np.nan if within is None else float(Cs[within[1]])
        self.mean_scores_, self.standard_errors_ = grid.scores.mean(axis=0), grid.errors
        ratio, c = within if within is not None and self.selection == "1se" else best
        stored = grid.l1_ratios if options.given_ratios is None else list(options.given_ratios)
        if self.refit:
            chosen = grid.whole[ratio][c]
            coef = grid.coef_of(chosen, grid.strengths[c])
            C, l1_ratio = float(Cs[c]), stored[ratio]
            self.rcond_, self.gradient_norm_ = chosen.rcond, smooth_models.gradient_norm(chosen)
            self.dual_gap_ = smooth_models.gap_of(self, grid.given.rows, chosen)
        else:
            coef, C, l1_ratio = grid.mean_of_best(stored)
            chosen = grid.results[0][ratio][c]
            self.rcond_, self.gradient_norm_, self.dual_gap_ = None, np.nan, None
        self.solver_ = chosen.solver
        self.coef_, self.intercept_ = grid.split(coef)
        self._store_layout(grid, options, C, float(l1_ratio or 0.0))
        return chosen

    def _store_layout(self, grid: Grid, options: CVOptions, C: float, l1_ratio: float) -> None:
        """Set the attributes whose form `use_legacy_attributes` chooses."""
        no_ratios = options.given_ratios is None
        if no_ratios:
            self.l1_ratios_: Any = np.array([None])
        else:
            self.l1_ratios_ = np.asarray(options.given_ratios)
        if not options.legacy:
            self.C_: Any = C
            self.l1_ratio_: Any = grid.l1_ratios[0] if no_ratios else l1_ratio
            self.coefs_paths_: Any = grid.coefs
            self.scores_: Any = grid.scores
            self.n_iter_ = grid.n_iters
            return
        labels = self.classes_ if len(self.classes_) > 2 else self.classes_[1:]
        self.C_ = np.full(len(labels), C)
        self.l1_ratio_ = np.full(len(labels), None if no_ratios and self.refit else l1_ratio)
        coefs, scores = grid.coefs.swapaxes(1, 2), grid.scores.swapaxes(1, 2)
        n_iters = grid.n_iters.swapaxes(1, 2)[None]
        if no_ratios:
            coefs, scores, n_iters = coefs[:, :, 0], scores[:, :, 0], n_iters[..., 0]
        self.coefs_paths_ = {label: coefs[..., k, :].copy() for k, label in enumerate(labels)}
        self.scores_ = {label: scores.copy() for label in labels}
        self.n_iter_ = n_iters

    @documented(smooth_texts.FIT)
    def score(
        self,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        **params: object,
    ) -> float:
        """Compute the score of `scoring`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight
        **params : dict
            Metadata for the scorer, with scikit-learn's metadata routing enabled.

        Returns
        -------
        float
            Score of the model, by default its accuracy.

        Raises: ValueError
        """
        given = dict(params)
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        if is_routing():
            from sklearn.utils.metadata_routing import process_routing

            given = dict(process_routing(self, "score", **given).scorer.score)
        elif params:
            raise ValueError(
                f"score got {', '.join(map(repr, params))}, which it does not know: metadata for a "
                "scorer is only supported if enable_metadata_routing=True."
            )
        return float(self._get_scorer()(self, X, y, **given))

    def _get_scorer(self) -> Any:
        from sklearn.metrics import get_scorer

        scoring = self.scoring
        if scoring is None or (isinstance(scoring, str) and scoring == "warn"):
            scoring = "accuracy"
        return get_scorer(scoring)

    def get_metadata_routing(self) -> metadata_routing.MetadataRouter:
        """Return the metadata that `fit` and `score` pass on to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
            Its meaning is in scikit-learn's user guide on metadata routing.
        """
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        scored = MethodMapping().add(caller="score", callee="score")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
            .add(
                scorer=self._get_scorer(),
                method_mapping=scored.add(caller="fit", callee="score"),
            )
        )
