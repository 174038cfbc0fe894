"""The update laws of SimGD, AltGD and CGD in NumPy, for a whole grid of runs at once.

A law moves every run of a stack by one step: `x` has shape (..., m), `y` has shape (..., n), and the
step sizes broadcast against the leading axes. Only time is a Python loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gamedyn.dynamics.matrices import optimizer_name

Array = npt.NDArray[np.float64]


class Game(Protocol):
    """What a law needs of a two-player game whose players hold m and n numbers."""

    def field(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Gradient of each player's own loss: shapes (..., m) and (..., n)."""

    def mixed(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Mixed derivatives (D_xy f, D_yx g) of the losses f, g: (..., m, n) and (..., n, m)."""


Law = Callable[[Game, Array, Array, Array, Array], tuple[Array, Array]]


def simgd(game: Game, x: Array, y: Array, lr: Array, max_lr: Array) -> tuple[Array, Array]:
    """Simultaneous gradient descent: x₊ = x − η_x ∇ₓf, y₊ = y − η_y ∇ᵧg, both taken at (x, y).

    Args:
        game: The game.
        x: Player 0, shape (..., m).
        y: Player 1, shape (..., n).
        lr: η_x, shape (..., 1) or a scalar.
        max_lr: η_y, likewise.

    Returns:
        The next x and y.
    """
    gx, gy = game.field(x, y)
    return x - lr * gx, y - max_lr * gy


def altgd(game: Game, x: Array, y: Array, lr: Array, max_lr: Array) -> tuple[Array, Array]:
    """Alternating gradient descent: player 0 moves, then player 1 answers the place it moved to.

    Args:
        game: The game.
        x: Player 0, shape (..., m).
        y: Player 1, shape (..., n).
        lr: η_x, shape (..., 1) or a scalar.
        max_lr: η_y, likewise.

    Returns:
        The next x and y.
    """
    x = x - lr * game.field(x, y)[0]
    return x, y - max_lr * game.field(x, y)[1]


def cgd(game: Game, x: Array, y: Array, lr: Array, max_lr: Array) -> tuple[Array, Array]:
    """Competitive gradient descent: both players step to the equilibrium of the local bilinear game.

        Δx = −η_x (I − η_x η_y D_xy f D_yx g)⁻¹ (∇ₓf − η_y D_xy f ∇ᵧg)
        Δy = −η_y (∇ᵧg + D_yx g Δx)

    Args:
        game: The game.
        x: Player 0, shape (..., m).
        y: Player 1, shape (..., n).
        lr: η_x, shape (..., 1) or a scalar.
        max_lr: η_y, likewise.

    Returns:
        The next x and y.

    References:
        Schäfer & Anandkumar, "Competitive Gradient Descent", NeurIPS 2019, eq. (3).
    """
    gx, gy = game.field(x, y)
    Dxy, Dyx = game.mixed(x, y)
    if Dxy.shape[-2:] == (1, 1):
        # Players of one number each: a division, where a batched solver would call LAPACK per run.
        b, c = Dxy[..., 0], Dyx[..., 0]
        dx = -lr * (gx - max_lr * b * gy) / (1.0 - lr * max_lr * b * c)
        return x + dx, y - max_lr * (gy + c * dx)
    products = np.asarray(lr * max_lr)[..., None]
    system = np.eye(Dxy.shape[-2]) - products * (Dxy @ Dyx)
    dx = -lr * _solve(system, gx - max_lr * _apply(Dxy, gy))
    return x + dx, y - max_lr * (gy + _apply(Dyx, dx))


def _solve(matrices: Array, vectors: Array) -> Array:
    """Stacked solutions, NaN for those runs alone whose matrix is singular: they have diverged."""
    try:
        return np.asarray(np.linalg.solve(matrices, vectors[..., None])[..., 0])
    except np.linalg.LinAlgError:
        solutions = np.full_like(vectors, np.nan)
        for run in np.ndindex(vectors.shape[:-1]):
            with contextlib.suppress(np.linalg.LinAlgError):
                solutions[run] = np.linalg.solve(matrices[run], vectors[run])
        return solutions


def _apply(matrices: Array, vectors: Array) -> Array:
    """Stacked matrix-vector products: (..., m, n) on (..., n)."""
    return np.asarray((matrices @ vectors[..., None])[..., 0])


LAWS: Mapping[str, Law] = MappingProxyType({"SimGD": simgd, "AltGD": altgd, "CGD": cgd})


def law(optimizer: object) -> Law:
    """Look up the update law of an optimizer.

    Args:
        optimizer: Name, class or instance of SimGD, AltGD or CGD.

    Returns:
        The function that makes one step of it.

    Example:
        >>> law("AltGD").__name__
        'altgd'
    """
    return LAWS[optimizer_name(optimizer)]
