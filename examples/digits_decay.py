"""Show the effect of weight decay on the weights of a network and on its errors on unseen digits.

A network with one hidden layer, in plain NumPy, learns scikit-learn's handwritten digits from 500
images, a fifth of which have a random label: by Adam without decay, by Adam with an L2 penalty, and
by AdamW, whose decay is decoupled from the gradient. The script prints the errors, and draws errors
and weights to a file:

    python examples/digits_decay.py decay.png
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from fastridge.optim import Adam, AdamW

N_TRAIN, WRONG_LABELS, N_HIDDEN = 500, 0.2, 128
LEARNING_RATE, BATCH = 3e-3, 50
RUNS = {
    "no decay": (Adam, 0.0),
    "Adam, L2 penalty 0.01": (Adam, 0.01),
    "AdamW, decay 1": (AdamW, 1.0),
}


def digits(rng):
    """Return training images, some with wrong labels, and the other images with their labels."""
    X, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    X, y = (X[order] / 16).astype(np.float32), y[order]
    labels = y[:N_TRAIN].copy()
    wrong = rng.random(N_TRAIN) < WRONG_LABELS
    labels[wrong] = rng.integers(0, 10, wrong.sum())
    return X[:N_TRAIN], labels, X[N_TRAIN:], y[N_TRAIN:]


def initial_network(rng):
    """Draw the weights and biases of the two layers."""
    weights = [
        rng.normal(0, np.sqrt(2 / 64), (64, N_HIDDEN)),
        rng.normal(0, np.sqrt(1 / N_HIDDEN), (N_HIDDEN, 10)),
    ]
    biases = [np.zeros(N_HIDDEN), np.zeros(10)]
    return [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in biases]


def forward(X, weights, biases):
    """Compute the hidden layer and a score for each digit."""
    hidden = np.maximum(X @ weights[0] + biases[0], 0)
    return hidden, hidden @ weights[1] + biases[1]


def gradients(X, labels, weights, biases):
    """Compute the gradients of the mean cross-entropy: those of the weights, then the biases."""
    hidden, scores = forward(X, weights, biases)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    by_score = scores / scores.sum(axis=1, keepdims=True)
    by_score[np.arange(len(X)), labels] -= 1
    by_score /= len(X)
    by_hidden = (by_score @ weights[1].T) * (hidden > 0)
    return [X.T @ by_hidden, hidden.T @ by_score, by_hidden.sum(axis=0), by_score.sum(axis=0)]


def train(fast, decay, n_epochs, seed):
    """Train; return test error and norm of the weights per epoch, and the final first layer."""
    rng = np.random.default_rng(seed)
    X, labels, X_test, y_test = digits(rng)
    weights, biases = initial_network(rng)
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    optimizer = fast(groups, lr=LEARNING_RATE, weight_decay=decay)
    errors, norms = [], []
    for _ in range(n_epochs):
        for rows in np.array_split(rng.permutation(N_TRAIN), N_TRAIN // BATCH):
            optimizer.step(gradients(X[rows], labels[rows], weights, biases))
        scores = forward(X_test, weights, biases)[1]
        errors.append(np.mean(scores.argmax(axis=1) != y_test))
        norms.append(np.sqrt(sum(np.sum(w**2) for w in weights)))
    return np.array(errors), np.array(norms), weights[0]


def draw(results, path):
    """Draw test errors, norms and the weights of the first layer of every run to a file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    edges = np.linspace(-1, 1, 81)
    for name, (errors, norms, first_layer) in results.items():
        epochs = np.arange(1, len(errors) + 1)
        left.plot(epochs, 100 * errors, label=name)
        middle.plot(epochs, norms, label=name)
        right.hist(first_layer.ravel(), edges, histtype="step", label=name)
    left.set(title="errors on unseen digits", xlabel="epoch", ylabel="%", ylim=(0, None))
    middle.set(title="norm of the weights", xlabel="epoch", ylim=(0, None))
    right.set(title="weights of the first layer", xlabel="weight", yscale="log")
    left.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(path, n_epochs=200, n_seeds=3):
    """Train, print, draw; return the results of each run, with means of errors and norms."""
    results = {}
    for name, (fast, decay) in RUNS.items():
        trained = [train(fast, decay, n_epochs, seed) for seed in range(n_seeds)]
        errors, norms, layers = (np.array(values) for values in zip(*trained, strict=True))
        results[name] = errors.mean(axis=0), norms.mean(axis=0), layers
        print(
            f"{name:22} test error {results[name][0][-1]:6.2%}, norm {results[name][1][-1]:5.1f}, "
            f"weights within 0.01 of zero {np.mean(np.abs(layers) < 0.01):4.0%}"
        )
    draw(results, path)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="file for the plot, such as decay.png")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="networks to average over")
    options = parser.parse_args()
    main(options.path, options.epochs, options.seeds)
