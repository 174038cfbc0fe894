"""A distance between two sets of images that needs no trained network."""

from __future__ import annotations

import torch
from torch import Tensor


class SlicedWasserstein:
    r"""Sliced Wasserstein-2 distance to a fixed set of reference images, in pixel space.

    .. math:: \mathrm{SW}(P, Q)^2 = \mathbb{E}_\theta \, W_2^2(\theta_\# P, \theta_\# Q)

    over random directions `θ` of unit length; on each, `W₂` of two equally large samples is the root
    mean square difference of the sorted projections. It sees colours, contrast and layout rather
    than objects, so it ranks blurry against collapsed, not good against very good. Two finite samples
    of one distribution are a positive distance apart: compare with that floor, at the same count.

    Args:
        reference: Reference samples, shape `(n, ...)`.
        directions: Number of random directions.
        seed: Seed of the directions.

    Example:
        >>> distance = SlicedWasserstein(torch.zeros(10, 4))
        >>> float(distance(torch.zeros(10, 4)))
        0.0

    References:
        Rabin, Peyré, Delon and Bernot, Wasserstein barycenter and its application to texture mixing, 2011.
    """

    def __init__(self, reference: Tensor, *, directions: int = 256, seed: int = 0) -> None:
        flat = reference.flatten(1)
        generator = torch.Generator().manual_seed(seed)
        self.directions = torch.nn.functional.normalize(
            torch.randn(flat.shape[1], directions, generator=generator), dim=0
        )
        self.reference = (flat @ self.directions).sort(dim=0).values

    def __call__(self, samples: Tensor) -> float:
        """Measure samples.

        Args:
            samples: At least as many as the reference has, of the same shape; the first are taken.

        Returns:
            The distance, in units of a pixel's value.

        Raises:
            ValueError: If there are fewer samples than reference samples.
        """
        count = len(self.reference)
        if len(samples) < count:
            raise ValueError(f"needs {count} samples, got {len(samples)}")
        projected = (samples[:count].flatten(1) @ self.directions).sort(dim=0).values
        return float((projected - self.reference).square().mean().sqrt())
