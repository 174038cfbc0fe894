"""What a penalty is, and what a step does with several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gamedyn.gan.models.statistics import frozen_running_statistics


class Penalty(Protocol):
    """Something that the discriminator minimises besides its loss."""

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty, its weight included, as a scalar of at least 0 that carries its graph.

        Args:
            discriminator: The discriminator.
            real: Real samples.
            fake: Generated ones; their graph, if they have one, is not to be used.
        """


@runtime_checkable
class RandomPenalty(Protocol):
    """A penalty that draws random numbers, and can have them drawn beforehand."""

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty at random numbers of this call's own."""

    def drawn(self, real: Tensor) -> Penalty:
        """Draw, and give the penalty that uses those numbers whenever it is called.

        Args:
            real: Real samples, by whose number, dtype and device to draw.
        """


def with_draws(penalties: Sequence[Penalty], real: Tensor) -> list[Penalty]:
    """Draw what one step's penalties need, so that each evaluation of its game sees the same numbers.

    Args:
        penalties: The penalties.
        real: Real samples.

    Returns:
        Penalties without chance.
    """
    return [one.drawn(real) if isinstance(one, RandomPenalty) else one for one in penalties]


def total_penalty(
    penalties: Sequence[Penalty], discriminator: nn.Module, real: Tensor, fake: Tensor
) -> Tensor | None:
    """Add up penalties.

    Args:
        penalties: The penalties.
        discriminator: The discriminator; BatchNorm's running statistics do not advance.
        real: Real samples.
        fake: Generated ones, which are detached.

    Returns:
        Their sum, carrying its graph; None without penalties.
    """
    total: Tensor | None = None
    with frozen_running_statistics(discriminator), torch.enable_grad():
        for penalty in penalties:
            value = penalty(discriminator, real, fake.detach())
            total = value if total is None else total + value
    return total


def positive(value: float, name: str) -> float:
    """Refuse a weight that is not one.

    Args:
        value: The weight.
        name: What to call it.

    Returns:
        The weight.

    Raises:
        ValueError: If it is not a positive finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return value
