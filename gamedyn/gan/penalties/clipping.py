"""Weight clipping, the first way to hold a critic Lipschitz."""

from __future__ import annotations

import torch
from torch import nn

from gamedyn.gan.penalties.penalty import positive


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Clip every parameter of a critic into `[-bound, bound]`: weights, biases, BatchNorm's scale and offset.

    It belongs after each of the critic's steps.

    Args:
        critic: The critic.
        bound: `c`, 0.01 in the paper.

    Raises:
        ValueError: If `bound` is not positive.

    Example:
        >>> critic = nn.Linear(2, 1)
        >>> clip_weights(critic, 0.01)
        >>> bool((critic.weight.abs() <= 0.01).all())
        True

    References:
        Arjovsky, Chintala and Bottou, Wasserstein GAN, 2017, Algorithm 1.
    """
    positive(bound, "the bound of weight clipping")
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)
