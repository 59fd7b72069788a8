"""Sparse matrices whose arrays do not fit their shape, given to every entry point that takes X.

Run as a script: it prints each case before it tries it, so that the last line names the one that
ends the process. The exit status is not 0 where a case is no ValueError that names X, or where a
good matrix is refused.
"""

import sys
import warnings

import numpy as np
import scipy.sparse as sp

import fastridge as fr

N, P = 12, 4
RNG = np.random.default_rng(0)
DENSE = RNG.standard_normal((N, P)) * (RNG.random((N, P)) < 0.7)
Y = RNG.standard_normal(N)
LABELS = np.arange(N) % 3
FAR = 10_000_000


def with_value(name, position, value):
    """Return a change of a matrix that replaces one value of one of its arrays."""

    def corrupt(X, index):
        array = getattr(X, name).astype(index)
        array[position] = value
        setattr(X, name, array)

    return corrupt


def cut(name, by=1):
    """The matrix with an array of it made shorter."""

    def corrupt(X, index):
        setattr(X, name, getattr(X, name)[:-by].copy())

    return corrupt


def decreasing(X, index):
    X.indptr = X.indptr.astype(index)
    X.indptr[1], X.indptr[2] = X.indptr[-1], 1


def of_floats(X, index):
    X.indices = X.indices.astype(float)


COMPRESSED = {
    "negative index": with_value("indices", 2, -3),
    "far below": with_value("indices", 2, -FAR),
    "index too large": with_value("indices", 2, 16),
    "far above": with_value("indices", 2, FAR),
    "indptr decreases": decreasing,
    "indptr is negative": with_value("indptr", 1, -2),
    "indptr begins late": with_value("indptr", 0, 1),
    "indptr begins below": with_value("indptr", 0, -FAR),
    "indptr ends late": with_value("indptr", -1, FAR),
    "indptr is short": cut("indptr"),
    "data is short": cut("data", 3),
    "indices are short": cut("indices", 3),
    "indices are no integers": of_floats,
}
WIDE = {
    "above 32 bits": with_value("indices", 2, 2**32 + 1),
    "indptr above 32 bits": with_value("indptr", 1, 2**32 + 1),
}


def coordinate(axis, value):
    def corrupt(X, index):
        coords = [indices.astype(index) for indices in X.coords]
        coords[axis][3] = value
        X.coords = tuple(coords)

    return corrupt


COORDINATES = {
    "negative row": coordinate(0, -5),
    "far row": coordinate(0, FAR),
    "negative column": coordinate(1, -5),
    "far column": coordinate(1, FAR),
    "data is short": cut("data"),
}


def set_offsets(offsets):
    def corrupt(X, index):
        X.offsets = np.array(offsets, dtype=index)

    return corrupt


DIAGONALS = {
    "an offset too few": set_offsets([0]),
    "an offset too many": set_offsets([0, 1, 2]),
    "an offset twice": set_offsets([1, 1]),
    "far offset": set_offsets([0, 2**31 - 1]),
}


def list_index(value):
    def corrupt(X, index):
        X.rows[1] = [value]
        X.data[1] = [1.0]

    return corrupt


def uneven_lists(X, index):
    X.rows[1] = [0]
    X.data[1] = [1.0] * 5000


def key(row, column):
    def corrupt(X, index):
        X._dict[row, column] = 1.0

    return corrupt


CORRUPTIONS = {
    "csr": COMPRESSED,
    "csc": COMPRESSED,
    "bsr": COMPRESSED,
    "coo": COORDINATES,
    "dia": DIAGONALS,
    "lil": {
        "negative column": list_index(-FAR),
        "far column": list_index(FAR),
        "uneven lists": uneven_lists,
    },
    "dok": {
        "negative row": key(-FAR, 0),
        "far row": key(FAR, 0),
        "negative column": key(0, -FAR),
        "far column": key(0, FAR),
    },
}


def made(layout, array):
    """A good matrix."""
    kind = getattr(sp, f"{layout}_{'array' if array else 'matrix'}")
    if layout == "dia":
        return kind((np.ones((2, P)), [0, 1]), shape=(N, P))
    if layout == "bsr":
        return kind(DENSE, blocksize=(2, 2))
    return kind(DENSE)


def malformed():
    for layout, corruptions in CORRUPTIONS.items():
        indexed = layout in ("csr", "csc", "bsr", "coo", "dia")
        for array in (True, False):
            for index in (np.int32, np.int64) if indexed else (np.int32,):
                more = WIDE if corruptions is COMPRESSED and index is np.int64 else {}
                for name, corrupt in {**corruptions, **more}.items():
                    X = made(layout, array)
                    corrupt(X, index)
                    yield f"{layout} array={array} {index.__name__} {name}", X


_CHOICE = fr.LogisticRegressionCV(
    Cs=2, cv=3, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=True
)


