"""The archive format of fastridge, and model files."""
