"""The three toy sets of the WGAN-GP paper, at the scale of its code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from gamedyn.games.gaussian_mixture import GaussianMixture


class PointSet(Protocol):
    """A distribution in the plane that can be sampled at will."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw points, shape `(n, 2)`."""


@dataclass(frozen=True)
class SwissRoll:
    r"""A noisy spiral of one and a half turns.

    .. math:: x = \frac{(t \cos t, \; t \sin t) + \sigma \varepsilon}{s}, \qquad
        t = \tfrac{3}{2} \pi (1 + 2u), \quad u \sim U[0, 1], \quad \varepsilon \sim N(0, I)

    Args:
        noise: `σ`, in the spiral's own units, in which its radius goes from 4.7 to 14.1.
        scale: `s`; the default brings it to radii from 0.63 to 1.88.

    Raises:
        ValueError: If the noise is negative or the scale is not positive.

    Example:
        >>> SwissRoll().sample(4, torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 3.1; `gan_toy.py` of its code,
        which takes the first and third coordinates of scikit-learn's `make_swiss_roll`.
    """

    noise: float = 0.25
    scale: float = 7.5

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise ValueError(f"noise must not be negative, got {self.noise}")
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw points.

        Args:
            n: Number of points.
            generator: Source of randomness; `None` means torch's global one.

        Returns:
            Shape (n, 2).
        """
        t = 1.5 * math.pi * (1.0 + 2.0 * torch.rand(n, generator=generator))
        spiral = torch.stack((t * t.cos(), t * t.sin()), dim=1)
        return (spiral + self.noise * torch.randn(n, 2, generator=generator)) / self.scale


def eight_gaussians() -> GaussianMixture:
    """Eight modes on a circle of radius 2, standard deviation 0.02, all divided by 1.414.

    Returns:
        The mixture.

    Example:
        >>> round(float(eight_gaussians().centers[0, 0]), 3)
        1.414
    """
    return GaussianMixture.ring(8, radius=2 / 1.414, std=0.02 / 1.414)


def twentyfive_gaussians() -> GaussianMixture:
    """Five by five modes at distance 2, standard deviation 0.05, all divided by 2.828.

    Returns:
        The mixture.

    Example:
        >>> len(twentyfive_gaussians().centers)
        25
    """
    return GaussianMixture.grid(5, spacing=2 / 2.828, std=0.05 / 2.828)


TOY_SETS: Mapping[str, Callable[[], PointSet]] = MappingProxyType(
    {"8 Gaussians": eight_gaussians, "25 Gaussians": twentyfive_gaussians, "swiss roll": SwissRoll}
)
"""The paper's three sets by name."""
