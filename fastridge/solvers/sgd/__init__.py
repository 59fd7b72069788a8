"""Stochastic gradient descent with in-place weight decay.

minimise  mean_i loss(y_i, w'x_i + b) + alpha ((1 - l1_ratio)/2 ||w||^2 + l1_ratio |w|_1)
"""
