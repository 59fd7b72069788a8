"""Cross-validation, exact and by folds, and what else chooses an alpha."""
