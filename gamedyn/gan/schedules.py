"""What changes over a run: learning rates and instance noise, both linearly down to nothing."""

from __future__ import annotations

from collections.abc import Iterable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler


def linear_decay(optimizers: Iterable[Optimizer], steps: int) -> list[LRScheduler]:
    """Let learning rates fall linearly, so that they reach 0 after the last step.

    Args:
        optimizers: The optimizers, every parameter group with its own rate.
        steps: Steps in all.

    Returns:
        One scheduler an optimizer, to be stepped after every step.

    Example:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler, = linear_decay([sgd], steps=4)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates.append(sgd.param_groups[0]["lr"])
        ...     sgd.step()
        ...     scheduler.step()
        >>> rates, sgd.param_groups[0]["lr"]
        ([1.0, 0.75, 0.5, 0.25], 0.0)

    References:
        Gulrajani et al., Improved training of Wasserstein GANs, 2017, appendix F.
    """
    return [
        LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps) for optimizer in optimizers
    ]


def remaining(step: int, steps: int) -> float:
    """Say what fraction of a run is left.

    Args:
        step: Steps done.
        steps: Steps in all.

    Returns:
        From 1 before the first step down to 0 after the last.

    Example:
        >>> remaining(0, 10), remaining(5, 10), remaining(12, 10)
        (1.0, 0.5, 0.0)
    """
    return max(0.0, 1.0 - step / steps)
