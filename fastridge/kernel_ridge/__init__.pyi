from fastridge.kernel_ridge.kernel_ridge import KernelRidge as KernelRidge
from fastridge.kernel_ridge.kernel_ridge_cv import KernelRidgeCV as KernelRidgeCV

__all__ = ["KernelRidge", "KernelRidgeCV"]
