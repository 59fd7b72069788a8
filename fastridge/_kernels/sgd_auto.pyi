from fastridge._kernels.sgd_state import Settings, StepCsr, StepDense

def array_names(settings: Settings) -> tuple[str, ...]: ...

step_dense: StepDense
step_csr: StepCsr
