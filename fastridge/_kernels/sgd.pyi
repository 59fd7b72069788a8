from fastridge._kernels.sgd_state import Finish, Settings, StepCsr, StepDense

def schedules() -> tuple[str, ...]: ...
def array_names(settings: Settings) -> tuple[str, ...]: ...

step_dense: StepDense
step_csr: StepCsr
finish: Finish
