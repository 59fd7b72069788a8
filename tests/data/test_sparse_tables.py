"""svmlight files as tables: their rows stay sparse, and are those of the same table as CSV."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import Ridge, load, scan
from fastridge.cli import main
from fastridge.cli.centring import CentredRows
from fastridge.data.batches import ScanError
from fastridge.data.splitting import Split

N, P = 300, 30
RNG = np.random.default_rng(0)
X = np.where(RNG.random((N, P)) < 0.1, RNG.normal(size=(N, P)).round(3), 0.0)
X[:, 0] = 1e9 + RNG.integers(0, 1000, N)  # far from zero, in every row
X[:, 1] = RNG.integers(0, 3, N)
X[:, 2] = 0.0
X[:9, 2] = 4.0
Y = (X[:, 3:] @ RNG.normal(size=P - 3) + X[:, 1] + 0.1 * RNG.normal(size=N)).round(4)


def row_of(k, values):
    stored = [f"{j + 1}:{v}" for j, v in enumerate(values) if v != 0.0]
    return f"{Y[k]} " + " ".join(stored)


@pytest.fixture
def files(tmp_path):
    """The same table as svmlight and as CSV."""
    (tmp_path / "a.svm").write_text("\n".join(row_of(k, X[k]) for k in range(N)) + "\n")
    names = ",".join(["target", *(str(j + 1) for j in range(P))])
    lines = [",".join(map(str, [Y[k], *X[k]])) for k in range(N)]
    (tmp_path / "a.csv").write_text("\n".join([names, *lines]) + "\n")
    return tmp_path / "a.svm", tmp_path / "a.csv"


def gathered(rows):
    X, y, _, fold, _ = zip(*rows, strict=True)
    joined = [batch.toarray() if sp.issparse(batch) else batch for batch in X]
    return np.concatenate(joined), np.concatenate(y), np.concatenate(fold)


@pytest.mark.parametrize(
    "options",
    [{}, {"categorical": ["2"]}, {"drop": ["4"], "keep": ["3"]}, {"features": ["5", "2", "1"]}],
    ids=str,
)
def test_scan_svmlight_table_is_that_of_csv(files, options):
    svm, csv = (
        scan(path, "target", infer=True, fold=Split(3, 0.2, 5), **options) for path in files
    )
    assert svm.feature_names == csv.feature_names
    assert svm.encoding.report == csv.encoding.report
    for one, other in zip(gathered(svm), gathered(csv), strict=True):
        assert_array_equal(one, other)
    assert sp.issparse(next(iter(svm)).X)
    for one, other in zip(gathered(svm.held_out), gathered(csv.held_out), strict=True):
        assert_array_equal(one, other)


def test_scan_svmlight_table_with_another_target_and_weights_is_that_of_csv(files):
    found = []
    for path in files:
        rows = scan(path, "5", weights="2", infer=True)
        names = rows.feature_names
        X = [b.X.toarray() if sp.issparse(b.X) else b.X for b in rows]
        found.append(np.concatenate(X)[:, np.argsort(names)])
        found.append(np.concatenate([batch.weight for batch in rows]))
    assert_array_equal(found[0], found[2])
    assert_array_equal(found[1], found[3])


def test_scan_svmlight_missing_values_become_means_with_a_mark(tmp_path, files):
    lines = files[0].read_text().splitlines()
    lines[7] = row_of(7, np.where(np.arange(P) == 4, np.nan, X[7]))
    (tmp_path / "gap.svm").write_text("\n".join(lines) + "\n")
    rows = scan(tmp_path / "gap.svm", "target", infer=True)
    at = rows.feature_names.index("5")
    assert rows.feature_names[at + 1] == "5 missing"
    found = np.concatenate([batch.X.toarray() for batch in rows])
    assert found[7, at] == pytest.approx(np.delete(X[:, 4], 7).mean(), rel=1e-12)
    assert_array_equal(np.flatnonzero(found[:, at + 1]), [7])
    whole = scan(files[0], encoding=rows.encoding)
    assert_array_equal(next(iter(whole)).X.toarray()[:, at], X[:, 4])


def test_scan_svmlight_infinite_number_names_its_column_and_row(tmp_path, files, capsys):
    lines = files[0].read_text().splitlines()
    lines[7] = row_of(7, np.where(np.arange(P) == 4, np.inf, X[7]))
    (tmp_path / "bad.svm").write_text("\n".join(lines) + "\n")
    message = "bad.svm, row 7: column '5' holds an infinite number"
    with pytest.raises(ScanError, match=message):
        scan(tmp_path / "bad.svm", "target", infer=True)
    assert main(["fit", str(tmp_path / "bad.svm")]) == 2
    assert message in capsys.readouterr().err


def test_scan_svmlight_table_mostly_of_values_is_dense(tmp_path):
    lines = [f"{Y[k]} 1:{X[k, 0]} 2:{X[k, 1] + 1}" for k in range(N)]
    (tmp_path / "a.svm").write_text("\n".join(lines) + "\n")
    rows = scan(tmp_path / "a.svm", "target", infer=True)
    assert isinstance(next(iter(rows)).X, np.ndarray)


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--alpha", "0.5"],
        ["fit"],
        ["fit", "--l1-ratio", "0.5", "--tol", "1e-10"],
        ["cv", "--l1-ratio", "0.5,1", "--n-alphas", "20", "--tol", "1e-10"],
        ["fit", "--model", "sgd", "--standardize"],
        ["fit", "--weights", "2"],
    ],
    ids=str,
)
@pytest.mark.parametrize("wide", [False, True])
def test_commands_svmlight_model_is_that_of_csv(files, tmp_path, capsys, monkeypatch, words, wide):
    monkeypatch.setattr("fastridge.cli.training._WIDE", 1000 if wide else 0)
    models = []
    for path in files:
        save = str(tmp_path / path.suffix)
        more = ["--target", "target", "--save", save, "--test-size", "0.2"]
        assert main([words[0], str(path), *more, *words[1:]]) == 0
        capsys.readouterr()
        models.append(load(save))
        assert main(["predict", save, str(path)]) == 0
        models[-1].found = np.array(capsys.readouterr().out.split()[1:], dtype=float)
    scale = np.abs(models[1].coef_).max()
    assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-6, atol=1e-7 * scale)
    assert_allclose(models[0].found, models[1].found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("wide", [False, True])
def test_cv_svmlight_choices_are_those_of_csv(files, capsys, monkeypatch, wide):
    import json

    monkeypatch.setattr("fastridge.cli.training._WIDE", 1000 if wide else 0)
    found = []
    for path in files:
        assert main(["cv", str(path), "--target", "target", "--alphas", "0.1,1,10", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["methods"])
    for one, other in zip(*found, strict=True):
        for name in ("alpha", "rmse", "held_out_rmse"):
            assert one[name] == other[name] or one[name] == pytest.approx(other[name], rel=1e-6)


def test_command_svmlight_test_file_with_other_indices_is_read(files, tmp_path, capsys):
    test = tmp_path / "test.svm"
    test.write_text("".join(f"{Y[k]} 4:{X[k, 3] + 1}\n" for k in range(50)))
    assert main(["fit", str(files[0]), "--alpha", "1", "--test", str(test)]) == 0
    assert "50 held out" in " ".join(capsys.readouterr().out.split())


def test_command_svmlight_many_columns_need_no_more_memory_than_their_values(tmp_path):
    from peak_memory import peak_of

    n, p = 200, 10_000
    rows = [np.sort(RNG.choice(p, 20, replace=False)) for _ in range(n)]
    lines = [f"{RNG.normal():.3f} " + " ".join(f"{j + 1}:1.5" for j in row) for row in rows]
    path = tmp_path / "wide.svm"
    path.write_text("\n".join(lines) + "\n")
    words = ["fit", str(path), "--alpha", "1", "--no-check"]
    main(words)  # what is imported is not counted
    assert peak_of(lambda: main(words)) < 8 * n * p


def test_centred_rows_sparse_products_are_those_of_dense():
    centre = X.mean(axis=0)
    one, other = CentredRows(sp.csr_matrix(X), centre), CentredRows(X.copy(), centre)
    W, u = RNG.normal(size=(P, 4)), RNG.normal(size=N)
    assert_allclose(one.predict(W), other.predict(W), rtol=1e-10, atol=1e-10)
    assert_allclose(one.correlate(u), other.correlate(u), rtol=1e-10, atol=1e-10)


def test_fit_scan_of_svmlight_table_is_that_of_csv(files):
    models = [Ridge(0.5).fit(scan(path, "target", infer=True)) for path in files]
    assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-8, atol=1e-10)
