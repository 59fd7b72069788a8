"""Define the `Settings` of SGD kernels, and the `State` that they keep from call to call."""

cdef class Settings:
    cdef public:
        # the objective
        int loss  # number of the loss, as in `losses.names`
        double epsilon  # of the losses that have an epsilon
        bint has_l1, has_l2  # parts of the penalty
        double l1, l2  # their weights: alpha l1_ratio and alpha (1 - l1_ratio)
        double alpha
        # the learning rate
        int schedule  # as in `sgd.schedules`
        double eta0, power_t
        double optimal_t0  # of the schedule "optimal", 1 / (alpha (t0 + t - 1))
        double intercept_factor  # of the intercept's steps; 0 without an intercept
        # sums and averages over the steps
        double average_from  # step from which weights are averaged; 0 for never
        bint sums_losses  # whether losses of rows are summed
        bint sums_penalties  # whether the penalty is summed over the rows, before each row's step
        # batches
        int optimizer  # as in `sgd_batches.optimizers`
        bint decoupled  # whether decay multiplies the weights instead of joining the gradient
        bint lazy  # whether weights that no row of a batch touches wait for their steps
        double batch_size
        double beta1, beta2, tiny  # of the optimizer

cdef class State:
    cdef public:
        double t  # number of the next step, from 1
        double learning_rate  # of the last step, or of all under a constant schedule
        double step_factor  # of every step: halved when a solver run diverges
        double intercept
        double average_intercept
        double loss_sum, penalty_sum  # over the rows since they were set to zero
        double loss_after  # of a lone dense row, after its step
        # one row at a time: w = scale v, average = (average_v + average_offset v) / average_divisor
        double scale
        double average_offset, average_divisor
        double l1_owed_so_far  # the L1 penalty of a weight that is always touched
        # per-feature learning rates
        double n_averaged  # blocks of rows in the averages
        double n_rows_seen  # in the sums that centres are computed from; dense X only
        # batches
        double n_in_batch  # rows so far of the current batch
        double n_batches
        double decay_product  # of the decays 1 - eta l2 since lazy weights were last caught up
        double l1_owed  # sum of eta l1 / decay_product since then
        double n_touched  # features in the array "touched"
