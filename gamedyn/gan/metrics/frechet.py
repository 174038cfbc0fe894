"""The Fréchet distance between two sets of features, each taken as a Gaussian."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Moments:
    r"""Mean and covariance of features that come in batches, in float64.

    Batches are merged by the rule of Chan, Golub and LeVeque, so neither the features nor a difference of
    large squares is ever held.

    Args:
        dimension: Length of a feature vector.

    Example:
        >>> moments = Moments(1)
        >>> for batch in torch.tensor([[1.0], [2.0], [6.0]]).split(2):
        ...     moments.add(batch)
        >>> moments.count, moments.mean.tolist(), moments.covariance.tolist()
        (3, [3.0], [[7.0]])

    References:
        Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances,
        1979.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean = torch.zeros(dimension, dtype=torch.float64)
        self._scatter = torch.zeros(dimension, dimension, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Take in a batch.

        Args:
            features: Shape `(batch, dimension)`.

        Raises:
            ValueError: For another shape, or a feature that is not finite.
        """
        if features.dim() != 2 or features.shape[1] != len(self.mean):
            raise ValueError(
                f"features must have the shape (batch, {len(self.mean)}), got {tuple(features.shape)}"
            )
        rows = features.detach().double().cpu()
        if not bool(rows.isfinite().all()):
            raise ValueError("a feature is NaN or infinite: look at the samples, the run may have diverged")
        if len(rows) == 0:
            return
        total = self.count + len(rows)
        mean = rows.mean(0)
        centred, shift = rows - mean, mean - self.mean
        self._scatter += centred.T @ centred + torch.outer(shift, shift) * (self.count * len(rows) / total)
        self.mean = self.mean + shift * (len(rows) / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """The unbiased sample covariance.

        Raises:
            ValueError: For fewer than two samples.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 samples, got {self.count}")
        return self._scatter / (self.count - 1)


def frechet_distance(left: Moments, right: Moments) -> float:
    r"""Return the squared Wasserstein-2 distance of two Gaussians with these moments.

    .. math:: \|\mu_1 - \mu_2\|^2 + \mathrm{tr}\bigl(C_1 + C_2 - 2 (C_1^{1/2} C_2 C_1^{1/2})^{1/2}\bigr)

    With the features of the Inception network this is the FID, and only then. Finite samples of one
    distribution are a positive distance apart that falls with their count, so distances are comparable
    at equal counts only.

    Args:
        left: Moments of one set.
        right: Moments of the other.

    Returns:
        The distance, in squared units of a feature.

    Raises:
        ValueError: If the features have different lengths, or a set has fewer than two samples.

    Example:
        >>> here, there = Moments(2), Moments(2)
        >>> here.add(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
        >>> there.add(torch.tensor([[3.0, 0.0], [5.0, 0.0]]))
        >>> round(frechet_distance(here, there), 9)
        9.0

    References:
        Dowson and Landau, The Fréchet distance between multivariate normal distributions, 1982. Heusel et
        al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, 2017.
    """
    if len(left.mean) != len(right.mean):
        raise ValueError(f"features of length {len(left.mean)} and {len(right.mean)} cannot be compared")
    first, second = left.covariance.numpy(), right.covariance.numpy()
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0.0)).sum()
    shift = float((left.mean - right.mean).square().sum())
    return max(shift + float(np.trace(first) + np.trace(second) - 2.0 * cross), 0.0)
