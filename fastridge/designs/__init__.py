"""X seen as an operator, with its weights, its centre and its penalty's scale."""
