"""One training step, by an optimizer for games or by two ordinary optimizers in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gamedyn.gan.batch import Batch
from gamedyn.gan.config import PrecisionName
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.objective import GANObjective

Losses = Tensor | tuple[Tensor, ...]
DrawBatch = Callable[[], Batch]


class Report(Protocol):
    """What an optimizer for games says about its last step."""

    @property
    def iterations(self) -> int:
        """Iterations of the linear solve."""

    @property
    def residual(self) -> float:
        """Its true relative residual."""

    @property
    def products(self) -> int:
        """Products with half of the mixed Hessian."""

    @property
    def skipped(self) -> bool:
        """Whether the step was not finite and changed nothing."""


class GameOptimizer(Protocol):
    """What the loop needs of an optimizer for games."""

    @property
    def last_step(self) -> Report | None:
        """How the last step went."""

    def step(self, closure: Callable[[], Losses]) -> Losses:
        """Move both players."""

    def state_dict(self) -> dict[str, Any]:
        """Give the state."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a stored state."""


@dataclass(frozen=True)
class StepRecord:
    """What one step gives to the log.

    Args:
        loss_generator: What the generator minimised (`f` of a zero-sum game).
        loss_discriminator: What the discriminator minimised (`-f` of a zero-sum game).
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

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        """Do one step."""

    def state_dict(self) -> dict[str, Any]:
        """Give the optimizers' state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state."""


class Simultaneous:
    """Steps of one optimizer for games that owns both players.

    The closure is that of a `GANObjective`: competitive optimizers take their products from the networks'
    structure, the others call it.

    Args:
        optimizer: The optimizer; the generator's parameters minimise, the discriminator's maximise.
        curvature_batch: The fraction of the fakes that products are taken on, see `GANObjective`.
        precision: The precision of products, see `GANObjective`.
    """

    def __init__(
        self,
        optimizer: GameOptimizer,
        *,
        curvature_batch: float = 1.0,
        precision: PrecisionName = "float32",
    ) -> None:
        self.optimizer = optimizer
        self.curvature_batch = curvature_batch
        self.precision = precision
        self._game: GANObjective | None = None

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        """Do one step.

        Args:
            generator: Player 0.
            discriminator: Player 1.
            loss: The game.
            draw: Gives the next batch.

        Returns:
            Losses and the solve's figures.

        Raises:
            ValueError: If `curvature_batch` or `precision` is wrong.
        """
        if self._game is None or (self._game.generator, self._game.discriminator, self._game.loss) != (
            generator,
            discriminator,
            loss,
        ):
            self._game = GANObjective(
                generator,
                discriminator,
                loss,
                curvature_batch=self.curvature_batch,
                precision=self.precision,
            )
        batch = draw()
        value = self.optimizer.step(self._game.on(batch.real, batch.latent))
        if isinstance(value, Tensor):
            generator_loss = float(value)
            discriminator_loss = -generator_loss
        else:
            generator_loss, discriminator_loss = (float(part) for part in value)
        report = self.optimizer.last_step
        if report is None:
            return StepRecord(generator_loss, discriminator_loss)
        return StepRecord(
            generator_loss,
            discriminator_loss,
            iterations=report.iterations,
            residual=report.residual,
            products=report.products,
            skipped=report.skipped,
        )

    def state_dict(self) -> dict[str, Any]:
        """Give the optimizer's state.

        Returns:
            Its state dictionary.
        """
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave.
        """
        self.optimizer.load_state_dict(state["optimizer"])


class Alternating:
    """Steps of two `torch.optim` optimizers in turn, the usual way to train a GAN.

    The discriminator moves first, on fakes cut off from the generator; then the generator moves
    against the new discriminator with the same fakes. The generator runs forward once a step, so its
    BatchNorm statistics advance once, and both ways of stepping see the same samples and noise.

    Args:
        generator_optimizer: Moves the generator.
        discriminator_optimizer: Moves the discriminator.
    """

    def __init__(
        self, generator_optimizer: torch.optim.Optimizer, discriminator_optimizer: torch.optim.Optimizer
    ) -> None:
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        """Do one step of each player.

        Args:
            generator: Player 0.
            discriminator: Player 1.
            loss: The game.
            draw: Gives the next batch.

        Returns:
            Both losses.

        Raises:
            ValueError: If a loss is not finite: ordinary optimizers would write it into the weights.
        """
        batch = draw()
        fake = generator(batch.latent)
        discriminator_loss = loss.discriminator(discriminator(batch.real), discriminator(fake.detach()))
        move(self.discriminator_optimizer, discriminator_loss)
        # Only the way through the discriminator to its input is wanted now, not its weights' gradients.
        discriminator.requires_grad_(False)
        try:
            generator_loss = loss.generator(discriminator(fake))
            move(self.generator_optimizer, generator_loss)
        finally:
            discriminator.requires_grad_(True)
        return StepRecord(float(generator_loss.detach()), float(discriminator_loss.detach()))

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


def move(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step of an ordinary optimizer.

    Args:
        optimizer: The optimizer.
        loss: The scalar to descend.

    Raises:
        ValueError: If the loss is not finite.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise ValueError(f"the loss became {value}: the run diverged, lower --lr or change --loss")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    optimizer.step()
