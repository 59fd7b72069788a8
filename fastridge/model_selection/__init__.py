"""Choose alpha: exact leave-one-out and k-fold cross-validation, marginal likelihood, EM."""
