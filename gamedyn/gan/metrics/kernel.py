"""The kernel distance between two sets of features: an unbiased maximum mean discrepancy."""

from __future__ import annotations

import torch
from torch import Tensor


def polynomial_mmd(left: Tensor, right: Tensor) -> float:
    r"""Unbiased estimate of the squared maximum mean discrepancy with the cubic kernel, in float64.

    .. math::
        \frac{\sum_{i \ne j} k(x_i, x_j)}{m (m - 1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{n (n - 1)}
        - \frac{2 \sum_{i, j} k(x_i, y_j)}{m n},
        \qquad k(x, y) = \bigl(x^\top y / d + 1\bigr)^3

    Being unbiased it may be negative, and its expectation does not depend on the number of samples.

    Args:
        left: Features of one set, shape `(m, d)`.
        right: Features of the other, shape `(n, d)`.

    Returns:
        The estimate.

    Raises:
        ValueError: If the features have different lengths, a set has fewer than two, or one is not finite.

    Example:
        >>> polynomial_mmd(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [1.0]]))
        7.0

    References:
        Bińkowski, Sutherland, Arbel and Gretton, Demystifying MMD GANs, 2018, section 4. Gretton et al., A
        kernel two-sample test, 2012, equation 3.
    """
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"features of shapes {tuple(left.shape)} and {tuple(right.shape)} cannot be compared"
        )
    m, n = len(left), len(right)
    if min(m, n) < 2:
        raise ValueError(f"a kernel distance needs at least 2 samples of each set, got {m} and {n}")
    x, y = left.detach().double().cpu(), right.detach().double().cpu()
    if not bool(x.isfinite().all() and y.isfinite().all()):
        raise ValueError("a feature is NaN or infinite: look at the samples, the run may have diverged")
    within = _within(x) + _within(y)
    return float(within - 2.0 * _kernel(x, y).mean())


def kernel_distance(
    left: Tensor, right: Tensor, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Average `polynomial_mmd` over random subsets of both sets.

    With the features of the Inception network this is the KID, and only then. The spread is that of one
    subset, not the error of the mean.

    Args:
        left: Features of one set, shape `(m, d)`.
        right: Features of the other, shape `(n, d)`.
        subsets: How many subsets.
        subset_size: Samples of each set in a subset, drawn without replacement; at most all of the smaller.
        seed: Seed of the choice.

    Returns:
        Mean and standard deviation (of the population) over the subsets.

    Raises:
        ValueError: If there is no subset, or a set has fewer than two samples.

    Example:
        >>> kernel_distance(torch.zeros(5, 1), torch.ones(5, 1), subsets=3)
        (7.0, 0.0)

    References:
        Bińkowski, Sutherland, Arbel and Gretton, Demystifying MMD GANs, 2018, section 4.
    """
    size = min(subset_size, len(left), len(right))
    if subsets < 1 or size < 2:
        raise ValueError(
            f"a kernel distance needs a subset of at least 2 samples, got {subsets} subsets of {size}"
        )
    if size == len(left) == len(right):
        return polynomial_mmd(left, right), 0.0  # every subset is everything
    draw = torch.Generator().manual_seed(seed)

    def pick(rows: Tensor) -> Tensor:
        return rows[torch.randperm(len(rows), generator=draw)[:size].to(rows.device)]

    found = torch.tensor(
        [polynomial_mmd(pick(left), pick(right)) for _ in range(subsets)], dtype=torch.float64
    )
    return float(found.mean()), float(found.std(correction=0))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _within(x: Tensor) -> Tensor:
    kernel = _kernel(x, x)
    return (kernel.sum() - kernel.diagonal().sum()) / (len(x) * (len(x) - 1))
