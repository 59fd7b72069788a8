"""The linear support vector classifier, with scikit-learn's interface."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import Tags, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from fastridge._docstrings import documented
from fastridge._typing import RandomState, RowsLike
from fastridge.linear_model import svm_models, svm_texts
from fastridge.linear_model.class_scores import ClassScoresMixin
from fastridge.linear_model.constraints import LINEAR_SVC, Constraints
from fastridge.linear_model.smooth_models import named_overflow
from fastridge.linear_model.to_sklearn import ToSklearnMixin
from fastridge.solvers.svm import crammer_singer, l1
from fastridge.solvers.svm.problem import MarginResult, classification
from fastridge.solvers.svm.solve import solve


@documented(svm_texts.MODEL)
class LinearSVC(ToSklearnMixin, ClassScoresMixin, SparseCoefMixin, BaseEstimator):
    """The linear support vector classifier, as `sklearn.svm.LinearSVC`.

    Minimises ``||w||^2 / 2 + C sum_i v_i loss(y_i, x_i'w + b)`` with the hinge loss ``max(0, 1 - y
    f)`` or its square, for one class against the others, and certifies it by the duality gap.

    Parameters
    ----------
    penalty : {"l2", "l1"}, default="l2"
        ``"l1"`` replaces ``||w||^2 / 2`` by ``|w|_1`` (only with the squared hinge loss). The
        intercept, if it is penalised, is a coefficient of a copy of X with one more column.
    loss : {"squared_hinge", "hinge"}, default="squared_hinge"
        The loss.
    dual, tol, C
    multi_class : {"ovr", "crammer_singer"}, default="ovr"
        Each class against the others, or one objective for all classes. The latter has a loss of
        its own, and `penalty`, `loss` and `dual` are ignored.
    fit_intercept, intercept_scaling
    class_weight : dict, "balanced" or None, default=None
        Factors of C for the rows of each class, by its label. "balanced" is
        ``sum of weights / (n_classes * sum of the class's weights)``. None is 1 for all. With more
        than two classes, the other rows of each fit have factor 1, as in liblinear.
    verbose, random_state, max_iter, penalize_intercept, n_threads

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients in the units of X.
    intercept_
    classes_ : ndarray of shape (n_classes,)
        The labels in increasing order.
    n_iter_, dual_gap_, solver_, status_, n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.LinearSVR : The same for numbers.
    fastridge.LogisticRegression : Has probabilities.
    fastridge.SGDClassifier : Reads rows that do not fit into memory.

    Notes
    -----
    Up to 3000 features or 3000 samples the fit takes Newton steps on the Gram matrix of the rows
    near the margin, otherwise coordinate descent on the dual. Memory beyond X is O(n_features^2),
    or O(n_samples^2) with more features than samples, or O(n_samples + n_features), and a quarter
    of X where many rows are near the margin. Large X of which most values are zero is converted to
    CSR, which takes up to a third of its memory; so is CSC, and other numbers become float64. Rows
    of weight zero are left out of a copy.

    References
    ----------
    Keerthi and DeCoste, "A modified finite Newton method for fast solution of large scale linear
    SVMs", JMLR 6 (2005). Hsieh, Chang, Lin, Keerthi and Sundararajan, "A dual coordinate descent
    method for large-scale linear SVM", ICML 2008. Crammer and Singer, "On the algorithmic
    implementation of multiclass kernel-based vector machines", JMLR 2 (2001).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import LinearSVC
    >>> X = np.array([[-1.0, 0.5], [0.5, -1.0], [1.0, 0.0], [-0.5, 0.0], [2.0, 1.0]])
    >>> model = LinearSVC(loss="hinge").fit(X, ["no", "no", "yes", "no", "yes"])
    >>> model.coef_.round(2), model.solver_
    (array([[0.89, 0.89]]), 'newton-cholesky')
    >>> model.predict([[1.0, 1.0]])
    array(['yes'], dtype='<U3')
    """

    _parameter_constraints: ClassVar[Constraints] = LINEAR_SVC

    def __init__(
        self,
        penalty: Literal["l2", "l1"] = "l2",
        loss: Literal["squared_hinge", "hinge"] = "squared_hinge",
        *,
        dual: bool | Literal["auto"] = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: Literal["ovr", "crammer_singer"] = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        verbose: int = 0,
        random_state: RandomState = None,
        max_iter: int = 1000,
        penalize_intercept: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.penalize_intercept = penalize_intercept
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @documented(svm_texts.FIT)
    def fit(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to these rows.

        Parameters
        ----------
        X
        y : array-like of shape (n_samples,)
            Labels of any type, of at least two classes.
        sample_weight

        Returns: Self

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            If `max_iter` steps or epochs did not reach the tolerance.
        """
        svm_models.check_options(self)
        X, labels = svm_models.check_rows(self, X, y, numeric=False)
        check_classification_targets(labels)
        classes, codes = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data "
                f"contains only one class: {classes[0]!r}"
            )
        rows = svm_models.rows_with_weight(self, X, codes, sample_weight)
        if np.count_nonzero(np.bincount(rows.y)) < 2:
            raise ValueError(
                "only rows of one class have weight: LinearSVC needs at least two, so correct "
                "sample_weight."
            )
        with named_overflow(self, X):
            factors = compute_class_weight(
                self.class_weight, classes=classes, y=labels, sample_weight=sample_weight
            )
            if self.multi_class == "crammer_singer":
                results: list[Any] = [self._fit_together(rows, factors)]
            else:
                results = self._fit_each(rows, factors)
        self.classes_ = classes
        self.coef_ = np.vstack([found.coef for found in results])
        intercept = np.concatenate([np.atleast_1d(found.intercept) for found in results])
        self.intercept_: Any = intercept if self.fit_intercept else 0.0
        svm_models.store(self, results)
        return self

    def _fit_each(self, rows: svm_models.SVMRows, factors: np.ndarray) -> list[MarginResult]:
        """Fit each class against the others; the second against the first of two."""
        several = len(factors) > 2
        results = []
        for k in range(len(factors)) if several else (1,):
            own = rows.y == k
            weight = rows.weight * np.where(own, factors[k], 1.0 if several else factors[0])
            counted = weight > 0.0
            y = np.where(own, 1.0, -1.0)
            design = rows.design
            if not counted.all():
                design, y, weight = (
                    design.rows(np.flatnonzero(counted)),
                    y[counted],
                    weight[counted],
                )
            results.append(self._fit_two(design, y, weight))
        return results

    def _fit_two(self, design: Any, y: np.ndarray, weight: np.ndarray) -> MarginResult:
        options: dict[str, Any] = {"tol": svm_models.solver_tol(self)}
        options["max_iter"] = int(self.max_iter)
        if self.penalty == "l1":
            scaling = float(self.intercept_scaling) if self.penalize_intercept else np.inf
            scaling = scaling if self.fit_intercept else 0.0
            return l1.minimise(design.X, y, weight, scaling, design.n_threads, **options)
        squared = self.loss == "squared_hinge"
        penalty = svm_models.intercept_penalty(self)
        problem = classification(design, y, weight, penalty, squared=squared)
        return solve(problem, 0.0, svm_models.generator(self), **options)

    def _fit_together(
        self, rows: svm_models.SVMRows, factors: np.ndarray
    ) -> crammer_singer.ClassesResult:
        """Fit all classes by the loss of Crammer and Singer."""
        if not self.penalize_intercept and self.fit_intercept:
            raise ValueError(
                "penalize_intercept=False is not supported with multi_class='crammer_singer': give "
                "a large intercept_scaling."
            )
        found = crammer_singer.minimise(
            rows.design,
            rows.y.astype(np.intp),
            len(factors),
            rows.weight * factors[rows.y],
            float(self.intercept_scaling) ** 2 if self.fit_intercept else 0.0,
            svm_models.generator(self)(),
            tol=float(self.tol),
            max_iter=int(self.max_iter),
        )
        if len(factors) > 2:
            return found
        coef, intercept = np.diff(found.coef, axis=0), np.diff(found.intercept)
        return found._replace(coef=coef, intercept=intercept)
