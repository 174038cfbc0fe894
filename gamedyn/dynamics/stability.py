"""Stability maps over step sizes: growth measured by running the update law, beside the spectral radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gamedyn.dynamics.laws import Array, Game, law
from gamedyn.dynamics.matrices import iteration_matrix, optimizer_name, spectral_radius
from gamedyn.dynamics.runs import stacked

# A run is decided, and frozen, once it has grown or shrunk by this factor: far beyond any transient,
# far inside float64's range, so that neither infinities nor (slow) denormals ever arise.
_DECIDED = 1e100
# Runs advanced together: few enough that their arrays stay in the processor's cache.
_CHUNK = 8192
# From a step of 1 % to float64's last digits.
_HALVINGS = 45


class AffineGame(Game, Protocol):
    """A game with affine gradients: beside the laws' needs, its equilibrium and its Jacobian."""

    @property
    def equilibrium(self) -> tuple[Array, Array]:
        """The point (x*, y*) where both gradients vanish, shapes (m,) and (n,)."""

    @property
    def jacobian(self) -> Array:
        """Jacobian of both players' own gradients, shape (m+n, m+n)."""


@dataclass(frozen=True)
class StabilityMap:
    """Measured and predicted stability over a grid of step sizes; row i is `max_lr[i]`, column j `lr[j]`.

    Attributes:
        optimizer: Name of the optimizer.
        lr: Step sizes η_x of player 0, shape (columns,).
        max_lr: Step sizes η_y of player 1, shape (rows,).
        growth: Measured mean growth of log-distance a step, shape (rows, columns).
        radius: Spectral radius of the iteration matrix, shape (rows, columns).
        steps: Steps of each run.
    """

    optimizer: str
    lr: Array
    max_lr: Array
    growth: Array
    radius: Array
    steps: int

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """Where the run came nearer to the equilibrium."""
        return np.asarray(self.growth < 0.0)

    @property
    def predicted(self) -> npt.NDArray[np.bool_]:
        """Where the spectral radius is below 1."""
        return np.asarray(self.radius < 1.0)

    @property
    def agreement(self) -> float:
        """Share of cells whose measured and predicted stability agree."""
        return float(np.mean(self.measured == self.predicted))

    @property
    def boundary(self) -> npt.NDArray[np.bool_]:
        """Cells with one of their eight neighbours on the other side of the predicted boundary."""
        inside = self.predicted
        padded = np.pad(inside, 1, mode="edge")
        rows, columns = inside.shape
        edge = np.zeros_like(inside)
        for i in range(3):
            for j in range(3):
                edge |= padded[i : i + rows, j : j + columns] != inside
        return edge

    @property
    def off_boundary(self) -> int:
        """Number of cells that disagree and do not lie on the boundary."""
        return int(np.sum((self.measured != self.predicted) & ~self.boundary))


def growth(
    game: AffineGame,
    optimizer: object,
    start: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    lr: npt.ArrayLike,
    max_lr: npt.ArrayLike | None = None,
    steps: int = 500,
) -> Array:
    r"""Mean growth of log-distance a step, measured by running the update law.

    The distance is r² = ‖x − x*‖²/η_x + ‖y − y*‖²/η_y, in which rotation alone changes r least. What
    rotation is left is averaged out by a smooth window (a weighted Birkhoff average), so that the error
    falls faster than any power of the number of turns made, where a fit to the end points leaves 1/steps:

        Σₖ w(tₖ) (log rₖ₊₁ − log rₖ) / Σₖ w(tₖ),   w(t) = exp(−1/(t(1−t))),   tₖ = (k + ½)/steps

    A run that has moved by a factor of 1e±100 is decided there and then.

    Args:
        game: A game with affine gradients.
        optimizer: Name, class or instance of SimGD, AltGD or CGD.
        start: (x₀, y₀) of shapes (..., m) and (..., n), or numbers; not the equilibrium itself.
        lr: η_x, of any shape.
        max_lr: η_y, broadcast against `lr`; `None` means `lr`.
        steps: Steps of each run.

    Returns:
        Growth of log r a step, negative where the run converges, in the broadcast shape of the step sizes.

    Raises:
        ValueError: If `steps` is below 2, or a run starts at the equilibrium.

    Example:
        >>> from gamedyn.games import Bilinear
        >>> float(growth(Bilinear(1.0), "SimGD", (1.0, 1.0), lr=0.1).round(6))     # log √1.01
        0.004975

    References:
        Das, Saiki, Sander, Yorke, "Quantitative quasiperiodicity", Nonlinearity 30 (2017), for the window.
    """
    if steps < 2:
        raise ValueError(f"a growth is measured over at least 2 steps, got steps={steps}")
    x, y, eta_x, eta_y = stacked(start, lr, max_lr)
    shape = x.shape[:-1]
    x, y, eta_x, eta_y = (a.reshape(-1, a.shape[-1]) for a in (x, y, eta_x, eta_y))
    chunks = [slice(i, i + _CHUNK) for i in range(0, len(x), _CHUNK)]
    parts = [_growth(game, optimizer, x[c], y[c], eta_x[c], eta_y[c], steps) for c in chunks]
    return np.concatenate(parts).reshape(shape)


