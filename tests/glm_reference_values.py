"""Make the reference values of generalized linear models: Newton's method in 60 digits.

    python tests/glm_reference_values.py

writes ``tests/data/glm_reference/values.json`` and ``docs/reference_values.md``. It uses no code of
the package. Standard errors are from the expected information I at the minimum, as
``H^-1 I H^-1`` times the dispersion, where ``H = I + penalty``.
"""

import csv
import json
from pathlib import Path

import mpmath as mp

FOLDER = Path(__file__).parent / "data" / "glm_reference"
PAGE = Path(__file__).parent.parent / "docs" / "reference_values.md"
DIGITS = 30
mp.mp.dps = 60

SPRAYS = [f"spray_{k}" for k in "bcdef"]
BREAKS = ["wool_b", "tension_m", "tension_h", "wool_b_tension_m", "wool_b_tension_h"]
GROUPS = ["age_group", "alcohol_group", "tobacco_group"]
SEPALS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

FITS = {
    "esoph, logistic": ("esoph", "case", GROUPS, "people", {"family": "logistic"}),
    "esoph, logistic, C = 1": ("esoph", "case", GROUPS, "people", {"family": "logistic", "C": 1}),
    "iris, logistic": (
        "iris",
        "species",
        SEPALS,
        None,
        {"family": "logistic", "classes": ["versicolor", "virginica"]},
    ),
    "iris, multinomial, C = 1": (
        "iris",
        "species",
        SEPALS,
        None,
        {"family": "multinomial", "C": 1, "classes": ["setosa", "versicolor", "virginica"]},
    ),
    "iris, Firth": (
        "iris",
        "species",
        SEPALS[2:],
        None,
        {"family": "firth", "classes": ["setosa", "versicolor"]},
    ),
    "warpbreaks, Poisson": (
        "warpbreaks",
        "breaks",
        BREAKS,
        None,
        {"family": "tweedie", "power": 1},
    ),
    "dobson, Poisson": (
        "dobson",
        "count",
        ["outcome_2", "outcome_3", "treatment_2", "treatment_3"],
        None,
        {"family": "tweedie", "power": 1},
    ),
    "insect sprays, Poisson, alpha = 0.1": (
        "insect_sprays",
        "count",
        SPRAYS,
        None,
        {"family": "tweedie", "power": 1, "alpha": "0.1"},
    ),
    "insect sprays, Tweedie 1.5": (
        "insect_sprays",
        "count",
        SPRAYS,
        None,
        {"family": "tweedie", "power": 1.5},
    ),
    "clotting, gamma": (
        "clotting",
        "seconds_lot_1",
        ["log_concentration"],
        None,
        {"family": "tweedie", "power": 2},
    ),
    "warpbreaks, inverse Gaussian, log link": (
        "warpbreaks",
        "breaks",
        BREAKS,
        None,
        {"family": "tweedie", "power": 3},
    ),
}


