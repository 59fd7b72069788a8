"""Marks of tests that hold only with newer versions of other packages."""

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

OLDER_SKLEARN = parse_version(sklearn.__version__) < parse_version("1.9")

as_newest_sklearn = pytest.mark.skipif(
    OLDER_SKLEARN, reason="ours does here as scikit-learn 1.9, which older versions do not"
)
