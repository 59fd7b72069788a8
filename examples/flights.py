"""Predict the arrival delay of 223,874 flights from what is known at take-off, by ridge regression.

One pass over the training rows gives the statistics of each of five folds. They are enough for the
k-fold error of a hundred penalties and the model at the best of them. The error on the held-out
rows shows how good it is.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from fastridge import GramStatistics, RidgeCV

FLIGHTS = Path(__file__).with_name("flights.parquet")
NUMBERS = ["DepTime", "Distance", "DepDelay", "TaxiOut"]
CATEGORIES = ["Month", "DayOfWeek", "UniqueCarrier", "Origin", "Dest"]
N_FOLDS = 5
HELD_OUT = 0.2
MOST_FREQUENT = 100  # categories per column; the others share one


def read_flights(path):
    """Read the columns of the flights that arrived, and draw a random number for each flight."""
    table = pq.read_table(path, columns=["ArrDelay", *NUMBERS, *CATEGORIES])
    draw = np.random.default_rng(0).random(len(table))
    arrived = table["ArrDelay"].is_valid().to_numpy()
    table = table.filter(arrived)
    return {name: table[name].to_numpy() for name in table.column_names}, draw[arrived]


def most_frequent(values):
    """Return the most frequent of these values, and whether there are others."""
    levels, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return levels[order[:MOST_FREQUENT]], len(levels) > MOST_FREQUENT


def features(columns, levels, rows):
    """Return dense features of some rows: the numbers, and a 0/1 column per category."""
    blocks = [columns[name][rows, None].astype(float) for name in NUMBERS]
    for name in CATEGORIES:
        known, has_others = levels[name]
        block = columns[name][rows, None] == known
        blocks.append(block)
        if has_others:
            blocks.append(~block.any(axis=1, keepdims=True))
    return np.hstack(blocks)


def feature_names(levels):
    """Return a name for each column of `features`."""
    names = list(NUMBERS)
    for name in CATEGORIES:
        known, has_others = levels[name]
        names += [f"{name}={level}" for level in known]
        names += [f"{name}=(other)"] if has_others else []
    return names


def main(path=FLIGHTS):
    """Fit, print, and return the model and its held-out R²."""
    columns, draw = read_flights(path)
    delay = columns["ArrDelay"].astype(float)
    held_out = draw < HELD_OUT
    fold = np.where(held_out, -1, (draw - HELD_OUT) / (1 - HELD_OUT) * N_FOLDS).astype(int)
    levels = {name: most_frequent(columns[name][~held_out]) for name in CATEGORIES}
    names = feature_names(levels)

    # One pass over the rows of each fold in batches, so that X is never in memory as a whole.
    folds = [GramStatistics(feature_names=names) for _ in range(N_FOLDS)]
    for k, statistics in enumerate(folds):
        members = np.flatnonzero(fold == k)
        for rows in np.array_split(members, len(members) // 16384 + 1):
            statistics.update(features(columns, levels, rows), delay[rows])
    total = sum(folds)

    model = RidgeCV("auto", method="kfold", scoring="neg_mean_squared_error", standardize=True)
    model.fit_statistics(folds)

    rows = np.flatnonzero(held_out)
    predicted = features(columns, levels, rows) @ model.coef_ + model.intercept_
    truth = delay[rows]
    r2 = 1 - np.sum((truth - predicted) ** 2) / np.sum((truth - truth.mean()) ** 2)
    rmse = np.sqrt(np.mean((truth - predicted) ** 2))
    baseline = np.sqrt(np.mean((truth - total.y_mean[0]) ** 2))

    print(
        f"{total.n_samples:,} flights for training, {len(rows):,} held out, {len(names)} features"
    )
    print(f"penalty {model.alpha_:.4g}, solver {model.solver_}, condition {1 / model.rcond_:.3g}")
    print(f"held-out R² {r2:.4f}, RMSE {rmse:.2f} minutes (the mean: {baseline:.2f})")
    print("minutes later for one standard deviation more of:")
    effect = model.coef_ * np.sqrt(np.diagonal(total.xx) / total.n_samples)
    for j in np.argsort(-np.abs(effect))[:10]:
        print(f"  {names[j]:20} {effect[j]:+7.2f}")
    return model, r2


if __name__ == "__main__":
    main()