def _growth(
    game: AffineGame, optimizer: object, x: Array, y: Array, eta_x: Array, eta_y: Array, steps: int
) -> Array:
    """`growth` of one chunk of runs: arrays of shapes (runs, m), (runs, n), (runs, 1), (runs, 1)."""
    move = law(optimizer)
    x_star, y_star = game.equilibrium
    # A player who does not move (η = 0) is measured plainly.
    scale_x, scale_y = np.where(eta_x > 0, eta_x, 1.0), np.where(eta_y > 0, eta_y, 1.0)

    def log_distance() -> Array:
        square = ((x - x_star) ** 2 / scale_x).sum(axis=-1) + ((y - y_star) ** 2 / scale_y).sum(axis=-1)
        with np.errstate(divide="ignore"):
            return np.asarray(0.5 * np.log(square))

    times = (np.arange(steps) + 0.5) / steps
    window = np.exp(-1.0 / (times * (1.0 - times)))
    window /= window.sum()

    answer = np.empty(len(x))
    active = np.arange(len(x))
    first = last = log_distance()
    if not np.isfinite(first).all():
        raise ValueError("a run starts at the equilibrium (or at infinity), where no growth can be measured")
    mean = np.zeros(len(x))
    limit = np.log(_DECIDED)
    for k in range(steps):
        x, y = move(game, x, y, eta_x, eta_y)
        now = log_distance()
        mean += window[k] * (now - last)
        last = now
        decided = np.abs(now - first) > limit
        if decided.any():
            answer[active[decided]] = (now - first)[decided] / (k + 1)
            keep = ~decided
            x, y, eta_x, eta_y, scale_x, scale_y, mean, first, last, active = (
                a[keep] for a in (x, y, eta_x, eta_y, scale_x, scale_y, mean, first, last, active)
            )
            if not len(active):
                break
    answer[active] = mean
    return answer


def stability_map(
    game: AffineGame,
    optimizer: object,
    *,
    lr: npt.ArrayLike,
    max_lr: npt.ArrayLike,
    start: tuple[npt.ArrayLike, npt.ArrayLike],
    steps: int = 500,
) -> StabilityMap:
    """Measure and predict stability for every pair of step sizes.

    Args:
        game: A game with affine gradients.
        optimizer: Name, class or instance of SimGD, AltGD or CGD.
        lr: The columns' step sizes η_x, shape (columns,).
        max_lr: The rows' step sizes η_y, shape (rows,).
        start: (x₀, y₀), of shapes (m,) and (n,), or numbers.
        steps: Steps of each run.

    Returns:
        The map, with `growth` from the runs and `radius` from the iteration matrix.

    Example:
        >>> from gamedyn.games import Quadratic
        >>> eta = np.geomspace(1e-2, 1.0, 20)
        >>> picture = stability_map(Quadratic.icr(), "CGD", lr=eta, max_lr=eta, start=(0.4, 1.0))
        >>> picture.agreement
        1.0
    """
    columns, rows = np.asarray(lr, dtype=np.float64), np.asarray(max_lr, dtype=np.float64)
    eta_x, eta_y = columns[None, :], rows[:, None]
    m, n = (len(point) for point in game.equilibrium)
    return StabilityMap(
        optimizer=optimizer_name(optimizer),
        lr=columns,
        max_lr=rows,
        growth=growth(game, optimizer, start, lr=eta_x, max_lr=eta_y, steps=steps),
        radius=spectral_radius(iteration_matrix(optimizer, game.jacobian, (m, n), eta_x, eta_y)),
        steps=steps,
    )


def refine_ends(curves: Callable[[Array], Sequence[Array]], at: Array) -> Array:
    """Add points where curves end or run off to infinity, so that they are drawn up to there.

    Args:
        curves: Gives values of each curve at such points, NaN where it has none.
        at: Positive points in ascending order.

    Returns:
        These points and others between those where a curve ends, in ascending order.

    Example:
        >>> points = refine_ends(lambda x: [np.where(x < 2.0, 1.0 / (2.0 - x), np.nan)], np.array([1.0, 3.0]))
        >>> bool(2.0 - points[points < 2.0].max() < 1e-9)
        True
    """
    added: list[float] = []
    for number, curve in enumerate(curves(at)):
        there = np.isfinite(curve)
        for left in np.nonzero(there[1:] != there[:-1])[0]:
            inside, outside = at[left : left + 2] if there[left] else at[left : left + 2][::-1]
            for _ in range(_HALVINGS):
                middle = np.sqrt(inside * outside)
                if np.isfinite(curves(np.array([middle]))[number][0]):
                    inside = middle
                    added.append(float(middle))
                else:
                    outside = middle
    return np.sort(np.concatenate((at, added)))
