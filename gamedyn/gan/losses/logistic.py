"""The logistic losses: a discriminator that estimates the probability of being real, by its logit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Minimax:
    r"""The original GAN game: the discriminator maximises its log-likelihood, zero-sum.

    .. math:: f = \mathbb{E}[\log \sigma(D(x))] + \mathbb{E}[\log(1 - \sigma(D(G(z))))]

    The generator's gradient vanishes where the discriminator is sure (it is the *saturating* loss).
    At the discriminator that cannot tell, `f` is `-2 log 2`.

    One-sided label smoothing by `s` lets the discriminator claim real samples with probability `1 - s` and
    no surer: `-s E[D(x)]` joins `f`. Smoothing the fakes' label as well would reward samples where
    there are no data, so it is left alone.

    Args:
        label_smoothing: `s` in `[0, 1)`; 0.1 in the paper.

    Raises:
        ValueError: If `label_smoothing` is not in `[0, 1)`.

    Example:
        >>> import torch
        >>> float(Minimax()(torch.zeros(4), torch.zeros(4)))
        -1.3862943649291992

    References:
        Goodfellow et al., Generative Adversarial Nets, 2014, equation 1; Salimans et al., Improved Techniques
        for Training GANs, 2016, section 3.4 (one-sided label smoothing).
    """

    label_smoothing: float = 0.0

    separable = True
    """Whether every sample's score enters by itself, so that the second derivatives are diagonal."""
    relative = False
    """Whether the generator's part compares its scores with those of real samples."""

    def __post_init__(self) -> None:
        check_smoothing(self.label_smoothing)

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give `f`.

        Args:
            real_scores: Logits of real samples, shape `(batch,)`.
            fake_scores: Logits of generated samples, shape `(batch,)`.

        Returns:
            The scalar that the generator minimises and the discriminator maximises.
        """
        of_real = functional.logsigmoid(real_scores).mean()
        if self.label_smoothing:  # (1 - s) log σ(d) + s log σ(-d) = log σ(d) - s d
            of_real = of_real - self.label_smoothing * real_scores.mean()
        return of_real - functional.softplus(fake_scores).mean()

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """Give the generator's part of `f`.

        Args:
            fake_scores: Logits of generated samples, shape `(batch,)`.
            real_scores: Not needed.

        Returns:
            The mean of `log(1 - sigmoid(score))`, to be minimised.
        """
        return -functional.softplus(fake_scores).mean()

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give `-f`, the binary cross-entropy.

        Args:
            real_scores: Logits of real samples, shape `(batch,)`.
            fake_scores: Logits of generated samples, shape `(batch,)`.

        Returns:
            The scalar that the discriminator minimises.
        """
        return -self(real_scores, fake_scores)


@dataclass(frozen=True)
class NonSaturating:
    r"""The loss that DCGANs are trained with; not zero-sum.

    .. math::
        \ell_G = -\mathbb{E}[\log \sigma(D(G(z)))], \qquad
        \ell_D = -\mathbb{E}[\log \sigma(D(x))] - \mathbb{E}[\log(1 - \sigma(D(G(z))))]

    Args:
        label_smoothing: `s` in `[0, 1)`: real samples have the target `1 - s`, see `Minimax`.

    Raises:
        ValueError: If `label_smoothing` is not in `[0, 1)`.

    Example:
        >>> import torch
        >>> [round(float(loss), 4) for loss in NonSaturating()(torch.zeros(4), torch.zeros(4))]
        [0.6931, 1.3863]

    References:
        Goodfellow et al., Generative Adversarial Nets, 2014, section 3.

    Notes:
        The code of WGAN-GP halves the discriminator's loss; a learning rate of half the size does the same
        for plain gradient steps, and nothing needs to for Adam.
    """

    label_smoothing: float = 0.0

    separable = True
    """Whether every sample's score enters by itself, so that the second derivatives are diagonal."""
    relative = False
    """Whether the generator's part compares its scores with those of real samples."""

    def __post_init__(self) -> None:
        check_smoothing(self.label_smoothing)

    def __call__(self, real_scores: Tensor, fake_scores: Tensor) -> tuple[Tensor, Tensor]:
        """Give both losses.

        Args:
            real_scores: Logits of real samples, shape `(batch,)`.
            fake_scores: Logits of generated samples, shape `(batch,)`.

        Returns:
            The generator's loss and the discriminator's, each minimised by its player.
        """
        return self.generator(fake_scores), self.discriminator(real_scores, fake_scores)

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """Give the generator's loss.

        Args:
            fake_scores: Logits of generated samples, shape `(batch,)`.
            real_scores: Not needed.

        Returns:
            The mean of `-log(sigmoid(score))`.
        """
        return functional.softplus(-fake_scores).mean()

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Give the binary cross-entropy.

        Args:
            real_scores: Logits of real samples, shape `(batch,)`.
            fake_scores: Logits of generated samples, shape `(batch,)`.

        Returns:
            The scalar that the discriminator minimises.
        """
        of_real = functional.softplus(-real_scores).mean()
        if self.label_smoothing:
            of_real = of_real + self.label_smoothing * real_scores.mean()
        return of_real + functional.softplus(fake_scores).mean()


def check_smoothing(value: float) -> None:
    """Refuse an amount of label smoothing that leaves no label.

    Args:
        value: The amount.

    Raises:
        ValueError: If it is not in `[0, 1)`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        raise ValueError(f"label_smoothing must be a number in [0, 1), got {value!r}")
