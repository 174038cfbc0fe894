"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from gamedyn.gan.penalties.penalty import Penalty, positive
from gamedyn.gan.penalties.slopes import slopes

Sides = Literal["two", "one"]


@dataclass(frozen=True)
class GradientPenalty:
    r"""Hold the critic's slope near 1 between real and generated samples.

    .. math::
        λ \, \mathbb{E}[(\|∇_{\hat x} D(\hat x)\|_2 - 1)^2], \qquad
        \hat x = ε x + (1 - ε) G(z), \quad ε \sim U[0, 1]

    with an `ε` per sample. One-sided, slopes below 1 are free: `max(0, ‖∇D‖ − 1)²`. The norm's derivative is
    taken as zero where the slope vanishes.

    Args:
        weight: `λ`.
        sides: `"two"` as in the paper's experiments, or `"one"`.

    Raises:
        ValueError: If `weight` is not positive, or `sides` is neither.

    Example:
        >>> critic = nn.Linear(2, 1)
        >>> _ = torch.nn.init.constant_(critic.weight, 3.0 / 2**0.5)
        >>> round(float(GradientPenalty(10.0)(critic, torch.zeros(4, 2), torch.ones(4, 2)).detach()), 4)
        40.0

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, equation 3 and Algorithm 1; one-sided:
        its section 4.

    Notes:
        The code of Schäfer et al. (2020) draws `ε` from a normal distribution and takes the norm as
        `√(s + 1e-12)`; this follows the paper.
    """

    weight: float = 10.0
    sides: Sides = "two"

    per_sample = True
    """Whether it differentiates single samples' scores in the samples."""

    def __post_init__(self) -> None:
        positive(self.weight, "a gradient penalty's weight")
        if self.sides not in get_args(Sides):
            raise ValueError(f"sides must be one of {', '.join(get_args(Sides))}, got {self.sides!r}")

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty, at interpolation weights drawn from torch's global generator.

        Args:
            discriminator: The critic.
            real: Real samples.
            fake: As many generated ones; their graph is not used.

        Returns:
            The scalar.
        """
        return self.drawn(real)(discriminator, real, fake)

    def drawn(self, real: Tensor) -> Penalty:
        """Draw the interpolation weights of one step.

        Args:
            real: Real samples.

        Returns:
            The penalty at these weights.
        """
        shape = (len(real), *(1 for _ in real.shape[1:]))
        return partial(self.at, torch.rand(shape, dtype=real.dtype, device=real.device))

    def at(self, mix: Tensor, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Give the penalty at given interpolation weights.

        Args:
            mix: `ε`, shape `(batch, 1, ...)`: 1 for the real sample, 0 for the generated one.
            discriminator: The critic.
            real: Real samples.
            fake: As many generated ones; their graph is not used.

        Returns:
            The scalar.

        Raises:
            ValueError: If there are not as many generated as real samples.
        """
        if real.shape != fake.shape:
            raise ValueError(
                f"a gradient penalty lies between pairs of real and generated samples, got the shapes "
                f"{tuple(real.shape)} and {tuple(fake.shape)}"
            )
        norms = torch.linalg.vector_norm(slopes(discriminator, mix * real + (1 - mix) * fake), dim=1)
        excess = norms - 1 if self.sides == "two" else functional.relu(norms - 1)
        return self.weight * excess.square().mean()
