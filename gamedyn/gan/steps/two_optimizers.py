"""What steppers share that hold one ordinary optimizer for each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer


class TwoOptimizers:
    """The generator's optimizer and the discriminator's, and their states as one.

    Args:
        generator_optimizer: Moves the generator.
        discriminator_optimizer: Moves the discriminator.
    """

    def __init__(self, generator_optimizer: Optimizer, discriminator_optimizer: Optimizer) -> None:
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    @property
    def optimizers(self) -> Sequence[Optimizer]:
        """The generator's optimizer and the discriminator's."""
        return [self.generator_optimizer, self.discriminator_optimizer]

    def state_dict(self) -> dict[str, Any]:
        """Give both optimizers' states.

        Returns:
            Their state dictionaries.
        """
        return {
            "generator": self.generator_optimizer.state_dict(),
            "discriminator": self.discriminator_optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave.
        """
        self.generator_optimizer.load_state_dict(state["generator"])
        self.discriminator_optimizer.load_state_dict(state["discriminator"])
