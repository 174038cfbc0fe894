"""What a GAN loss is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class GANLoss(Protocol):
    """What the training loop needs of a loss."""

    @property
    def separable(self) -> bool:
        """Whether every sample's score enters by itself, so that the second derivatives are diagonal."""

    @property
    def relative(self) -> bool:
        """Whether the generator's part compares its scores with those of real samples."""

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Give the closure's value: one scalar (zero-sum) or one loss per player."""

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """Give what the generator minimises, up to terms that do not depend on it."""

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give what the discriminator minimises."""
