"""What one evaluation of a GAN's game is taken on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
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


def joined(batches: Sequence[Batch]) -> Batch:
    """Put batches one after another.

    Args:
        batches: At least one, all with classes or all without.

    Returns:
        All their samples as one batch.

    Example:
        >>> part = Batch(torch.zeros(4, 2), torch.zeros(4, 16), torch.zeros(4).long(), torch.ones(4).long())
        >>> whole = joined([part, part])
        >>> len(whole.latent), whole.fake_labels.sum()
        (8, tensor(8))
    """
    if len(batches) == 1:
        return batches[0]

    def all_of(name: str) -> Tensor | None:
        parts = [getattr(batch, name) for batch in batches]
        return None if parts[0] is None else torch.cat(parts)

    real, latent = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("real", "latent"))
    return Batch(real, latent, all_of("real_labels"), all_of("fake_labels"))
