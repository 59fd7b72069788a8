"""The estimators: scikit-learn's classes over fastridge's solvers."""
