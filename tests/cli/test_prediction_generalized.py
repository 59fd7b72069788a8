"""`fastridge predict` of generalized linear models that were saved in Python."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from fastridge import GammaRegressor, PoissonRegressor, save


@pytest.mark.parametrize("model", [PoissonRegressor(), GammaRegressor()])
def test_predict_generalized_linear_model_gives_its_means(model, tmp_path, run):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((50, 2)), columns=["a", "b"])
    model.fit(X, rng.poisson(np.exp(X["a"])) + 1.0)
    save(model, tmp_path / "model")
    X.to_csv(tmp_path / "rows.csv", index=False)
    out = run("predict", tmp_path / "model", tmp_path / "rows.csv")
    found = np.array(out.split()[1:], dtype=float)
    assert_allclose(found, model.predict(X), rtol=1e-12)
