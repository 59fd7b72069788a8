"""Fit a curve to the daily number of flights from Houston in 2011 by kernel ridge regression.

A row is a day: its date, and the day of the week on a circle. The days of four gaps of ten days
are left out. `KernelRidgeCV` chooses the penalty and the width of the kernel by leave-one-out. The
script prints the errors on the days in the gaps, and draws the curve to a file:

    python examples/daily_flights.py daily.png
"""

import argparse
from pathlib import Path

import numpy as np
from pyarrow import parquet

from fastridge import KernelRidgeCV

FLIGHTS = Path(__file__).with_name("flights.parquet")
NEW_YEAR = np.datetime64("2011-01-01")
GAPS = (40, 130, 220, 290)
GAMMAS = np.logspace(-3, 1, 9)


def daily_flights():
    """Return the number of flights of each day of the year."""
    table = parquet.read_table(FLIGHTS, columns=["Month", "DayofMonth"])
    month, day = (table[name].to_numpy().astype(int) for name in ("Month", "DayofMonth"))
    first = (np.datetime64("2011-01") + (month - 1)).astype("datetime64[D]")
    return np.bincount((first - NEW_YEAR).astype(int) + day - 1, minlength=365)


def rows_of(days):
    """Return the rows of days: months since New Year, and the day of the week on a circle."""
    angle = 2.0 * np.pi * days / 7.0
    return np.column_stack([days / 30.0, np.cos(angle), np.sin(angle)])


def draw(days, flights, known, curve, path):
    """Draw the days, those in the gaps, and the curve to a file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(12, 4), layout="constrained")
    dates = NEW_YEAR + days
    axes.plot(dates, curve, color="tab:blue", linewidth=1, label="kernel ridge")
    axes.plot(dates[known], flights[known], ".", color="black", markersize=3, label="days fitted")
    axes.plot(dates[~known], flights[~known], "o", color="tab:red", markersize=3, label="left out")
    axes.set(title="flights from Houston per day", ylim=(400, None))
    axes.legend(frameon=False, loc="lower left", ncols=3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(path):
    """Fit, print, draw; return the model, and the errors of it and of the means of weekdays."""
    days, flights = np.arange(365), daily_flights()
    known = np.ones(365, dtype=bool)
    for begin in GAPS:
        known[begin : begin + 10] = False
    mean = flights[known].mean()
    model = KernelRidgeCV(kernel="rbf", gamma=GAMMAS)
    model.fit(rows_of(days[known]), flights[known] - mean)
    curve = model.predict(rows_of(days)) + mean
    weekdays = np.array([flights[known & (days % 7 == k)].mean() for k in range(7)])
    errors = [
        np.sqrt(np.mean((predicted - flights)[~known] ** 2))
        for predicted in (curve, weekdays[days % 7])
    ]
    print(f"gamma {model.gamma_:.3g} and alpha {model.alpha_:.3g} by leave-one-out")
    print(f"error on the days left out: {errors[0]:.1f} flights of {mean:.0f}")
    print(f"                            {errors[1]:.1f} by the means of weekdays")
    draw(days, flights, known, curve, path)
    return model, errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="file for the plot, such as daily.png")
    main(parser.parse_args().path)
