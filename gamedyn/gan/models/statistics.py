"""Forward passes that leave BatchNorm's running statistics alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def frozen_running_statistics(network: nn.Module) -> Iterator[None]:
    """Use batch statistics inside the block without recording them.

    An optimizer may evaluate its closure more than once a step (AltGD does so once a player). The
    running statistics shall advance once a step all the same, so the evaluations after the first
    run inside this block. The outputs do not change: in training mode they come from the batch.

    Args:
        network: The network whose BatchNorm layers shall not record.

    Yields:
        Nothing.

    Example:
        >>> import torch
        >>> norm = nn.BatchNorm1d(2)
        >>> with frozen_running_statistics(norm):
        ...     _ = norm(torch.randn(8, 2))
        >>> norm.running_mean, int(norm.num_batches_tracked)
        (tensor([0., 0.]), 0)
    """
    recording = [
        layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats
    ]
    for layer in recording:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in recording:
            layer.track_running_stats = True
