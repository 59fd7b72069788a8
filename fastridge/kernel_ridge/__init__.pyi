from fastridge.kernel_ridge.kernel_ridge import KernelRidge as KernelRidge

__all__ = ["KernelRidge"]
