"""A distance between two sets of images that needs no trained network."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class SlicedWasserstein:
    r"""Sliced Wasserstein-2 distance to a fixed set of reference images, in pixel space.

    .. math:: \mathrm{SW}(P, Q)^2 = \mathbb{E}_\theta \, W_2^2(\theta_\# P, \theta_\# Q)

    over random directions `θ` of unit length; on each, `W₂` of two equally large samples is the root
    mean square difference of the sorted projections. It sees colours, contrast and layout rather
    than objects, so it ranks blurry against collapsed, not good against very good. Two finite samples
    of one distribution are a positive distance apart: compare with that floor, at the same count.

    Sets may come as one tensor or in batches, of which only the projections are held.

    Args:
        reference: Reference samples, shape `(n, ...)`, or batches of them.
        directions: Number of random directions.
        seed: Seed of the directions.

    Raises:
        ValueError: If there is no reference sample.

    Example:
        >>> distance = SlicedWasserstein(torch.zeros(10, 4))
        >>> distance(torch.zeros(10, 4).split(3))
        0.0

    References:
        Rabin, Peyré, Delon and Bernot, Wasserstein barycenter and its application to texture mixing, 2011.
    """

    def __init__(self, reference: Tensor | Iterable[Tensor], *, directions: int = 256, seed: int = 0) -> None:
        self.count, self.seed = directions, seed
        self.directions = torch.empty(0)
        self.reference = self._projected(reference).sort(dim=0).values
        if not len(self.reference):
            raise ValueError("there are no reference samples")

    def __call__(self, samples: Tensor | Iterable[Tensor]) -> float:
        """Measure samples.

        Args:
            samples: At least as many as the reference has, of the same shape; the first are taken.

        Returns:
            The distance, in units of a pixel's value.

        Raises:
            ValueError: If there are fewer samples than reference samples.
        """
        return self.of_projections(self._projected(samples))

    def project(self, batch: Tensor) -> Tensor:
        """Project a batch, for `of_projections`.

        Args:
            batch: Shape `(n, ...)`.

        Returns:
            Shape `(n, directions)`.
        """
        flat = batch.flatten(1)
        if not len(self.directions):
            generator = torch.Generator().manual_seed(self.seed)
            self.directions = torch.nn.functional.normalize(
                torch.randn(flat.shape[1], self.count, generator=generator), dim=0
            )
        return flat @ self.directions

    def of_projections(self, projected: Tensor) -> float:
        """Measure samples that were projected batch by batch.

        Args:
            projected: Shape `(n, directions)`, with at least as many rows as the reference; the first count.

        Returns:
            The distance, in units of a pixel's value.

        Raises:
            ValueError: If there are fewer samples than reference samples.
        """
        count = len(self.reference)
        if len(projected) < count:
            raise ValueError(f"needs {count} samples, got {len(projected)}")
        return float((projected[:count].sort(dim=0).values - self.reference).square().mean().sqrt())

    def _projected(self, samples: Tensor | Iterable[Tensor]) -> Tensor:
        if isinstance(samples, Tensor):
            return self.project(samples)
        parts = [self.project(batch) for batch in samples]
        return torch.cat(parts) if parts else torch.empty(0, self.count)
