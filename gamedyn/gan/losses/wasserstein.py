"""The Wasserstein loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Wasserstein:
    r"""The Wasserstein game between a generator and a critic, zero-sum and without a constraint.

    .. math:: f = \mathbb{E}[D(x)] - \mathbb{E}[D(G(z))]

    Nothing here keeps the critic Lipschitz: competitive optimizers train it as it is, while
    alternating Adam needs clipping or a penalty.

    Example:
        >>> import torch
        >>> float(Wasserstein()(torch.ones(4), torch.zeros(4)))
        1.0

    References:
        Arjovsky et al., Wasserstein GAN, 2017, equation 3; Schäfer et al., Implicit competitive
        regularization in GANs, 2020 (its training with ACGD and no regulariser).
    """

    separable = True
    """Whether every sample's score enters by itself, so that the second derivatives are diagonal."""
    relative = False
    """Whether the generator's part compares its scores with those of real samples."""
    piecewise_linear = True
    """Whether its second derivatives vanish: products need not ask autograd for zeros."""

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give `f`.

        Args:
            real_scores: The critic's values at real samples, shape `(batch,)`.
            fake_scores: The critic's values at generated samples, shape `(batch,)`.

        Returns:
            The scalar that the generator minimises and the critic maximises.
        """
        return real_scores.mean() - fake_scores.mean()

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """Give the generator's part of `f`.

        Args:
            fake_scores: The critic's values at generated samples, shape `(batch,)`.
            real_scores: Not needed.

        Returns:
            Minus the mean value, to be minimised.
        """
        return -fake_scores.mean()

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give `-f`.

        Args:
            real_scores: The critic's values at real samples, shape `(batch,)`.
            fake_scores: The critic's values at generated samples, shape `(batch,)`.

        Returns:
            The scalar that the critic minimises.
        """
        return -self(real_scores, fake_scores)
