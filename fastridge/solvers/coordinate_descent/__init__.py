"""Elastic net by coordinate descent: certified by its duality gap, at one penalty or many.

minimise  ||y - X w - b||^2_s / (2 sum s) + sum_j l1_j |w_j| + l2_j w_j^2 / 2,  lower <= w <= upper

`penalty` says what l1 and l2 are; `working_set` descends on the Gram of some columns; `sources`
bring columns and correlations from a Gram or from rows; `path` goes from penalty to penalty.
"""
