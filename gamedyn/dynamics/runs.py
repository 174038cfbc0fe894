"""Trajectories: of a live optimizer, or of a whole grid of runs of an update law at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from gamedyn.dynamics.laws import Array, Game, law


class Trajectory(NamedTuple):
    """Iterates of both players, the starting point first.

    Attributes:
        x: Player 0, shape (steps + 1, ..., m).
        y: Player 1, shape (steps + 1, ..., n).
    """

    x: Array
    y: Array


class Steppable(Protocol):
    """A live optimizer: `step(closure)`, and groups that each carry a `player`."""

    param_groups: list[dict[str, Any]]

    def step(self, closure: Callable[[], Any]) -> Any:
        """Make one step on the closure's loss."""


def trajectory(optimizer: Steppable, closure: Callable[[], Any], steps: int) -> Trajectory:
    """Run a live optimizer and record where its parameters went.

    Args:
        optimizer: An optimizer of `gamedyn.optimizers`, or any whose groups carry a `player`.
        closure: What its `step` takes: returns the loss of the game at the current parameters.
        steps: Number of steps.

    Returns:
        The iterates in float64; each player's parameters flattened and joined in the optimizer's order.

    Raises:
        ValueError: If a parameter group belongs to no player, or to a third one.

    Example:
        >>> from gamedyn.games import Bilinear
        >>> from gamedyn.optimizers import CGD
        >>> game = Bilinear(1.0)
        >>> x, y = game.parameters()
        >>> path = trajectory(CGD([x], [y], lr=0.1, rtol=1e-12), game.closure(x, y), steps=1)
        >>> path.x.round(6).tolist()
        [[1.0], [0.891089]]
    """
    groups = optimizer.param_groups
    if any("player" not in group for group in groups):
        raise ValueError(
            f"every parameter group of {type(optimizer).__name__} must carry a 'player'; "
            "take an optimizer of gamedyn.optimizers"
        )
    if strangers := {group["player"] for group in groups} - {0, 1}:
        raise ValueError(f"a trajectory is of players 0 and 1, the groups also name {sorted(strangers)}")
    players = [[p for g in groups if g["player"] == i for p in g["params"]] for i in (0, 1)]

    def position(player: int) -> Array:
        parts = [p.detach().reshape(-1).to("cpu", torch.float64) for p in players[player]]
        return np.asarray(torch.cat(parts).numpy())

    xs, ys = [position(0)], [position(1)]
    for _ in range(steps):
        optimizer.step(closure)
        xs.append(position(0))
        ys.append(position(1))
    return Trajectory(np.stack(xs), np.stack(ys))


def run(
    game: Game,
    optimizer: object,
    start: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    lr: npt.ArrayLike,
    max_lr: npt.ArrayLike | None = None,
    steps: int,
) -> Trajectory:
    """Run an update law from one or many starting points, with one or many step sizes, at once.

    Args:
        game: A game with `field` and `mixed`, for instance one of `gamedyn.games`.
        optimizer: Name, class or instance of SimGD, AltGD or CGD.
        start: (x₀, y₀) of shapes (..., m) and (..., n); a number stands for a player of size one.
        lr: η_x; its shape broadcasts against the leading axes ... of the starting points.
        max_lr: η_y, likewise; `None` means `lr`.
        steps: Number of steps.

    Returns:
        The iterates of every run, x of shape (steps + 1, ..., m) and y of shape (steps + 1, ..., n).

    Example:
        >>> from gamedyn.games import Bilinear
        >>> path = run(Bilinear(1.0), "SimGD", (1.0, 1.0), lr=[0.1, 0.2], steps=10)
        >>> path.x.shape, path.x[-1].round(6).tolist()
        ((11, 2, 1), [[-0.311718], [-1.596434]])
    """
    x, y, eta_x, eta_y = stacked(start, lr, max_lr)
    move = law(optimizer)
    xs, ys = np.empty((steps + 1, *x.shape)), np.empty((steps + 1, *y.shape))
    xs[0], ys[0] = x, y
    # A run that diverges may overflow; its infinities are its answer.
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(steps):
            x, y = move(game, x, y, eta_x, eta_y)
            xs[k + 1], ys[k + 1] = x, y
    return Trajectory(xs, ys)


def stacked(
    start: tuple[npt.ArrayLike, npt.ArrayLike], lr: npt.ArrayLike, max_lr: npt.ArrayLike | None
) -> tuple[Array, Array, Array, Array]:
    """Broadcast starting points and step sizes to one stack of runs.

    Args:
        start: (x₀, y₀) of shapes (..., m) and (..., n), or numbers.
        lr: η_x of shape (...).
        max_lr: η_y of shape (...), or `None` for `lr`.

    Returns:
        x (..., m), y (..., n), η_x (..., 1), η_y (..., 1), all float64 with the same leading axes.
    """
    x, y = (np.atleast_1d(np.asarray(s, dtype=np.float64)) for s in start)
    eta_x = np.asarray(lr, dtype=np.float64)
    eta_y = eta_x if max_lr is None else np.asarray(max_lr, dtype=np.float64)
    runs = np.broadcast_shapes(x.shape[:-1], y.shape[:-1], eta_x.shape, eta_y.shape)
    return (
        np.broadcast_to(x, (*runs, x.shape[-1])).copy(),
        np.broadcast_to(y, (*runs, y.shape[-1])).copy(),
        np.broadcast_to(eta_x, runs)[..., None].copy(),
        np.broadcast_to(eta_y, runs)[..., None].copy(),
    )
