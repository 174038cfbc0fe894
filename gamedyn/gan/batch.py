"""What one evaluation of a GAN's game is taken on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """Samples to tell apart: real ones, and the noise that generated ones are made of.

    Args:
        real: Real samples, shape `(batch, *shape)`.
        latent: Latent vectors, shape `(batch, latent)`.
        real_labels: Classes of the real samples, whole numbers of shape `(batch,)`; None without classes.
        fake_labels: Classes that are to be generated, likewise.

    Example:
        >>> import torch
        >>> batch = Batch(torch.zeros(4, 3, 8, 8), torch.zeros(4, 16))
        >>> batch.real_labels is None
        True
    """

    real: Tensor
    latent: Tensor
    real_labels: Tensor | None = None
    fake_labels: Tensor | None = None

    def generated(self, generator: nn.Module) -> Tensor:
        """Generate samples.

        Args:
            generator: Takes the latent vectors, and the classes where the batch has some.

        Returns:
            As many samples as latent vectors, carrying their graph.
        """
        fake: Tensor = (
            generator(self.latent) if self.fake_labels is None else generator(self.latent, self.fake_labels)
        )
        return fake