def read(name):
    with (FOLDER / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


class Loss:
    """Half the deviance of a row with its derivatives, at a linear predictor."""

    def __init__(self, family, power):
        self.logistic, self.power = family != "tweedie", mp.mpf(power)

    def mean(self, eta):
        return 1 / (1 + mp.exp(-eta)) if self.logistic else mp.exp(eta)

    def derivatives(self, y, eta):
        """First and second derivative, and the second that is expected."""
        mean = self.mean(eta)
        if self.logistic:
            return mean - y, mean * (1 - mean), mean * (1 - mean)
        one, two = 1 - self.power, 2 - self.power
        first = mp.exp(two * eta) - y * mp.exp(one * eta)
        second = two * mp.exp(two * eta) - one * y * mp.exp(one * eta)
        return first, second, mp.exp(two * eta)

    def deviance(self, y, eta):
        mean, p = self.mean(eta), self.power
        if self.logistic:
            return -2 * (mp.log(mean) if y else mp.log(1 - mean))
        if p == 1:
            return 2 * ((y * mp.log(y / mean) if y else 0) - (y - mean))
        if p == 2:
            return 2 * (y / mean - 1 - mp.log(y / mean))
        one, two = 1 - p, 2 - p
        saturated = y**two / (one * two) if y or two > 0 else mp.mpf(0)
        return 2 * (saturated - y * mean**one / one + mean**two / two)

    def variance(self, mean):
        return mean * (1 - mean) if self.logistic else mean**self.power


def weighted(Z, weight):
    """Z' diag(weight) Z."""
    n, q = Z.rows, Z.cols
    scaled = mp.matrix(n, q)
    for i in range(n):
        for j in range(q):
            scaled[i, j] = weight[i] * Z[i, j]
    return Z.T * scaled


def newton(Z, y, v, loss, penalty, firth=False):
    """The minimum, and the expected information there."""
    n, q = Z.rows, Z.cols
    beta = mp.zeros(q, 1)
    mean = mp.fdot(v, y) / mp.fsum(v)
    beta[q - 1] = mp.log(mean / (1 - mean)) if loss.logistic else mp.log(mean)
    for _ in range(400):
        eta = Z * beta
        parts = [loss.derivatives(y[i], eta[i]) for i in range(n)]
        first = [v[i] * parts[i][0] for i in range(n)]
        hessian = weighted(Z, [v[i] * parts[i][1] for i in range(n)]) + penalty
        if firth:
            half = Z * hessian**-1
            for i in range(n):
                square = mp.fsum(half[i, j] * Z[i, j] for j in range(q))
                leverage = v[i] * parts[i][1] * square
                first[i] += leverage * (loss.mean(eta[i]) - mp.mpf(1) / 2)
        gradient = Z.T * mp.matrix(first) + penalty * beta
        step = mp.lu_solve(hessian, gradient)
        length = max(abs(s) for s in step)
        beta -= step * min(mp.mpf(1), 3 / length)
        if length < mp.mpf(10) ** -50:
            break
    else:
        raise ArithmeticError("no convergence")
    eta = Z * beta
    expected = [v[i] * loss.derivatives(y[i], eta[i])[2] for i in range(n)]
    return beta, weighted(Z, expected)


def one_predictor(rows, target, columns, weights, options):
    classes = options.get("classes")
    if classes:
        rows = [row for row in rows if row[target] in classes]
    y = [mp.mpf(classes.index(r[target]) if classes else r[target]) for r in rows]
    Z = mp.matrix([[*(mp.mpf(float(r[c])) for c in columns), 1] for r in rows])
    v = [mp.mpf(r[weights]) if weights else mp.mpf(1) for r in rows]
    q, family = len(columns) + 1, options["family"]
    loss = Loss(family, options.get("power", 0))
    strength = mp.mpf(1) / options["C"] if "C" in options else mp.mpf(0)
    if "alpha" in options:
        strength = mp.mpf(float(options["alpha"])) * mp.fsum(v)
    penalty = mp.diag([strength] * (q - 1) + [0])
    beta, information = newton(Z, y, v, loss, penalty, family == "firth")
    inverse = (information + penalty) ** -1
    covariance = inverse * information * inverse
    eta = Z * beta
    dispersion = mp.mpf(1)
    if family == "tweedie" and options["power"] != 1:
        pearson = mp.fsum(
            v[i] * (y[i] - loss.mean(eta[i])) ** 2 / loss.variance(loss.mean(eta[i]))
            for i in range(len(y))
        )
        dof = mp.fsum((inverse * information)[j, j] for j in range(q))
        dispersion = pearson / (len(y) - dof)
    deviance = mp.fsum(v[i] * loss.deviance(y[i], eta[i]) for i in range(len(y)))
    errors = [mp.sqrt(dispersion * covariance[j, j]) for j in range(q)]
    return {
        "coef": [list(beta)[:-1]],
        "intercept": [beta[q - 1]],
        "standard_errors": [errors[:-1]],
        "intercept_standard_errors": errors[-1:],
        "deviance": deviance,
        "dispersion": dispersion,
    }


def multinomial(rows, target, columns, weights, options):
    """Coefficients of all classes; those of each feature add up to zero, and so do intercepts."""
    classes = options["classes"]
    y = [classes.index(r[target]) for r in rows]
    K, q, n = len(classes), len(columns) + 1, len(rows)
    Z = mp.matrix([[*(mp.mpf(float(r[c])) for c in columns), 1] for r in rows])
    penalty = mp.diag(([mp.mpf(1) / options["C"]] * (q - 1) + [0]) * K)
    gauge = mp.zeros(K * q)
    for k in range(K):
        for m in range(K):
            gauge[k * q + q - 1, m * q + q - 1] = 1
    beta = mp.zeros(K * q, 1)
    for _ in range(100):
        P = []
        for i in range(n):
            eta = [mp.fsum(Z[i, j] * beta[k * q + j] for j in range(q)) for k in range(K)]
            largest = max(eta)
            terms = [mp.exp(e - largest) for e in eta]
            P.append([t / mp.fsum(terms) for t in terms])
        information, gradient = mp.zeros(K * q), penalty * beta
        for k in range(K):
            residual = mp.matrix([P[i][k] - (y[i] == k) for i in range(n)])
            part = Z.T * residual
            for j in range(q):
                gradient[k * q + j] += part[j]
            for m in range(K):
                block = weighted(Z, [P[i][k] * ((k == m) - P[i][m]) for i in range(n)])
                for a in range(q):
                    for b in range(q):
                        information[k * q + a, m * q + b] = block[a, b]
        inverse = (information + penalty + gauge) ** -1
        step = inverse * gradient
        length = max(abs(s) for s in step)
        beta -= step * min(mp.mpf(1), 3 / length)
        if length < mp.mpf(10) ** -50:
            break
    else:
        raise ArithmeticError("no convergence")
    covariance = inverse * information * inverse
    errors = [mp.sqrt(covariance[j, j]) for j in range(K * q)]
    blocks = [slice(k * q, k * q + q - 1) for k in range(K)]
    return {
        "coef": [list(beta)[b] for b in blocks],
        "intercept": [beta[k * q + q - 1] for k in range(K)],
        "standard_errors": [errors[b] for b in blocks],
        "intercept_standard_errors": [errors[k * q + q - 1] for k in range(K)],
        "deviance": -2 * mp.fsum(mp.log(P[i][y[i]]) for i in range(n)),
        "dispersion": mp.mpf(1),
    }


def text(value):
    if isinstance(value, list):
        return [text(v) for v in value]
    if abs(value) < mp.mpf(10) ** -45:  # zero, to rounding
        return "0.0"
    return mp.nstr(value, DIGITS, strip_zeros=False)


def page(values):
    lines = [
        "# Certified values of generalized linear models",
        "",
        "Thirty digits of fits to small classic data, to check any software by. They were computed "
        "in 60",
        "digits by `tests/glm_reference_values.py`; data and sources are in",
        "`tests/data/glm_reference/`. Objectives are those of `LogisticRegression` and "
        "`TweedieRegressor`",
        "(log link), without a penalty unless C or alpha is given. Standard errors are from the "
        "expected",
        "information, times the dispersion for families other than classes and counts.",
        "Fits with `tol=1e-12` are tested to ten digits, and fits with default options to five.",
    ]
    for name, fit in values.items():
        lines += ["", f"## {name}", "", f"Deviance {fit['deviance']}"]
        if fit["options"]["family"] == "tweedie" and fit["options"]["power"] != 1:
            lines[-1] += f", dispersion {fit['dispersion']}"
        lines += ["", "| | coefficient | standard error |", "|---|---|---|"]
        several = len(fit["coef"]) > 1
        for k, coef in enumerate(fit["coef"]):
            label = f"{fit['options']['classes'][k]}: " if several else ""
            every = [fit["intercept"][k], *coef]
            errors = [fit["intercept_standard_errors"][k], *fit["standard_errors"][k]]
            names = ["(intercept)", *fit["columns"]]
            for column, value, error in zip(names, every, errors, strict=True):
                lines.append(f"| {label}{column} | {value} | {error} |")
    return "\n".join(lines) + "\n"


def main():
    values = {}
    for name, (data, target, columns, weights, options) in FITS.items():
        make = multinomial if options["family"] == "multinomial" else one_predictor
        found = make(read(data), target, columns, weights, options)
        values[name] = {
            "data": data,
            "target": target,
            "columns": columns,
            "weights": weights,
            "options": options,
            **{key: text(value) for key, value in found.items()},
        }
        print(name, values[name]["coef"])
    (FOLDER / "values.json").write_text(json.dumps(values, indent=1) + "\n")
    PAGE.write_text(page(values))


if __name__ == "__main__":
    main()
