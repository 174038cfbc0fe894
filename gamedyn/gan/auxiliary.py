"""The auxiliary classifier of class-conditional GANs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from gamedyn.gan.batch import Batch


@dataclass(frozen=True)
class AuxiliaryClassifier:
    r"""What a discriminator with class logits `C` adds to both losses; makes any game general-sum.

    .. math::
        \ell_G += w_G \, \mathrm{CE}(C(G(z, c)), c), \qquad \ell_D += w_D \, \mathrm{CE}(C(x), c_x)

    The discriminator learns its classes from real samples alone.

    Args:
        generator: `w_G`.
        discriminator: `w_D`.

    Raises:
        ValueError: If a weight is negative.

    Example:
        >>> import torch
        >>> batch = Batch(torch.zeros(2, 3), torch.zeros(2, 4), torch.tensor([0, 1]), torch.tensor([1, 1]))
        >>> logits = torch.zeros(2, 4)
        >>> joined = AuxiliaryClassifier().joined(torch.tensor(1.0), logits, logits, batch)
        >>> [round(float(loss), 4) for loss in joined]
        [1.1386, 0.3863]

    References:
        Odena, Olah and Shlens, Conditional Image Synthesis with Auxiliary Classifier GANs, 2017; the weights,
        and real samples only, as in `gan_cifar_resnet.py` of Gulrajani et al., Improved Training of
        Wasserstein GANs, 2017.
    """

    generator: float = 0.1
    discriminator: float = 1.0

    def __post_init__(self) -> None:
        for name, weight in (("generator", self.generator), ("discriminator", self.discriminator)):
            if not weight >= 0.0:
                raise ValueError(f"the {name}'s weight of the classes must be at least 0, got {weight!r}")

    def of_generator(self, logits: Tensor, batch: Batch) -> Tensor:
        """Give what the generator minimises besides its loss.

        Args:
            logits: Class logits of generated samples, shape `(batch, classes)`.
            batch: The batch with the classes that were to be generated.

        Returns:
            The weighted cross-entropy.
        """
        return self.generator * functional.cross_entropy(logits, _known(batch.fake_labels, "fake_labels"))

    def of_discriminator(self, logits: Tensor, batch: Batch) -> Tensor:
        """Give what the discriminator minimises besides its loss.

        Args:
            logits: Class logits of real samples, shape `(batch, classes)`.
            batch: The batch with their classes.

        Returns:
            The weighted cross-entropy.
        """
        return self.discriminator * functional.cross_entropy(logits, _known(batch.real_labels, "real_labels"))

    def joined(
        self, losses: Tensor | tuple[Tensor, Tensor], of_real: Tensor, of_fake: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Add both parts to a game's losses.

        Args:
            losses: The scalar of a zero-sum game, or one loss per player.
            of_real: Class logits of real samples.
            of_fake: Class logits of generated samples.
            batch: The batch with both classes.

        Returns:
            One loss per player.
        """
        first, second = losses if isinstance(losses, tuple) else (losses, -losses)
        return (
            first + self.of_generator(of_fake, batch),
            second + self.of_discriminator(of_real, batch),
        )


def scores_and_classes(output: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Take a discriminator's output apart.

    Args:
        output: Scores, or scores and class logits.

    Returns:
        Scores, and class logits where there are any.
    """
    if isinstance(output, tuple):
        return output
    return output, None


def scores_alone(output: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Take the output of a discriminator whose batches have no classes.

    Args:
        output: Scores.

    Returns:
        The scores.

    Raises:
        ValueError: If there are class logits.
    """
    if isinstance(output, tuple):
        raise ValueError(
            "a discriminator with class logits needs real_labels and fake_labels in its batches, got neither"
        )
    return output


def refuse_classes(*scores: Tensor) -> None:
    """Refuse several numbers a sample, as of class logits, in the place of a score.

    Args:
        scores: One number a sample, of shape `(batch,)` or `(batch, 1)`; or a map of them, as of patches, of
            more dimensions.

    Raises:
        ValueError: If scores have shape `(batch, k)`.
    """
    for one in scores:
        if one.dim() == 2 and one.shape[1] != 1:
            raise ValueError(
                f"the discriminator's scores have shape {tuple(one.shape)}: it must return one number a "
                "sample, (batch,) or (batch, 1), or a map of them, (batch, 1, k); class logits come second, "
                "as (scores, logits)"
            )


def _known(labels: Tensor | None, name: str) -> Tensor:
    if labels is None:
        raise ValueError(f"a discriminator with class logits needs {name} in its batches, got None")
    return labels
