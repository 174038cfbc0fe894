"""Samples of a trained generator: in evaluation mode, in parts, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

PART = 250


@torch.no_grad()
def generate(
    generator: nn.Module, latent: Tensor, *, classes: int = 0, device: torch.device | None = None
) -> Iterator[Tensor]:
    """Generate a sample for every latent vector, 250 at a time.

    Args:
        generator: The generator; in evaluation mode while it is asked, then as it was.
        latent: Latent vectors, shape `(n, latent)`, on the CPU.
        classes: Number of classes of a conditional generator, which are taken in turn; 0 for any other.
        device: Where the generator lives; by default the CPU.

    Yields:
        Samples, shape `(at most 250, *shape)`, on the CPU.

    Example:
        >>> parts = list(generate(nn.Linear(4, 2), torch.zeros(300, 4)))
        >>> [tuple(part.shape) for part in parts]
        [(250, 2), (50, 2)]
    """
    labels = torch.arange(len(latent)) % classes if classes else None
    before = generator.training
    for start in range(0, len(latent), PART):
        inputs = [latent[start : start + PART].to(device)]
        if labels is not None:
            inputs.append(labels[start : start + PART].to(device))
        generator.eval()
        try:
            samples: Tensor = generator(*inputs)
        finally:
            generator.train(before)
        yield samples.cpu()
