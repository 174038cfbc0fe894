"""A distance between two sets of images that needs no trained network."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Projections:
    """Projections of samples that come in batches onto seeded random directions of unit length.

    Args:
        directions: Number of directions.
        seed: Their seed; two sets compare only along the same ones.

    Example:
        >>> projections = Projections(directions=8)
        >>> projections.add(torch.zeros(5, 1, 4, 4))
        >>> projections.values.shape
        torch.Size([5, 8])
    """

    def __init__(self, *, directions: int = 256, seed: int = 0) -> None:
        self.count, self.seed = directions, seed
        self._directions = torch.empty(0)
        self._parts: list[Tensor] = []

    def add(self, batch: Tensor) -> None:
        """Take in a batch.

        Args:
            batch: Shape `(n, ...)`.
        """
        flat = batch.flatten(1)
        if not len(self._directions):
            generator = torch.Generator().manual_seed(self.seed)
            directions = torch.randn(flat.shape[1], self.count, generator=generator)
            self._directions = torch.nn.functional.normalize(directions, dim=0).to(flat)
        self._parts.append((flat @ self._directions).cpu())

    @property
    def values(self) -> Tensor:
        """Everything so far, shape `(n, directions)`."""
        return torch.cat(self._parts) if self._parts else torch.empty(0, self.count)


def sliced_distance(left: Tensor, right: Tensor) -> float:
    r"""Return the sliced Wasserstein-2 distance of two equally large samples from their projections.

    .. math:: \mathrm{SW}^2 = \frac{1}{kn} \sum_{\theta=1}^k \sum_{i=1}^n (a_{(i)\theta} - b_{(i)\theta})^2

    Args:
        left: Projections of one set, shape `(n, k)`.
        right: Projections of the other onto the same directions, shape `(n, k)`.

    Returns:
        The distance, in units of a pixel's value.

    Raises:
        ValueError: If there are none, or they are not equally many.

    Example:
        >>> sliced_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [1.0]]))
        1.0
    """
    if left.shape != right.shape or not len(left):
        raise ValueError(
            f"needs equally many projections, at least one, got {tuple(left.shape)} and {tuple(right.shape)}"
        )
    return float((left.sort(dim=0).values - right.sort(dim=0).values).square().mean().sqrt())


class SlicedWasserstein:
    r"""Sliced Wasserstein-2 distance to a fixed set of reference images, in pixel space.

    .. math:: \mathrm{SW}(P, Q)^2 = \mathbb{E}_\theta \, W_2^2(\theta_\# P, \theta_\# Q)

    over random directions `θ` of unit length; on each, `W₂` of two equally large samples is the root
    mean square difference of the sorted projections. It sees colours, contrast and layout rather
    than objects, so it ranks blurry against collapsed, not good against very good. Two finite samples
    of one distribution are a positive distance apart: compare with that floor, at the same count.

    Args:
        reference: Reference samples, shape `(n, ...)`, or batches of them.
        directions: Number of random directions.
        seed: Seed of the directions.

    Raises:
        ValueError: If there is no reference sample.

    Example:
        >>> distance = SlicedWasserstein(torch.zeros(10, 4))
        >>> distance(torch.zeros(10, 4))
        0.0

    References:
        Rabin, Peyré, Delon and Bernot, Wasserstein barycenter and its application to texture mixing, 2011.
    """

    def __init__(self, reference: Tensor | Iterable[Tensor], *, directions: int = 256, seed: int = 0) -> None:
        self.directions, self.seed = directions, seed
        self.reference = self._projected(reference).sort(dim=0).values
        if not len(self.reference):
            raise ValueError("there are no reference samples")

    def __call__(self, samples: Tensor | Iterable[Tensor]) -> float:
        """Measure samples.

        Args:
            samples: At least as many as the reference has, of the same shape, or batches of them; the first
                are taken.

        Returns:
            The distance, in units of a pixel's value.

        Raises:
            ValueError: If there are fewer samples than reference samples.
        """
        count = len(self.reference)
        projected = self._projected(samples)
        if len(projected) < count:
            raise ValueError(f"needs {count} samples, got {len(projected)}")
        return sliced_distance(projected[:count], self.reference)

    def _projected(self, samples: Tensor | Iterable[Tensor]) -> Tensor:
        projections = Projections(directions=self.directions, seed=self.seed)
        for batch in [samples] if isinstance(samples, Tensor) else samples:
            projections.add(batch)
        return projections.values
