from fastridge._kernels import cholesky as cholesky
from fastridge._kernels import column_products as column_products
from fastridge._kernels import combine as combine
from fastridge._kernels import coordinate_descent as coordinate_descent
from fastridge._kernels import cpu as cpu
from fastridge._kernels import crammer_singer as crammer_singer
from fastridge._kernels import dual_coordinate_descent as dual_coordinate_descent
from fastridge._kernels import eliminate as eliminate
from fastridge._kernels import gram as gram
from fastridge._kernels import interleave as interleave
from fastridge._kernels import jacobi as jacobi
from fastridge._kernels import kernel_matrix as kernel_matrix
from fastridge._kernels import losses as losses
from fastridge._kernels import newton_in_cache as newton_in_cache
from fastridge._kernels import optimizer_steps as optimizer_steps
from fastridge._kernels import residual_sweeps as residual_sweeps
from fastridge._kernels import sgd as sgd
from fastridge._kernels import sgd_auto as sgd_auto
from fastridge._kernels import sgd_batches as sgd_batches
from fastridge._kernels import sgd_order as sgd_order
from fastridge._kernels import sgd_state as sgd_state
from fastridge._kernels import smooth_losses as smooth_losses
from fastridge._kernels import sparse_form as sparse_form
from fastridge._kernels import sparse_gram as sparse_gram
from fastridge._kernels import tridiagonal as tridiagonal

simd: str
available: tuple[str, ...]
