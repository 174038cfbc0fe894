"""Steps by two ordinary optimizers in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gamedyn.gan.auxiliary import AuxiliaryClassifier, scores_and_classes
from gamedyn.gan.batch import Batch, joined
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.models.statistics import frozen_running_statistics
from gamedyn.gan.noise import noised
from gamedyn.gan.penalties import Penalty, clip_weights, total_penalty
from gamedyn.gan.penalties.penalty import positive
from gamedyn.gan.steps.stepper import DrawBatch, StepRecord
from gamedyn.gan.steps.two_optimizers import TwoOptimizers


class Alternating(TwoOptimizers):
    """Steps of two `torch.optim` optimizers in turn, the usual way to train a GAN.

    A step is `n_critic` steps of the discriminator, each on a batch of its own with fakes cut off from the
    generator, and then one of the generator, against the discriminator as it is then: with the fakes (noise
    and instance noise) of the last of these batches, or with those of new batches. The generator's BatchNorm
    statistics advance once a step, with the fakes that it moves by; without new batches both ways of
    stepping see the same samples and noise.

    Args:
        generator_optimizer: Moves the generator.
        discriminator_optimizer: Moves the discriminator.
        n_critic: Steps of the discriminator to one of the generator.
        generator_batches: New batches that the generator's step takes, joined; `None` for the fakes of the
            discriminator's last.
        clip: Bound that all of the discriminator's parameters are clipped to after each of its steps.
        penalties: What the discriminator minimises besides its loss.
        noise: Standard deviation of instance noise on both inputs of the discriminator; an attribute that may
            change between steps.
        auxiliary: Weights of the classes' cross-entropy (0.1 and 1 by default), for a discriminator that
            returns scores and class logits.

    Raises:
        ValueError: If `n_critic` or `generator_batches` is not a whole number of at least 1, or `clip` is
            not positive.

    Example:
        >>> from functools import partial
        >>> from gamedyn.gan.losses import Wasserstein
        >>> from gamedyn.gan.penalties import GradientPenalty
        >>> G, D = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        >>> adams = (torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.0, 0.9)) for net in (G, D))
        >>> wgan_gp = Alternating(*adams, n_critic=5, penalties=[GradientPenalty(10.0)])
        >>> wgan_gp.step(G, D, Wasserstein(), partial(Batch, torch.randn(8, 3), torch.randn(8, 2))).skipped
        False

    References:
        Arjovsky et al., Wasserstein GAN, 2017, Algorithm 1; Gulrajani et al., Improved Training of
        Wasserstein GANs, 2017, Algorithm 1.

    Notes:
        Algorithm 1 draws new noise for the generator's step, which is `generator_batches=1`; by default it
        answers the critic's last batch, which is what the other steppers do. The residual network of the
        WGAN-GP code takes two batches there. That code has the generator move first, but not in its first
        iteration: the same sequence of steps but for one at the end.
    """

    def __init__(
        self,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
        *,
        n_critic: int = 1,
        generator_batches: int | None = None,
        clip: float | None = None,
        penalties: Sequence[Penalty] = (),
        noise: float = 0.0,
        auxiliary: AuxiliaryClassifier | None = None,
    ) -> None:
        counts = {"n_critic": n_critic}
        if generator_batches is not None:
            counts["generator_batches"] = generator_batches
        for name, count in counts.items():
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        super().__init__(generator_optimizer, discriminator_optimizer)
        self.n_critic = n_critic
        self.generator_batches = generator_batches
        self.clip = None if clip is None else positive(clip, "clip")
        self.penalties = tuple(penalties)
        self.noise = noise
        self.auxiliary = auxiliary or AuxiliaryClassifier()

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        """Do `n_critic` steps of the discriminator and one of the generator.

        Args:
            generator: Player 0.
            discriminator: Player 1.
            loss: The game.
            draw: Gives the next batch; called `n_critic` times, and for every new batch of the generator.

        Returns:
            Both losses, the discriminator's of its last step.

        Raises:
            ValueError: If a loss is not finite: ordinary optimizers would write it into the weights; or if
                classes are missing.
        """
        for left in reversed(range(self.n_critic)):
            batch = draw()
            # only the fakes that the generator moves by lead back to it, and count in its statistics
            kept = not left and self.generator_batches is None
            real, fake = self._samples(generator, batch, kept=kept)
            discriminator_loss = self._of_discriminator(discriminator, loss, batch, real, fake.detach())
            move(self.discriminator_optimizer, discriminator_loss)
            if self.clip is not None:
                clip_weights(discriminator, self.clip)
        if self.generator_batches is not None:
            batch = joined([draw() for _ in range(self.generator_batches)])
            real, fake = self._samples(generator, batch, kept=True)
        # Only the way through the discriminator to its input is wanted now, not its weights' gradients.
        with without_gradients(discriminator):
            generator_loss = self._of_generator(discriminator, loss, batch, real, fake)
            move(self.generator_optimizer, generator_loss)
        return StepRecord(float(generator_loss.detach()), float(discriminator_loss.detach()))

    def _samples(self, generator: nn.Module, batch: Batch, *, kept: bool) -> tuple[Tensor, Tensor]:
        """Return real and generated samples with their noise; the latter with their graph if it is kept."""
        real, noise = noised(batch, self.noise)
        with ExitStack() as unseen:
            if not kept:
                unseen.enter_context(torch.no_grad())
                unseen.enter_context(frozen_running_statistics(generator))
            fake = batch.generated(generator)
            return real, fake if noise is None else fake + noise

    def _of_discriminator(
        self, discriminator: nn.Module, loss: GANLoss, batch: Batch, real: Tensor, fake: Tensor
    ) -> Tensor:
        """Return all that the discriminator minimises."""
        real_scores, real_classes = scores_and_classes(discriminator(real))
        fake_scores, _ = scores_and_classes(discriminator(fake))
        value = loss.discriminator(real_scores, fake_scores)
        if real_classes is not None:
            value = value + self.auxiliary.of_discriminator(real_classes, batch)
        penalty = total_penalty(self.penalties, discriminator, real, fake)
        return value if penalty is None else value + penalty

    def _of_generator(
        self, discriminator: nn.Module, loss: GANLoss, batch: Batch, real: Tensor, fake: Tensor
    ) -> Tensor:
        """Return all that the generator minimises."""
        scores, classes = scores_and_classes(discriminator(fake))
        real_scores: Tensor | None = None
        if loss.relative:
            with frozen_running_statistics(discriminator):  # they have seen these samples
                real_scores, _ = scores_and_classes(discriminator(real))
        value = loss.generator(scores, real_scores)
        return value if classes is None else value + self.auxiliary.of_generator(classes, batch)


def move(optimizer: Optimizer, loss: Tensor) -> None:
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


@contextmanager
def without_gradients(network: nn.Module) -> Iterator[None]:
    """Take a network's parameters as constants inside the block.

    Args:
        network: The network; which of its parameters are trained is as before afterwards.

    Yields:
        Nothing.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
