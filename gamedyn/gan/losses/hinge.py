"""The hinge loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Hinge:
    r"""The hinge loss: the discriminator stops caring about samples beyond its margin; not zero-sum.

    .. math::
        \ell_G = -\mathbb{E}[D(G(z))], \qquad
        \ell_D = \mathbb{E}[\max(0, 1 - D(x))] + \mathbb{E}[\max(0, 1 + D(G(z)))]

    Both losses are piecewise linear in the scores, so curvature comes from the networks alone.

    Example:
        >>> import torch
        >>> [float(loss) for loss in Hinge()(torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.0]))]
        [1.0, 0.75]

    References:
        Lim and Ye, Geometric GAN, 2017, section 3; Miyato et al., Spectral Normalization for Generative
        Adversarial Networks, 2018, equations 16 and 17.
    """

    separable = True
    """Whether every sample's score enters by itself, so that the second derivatives are diagonal."""
    relative = False
    """Whether the generator's part compares its scores with those of real samples."""
    piecewise_linear = True
    """Whether its second derivatives vanish: products need not ask autograd for zeros."""

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> tuple[Tensor, Tensor]:
        """Give both losses.

        Args:
            real_scores: Scores of real samples, shape `(batch,)`.
            fake_scores: Scores of generated samples, shape `(batch,)`.

        Returns:
            The generator's loss and the discriminator's, each minimised by its player.
        """
        return self.generator(fake_scores), self.discriminator(real_scores, fake_scores)

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """Give the generator's loss.

        Args:
            fake_scores: Scores of generated samples, shape `(batch,)`.
            real_scores: Not needed.

        Returns:
            Minus the mean score.
        """
        return -fake_scores.mean()

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give the discriminator's loss.

        Args:
            real_scores: Scores of real samples, shape `(batch,)`.
            fake_scores: Scores of generated samples, shape `(batch,)`.

        Returns:
            The mean distances that real scores stay below 1 and fake ones above -1.
        """
        return functional.relu(1 - real_scores).mean() + functional.relu(1 + fake_scores).mean()
