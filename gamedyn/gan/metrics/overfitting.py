"""The critic's loss on images it was not trained on: whether it has learned the training set by heart."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gamedyn.gan.losses import GANLoss


@torch.no_grad()
def critic_losses(
    critic: nn.Module,
    loss: GANLoss,
    *,
    training: Iterable[Tensor],
    held_out: Iterable[Tensor],
    fakes: Iterable[Tensor],
) -> tuple[float, float]:
    r"""Compute what a critic minimises, once with training images as the real ones and once with held-out.

    .. math:: \ell_D(D(x_{\mathrm{train}}), D(G(z))) \quad\text{and}\quad \ell_D(D(x_{\mathrm{new}}), D(G(z)))

    A critic that judges the distribution gives both alike. One that overfits has a lower loss on its
    training images; the gap is a number like those of figure 5(b) of the WGAN-GP paper, whose negative
    critic losses are minus these.

    Args:
        critic: Scores images, shape `(n,)`, or gives a pair that begins with the scores; evaluated in
            evaluation mode and put back.
        loss: The game; its `discriminator` is what the critic minimises.
        training: Batches of training images.
        held_out: Batches of images that were not trained on.
        fakes: Batches of generated images.

    Returns:
        The loss with training images and the loss with held-out images.

    Raises:
        ValueError: If a set is empty or a score is not finite.

    Example:
        >>> from gamedyn.gan.losses import Wasserstein
        >>> critic = nn.Flatten(0)
        >>> one, two = torch.ones(3, 1), torch.full((2, 1), 0.5)
        >>> critic_losses(critic, Wasserstein(), training=[one], held_out=[two], fakes=[0 * one])
        (-1.0, -0.5)

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.6 and figure 5(b).
    """
    modes = {module: module.training for module in critic.modules()}
    critic.eval()
    try:
        scores = {
            name: _scores(critic, batches, name)
            for name, batches in (("training", training), ("held-out", held_out), ("generated", fakes))
        }
    finally:
        for module, mode in modes.items():
            module.training = mode
    if getattr(loss, "relative", False):  # every real score is paired with a fake one
        count = min(map(len, scores.values()))
        scores = {name: values[:count] for name, values in scores.items()}
    fake = scores["generated"]
    return (
        float(loss.discriminator(scores["training"], fake)),
        float(loss.discriminator(scores["held-out"], fake)),
    )


def _scores(critic: nn.Module, batches: Iterable[Tensor], name: str) -> Tensor:
    parts = []
    for batch in batches:
        output = critic(batch)
        scores: Tensor = output[0] if isinstance(output, tuple) else output
        parts.append(scores.double().cpu())
    found = torch.cat(parts) if parts else torch.empty(0)
    if not len(found):
        raise ValueError(f"there are no {name} images for the critic to score")
    if not bool(found.isfinite().all()):
        raise ValueError(
            f"the critic's score of a {name} image is NaN or infinite: the run may have diverged"
        )
    return found
