"""Solvers: plain functions on validated arrays and statistics, usable without the estimators.

Every one minimises ``||y - Xw - b||^2 + sum_j penalty_j w_j^2`` (weighted, b not penalised).
"""
