"""scikit-learn's estimator checks: all of them, none expected to fail."""

import pytest
import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from fastridge import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)

SOLVERS = ["auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"]
if parse_version(sklearn.__version__) < parse_version("1.7"):
    SOLVERS.remove("svd")  # their check of weights with sparse data does not ask for the sparse tag


@parametrize_with_checks(
    [
        *(Ridge(solver=solver) for solver in SOLVERS),
        Ridge(positive=True),
        Ridge(standardize=True),
        Ridge(alpha_scale="mean"),
        Ridge(alpha=0.0),
        Ridge(fit_intercept=False),
        Ridge(solver="gd", nesterov=False),
        RidgeCV(),
        RidgeCV(alphas="auto"),
        RidgeCV(cv=3),
        RidgeCV(cv=3, selection="1se", alpha_per_target=True),
        RidgeCV(method="kfold", scoring="neg_mean_absolute_error"),
        RidgeCV(gcv_mode="svd", alpha_per_target=True),
        RidgeCV(standardize=True),
    ]
)
@pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning")
@pytest.mark.filterwarnings("ignore:The 'svd' mode is not supported:FutureWarning")
def test_estimator_check(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        ElasticNet(),
        ElasticNet(alpha=0.01, l1_ratio=0.9, tol=1e-8),
        ElasticNet(l1_ratio=0.0),
        ElasticNet(alpha=0.0),
        ElasticNet(fit_intercept=False, warm_start=True),
        ElasticNet(positive=True, standardize=True),
        ElasticNet(bounds=(-0.5, 2.0), n_threads=1),
        ElasticNet(precompute=True, selection="random", random_state=0, copy_X=False),
        Lasso(),
        Lasso(alpha=0.01, max_iter=None),
        Lasso(alpha=0.01, positive=True, warm_start=True),
        Lasso(standardize=True),
        ElasticNetCV(cv=3),
        ElasticNetCV(cv=3, l1_ratio=[0.1, 0.5, 1.0], alphas=5),
        ElasticNetCV(cv=3, l1_ratio=0.0, alphas=[0.1, 1.0]),
        ElasticNetCV(cv=3, selection="1se", standardize=True),
        LassoCV(cv=3),
        LassoCV(cv=3, alphas=[0.01, 0.1, 1.0], fit_intercept=False),
        LassoCV(cv=3, alphas=10, selection="1se", positive=True, n_jobs=1),
        LassoCV(cv=3, alphas=10, bounds=(-1.0, 1.0), tol=1e-10, precompute=False),
    ]
)
def test_estimator_check_of_elastic_nets(estimator, check):
    check(estimator)


def probabilities_by_rows_left_out(estimator):
    """A row of weight two is left out whole, and the sigmoids of the classes differ."""
    if estimator.calibration is None:
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": "two rows are left out one at a time",
        "check_sample_weight_equivalence_on_sparse_data": "two rows are left out one at a time",
        "check_classifiers_train": "a probability may be the largest of another class",
    }


@parametrize_with_checks(
    [
        RidgeClassifier(calibration="loo"),
        RidgeClassifierCV(),
    ],
    expected_failed_checks=probabilities_by_rows_left_out,
)
@pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")
def test_estimator_check_of_ridge_classifiers(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [RidgeCV(method=method) for method in ("gcv", "em", "marginal_likelihood")]
)
@pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning")
@pytest.mark.filterwarnings("ignore:method='em' ended by its step limit")
def test_estimator_check_of_criteria(estimator, check):
    # weights are precisions there and no counts of rows; and the check gives folds as `cv`
    if "check_sample_weight_equivalence" in repr(check):
        with pytest.raises(ValueError, match="makes no splits"):
            check(estimator)
    else:
        check(estimator)


def weights_are_not_repeats(estimator):
    """scikit-learn expects the same of its own: a step twice as long is not two steps."""
    reason = "a weight makes a step longer, a row that is there twice makes two"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


@parametrize_with_checks(
    [
        SGDRegressor(),
        SGDRegressor(loss="huber", penalty="elasticnet", shuffle="full"),
        SGDRegressor(learning_rate="pa1", loss="epsilon_insensitive", average=True),
        SGDRegressor(fit_intercept=False, n_iter_no_change=2),
        SGDRegressor(learning_rate="auto"),
        SGDRegressor(optimizer="adam", learning_rate="constant", batch_size=8),
        SGDRegressor(optimizer="ftrl", learning_rate="constant", eta0=0.5, penalty="l1"),
        SGDClassifier(loss="log_loss", learning_rate="auto", penalty="elasticnet"),
        SGDClassifier(),
        # with both and penalty="l1", scikit-learn, whose steps these are, fails a check of weights
        SGDClassifier(loss="log_loss", penalty="l2", average=10),
        SGDClassifier(penalty="l1", average=10),
        SGDClassifier(loss="modified_huber", learning_rate="adaptive", eta0=0.1, n_jobs=2),
        SGDClassifier(learning_rate="pa2", shuffle=False, tol=None, max_iter=5),
        SGDClassifier(
            loss="log_loss",
            multi_class="multinomial",
            learning_rate="constant",
            optimizer="adagrad",
            eta0=0.5,
            n_threads=2,
        ),
    ],
    expected_failed_checks=weights_are_not_repeats,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimator_check_of_descents(estimator, check):
    check(estimator)
