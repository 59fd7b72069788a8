"""A plain look for pictures, whatever the user's matplotlib is set to, and no figure left open."""

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture(autouse=True)
def plain_figures():
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("Agg")
        yield
        plt.close("all")
