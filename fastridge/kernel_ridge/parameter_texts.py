"""Texts of parameters and attributes that the docstrings of kernel models share."""

from fastridge._docstrings import entries
from fastridge.linear_model import parameter_texts as linear

KERNEL = entries(
    """
kernel : str or callable, default="linear"
    The kernel k: ``"additive_chi2"``, ``"chi2"``, ``"cosine"``, ``"laplacian"``, ``"linear"``,
    ``"poly"`` or ``"polynomial"``, ``"rbf"``, ``"sigmoid"``, as in
    `sklearn.metrics.pairwise.pairwise_kernels`. With ``"precomputed"``, X is the kernel matrix
    itself. A function is called with two rows for each pair of rows, and returns a number.
degree : float, default=3
    Degree of the polynomial kernel, at least 0. Other kernels ignore it.
coef0 : float, default=1
    Constant of the polynomial and the sigmoid kernel. Other kernels ignore it.
kernel_params : dict, default=None
    Arguments by name for a kernel that is a function. Other kernels ignore it.
n_threads : int, default=None
    Number of threads; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores. Results for a given
    number are bitwise the same.
dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
    Coefficients of the kernel functions of the rows of `X_fit_`.
X_fit_ : ndarray or sparse matrix of shape (n_samples, n_features)
    The rows of the fit, which predictions need; the kernel matrix if it is precomputed.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, as texts. Only where X had names.
"""
)

FIT = linear.FIT | entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows; with ``kernel="precomputed"`` the kernel matrix, (n_samples, n_samples), of which the
    upper triangle counts.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the squared errors, at least 0. None is 1 for all. Rows of weight zero count nowhere.
"""
)
