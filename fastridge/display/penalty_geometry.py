"""Contours of the loss in two coefficients, and the balls of three penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.display.axes import new_axes, plain
from fastridge.display.parameter_texts import DISPLAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {"ridge (L2)": "tab:blue", "lasso (L1)": "tab:red", "elastic net": "tab:green"}


def _length_of(w: np.ndarray) -> np.ndarray:
    return np.sqrt((w * w).sum(axis=0))


def _sum_of_sizes(w: np.ndarray) -> np.ndarray:
    return np.abs(w).sum(axis=0)


@documented(DISPLAY)
class PenaltyGeometryDisplay:
    """Draw contours of the squared loss in two coefficients, and the balls of three penalties.

    The loss is ``(w - least squares)' G (w - least squares)``. On each ball the penalty is `share`
    times the penalty of the least-squares solution, and the minimum of the loss on it is marked.
    Ridge shrinks both coefficients; the corners of the lasso make one of them zero.

    Parameters
    ----------
    xx : array-like of shape (2, 2)
        Centred Gram matrix G of the two columns, positive definite.
    xy : array-like of shape (2,)
        Centred cross-products of the two columns with y.
    names : sequence of two str, default=None
        Names of the two columns; None is x0 and x1.
    share : float, default=0.5
        Size of the balls relative to the least-squares solution, between 0 and 1.
    l1_ratio : float, default=0.5
        Parameter of the elastic net, ``l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2``, with w in
        units of the length of the least-squares solution. Between 0 and 1.

    Attributes
    ----------
    least_squares : ndarray of shape (2,)
        The minimum of the loss.
    penalties : dict of str to callable
        For each penalty a function of points of shape (2, n_points).
    balls : dict of str to ndarray of shape (2, 721)
        Points on the border of each ball.
    solutions : dict of str to ndarray of shape (2,)
        The minimum of the loss on each ball.
    ax_, figure_
    contours_ : matplotlib.contour.QuadContourSet
        The contours of the loss.
    balls_ : dict of str to matplotlib.lines.Line2D
        The border of each ball.
    solutions_ : dict of str to matplotlib.lines.Line2D
        The mark of each minimum.

    Raises
    ------
    ValueError
        If shapes are wrong, if the two columns are constant or depend on each other, if y depends
        on neither, or if `share` or `l1_ratio` is not between 0 and 1.

    See Also
    --------
    ShrinkageDisplay : What ridge does in many dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.display import PenaltyGeometryDisplay
    >>> display = PenaltyGeometryDisplay.from_moments(np.eye(2), [1.0, 0.2], share=0.5)
    >>> display.solutions["ridge (L2)"].round(2)
    array([0.5, 0.1])
    >>> display.solutions["lasso (L1)"].round(2)
    array([0.6, 0. ])
    """

    def __init__(
        self,
        *,
        xx: ArrayLike,
        xy: ArrayLike,
        names: Sequence[str] | None = None,
        share: float = 0.5,
        l1_ratio: float = 0.5,
    ) -> None:
        self.xx, self.xy = np.asarray(xx, dtype=float), np.asarray(xy, dtype=float)
        if self.xx.shape != (2, 2) or self.xy.shape != (2,):
            raise ValueError(
                f"xx must have shape (2, 2) and xy (2,), got {self.xx.shape} and {self.xy.shape}."
            )
        if not np.allclose(self.xx, self.xx.T, rtol=1e-8):
            raise ValueError("xx must be symmetric.")
        if names is not None and len(names) != 2:
            raise ValueError(f"names must be two, got {names!r}.")
        if not np.linalg.eigvalsh(self.xx)[0] > 1e-12 * np.trace(self.xx):
            raise ValueError(
                "the two columns are constant or depend on each other: choose other features."
            )
        for name, value in (("share", share), ("l1_ratio", l1_ratio)):
            if not 0.0 < value < 1.0:
                raise ValueError(f"{name} must be between 0 and 1, got {value!r}.")
        self.names = ["x0", "x1"] if names is None else [str(name) for name in names]
        self.share, self.l1_ratio = share, l1_ratio
        self.least_squares = np.linalg.solve(self.xx, self.xy)
        self._length = float(np.linalg.norm(self.least_squares))
        if not self._length > 0.0:
            raise ValueError("xy is zero: y depends on neither column, and there is no geometry.")
        self.penalties = {
            "ridge (L2)": _length_of,
            "lasso (L1)": _sum_of_sizes,
            "elastic net": self._elastic_net,
        }
        self.balls = {name: self._ball(name) for name in self.penalties}
        self.solutions = {name: self._solution(name) for name in self.penalties}

    def _elastic_net(self, w: np.ndarray) -> np.ndarray:
        w = w / self._length
        value: np.ndarray = self.l1_ratio * np.abs(w).sum(axis=0)
        return value + 0.5 * (1.0 - self.l1_ratio) * (w * w).sum(axis=0)

    @classmethod
    def from_moments(cls, xx: ArrayLike, xy: ArrayLike, **options: Any) -> Self:
        """Take the centred cross-products of two columns with themselves and with y.

        Parameters
        ----------
        xx : array-like of shape (2, 2)
            Centred Gram matrix of the two columns, positive definite.
        xy : array-like of shape (2,)
            Centred cross-products of the two columns with y.
        **options : dict
            ``names``, ``share`` and ``l1_ratio`` of the class.

        Returns
        -------
        PenaltyGeometryDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If the class refuses the arguments.
        """
        return cls(xx=xx, xy=xy, **options)

    @classmethod
    @documented(DISPLAY)
    def from_data(
        cls,
        X: RowsLike,
        y: ArrayLike,
        *,
        features: tuple[int, int] = (0, 1),
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Draw two features of X, given by index and scaled to unit variance.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, of which the first counts.
        features : (int, int), default=(0, 1)
            Indices of the two features.
        ax
        **options : dict
            ``names``, ``share`` and ``l1_ratio`` of the class. ``names`` defaults to those of a
            data frame.

        Returns: Self

        Raises
        ------
        ValueError
            If an index is out of range, if the data are malformed or not finite, or if the class
            refuses the columns.
        ImportError
        """
        from fastridge.display.axes import names_of
        from fastridge.statistics.gram_statistics import GramStatistics

        stats = GramStatistics.from_data(X, y)
        some = list(features)
        if len(some) != 2 or not all(0 <= j < stats.n_features for j in some):
            raise ValueError(
                f"features must be two indices from 0 to {stats.n_features - 1}, got {features!r}."
            )
        scale = np.sqrt(np.diagonal(stats.xx)[some])
        scale = np.where(scale > 0.0, scale, 1.0) / np.sqrt(stats.sum_weights)
        names = names_of(None, X, stats.n_features)
        options.setdefault("names", [names[j] for j in some])
        xx = stats.xx[np.ix_(some, some)] / np.outer(scale, scale)
        return cls(xx=xx, xy=stats.xy[some, 0] / scale, **options).plot(ax)

    def _ball(self, name: str) -> np.ndarray:
        """Return points (2, n) at which the penalty is `share` times that of least squares."""
        return self._border(name, np.linspace(0.0, 2.0 * np.pi, 721))

    def _border(self, name: str, angle: float | np.ndarray) -> np.ndarray:
        direction = np.array([np.cos(angle), np.sin(angle)])
        size = self.share * float(self.penalties[name](self.least_squares[:, None])[0])
        ones = np.abs(direction).sum(axis=0)
        if name == "ridge (L2)":
            radius = np.full_like(ones, size)
        elif name == "lasso (L1)":
            radius = size / ones
        else:  # l1_ratio r |d|_1 + (1 - l1_ratio) / 2 r^2 = size
            a, b = 0.5 * (1.0 - self.l1_ratio), self.l1_ratio * ones
            radius = self._length * (-b + np.sqrt(b * b + 4.0 * a * size)) / (2.0 * a)
        border: np.ndarray = radius * direction
        return border

    def loss(self, w: np.ndarray) -> np.ndarray:
        """Compute how far the loss is above that of least squares.

        Parameters
        ----------
        w : ndarray of shape (2, ...)
            Points: pairs of coefficients.

        Returns
        -------
        ndarray of shape (...)
            Loss at each point, in the units of `xx`.
        """
        d = w - self.least_squares.reshape(2, *[1] * (w.ndim - 1))
        value: np.ndarray = np.einsum("i...,ij,j...->...", d, self.xx, d)
        return value

    def _solution(self, name: str) -> np.ndarray:
        angles = np.linspace(0.0, 2.0 * np.pi, 721)
        start = angles[int(self.loss(self._border(name, angles)).argmin())]
        step = angles[1]
        found = minimize_scalar(
            lambda angle: float(self.loss(self._border(name, angle))),
            bounds=(start - step, start + step),
            method="bounded",
            options={"xatol": 1e-12},
        )
        candidates = [self._border(name, angle) for angle in (start, float(found.x))]
        best = min(candidates, key=lambda w: float(self.loss(w)))
        return np.where(np.abs(best) < 1e-6 * np.abs(best).max(), 0.0, best)

    @documented(DISPLAY)
    def plot(self, ax: Axes | None = None, *, n_contours: int = 7) -> Self:
        """Draw contours, balls and solutions.

        Parameters
        ----------
        ax
        n_contours : int, default=7
            Number of contours of the loss.

        Returns: Self

        Raises: ImportError
        """
        self.ax_, self.figure_ = new_axes(ax, width=5.6, height=6.0)
        reach = 1.35 * max(
            np.abs(self.least_squares).max(), *(np.abs(ball).max() for ball in self.balls.values())
        )
        grid = np.linspace(-reach, reach, 241)
        loss = self.loss(np.stack(np.meshgrid(grid, grid)))
        levels = np.quantile(loss, 0.8) * (np.arange(1, n_contours + 1) / n_contours) ** 2
        self.contours_ = self.ax_.contour(
            grid, grid, loss, levels=levels, colors="0.75", linewidths=0.8
        )
        self.ax_.plot(*self.least_squares, "k+", markersize=9, label="least squares")
        self.balls_, self.solutions_ = {}, {}
        for name, ball in self.balls.items():
            color = _STYLES[name]
            w = self.solutions[name]
            label = f"{name}: {w[0]:.3g}, {w[1]:.3g}"
            (self.balls_[name],) = self.ax_.plot(*ball, color=color, linewidth=1.4)
            (self.solutions_[name],) = self.ax_.plot(
                *w, "o", color=color, markersize=5.5, markeredgecolor="white", label=label
            )
        for draw in (self.ax_.axhline, self.ax_.axvline):
            draw(0.0, color="0.5", linewidth=0.6, zorder=0)
        self.ax_.set_aspect("equal")
        self.ax_.set_xlabel(f"coefficient of {plain(self.names[0])}")
        self.ax_.set_ylabel(f"coefficient of {plain(self.names[1])}")
        self.ax_.legend(fontsize="small", loc="upper left", bbox_to_anchor=(0.0, -0.13), ncols=2)
        return self
