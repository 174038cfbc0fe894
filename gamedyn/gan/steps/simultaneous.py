"""Steps by one optimizer for games that owns both players."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from gamedyn.gan.auxiliary import AuxiliaryClassifier
from gamedyn.gan.config import PrecisionName
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.objective import GANObjective
from gamedyn.gan.penalties import Penalty
from gamedyn.gan.steps.stepper import DrawBatch, StepRecord

Losses = Tensor | tuple[Tensor, ...]


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


class Simultaneous:
    """Steps of one optimizer for games that owns both players.

    The closure is that of a `GANObjective`: competitive optimizers take their products from the networks'
    structure, the others call it.

    Args:
        optimizer: The optimizer; the generator's parameters minimise, the discriminator's maximise.
        curvature_batch: The fraction of the fakes that products are taken on, see `GANObjective`.
        precision: The precision of products, see `GANObjective`.
        compile: Whether products are compiled, see `GANObjective`.
        penalties: What the discriminator minimises besides its loss, see `GANObjective`.
        noise: Standard deviation of instance noise on both inputs of the discriminator; an attribute that may
            change between steps.
        auxiliary: Weights of the classes' cross-entropy, see `GANObjective`.
    """

    def __init__(
        self,
        optimizer: GameOptimizer,
        *,
        curvature_batch: float = 1.0,
        precision: PrecisionName = "float32",
        compile: bool = False,
        penalties: Sequence[Penalty] = (),
        noise: float = 0.0,
        auxiliary: AuxiliaryClassifier | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.curvature_batch = curvature_batch
        self.precision = precision
        self.compile = compile
        self.penalties = tuple(penalties)
        self.noise = noise
        self.auxiliary = auxiliary
        self._game: GANObjective | None = None

    @property
    def optimizers(self) -> Sequence[Optimizer]:
        """The one optimizer."""
        return [cast("Optimizer", self.optimizer)]

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
            ValueError: If `curvature_batch`, `precision` or `noise` is wrong, or classes are missing.
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
                compile=self.compile,
                penalties=self.penalties,
                auxiliary=self.auxiliary,
            )
        self._game.noise = self.noise
        batch = draw()
        value = self.optimizer.step(
            self._game.on(batch.real, batch.latent, batch.real_labels, batch.fake_labels)
        )
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

    @property
    def notes(self) -> list[str]:
        """What makes the products of the last step dearer than they could be, a sentence each.

        That they are not compiled the game has warned of by itself.
        """
        game = self._game
        if game is None:
            return []
        found = [
            f"products cost more than they could: {part}: {why}"
            for part, why in game.fallbacks.items()
            if part != "compile"
        ]
        if self.precision == "relaxed" and game.relaxed_dtype is None:
            found.append(
                "precision 'relaxed' changes nothing here: products are computed in bfloat16 only where the "
                "networks are float32 and the device is faster in it"
            )
        return found

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
