"""The relativistic pairing loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class RelativisticPairing:
    r"""Each generated sample is compared with one real sample; not zero-sum.

    .. math::
        \ell_G = \mathbb{E}[\operatorname{softplus}(-(D(G(z)) - D(x)))], \qquad
        \ell_D = \mathbb{E}[\operatorname{softplus}(-(D(x) - D(G(z))))]

    The discriminator's task is a decision boundary around every real sample, which a generator that has
    dropped modes cannot meet. With `R1` and `R2` (`gamedyn.gan.penalties`) it converges locally; without
    them it is known to diverge.

    Example:
        >>> import torch
        >>> [round(float(loss), 4) for loss in RelativisticPairing()(torch.zeros(4), torch.zeros(4))]
        [0.6931, 0.6931]

    References:
        Huang et al., The GAN is dead; long live the GAN! A Modern GAN Baseline, 2024, equation 2 and its
        code's `Trainer.py`; Jolicoeur-Martineau, The relativistic discriminator, 2018.
    """

    separable = False
    """Whether every sample's score enters by itself: no, each enters with its partner's."""
    paired = True
    """Whether the i-th fake meets the i-th real sample and no other."""
    relative = True
    """Whether the generator's part compares its scores with those of real samples."""

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> tuple[Tensor, Tensor]:
        """Give both losses.

        Args:
            real_scores: Scores of real samples, shape `(batch,)`.
            fake_scores: Scores of as many generated samples, of the same shape.

        Returns:
            The generator's loss and the discriminator's, each minimised by its player.
        """
        return self.generator(fake_scores, real_scores), self.discriminator(real_scores, fake_scores)

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """Give the generator's loss.

        Args:
            fake_scores: Scores of generated samples, shape `(batch,)`.
            real_scores: Scores of as many real samples, of the same shape.

        Returns:
            The mean of `softplus(-(fake - real))`.

        Raises:
            ValueError: If there are no real scores, or not as many.
        """
        if real_scores is None:
            raise ValueError("RelativisticPairing.generator compares: give it the real samples' scores too")
        return functional.softplus(_margin(real_scores, fake_scores)).mean()

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give the discriminator's loss.

        Args:
            real_scores: Scores of real samples, shape `(batch,)`.
            fake_scores: Scores of as many generated samples, of the same shape.

        Returns:
            The mean of `softplus(-(real - fake))`.
        """
        return functional.softplus(-_margin(real_scores, fake_scores)).mean()


def _margin(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    if real_scores.shape != fake_scores.shape:
        raise ValueError(
            f"a relativistic pairing needs as many real as generated samples, got scores of shapes "
            f"{tuple(real_scores.shape)} and {tuple(fake_scores.shape)}"
        )
    return real_scores - fake_scores
