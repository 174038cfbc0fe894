"""Weight decay of the discriminator, as a penalty."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gamedyn.gan.penalties.penalty import positive


@dataclass(frozen=True)
class WeightDecay:
    r"""Hold all of the discriminator's parameters near zero, biases too.

    .. math:: λ \, \|θ_D\|_2^2

    Args:
        weight: `λ`; the gradient is `2 λ θ_D`, twice that of torch's `weight_decay`.

    Raises:
        ValueError: If `weight` is not positive.

    Example:
        >>> critic = nn.Linear(2, 1)
        >>> for parameter in critic.parameters():
        ...     _ = nn.init.constant_(parameter, 2.0)
        >>> float(WeightDecay(0.5)(critic, torch.zeros(4, 2), torch.zeros(4, 2)).detach())
        6.0

    References:
        The "L2" regulariser in the code of Schäfer, Zheng and Anandkumar, Implicit competitive
        regularization in GANs, 2020 (`d_penalty`, 1e-4 and 1e-3 in its examples).
    """

    weight: float = 1e-4

    per_sample = False
    """Whether it differentiates single samples' scores in the samples."""

    def __post_init__(self) -> None:
        positive(self.weight, "weight decay's weight")

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty.

        Args:
            discriminator: The discriminator.
            real: Not used but for the dtype of a network without parameters.
            fake: Not used.

        Returns:
            The scalar.
        """
        squares = [parameter.square().sum() for parameter in discriminator.parameters()]
        return self.weight * (torch.stack(squares).sum() if squares else real.new_zeros(()))
