"""The game as one step sees it: what its closure returned, and whom that reached."""

import math
from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor

from gamedyn.optimizers.closure import (
    Closure,
    SteppedClosure,
    StructuredClosure,
    evaluate,
    filled,
    is_unreached,
    linearise,
)
from gamedyn.optimizers.report import SkipStep
from gamedyn.solvers import Linearisation
from gamedyn.solvers.vectors import Vector

Losses: TypeAlias = Tensor | tuple[Tensor, ...]
"""What a closure returned: the scalar of a zero-sum game, or one loss per player."""


class Evaluation:
    """Evaluates the closure, and remembers what it returned first.

    Args:
        closure: The game.
        parameters: All players' parameters, frozen ones included.
        players: Each player's trainable parameters.

    Raises:
        ValueError: If the closure refuses the players.
    """

    def __init__(
        self, closure: Closure, parameters: Sequence[Tensor], players: Sequence[Sequence[Tensor]]
    ) -> None:
        self._closure = closure
        self._parameters = parameters
        self._players = len(players)
        self.losses: list[Losses] = []
        self.constant = False
        """Whether the losses carry no graph."""
        self.unreached: set[int] = set()
        """Players whose own loss depends on none of their trainable parameters."""
        if isinstance(closure, SteppedClosure):
            closure.begin_step(players)

    def abandon(self) -> None:
        """Tell the closure that there is no step."""
        if isinstance(self._closure, SteppedClosure):
            self._closure.abandon_step()

    def __call__(self) -> Losses:
        """Evaluate the losses, carrying their graphs; raise `SkipStep` where one is not finite."""
        losses = evaluate(self._closure, self._parameters, self._players)
        self._note(_detached(losses))
        parts = losses if isinstance(losses, tuple) else (losses,)
        self.constant = not any(loss.requires_grad for loss in parts)
        return losses

    def linearised(self, x: list[Tensor], y: list[Tensor]) -> Linearisation:
        """Linearise the game of two players, by the closure's own way where it has one."""
        if isinstance(self._closure, StructuredClosure):
            structured = self._closure.linearise(x, y)
            if structured is not None:
                self._note(structured.losses)
                return structured
        game = linearise(self(), x, y)
        self.unreached.update(game.unreached)
        return game

    def completed(
        self, player: int, gradient: Sequence[Tensor | None], parameters: Sequence[Tensor]
    ) -> Vector:
        """Return a player's own gradient with zeros in its gaps; note a player who has nothing else."""
        if is_unreached(gradient):
            self.unreached.add(player)
        return filled(gradient, parameters)

    def _note(self, losses: Losses) -> None:
        self.losses.append(losses)
        for loss in losses if isinstance(losses, tuple) else (losses,):
            value = loss.item()
            if not math.isfinite(value):
                raise SkipStep(f"the loss is {value}")


def _detached(value: Losses) -> Losses:
    # a loss may be a parameter's own entry, which the step is about to overwrite
    return (
        tuple(loss.detach().clone() for loss in value) if isinstance(value, tuple) else value.detach().clone()
    )
