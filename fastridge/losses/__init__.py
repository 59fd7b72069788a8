"""The loss of a row given its linear predictor, one file each."""