def entry_points():
    good = sp.csr_array(DENSE)
    ridge = fr.Ridge().fit(good, Y)
    inference = ridge.inference(good, Y)
    sgd = fr.SGDRegressor(random_state=0).fit(good, Y)
    classes = fr.SGDClassifier(loss="log_loss", random_state=0).fit(good, LABELS)
    logistic = fr.LogisticRegression().fit(good, LABELS)
    counts = fr.PoissonRegressor().fit(good, LABELS)
    lasso = fr.Lasso(0.01).fit(good, Y)
    stats = fr.GramStatistics.from_data(good, Y)
    return {
        "Ridge.fit": lambda X: fr.Ridge().fit(X, Y),
        "Ridge.fit lsqr": lambda X: fr.Ridge(solver="lsqr").fit(X, Y),
        "Ridge.partial_fit": lambda X: fr.Ridge().partial_fit(X, Y),
        "Ridge.predict": ridge.predict,
        "Ridge.score": lambda X: ridge.score(X, Y),
        "Ridge.inference": lambda X: ridge.inference(X, Y),
        "inference.leverage": inference.leverage,
        "inference.confidence_interval": inference.confidence_interval,
        "inference.prediction_interval": inference.prediction_interval,
        "RidgeCV.fit": lambda X: fr.RidgeCV().fit(X, Y),
        "RidgeCV.fit cv": lambda X: fr.RidgeCV(cv=3).fit(X, Y),
        "RidgeCV.partial_fit": lambda X: fr.RidgeCV(cv=3).partial_fit(X, Y),
        "Lasso.fit": lambda X: fr.Lasso().fit(X, Y),
        "Lasso.predict": lasso.predict,
        "ElasticNet.fit": lambda X: fr.ElasticNet().fit(X, Y),
        "ElasticNet.partial_fit": lambda X: fr.ElasticNet().partial_fit(X, Y),
        "LassoCV.fit": lambda X: fr.LassoCV(cv=3).fit(X, Y),
        "ElasticNetCV.fit": lambda X: fr.ElasticNetCV(cv=3).fit(X, Y),
        "ridge_path": lambda X: fr.ridge_path(X, Y, [1.0]),
        "lasso_path": lambda X: fr.lasso_path(X, Y),
        "enet_path": lambda X: fr.enet_path(X, Y),
        "GramStatistics.from_data": lambda X: fr.GramStatistics.from_data(X, Y),
        "GramStatistics.update": lambda X: stats.copy().update(X, Y),
        "GramStatistics.remove": lambda X: stats.copy().remove(X, Y),
        "SGDRegressor.fit": lambda X: fr.SGDRegressor().fit(X, Y),
        "SGDRegressor.fit auto": lambda X: fr.SGDRegressor(learning_rate="auto").fit(X, Y),
        "SGDRegressor.fit X_val": lambda X: fr.SGDRegressor().fit(good, Y, X_val=X, y_val=Y),
        "SGDRegressor.partial_fit": lambda X: fr.SGDRegressor().partial_fit(X, Y),
        "SGDRegressor.predict": sgd.predict,
        "SGDRegressor.score": lambda X: sgd.score(X, Y),
        "SGDClassifier.fit": lambda X: fr.SGDClassifier().fit(X, LABELS),
        "SGDClassifier.partial_fit": lambda X: fr.SGDClassifier().partial_fit(X, LABELS, [0, 1, 2]),
        "SGDClassifier.predict": classes.predict,
        "SGDClassifier.decision_function": classes.decision_function,
        "SGDClassifier.predict_proba": classes.predict_proba,
        "SGDClassifier.predict_log_proba": classes.predict_log_proba,
        "SGDClassifier.score": lambda X: classes.score(X, LABELS),
        "LogisticRegression.fit": lambda X: fr.LogisticRegression().fit(X, LABELS),
        "LogisticRegressionCV.fit": lambda X: _CHOICE.fit(X, LABELS),
        "logistic_path": lambda X: fr.logistic_path(X, LABELS),
        "glm_path": lambda X: fr.glm_path(X, LABELS),
        "LogisticRegression.predict_proba": logistic.predict_proba,
        "PoissonRegressor.fit": lambda X: fr.PoissonRegressor().fit(X, LABELS),
        "PoissonRegressor.predict": counts.predict,
        "PoissonRegressor.score": lambda X: counts.score(X, LABELS),
        "scan of a pair": lambda X: fr.Ridge().fit(fr.scan((X, Y))),
        "scan of an iterator": lambda X: fr.SGDRegressor().fit(fr.scan(lambda: iter([(X, Y)]))),
        "scan to predict": lambda X: sgd.predict(fr.scan(X)),
    }


def main():
    wrong = 0
    entries = entry_points()
    for layout in CORRUPTIONS:
        for array in (True, False):
            for name, entry in entries.items():
                if (name, layout) == ("Ridge.inference", "dia"):  # of the rows fitted only
                    continue
                print(f"{name}: good {layout} array={array}", flush=True)
                entry(made(layout, array))
    for case, X in malformed():
        for name, entry in entries.items():
            print(f"{name}: {case}", flush=True)
            try:
                entry(X)
            except ValueError as error:
                if "X" in str(error) and "malformed" in str(error):
                    continue
                found = f"ValueError: {error}"
            except Exception as error:  # noqa: BLE001
                found = f"{type(error).__name__}: {error}"
            else:
                found = "no error"
            print(f"WRONG {name}: {case}: {found}", flush=True)
            wrong += 1
    return int(wrong > 0)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
