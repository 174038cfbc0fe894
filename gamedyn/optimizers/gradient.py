"""The gradient direction: every player's own first-order step."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gamedyn.optimizers.closure import differentiate
from gamedyn.optimizers.evaluation import Losses
from gamedyn.optimizers.report import SkipStep
from gamedyn.solvers.vectors import Vector


def own_gradients(losses: Losses, players: Sequence[list[Tensor]]) -> list[list[Tensor | None]]:
    """Differentiate each player's loss with respect to that player's parameters.

    Args:
        losses: The scalar of a zero-sum game or one loss per player, carrying graphs.
        players: The parameters of each player.

    Returns:
        One gradient per player, with None for what its loss does not reach; in a zero-sum game both are of
        the one scalar.
    """
    if isinstance(losses, Tensor):
        gradient = differentiate(losses, [parameter for player in players for parameter in player])
        count = len(players[0])
        return [gradient[:count], gradient[count:]]
    return [
        differentiate(loss, parameters, retain_graph=index < len(losses) - 1)
        for index, (loss, parameters) in enumerate(zip(losses, players, strict=True))
    ]


def descend(
    parameters: Sequence[Tensor],
    gradient: Sequence[Tensor],
    rates: Sequence[float],
    sign: float = -1.0,
) -> Vector:
    """Return `θ + sign·η·g`, rounded exactly as `torch.optim.SGD` rounds it.

    Args:
        parameters: The point `θ`.
        gradient: The gradient `g` there.
        rates: The learning rate `η` of each tensor.
        sign: −1 to descend, +1 to ascend.

    Returns:
        The new point; the parameters are left alone.

    Raises:
        SkipStep: If a finite learning rate is beyond what its parameter's dtype can hold.
    """
    for parameter, rate in zip(parameters, rates, strict=True):
        if torch.finfo(parameter.dtype).max < rate < math.inf:
            raise SkipStep(f"the learning rate {rate:g} is beyond the range of {parameter.dtype}")
    return [
        torch.add(parameter, derivative, alpha=sign * rate)
        for parameter, derivative, rate in zip(parameters, gradient, rates, strict=True)
    ]


def role(losses: Losses, player: int) -> float:
    """Return +1 for the maximiser of a zero-sum game and −1 for everyone else."""
    return 1.0 if isinstance(losses, Tensor) and player == 1 else -1.0
