"""The least-squares loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LeastSquares:
    r"""Least squares GAN: the discriminator regresses on 1 for real and 0 for generated; not zero-sum.

    .. math::
        \ell_G = \mathbb{E}[(D(G(z)) - 1)^2], \qquad
        \ell_D = \tfrac12 \mathbb{E}[(D(x) - 1)^2] + \tfrac12 \mathbb{E}[D(G(z))^2]

    Example:
        >>> import torch
        >>> [float(loss) for loss in LeastSquares()(torch.tensor([3.0]), torch.tensor([2.0]))]
        [1.0, 4.0]

    References:
        Mao et al., Least Squares Generative Adversarial Networks, 2017, equation 9 (`a = 0`, `b = c = 1`).

    Notes:
        The paper halves both losses; the code of WGAN-GP (`gan_64x64.py`), which this follows, the
        discriminator's alone.
    """

    separable = True
    """Whether every sample's score enters by itself, so that the second derivatives are diagonal."""
    relative = False
    """Whether the generator's part compares its scores with those of real samples."""

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
            The mean square distance to 1.
        """
        return (fake_scores - 1).square().mean()

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give the discriminator's loss.

        Args:
            real_scores: Scores of real samples, shape `(batch,)`.
            fake_scores: Scores of generated samples, shape `(batch,)`.

        Returns:
            Half the mean square distances, to 1 of real and to 0 of generated samples.
        """
        return ((real_scores - 1).square().mean() + fake_scores.square().mean()) / 2
