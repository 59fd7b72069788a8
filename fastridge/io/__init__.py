"""Files that fastridge writes and reads: the sealed archive, and models in it."""
