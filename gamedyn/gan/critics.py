"""A critic by itself: one step on given samples, and what its gradients look like inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gamedyn.gan.losses import GANLoss
from gamedyn.gan.penalties import Penalty, clip_weights, total_penalty
from gamedyn.gan.steps.alternating import move


def critic_step(
    critic: nn.Module,
    loss: GANLoss,
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    fake: Tensor,
    *,
    penalties: Sequence[Penalty] = (),
    clip: float | None = None,
) -> float:
    """Take one step of a critic, or discriminator, against samples that do not answer.

    Args:
        critic: One score a sample.
        loss: The game; its `discriminator` is minimised.
        optimizer: Moves the critic.
        real: Real samples.
        fake: As many others, which are detached.
        penalties: What the critic minimises besides its loss.
        clip: Bound that all its parameters are clipped to after the step.

    Returns:
        What was minimised, before the step.

    Example:
        >>> from gamedyn.gan.losses import Wasserstein
        >>> critic = nn.Linear(2, 1)
        >>> adam = torch.optim.Adam(critic.parameters(), lr=1e-2)
        >>> points = torch.randn(64, 2)
        >>> losses = [critic_step(critic, Wasserstein(), adam, points + 1, points) for _ in range(20)]
        >>> losses[-1] < losses[0]
        True
    """
    fake = fake.detach()
    value = loss.discriminator(critic(real).flatten(), critic(fake).flatten())
    penalty = total_penalty(penalties, critic, real, fake)
    value = value if penalty is None else value + penalty
    move(optimizer, value)
    if clip is not None:
        clip_weights(critic, clip)
    return float(value.detach())


def layer_gradients(critic: nn.Sequential, loss: GANLoss, real: Tensor, fake: Tensor) -> list[float]:
    r"""Measure how the gradient of the critic's loss grows or vanishes on its way back to the input.

    .. math:: \log_{10} \left\| \frac{∂ℓ}{∂a_l} \right\|_2

    for the outputs `a_l` of the linear layers, over the whole batch. The critic is evaluated as it stands in
    float64, where the norms of a dozen layers with small weights do not underflow, and stays as it was.

    Args:
        critic: Layers in a row, its linear ones on points.
        loss: The game.
        real: Real samples.
        fake: As many others.

    Returns:
        One number a linear layer, from the input's to the output's; minus infinity for a gradient of zero.

    Example:
        >>> from gamedyn.gan.losses import Wasserstein
        >>> critic = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
        >>> round(layer_gradients(critic, Wasserstein(), torch.ones(8, 2), torch.zeros(8, 2))[-1], 3)
        -0.301

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 3.2 and figure 1(b).
    """
    double = deepcopy(critic).double()
    value = torch.cat((real, fake)).detach().double()
    outputs: list[Tensor] = []
    with torch.enable_grad():
        for layer in double:
            value = layer(value)
            if isinstance(layer, nn.Linear):
                outputs.append(value)
        scores = value.flatten()
        lost = loss.discriminator(scores[: len(real)], scores[len(real) :])
        gradients = torch.autograd.grad(lost, outputs)
    norms = (float(torch.linalg.vector_norm(gradient)) for gradient in gradients)
    return [math.log10(norm) if norm > 0 else -math.inf for norm in norms]


def growth_a_layer(norms: npt.ArrayLike) -> float:
    """Give how fast a gradient grows from layer to layer on its way back to the input, by least squares.

    Args:
        norms: Decimal logarithms of its norms, from the input's layer to the output's, such as
            `layer_gradients` gives; those that are not finite are left out.

    Returns:
        Decades a layer: positive where it explodes, negative where it vanishes; NaN for fewer than two finite
        norms.

    Example:
        >>> round(growth_a_layer([-math.inf, -1.0, -0.5, 0.0]), 6)
        -0.5
    """
    values = np.asarray(norms, dtype=np.float64)
    finite = np.isfinite(values)
    if finite.sum() < 2:
        return math.nan
    return -float(np.polyfit(np.arange(len(values))[finite], values[finite], 1)[0])
