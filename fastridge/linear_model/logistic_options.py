"""The penalty and the solver that the parameters of `LogisticRegression` ask for."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import compute_class_weight

from fastridge.linear_model.user_warnings import warn_user
from fastridge.solvers.newton.problem import NewtonResult


def check_penalty(estimator: BaseEstimator) -> tuple[float, float]:
    """Return the strength of the penalty, 1 / C or 0, and the share of the L1 norm in it.

    Warnings and errors are scikit-learn's.
    """
    penalty = _penalty_name(estimator)
    check_combination(estimator, penalty)
    l1_ratio = estimator.l1_ratio
    if penalty != "elasticnet" and l1_ratio is not None and 0.0 < l1_ratio < 1.0:
        warn_user(
            "l1_ratio parameter is only used when penalty is 'elasticnet'. Got "
            f"(penalty={penalty})",
            UserWarning,
        )
    if (estimator.penalty == "l2" and l1_ratio != 0) or (
        estimator.penalty == "l1" and l1_ratio != 1
    ):
        warn_user(
            f"Inconsistent values: penalty={estimator.penalty} with l1_ratio={l1_ratio}. penalty "
            "is deprecated. Please use l1_ratio only.",
            UserWarning,
        )
    if penalty == "elasticnet" and l1_ratio is None:
        raise ValueError("l1_ratio must be specified when penalty is elasticnet.")
    if estimator.penalty is None and estimator.C != 1.0:
        warn_user("Setting penalty=None will ignore the C and l1_ratio parameters", UserWarning)
    if estimator.n_jobs is not None:
        warn_user(
            "'n_jobs' has no effect since 1.8 and will be removed in 1.10. "
            f"You provided 'n_jobs={estimator.n_jobs}', please leave it unspecified.",
            FutureWarning,
        )
    if penalty is None or np.isinf(estimator.C):
        return 0.0, 0.0
    ratio = {"l2": 0.0, "l1": 1.0}.get(penalty, l1_ratio)
    return 1.0 / float(estimator.C), float(ratio)


def check_bias_reduction(estimator: BaseEstimator, n_classes: int) -> bool:
    """Return whether Firth's penalty is requested; raise ValueError if that is unsupported."""
    if estimator.bias_reduction is None:
        return False
    if n_classes > 2:
        raise ValueError(
            f"bias_reduction='firth' is supported for two classes, and y has {n_classes}: fit one "
            "class against another, or use bias_reduction=None with C=1.0."
        )
    plain = estimator.penalty in ("deprecated", None) and not estimator.l1_ratio
    if not plain or estimator.C not in (1.0, np.inf):
        raise ValueError(
            "bias_reduction='firth' replaces any other penalty: leave C, l1_ratio and "
            f"penalty at their defaults, got C={estimator.C}, l1_ratio={estimator.l1_ratio} and "
            f"penalty={estimator.penalty!r}."
        )
    if estimator.bounds is not None:
        raise ValueError(
            "bias_reduction='firth' does not support bounds: leave bounds at None, or use a "
            "penalty with bias_reduction=None."
        )
    return True


def refuse_bias_reduction(estimator: BaseEstimator) -> None:
    """Raise ValueError if Firth's penalty is requested for a scan."""
    if estimator.bias_reduction is not None:
        raise ValueError(
            "bias_reduction='firth' needs the leverages of rows in memory, and X is a scan: give "
            "an array or a sparse matrix, or use bias_reduction=None."
        )


def _penalty_name(estimator: BaseEstimator) -> str | None:
    """Return the name that scikit-learn gives the penalty; None for none."""
    penalty, l1_ratio = estimator.penalty, estimator.l1_ratio
    if penalty == "deprecated":
        if l1_ratio is None:
            warn_user(
                "'l1_ratio=None' was deprecated in version 1.8 and will trigger an error in 1.10. "
                "Use 0<=l1_ratio<=1 instead.",
                FutureWarning,
            )
        if np.isinf(estimator.C):
            return None
        if not l1_ratio:
            return "l2"
        return "l1" if l1_ratio == 1 else "elasticnet"
    warn_user(
        "'penalty' was deprecated in version 1.8 and will be removed in 1.10. To avoid this "
        "warning, leave 'penalty' set to its default value and use 'l1_ratio' or 'C' instead. Use "
        "l1_ratio=0 instead of penalty='l2', l1_ratio=1 instead of penalty='l1', l1_ratio set to a "
        "float between 0 and 1 instead of penalty='elasticnet', and C=np.inf instead of "
        "penalty=None.",
        FutureWarning,
    )
    name: str | None = penalty
    return name


def check_combination(estimator: BaseEstimator, penalty: str | None) -> None:
    """Raise ValueError if scikit-learn's solver does not support the penalty or `dual`."""
    solver = estimator.solver
    if solver not in ("liblinear", "saga") and penalty not in ("l2", None):
        raise ValueError(
            f"Solver {solver} supports only 'l2' or None penalties, got {penalty} penalty."
        )
    if solver != "liblinear" and estimator.dual:
        raise ValueError(f"Solver {solver} supports only dual=False, got dual={estimator.dual}")
    if penalty == "elasticnet" and solver != "saga":
        raise ValueError(f"Only 'saga' solver supports elasticnet penalty, got solver={solver}.")
    if penalty is None and solver == "liblinear":
        raise ValueError(
            "C=np.inf as well as penalty=None is not supported for the liblinear solver"
        )


def factors_of_classes(
    estimator: BaseEstimator, classes: np.ndarray, totals: np.ndarray
) -> np.ndarray | None:
    """Return the factors of the weights of each class, from the sums of the weights of its rows.

    Raises ValueError if fewer than two classes have weight.
    """
    factors = None
    if estimator.class_weight is not None:
        if isinstance(estimator.class_weight, str):
            with np.errstate(divide="ignore"):
                factors = totals.sum() / (len(classes) * totals)
        else:
            factors = np.asarray(
                compute_class_weight(estimator.class_weight, classes=classes, y=classes)
            )
        factors = np.where(totals > 0.0, factors, 0.0)
        totals = totals * factors
    if np.count_nonzero(totals) < 2:
        raise ValueError(
            "only rows of one class have weight: LogisticRegression needs at least two, so "
            "correct sample_weight or class_weight."
        )
    return factors


def check_classes(estimator: BaseEstimator, classes: np.ndarray) -> None:
    """Raise ValueError if there is one class only, or too many for scikit-learn's solver."""
    if estimator.solver == "liblinear" and len(classes) > 2:
        raise ValueError(
            "The 'liblinear' solver does not support multiclass classification (n_classes >= 3). "
            "Either use another solver or wrap the estimator in a OneVsRestClassifier to keep "
            "applying a one-versus-rest scheme."
        )
    if len(classes) < 2:
        raise ValueError(
            "This solver needs samples of at least 2 classes in the data, but the data contains "
            f"only one class: {classes[0]!r}"
        )


def not_converged_words(solver: str, result: NewtonResult) -> str:
    """Return a warning that begins with scikit-learn's words, by which users filter it."""
    words = {
        "lbfgs": "lbfgs failed to converge",
        "liblinear": "Liblinear failed to converge, increase the number of iterations.",
        "newton-cg": "newton-cg failed to converge. Increase the number of iterations.",
        "newton-cholesky": f"Newton solver did not converge after {result.n_iter} iterations",
    }
    saga = "The max_iter was reached which means the coef_ did not converge"
    return f"{words.get(solver, saga)}: {result.not_converged}"
