"""What a way of stepping is, and what it tells the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import GANLoss

DrawBatch = Callable[[], Batch]


@dataclass(frozen=True)
class StepRecord:
    """What one step gives to the log.

    Args:
        loss_generator: What the generator minimised (`f` of a zero-sum game, less the penalties where one
            optimizer moves both players).
        loss_discriminator: What the discriminator minimised, penalties included (`-f` of a zero-sum game).
        iterations: Iterations of the linear solve; 0 for optimizers that solve nothing.
        residual: True relative residual of the solve.
        products: Products with half of the mixed Hessian.
        skipped: Whether the step was not finite and changed nothing.
    """

    loss_generator: float
    loss_discriminator: float
    iterations: int = 0
    residual: float = 0.0
    products: int = 0
    skipped: bool = False


class Stepper(Protocol):
    """What the training loop is handed: both networks and a way to draw batches go in, both networks move."""

    noise: float
    """Standard deviation of instance noise; may change between steps."""

    @property
    def optimizers(self) -> Sequence[Optimizer]:
        """The optimizers that move them, for schedules of their learning rates."""

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        """Do one step."""

    def state_dict(self) -> dict[str, Any]:
        """Give the optimizers' state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state."""
