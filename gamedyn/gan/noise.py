"""Instance noise: what a discriminator sees is blurred, so that no hyperplane tells it apart for sure."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gamedyn.gan.batch import Batch


def noised(batch: Batch, std: float) -> tuple[Tensor, Tensor | None]:
    r"""Draw the noise of one step, on both inputs of the discriminator.

    .. math:: D(x + ε), \quad D(G(z) + ε'), \qquad ε, ε' \sim \mathcal{N}(0, σ^2 I)

    It is drawn once a step, from torch's global generator of the batch's device, so that every evaluation of
    the step's game sees the same; without noise nothing is drawn.

    Args:
        batch: The batch; generated samples have the shape of its real ones.
        std: `σ`, in the samples' own unit.

    Returns:
        The real samples with their noise, and the noise of the generated ones; None for no noise.

    Raises:
        ValueError: If `std` is negative or not finite.

    Example:
        >>> real, noise = noised(Batch(torch.zeros(4, 3, 8, 8), torch.zeros(6, 16)), 0.1)
        >>> real.shape, noise.shape
        (torch.Size([4, 3, 8, 8]), torch.Size([6, 3, 8, 8]))

    References:
        Arjovsky and Bottou, Towards Principled Methods for Training Generative Adversarial Networks, 2017,
        section 3; Sønderby et al., Amortised MAP Inference for Image Super-resolution, 2017, section 3.3.
    """
    if not (math.isfinite(std) and std >= 0.0):
        raise ValueError(f"the standard deviation of instance noise must be at least 0, got {std!r}")
    if std == 0.0:
        return batch.real, None
    real = batch.real + std * torch.randn_like(batch.real)
    return real, std * batch.real.new_empty(len(batch.latent), *batch.real.shape[1:]).normal_()
