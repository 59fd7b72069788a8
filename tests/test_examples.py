"""The examples run, with fewer epochs, and show what they say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no examples next to the tests")
def test_digits_decay(tmp_path, capsys):
    example = load("digits_decay")
    results = example.main(tmp_path / "decay.png", n_epochs=12, n_seeds=1)
    assert imread(tmp_path / "decay.png").ndim == 3
    text = capsys.readouterr().out
    for name, (errors, norms, first_layers) in results.items():
        assert name in text
        assert errors.shape == norms.shape == (12,)
        assert errors[-1] < 0.2
        assert np.isfinite(first_layers).all()
    last = [norms[-1] for _, norms, _ in results.values()]
    assert last[0] > max(last[1:])


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no examples next to the tests")
def test_margin(tmp_path):
    found = load("margin").main(tmp_path / "margin.png", n_rows=30)
    assert imread(tmp_path / "margin.png").ndim == 3
    wide, narrow, ridge = found.values()
    assert ridge == 60 > wide > narrow


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no examples next to the tests")
def test_daily_flights(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    model, errors = load("daily_flights").main(tmp_path / "daily.png")
    assert imread(tmp_path / "daily.png").ndim == 3
    assert f"gamma {model.gamma_:.3g}" in capsys.readouterr().out
    assert errors[0] < 0.7 * errors[1]
