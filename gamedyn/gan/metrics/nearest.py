"""Nearest neighbours in the training set: whether a generator has memorised it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def nearest_neighbours(samples: Tensor, training: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    r"""Find for every sample the nearest training image, by the L2 distance between pixels.

    .. math:: d_i = \min_j \lVert x_i - t_j \rVert_2

    The training set comes in batches and is never held; the search is one matrix product a batch, the
    distance of the neighbour found is recomputed in float64 so that a copy has the distance 0.

    Args:
        samples: Shape `(n, ...)`.
        training: Batches of training images of the same shape, scaled alike.

    Returns:
        Distances, in float64, and indices in the order in which training images come, each of shape `(n,)`.

    Raises:
        ValueError: If there is no sample or no training image, their shapes differ, or one is not finite.

    Example:
        >>> images = torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]])
        >>> nearest_neighbours(torch.tensor([[3.0, 3.0]]), images.split(2))
        (tensor([1.], dtype=torch.float64), tensor([1]))
    """
    if not len(samples):
        raise ValueError("there are no samples whose neighbours could be found")
    flat = samples.detach().flatten(1)
    if not bool(flat.isfinite().all()):
        raise ValueError("a sample is NaN or infinite: the run may have diverged")
    least = torch.full((len(flat),), torch.inf, dtype=torch.float64)
    which = torch.zeros(len(flat), dtype=torch.int64)
    seen = 0
    for batch in training:
        if batch.shape[1:] != samples.shape[1:]:
            raise ValueError(
                f"training images of shape {tuple(batch.shape[1:])} cannot be compared with samples of "
                f"shape {tuple(samples.shape[1:])}"
            )
        if not len(batch):
            continue
        rows = batch.detach().flatten(1).to(flat)
        # The sample's own square is the same for every candidate, so it decides nothing.
        candidate = torch.addmm(rows.square().sum(1), flat, rows.T, alpha=-2.0).argmin(1)
        distance = (flat.double() - rows[candidate].double()).norm(dim=1).cpu()
        nearer = distance < least
        least[nearer], which[nearer] = distance[nearer], seen + candidate.cpu()[nearer]
        seen += len(rows)
    if not seen:
        raise ValueError("there are no training images to find neighbours in")
    return least, which


def memorisation(samples: Tensor, held_out: Tensor, training: Iterable[Tensor]) -> float:
    """Compare how near samples come to the training set with how near held-out images do.

    A generator that has learned the distribution comes as near as fresh images of it do: a ratio of 1. Far
    below 1 it copies training images. Blurred samples are near everything, and lie below 1 too: look at them.

    Args:
        samples: Generated images, shape `(n, ...)`.
        held_out: Real images that were not trained on, of the same shape.
        training: Batches of training images of the same shape.

    Returns:
        The ratio of the medians of the distances.

    Raises:
        ValueError: As `nearest_neighbours`, or if the held-out images are themselves training images.

    Example:
        >>> images = torch.tensor([[0.0], [10.0]])
        >>> memorisation(torch.tensor([[1.0]]), torch.tensor([[2.0]]), [images])
        0.5
    """
    distances, _ = nearest_neighbours(torch.cat([samples, held_out.to(samples)]), training)
    fresh = float(distances[len(samples) :].median())
    if not fresh > 0.0:
        raise ValueError("half of the held-out images are training images: there is nothing to compare with")
    return float(distances[: len(samples)].median()) / fresh
