"""Texts of parameters and exceptions that the docstrings of saving and loading share."""

from fastridge._docstrings import entries

SAVE = entries(
    """
path : str or os.PathLike
    File to write; an older file of this name is replaced in one step.
OSError
    If the file cannot be written.
"""
)

LOAD = entries(
    """
path : str or os.PathLike
    File to read.
OSError
    If the file cannot be opened.
"""
)
