"""The adaptive step sizes along a path, and the true residual of the system that they define."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from step_games import Game
from torch import Tensor


class Metric(NamedTuple):
    """The settings of the adaptive step sizes `lr·√(1−βᵗ)/(√v+ε)`, which define the system of a step."""

    beta: float
    eps: float


COMMON = Metric(beta=0.99, eps=1e-5)
"""The default of gamedyn and of CGDs, at which all are compared."""


class Rates:
    """One metric's step sizes along the path, kept independently of any contender.

    Args:
        game: The game, for its learning rate.
        metric: The settings.
    """

    def __init__(self, game: Game, metric: Metric) -> None:
        self.metric, self.steps = metric, 0
        self.squares = [torch.zeros(()), torch.zeros(())]
        """Each player's running mean square of the gradients, flat."""
        self._lr = game.lr

    def advance(self, gradients: Sequence[Tensor]) -> None:
        """Take in both players' flat gradients at the current point."""
        self.steps += 1
        beta = self.metric.beta
        self.squares = [beta * s + (1 - beta) * g * g for s, g in zip(self.squares, gradients, strict=True)]

    @property
    def diagonals(self) -> tuple[Tensor, Tensor]:
        """Both players' step sizes at the gradients taken in last."""
        correction = (1 - self.metric.beta**self.steps) ** 0.5
        x, y = (correction * self._lr / (square.sqrt() + self.metric.eps) for square in self.squares)
        return x, y


def gradients(game: Game) -> list[Tensor]:
    """Return both players' gradients on the current batch, flat."""
    found = torch.autograd.grad(game.value(), [*game.x, *game.y])
    return [flat(found[: len(game.x)]), flat(found[len(game.x) :])]


class TrueResidual:
    """`‖b − A u‖ / ‖b‖` from its definition, on a fresh graph at the game's current point.

    Args:
        game: The game, at the point where the system was solved.
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        found = torch.autograd.grad(game.value(), [*game.x, *game.y], create_graph=True)
        self._of_x, self._of_y = flat(found[: len(game.x)]), flat(found[len(game.x) :])

    def __call__(self, rates: tuple[Tensor, Tensor], side: str, solution: Tensor) -> float:
        """Evaluate it for a solution of player x's or y's system in the metric of `rates`."""
        of_x, of_y = self._of_x.detach(), self._of_y.detach()
        if side == "x":
            (own, other), there, back = rates, self._to_y, self._to_x
            rhs = -(of_x + self._to_x(other * of_y))
        else:
            (other, own), there, back = rates, self._to_x, self._to_y
            rhs = of_y - self._to_y(other * of_x)
        root = own.sqrt()
        image = solution + root * back(other * there(root * solution))
        return float((root * rhs - image).double().norm() / (root * rhs).double().norm())

    def _to_y(self, u: Tensor) -> Tensor:
        return flat(
            torch.autograd.grad(self._of_x, self._game.y, u, retain_graph=True, materialize_grads=True)
        )

    def _to_x(self, u: Tensor) -> Tensor:
        return flat(
            torch.autograd.grad(self._of_y, self._game.x, u, retain_graph=True, materialize_grads=True)
        )


def flat(vector: Sequence[Tensor]) -> Tensor:
    """Return all entries as one vector."""
    return torch.cat([tensor.reshape(-1) for tensor in vector])


def split(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Undo `flat`."""
    parts = torch.split(vector, [tensor.numel() for tensor in like])
    return [part.view(tensor.shape).clone() for part, tensor in zip(parts, like, strict=True)]
