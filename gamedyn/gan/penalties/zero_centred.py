"""The zero-centred gradient penalties: R1 on real samples, R2 on generated ones."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gamedyn.gan.penalties.penalty import positive
from gamedyn.gan.penalties.slopes import slopes


@dataclass(frozen=True)
class ZeroCentred:
    r"""What R1 and R2 share: `γ/2` times the mean squared norm of the discriminator's gradient somewhere.

    Args:
        gamma: `γ`.

    Raises:
        ValueError: If `gamma` is not positive.
    """

    gamma: float = 10.0

    per_sample = True
    """Whether it differentiates single samples' scores in the samples."""

    def __post_init__(self) -> None:
        positive(self.gamma, f"gamma of {type(self).__name__}")

    def at(self, discriminator: nn.Module, samples: Tensor) -> Tensor:
        """Give the penalty on some samples.

        Args:
            discriminator: The discriminator.
            samples: Where its gradient is taken; their graph is not used.

        Returns:
            The scalar.
        """
        return self.gamma / 2 * slopes(discriminator, samples).square().sum(1).mean()


class R1(ZeroCentred):
    r"""Hold the discriminator flat at real samples.

    .. math:: \frac{γ}{2} \, \mathbb{E}[\|∇D(x)\|_2^2]

    Args:
        gamma: `γ`.

    Raises:
        ValueError: If `gamma` is not positive.

    Example:
        >>> import torch
        >>> critic = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(critic.weight, 3.0)
        >>> round(float(R1(0.1)(critic, torch.zeros(4, 2), torch.ones(4, 2)).detach()), 4)
        0.9

    References:
        Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually Converge?, 2018,
        equation 9.
    """

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty.

        Args:
            discriminator: The discriminator.
            real: Real samples.
            fake: Generated ones; not used.

        Returns:
            The scalar.
        """
        return self.at(discriminator, real)


class R2(ZeroCentred):
    r"""Hold the discriminator flat at generated samples.

    .. math:: \frac{γ}{2} \, \mathbb{E}[\|∇D(G(z))\|_2^2]

    Args:
        gamma: `γ`.

    Raises:
        ValueError: If `gamma` is not positive.

    Example:
        >>> import torch
        >>> critic = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(critic.weight, 3.0)
        >>> round(float(R2(0.1)(critic, torch.zeros(4, 2), torch.ones(4, 2)).detach()), 4)
        0.9

    References:
        Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually Converge?, 2018,
        equation 10.
    """

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty.

        Args:
            discriminator: The discriminator.
            real: Real samples; not used.
            fake: Generated ones; their graph is not used.

        Returns:
            The scalar.
        """
        return self.at(discriminator, fake)
